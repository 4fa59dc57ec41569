"""Approximate search in a memory-mapped graph (HNSW), for catalogues too large to look at every item.

The graph proposes items (`crossfade.nearest.proposing`), which is about O(breadth · log items · factors) a query, in
random reads of memory.

Malkov & Yashunin, "Efficient and robust approximate nearest neighbor search using HNSW graphs", 2016.
"""

import importlib
from pathlib import Path
from threading import Lock
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from crossfade.core.artifacts import translated_storage_errors
from crossfade.core.errors import ArtifactError, MissingExtraError, StorageError
from crossfade.core.ids import Rows
from crossfade.core.progress import Progress, silent
from crossfade.core.spaces import Metric, Vectors, VectorSpace
from crossfade.nearest.contract import IndexSettings
from crossfade.nearest.exclusions import Places
from crossfade.nearest.files import read_description, write_description
from crossfade.nearest.proposing import ProposingIndex, points_of
from crossfade.nearest.vectors import checked_items

DEFAULT_SETTINGS = IndexSettings()

GRAPH = "graph.usearch"

EXACT_SHARE = 400
"""To look at more than one in this many items through the graph is slower than to look at all of them in order: with
64 factors a candidate costs some 2.5 µs, an item in order 3 to 5 ns."""

BUILD_BLOCK = 4096
"""Items between two words of progress."""


class GraphIndex(ProposingIndex):
    """The items of one space as a graph; see `crossfade.nearest.contract.Index`."""

    backend: ClassVar[str] = "graph"

    def __init__(self, space: VectorSpace, metric: Metric, graph: Any, breadth: int) -> None:
        super().__init__(space, metric, breadth)
        self._graph = graph
        # By default the library looks at no less than 64; here the breadth alone decides.
        self._graph.expansion_search = 1
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
        points = points_of(checked_items(space, metric), metric)
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

    def _proposed(self, points: Vectors, breadth: int, threads: int) -> tuple[Rows, npt.NDArray[np.bool_]]:
        with self._searching:
            matches = self._graph.search(points, breadth, threads=threads)
        rows = np.asarray(matches.keys).reshape(len(points), -1).astype(np.int32)
        # The library answers a batch of one query with a plain list, without padding.
        counts = np.asarray(matches.counts if len(points) > 1 else [rows.shape[1]])
        return rows, np.arange(rows.shape[1]) < counts[:, None]

    def _too_wide(self, breadths: Places) -> npt.NDArray[np.bool_]:
        return breadths * EXACT_SHARE > len(self._items)


def _library() -> Any:
    try:
        return importlib.import_module("usearch.index")
    except ImportError as error:
        raise MissingExtraError('A graph (which index.backend = "clusters" goes without)', extra="index") from error
