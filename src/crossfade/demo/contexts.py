"""The moments in which people listen, what suits them, and when they come.

How well track j suits a moment: exp(-½ Σ ((trait_j - wanted) / tolerance)²) over tempo, energy and brightness,
not below a floor, since people also run to ballads. A tempo counts as its double too where the moment is one of
steps, so that 85 beats a minute carry a runner at 170.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Moment:
    """A context of listening.

    tempo, energy, brightness  (wanted, tolerance), None where any will do
    floor    the least that any track suits it, 0 to 1
    steps    whether a tempo may be doubled
    skips    added to the log odds of a skip: hands busy, or attention elsewhere
    length   how long its sessions are, relative to others
    sources  how the session's tracks are found: shares of library, search, album, playlist, radio
    weekday, weekend   (first hour, last hour, weight) spans in which it happens, in local hours
    platforms          on what it is played, with shares
    """

    name: str
    tempo: tuple[float, float] | None
    energy: tuple[float, float] | None
    brightness: tuple[float, float] | None
    floor: float
    steps: bool
    skips: float
    length: float
    sources: tuple[float, float, float, float, float]
    weekday: tuple[tuple[float, float, float], ...]
    weekend: tuple[tuple[float, float, float], ...]
    platforms: tuple[tuple[str, float], ...]


MOMENTS = (
    Moment(
        "", None, None, None, 1.0, False, 0.15, 1.0,
        (0.40, 0.20, 0.18, 0.12, 0.10),
        ((0, 24, 1.0),), ((0, 24, 1.0),),
        (("phone", 0.55), ("desktop", 0.3), ("speaker", 0.15)),
    ),
    Moment(
        "running", (168, 9), (0.82, 0.16), None, 0.02, True, -0.1, 0.8,
        (0.22, 0.03, 0.02, 0.65, 0.08),
        ((6, 8.5, 2.0), (17, 20, 1.6)), ((8, 12, 2.0), (16, 19, 0.8)),
        (("phone", 0.85), ("watch", 0.15)),
    ),
    Moment(
        "commute", None, (0.58, 0.30), None, 0.45, False, 0.35, 0.6,
        (0.42, 0.10, 0.16, 0.22, 0.10),
        ((7, 9.5, 6.0), (16, 19, 5.0)), (),
        (("phone", 0.8), ("car", 0.2)),
    ),
    Moment(
        "work", None, (0.36, 0.22), None, 0.12, False, -0.55, 1.7,
        (0.26, 0.05, 0.19, 0.25, 0.25),
        ((9, 12, 4.0), (13, 17, 4.0)), ((10, 16, 0.15),),
        (("desktop", 0.8), ("phone", 0.2)),
    ),
    Moment(
        "party", (122, 16), (0.80, 0.13), (0.74, 0.2), 0.03, False, 0.25, 1.7,
        (0.30, 0.20, 0.0, 0.45, 0.05),
        ((20, 24, 0.10),), ((20, 24, 2.2), (0, 3, 2.2)),
        (("speaker", 0.75), ("phone", 0.25)),
    ),
    Moment(
        "relaxing", None, (0.22, 0.15), None, 0.06, False, -0.45, 0.8,
        (0.36, 0.05, 0.25, 0.20, 0.14),
        ((20.5, 24, 2.0),), ((9, 11, 0.8), (20.5, 24, 1.2)),
        (("phone", 0.5), ("speaker", 0.5)),
    ),
)  # fmt: skip
"""The first is no particular moment."""

NAMES = tuple(moment.name for moment in MOMENTS)
SOURCES = ("library", "search", "album", "playlist", "radio")
"""In the order of `crossfade.demo.listening`'s modes."""

HOURS = (
    np.array(
        [6, 3, 2, 1.5, 1.5, 2.5, 10, 26, 34, 32, 33, 34, 32, 33, 36, 40, 46, 52, 52, 46, 42, 38, 28, 14], dtype=float
    ),
    np.array([14, 9, 6, 4, 2.5, 2, 3, 6, 14, 26, 36, 42, 42, 40, 40, 41, 44, 48, 50, 48, 46, 42, 34, 24], dtype=float),
)
"""How many sessions begin in each local hour, relative to each other: weekdays, weekends."""

WEEKDAYS = np.array([0.98, 1.0, 1.0, 1.02, 1.1, 1.0, 0.9])
"""How many sessions each day has, from Monday, relative to each other."""


def track_match(tempo: Floats, energy: Floats, brightness: Floats) -> Floats:
    """How well each track suits each moment, (moments, tracks) float64, floor to 1."""
    match = np.ones((len(MOMENTS), len(tempo)))
    for row, moment in enumerate(MOMENTS):
        strain = np.zeros(len(tempo))
        if moment.tempo is not None:
            wanted, tolerance = moment.tempo
            off = np.abs(tempo - wanted)
            if moment.steps:
                off = np.minimum(off, np.abs(2.0 * tempo - wanted))
            strain += (off / tolerance) ** 2
        for trait, span in ((energy, moment.energy), (brightness, moment.brightness)):
            if span is not None:
                strain += ((trait - span[0]) / span[1]) ** 2
        match[row] = np.maximum(moment.floor, np.exp(-0.5 * strain))
    return match


def hour_weights() -> Floats:
    """How likely each moment is by (weekend, half-hour of the day, moment), (2, 48, moments)."""
    table = np.zeros((2, 48, len(MOMENTS)))
    for column, moment in enumerate(MOMENTS):
        for weekend, spans in enumerate((moment.weekday, moment.weekend)):
            for first, last, weight in spans:
                table[weekend, int(2 * first) : int(2 * last), column] += weight
    return table
