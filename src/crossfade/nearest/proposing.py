"""Search by proposals: a library proposes items, and their scores are then computed exactly.

So only which items are found is approximate. By cosine the library indexes the items at length one. For dot products it
needs a metric, which the inner product is not, so an item y gets one more coordinate that brings all to the same length
M, the longest of all, and a query x gets a zero:

    (x, 0) · (y, √(M² - |y|²)) = x · y,    and with equal lengths the largest product is the nearest point

The more the lengths differ, the less is found among these points: nearly all items huddle around (0, M), away from
every query. But then the best products are mostly those of the longest items, so these are searched exactly as well.

Bachrach et al., "Speeding up the Xbox recommender system using a Euclidean transformation", RecSys 2014.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from crossfade.core.artifacts import translated_storage_errors
from crossfade.core.csr import starts_of
from crossfade.core.errors import ArtifactError, StorageError
from crossfade.core.ids import MISSING, Rows
from crossfade.core.progress import Progress, silent
from crossfade.core.spaces import Metric, Neighbours, Vectors, VectorSpace
from crossfade.kernels.search.panels import lengths_of, unit_vectors
from crossfade.kernels.threads import threads_for
from crossfade.nearest.contract import DEFAULT_SETTINGS, EVERYTHING, IndexSettings, Restriction
from crossfade.nearest.exact import ExactIndex
from crossfade.nearest.exclusions import Exclusions, Places
from crossfade.nearest.files import read_description, write_description
from crossfade.nearest.vectors import checked_items, checked_queries, compared, pair_scores, require_count

MARGIN = 2
"""Candidates for each item that is wanted or excluded, so that the last of k is still found."""

HEAD_SHARE = 32
"""By dot, one in this many items, the longest, is searched exactly as well."""

CANDIDATES = 1 << 22
"""Candidates in memory at a time, over all queries of a block: some 100 MB."""


class ProposingIndex(ABC):
    """What the indexes of libraries share; see `crossfade.nearest.contract.Index`.

    effort  how much of the library's index a search visits, in the backend's own unit
    """

    backend: ClassVar[str]
    file: ClassVar[str]
    """The name of the library's own file."""

    def __init__(self, space: VectorSpace, metric: Metric, library: Any, effort: int) -> None:
        self.space_id = space.space_id
        self.metric: Metric = metric
        self._space = space
        self._items = np.ascontiguousarray(compared(space, metric))
        self._library = library
        self._effort = effort
        self._longest = _longest(self._items, len(self._items) // HEAD_SHARE if metric == "dot" else 0)
        self._head = ExactIndex(space, metric, self._items[self._longest])

    @classmethod
    def build(
        cls,
        space: VectorSpace,
        metric: Metric,
        settings: IndexSettings = DEFAULT_SETTINGS,
        *,
        progress: Progress = silent,
    ) -> Self:
        """Build the library's index on one thread, since with more the result would depend on their timing.

        Raises InputError for vectors that are not finite, MissingExtraError without the library.
        """
        points = points_of(checked_items(space, metric), metric)
        library, effort = cls._built(points, settings, progress)
        return cls(space, metric, library, effort)

    def save(self, directory: Path) -> None:
        """Write the library's index, its checksum, and which space and metric it is for."""
        with translated_storage_errors(directory):
            try:
                self._write(directory / self.file)
            except (RuntimeError, ValueError) as error:
                raise StorageError(f"{directory / self.file} cannot be written: {error}. Is the disk full?") from error
        write_description(directory, self, {"effort": self._effort, "items": len(self._items)}, self.file)

    @classmethod
    def load(cls, directory: Path, space: VectorSpace) -> Self:
        """Memory-map what `save` wrote, after checking its checksum; see `Index.load`."""
        described, path = read_description(directory, cls.backend, space), directory / cls.file
        width = compared(space, described.metric).shape[1] + (described.metric == "dot")
        try:
            items, effort = int(described.details["items"]), int(described.details["effort"])
            library = cls._opened(path, items, width)
        except (OSError, RuntimeError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ArtifactError(f"{path} cannot be read: {error}. Build the index again.") from error
        if library is None or items != len(space.item_ids):
            raise ArtifactError(f"{path} does not fit its space. Build the index again.")
        return cls(space, described.metric, library, effort)

    @classmethod
    @abstractmethod
    def _built(cls, points: Vectors, settings: IndexSettings, progress: Progress) -> tuple[Any, int]:
        """The library's index of ``points``, and the effort of a search."""

    @abstractmethod
    def _write(self, path: Path) -> None:
        """Write the library's index."""

    @classmethod
    @abstractmethod
    def _opened(cls, path: Path, items: int, width: int) -> Any:
        """The library's index at ``path``, memory-mapped; None if it has other than ``items`` of this ``width``."""

    @abstractmethod
    def _proposed(self, points: Vectors, breadth: int, threads: int) -> tuple[Rows, npt.NDArray[np.bool_]]:
        """The rows (n, up to ``breadth``) proposed for ``points``, in no order, and which are more than padding."""

    @property
    @abstractmethod
    def _least_breadth(self) -> int:
        """Candidates of a query at least."""

    @abstractmethod
    def _too_wide(self, breadths: Places) -> npt.NDArray[np.bool_]:
        """Whether so many candidates take longer through the library than exact search takes for all items."""

    def search(
        self,
        queries: Vectors,
        k: int,
        restriction: Restriction = EVERYTHING,
        *,
        threads: int | None = None,
    ) -> Neighbours:
        """About the best ``k`` items for each query; see `Index.search`.

        Where exclusions leave too few of the proposals, the search is widened, and in the end exact.
        """
        require_count(k)
        ready = checked_queries(queries, self._items.shape[1], self.metric)
        exclusions, found = Exclusions(restriction, len(ready), len(self._items)), Neighbours.none(len(ready), k)
        rows, scores, workers = found.rows, found.scores, threads_for(threads)
        breadths = self._first_breadths(k, exclusions)
        pending = np.flatnonzero(exclusions.left > 0)
        while pending.size:
            wide = self._too_wide(breadths[pending])
            if np.any(wide):
                exactly = pending[wide]
                best = self._exact.search(queries[exactly], k, exclusions.of(exactly), threads=workers)
                rows[exactly], scores[exactly] = best.rows, best.scores
            short = [pending[:0]]
            for block in _blocks(pending[~wide], breadths):
                proposed = self._candidates(ready[block], int(breadths[block[0]]), exclusions, block, workers)
                longest = self._among_the_longest(ready[block], k, exclusions, block, workers)
                rows[block], scores[block] = _merged(proposed, longest, k)
                enough = np.minimum(k, exclusions.left[block])
                short.append(block[np.count_nonzero(rows[block] != MISSING, axis=1) < enough])
            pending = np.concatenate(short)
            breadths[pending] *= 2
        return found

    def _first_breadths(self, k: int, exclusions: Exclusions) -> Places:
        """How many candidates each query looks at: the least, doubled until they should do."""
        share_open = max(int(exclusions.opened.sum()), 1) / max(len(exclusions.opened), 1)
        wanted = MARGIN * (k + exclusions.counts()) / share_open
        doublings = np.ceil(np.log2(np.maximum(wanted / self._least_breadth, 1.0)))
        return (self._least_breadth * np.exp2(doublings)).astype(np.int64)

    def _candidates(
        self, asked: Vectors, breadth: int, exclusions: Exclusions, block: Places, threads: int
    ) -> Neighbours:
        """Those of ``breadth`` proposals that are not excluded, with exact scores, in no order."""
        points = unit_vectors(asked)
        if self.metric == "dot":
            points = np.concatenate((points, np.zeros((len(points), 1), dtype=np.float32)), axis=1)
        rows, proposed = self._proposed(points, breadth, threads)
        kept = proposed & ~exclusions.hit(block, rows)
        if len(self._longest):
            places = np.minimum(np.searchsorted(self._longest, rows), len(self._longest) - 1)
            kept &= self._longest[places] != rows
        found = Neighbours.none(*rows.shape)
        found.rows[kept] = rows[kept]
        starts = starts_of(kept.sum(axis=1))
        found.scores[kept] = pair_scores(self._items, self.metric, asked, starts, rows[kept], threads)
        return found

    def _among_the_longest(
        self, asked: Vectors, k: int, exclusions: Exclusions, block: Places, threads: int
    ) -> Neighbours:
        """The best ``k`` of the items that are searched exactly; empty lists where there are none."""
        if not len(self._longest):
            return Neighbours.none(len(asked), 0)
        best = self._head.search(asked, k, exclusions.among(block, self._longest), threads=threads)
        return Neighbours(np.where(best.rows == MISSING, MISSING, self._longest[best.rows]), best.scores)

    @cached_property
    def _exact(self) -> ExactIndex:
        return ExactIndex.build(self._space, self.metric)


def points_of(items: Vectors, metric: Metric) -> Vectors:
    """What a library indexes of ``items``: (items, factors), by dot one more, all of length one but zero vectors."""
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
        size = max(1, CANDIDATES // int(breadth))
        for first in range(0, len(alike), size):
            yield alike[first : first + size]
