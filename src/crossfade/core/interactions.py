"""Interactions: what most models learn from, (user, item, weight) as a sparse matrix with its ids."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from crossfade.core.columns import columns_of, ids_and_rows, read_matrix_or_table
from crossfade.core.csr import check_indices, check_indptr, gathered
from crossfade.core.errors import InputError
from crossfade.core.ids import Id, Ids, Rows, listed_ids
from crossfade.core.kinds import FIRST_KIND, kind_named
from crossfade.core.training import TrainingData, converted

if TYPE_CHECKING:
    from scipy.sparse import csr_array

_BLOCK = 1 << 24  # pairs that are checked or counted at a time, to bound the memory of intermediate arrays

_COLUMNS = ("indices", "weights", "plays", "last_played")

LEAST_WEIGHT, MOST_WEIGHT = 1e-18, 1e12
"""Squares of weights in between, and sums of them, are numbers that float32 holds; so models of them are finite."""


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Interactions(TrainingData):
    """A users × items matrix in compressed rows, n pairs in all; each pair stands once, items ascending.

    indptr       (users + 1,) int64: the pairs of user u are indptr[u]:indptr[u + 1]
    indices      (n,) int32: the pair's item row
    weights      (n,) float32, 1e-18 to 1e12: what models learn from (count, log count or decayed count)
    plays        (n,) int32, >= 1: how often the user played the item; for reasons and "already played"
    last_played  (n,) uint32: seconds since 1970 of the latest play, 0 where the source has no times
    """

    user_ids: Ids
    indptr: npt.NDArray[np.int64]
    indices: npt.NDArray[np.int32]
    weights: npt.NDArray[np.float32]
    plays: npt.NDArray[np.int32]
    last_played: npt.NDArray[np.uint32]

    def _check_lengths(self) -> None:
        lengths = {name: len(getattr(self, name)) for name in _COLUMNS}
        if len(self.indptr) != len(self.user_ids) + 1 or len(set(lengths.values())) != 1:
            raise InputError(f"{len(self.user_ids)} users and {len(self.indptr)} indptr do not fit arrays of {lengths}")
        check_indptr(self.indptr, self.pairs)

    def _check_content(self) -> None:
        check_indices(self.indices, len(self.item_ids))
        for start in range(0, self.pairs, _BLOCK):
            after = self.indices[start + 1 : start + 1 + _BLOCK]
            falls = np.flatnonzero(after <= self.indices[start : start + len(after)]) + start + 1
            if np.any(self.indptr[np.searchsorted(self.indptr, falls)] != falls):
                raise InputError("the indices of each user must ascend, each item once")
        # The minimum of numbers among which is NaN is NaN, for which no comparison is true.
        least, most = (self.weights.min(), self.weights.max()) if self.pairs else (1, 1)
        if not LEAST_WEIGHT <= least <= most <= MOST_WEIGHT:
            raise InputError(
                f"weights must be finite numbers above zero, {LEAST_WEIGHT:g} to {MOST_WEIGHT:g}, not {least:g} to "
                f"{most:g}. Scale them, or leave out what is negligible."
            )
        if self.plays.min(initial=1) < 1:
            raise InputError("plays must be 1 or more")

    def __repr__(self) -> str:
        users, items = self.shape
        return f"Interactions({users:,} users × {items:,} {kind_named(self.kind).plural}, {self.pairs:,} pairs)"

    @property
    def shape(self) -> tuple[int, int]:
        """(users, items)"""
        return len(self.user_ids), len(self.item_ids)

    @property
    def pairs(self) -> int:
        """The number of (user, item) pairs."""
        return len(self.indices)

    @classmethod
    def from_counts(cls, users: Any, items: Any, plays: Any = None, *, kind: str = FIRST_KIND) -> "Interactions":
        """Make interactions from columns of equal length: lists, arrays, Arrow arrays, or columns of a data frame.

        users, items  ids: text, or whole numbers, which are the same ids as their digits (7 is "7"). Results have them
                      as they were given here
        plays         counts, finite and above zero, which become the weights; None counts each row once

        The counts of a pair that stands in several rows are added up. Raises InputError for columns of unequal length,
        for ids that are neither text nor whole numbers, and for counts that are not finite or not above zero or whose
        sums are not 1e-18 to 1e12.
        """
        user_ids, user_rows = ids_and_rows("users", users)
        item_ids, item_rows = ids_and_rows("items", items)
        counts = np.ones(len(user_rows)) if plays is None else plays
        return cls.from_rows(user_ids, item_ids, user_rows, item_rows, counts, kind=kind)

    @classmethod
    def from_csr(
        cls, matrix: Any, user_ids: Any = None, item_ids: Any = None, *, kind: str = FIRST_KIND
    ) -> "Interactions":
        """Make interactions from a SciPy sparse matrix (users, items) of counts; zeros are no interactions.

        user_ids, item_ids  an id for each row and each column, all different; None for their numbers from 0

        Users and items are sorted by their ids as text, so rows here are not those of ``matrix``: calls take and
        results have the ids.
        """
        from scipy.sparse import coo_array

        try:
            if hasattr(matrix, "check_format"):
                matrix.check_format(full_check=True)  # SciPy crashes on indices that do not fit
            stored = coo_array(matrix)
            some = stored.data != 0
        except (TypeError, ValueError) as error:
            raise InputError(f"this is not a matrix of counts: {error}") from error
        if stored.ndim != 2:
            raise InputError(f"a matrix of users and items has 2 dimensions, not {stored.ndim}")
        users, user_rows = _each("user_ids", user_ids, stored.shape[0])
        items, item_rows = _each("item_ids", item_ids, stored.shape[1])
        check_indices(stored.row, len(users), "users")
        check_indices(stored.col, len(items))
        rows, columns = user_rows[stored.row[some]], item_rows[stored.col[some]]
        return cls.from_rows(users, items, rows, columns, stored.data[some], kind=kind)

    @classmethod
    def from_frame(
        cls, frame: Any, *, user: str = "user", item: str = "item", weight: str | None = None, kind: str = FIRST_KIND
    ) -> "Interactions":
        """Make interactions from the columns ``user``, ``item`` and ``weight`` of a pandas or polars data frame.

        The values are as for `from_counts`. Raises InputError for a column that is not there.
        """
        if not hasattr(frame, "columns"):
            raise InputError(f"a data frame has columns, a {type(frame).__name__} has not")
        return cls.from_counts(*columns_of(frame, list(frame.columns), [user, item, weight]), kind=kind)

    @classmethod
    def from_arrow(
        cls, table: Any, *, user: str = "user", item: str = "item", weight: str | None = None, kind: str = FIRST_KIND
    ) -> "Interactions":
        """`from_frame` of an Arrow table: PyArrow's, or any object with Arrow's ``__arrow_c_stream__``."""
        import pyarrow as pa

        table = pa.table(table)
        return cls.from_counts(*columns_of(table, table.column_names, [user, item, weight]), kind=kind)

    @classmethod
    def from_file(
        cls,
        path: Path | str,
        *,
        user: str = "user",
        item: str = "item",
        weight: str | None = None,
        kind: str = FIRST_KIND,
    ) -> "Interactions":
        """Make interactions from a file: ``.npz`` of `scipy.sparse.save_npz`, ``.parquet`` or ``.csv``.

        A matrix is read as by `from_csr`, a table as by `from_frame`; ids in a ``.csv`` file are text, even if they are
        digits. Raises InputError, naming the file, for one that is not one of these.
        """
        path = Path(path)
        content = read_matrix_or_table(path, [user, item])
        try:
            if hasattr(content, "__arrow_c_stream__"):
                return cls.from_arrow(content, user=user, item=item, weight=weight, kind=kind)
            return cls.from_csr(content, kind=kind)
        except InputError as error:
            raise InputError(str(error), path=path) from error

    @classmethod
    def from_rows(
        cls,
        user_ids: Ids,
        item_ids: Ids,
        user_rows: npt.ArrayLike,
        item_rows: npt.ArrayLike,
        counts: npt.ArrayLike,
        *,
        kind: str = FIRST_KIND,
    ) -> "Interactions":
        """`from_counts` of n pairs by row, such as those of a split that keeps the ids of the whole.

        Raises InputError for rows that ``user_ids`` and ``item_ids`` do not have.
        """
        from scipy.sparse import coo_array

        users, items = converted("user_rows", user_rows, np.int32), converted("item_rows", item_rows, np.int32)
        try:
            plays = np.asarray(counts, np.float64)
        except (ValueError, TypeError) as error:
            raise InputError(f"plays must be numbers: {error}") from error
        if not (len(users),) == (len(items),) == plays.shape:
            shape = len(plays) if plays.ndim == 1 else plays.shape
            raise InputError(f"columns of unequal length: {len(users)} users, {len(items)} items, {shape} plays")
        check_indices(users, len(user_ids), "users")
        check_indices(items, len(item_ids))
        if not (np.all(np.isfinite(plays)) and np.all(plays > 0)):
            raise InputError("every count of plays must be a finite number above zero")
        summed = coo_array((plays, (users, items)), shape=(len(user_ids), len(item_ids))).tocsr()
        return cls(
            kind=kind,
            user_ids=user_ids,
            item_ids=item_ids,
            indptr=summed.indptr,
            indices=summed.indices,
            weights=summed.data,
            plays=np.clip(np.rint(summed.data), 1, np.iinfo(np.int32).max).astype(np.int32),
            last_played=np.zeros(summed.nnz, dtype=np.uint32),
        )

    def of_user(self, user: int) -> slice:
        """The slice of indices, weights, plays and last_played that holds the pairs of row ``user``."""
        return slice(int(self.indptr[user]), int(self.indptr[user + 1]))

    def played(self, user: int) -> Rows:
        """The item rows that ``user`` has played, ascending."""
        return self.indices[self.of_user(user)]

    def histories(self, user_ids: Iterable[Id]) -> "Interactions":
        """The pairs of ``user_ids``, none for an unknown user; items keep their rows."""
        asked = user_ids if isinstance(user_ids, Ids) else Ids.of(listed_ids(user_ids))
        indptr, places = gathered(self.indptr, self.user_ids.rows(asked, missing="mark"))
        columns = {name: getattr(self, name)[places] for name in _COLUMNS}
        return replace(self, user_ids=asked, indptr=indptr, **columns, trusted=True)

    def listeners(self) -> npt.NDArray[np.int64]:
        """(items,) how many users have played each item."""
        counted = np.zeros(len(self.item_ids), dtype=np.int64)
        # In blocks, since NumPy counts in a copy of 64 bits.
        for first in range(0, self.pairs, _BLOCK):
            counted += np.bincount(self.indices[first : first + _BLOCK], minlength=len(self.item_ids))
        return counted

    def item_plays(self) -> npt.NDArray[np.int64]:
        """(items,) how many plays each item has."""
        return np.bincount(self.indices, weights=self.plays, minlength=len(self.item_ids)).astype(np.int64)

    def matrix(self) -> "csr_array":
        """The weights as a SciPy matrix (users, items) that shares this memory."""
        from scipy.sparse import csr_array

        return csr_array((self.weights, self.indices, self.indptr), shape=self.shape)


def _each(name: str, ids: Any, length: int) -> tuple[Ids, Rows]:
    """The ids of the rows or columns of a matrix, sorted, and the place of each among them; None for their numbers."""
    distinct, rows = ids_and_rows(name, range(length) if ids is None else ids)
    if not len(distinct) == len(rows) == length:
        raise InputError(f"{name} must be {length} different ids, not {len(distinct)} different ones of {len(rows)}")
    return distinct, rows
