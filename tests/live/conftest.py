"""A release of three genres, opened, and the live state of the same home."""

import pytest

from crossfade.core.home import Home
from crossfade.live.pools import ReleasePools
from crossfade.stores.registry import open_releases
from crossfade.surfaces.asking import OpenRelease


@pytest.fixture(scope="session")
def genres(tmp_path_factory, make_genre_release):
    """The release of `genre_release`, opened; tests only read it."""
    directory = tmp_path_factory.mktemp("genres")
    home = Home(directory / "home")
    home.prepare()
    releases = open_releases(home)
    make_genre_release(directory).publish(releases)
    with releases.open() as release:
        yield OpenRelease(release)


@pytest.fixture
def pools(genres):
    return ReleasePools(genres)
