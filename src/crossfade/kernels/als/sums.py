"""Rows of alternating least squares from sums over their entries, which may lie in different places.

What the entries of a row add to its equations, for f factors,

    Aᵤ = Σⱼ aⱼ yⱼyⱼᵀ,    bᵤ = Σⱼ cⱼ yⱼ

is f (f + 3) / 2 numbers, however many entries there are, and those of some entries can be added to those of others. So
a row can be solved against a fixed side of which only a part is there at a time, and a row of millions of entries by
several machines at once. A part costs O(entries · f² / 2), and solving O(f³ / 6) or, by conjugate gradients,
O(steps · f²).
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from crossfade.kernels.als.cholesky import add_entries, block_of, factor_and_solve, room_for
from crossfade.kernels.als.equations import CONVERGED, Equations
from crossfade.kernels.compile import jit
from crossfade.kernels.lanes import Floats, scratch


def length_of(factors: int) -> int:
    """How many numbers the sums of a row are: the upper half of A, row after row, then b."""
    return factors * (factors + 3) // 2


class Steps(NamedTuple):
    """How `solve_sums` solves.

    number       steps of conjugate gradients; 0 solves exactly
    conditioned  whether they are preconditioned by the diagonal of G + λI
    tolerance    fewer steps where the residual is down to this part of the first, squared lengths
    """

    number: int
    conditioned: bool
    tolerance: np.float32


@jit
def add_sums(first: int, last: int, equations: Equations, factors: int, sums: Floats) -> None:
    """Add what the entries of the rows ``first`` to ``last`` add to their equations to ``sums`` (rows, `length_of`)."""
    indptr, width = equations.indptr, equations.fixed.shape[1]
    vectors, matrix, right = scratch(block_of(width) * width), scratch(width * width), scratch(width)
    nothing = np.zeros(width * width, dtype=np.float32)
    for row in range(first, last):
        if indptr[row] == indptr[row + 1]:
            continue
        right[:] = 0.0
        add_entries(equations, indptr[row], indptr[row + 1], indptr[last], width, nothing, vectors, matrix, right)
        sums_of, place = sums[row], 0
        for k in range(factors):
            for column in range(k, factors):
                sums_of[place] += matrix[k * width + column]
                place += 1
        for k in range(factors):
            sums_of[place + k] += right[k]


@jit
def solve_sums(
    first: int,
    last: int,
    sums: Floats,
    gram: Floats,
    penalties: npt.NDArray[np.float32],
    frozen: int,
    factors: int,
    steps: Steps,
    solved: Floats,
) -> None:
    """Solve the rows ``first`` to ``last`` of ``solved`` (rows, width) from their ``sums`` over all entries.

    gram    (width, width) G
    frozen  the coordinate of every row that stays as it is; -1: none

    A row whose sums are zero becomes zero, unless a coordinate is frozen.
    """
    width = solved.shape[1]
    matrix, right, work = scratch(width * width), scratch(width), room_for(width)
    shared, square = gram.reshape(-1), matrix.reshape(width, width)
    residual, direction, product = scratch(width), scratch(width), scratch(width)
    for row in range(first, last):
        sums_of, place, empty = sums[row], 0, frozen < 0
        matrix[:], right[:] = shared, 0.0
        for k in range(factors):
            for column in range(k, factors):
                matrix[k * width + column] += sums_of[place]
                place += 1
        for k in range(factors):
            right[k] = sums_of[place + k]
            empty = empty and right[k] == 0.0
        if empty:
            solved[row, :] = 0.0
        elif steps.number == 0:
            factor_and_solve(matrix, right, penalties[row], frozen, work, solved[row])
        else:
            for k in range(width):
                for column in range(k):
                    square[k, column] = square[column, k]
                square[k, k] += penalties[row]
            _descend(square, right, gram, penalties[row], frozen, steps, residual, direction, product, solved[row])


@jit
def _descend(
    matrix: Floats,
    right: Floats,
    gram: Floats,
    penalty: np.float32,
    frozen: int,
    steps: Steps,
    residual: Floats,
    direction: Floats,
    product: Floats,
    x: Floats,
) -> None:
    """The steps of `crossfade.kernels.als.conjugate`, with a matrix that is formed."""
    width = len(x)
    _multiply(matrix, x, product)
    for k in range(width):
        residual[k] = right[k] - product[k] if k != frozen else np.float32(0.0)
        direction[k] = 0.0
    before, enough = np.float32(1.0), CONVERGED
    for step in range(steps.number + 1):
        # What `product` held is used up: now it has the residual divided by the diagonal.
        length = np.float32(0.0)
        for k in range(width):
            product[k] = residual[k] / (gram[k, k] + penalty) if steps.conditioned else residual[k]
            length += product[k] * residual[k]
        if step == 0:
            enough = max(CONVERGED, length * steps.tolerance)
        if step == steps.number or length < enough:
            return
        again = length / before if step else np.float32(0.0)
        for k in range(width):
            direction[k] = product[k] + again * direction[k]
        _multiply(matrix, direction, product)
        curvature = np.float32(0.0)
        for k in range(width):
            curvature += direction[k] * product[k]
        stride = length / curvature
        for k in range(width):
            x[k] += stride * direction[k]
            if k != frozen:
                residual[k] -= stride * product[k]
        before = length


@jit(inline=True)
def _multiply(matrix: Floats, vector: Floats, product: Floats) -> None:
    """Write ``matrix`` · ``vector`` into ``product``; the matrix is symmetric."""
    product[:] = 0.0
    for k in range(len(vector)):
        for column in range(len(vector)):
            product[column] += vector[k] * matrix[k, column]
