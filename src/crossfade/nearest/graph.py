"""Approximate search in a memory-mapped graph (HNSW), for catalogues too large to look at every item.

The graph proposes items; their scores are then computed exactly, so only which items are found is approximate.

Cosine: the graph holds the items at length one. Dot: a graph needs a metric, which the inner product is not, so an
item y gets one more coordinate that brings all to the same length M, the longest of all, and a query x gets a zero:

    (x, 0) · (y, √(M² - |y|²)) = x · y,    and with equal lengths the largest product is the nearest point

The more the lengths differ, the less a graph of these points finds: nearly all items huddle around (0, M), away from
every query. But then the best products are those of the longest items, so these are searched exactly beside it.

About O(breadth · log items · factors) a query, in random reads of memory.

Malkov & Yashunin, "Efficient and robust approximate nearest neighbor search using HNSW graphs", 2016.
Bachrach et al., "Speeding up the Xbox recommender system using a Euclidean transformation", RecSys 2014.
"""

import importlib
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from crossfade.core.artifacts import translated_storage_errors
from crossfade.core.errors import ArtifactError, MissingExtraError, StorageError
from crossfade.core.ids import MISSING, Rows
from crossfade.core.progress import Progress, silent
from crossfade.core.spaces import Metric, Neighbours, Vectors, VectorSpace
from crossfade.kernels.threads import each, processors
from crossfade.kernels.topk import lengths_of, score_listed, unit_vectors
from crossfade.nearest.contract import EVERYTHING, IndexSettings, Restriction
from crossfade.nearest.exact import ExactIndex
from crossfade.nearest.exclusions import Exclusions, Places
from crossfade.nearest.files import read_description, write_description
from crossfade.nearest.vectors import checked_items, checked_queries, require_count

DEFAULT_SETTINGS = IndexSettings()

GRAPH = "graph.usearch"

MARGIN = 2
"""Candidates looked at for each item that is wanted or excluded, so that the last of k is still found."""

EXACT_SHARE = 400
"""To look at more than one in this many items through the graph is slower than to look at all of them in order: with
64 factors a candidate costs some 2.5 µs, an item in order 3 to 5 ns."""

HEAD_SHARE = 32
"""By dot, one in this many items, the longest, is searched exactly as well."""

HELD = 1 << 22
"""Candidates held at once, over all queries of a block: some 100 MB."""

BUILD_BLOCK = 4096
"""Items between two words of progress."""

RESCORED = 64
"""Queries whose candidates a thread scores before it takes the next."""


