"""Fixtures that every room's tests share."""

import os
from pathlib import Path

import numpy as np
import pytest


@pytest.fixture
def rng() -> np.random.Generator:
    """A generator with a fixed seed."""
    return np.random.default_rng(20140627)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data sets, which may not be redistributed; skips where it is absent."""
    place = Path(os.environ.get("CROSSFADE_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not place.is_dir():
        pytest.skip(f"needs the real data sets (HetRec, Taste Profile, …) in {place}; set CROSSFADE_DATA")
    return place
