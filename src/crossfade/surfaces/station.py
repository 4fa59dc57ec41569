"""Stations: the order in which the pool of a Radio is played.

Items are drawn without repeats, an item with probability

    p_j ∝ exp(s_j / τ)      s_j: its score, divided by the best score of the pool

among those that are left; then two of one artist are moved at least four places apart. Drawing all at once is
the same as sorting by s_j / τ + a Gumbel variate. Since the whole order follows from the seed, a station can
be left and gone on with, and the same seed plays the same station.

Of a pool in which one artist has too many tracks to be kept apart, as many are played as can be: of n places
no artist may have more than ⌈n / apart⌉, and no more than n mod apart artists that many (unless it is 0). The
order stays that of the draw until a place has to be given to an artist that would run out of room.

Cost: O(pool²), some milliseconds for 250.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from crossfade.core.errors import SettingsError
from crossfade.core.ids import MISSING, Ids, Rows
from crossfade.stores.contract import Entry


@dataclass(frozen=True, kw_only=True)
class StationSettings:
    """How a station plays its pool."""

    temperature: float = 0.2  # τ, how freely it strays from the best, in best scores; 0.01 (hardly) to 10 (shuffled)
    apart: int = 4  # places between two tracks of one artist, 1 (no rule) to 50

    def __post_init__(self) -> None:
        """Refuse what no station can play."""
        if not 0.01 <= self.temperature <= 10:
            raise SettingsError(f"station.temperature must be 0.01 to 10, not {self.temperature}")
        if not 1 <= self.apart <= 50:
            raise SettingsError(f"station.apart must be 1 to 50 places, not {self.apart}")


DEFAULTS = StationSettings()


def draw_station(
    scores: npt.NDArray[np.float32],
    artists: Rows,
    rng: np.random.Generator,
    settings: StationSettings = DEFAULTS,
) -> npt.NDArray[np.int64]:
    """The places in the pool, in the order in which they are played; each at most once.

    scores   (pool,) of the items
    artists  (pool,) int32 rows of their artists; items whose artist is MISSING need not be apart from anything
    """
    if not len(scores):
        return np.zeros(0, dtype=np.int64)
    best = float(scores.max())
    relative = scores.astype(np.float64) / (best if best > 0 else 1.0)
    drawn = np.argsort(-(relative / settings.temperature + rng.gumbel(size=len(scores))), kind="stable")
    # An item without an artist is the only one by its artist.
    names = np.where(artists == MISSING, len(artists) + np.arange(len(artists)), _numbered(artists))
    return drawn[spaced(_numbered(names)[drawn], settings.apart)]


def station_of(pool: Sequence[Entry], rng: np.random.Generator, settings: StationSettings = DEFAULTS) -> list[Entry]:
    """The entries of a Radio's list (`ReleaseReader.entries`) in the order in which they are played."""
    # An entry that has no artist beside it is one.
    names = [entry.parent.id if entry.parent else entry.id for entry in pool]
    artists = Ids.of(names).rows(names)
    scores = np.array([entry.score or 0.0 for entry in pool], dtype=np.float32)
    return [pool[place] for place in draw_station(scores, artists, rng, settings)]


def spaced(artists: npt.NDArray[np.int64], apart: int) -> npt.NDArray[np.int64]:
    """Places in ``artists`` (n,), as many as can be, so that equal ones are ``apart`` or more from each other.

    ``artists`` are numbers from 0. Earlier places come first as far as that allows.
    """
    artists, kept = _playable(artists, apart)
    left = np.bincount(artists, minlength=1)
    ready = np.zeros(len(left), dtype=np.int64)
    waiting = list(range(len(artists)))
    order: list[int] = []
    while waiting:
        urgent = _urgent(left, len(waiting), apart)
        free = [place for place in waiting if ready[artists[place]] <= len(order)]
        chosen = next((place for place in free if urgent[artists[place]]), None)
        if chosen is None:
            break
        waiting.remove(chosen)
        left[artists[chosen]] -= 1
        ready[artists[chosen]] = len(order) + apart
        order.append(chosen)
    return kept[np.array(order, dtype=np.int64)]


def _playable(artists: npt.NDArray[np.int64], apart: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The longest part of ``artists`` that can be spaced, and its places."""
    # How many of the same artist stand before each place.
    by_artist = np.argsort(artists, kind="stable")
    counts = np.bincount(artists, minlength=1)
    earlier = np.empty(len(artists), dtype=np.int64)
    earlier[by_artist] = np.arange(len(artists)) - np.repeat(np.cumsum(counts) - counts, counts)
    for length in range(len(artists), 0, -1):
        rounds, rest = divmod(length, apart)
        within = earlier < rounds
        # Those that come first get the places of the last, incomplete round.
        extra = np.flatnonzero(earlier == rounds)[:rest]
        if np.count_nonzero(within) + len(extra) >= length:
            within[extra] = True
            return artists[within], np.flatnonzero(within)
    return artists[:0], np.zeros(0, dtype=np.int64)


def _urgent(left: npt.NDArray[np.int64], places: int, apart: int) -> npt.NDArray[np.bool_]:
    """(artists,) who may have the next of ``places``, that the tracks ``left`` of all artists still fit in."""
    # The j-th track of an artist from the last must have been played by place (places - 1 - j · apart).
    owner = np.repeat(np.arange(len(left)), left)
    nth = np.arange(len(owner)) - np.repeat(np.cumsum(left) - left, left)
    latest = places - 1 - nth * apart
    due = np.cumsum(np.bincount(latest, minlength=places))
    # In the first stretch that has only room for what is due in it, nothing else may be played.
    tight = int(np.argmax(due >= np.arange(1, places + 1)))
    allowed = np.zeros(len(left), dtype=np.bool_)
    allowed[owner[latest <= tight]] = True
    return allowed


def _numbered(values: npt.NDArray[np.integer]) -> npt.NDArray[np.int64]:
    numbers: npt.NDArray[np.int64] = np.unique(values, return_inverse=True)[1].astype(np.int64)
    return numbers
