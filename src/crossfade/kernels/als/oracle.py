"""Alternating least squares as one reads it: the oracle that the kernels must agree with to 1e-4."""

import numpy as np
import numpy.typing as npt

from crossfade.core.csr import CSR

Matrix = npt.NDArray[np.floating]


def solve_rows(
    half: CSR,
    fixed: Matrix,
    *,
    gram: Matrix,
    penalties: npt.ArrayLike,
    alpha: float,
    counted: float,
    steps: int | None = None,
    start: Matrix | None = None,
    conditioned: bool = False,
    frozen: int = -1,
) -> npt.NDArray[np.float64]:
    """The solution of every row (rows, factors) float64; arguments as for `crossfade.kernels.als.half_step`.

    steps        None solves exactly; a number takes that many steps of conjugate gradients from ``start``
    frozen         the coordinate that stays as it is in ``start``, while the others are solved; -1: none
    conditioned  whether steps go along the residual divided by the diagonal of ``gram`` plus the penalty
    """
    factors = fixed.shape[1]
    solved = np.zeros((half.rows, factors))
    for row, penalty in enumerate(np.asarray(penalties, dtype=np.float64)):
        span = slice(half.indptr[row], half.indptr[row + 1])
        weights = half.values[span].astype(np.float64)
        played = fixed[half.indices[span]].astype(np.float64)[weights > 0]  # (played, factors)
        confidence = 1 + alpha * weights[weights > 0]  # (played,)
        surplus = confidence - 1 + counted  # (played,)
        if span.start == span.stop and frozen < 0:
            continue
        matrix = gram + penalty * np.eye(factors) + (played.T * surplus) @ played
        origin = np.zeros(factors) if start is None else start[row].astype(np.float64)
        free = np.arange(factors) != frozen
        right = (played.T @ confidence - matrix @ np.where(free, 0.0, origin))[free]
        matrix, solved[row] = matrix[np.ix_(free, free)], origin
        if steps is None:
            solved[row, free] = np.linalg.solve(matrix, right)
        else:
            inverse = 1 / (np.diag(gram) + penalty)[free] if conditioned else np.ones(free.sum())
            solved[row, free] = _descend(matrix, right, inverse, origin[free], steps)
    return solved


def _descend(matrix: Matrix, right: Matrix, inverse: Matrix, x: Matrix, steps: int) -> Matrix:
    residual = right - matrix @ x
    direction = inverse * residual
    for _ in range(steps):
        length = residual @ (inverse * residual)
        if length < 1e-20:
            break
        product = matrix @ direction
        stride = length / (direction @ product)
        x = x + stride * direction
        residual = residual - stride * product
        direction = inverse * residual + residual @ (inverse * residual) / length * direction
    return x
