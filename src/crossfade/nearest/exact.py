"""Exact search: the true best of all open items for every query.

Where it pays, items are sketched in bytes and most of them never scored (`crossfade.kernels.search.pruned`); else every
open item is scored (`crossfade.kernels.search.scan`). The answers are the same to the bit. Memory is one copy of the
item vectors, a quarter more for the sketch, and the result.
"""

from pathlib import Path
from threading import Lock
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt

from crossfade.core.csr import Starts, gathered
from crossfade.core.ids import MISSING, Rows
from crossfade.core.progress import Progress, silent
from crossfade.core.spaces import Metric, Neighbours, Vectors, VectorSpace
from crossfade.kernels.lanes import Floats
from crossfade.kernels.search.byte_lanes import has_byte_products
from crossfade.kernels.search.panels import GROUP, lengths_of, packed, unit_vectors
from crossfade.kernels.search.pruned import scan_pruned
from crossfade.kernels.search.scan import scan
from crossfade.kernels.search.sketch import CHUNK, WIDEST, Sketch, sketched
from crossfade.kernels.threads import each, threads_for
from crossfade.nearest.contract import DEFAULT_SETTINGS, EVERYTHING, IndexSettings, Restriction
from crossfade.nearest.exclusions import among
from crossfade.nearest.files import read_description, write_description
from crossfade.nearest.vectors import LONGEST, checked_items, checked_queries, require_count

BLOCK = 512
"""Queries that pass over the items together: each load of an item from memory serves them all, and the tables
of their best (512 · k entries) stay in the core's cache."""

SPARSE = 2
"""An allow-list of less than one in this many items is packed anew, which costs less than skipping the others."""

PROBES, PROBED_K = 64, 50
"""Queries that building tries, to see whether a sketch pays, and how many items they want."""

BYTE_COST = 0.4 if has_byte_products() else 2.0
"""What the product of two sketches costs, in scores that are computed side by side."""

LONE_COST = 48
"""What a score costs that is computed alone and offered to the best, in the same unit."""

PATIENCE = 64
"""A query for which more than one in this many items have to be scored alone is cheaper without the sketch."""

EASY = 8
"""So many items for each one wanted may always be scored alone."""

DEEP = 64
"""Where more than one in this many items is wanted, bounds exclude too few items for a sketch to pay."""


