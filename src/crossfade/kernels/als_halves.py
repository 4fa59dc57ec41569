"""The two halves of an interactions matrix: rows of users over items, and of items over users."""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from crossfade.kernels.compile import jit
from crossfade.kernels.lanes import Floats

Number = TypeVar("Number", bound=np.generic)


class Half(NamedTuple):
    """Compressed rows: the entries of row r are indptr[r]:indptr[r + 1] of ``indices`` and ``weights``.

    indptr   (rows + 1,) int64
    indices  (n,) int32
    weights  (n,) float32, >= 0; an entry of weight zero counts as no entry
    """

    indptr: npt.NDArray[np.int64]
    indices: npt.NDArray[np.int32]
    weights: Floats

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return len(self.indptr) - 1


def constant(array: npt.NDArray[Number]) -> npt.NDArray[Number]:
    """The array as one that cannot be written: a memory-mapped one is such, and then needs no code of its own."""
    view = np.asarray(array).view()
    view.flags.writeable = False
    return view


def transposed(half: Half, columns: int, allocate: Callable[[int, Any], npt.NDArray[Any]] = np.empty) -> Half:
    """The same entries as rows over the other side's ``columns``; within a row, in ascending order of the old rows.

    ``allocate`` gives the arrays of a length and a dtype that the entries are written to.
    """
    indptr = np.zeros(columns + 1, dtype=np.int64)
    indices = allocate(len(half.indices), np.int32)
    weights = allocate(len(half.weights), np.float32)
    _transpose(
        Half(constant(half.indptr), constant(half.indices), constant(half.weights)), Half(indptr, indices, weights)
    )
    return Half(indptr, indices, weights)


@jit
def _transpose(half: Half, other: Half) -> None:
    columns = len(other.indptr) - 1
    for column in half.indices:
        other.indptr[column + 1] += 1
    for column in range(columns):
        other.indptr[column + 1] += other.indptr[column]
    free = other.indptr[:columns].copy()
    for row in range(len(half.indptr) - 1):
        for entry in range(half.indptr[row], half.indptr[row + 1]):
            column = half.indices[entry]
            place = free[column]
            free[column] = place + 1
            other.indices[place] = row
            other.weights[place] = half.weights[entry]
