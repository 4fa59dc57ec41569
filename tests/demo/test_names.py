"""Names: unique, in their genre's manner, and nobody's."""

from dataclasses import replace

import numpy as np
import pytest

from crossfade.core.names import normalised
from crossfade.demo import catalogue, genres, names
from crossfade.demo.settings import DEFAULT, SMALL
from crossfade.demo.vocabulary import COMMON, STYLES, TAKEN


def slots(style):
    for pattern in (*style.artists, *style.tracks, *style.albums):
        yield from names._SLOT.findall(pattern)


@pytest.mark.parametrize("manner", STYLES)
def test_every_pattern_can_be_filled(manner):
    style = STYLES[manner]
    assert set(slots(style)) <= set(style.banks) | set(COMMON) | {"place"}
    assert len(style.instruments) >= 3
    assert all(len(set(bank)) == len(bank) for bank in style.banks.values())


def test_a_name_has_no_word_twice(rng):
    speaker = names.Speaker(rng)
    for _ in range(300):
        name = speaker.say(("{noun} and {noun} and {noun}",), "rock")
        assert len(set(name.split(" and "))) == 3


def test_every_genre_has_a_manner():
    manners = {names.manner_of(row) for row in range(len(genres.GENRES))}
    assert manners == set(STYLES)


def test_an_article_stands_before_its_vowel(rng):
    speaker = names.Speaker(rng)
    assert speaker.say(("Like a Island",), "rock") == "Like an Island"
    assert speaker.say(("A Orchard for a River",), "jazz") == "An Orchard for a River"
    assert speaker.say(("Camino a Olinda",), "latin") == "Camino a Olinda"


def test_a_taken_name_is_never_given(rng, monkeypatch):
    # Every rock band would be called The Shadows or The Foxes, which are taken.
    style = replace(STYLES["rock"], artists=("The {plural}",), banks={"plural": ("Shadows", "Foxes")})
    monkeypatch.setitem(STYLES, "rock", style)
    genre = np.zeros(3, dtype=np.int32)
    found, _ = names.artists(rng, genre)
    assert not {normalised(name) for name in found} & {normalised(name) for name in TAKEN}
    assert len({normalised(name) for name in found}) == 3


@pytest.mark.parametrize("seed", [DEFAULT.seed, 7])
def test_no_artist_has_a_known_artists_name(shared_data, seed):
    known = set()
    for line in (shared_data / "hetrec-lastfm" / "artists.dat").read_text().splitlines()[1:]:
        known.add(normalised(line.split("\t")[1]))
    audioscrobbler = shared_data / "audioscrobbler-small" / "artist_data_small.txt"
    for line in audioscrobbler.read_text(errors="replace").splitlines():
        known.add(normalised(line.partition("\t")[2]))
    made = {normalised(name) for name in catalogue.build(replace(DEFAULT, seed=seed)).artist_names}
    assert not made & known


def test_places_and_words_follow_the_genre():
    music = catalogue.build(replace(SMALL, artists=1_000))
    for row, genre in enumerate(music.genre):
        assert music.place[row] in names.places_of(genre)
    tango = music.genre == genres.INDEX["tango"]
    assert {"Buenos Aires", "Montevideo"} & {music.place[row] for row in np.flatnonzero(tango)}
