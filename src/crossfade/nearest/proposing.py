"""Search by proposals: a library says which items may be near, and their scores are then computed exactly.

So only which items are found is approximate. Cosine: the library holds the items at length one. Dot: what libraries
search needs a metric, which the inner product is not, so an item y gets one more coordinate that brings all to the
same length M, the longest of all, and a query x gets a zero:

    (x, 0) · (y, √(M² - |y|²)) = x · y,    and with equal lengths the largest product is the nearest point

The more the lengths differ, the less is found among these points: nearly all items huddle around (0, M), away from
every query. But then the best products are those of the longest items, so these are searched exactly beside it.

Bachrach et al., "Speeding up the Xbox recommender system using a Euclidean transformation", RecSys 2014.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from functools import cached_property
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from crossfade.core.csr import starts_of
from crossfade.core.ids import MISSING, Rows
from crossfade.core.spaces import Metric, Neighbours, Vectors, VectorSpace
from crossfade.kernels.threads import processors
from crossfade.kernels.topk import lengths_of, unit_vectors
from crossfade.nearest.contract import EVERYTHING, Restriction
from crossfade.nearest.exact import ExactIndex
from crossfade.nearest.exclusions import Exclusions, Places
from crossfade.nearest.vectors import checked_queries, compared, pair_scores, require_count

MARGIN = 2
"""Candidates looked at for each item that is wanted or excluded, so that the last of k is still found."""

HEAD_SHARE = 32
"""By dot, one in this many items, the longest, is searched exactly as well."""

HELD = 1 << 22
"""Candidates held at once, over all queries of a block: some 100 MB."""


class ProposingIndex(ABC):
    """What the indexes of libraries share; see `crossfade.nearest.contract.Index`."""

    backend: ClassVar[str]

    def __init__(self, space: VectorSpace, metric: Metric, breadth: int) -> None:
        self.space_id = space.space_id
        self.metric: Metric = metric
        self._space = space
        self._items = np.ascontiguousarray(compared(space, metric))
        self._breadth = breadth
        self._longest = _longest(self._items, len(self._items) // HEAD_SHARE if metric == "dot" else 0)
        self._head = ExactIndex(space, metric, self._items[self._longest])

    @abstractmethod
    def _proposed(self, points: Vectors, breadth: int, threads: int) -> tuple[Rows, npt.NDArray[np.bool_]]:
        """The rows (n, up to ``breadth``) near each of ``points``, in no order, and which are more than padding."""

    @abstractmethod
    def _too_wide(self, breadths: Places) -> npt.NDArray[np.bool_]:
        """Whether to look at so many candidates through the library is slower than to look at all items in order."""

    def search(
        self,
        queries: Vectors,
        k: int,
        restriction: Restriction = EVERYTHING,
        *,
        threads: int | None = None,
    ) -> Neighbours:
        """About the best ``k`` items for each query; see `Index.search`.

        Where exclusions leave too few of the items found, the search is widened, and in the end exact.
        """
        require_count(k)
        ready = checked_queries(queries, self._items.shape[1], self.metric)
        exclusions = Exclusions(restriction, len(ready), len(self._items))
        rows = np.full((len(ready), k), MISSING, dtype=np.int32)
        scores = np.full((len(ready), k), -np.inf, dtype=np.float32)
        workers = threads or processors()
        breadths = self._first_breadths(k, exclusions)
        pending = np.flatnonzero(exclusions.left > 0)
        while pending.size:
            wide = self._too_wide(breadths[pending])
            if np.any(wide):
                exactly = pending[wide]
                answer = self._exact.search(queries[exactly], k, exclusions.of(exactly), threads=workers)
                rows[exactly], scores[exactly] = answer.rows, answer.scores
            short = [pending[:0]]
            for block in _blocks(pending[~wide], breadths):
                found = self._candidates(ready[block], int(breadths[block[0]]), exclusions, block, workers)
                longest = self._among_the_longest(ready[block], k, exclusions, block, workers)
                rows[block], scores[block] = _merged(found, longest, k)
                enough = np.minimum(k, exclusions.left[block])
                short.append(block[np.count_nonzero(rows[block] != MISSING, axis=1) < enough])
            pending = np.concatenate(short)
            breadths[pending] *= 2
        return Neighbours(rows, scores)

    def _first_breadths(self, k: int, exclusions: Exclusions) -> Places:
        """How many candidates to look at for each query: the setting, doubled until they should do."""
        share_open = max(int(exclusions.opened.sum()), 1) / max(len(exclusions.opened), 1)
        wanted = MARGIN * (k + exclusions.counts()) / share_open
        doublings = np.ceil(np.log2(np.maximum(wanted / self._breadth, 1.0)))
        return (self._breadth * np.exp2(doublings)).astype(np.int64)

    def _candidates(
        self, asked: Vectors, breadth: int, exclusions: Exclusions, block: Places, threads: int
    ) -> Neighbours:
        """The open ones of ``breadth`` candidates of the graph with exact scores, in no order."""
        points = unit_vectors(asked)
        if self.metric == "dot":
            points = np.concatenate((points, np.zeros((len(points), 1), dtype=np.float32)), axis=1)
        rows, proposed = self._proposed(points, breadth, threads)
        taken = ~proposed | exclusions.hit(block, rows)
        if len(self._longest):
            places = np.minimum(np.searchsorted(self._longest, rows), len(self._longest) - 1)
            taken |= self._longest[places] == rows
        rows[taken] = MISSING
        scores = np.full(rows.shape, -np.inf, dtype=np.float32)
        kept = starts_of((~taken).sum(axis=1))
        scores[~taken] = pair_scores(self._items, self.metric, asked, kept, rows[~taken], threads)
        return Neighbours(rows, scores)

    def _among_the_longest(
        self, asked: Vectors, k: int, exclusions: Exclusions, block: Places, threads: int
    ) -> Neighbours:
        """The best ``k`` of the items that are searched exactly; all padding where there are none."""
        if not len(self._longest):
            return Neighbours(np.full((len(asked), 0), MISSING, np.int32), np.zeros((len(asked), 0), np.float32))
        found = self._head.search(asked, k, exclusions.among(block, self._longest), threads=threads)
        return Neighbours(np.where(found.rows == MISSING, MISSING, self._longest[found.rows]), found.scores)

    @cached_property
    def _exact(self) -> ExactIndex:
        return ExactIndex.build(self._space, self.metric)


def points_of(items: Vectors, metric: Metric) -> Vectors:
    """What a library is to hold of ``items``: (items, factors), by dot one more, all of length one but zero vectors."""
    return unit_vectors(items) if metric == "cosine" else _levelled(items)


def _levelled(items: Vectors) -> Vectors:
    """(items, factors + 1) all of length one, so that the nearest to (x, 0) has the largest product with x."""
    lengths = lengths_of(items)
    longest = float(lengths.max(initial=0.0)) or 1.0
    rest = np.sqrt(np.maximum(1.0 - (lengths / longest) ** 2, 0.0))
    return np.concatenate((items / longest, rest[:, None]), axis=1).astype(np.float32)


def _longest(items: Vectors, count: int) -> Rows:
    """The rows of the ``count`` longest items, ascending; of equally long ones the lower rows."""
    return np.sort(np.argsort(-lengths_of(items), kind="stable")[:count]).astype(np.int32)


def _merged(one: Neighbours, other: Neighbours, k: int) -> tuple[Rows, Vectors]:
    """The best ``k`` (n, k) of two lists without common rows, best first, padded."""
    padding = max(0, k - one.rows.shape[1] - other.rows.shape[1])
    rows = np.pad(np.concatenate((one.rows, other.rows), axis=1), ((0, 0), (0, padding)), constant_values=MISSING)
    scores = np.pad(np.concatenate((one.scores, other.scores), axis=1), ((0, 0), (0, padding)), constant_values=-np.inf)
    order = np.lexsort((rows, -scores), axis=1)[:, :k]
    return np.take_along_axis(rows, order, axis=1), np.take_along_axis(scores, order, axis=1)


def _blocks(pending: Places, breadths: Places) -> Iterator[Places]:
    """``pending`` in parts of equal breadth that fit into memory together."""
    for breadth in np.unique(breadths[pending]):
        alike = pending[breadths[pending] == breadth]
        size = max(1, HELD // int(breadth))
        for first in range(0, len(alike), size):
            yield alike[first : first + size]
