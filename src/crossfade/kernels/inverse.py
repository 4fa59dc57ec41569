"""The inverse of a symmetric positive definite matrix, in its own place, on several processors.

Block by block the matrix is swept: with D the inverse of the diagonal block K, by LAPACK's Cholesky,

    A_KK ← -D        A_iK ← A_iK D        A_ij ← A_ij - A_iK D A_Kj        for all other blocks i ≥ j

and after the last block it is minus the inverse. n³ operations, nearly all in products of square blocks; what a block
becomes does not depend on who computes it, so that results are the same bytes for any number of threads, which a
threaded LAPACK does not promise.

Goodnight, "A tutorial on the SWEEP operator", The American Statistician 1979.
"""

from typing import TypeVar

import numpy as np
import numpy.typing as npt

from crossfade.core.progress import Progress, silent
from crossfade.kernels.threads import each, one_blas_thread

Real = TypeVar("Real", np.float32, np.float64)

BLOCK = 384
"""Rows of a block: large enough for products at full speed, small enough that threads have enough of them."""


def invert(matrix: npt.NDArray[Real], threads: int, *, block: int = BLOCK, progress: Progress = silent) -> bool:
    """Turn ``matrix`` (n, n) into its inverse; only its lower triangle is read, the whole is written.

    Gives whether it could: not if the matrix is not positive definite in its own precision, which spoils it.
    """
    parts = [slice(first, min(first + block, len(matrix))) for first in range(0, len(matrix), block)]
    # With threads of its own a BLAS would fight with those that call it.
    with one_blas_thread():
        for number, pivot in enumerate(parts):
            if not _sweep(matrix, pivot, parts, threads):
                return False
            progress(number + 1, len(parts), "blocks")
        each(lambda row: _turn(matrix, row, parts), parts, threads)
    return True


def _sweep(matrix: npt.NDArray[Real], pivot: slice, parts: list[slice], threads: int) -> bool:
    """Sweep the block ``pivot`` of the lower triangle."""
    from scipy.linalg import lapack

    factor, finish = (lapack.spotrf, lapack.spotri) if matrix.dtype == np.float32 else (lapack.dpotrf, lapack.dpotri)
    lower, failed = factor(matrix[pivot, pivot], lower=True)
    if failed:
        return False
    half, _ = finish(lower, lower=True)
    swept = np.ascontiguousarray(np.tril(half) + np.tril(half, -1).T)
    panel = np.concatenate([matrix[pivot, : pivot.start].T, matrix[pivot.start :, pivot]])
    scaled = np.empty_like(panel)

    def scale(part: slice) -> None:
        scaled[part] = panel[part] @ swept

    def update(pair: tuple[slice, slice]) -> None:
        row, column = pair
        matrix[row, column] -= scaled[row] @ panel[column].T

    others = [part for part in parts if part != pivot]
    each(scale, others, threads)
    each(update, [(row, column) for row in others for column in others if row.start >= column.start], threads)
    matrix[pivot, : pivot.start] = scaled[: pivot.start].T
    matrix[pivot.stop :, pivot] = scaled[pivot.stop :]
    matrix[pivot, pivot] = -swept
    return True


def _turn(matrix: npt.NDArray[Real], row: slice, parts: list[slice]) -> None:
    """Change the sign of a row of blocks of the lower triangle, and copy it into the upper."""
    for column in parts:
        if column.start < row.start:
            np.negative(matrix[row, column], out=matrix[row, column])
            matrix[column, row] = matrix[row, column].T
    lower = np.tril(matrix[row, row])
    matrix[row, row] = -(lower + np.tril(lower, -1).T)
