"""The catalogue: all items by kind and row."""

import dataclasses

import numpy as np
import pytest

from crossfade.core.catalogue import Catalogue, Items
from crossfade.core.errors import ArtifactError, UnknownIdError
from crossfade.core.ids import MISSING, Ids
from crossfade.core.texts import Texts


@pytest.fixture
def artists():
    return Items(
        kind="artist",
        ids=Ids.of(["a", "b"]),
        names=["Björk", '林檎 \u2028 " ,'],
        listeners=np.array([2, 1]),
        plays=np.array([20, 2**40]),
        fields={},
    )


@pytest.fixture
def tracks():
    return Items(
        kind="track",
        ids=Ids.of(["t", "u"]),
        names=["Jóga", "Jóga"],
        listeners=np.array([2, 0]),
        plays=np.array([3, 0]),
        parents=np.array([0, MISSING], dtype=np.int32),
        fields={"album": ["", "Homogenic"], "duration_ms": np.array([305_000, 0], np.int32), "isrc": ["x", ""]},
    )


def columns(items):
    return {
        **{name: list(getattr(items, name)) for name in ("ids", "names", "listeners", "plays")},
        "parents": None if items.parents is None else items.parents.tolist(),
        **{name: list(column) for name, column in items.fields.items()},
    }


def test_a_saved_catalogue_is_the_same(artists, tracks, tmp_path):
    Catalogue([tracks, artists]).save(tmp_path)
    loaded = Catalogue.load(tmp_path)
    assert list(loaded) == ["artist", "track"]
    assert columns(loaded["artist"]) == columns(artists)
    assert columns(loaded["track"]) == columns(tracks)
    assert isinstance(loaded["track"].fields["album"], Texts)


def test_a_kind_without_items_is_no_part_of_it(artists, tracks, tmp_path):
    nobody = dataclasses.replace(artists, ids=Ids.of([]), names=[], listeners=np.zeros(0, int), plays=np.zeros(0, int))
    catalogue = Catalogue([nobody, tracks])
    assert (list(catalogue), len(catalogue)) == (["track"], 1)
    catalogue.save(tmp_path)
    assert "artist" not in Catalogue.load(tmp_path)


def test_what_it_does_not_have_is_named(artists):
    with pytest.raises(ArtifactError, match="no tracks"):
        Catalogue([artists])["track"]
    with pytest.raises(UnknownIdError, match=r"'mood'.*artist, track"):
        Catalogue([artists])["mood"]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"names": ["Jóga"]}, "unequal length"),
        ({"parents": np.zeros(1, np.int32)}, "unequal length"),
        ({"parents": None}, "tracks need a parent column"),
        ({"kind": "artist"}, "artists cannot have a parent column"),
        ({"fields": {"album": ["", ""]}}, r"tracks have the fields \['album'\]"),
        ({"kind": "episode"}, "episodes have the fields"),
    ],
)
def test_columns_that_do_not_fit_are_refused(tracks, changes, says):
    with pytest.raises(ArtifactError, match=says):
        dataclasses.replace(tracks, **changes)


def test_columns_on_the_disk_that_do_not_fit_are_refused(artists, tracks, tmp_path):
    Catalogue([artists, tracks]).save(tmp_path)
    Texts.of(["", "", ""]).save(tmp_path / "tracks" / "album")
    with pytest.raises(ArtifactError, match="unequal length"):
        Catalogue.load(tmp_path)
    (tmp_path / "tracks" / "names.bytes.npy").unlink()
    with pytest.raises(ArtifactError, match="names"):
        Catalogue.load(tmp_path)
