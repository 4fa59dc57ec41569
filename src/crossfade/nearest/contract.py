"""What an index is: it gives the items nearest to a vector, with exact scores, and keeps to what may be given.

Every backend answers with `Neighbours` under the same rules:

- a score is the true dot product or cosine, computed in float32 in one fixed order, so that the same query and
  item have the same score in every backend, block and thread;
- best first; equal scores stand in ascending row order;
- nothing that the `Restriction` excludes is given, and exactly k items are given wherever k remain.

Backends differ in which items they find: the exact one the true best, the others nearly always the true best.
"""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar, Literal, Protocol, Self, get_args

import numpy as np
import numpy.typing as npt

from crossfade.core.errors import InputError, SettingsError
from crossfade.core.ids import Rows
from crossfade.core.progress import Progress, silent
from crossfade.core.spaces import Metric, Neighbours, Vectors, VectorSpace

BackendSetting = Literal["auto", "exact", "clusters", "graph", "forest"]

EXCLUDED_NOWHERE: Rows = np.zeros(0, dtype=np.int32)


@dataclass(frozen=True, kw_only=True)
class IndexSettings:
    """How vectors are indexed. Only `backend` matters to exact search."""

    # exact, clusters, graph, forest, or auto: clusters once the catalogue is too large for exact search
    backend: BackendSetting = "auto"
    # share of the true neighbours that clusters are to find, 0.5 to 1, measured on a sample; more: slower
    recall: float = 0.98
    links: int = 16  # neighbours that an item of the graph keeps, 4 to 64; more: better recall, larger file
    build_breadth: int = 128  # candidates looked at for each item while building, 16 to 1024
    search_breadth: int = 128  # candidates looked at for each query, 16 to 4096; more: better recall, slower
    trees: int = 50  # trees of the forest, 1 to 1000; more: better recall, larger file
    # nodes of the forest looked at for each query, 100 to 10000000; more: better recall, slower
    search_nodes: int = 10_000

    def __post_init__(self) -> None:
        if self.backend not in get_args(BackendSetting):
            named = ", ".join(get_args(BackendSetting))
            raise SettingsError(f"index.backend must be one of {named}, not {self.backend!r}")
        if not 0.5 <= self.recall <= 1:
            raise SettingsError(f"index.recall must be 0.5 to 1, not {self.recall}")
        for name, least, most in (
            ("links", 4, 64),
            ("build_breadth", 16, 1024),
            ("search_breadth", 16, 4096),
            ("trees", 1, 1000),
            ("search_nodes", 100, 10_000_000),
        ):
            if not least <= getattr(self, name) <= most:
                raise SettingsError(f"index.{name} must be {least} to {most}, not {getattr(self, name)}")


@dataclass(frozen=True, eq=False, kw_only=True)
class Restriction:
    """Which items a search may give; rows are item rows of the space.

    indptr   (queries + 1,) int64: indices[indptr[q]:indptr[q + 1]] are excluded for query q; None for nothing
    indices  (n,) int32, in any order within a query
    barred   rows that no query may get
    allowed  the only rows that any query may get; None for all
    """

    indptr: npt.NDArray[np.int64] | None = None
    indices: Rows = field(default_factory=lambda: EXCLUDED_NOWHERE)
    barred: Rows = field(default_factory=lambda: EXCLUDED_NOWHERE)
    allowed: Rows | None = None

    def open_items(self, items: int) -> npt.NDArray[np.bool_]:
        """(items,) whether an item may be given at all. Raises InputError for a row that does not exist."""
        for rows in (self.barred, self.indices, EXCLUDED_NOWHERE if self.allowed is None else self.allowed):
            outside = (rows < 0) | (rows >= items)
            if np.any(outside):
                raise InputError(f"there is no item row {rows[outside][0]} among {items} items")
        opened = np.full(items, self.allowed is None)
        if self.allowed is not None:
            opened[self.allowed] = True
        opened[self.barred] = False
        return opened

    def of_queries(self, queries: int) -> tuple[npt.NDArray[np.int64], Rows]:
        """The exclusions as (indptr, indices), ascending in each query, for exactly ``queries`` queries."""
        if self.indptr is None:
            return np.zeros(queries + 1, dtype=np.int64), EXCLUDED_NOWHERE
        indptr = self.indptr
        if (
            len(indptr) != queries + 1
            or indptr[0] != 0
            or indptr[-1] != len(self.indices)
            or np.any(np.diff(indptr) < 0)
        ):
            raise InputError(f"the exclusions are not those of {queries} queries")
        # Histories mostly are in order already, and to sort those of a whole batch takes a while.
        falling = np.flatnonzero(self.indices[1:] < self.indices[:-1]) + 1
        if np.isin(falling, indptr).all():
            return np.array(indptr), self.indices
        query = np.repeat(np.arange(queries), np.diff(indptr))
        return np.array(indptr), self.indices[np.lexsort((self.indices, query))]


EVERYTHING = Restriction()
"""No item is excluded."""


def each_but(rows: Rows, restriction: Restriction = EVERYTHING) -> Restriction:
    """``restriction`` for n queries of which each excludes one of ``rows`` (n,) besides: the item that it asks for."""
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
        settings: IndexSettings = IndexSettings(),
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
