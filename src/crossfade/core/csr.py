"""Compressed sparse rows (CSR): many lists in one array, of which list r is at indptr[r]:indptr[r + 1]."""

from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt

from crossfade.core.arrays import load_array
from crossfade.core.errors import ArtifactError, InputError
from crossfade.core.ids import MISSING

Starts = npt.NDArray[np.int64]


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
        for part, array in self._asdict().items():
            np.save(directory / f"{name}_{part}.npy", array, allow_pickle=False)

    @classmethod
    def load(cls, directory: Path, name: str) -> Self:
        """Memory-map what `save` wrote; ArtifactError if a part is missing or they do not fit."""
        loaded = cls(
            load_array(directory / f"{name}_indptr.npy", dtype=np.int64, ndim=1),
            load_array(directory / f"{name}_indices.npy", dtype=np.int32, ndim=1),
            load_array(directory / f"{name}_values.npy", dtype=np.float32, ndim=1),
        )
        if not len(loaded.indptr) or not len(loaded.indices) == len(loaded.values) == loaded.indptr[-1]:
            raise ArtifactError(f"{directory}: the arrays of {name} do not fit each other. Run `crossfade verify`.")
        return loaded


def starts_of(lengths: npt.ArrayLike) -> Starts:
    """The indptr (n + 1,) of n lists of these ``lengths``."""
    return np.concatenate(([0], np.cumsum(lengths))).astype(np.int64)


def gathered(indptr: Starts, rows: npt.NDArray[np.integer]) -> tuple[Starts, Starts]:
    """The indptr (n + 1,) of the lists at ``rows`` (n,), and the positions of their entries in the old array.

    A MISSING row is an empty list.
    """
    present = rows != MISSING
    firsts, lengths = np.zeros((2, len(rows)), dtype=np.int64)
    firsts[present] = indptr[rows[present]]
    lengths[present] = indptr[rows[present] + 1] - firsts[present]
    starts = starts_of(lengths)
    return starts, np.arange(starts[-1]) + np.repeat(firsts - starts[:-1], lengths)


def check_indptr(indptr: Starts, entries: int) -> None:
    """Raise InputError unless ``indptr`` divides ``entries`` entries into rows."""
    if not len(indptr) or indptr[0] != 0 or indptr[-1] != entries or np.any(np.diff(indptr) < 0):
        raise InputError(f"indptr must start at 0, never decrease, and end at {entries}, the number of entries")


def check_indices(indices: npt.NDArray[np.integer], columns: int) -> None:
    """Raise InputError unless all ``indices`` are among ``columns`` columns."""
    if len(indices) and not 0 <= indices.min() <= indices.max() < columns:
        raise InputError(
            f"indices of {columns} items must be 0 to {columns - 1}, not {indices.min()} to {indices.max()}"
        )
