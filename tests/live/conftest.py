"""What tests of stations and playlists draw from."""

import pytest

from crossfade.live.pools import ReleasePools


@pytest.fixture
def pools(genres):
    return ReleasePools(genres)