class ExactIndex:
    """The items of one space, laid out for the processor; see `crossfade.nearest.contract.Index`."""

    backend: ClassVar[str] = "exact"

    def __init__(self, space: VectorSpace, metric: Metric, items: Vectors, *, pruned: bool | None = None) -> None:
        """Index ``items``, all those of ``space`` or some; ``pruned``: whether with a sketch, None: where it pays."""
        self.space_id = space.space_id
        self.metric: Metric = metric
        self._items = items
        self._packing = Lock()
        self._packed: Floats | None = None
        self._sketch = _sketch(space, metric, items, pruned)
        self._deep = EASY if pruned else DEEP

    @property
    def pruned(self) -> bool:
        """Whether most items are only compared in bytes."""
        return self._sketch is not None

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
        """Check that it was built from ``space``, and build it again."""
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
        left, found = int(np.count_nonzero(opened)), Neighbours.none(len(queries), k)
        width = min(k, left)
        if not width or not len(queries):
            return found
        sketch, panels, listed = self._sketch, None, None
        if left * SPARSE < len(opened):
            listed = np.flatnonzero(opened).astype(np.int32)
            indptr, indices = among(listed, indptr, indices)
            opened, panels = np.ones(left, dtype=np.bool_), packed(self._items, listed, unit=self.metric == "cosine")
        if panels is not None or width * self._deep > len(opened):
            sketch = None
        workers = threads_for(threads)
        block = min(BLOCK, -(-len(queries) // (workers * GROUP)) * GROUP)

        def search_block(first: int) -> None:
            part = slice(first, min(first + block, len(queries)))
            best = np.empty((part.stop - first, width), dtype=np.int32)
            scores = np.empty(best.shape, dtype=np.float32)
            of_part, asked = indptr[first : part.stop + 1], queries[part]
            if sketch is not None:
                self._pruned(sketch, asked, opened, left == len(opened), of_part, indices, best, scores)
            else:
                chosen = self._panels() if panels is None else panels
                scan(chosen, len(opened), asked, opened, of_part, indices, best, scores)
            found.rows[part, :width] = best if listed is None else np.where(best == MISSING, MISSING, listed[best])
            found.scores[part, :width] = scores

        starts = range(0, len(queries), block)
        each(search_block, starts, min(workers, len(starts)))
        return found

    def _pruned(
        self,
        sketch: Sketch,
        queries: Vectors,
        opened: npt.NDArray[np.bool_],
        all_open: bool,
        indptr: Starts,
        indices: Rows,
        rows: Rows,
        scores: Vectors,
    ) -> None:
        """Fill ``rows`` and ``scores`` with the sketch, and without it for queries that it does not help."""
        patience = max(len(self._items) // PATIENCE, EASY * rows.shape[1])
        passed = np.zeros(len(queries), dtype=np.int64)
        scan_pruned(
            sketch, queries, opened, all_open, indptr, indices, patience, rows, scores, passed, np.zeros_like(passed)
        )
        abandoned = np.flatnonzero(passed > patience)
        if len(abandoned):
            starts, places = gathered(indptr, abandoned)
            best = np.empty((len(abandoned), rows.shape[1]), dtype=np.int32)
            best_scores = np.empty(best.shape, dtype=np.float32)
            asked, excluded = queries[abandoned], indices[places]
            scan(self._panels(), len(opened), asked, opened, starts, excluded, best, best_scores)
            rows[abandoned], scores[abandoned] = best, best_scores

    def _panels(self) -> Floats:
        """All items as panels, made when first needed."""
        with self._packing:
            if self._packed is None:
                everything = np.arange(len(self._items), dtype=np.int32)
                self._packed = packed(self._items, everything, unit=self.metric == "cosine")
            return self._packed


def _sketch(space: VectorSpace, metric: Metric, items: Vectors, pruned: bool | None) -> Sketch | None:
    """The sketch of ``items`` if it is wanted or, for ``pruned`` None, if it pays; None where there can be none."""
    count, factors = items.shape
    small = count <= CHUNK
    if pruned is False or factors == 0 or factors > WIDEST or (small and pruned is None) or count == 0:
        return None
    sketch = sketched(unit_vectors(items) if metric == "cosine" else items)
    return sketch if pruned or _pays(sketch, _probes(space, metric, items)) else None


def _probes(space: VectorSpace, metric: Metric, items: Vectors) -> Vectors:
    """Some vectors like those that will be searched for: users by dot, where there are any, else items."""
    for asked in (space.user_vectors, items) if metric == "dot" else (items,):
        if asked is not None and len(asked):
            chosen = np.asarray(asked[np.linspace(0, len(asked) - 1, min(PROBES, len(asked))).astype(np.int64)])
            lengths = lengths_of(np.ascontiguousarray(chosen, dtype=np.float32))
            # The users' vectors have not been checked yet; a search with a wrong one will be refused.
            usable = chosen[(lengths > 0) & (lengths <= LONGEST)]
            if len(usable):
                return checked_queries(usable, items.shape[1], metric)
    return np.zeros((0, items.shape[1]), dtype=np.float32)


def _pays(sketch: Sketch, queries: Vectors) -> bool:
    """Whether these queries would be answered faster with the sketch than by scoring all items."""
    items, k = len(sketch.order), min(PROBED_K, len(sketch.order))
    rows, scores = np.empty((len(queries), k), np.int32), np.empty((len(queries), k), np.float32)
    passed, met = np.zeros(len(queries), np.int64), np.zeros(len(queries), np.int64)
    nothing = np.zeros(len(queries) + 1, dtype=np.int64)
    opened = np.ones(items, dtype=np.bool_)
    limit = max(items // PATIENCE, EASY * k)
    scan_pruned(sketch, queries, opened, True, nothing, np.zeros(0, np.int32), limit, rows, scores, passed, met)
    with_sketch = BYTE_COST * met + LONE_COST * passed
    # So often does an item enter the best k, if items come in random order.
    without = items + LONE_COST * k * (1 + np.log(items / k))
    return len(queries) > 0 and bool(
        np.sum(np.where(passed > limit, with_sketch + without, with_sketch)) < without * len(queries)
    )