class GraphIndex:
    """The items of one space as a graph; see `crossfade.nearest.contract.Index`."""

    backend: ClassVar[str] = "graph"

    def __init__(self, space: VectorSpace, metric: Metric, graph: Any, breadth: int) -> None:
        self.space_id = space.space_id
        self.metric: Metric = metric
        self._space = space
        self._items = np.ascontiguousarray(space.points if metric == "cosine" else space.item_vectors)
        self._graph = graph
        # By default the library looks at no less than 64; here the breadth alone decides.
        self._graph.expansion_search = 1
        self._breadth = breadth
        self._longest = _longest(self._items, len(self._items) // HEAD_SHARE if metric == "dot" else 0)
        self._head = ExactIndex(space, metric, self._items[self._longest])
        # The library keeps one set of working memory for each of its threads, not for each of ours.
        self._searching = Lock()

    @classmethod
    def build(
        cls,
        space: VectorSpace,
        metric: Metric,
        settings: IndexSettings = DEFAULT_SETTINGS,
        *,
        progress: Progress = silent,
    ) -> Self:
        """Build the graph on one thread, since with more its links would depend on their timing.

        Raises InputError for vectors that are not finite, MissingExtraError without the library.
        """
        items = checked_items(space, metric)
        points = unit_vectors(items) if metric == "cosine" else _levelled(items)
        graph = _library().Index(
            ndim=points.shape[1],
            metric="ip",
            dtype="f32",
            connectivity=settings.links,
            expansion_add=settings.build_breadth,
        )
        for first in range(0, len(points), BUILD_BLOCK):
            block = points[first : first + BUILD_BLOCK]
            graph.add(np.arange(first, first + len(block), dtype=np.uint64), block, threads=1)
            progress(first + len(block), len(points), "items")
        return cls(space, metric, graph, settings.search_breadth)

    def save(self, directory: Path) -> None:
        """Write the graph, its checksum, and which space and metric it is for."""
        with translated_storage_errors(directory):
            try:
                self._graph.save(str(directory / GRAPH))
            except (RuntimeError, ValueError) as error:
                raise StorageError(f"{directory / GRAPH} cannot be written: {error}. Is the disk full?") from error
        write_description(directory, self, {"breadth": self._breadth, "items": len(self._items)}, GRAPH)

    @classmethod
    def load(cls, directory: Path, space: VectorSpace) -> Self:
        """Memory-map what `save` wrote, after a look at its checksum; see `Index.load`."""
        described = read_description(directory, cls.backend, space)
        details = described.details
        width = space.factors + 1 if described.metric == "dot" else space.points.shape[1]
        try:
            graph = _library().Index.restore(str(directory / GRAPH), view=True)
            fits = details["items"] == len(graph) == len(space.item_ids) and graph.ndim == width
            breadth = int(details["breadth"])
        except (RuntimeError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ArtifactError(f"{directory / GRAPH} cannot be read: {error}. Build the index again.") from error
        if not fits:
            raise ArtifactError(f"{directory / GRAPH} does not fit its space. Build the index again.")
        return cls(space, described.metric, graph, breadth)

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
            wide = breadths[pending] * EXACT_SHARE > len(self._items)
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
        rows, proposed = self._proposed(asked, breadth, threads)
        taken = ~proposed | exclusions.hit(block, rows)
        if len(self._longest):
            places = np.minimum(np.searchsorted(self._longest, rows), len(self._longest) - 1)
            taken |= self._longest[places] == rows
        rows[taken] = MISSING
        scores = np.full(rows.shape, -np.inf, dtype=np.float32)

        def rescore(first: int) -> None:
            part = slice(first, first + RESCORED)
            score_listed(self._items, rows[part], asked[part], self.metric == "cosine", scores[part])

        each(rescore, range(0, len(rows), RESCORED), threads)
        return Neighbours(rows, scores)

    def _among_the_longest(
        self, asked: Vectors, k: int, exclusions: Exclusions, block: Places, threads: int
    ) -> Neighbours:
        """The best ``k`` of the items that are searched exactly; all padding where there are none."""
        if not len(self._longest):
            return Neighbours(np.full((len(asked), 0), MISSING, np.int32), np.zeros((len(asked), 0), np.float32))
        found = self._head.search(asked, k, exclusions.among(block, self._longest), threads=threads)
        return Neighbours(np.where(found.rows == MISSING, MISSING, self._longest[found.rows]), found.scores)

    def _proposed(self, asked: Vectors, breadth: int, threads: int) -> tuple[Rows, npt.NDArray[np.bool_]]:
        """The rows (n, up to ``breadth``) that the graph finds, and which of them are more than padding."""
        points = unit_vectors(asked)
        if self.metric == "dot":
            points = np.concatenate((points, np.zeros((len(points), 1), dtype=np.float32)), axis=1)
        with self._searching:
            matches = self._graph.search(points, breadth, threads=threads)
        rows = np.asarray(matches.keys).reshape(len(points), -1).astype(np.int32)
        # The library answers a batch of one query with a plain list, without padding.
        counts = np.asarray(matches.counts if len(points) > 1 else [rows.shape[1]])
        return rows, np.arange(rows.shape[1]) < counts[:, None]

    @cached_property
    def _exact(self) -> ExactIndex:
        return ExactIndex.build(self._space, self.metric)


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


def _library() -> Any:
    try:
        return importlib.import_module("usearch.index")
    except ImportError as error:
        raise MissingExtraError(
            'Approximate search (which index.backend = "exact" goes without)', extra="index"
        ) from error
