"""Tracks of a demo world sound like what they are."""

import io
import os
import wave
from dataclasses import replace

import numpy as np
import pytest

from crossfade.core.artifacts import writing
from crossfade.core.errors import UnknownIdError
from crossfade.demo.audio import RATE, Sound, synthesised
from crossfade.demo.genres import GENRES
from crossfade.demo.importing import import_demo
from crossfade.demo.settings import SMALL, DemoSettings, audio_place, truth_place
from crossfade.demo.sounds import Sounds
from crossfade.demo.truth import truth_identity

HOUSE = Sound(genre="house", tempo=120.0, energy=0.8, brightness=0.6, seed=4)


def heard(sound):
    with wave.open(io.BytesIO(synthesised(sound))) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, RATE)
        return np.frombuffer(file.readframes(file.getnframes()), "<i2") / 32_767


@pytest.mark.parametrize("genre", GENRES, ids=lambda genre: genre.name)
def test_every_genre_sounds_equally_loud_and_ends_softly(genre):
    samples = heard(Sound(genre.name, genre.tempo, genre.energy, genre.brightness, seed=7))
    assert 20 < len(samples) / RATE < 30
    assert 0.12 < np.sqrt(np.mean(samples**2)) < 0.16
    assert np.abs(samples).max() <= 1.0
    assert np.abs(samples[-RATE // 50 :]).max() < 0.02


def test_a_track_always_sounds_the_same_and_another_one_different():
    assert synthesised(HOUSE) == synthesised(HOUSE)
    assert synthesised(HOUSE) != synthesised(replace(HOUSE, seed=5))


@pytest.mark.parametrize("tempo", [96.0, 120.0, 140.0])
def test_the_beat_is_that_of_the_tempo(tempo):
    """Loudness over time is most like itself a beat later, not two thirds of one."""
    samples = heard(replace(HOUSE, tempo=tempo))
    frame = RATE // 100
    loud = (samples[: len(samples) // frame * frame].reshape(-1, frame) ** 2).sum(axis=1)
    loud -= loud.mean()
    beat = 6_000 / tempo

    def alike(lag):
        return max(float(loud[:-at] @ loud[at:]) for at in range(round(lag) - 1, round(lag) + 2))

    assert alike(beat) > 2 * abs(alike(beat * 2 / 3))


def test_a_hushed_track_has_no_drums():
    def high(energy):
        return np.mean(np.diff(heard(replace(HOUSE, energy=energy))) ** 2)

    assert high(0.1) < 0.7 * high(0.9)


@pytest.fixture
def demo_home(home):
    with writing(truth_place(home), truth_identity(SMALL)):
        pass
    return home


def test_a_sound_is_kept_as_a_file(demo_home, monkeypatch):
    sounds = Sounds(demo_home)
    place = sounds.path_of("demo:track:3")
    content = place.read_bytes()
    assert content.startswith(b"RIFF")
    monkeypatch.setattr("crossfade.demo.sounds.synthesised", lambda sound: b"another")
    assert sounds.path_of("demo:track:3") == place
    assert place.read_bytes() == content


def test_the_world_is_made_before_anybody_listens(demo_home, home, monkeypatch):
    sounds = Sounds(demo_home)
    sounds.prepare()
    monkeypatch.setattr("crossfade.demo.catalogue.build", None)
    assert sounds.path_of("demo:track:3").is_file()


def test_a_world_that_is_made_anew_sounds_anew_while_it_is_served(home):
    """Tracks of both worlds have the same ids, and the same seed."""
    settings = DemoSettings(listeners=10, artists=20)
    import_demo(home, settings)
    sounds = Sounds(home)
    before = sounds.path_of("demo:track:3")
    content = before.read_bytes()
    import_demo(home, settings)
    assert sounds.path_of("demo:track:3") == before
    with writing(truth_place(home), truth_identity(replace(settings, listeners=11))):
        pass
    assert sounds.path_of("demo:track:3") != before  # what another process makes of the world before is not found
    import_demo(home, replace(settings, artists=30))
    assert not before.exists()
    assert sounds.path_of("demo:track:3").read_bytes() != content


def test_only_so_many_bytes_are_kept(demo_home, monkeypatch):
    monkeypatch.setattr("crossfade.demo.sounds.synthesised", lambda sound: bytes(1_000))
    sounds = Sounds(demo_home, most_bytes=2_500)
    for row in range(4):
        last = sounds.path_of(f"demo:track:{row}")
    kept = list(audio_place(demo_home).glob("*.wav"))
    assert len(kept) == 2
    assert last in kept
    (other,) = set(kept) - {last}
    for second, path in enumerate((last, other)):
        os.utime(path, (second, second))
    assert sounds.path_of("demo:track:3") == last  # which was heard longest ago, until now
    sounds.path_of("demo:track:9")
    assert last.exists()
    assert not other.exists()


def test_one_that_is_larger_than_the_cache_is_heard(demo_home):
    assert Sounds(demo_home, most_bytes=1).path_of("demo:track:0").is_file()


@pytest.mark.parametrize(
    "other", ["demo:track:999999", "demo:track:-1", "demo:track:", "demo:artist:3", "x", "demo:track:²"]
)
def test_other_tracks_have_no_sound(demo_home, other):
    with pytest.raises(UnknownIdError):
        Sounds(demo_home).path_of(other)


def test_a_library_of_real_music_has_none(home):
    assert not Sounds(home).invented
    with pytest.raises(UnknownIdError):
        Sounds(home).path_of("demo:track:3")
