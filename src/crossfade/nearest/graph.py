"""Approximate search in a memory-mapped graph (HNSW) of usearch, for catalogues too large to score every item.

The graph proposes items (`crossfade.nearest.proposing`), in about O(breadth · log items · factors) a query, in random
reads of memory.

Malkov & Yashunin, "Efficient and robust approximate nearest neighbor search using HNSW graphs", 2016.
"""

import importlib
from pathlib import Path
from threading import Lock
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from crossfade.core.errors import MissingExtraError
from crossfade.core.ids import Rows
from crossfade.core.progress import Progress
from crossfade.core.spaces import Metric, Vectors, VectorSpace
from crossfade.nearest.contract import IndexSettings
from crossfade.nearest.exclusions import Places
from crossfade.nearest.proposing import ProposingIndex

EXACT_SHARE = 400
"""Visiting more than one in this many items through the graph is slower than scoring all of them in order: with 64
factors a candidate costs some 2.5 µs, an item in order 3 to 5 ns."""

BUILD_BLOCK = 4096
"""Items between two reports of progress."""


class GraphIndex(ProposingIndex):
    """The items of one space as a graph; the effort of a search is a number of candidates."""

    backend: ClassVar[str] = "graph"
    file: ClassVar[str] = "graph.usearch"

    def __init__(self, space: VectorSpace, metric: Metric, library: Any, effort: int) -> None:
        super().__init__(space, metric, library, effort)
        # By default the library visits no less than 64; here the breadth alone decides.
        library.expansion_search = 1
        # The library keeps one set of working memory for each of its threads, not for each of ours.
        self._searching = Lock()

    @classmethod
    def _built(cls, points: Vectors, settings: IndexSettings, progress: Progress) -> tuple[Any, int]:
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
        return graph, settings.search_breadth

    def _write(self, path: Path) -> None:
        self._library.save(str(path))

    @classmethod
    def _opened(cls, path: Path, items: int, width: int) -> Any:
        graph = _library().Index.restore(str(path), view=True)
        return graph if len(graph) == items and graph.ndim == width else None

    def _proposed(self, points: Vectors, breadth: int, threads: int) -> tuple[Rows, npt.NDArray[np.bool_]]:
        with self._searching:
            matches = self._library.search(points, breadth, threads=threads)
        rows = np.asarray(matches.keys).reshape(len(points), -1).astype(np.int32)
        # The library answers a batch of one query with a plain list, without padding.
        counts = np.asarray(matches.counts if len(points) > 1 else [rows.shape[1]])
        return rows, np.arange(rows.shape[1]) < counts[:, None]

    @property
    def _least_breadth(self) -> int:
        return self._effort

    def _too_wide(self, breadths: Places) -> npt.NDArray[np.bool_]:
        return breadths * EXACT_SHARE > len(self._items)


def _library() -> Any:
    try:
        return importlib.import_module("usearch.index")
    except ImportError as error:
        raise MissingExtraError('A graph (index.backend = "clusters" needs no library)', extra="index") from error
