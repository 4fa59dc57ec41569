"""Transposing compressed rows."""

from typing import TypeVar

import numpy as np
import numpy.typing as npt

from crossfade.core.csr import CSR
from crossfade.kernels.compile import jit

Number = TypeVar("Number", bound=np.generic)


def constant(array: npt.NDArray[Number]) -> npt.NDArray[Number]:
    """A read-only view of ``array``, so that kernels compile once for memory-mapped arrays and others."""
    view = np.asarray(array).view()
    view.flags.writeable = False
    return view


def transposed(matrix: CSR, columns: int) -> CSR:
    """The transpose of ``matrix`` (rows, columns); each of its rows is in ascending order of the old rows."""
    turned = CSR(
        np.zeros(columns + 1, dtype=np.int64),
        np.empty(len(matrix.indices), dtype=np.int32),
        np.empty(len(matrix.values), dtype=np.float32),
    )
    _transpose(CSR(constant(matrix.indptr), constant(matrix.indices), constant(matrix.values)), turned)
    return turned


@jit
def _transpose(matrix: CSR, turned: CSR) -> None:
    columns = len(turned.indptr) - 1
    for column in matrix.indices:
        turned.indptr[column + 1] += 1
    for column in range(columns):
        turned.indptr[column + 1] += turned.indptr[column]
    free = turned.indptr[:columns].copy()
    for row in range(len(matrix.indptr) - 1):
        for entry in range(matrix.indptr[row], matrix.indptr[row + 1]):
            column = matrix.indices[entry]
            place = free[column]
            free[column] = place + 1
            turned.indices[place] = row
            turned.values[place] = matrix.values[entry]
