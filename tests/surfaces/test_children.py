"""Tracks and albums of an artist."""

from dataclasses import replace

import pytest
from tests.conftest import items_of, small_release, surface_table

from crossfade.core.artifacts import Identity, writing
from crossfade.core.catalogue import Catalogue
from crossfade.core.errors import UnknownIdError
from crossfade.core.tables import EVERYONE, USER
from crossfade.stores.registry import open_releases
from crossfade.surfaces.asking import OpenRelease
from crossfade.surfaces.children import Album, album_tracks, albums, child_kind, children


@pytest.fixture
def opened(tmp_path, home):
    """One artist with five tracks on two albums and another with one, which nobody has heard."""
    artists = items_of("artist", ["a", "b"], ["Ann", "Bob"])
    tracks = items_of(
        "track",
        ["t1", "t2", "t3", "t4", "t5", "t6"],
        ["One", "Two", "Three", "Four", "Five", "Six"],
        parents=[0, 0, 0, 0, 0, 1],
        listeners=[3, 9, 5, 5, 1, 0],
        plays=[30, 90, 50, 60, 1, 0],
        album=["Blue", "Éclair", "ECLAIR", "Blue", "", "Blue"],
    )
    parts = small_release(tmp_path)
    popular = surface_table("popular", USER, "track", {EVERYONE: [(1,)]})
    catalogue = Catalogue([artists, tracks])
    with writing(tmp_path / "parts" / "own", Identity(kind="part", version=1)) as draft:
        catalogue.save(draft.path)
    releases = open_releases(home)
    replace(parts, tables=[popular], catalogue=catalogue, parts={"catalogue": tmp_path / "parts" / "own"}).publish(
        releases
    )
    with releases.open() as release:
        yield OpenRelease(release)


def test_the_most_heard_come_first(opened):
    total, items = children(opened, "track", "a", 3)
    assert (total, [item.id for item in items]) == (5, ["t2", "t4", "t3"])
    assert items[0].parent.name == "Ann"
    assert [item.id for item in children(opened, "track", "a", 3, 3)[1]] == ["t1", "t5"]
    assert children(opened, "track", "nobody", 3) == (0, [])


def test_albums_are_known_by_their_tracks(opened):
    assert albums(opened, "track", "a") == [
        Album(name="Éclair", tracks=2, listeners=9, plays=140),
        Album(name="Blue", tracks=2, listeners=5, plays=90),
    ]
    assert albums(opened, "track", "b") == [Album(name="Blue", tracks=1, listeners=0, plays=0)]


def test_an_album_is_found_by_its_name(opened):
    album, tracks = album_tracks(opened, "track", "a", "eclair")
    assert (album.name, [item.id for item in tracks]) == ("Éclair", ["t2", "t3"])
    with pytest.raises(UnknownIdError) as unknown:
        album_tracks(opened, "track", "a", "Green")
    assert unknown.value.suggestions == ("Éclair", "Blue")


def test_only_roots_have_children():
    assert [child_kind(kind) for kind in ("artist", "show", "track")] == ["track", "episode", None]
