"""The list of the items nearest to each item, without repeats of the same thing.

An item's list has the items of highest rel, above zero, never itself, as its groups leave them. What the groups take
out is not known before, so a list that comes out short of the table is searched again, four times as deep.
"""

from collections.abc import Sequence

import numpy as np

from crossfade.core.csr import starts_of
from crossfade.core.ids import MISSING, Rows
from crossfade.core.progress import Progress, silent
from crossfade.core.spaces import Neighbours
from crossfade.ranking.lists import Grouping, Lists, thinned
from crossfade.ranking.neighbourhood import Neighbourhood

ENTRIES = 4_000_000
"""Entries of the lists that are looked at at a time, some 32 MB."""


def nearest_lists(
    neighbourhood: Neighbourhood,
    size: int,
    groupings: Sequence[Grouping] = (),
    *,
    threads: int | None = None,
    progress: Progress = silent,
) -> Lists:
    """For each item the ``size`` others with the largest rel above zero.

    Every list has as many entries as the groupings leave, up to ``size``; equal scores stand in ascending row
    order. Lists that the table is too short for are searched on ``threads`` processors (None: all).
    """
    items = len(neighbourhood.points.item_ids)
    width = min(size, max(items - 1, 1))
    lengths = np.zeros(items, dtype=np.int64)
    rows, scores = [np.zeros(0, dtype=np.int32)], [np.zeros(0, dtype=np.float32)]
    chunk = max(1, ENTRIES // neighbourhood.size)
    for first in range(0, items, chunk):
        keys = np.arange(first, min(first + chunk, items), dtype=np.int32)
        found = _nearest(neighbourhood, keys, width, groupings, threads)
        kept = found.rows != MISSING
        lengths[keys] = kept.sum(axis=1)
        rows.append(found.rows[kept])
        scores.append(found.scores[kept])
        progress(int(keys[-1]) + 1, items, "lists")
    return Lists(indptr=starts_of(lengths), rows=np.concatenate(rows), scores=np.concatenate(scores))


def _nearest(
    neighbourhood: Neighbourhood, keys: Rows, width: int, groupings: Sequence[Grouping], threads: int | None
) -> Neighbours:
    """The lists of ``keys``, padded to ``width``."""
    listed = Neighbours(
        np.full((len(keys), width), MISSING, np.int32), np.full((len(keys), width), -np.inf, np.float32)
    )
    depth = neighbourhood.size
    places = np.arange(len(keys))
    while places.size:
        short = []
        for some in np.array_split(places, -(-places.size * depth // ENTRIES)):
            if depth == neighbourhood.size:
                table = neighbourhood.table
                found = Neighbours(table.rows[keys[some]], table.scores[keys[some]])
            else:
                found = neighbourhood.deeper(keys[some], depth, threads)
            kept = thinned(found.rows, keys[some], groupings) & (found.scores > 0)
            order = np.cumsum(kept, axis=1) - 1
            kept &= order < width
            lists, found_at = np.nonzero(kept)
            # What a graph finds in a deeper search need not hold all of what it found before.
            listed.rows[some], listed.scores[some] = MISSING, -np.inf
            listed.rows[some[lists], order[kept]] = found.rows[lists, found_at]
            listed.scores[some[lists], order[kept]] = found.scores[lists, found_at]
            short.append(some[(kept.sum(axis=1) < width) & (found.scores[:, -1] > 0)])
        places = np.concatenate(short)
        # One more than there are others, so that the search after the last finds its list's end.
        depth = min(4 * depth, len(neighbourhood.points.item_ids))
    return listed
