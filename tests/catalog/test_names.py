import numpy as np
import pyarrow as pa
import pytest

from crossfade.catalog.build import build_catalog
from crossfade.catalog.names import release_catalogue
from crossfade.core.catalogue import Catalogue
from crossfade.core.errors import ArtifactError
from crossfade.core.ids import MISSING
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
                    ("t:1", "Hyperballad", "a:1", "Post", 321_000, "GB1"),
                    ("t:2", "Orphan", "a:2"),
                    ("t:3", "La Grange", "a:3"),
                    ("t:9", "Nobody played", "a:9"),
                ],
            }
        ),
        place,
    )
    return place


def played(kind):
    plays = {
        "artist": [("u", "a:1", 3), ("v", "a:1", 4), ("u", "a:0", 1), ("v", "a:3", 2)],
        "track": [("u", "t:1", 3), ("v", "t:1", 4), ("u", "t:é", 1), ("u", "t:3", 2), ("u", "t:z", 5)],
    }
    return Interactions.from_counts(*zip(*plays[kind], strict=True), kind=kind)


def test_every_known_item_is_named_by_row_whether_it_was_played_or_not(catalog):
    made = release_catalogue({kind: played(kind) for kind in ("artist", "track")}, catalog)
    assert list(made) == ["artist", "track"]
    artists, tracks = made["artist"], made["track"]
    assert list(artists.ids) == ["a:0", "a:1", "a:3", "a:9"]
    assert list(artists.names) == ["a:0", "Björk", "ZZ Top", "Nobody played"]
    assert artists.listeners.tolist() == [1, 2, 1, 0]
    assert artists.plays.tolist() == [1, 7, 2, 0]
    assert artists.parents is None
    assert list(tracks.ids) == ["t:1", "t:2", "t:3", "t:9", "t:z", "t:é"]
    assert list(tracks.names) == ["Hyperballad", "Orphan", "La Grange", "Nobody played", "t:z", "t:é"]
    # Nothing but the track says that there is an artist a:2.
    assert tracks.parents.tolist() == [1, MISSING, 2, 3, MISSING, MISSING]
    assert list(tracks.fields["album"]) == ["Post", "", "", "", "", ""]
    assert tracks.fields["duration_ms"].tolist() == [321_000, 0, 0, 0, 0, 0]
    assert list(tracks.fields["isrc"]) == ["GB1", "", "", "", "", ""]
    assert tracks.listeners.tolist() == [2, 0, 1, 0, 1, 1]
    assert tracks.plays.tolist() == [7, 0, 2, 0, 5, 1]


def test_items_without_any_interactions_are_there(catalog):
    made = release_catalogue({}, catalog)
    assert list(made["artist"].ids) == ["a:1", "a:3", "a:9"]
    assert made["artist"].listeners.tolist() == made["artist"].plays.tolist() == [0, 0, 0]


def test_a_kind_without_items_is_left_out(imported, tmp_path):
    build_catalog(imported({}), tmp_path)
    made = release_catalogue({"artist": Interactions.from_counts([], [], []), "track": played("track")}, tmp_path)
    assert list(made) == ["track"]
    assert list(made["track"].names) == ["t:1", "t:3", "t:z", "t:é"]
    assert made["track"].parents.tolist() == [MISSING] * 4


def test_episodes_belong_to_their_shows(imported, tmp_path):
    build_catalog(
        imported({"shows": [("s:2", "Talk")], "episodes": [("e:1", "One", "s:2", 9_000), ("e:2", "Two")]}), tmp_path
    )
    heard = Interactions.from_counts(["u", "u"], ["s:1", "s:2"], [1, 1], kind="show")
    made = release_catalogue({"show": heard}, tmp_path)
    assert list(made["show"].ids) == ["s:1", "s:2"]
    assert made["episode"].parents.tolist() == [1, MISSING]
    assert made["episode"].fields["duration_ms"].tolist() == [9_000, 0]


def test_a_catalogue_is_read_as_it_was_saved(catalog, tmp_path):
    made = release_catalogue({kind: played(kind) for kind in ("artist", "track")}, catalog)
    place = tmp_path / "saved"
    place.mkdir()
    made.save(place)
    read = Catalogue.load(place)
    assert list(read) == list(made)
    for kind, items in made.items():
        after = read[kind]
        for column in ("ids", "names", "listeners", "plays", "parents"):
            assert np.array_equal(getattr(after, column), getattr(items, column))
        assert {name: list(column) for name, column in after.fields.items()} == {
            name: list(column) for name, column in items.fields.items()
        }


def test_names_from_arrays_that_arrow_shares_outlive_their_tables(catalog):
    names = release_catalogue({}, catalog)["artist"].names
    pa.default_memory_pool().release_unused()
    assert names[0] == "Björk"


def test_a_missing_table_is_an_error_that_names_it(tmp_path):
    with pytest.raises(ArtifactError, match=r"artists\.parquet"):
        release_catalogue({}, tmp_path)


def test_a_table_of_other_columns_is_an_error_that_names_it(catalog):
    (catalog / "shows.parquet").write_bytes((catalog / "tracks.parquet").read_bytes())
    with pytest.raises(ArtifactError, match=r"shows\.parquet"):
        release_catalogue({}, catalog)
