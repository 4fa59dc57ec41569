"""The listener's kernel against a plain reading of its rules, and by hand."""

import numpy as np
import pytest

from crossfade.demo import listening
from crossfade.demo.listening import ALBUM, LIBRARY, PLAYLIST, RADIO, SEARCH, UNIFORMS

ARTISTS, PER_ARTIST = 4, 3
TRACKS = ARTISTS * PER_ARTIST
NEVER, ALWAYS = -60.0, 60.0  # log odds of a skip


def play(*, mode, lengths=(6,), starts=None, uniforms=None, bias=NEVER, novelty=0.0, memory=0, rng, **other):
    """One listener of a small catalogue: four artists with an album of three tracks of 100 s each."""
    count = len(lengths)
    settings = {
        "starts": np.arange(count) * 86_400.0 if starts is None else np.array(starts, dtype=float),
        "lengths": np.array(lengths, dtype=np.int32),
        "contexts": np.zeros(count, dtype=np.int32),
        "modes": np.full(count, mode, dtype=np.int32),
        "chosen_playlists": np.full(count, 0 if mode == PLAYLIST else -1, dtype=np.int32),
        "uniforms": rng.random((sum(lengths) + 1, UNIFORMS)) if uniforms is None else uniforms,
        "memory": rng.random((memory, 2)),
        "cumulative": np.cumsum(np.ones((1, ARTISTS)), axis=1),
        "fit": np.zeros(ARTISTS),
        "novelty": novelty,
        "bias": bias,
        "churn": 0.0,
        "first_track": np.arange(0, TRACKS + 1, PER_ARTIST, dtype=np.int32),
        "artist_of": np.repeat(np.arange(ARTISTS, dtype=np.int32), PER_ARTIST),
        "album_end": np.repeat(np.arange(1, ARTISTS + 1, dtype=np.int32) * PER_ARTIST, PER_ARTIST),
        "released": np.full(TRACKS, -1e9),
        "seconds": np.full(TRACKS, 100.0),
        "weights": np.ones(TRACKS),
        "match": np.ones((1, TRACKS)),
        "mode_bias": np.zeros(5),
        "context_bias": np.zeros(1),
        "similar": np.array([[1], [2], [3], [0]], dtype=np.int32),
        "playlist_first": np.array([0, 4], dtype=np.int32),
        "playlist_tracks": np.array([2, 5, 8, 11], dtype=np.int32),
    } | other
    return listening.listen(*settings.values())


def test_an_album_is_played_from_its_first_track_in_order(rng):
    tracks, begun, heard, _, _, _ = play(mode=ALBUM, lengths=(3,), rng=rng)
    # The track that brought it to mind is taken back to the album's beginning for what follows.
    artist = tracks[0] // PER_ARTIST
    assert list(tracks[1:]) == [artist * PER_ARTIST + 1, artist * PER_ARTIST + 2]
    assert tracks[0] == artist * PER_ARTIST
    assert np.all(heard == 100.0)
    assert np.all(np.diff(begun) >= 100.4)


def test_a_playlist_is_played_in_its_order_once_around(rng):
    tracks, *_ = play(mode=PLAYLIST, lengths=(9,), rng=rng)
    assert sorted(tracks) == [2, 5, 8, 11]
    begin = [2, 5, 8, 11].index(tracks[0])
    assert list(tracks) == ([2, 5, 8, 11] * 2)[begin : begin + 4]


