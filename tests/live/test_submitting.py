"""Which times of listens are believed."""

import math

import pytest

from crossfade.live.submitting import CLOCK_ERROR, EARLIEST, TooEarlyError, TooLateError, listen_of
from crossfade.stores.live import Track

NOW = 1_700_000_000
TRACK = Track(title="Roads", artist="Portishead", duration_ms=300_000)


@pytest.mark.parametrize("began", [EARLIEST, NOW + CLOCK_ERROR, NOW + 0.9])
def test_times_that_a_working_clock_gives(began):
    assert listen_of(TRACK, "ann", began, NOW * 1000).listened_at == int(began) * 1000


@pytest.mark.parametrize(
    ("began", "error"),
    [
        (EARLIEST - 1, TooEarlyError),
        (-math.inf, TooEarlyError),
        (math.nan, TooEarlyError),
        (NOW + CLOCK_ERROR + 1, TooLateError),
        (math.inf, TooLateError),
    ],
)
def test_other_times_are_refused(began, error):
    with pytest.raises(error):
        listen_of(TRACK, "ann", began, NOW * 1000)


@pytest.mark.parametrize(("ms_played", "skipped"), [(29_000, True), (30_000, False), (None, False)])
def test_what_was_heard_for_too_short_is_a_skip(ms_played, skipped):
    assert listen_of(TRACK, "ann", NOW, NOW * 1000, ms_played=ms_played).skipped is skipped
