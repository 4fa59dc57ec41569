"""Compressed sparse rows (CSR): many lists in one array, of which list r is at indptr[r]:indptr[r + 1]."""

from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt

from crossfade.core.errors import ArtifactError, InputError
from crossfade.core.ids import MISSING
from crossfade.core.texts import load_parts, save_parts

Starts = npt.NDArray[np.int64]

FEW = 8
"""Indices are few if there are so many columns for each."""


class CSR(NamedTuple):
    """A sparse matrix, or ranked lists, by rows.

    indptr   (rows + 1,) int64
    indices  (n,) int32 columns
    values   (n,) float32 entries, or the scores of ranked lists
    """

    indptr: Starts
    indices: npt.NDArray[np.int32]
    values: npt.NDArray[np.float32]

    @property
    def rows(self) -> int:
        """The number of rows."""
        return len(self.indptr) - 1

    def of(self, row: int) -> slice:
        """The slice of ``indices`` and ``values`` that holds ``row``."""
        return slice(int(self.indptr[row]), int(self.indptr[row + 1]))

    def take(self, rows: npt.NDArray[np.integer]) -> "CSR":
        """The matrix of these ``rows`` (n,); a MISSING row is empty."""
        indptr, places = gathered(self.indptr, rows)
        return CSR(indptr, self.indices[places], self.values[places])

    def first(self, size: int) -> "CSR":
        """The first ``size`` entries of each row."""
        lengths = np.diff(self.indptr)
        kept = np.arange(len(self.indices)) - np.repeat(self.indptr[:-1], lengths) < size
        return CSR(starts_of(np.minimum(lengths, size)), self.indices[kept], self.values[kept])

    def save(self, directory: Path, name: str) -> None:
        """Write the three arrays into ``directory``."""
        save_parts(directory, {f"{name}_{part}": array for part, array in self._asdict().items()})

    @classmethod
    def load(cls, directory: Path, name: str) -> Self:
        """Memory-map what `save` wrote; ArtifactError if a part is missing or they do not fit."""
        types = zip(cls._fields, (np.int64, np.int32, np.float32), strict=True)
        loaded = cls(*load_parts(directory, {f"{name}_{part}": dtype for part, dtype in types}).values())
        if not len(loaded.indptr) or not len(loaded.indices) == len(loaded.values) == loaded.indptr[-1]:
            raise ArtifactError(f"{directory}: the arrays of {name} do not fit each other. Run `crossfade verify`.")
        return loaded


def starts_of(lengths: npt.ArrayLike) -> Starts:
    """Return the indptr (n + 1,) of n lists of these ``lengths``."""
    return np.concatenate(([0], np.cumsum(lengths))).astype(np.int64)


def gathered(indptr: Starts, rows: npt.NDArray[np.integer]) -> tuple[Starts, Starts]:
    """Return the indptr (n + 1,) of the lists at ``rows`` (n,), and the positions of their entries in the old array.

    A MISSING row is an empty list.
    """
    present = rows != MISSING
    firsts, lengths = np.zeros((2, len(rows)), dtype=np.int64)
    firsts[present] = indptr[rows[present]]
    lengths[present] = indptr[rows[present] + 1] - firsts[present]
    starts = starts_of(lengths)
    return starts, np.arange(starts[-1]) + np.repeat(firsts - starts[:-1], lengths)


def distinct(indices: npt.NDArray[np.int32], columns: int) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """Return which of so many ``columns`` are among ``indices`` (n,), ascending, and the place of each index in that.

    Few indices are sorted, many marked: one history costs no pass over all columns.
    """
    if len(indices) * FEW < columns:
        used, places = np.unique(indices, return_inverse=True)
        return used, places.astype(np.int32)
    marked = np.zeros(columns, dtype=np.bool_)
    marked[indices] = True
    return np.flatnonzero(marked).astype(np.int32), (np.cumsum(marked) - 1).astype(np.int32)[indices]


def check_indptr(indptr: Starts, entries: int) -> None:
    """Raise InputError unless ``indptr`` divides ``entries`` entries into rows."""
    if not len(indptr) or indptr[0] != 0 or indptr[-1] != entries or np.any(np.diff(indptr) < 0):
        raise InputError(f"indptr must start at 0, never decrease, and end at {entries}, the number of entries")


def check_indices(indices: npt.NDArray[np.integer], columns: int, what: str = "items") -> None:
    """Raise InputError unless all ``indices`` are among ``columns`` columns, or another number of ``what``."""
    if len(indices) and not 0 <= indices.min() <= indices.max() < columns:
        raise InputError(
            f"indices of {columns} {what} must be 0 to {columns - 1}, not {indices.min()} to {indices.max()}"
        )
