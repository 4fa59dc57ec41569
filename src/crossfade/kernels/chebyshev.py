"""Polynomials of a sparse Gram matrix times a block of vectors.

    Σₖ cₖ Tₖ(I - 2 AᵀA) x        Tₖ₊₁ = 2 (I - 2 AᵀA) Tₖ - Tₖ₋₁        for A (rows, columns) of norm at most 1

AᵀA is never computed: a term costs two products of A with the block. Each column of the block is computed alone, in one
order, so that neither the block nor threads change a bit.
"""

import numpy as np
import numpy.typing as npt

from crossfade.core.csr import CSR
from crossfade.kernels.compile import jit
from crossfade.kernels.lanes import Floats


@jit
def add_polynomials(
    matrix: CSR, turned: CSR, coefficients: Floats, vectors: Floats, sums: npt.NDArray[np.float32]
) -> None:
    """Add to sums[n] the polynomial of coefficients[n] times ``vectors``, for every n.

    matrix, turned  A (rows, columns) and its transpose
    coefficients    (n, degree + 1) float32
    vectors         (columns, width)
    sums            (n, columns, width)
    """
    columns, width = vectors.shape
    rows = len(matrix.indptr) - 1
    before, last = np.zeros((columns, width), dtype=np.float32), vectors.copy()
    of_rows = np.empty((rows, width), dtype=np.float32)
    product = np.empty(width, dtype=np.float32)
    _add_multiples(coefficients[:, 0], last, sums)
    for degree in range(1, coefficients.shape[1]):
        # T₁ is half of what the recurrence would make of it from T₋₁ = 0.
        scale = np.float32(1 if degree == 1 else 2)
        for row in range(rows):
            _multiply(row, matrix, last, of_rows[row])
        for column in range(columns):
            _multiply(column, turned, of_rows, product)
            for place in range(width):
                before[column, place] = (
                    scale * (last[column, place] - np.float32(2) * product[place]) - before[column, place]
                )
        before, last = last, before
        _add_multiples(coefficients[:, degree], last, sums)


@jit
def _multiply(row: int, matrix: CSR, vectors: Floats, product: Floats) -> None:
    product[:] = 0
    for entry in range(matrix.indptr[row], matrix.indptr[row + 1]):
        weight, column = matrix.values[entry], matrix.indices[entry]
        for place in range(len(product)):
            product[place] += weight * vectors[column, place]


@jit
def _add_multiples(multiples: Floats, vectors: Floats, sums: npt.NDArray[np.float32]) -> None:
    for number in range(len(multiples)):
        multiple = multiples[number]
        for row in range(len(vectors)):
            for place in range(vectors.shape[1]):
                sums[number, row, place] += multiple * vectors[row, place]
