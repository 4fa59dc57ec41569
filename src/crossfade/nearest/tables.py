"""Neighbour tables: for every item of a space the items nearest to it."""

import numpy as np

from crossfade.core.errors import InputError
from crossfade.core.ids import MISSING
from crossfade.core.progress import Progress, silent
from crossfade.core.spaces import Neighbours, VectorSpace
from crossfade.nearest.backends import build_index
from crossfade.nearest.contract import Index, Restriction

BLOCK = 8192
"""Items between two words of progress; enough that two processors end them together."""


def neighbour_table(
    space: VectorSpace,
    k: int,
    *,
    index: Index | None = None,
    threads: int | None = None,
    progress: Progress = silent,
) -> Neighbours:
    """The ``k`` nearest items (items, k) by cosine of every item of ``space``, without the item itself.

    ``index`` is an index of this space by cosine; without one the default for its size is built. Raises
    SpaceMismatchError for an index of another space, InputError for one by another metric.
    """
    index = build_index(space, "cosine") if index is None else index
    space.require_same(index.space_id, "The index")
    if index.metric != "cosine":
        raise InputError(f"a neighbour table is by cosine, this index by {index.metric}")
    items = len(space.item_ids)
    rows = np.full((items, k), MISSING, dtype=np.int32)
    scores = np.full((items, k), -np.inf, dtype=np.float32)
    for first in range(0, items, BLOCK):
        keys = np.arange(first, min(first + BLOCK, items), dtype=np.int32)
        itself = Restriction(indptr=np.arange(len(keys) + 1, dtype=np.int64), indices=keys)
        found = index.search(np.ascontiguousarray(space.item_vectors[keys]), k, itself, threads=threads)
        rows[keys], scores[keys] = found.rows, found.scores
        progress(first + len(keys), items, "items")
    return Neighbours(rows, scores)
