"""What a demo world is made from."""

import datetime
from dataclasses import dataclass

from crossfade.core.errors import SettingsError


@dataclass(frozen=True, kw_only=True)
class DemoSettings:
    """The size and the character of a simulated world; equal settings give equal bytes."""

    listeners: int = 2_000  # people in the world, 2 to 10,000,000
    artists: int = 3_000  # artists, 10 to 5,000,000
    tracks_per_artist: float = 10.0  # tracks of the typical artist, before compilations, 2 to 50
    playlists: int = 1_500  # playlists, 0 to 5,000,000
    days: int = 180  # length of the history, in days, 7 to 3,650
    start: str = "2024-01-01"  # first day of the history, UTC, as YYYY-MM-DD, from 2000 on
    plays_per_day: float = 6.0  # plays a day of the mean listener, skips counted, above 0, at most 200
    activity_spread: float = 1.2  # sigma of the logarithm of a listener's plays a day, 0 to 2.5
    popularity_exponent: float = 1.2  # s of the artists' inherent popularity, rank^-s, 0 to 2
    newcomers: float = 0.35  # share of listeners who join during the history, 0 to 1
    releases: float = 0.12  # share of albums that come out during the history, 0 to 1
    churn: float = 0.0025  # hazard of leaving, a day, at middling satisfaction, 0 to 0.5
    private_share: float = 0.015  # share of sessions that are private, 0 to 0.5
    duplicate_share: float = 0.003  # share of rows that are sent twice, 0 to 0.5
    seed: int = 2014  # of all randomness, 0 to 2**63 - 1
    chunk: int = 256  # listeners simulated at a time; bounds memory, never changes the history; 1 to 65,536

    def __post_init__(self) -> None:
        whole = {
            "listeners": (2, 10_000_000),
            "artists": (10, 5_000_000),
            "tracks_per_artist": (2, 50),
            "playlists": (0, 5_000_000),
            "days": (7, 3_650),
            "plays_per_day": (1e-6, 200),
            "activity_spread": (0, 2.5),
            "popularity_exponent": (0, 2),
            "newcomers": (0, 1),
            "releases": (0, 1),
            "churn": (0, 0.5),
            "private_share": (0, 0.5),
            "duplicate_share": (0, 0.5),
            "seed": (0, 2**63 - 1),
            "chunk": (1, 65_536),
        }
        for name, (least, most) in whole.items():
            value = getattr(self, name)
            if not least <= value <= most:  # written positively, so that NaN is refused too
                raise SettingsError(f"demo.{name} must be {least} to {most}, not {value}")
        if self.first_day.year < 2000:
            raise SettingsError(f"demo.start must be 2000 or later, not {self.start!r}")

    @property
    def first_day(self) -> datetime.date:
        """``start`` as a date; SettingsError if it is none."""
        try:
            return datetime.date.fromisoformat(self.start)
        except ValueError as error:
            raise SettingsError(f"demo.start must be a date such as 2024-01-01, not {self.start!r}") from error

    @property
    def start_seconds(self) -> int:
        """The beginning of the first day, in seconds since 1970."""
        return (self.first_day - datetime.date(1970, 1, 1)).days * 86_400

    @property
    def end_seconds(self) -> int:
        """The end of the last day, in seconds since 1970."""
        return self.start_seconds + 86_400 * self.days


SMALL = DemoSettings(listeners=120, artists=240, tracks_per_artist=6.0, playlists=60, days=90)
"""For tests: some fifty thousand listens in about a second."""

DEFAULT = DemoSettings()
"""For `make demo`: well over a million listens in seconds."""

LARGE = DemoSettings(listeners=100_000, artists=30_000, playlists=30_000)
"""Some seventy million listens, streamed; for a machine with an hour to spare."""

SIZES = {"small": SMALL, "default": DEFAULT, "large": LARGE}
"""The presets by name."""
