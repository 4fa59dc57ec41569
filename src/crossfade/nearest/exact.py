"""Exact search: every open item is scored for every query.

O(queries · items · factors); 64 factors and 300,000 items are some thousand queries a second on one core. Memory is
one copy of the item vectors and the result, see `crossfade.kernels.topk`.
"""

from pathlib import Path
from typing import ClassVar, Self

import numpy as np

from crossfade.core.ids import MISSING, Rows
from crossfade.core.progress import Progress, silent
from crossfade.core.rows import starts_of
from crossfade.core.spaces import Metric, Neighbours, Vectors, VectorSpace
from crossfade.kernels.threads import each, processors
from crossfade.kernels.topk import packed, scan
from crossfade.nearest.contract import EVERYTHING, IndexSettings, Restriction
from crossfade.nearest.files import read_description, write_description
from crossfade.nearest.vectors import checked_items, checked_queries, require_count

DEFAULT_SETTINGS = IndexSettings()

BLOCK = 512
"""Queries that pass over the items together: each load of an item from memory serves them all, and the tables
of their best (512 · k entries) stay in the core's cache."""

SPARSE = 2
"""An allow-list of less than one in this many items is packed anew, which costs less than to skip the others."""


class ExactIndex:
    """The items of one space as panels; see `crossfade.nearest.contract.Index`."""

    backend: ClassVar[str] = "exact"

    def __init__(self, space: VectorSpace, metric: Metric, items: Vectors) -> None:
        self.space_id = space.space_id
        self.metric: Metric = metric
        self._items = items
        self._panels = packed(items, np.arange(len(items), dtype=np.int32), unit=metric == "cosine")

    @classmethod
    def build(
        cls,
        space: VectorSpace,
        metric: Metric,
        settings: IndexSettings = DEFAULT_SETTINGS,
        *,
        progress: Progress = silent,
    ) -> Self:
        """Lay the items of ``space`` out for the processor; InputError for vectors that are not finite."""
        index = cls(space, metric, checked_items(space, metric))
        progress(len(space.item_ids), len(space.item_ids), "items")
        return index

    def save(self, directory: Path) -> None:
        """Write which space and metric it is for; the vectors are in the space."""
        write_description(directory, self, {})

    @classmethod
    def load(cls, directory: Path, space: VectorSpace) -> Self:
        """Build it again from ``space``, after a look at whether it was built from that."""
        described = read_description(directory, cls.backend, space)
        return cls.build(space, described.metric)

    def search(
        self,
        queries: Vectors,
        k: int,
        restriction: Restriction = EVERYTHING,
        *,
        threads: int | None = None,
    ) -> Neighbours:
        """The best ``k`` items for each query; see `Index.search`."""
        require_count(k)
        queries = checked_queries(queries, self._items.shape[1], self.metric)
        opened = restriction.open_items(len(self._items))
        indptr, indices = restriction.of_queries(len(queries))
        panels, listed = self._panels, np.flatnonzero(opened).astype(np.int32)
        if len(listed) * SPARSE < len(opened):
            panels = packed(self._items, listed, unit=self.metric == "cosine")
            indptr, indices = _among(indptr, indices, listed, opened)
            opened = np.ones(len(listed), dtype=np.bool_)
        else:
            listed = np.arange(len(opened), dtype=np.int32)
        rows = np.full((len(queries), k), MISSING, dtype=np.int32)
        scores = np.full((len(queries), k), -np.inf, dtype=np.float32)
        width = min(k, len(listed))

        def search_block(first: int) -> None:
            part = slice(first, min(first + BLOCK, len(queries)))
            count = part.stop - first
            best = np.empty((count, width), dtype=np.int32)
            best_scores = np.empty((count, width), dtype=np.float32)
            of_part = indptr[first : part.stop + 1]
            scan(panels, len(listed), queries[part], opened, of_part, indices, best, best_scores)
            rows[part, :width] = np.where(best == MISSING, MISSING, listed[best])
            scores[part, :width] = best_scores

        if width:
            each(search_block, range(0, len(queries), BLOCK), threads or processors())
        return Neighbours(rows, scores)


def _among(indptr: np.ndarray, indices: Rows, listed: Rows, opened: np.ndarray) -> tuple[np.ndarray, Rows]:
    """Exclusions by place in ``listed`` instead of by row; those that are not listed anyway fall away."""
    kept = opened[indices]
    return starts_of(kept)[indptr], np.searchsorted(listed, indices[kept]).astype(np.int32)
