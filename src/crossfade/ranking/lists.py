"""Ranked lists of the items nearest to each item, without repeats of the same thing.

An item's list has the items of highest rel (`crossfade.ranking.popularity`), above zero, never itself. Groups
thin it out: at most so many items of one group, so that a list is not one album long, and none or one of a
group whose items are the same thing under two names.

Cost: a search for each item, O(items² · factors) with an exact index; see `crossfade.nearest.backends` for the
other. A list that its groups cut short is searched again, four times as deep.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from crossfade.core.ids import MISSING, Rows
from crossfade.core.progress import Progress, silent
from crossfade.core.rows import starts_of
from crossfade.core.spaces import Neighbours, VectorSpace
from crossfade.nearest.backends import DEFAULT_SETTINGS, build_index
from crossfade.nearest.contract import Index, IndexSettings, Restriction

ENTRIES = 4_000_000
"""Entries of the lists that are searched at a time, some 32 MB."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Grouping:
    """At most so many items of one group in a list.

    groups   (items,) int32 from 0; MISSING for an item that is a group of its own
    cap      items of a group in one list, >= 1
    own_cap  items of the key's own group in its list, >= 0
    """

    groups: Rows
    cap: int
    own_cap: int


@dataclass(frozen=True, eq=False, kw_only=True)
class Lists:
    """A ranked list for each of n items, in compressed rows: indptr (n + 1,), rows and scores best first."""

    indptr: npt.NDArray[np.int64]
    rows: Rows
    scores: npt.NDArray[np.float32]

    def of(self, item: int) -> slice:
        """Where the list of ``item`` stands in rows and scores."""
        return slice(int(self.indptr[item]), int(self.indptr[item + 1]))

    def first(self, size: int) -> "Lists":
        """The same lists cut to their first ``size`` entries."""
        lengths = np.diff(self.indptr)
        kept = np.arange(len(self.rows)) - np.repeat(self.indptr[:-1], lengths) < size
        return Lists(indptr=starts_of(np.minimum(lengths, size)), rows=self.rows[kept], scores=self.scores[kept])


def nearest_lists(
    space: VectorSpace,
    size: int,
    groupings: Sequence[Grouping] = (),
    *,
    settings: IndexSettings = DEFAULT_SETTINGS,
    threads: int | None = None,
    progress: Progress = silent,
) -> Lists:
    """For each item of ``space`` the ``size`` others with the largest positive inner product.

    Every list has as many entries as the groupings leave, up to ``size``; equal scores stand in ascending row
    order. The space is searched as ``settings`` say, on ``threads`` processors (None: all).
    """
    index = build_index(space, "dot", settings)
    items = len(space.item_ids)
    width = min(size, max(items - 1, 1))
    lengths = np.zeros(items, dtype=np.int64)
    rows, scores = [np.zeros(0, dtype=np.int32)], [np.zeros(0, dtype=np.float32)]
    chunk = max(1, ENTRIES // (2 * width))
    for first in range(0, items, chunk):
        keys = np.arange(first, min(first + chunk, items), dtype=np.int32)
        found = _nearest(index, space, keys, width, groupings, threads)
        kept = found.rows != MISSING
        lengths[keys] = kept.sum(axis=1)
        rows.append(found.rows[kept])
        scores.append(found.scores[kept])
        progress(int(keys[-1]) + 1, items, "lists")
    return Lists(indptr=starts_of(lengths), rows=np.concatenate(rows), scores=np.concatenate(scores))


def thinned(rows: Rows, keys: Rows, groupings: Sequence[Grouping]) -> npt.NDArray[np.bool_]:
    """Which places of the lists ``rows`` (lists, places) of the items ``keys`` (lists,) the groupings leave."""
    from crossfade.kernels.ranked_lists import thin_lists

    kept: npt.NDArray[np.bool_] = rows != MISSING
    for grouping in groupings:
        thin_lists(rows, grouping.groups, grouping.groups[keys], grouping.cap, grouping.own_cap, kept)
    return kept


def _nearest(
    index: Index, space: VectorSpace, keys: Rows, width: int, groupings: Sequence[Grouping], threads: int | None
) -> Neighbours:
    """The lists of ``keys``, padded to ``width``."""
    listed = Neighbours(
        np.full((len(keys), width), MISSING, np.int32), np.full((len(keys), width), -np.inf, np.float32)
    )
    # What the groupings take out is not known before, so lists that come out short are searched deeper.
    depth = width + (max(width // 2, 8) if groupings else 0)
    places = np.arange(len(keys))
    while places.size:
        depth = min(depth, len(space.item_ids))
        short = []
        for some in np.array_split(places, -(-places.size * depth // ENTRIES)):
            itself = Restriction(indptr=np.arange(len(some) + 1, dtype=np.int64), indices=keys[some])
            found = index.search(space.item_vectors[keys[some]], depth, itself, threads=threads)
            kept = thinned(found.rows, keys[some], groupings) & (found.scores > 0)
            order = np.cumsum(kept, axis=1) - 1
            kept &= order < width
            lists, found_at = np.nonzero(kept)
            # What a graph finds in a deeper search need not hold all of what it found before.
            listed.rows[some], listed.scores[some] = MISSING, -np.inf
            listed.rows[some[lists], order[kept]] = found.rows[lists, found_at]
            listed.scores[some[lists], order[kept]] = found.scores[lists, found_at]
            short.append(some[(kept.sum(axis=1) < width) & (found.scores[:, -1] > 0)])
        places = np.concatenate(short) if depth < len(space.item_ids) else places[:0]
        depth *= 4
    return listed
