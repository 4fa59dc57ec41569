"""The simulated catalogue: runs, releases, compilations, and taste space."""

import numpy as np
import pytest

from crossfade.demo import genres
from crossfade.demo.contexts import MOMENTS, NAMES, track_match


def test_an_artists_tracks_are_one_run_in_the_order_of_release(world):
    music = world.catalogue
    assert np.all(np.diff(music.artist_of) >= 0)
    for artist in range(len(music.artist_names)):
        run = slice(music.first_track[artist], music.first_track[artist + 1])
        assert np.all(music.artist_of[run] == artist)
        assert run.stop > run.start
        assert np.all(np.diff(music.released[run]) >= 0)


def test_an_album_is_one_run_of_one_artist(world):
    music = world.catalogue
    for album in range(len(music.albums)):
        rows = np.flatnonzero(music.album_of == album)
        assert np.array_equal(rows, np.arange(rows[0], rows[-1] + 1))
        assert np.all(music.album_end[rows] == rows[-1] + 1)
        assert len(set(music.artist_of[rows])) == 1
        assert music.album_years[album] >= music.first_year[music.artist_of[rows[0]]]


def test_a_compilation_holds_earlier_recordings_of_the_same_artist(world):
    music = world.catalogue
    copies = np.flatnonzero(music.recording != np.arange(len(music.recording)))
    assert len(copies) > 0
    tracks = world.tables()["tracks"].to_pydict()
    for copy in copies:
        original = music.recording[copy]
        assert music.recording[original] == original
        assert original < copy
        assert music.artist_of[original] == music.artist_of[copy]
        assert music.titles[original] == music.titles[copy]
        assert tracks["isrc"][original] == tracks["isrc"][copy]
        assert tracks["item_id"][original] != tracks["item_id"][copy]
    assert len(set(tracks["isrc"])) == len(tracks["isrc"]) - len(copies)


def test_albums_come_out_while_the_history_runs(world):
    released = world.catalogue.released
    assert 0.02 < (released > 0).mean() < 0.3
    assert released.max() < world.settings.days * 86_400


def test_there_are_many_genres_with_parents_and_neighbours():
    assert len(genres.GENRES) >= 30
    assert len(genres.INDEX) == len(genres.GENRES)
    for genre in genres.GENRES:
        assert genre.family in genres.FAMILIES
        assert genre.neighbours
        assert set(genre.neighbours) <= genres.INDEX.keys() - {genre.name}


def test_families_and_neighbours_lie_close_together():
    centres = genres.centres()
    gaps = np.sqrt(((centres[:, None] - centres[None]) ** 2).sum(axis=2))
    same = genres.FAMILY_OF[:, None] == genres.FAMILY_OF[None]
    apart = ~np.eye(len(gaps), dtype=bool)
    near = np.array([[other.name in genre.neighbours for other in genres.GENRES] for genre in genres.GENRES])
    strangers = gaps[~same & ~near & ~near.T].mean()
    assert gaps[same & apart].mean() < 0.75 * strangers
    assert gaps[near & ~same].mean() < 0.95 * strangers


def test_the_map_of_genres_is_reproduced_by_its_equation():
    # The same draws, written out one genre at a time.
    rng = np.random.default_rng(53)
    family = {}
    for name, vector in zip(genres.FAMILIES, rng.standard_normal((14, 12)), strict=True):
        family[name] = vector / np.linalg.norm(vector)
    own = {}
    for genre, vector in zip(genres.GENRES, rng.standard_normal((len(genres.GENRES), 12)), strict=True):
        own[genre.name] = 0.55 * vector / np.linalg.norm(vector)
    for row, genre in enumerate(genres.GENRES):
        pull = np.mean([family[genres.GENRES[genres.INDEX[n]].family] + own[n] for n in genre.neighbours], axis=0)
        expected = family[genre.family] + own[genre.name] + 0.25 * (pull - family[genre.family])
        np.testing.assert_allclose(genres.centres()[row], expected, atol=1e-12)


@pytest.mark.parametrize(
    ("moment", "tempo", "energy", "brightness", "expected"),
    [
        ("", 60.0, 0.0, 0.0, 1.0),
        ("running", 168.0, 0.82, 0.5, 1.0),
        ("running", 84.0, 0.82, 0.5, 1.0),  # its double is a runner's step
        ("running", 177.0, 0.82, 0.5, np.exp(-0.5)),  # one tolerance off
        ("running", 120.0, 0.1, 0.5, 0.02),  # the floor
        ("party", 122.0, 0.80, 0.74, 1.0),
        ("party", 61.0, 0.80, 0.74, 0.03),  # no doubling on the dance floor
        ("work", 100.0, 0.58, 0.5, np.exp(-0.5)),
    ],
)
def test_how_well_a_track_suits_a_moment(moment, tempo, energy, brightness, expected):
    match = track_match(np.array([tempo]), np.array([energy]), np.array([brightness]))
    assert match.shape == (len(MOMENTS), 1)
    assert match[NAMES.index(moment), 0] == pytest.approx(expected)


def test_texts_speak_of_their_artist(world):
    music = world.catalogue
    tables = world.tables()
    names = dict(zip(tables["artists"]["item_id"].to_pylist(), music.artist_names, strict=True))
    genre = {f"demo:artist:{row}": genres.GENRES[music.genre[row]].name for row in range(len(music.genre))}
    place = {f"demo:artist:{row}": music.place[row] for row in range(len(music.genre))}
    for row in tables["texts"].to_pylist():
        assert row["kind"] == "artist"
        artist = row["item_id"]
        assert names[artist] in row["text"]
        assert genre[artist] in row["text"]
        assert place[artist] in row["text"]
        assert "{" not in row["text"]


def test_tags_name_the_genre_before_all_else(world):
    music = world.catalogue
    best: dict[str, tuple[int, str]] = {}
    for row in world.tables()["tags"].to_pylist():
        best[row["item_id"]] = max(best.get(row["item_id"], (0, "")), (row["count"], row["tag"]))
    right = [
        best[f"demo:artist:{row}"][1] == genres.GENRES[genre].name
        for row, genre in enumerate(music.genre)
        if f"demo:artist:{row}" in best
    ]
    assert np.mean(right) > 0.7  # noisy for those whom few have tagged