def test_the_radio_plays_neighbours_of_where_it_began(rng):
    uniforms = rng.random((7, UNIFORMS))
    uniforms[:, 7] = 0.99  # never moves on to another artist
    tracks, *_ = play(mode=RADIO, uniforms=uniforms, rng=rng)
    seed = tracks[0] // PER_ARTIST
    assert set(tracks[1:] // PER_ARTIST) == {(seed + 1) % ARTISTS}


def test_without_novelty_only_what_is_known_is_repeated(rng):
    tracks, *_ = play(mode=LIBRARY, lengths=(40,), novelty=0.0, rng=rng)
    assert len(set(tracks)) == 1  # the first is all there is to remember
    known, *_ = play(mode=LIBRARY, lengths=(40,), novelty=0.0, memory=30, rng=rng)
    assert len(set(known)) > 3


def test_with_full_novelty_every_artist_is_found_alike(rng):
    tracks, *_ = play(mode=SEARCH, lengths=(4_000,), novelty=1.0, rng=rng)
    shares = np.bincount(tracks, minlength=TRACKS) / len(tracks)
    # Standard error of a share of 1/12 among 4,000 is 0.0044.
    assert np.abs(shares - 1 / TRACKS).max() < 0.022


def test_nothing_is_played_before_it_is_out(rng):
    released = np.full(TRACKS, -1e9)
    released[PER_ARTIST:] = 1e12
    for mode in (SEARCH, ALBUM, PLAYLIST, RADIO, LIBRARY):
        tracks, *_ = play(mode=mode, lengths=(20,), novelty=0.5, released=released, rng=rng)
        assert np.all(tracks < PER_ARTIST)


def test_new_tracks_are_pushed(rng):
    released = np.full(TRACKS, -1e9)
    released[2::PER_ARTIST] = -1.0
    tracks, *_ = play(
        mode=SEARCH, lengths=(4_000,), novelty=1.0, released=released, rng=rng, seconds=np.full(TRACKS, 1.0)
    )
    new = np.mean(tracks % PER_ARTIST == 2)
    assert new == pytest.approx(4 / 6, abs=0.04)  # weight 4 against 1 and 1


def test_a_session_that_begins_during_another_is_left_out(rng):
    _, begun, _, session, _, _ = play(mode=LIBRARY, lengths=(5, 5, 5), starts=[0.0, 100.0, 1_000.0], rng=rng)
    assert set(session) == {0, 2}
    assert begun[session == 2][0] == 1_000.0


def test_who_skips_everything_gives_up_and_loses_patience(rng):
    tracks, _, heard, _, _, satisfaction = play(mode=SEARCH, lengths=(50,), bias=ALWAYS, rng=rng)
    assert len(tracks) == 9
    assert np.all(heard < 100.0)
    assert satisfaction == pytest.approx(0.6 * 0.98**9)


def test_the_dissatisfied_leave_sooner(rng):
    sessions = 400

    def left(bias):
        lives = [
            play(mode=SEARCH, lengths=(4,) * sessions, bias=bias, churn=0.01, rng=np.random.default_rng(seed))[4]
            for seed in range(60)
        ]
        return np.mean(np.isfinite(lives)), np.mean(np.minimum(lives, sessions * 86_400.0))

    happy, long = left(NEVER)
    sad, brief = left(ALWAYS)
    # Hazards a day of 0.01·exp(-3) and, once satisfaction is gone, 0.01·exp(3) = 0.2.
    assert happy == pytest.approx(1 - np.exp(-0.01 * np.exp(-3.0) * sessions), abs=0.17)
    assert sad == 1.0
    assert brief < long / 5


def test_nobody_plays_after_leaving(rng):
    for seed in range(20):
        own = np.random.default_rng(seed)
        _, begun, _, _, left, _ = play(mode=SEARCH, lengths=(4,) * 200, bias=ALWAYS, churn=0.02, rng=own)
        assert np.all(begun < left)


@pytest.mark.parametrize(
    ("uniform", "expected"), [(0.0, 0.0), (0.497, 5.0), (0.596, 10.0), (0.721, 30.0), (0.8605, 115.0)]
)
def test_where_a_skip_falls(uniform, expected):
    assert listening.heard_of_skip(uniform, 200.0) == pytest.approx(expected, abs=1e-9)


def test_a_skip_ends_before_the_track_does():
    assert listening.heard_of_skip(0.9999, 60.0) <= 0.98 * 60.0
    assert listening.heard_of_skip(0.72, 20.0) <= 0.98 * 20.0


def test_repeats_fall_off_with_distance(rng):
    count = 100
    drawn = np.array([listening.recency_distance(count, uniform) for uniform in rng.random(50_000)])
    shares = np.bincount(drawn, minlength=count) / len(drawn)
    # P(d) = log((d + 2) / (d + 1)) / log(count + 1)
    expected = np.log((np.arange(count) + 2) / (np.arange(count) + 1)) / np.log(count + 1)
    np.testing.assert_allclose(shares, expected, atol=0.008)
    assert listening.recency_distance(1, 0.999999) == 0
    assert listening.recency_distance(5, np.nextafter(1.0, 0.0)) == 4


@pytest.mark.parametrize("interests", [1, 3])
def test_artist_weights_equal_their_equation(rng, interests):
    centres, artists = rng.normal(size=(interests, 5)), rng.normal(size=(20, 5))
    shares, popularity = rng.dirichlet(np.ones(interests)), -rng.random(20) * 5
    weights, fit = listening.artist_weights(centres, shares, 0.7, 1.2, artists, popularity)
    gaps = ((centres[:, None] - artists[None]) ** 2).sum(axis=2)
    expected = (shares @ np.exp(-gaps / (2 * 0.7**2)) + 1e-7) * np.exp(1.2 * popularity)
    np.testing.assert_allclose(weights, expected, rtol=1e-12)
    np.testing.assert_allclose(fit, np.exp(-gaps / (2 * 1.4**2)).max(axis=0), rtol=1e-12)


def test_an_interest_without_a_share_counts_for_nothing(rng):
    centres, artists = rng.normal(size=(2, 5)), rng.normal(size=(20, 5))
    both = listening.artist_weights(centres, np.array([1.0, 0.0]), 0.7, 1.0, artists, np.zeros(20))
    alone = listening.artist_weights(centres[:1], np.array([1.0]), 0.7, 1.0, artists, np.zeros(20))
    np.testing.assert_allclose(both, alone)
