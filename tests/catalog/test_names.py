import numpy as np
import pyarrow as pa
import pytest

from crossfade.catalog.build import build_catalog
from crossfade.catalog.names import release_catalogue
from crossfade.core.catalogue import Catalogue
from crossfade.core.errors import ArtifactError
from crossfade.core.ids import MISSING, Ids
from crossfade.core.interactions import Interactions


@pytest.fixture
def catalog(imported, tmp_path):
    place = tmp_path / "catalog"
    place.mkdir()
    build_catalog(
        imported(
            {
                "artists": [("a:1", "Björk"), ("a:9", "Nobody played"), ("a:3", "ZZ Top")],
                "tracks": [
                    ("t:1", "Hyperballad", "a:1", "Post", 321_000),
                    ("t:2", "Orphan", "a:9"),
                    ("t:3", "La Grange", "a:3"),
                    ("t:4", "No artist"),
                ],
            }
        ),
        place,
    )
    return place


def by_artist():
    return Interactions.from_counts(["u", "v", "u", "v"], ["a:1", "a:1", "a:2", "a:3"], [3, 4, 1, 2])


def by_track():
    items = ["t:1", "t:1", "t:2", "t:3", "t:4", "t:5"]
    return Interactions.from_counts(["u", "v", "u", "u", "u", "v"], items, [3, 4, 1, 2, 1, 5], kind="track")


def test_artists_and_tracks_are_named_by_row(catalog):
    made = release_catalogue(by_artist(), by_track(), catalog)
    assert list(made.artists.ids) == ["a:1", "a:2", "a:3"]
    assert list(made.artists.names) == ["Björk", "a:2", "ZZ Top"]
    assert made.artists.listeners.tolist() == [2, 1, 1]
    assert made.artists.plays.tolist() == [7, 1, 2]
    assert list(made.tracks.ids) == ["t:1", "t:2", "t:3", "t:4", "t:5"]
    assert list(made.tracks.titles) == ["Hyperballad", "Orphan", "La Grange", "No artist", "t:5"]
    assert made.tracks.artist_rows.tolist() == [0, MISSING, 2, MISSING, MISSING]
    assert list(made.tracks.albums) == ["Post", "", "", "", ""]
    assert made.tracks.track_ms.tolist() == [321_000, 0, 0, 0, 0]
    assert made.tracks.listeners.tolist() == [2, 1, 1, 1, 1]
    assert made.tracks.plays.tolist() == [7, 1, 2, 1, 5]


def test_a_library_of_artists_has_no_tracks(catalog):
    nothing = Interactions.from_counts([], [], [], kind="track")
    assert release_catalogue(by_artist(), None, catalog).tracks is None
    assert release_catalogue(by_artist(), nothing, catalog).tracks is None


@pytest.mark.parametrize("artists", [None, Interactions.from_counts([], [], [])])
def test_a_library_of_tracks_has_a_catalogue_without_artists(catalog, artists):
    made = release_catalogue(artists, by_track(), catalog)
    assert len(made.artists.ids) == len(made.artists.names) == len(made.artists.plays) == 0
    assert made.tracks.artist_rows.tolist() == [MISSING] * 5
    assert made.reason_kind == "track"


def test_tracks_without_any_table_are_called_by_their_ids(imported, tmp_path):
    build_catalog(imported({}), tmp_path)
    made = release_catalogue(None, by_track(), tmp_path)
    assert list(made.tracks.titles) == ["t:1", "t:2", "t:3", "t:4", "t:5"]


def test_a_catalogue_is_read_as_it_was_saved(catalog, tmp_path):
    made = release_catalogue(by_artist(), by_track(), catalog)
    place = tmp_path / "saved"
    place.mkdir()
    made.save(place)
    read = Catalogue.load(place)
    for part in ("artists", "tracks"):
        before, after = vars(getattr(made, part)), vars(getattr(read, part))
        for column, values in before.items():
            assert type(after[column]) is type(values) or isinstance(after[column], np.ndarray)
            assert list(after[column]) == list(values)


def test_names_from_arrays_that_arrow_shares_outlive_their_tables(catalog):
    names = release_catalogue(by_artist(), None, catalog).artists.names
    pa.default_memory_pool().release_unused()
    assert names[0] == "Björk"


def test_a_missing_table_is_an_error_that_names_it(tmp_path):
    with pytest.raises(ArtifactError, match=r"artists\.parquet"):
        release_catalogue(by_artist(), None, tmp_path)


def test_the_ids_of_a_catalogue_are_those_of_the_interactions(catalog):
    interactions = by_artist()
    assert release_catalogue(interactions, None, catalog).artists.ids is interactions.item_ids
    assert isinstance(interactions.item_ids, Ids)
