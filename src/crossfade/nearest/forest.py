"""Approximate search in a forest of random hyperplanes, by Annoy.

A tree splits the items by the hyperplane between two random ones of them, and each half again, until some hundred are
left. A query goes down all trees at once, through one queue: at each node it enters the side it lies on, and may come
back for the other the sooner, the closer it lies to the hyperplane. The items in the leaves that it reaches before it
has visited a set number of nodes are compared with it, and the nearest are proposed (`crossfade.nearest.proposing`).

O(trees · items · log items · factors) to build, O(nodes · factors) a query.

Bernhardsson, "Annoy", github.com/spotify/annoy; Dasgupta & Freund, "Random projection trees and low dimensional
manifolds", STOC 2008.
"""

import importlib
import shutil
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from crossfade.core.errors import MissingExtraError
from crossfade.core.ids import MISSING, Rows
from crossfade.core.progress import Progress
from crossfade.core.spaces import Vectors
from crossfade.kernels.threads import each
from crossfade.nearest.contract import IndexSettings
from crossfade.nearest.exclusions import Places
from crossfade.nearest.proposing import ProposingIndex

SEED = 1914
"""Of the hyperplanes; equal spaces are indexed alike."""

REPORTED = 4096
"""Items between two reports of progress."""

BLOCK = 16
"""Queries that a thread searches before it takes the next."""


class ForestIndex(ProposingIndex):
    """The items of one space as a forest; the effort of a search is a number of nodes."""

    backend: ClassVar[str] = "forest"
    file: ClassVar[str] = "forest.annoy"

    @classmethod
    def _built(cls, points: Vectors, settings: IndexSettings, progress: Progress) -> tuple[Any, int]:
        forest = _empty(points.shape[1])
        forest.set_seed(SEED)
        for row, point in enumerate(points):
            forest.add_item(row, point)
            if row % REPORTED == 0:
                progress(row, len(points), "items")
        forest.build(settings.trees, n_jobs=1)
        progress(len(points), len(points), "items")
        return forest, settings.search_nodes

    def _write(self, path: Path) -> None:
        written = path.with_suffix(".part")
        # The library continues with the file that it wrote, memory-mapped, so it gets one of its own: whatever
        # happens to the other one, this index stays as it is.
        self._library.save(str(written))
        shutil.copyfile(written, path)
        written.unlink()

    @classmethod
    def _opened(cls, path: Path, items: int, width: int) -> Any:
        forest = _empty(width)
        # Without items there is nothing in the file that could be mapped.
        if items:
            forest.load(str(path))
        return forest if forest.get_n_items() == items else None

    def _proposed(self, points: Vectors, breadth: int, threads: int) -> tuple[Rows, npt.NDArray[np.bool_]]:
        rows = np.full((len(points), breadth), MISSING, dtype=np.int32)
        nodes = int(self._nodes_for(np.array([breadth]))[0])

        def search(first: int) -> None:
            for query in range(first, min(first + BLOCK, len(points))):
                best = self._library.get_nns_by_vector(points[query], breadth, search_k=nodes)
                rows[query, : len(best)] = best

        each(search, range(0, len(points), BLOCK), threads)
        proposed = rows != MISSING
        return np.where(proposed, rows, 0), proposed

    @property
    def _least_breadth(self) -> int:
        return 1

    def _nodes_for(self, breadths: Places) -> Places:
        """How many nodes to visit for so many candidates: the library's own rule, but no less than the setting."""
        of_trees: Places = breadths * self._library.get_n_trees()
        return np.maximum(self._effort, of_trees)

    def _too_wide(self, breadths: Places) -> npt.NDArray[np.bool_]:
        # Exact search is faster much sooner, but whoever chose this backend wants it to be used.
        return self._nodes_for(breadths) > len(self._items)


def _empty(width: int) -> Any:
    try:
        library = importlib.import_module("annoy")
    except ImportError as error:
        raise MissingExtraError('A forest (index.backend = "clusters" needs no library)', extra="annoy") from error
    return library.AnnoyIndex(width, "angular")
