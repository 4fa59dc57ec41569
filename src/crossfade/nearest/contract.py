"""What an index is: it returns the items nearest to a vector, with exact scores, and respects what is excluded.

Every backend answers with `Neighbours` under the same rules:

- a score is the true dot product or cosine, computed in float32 in one fixed order, so that the same query and
  item have the same score in every backend, block and thread;
- best first; equal scores stand in ascending row order;
- nothing that the `Restriction` excludes is returned, and exactly k items are returned wherever k remain.

Backends differ in which items they find: the exact one the true best, the others nearly always the true best.
"""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, ClassVar, Protocol, Self

import numpy as np
import numpy.typing as npt

from crossfade.core.csr import Starts
from crossfade.core.errors import InputError, SettingsError
from crossfade.core.ids import Rows
from crossfade.core.progress import Progress, silent
from crossfade.core.settings import Checked, Range
from crossfade.core.spaces import Metric, Neighbours, Vectors, VectorSpace
from crossfade.core.training import converted
from crossfade.nearest.registry import BACKENDS

NO_ROWS: Rows = np.zeros(0, dtype=np.int32)


@dataclass(frozen=True, kw_only=True)
class IndexSettings(Checked):
    """How vectors are indexed. Only `backend` matters to exact search."""

    # exact, clusters, graph, forest, or auto: clusters once the catalogue is too large for exact search
    backend: str = "auto"
    # share of the true neighbours that clusters find, measured on a sample; more: slower
    recall: Annotated[float, Range(0.5, 1)] = 0.98
    # neighbours that an item of the graph keeps; more: better recall, larger file
    links: Annotated[int, Range(4, 64)] = 16
    build_breadth: Annotated[int, Range(16, 1024)] = 128  # candidates of the graph for each item while it is built
    # candidates of the graph for each query; more: better recall, slower
    search_breadth: Annotated[int, Range(16, 4096)] = 128
    trees: Annotated[int, Range(1, 1000)] = 50  # trees of the forest; more: better recall, larger file
    # nodes of the forest visited for each query; more: better recall, slower
    search_nodes: Annotated[int, Range(100, 10_000_000)] = 10_000

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.backend != "auto" and self.backend not in BACKENDS:
            raise SettingsError(f"backend must be one of auto, {', '.join(BACKENDS)}, not {self.backend!r}")


DEFAULT_SETTINGS = IndexSettings()


@dataclass(frozen=True, eq=False, kw_only=True)
class Restriction:
    """Which items a search may return; rows are item rows of the space.

    indptr   (queries + 1,) int64: indices[indptr[q]:indptr[q + 1]] are excluded for query q; None for nothing
    indices  (n,) int32, in any order within a query
    barred   rows that no query may get
    allowed  the only rows that any query may get; None for all
    """

    indptr: Starts | None = None
    indices: Rows = field(default_factory=lambda: NO_ROWS)
    barred: Rows = field(default_factory=lambda: NO_ROWS)
    allowed: Rows | None = None

    def __post_init__(self) -> None:
        """Convert other number types and byte orders; InputError for what are not row numbers."""
        for name, dtype in (("indptr", np.int64), ("indices", np.int32), ("barred", np.int32), ("allowed", np.int32)):
            given = getattr(self, name)
            if given is not None:
                object.__setattr__(self, name, converted(name, given, dtype))

    def open_items(self, items: int) -> npt.NDArray[np.bool_]:
        """(items,) whether an item may be returned at all. Raises InputError for a row that does not exist."""
        for rows in (self.barred, self.indices, NO_ROWS if self.allowed is None else self.allowed):
            outside = (rows < 0) | (rows >= items)
            if np.any(outside):
                raise InputError(f"there is no item row {rows[outside][0]} among {items} items")
        opened = np.full(items, self.allowed is None)
        if self.allowed is not None:
            opened[self.allowed] = True
        opened[self.barred] = False
        return opened

    def of_queries(self, queries: int) -> tuple[Starts, Rows]:
        """The exclusions as (indptr, indices), ascending in each query, for exactly ``queries`` queries."""
        if self.indptr is None:
            return np.zeros(queries + 1, dtype=np.int64), NO_ROWS
        indptr = self.indptr
        if (
            len(indptr) != queries + 1
            or indptr[0] != 0
            or indptr[-1] != len(self.indices)
            or np.any(np.diff(indptr) < 0)
        ):
            raise InputError(f"the exclusions are not those of {queries} queries")
        # Histories are mostly in order already, and sorting those of a whole batch takes a while.
        falling = np.flatnonzero(self.indices[1:] < self.indices[:-1]) + 1
        if not falling.size or np.isin(falling, indptr).all():
            return np.array(indptr), self.indices
        query = np.repeat(np.arange(queries), np.diff(indptr))
        return np.array(indptr), self.indices[np.lexsort((self.indices, query))]


EVERYTHING = Restriction()
"""No item is excluded."""


def each_but(rows: Rows, restriction: Restriction = EVERYTHING) -> Restriction:
    """``restriction`` for n queries, each of which also excludes one of ``rows`` (n,): the item that it asks for."""
    return replace(restriction, indptr=np.arange(len(rows) + 1, dtype=np.int64), indices=rows)


class Index(Protocol):
    """The items of one space, ready to be searched by one metric."""

    backend: ClassVar[str]
    """The name it is registered under."""

    space_id: str
    metric: Metric

    @classmethod
    def build(
        cls,
        space: VectorSpace,
        metric: Metric,
        settings: IndexSettings = DEFAULT_SETTINGS,
        *,
        progress: Progress = silent,
    ) -> Self:
        """Index the items of ``space``. Raises InputError for vectors that are not finite."""

    def save(self, directory: Path) -> None:
        """Write the index into an existing ``directory``, with the space's id and a checksum."""

    @classmethod
    def load(cls, directory: Path, space: VectorSpace) -> Self:
        """Open what `save` wrote, memory-mapped where it is large.

        Raises SpaceMismatchError if it was built from another space than ``space``, and ArtifactError if it is
        damaged, incomplete or of another version.
        """

    def search(
        self,
        queries: Vectors,
        k: int,
        restriction: Restriction = EVERYTHING,
        *,
        threads: int | None = None,
    ) -> Neighbours:
        """The best ``k`` items for each row of ``queries`` (n, factors).

        The answer is the same for any number of ``threads`` (None: one for each processor) and however the
        queries are divided into calls. Raises InputError for k below 1, and for queries of another width or
        with numbers that are not finite.
        """
