"""A home and its releases in files."""

import pytest

from crossfade.stores.registry import open_releases


@pytest.fixture
def directory(home):
    return home.releases


@pytest.fixture
def releases(home):
    return open_releases(home)
