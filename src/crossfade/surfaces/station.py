"""Stations: the order in which the pool of a Radio is played.

Items are drawn without repeats, an item with probability

    p_j ∝ r_j^(-1/τ)      r_j: its rank in the pool by score, from 1

among those that are left; then two of one parent (tracks of one artist) are moved at least four places apart. Ranks
count, since the scores of one model fall fast and those of another hardly: by any of them a station begins close to its
item and stays there. Drawing all at once is the same as sorting by -ln(r_j) / τ + a Gumbel variate. Since the whole
order follows from the seed, a station can be paused and continued, and the same seed plays the same station.

Of a pool in which one parent has too many items to be kept apart, as many are played as can be: of n places no parent
may have more than ⌈n / apart⌉, and no more than n mod apart parents that many (unless it is 0). The order stays that
of the draw until a place has to be given to a parent that would run out of room.

Cost: O(pool²), some milliseconds for 250.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import numpy.typing as npt

from crossfade.core.ids import MISSING, Ids, Rows
from crossfade.core.settings import Checked, Range
from crossfade.stores.contract import Entry


@dataclass(frozen=True, kw_only=True)
class StationSettings(Checked):
    """How a station plays its pool."""

    # τ, how freely it strays from the closest: 0.3 hardly does, 1 begins with one of the best ten every other time, a
    # high one shuffles
    temperature: Annotated[float, Range(0.01, 10)] = 0.6
    apart: Annotated[int, Range(1, 50)] = 4  # places between two items of one parent (tracks of one artist); 1: no rule


DEFAULTS = StationSettings()


def draw_station(
    scores: npt.NDArray[np.float32],
    parents: Rows,
    rng: np.random.Generator,
    settings: StationSettings = DEFAULTS,
) -> npt.NDArray[np.int64]:
    """Return places in the pool in the order in which they are played, each at most once.

    scores   (pool,) of the items
    parents  (pool,) int32 rows of their parents; items whose parent is MISSING need not be apart from anything
    """
    if not len(scores):
        return np.zeros(0, dtype=np.int64)
    ranks = len(scores) + 1 - np.searchsorted(np.sort(scores), scores, side="right")
    drawn = np.argsort(np.log(ranks) / settings.temperature - rng.gumbel(size=len(scores)), kind="stable")
    # An item whose parent is unknown is the only one of its parent.
    names = np.where(parents == MISSING, len(parents) + np.arange(len(parents)), _numbered(parents))
    return drawn[spaced(_numbered(names)[drawn], settings.apart)]


def station_of(pool: Sequence[Entry], rng: np.random.Generator, settings: StationSettings = DEFAULTS) -> list[Entry]:
    """Return the entries of a Radio's list in the order in which they are played."""
    # A root is kept apart from its own children.
    names = [entry.parent.id if entry.parent else entry.id for entry in pool]
    parents = Ids.of(names).rows(names)
    scores = np.array([entry.score or 0.0 for entry in pool], dtype=np.float32)
    return [pool[place] for place in draw_station(scores, parents, rng, settings)]


def spaced(parents: npt.NDArray[np.int64], apart: int) -> npt.NDArray[np.int64]:
    """Return places in ``parents`` (n,), as many as can be, so that equal ones are ``apart`` or more from each other.

    ``parents`` are numbers from 0. Earlier places come first as far as that allows.
    """
    parents, kept = _playable(parents, apart)
    left = np.bincount(parents, minlength=1)
    ready = np.zeros(len(left), dtype=np.int64)
    waiting = list(range(len(parents)))
    order: list[int] = []
    while waiting:
        urgent = _urgent(left, len(waiting), apart)
        free = [place for place in waiting if ready[parents[place]] <= len(order)]
        chosen = next((place for place in free if urgent[parents[place]]), None)
        if chosen is None:
            break
        waiting.remove(chosen)
        left[parents[chosen]] -= 1
        ready[parents[chosen]] = len(order) + apart
        order.append(chosen)
    return kept[np.array(order, dtype=np.int64)]


def _playable(parents: npt.NDArray[np.int64], apart: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The longest part of ``parents`` that can be spaced, and its places."""
    # How many of the same parent stand before each place.
    by_parent = np.argsort(parents, kind="stable")
    counts = np.bincount(parents, minlength=1)
    earlier = np.empty(len(parents), dtype=np.int64)
    earlier[by_parent] = np.arange(len(parents)) - np.repeat(np.cumsum(counts) - counts, counts)
    for length in range(len(parents), 0, -1):
        rounds, rest = divmod(length, apart)
        within = earlier < rounds
        # Those that come first get the places of the last, incomplete round.
        extra = np.flatnonzero(earlier == rounds)[:rest]
        if np.count_nonzero(within) + len(extra) >= length:
            within[extra] = True
            return parents[within], np.flatnonzero(within)
    return parents[:0], np.zeros(0, dtype=np.int64)


def _urgent(left: npt.NDArray[np.int64], places: int, apart: int) -> npt.NDArray[np.bool_]:
    """(parents,) which parents may have the next of ``places``, so that the items ``left`` of all still fit in."""
    # The j-th item of a parent from the last must have been played by place (places - 1 - j · apart).
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
