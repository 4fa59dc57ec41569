"""A track that a player describes is the item of the catalogue that it names."""

import pytest

from crossfade.core.home import Home
from crossfade.live.matching import matched
from crossfade.stores.live import ItemRef, Track
from crossfade.stores.registry import open_releases


@pytest.fixture(scope="module")
def tables(tmp_path_factory, make_release_parts):
    directory = tmp_path_factory.mktemp("matching")
    home = Home(directory / "home")
    home.prepare()
    releases = open_releases(home)
    make_release_parts(directory).publish(releases)
    release = releases.open()
    yield release.tables
    release.close()


@pytest.mark.parametrize(
    ("described", "item"),
    [
        (Track(title="Hunter", artist="Björk"), ItemRef("track", "t:hunter")),
        (Track(title="HUNTER", artist="bjork"), ItemRef("track", "t:hunter")),
        # Two tracks have the name; the artist decides.
        (Track(title="Creep", artist="Radiohead"), ItemRef("track", "t/1 creep")),
        (Track(title="Something else", artist="Björk", mbid="t:army"), ItemRef("track", "t:army")),
        (Track(title="Quiz Two", artist="Quiz Night"), ItemRef("episode", "e:2")),
        (Track(artist="AC DC"), ItemRef("artist", "mb:acdc")),
        (Track(artist="Unknown spelling", artist_mbids=("mb:bjork",)), ItemRef("artist", "mb:bjork")),
        (Track(artist="Sigur Ros"), ItemRef("artist", "name:sigur rós")),
        (Track(title="Hunter", artist="Dido"), None),
        (Track(title="Creep", artist="Somebody"), None),
        (Track(title="Hunter Björk", artist="!"), None),
        (Track(artist="Hunter"), None),
        (Track(title="x" * 1000, artist="y"), None),
    ],
)
def test_names_and_ids_find_the_item(tables, described, item):
    assert matched(tables, described).item == item


def test_an_item_that_is_known_stays(tables):
    known = Track(item=ItemRef("track", "from another release"), title="Hunter", artist="Björk")
    assert matched(tables, known) is known
