"""Products of a sparse matrix with a narrow dense one, on several processors."""

import numpy as np
import numpy.typing as npt

from crossfade.core.csr import CSR
from crossfade.kernels.compile import jit
from crossfade.kernels.lanes import WIDTH, Floats, aligned, load, multiply_add, spread_from, store
from crossfade.kernels.threads import balanced, each
from crossfade.kernels.transposing import constant


def row_sums(matrix: CSR, vectors: Floats, threads: int) -> Floats:
    """Return the product (rows, width) of ``matrix`` (rows, n) and ``vectors`` (n, width); see `lanes.aligned`."""
    sums = aligned(matrix.rows, vectors.shape[1])
    indptr, indices, values = constant(matrix.indptr), constant(matrix.indices), constant(matrix.values)
    read = constant(vectors)
    each(lambda piece: _add_entries(*piece, indptr, indices, values, read, sums), balanced(matrix.indptr, 1), threads)
    return sums


@jit
def _add_entries(
    first: int,
    last: int,
    indptr: npt.NDArray[np.int64],
    indices: npt.NDArray[np.int32],
    values: Floats,
    vectors: Floats,
    sums: Floats,
) -> None:
    """Add to the rows ``first`` to ``last`` of ``sums`` the vectors of their entries, times the values."""
    width = vectors.shape[1]
    for row in range(first, last):
        for entry in range(indptr[row], indptr[row + 1]):
            vector, value = np.int64(indices[entry]) * width, spread_from(values, entry)
            for k in range(0, width, WIDTH):
                place = row * width + k
                store(sums, place, multiply_add(load(vectors, vector + k), value, load(sums, place)))
