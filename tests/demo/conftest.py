"""One small world and its history, shared by the tests of the demo."""

import pytest

from crossfade.demo.settings import SMALL
from crossfade.demo.world import World, simulate


@pytest.fixture(scope="session")
def world() -> World:
    return simulate(SMALL)


@pytest.fixture(scope="session")
def history(world):
    return list(world.history())
