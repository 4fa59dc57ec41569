"""Approximate search in a forest of random hyperplanes, by Annoy.

A tree parts the items by the hyperplane between two random ones of them, and each half again, until some hundred are
left. A query goes down all trees at once, through one queue: at each node it enters the side it lies on, and may come
back for the other the sooner, the nearer it lies to the hyperplane. What stands in the leaves that it reaches before
it has looked at so many nodes is compared with it, and the nearest are proposed (`crossfade.nearest.proposing`).

O(trees · items · log items · factors) to build, O(nodes · factors) a query.

Bernhardsson, "Annoy", github.com/spotify/annoy; Dasgupta & Freund, "Random projection trees and low dimensional
manifolds", STOC 2008.
"""

import importlib
import shutil
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from crossfade.core.artifacts import translated_storage_errors
from crossfade.core.errors import ArtifactError, MissingExtraError
from crossfade.core.ids import MISSING, Rows
from crossfade.core.progress import Progress, silent
from crossfade.core.spaces import Metric, Vectors, VectorSpace
from crossfade.kernels.threads import each
from crossfade.nearest.contract import IndexSettings
from crossfade.nearest.exclusions import Places
from crossfade.nearest.files import read_description, write_description
from crossfade.nearest.proposing import ProposingIndex, points_of
from crossfade.nearest.vectors import checked_items, compared

DEFAULT_SETTINGS = IndexSettings()

FOREST = "forest.annoy"

SEED = 1914
"""Of the hyperplanes; equal spaces are indexed alike."""

WORD = 4096
"""Items between two words of progress."""

BLOCK = 16
"""Queries that a thread asks before it takes the next."""


class ForestIndex(ProposingIndex):
    """The items of one space as a forest; see `crossfade.nearest.contract.Index`."""

    backend: ClassVar[str] = "forest"

    def __init__(self, space: VectorSpace, metric: Metric, forest: Any, nodes: int) -> None:
        super().__init__(space, metric, 1)
        self._forest = forest
        self._nodes = nodes

    @classmethod
    def build(
        cls,
        space: VectorSpace,
        metric: Metric,
        settings: IndexSettings = DEFAULT_SETTINGS,
        *,
        progress: Progress = silent,
    ) -> Self:
        """Grow the trees on one thread, since with more their hyperplanes would depend on the number of threads.

        Raises InputError for vectors that are not finite, MissingExtraError without the library.
        """
        points = points_of(checked_items(space, metric), metric)
        forest = _empty(points.shape[1])
        forest.set_seed(SEED)
        for row, point in enumerate(points):
            forest.add_item(row, point)
            if row % WORD == 0:
                progress(row, len(points), "items")
        forest.build(settings.trees, n_jobs=1)
        progress(len(points), len(points), "items")
        return cls(space, metric, forest, settings.search_nodes)

    def save(self, directory: Path) -> None:
        """Write the forest, its checksum, and which space and metric it is for."""
        written = directory / f"{FOREST}.part"
        with translated_storage_errors(directory):
            # The library goes on with the file that it wrote, mapped into memory, so it gets one of its own:
            # whatever becomes of the other one, this index stays as it is.
            self._forest.save(str(written))
            shutil.copyfile(written, directory / FOREST)
            written.unlink()
        details = {"nodes": self._nodes, "items": len(self._items), "trees": self._forest.get_n_trees()}
        write_description(directory, self, details, FOREST)

    @classmethod
    def load(cls, directory: Path, space: VectorSpace) -> Self:
        """Memory-map what `save` wrote, after a look at its checksum; see `Index.load`."""
        described = read_description(directory, cls.backend, space)
        details, factors = described.details, compared(space, described.metric).shape[1]
        try:
            nodes, items, trees = (int(details[name]) for name in ("nodes", "items", "trees"))
            forest = _empty(factors + (described.metric == "dot"))
            # Where there are no items there is nothing in the file that could be mapped.
            if items:
                forest.load(str(directory / FOREST))
            fits = items == forest.get_n_items() == len(space.item_ids) and (not items or trees == forest.get_n_trees())
        except (OSError, KeyError, TypeError, ValueError) as error:
            raise ArtifactError(f"{directory / FOREST} cannot be read: {error}. Build the index again.") from error
        if not fits:
            raise ArtifactError(f"{directory / FOREST} does not fit its space. Build the index again.")
        return cls(space, described.metric, forest, nodes)

    def _proposed(self, points: Vectors, breadth: int, threads: int) -> tuple[Rows, npt.NDArray[np.bool_]]:
        rows = np.full((len(points), breadth), MISSING, dtype=np.int32)
        nodes = int(self._nodes_for(np.array([breadth]))[0])

        def ask(first: int) -> None:
            for query in range(first, min(first + BLOCK, len(points))):
                found = self._forest.get_nns_by_vector(points[query], breadth, search_k=nodes)
                rows[query, : len(found)] = found

        each(ask, range(0, len(points), BLOCK), threads)
        proposed = rows != MISSING
        return np.where(proposed, rows, 0), proposed

    def _nodes_for(self, breadths: Places) -> Places:
        """How many nodes to look at for so many candidates; the library's own rule, but no less than the setting."""
        of_trees: Places = breadths * self._forest.get_n_trees()
        return np.maximum(self._nodes, of_trees)

    def _too_wide(self, breadths: Places) -> npt.NDArray[np.bool_]:
        # Exact search is faster much sooner, but who asks for this backend wants to have it used.
        return self._nodes_for(breadths) > len(self._items)


def _empty(width: int) -> Any:
    try:
        library = importlib.import_module("annoy")
    except ImportError as error:
        raise MissingExtraError('A forest (which index.backend = "clusters" goes without)', extra="annoy") from error
    return library.AnnoyIndex(width, "angular")
