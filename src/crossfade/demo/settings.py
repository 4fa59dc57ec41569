"""What a demo world is made from."""

import datetime
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from crossfade.core.errors import SettingsError
from crossfade.core.home import Home
from crossfade.core.settings import Checked, Range


@dataclass(frozen=True, kw_only=True)
class DemoSettings(Checked):
    """The size and the character of a simulated world; equal settings give equal bytes."""

    listeners: Annotated[int, Range(2, 10_000_000)] = 1_000  # people in the world
    artists: Annotated[int, Range(10, 5_000_000)] = 1_500  # artists in its catalogue
    # tracks of the typical artist, before compilations
    tracks_per_artist: Annotated[float, Range(2, 50)] = 10.0
    playlists: Annotated[int, Range(0, 5_000_000)] = 750  # playlists that listeners made
    days: Annotated[int, Range(7, 3_650, unit="days")] = 150  # length of the history
    start: str = "2024-01-01"  # first day of the history, UTC, as YYYY-MM-DD, from 2000 on
    # plays a day of the mean listener, skips included
    plays_per_day: Annotated[float, Range(above=0, high=200)] = 6.0
    # sigma of the logarithm of a listener's plays a day
    activity_spread: Annotated[float, Range(0, 2.5)] = 1.2
    # s of the artists' inherent popularity, rank^-s
    popularity_exponent: Annotated[float, Range(0, 2)] = 1.2
    newcomers: Annotated[float, Range(0, 1)] = 0.35  # share of listeners who join during the history
    releases: Annotated[float, Range(0, 1)] = 0.12  # share of albums that come out during the history
    churn: Annotated[float, Range(0, 0.5)] = 0.0025  # hazard of leaving, a day, at middling satisfaction
    private_share: Annotated[float, Range(0, 0.5)] = 0.015  # share of sessions that are private
    duplicate_share: Annotated[float, Range(0, 0.5)] = 0.003  # share of rows that are sent twice
    seed: Annotated[int, Range(0, 2**63 - 1)] = 2014  # of all randomness
    # listeners simulated at a time; bounds memory and does not change the history
    chunk: Annotated[int, Range(1, 65_536)] = 256

    def __post_init__(self) -> None:
        """Raise SettingsError for a ``start`` that is not a date from 2000 on, too."""
        super().__post_init__()
        if self.first_day.year < 2000:
            raise SettingsError(f"start must be 2000 or later, not {self.start!r}")

    @property
    def first_day(self) -> datetime.date:
        """``start`` as a date; SettingsError if it is not one."""
        try:
            return datetime.date.fromisoformat(self.start)
        except ValueError as error:
            raise SettingsError(f"start must be a date such as 2024-01-01, not {self.start!r}") from error

    @property
    def start_seconds(self) -> int:
        """The beginning of the first day, in seconds since 1970."""
        return (self.first_day - datetime.date(1970, 1, 1)).days * 86_400

    @property
    def end_seconds(self) -> int:
        """The end of the last day, in seconds since 1970."""
        return self.start_seconds + 86_400 * self.days


SMALL = DemoSettings(listeners=120, artists=240, tracks_per_artist=6.0, playlists=60, days=90)
"""For tests: some 36 thousand listens in about a second."""

DEFAULT = DemoSettings()
"""For `make demo`: some 590 thousand listens in seconds."""


def audio_place(home: Home) -> Path:
    """Where the sound of the world's tracks is cached; may be removed at any time."""
    return home.path / "demo-audio"


def truth_place(home: Home) -> Path:
    """Where `crossfade.demo.importing.import_demo` puts the truth of the world that it imported."""
    return home.path / "demo-truth"
