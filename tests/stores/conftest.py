"""A home and its releases in files."""

import pytest

from crossfade.core.home import Home
from crossfade.stores.registry import open_releases


@pytest.fixture
def home(tmp_path):
    home = Home(tmp_path / "home")
    home.prepare()
    return home


@pytest.fixture
def directory(home):
    return home.releases


@pytest.fixture
def releases(home):
    return open_releases(home)
