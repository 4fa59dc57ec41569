"""What a half-step of alternating least squares solves: the equations of all rows of one side."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from crossfade.core.csr import CSR
from crossfade.kernels.compile import jit
from crossfade.kernels.lanes import WIDTH, Floats, aligned, load, multiply_add, total, zero
from crossfade.kernels.products import Offsets
from crossfade.kernels.transposing import constant

CONVERGED = np.float32(1e-20)
"""Squared length of the residual below which a row counts as solved."""


class Equations(NamedTuple):
    """For every row u with entries J, (G + λᵤI + Σⱼ aⱼ yⱼyⱼᵀ) xᵤ = Σⱼ cⱼ yⱼ.

    indptr, indices, weights  compressed rows; an entry of weight 0 counts as no entry
    alpha      what one unit of weight adds to the confidence: c = 1 + alpha · w
    counted    what the surplus has more than that: a = alpha · w + counted
    fixed      (n, width) the vectors y of the other side, zero beyond the model's own factors
    gram       (width, width) G
    penalties  (rows,) λᵤ, > 0
    frozen       the coordinate of every x that is not solved for, such as the 1 that multiplies a bias; -1: none
    """

    indptr: npt.NDArray[np.int64]
    indices: npt.NDArray[np.int32]
    weights: Floats
    alpha: np.float32
    counted: np.float32
    fixed: Floats
    gram: Floats
    penalties: Floats
    frozen: np.int64

    @classmethod
    def of(
        cls,
        rows: CSR,
        fixed: Floats,
        gram: npt.NDArray[np.float64],
        penalties: npt.NDArray[np.float64],
        alpha: float,
        counted: float,
        frozen: int = -1,
    ) -> "Equations":
        """The equations of ``rows``, in the types that kernels are compiled for."""
        shared = aligned(*gram.shape)
        shared[:] = gram
        return cls(
            constant(rows.indptr),
            constant(rows.indices),
            constant(rows.values),
            np.float32(alpha),
            np.float32(counted),
            constant(fixed),
            constant(shared),
            constant(penalties.astype(np.float32)),
            np.int64(frozen),
        )


@jit(inline=True)
def unpack(
    equations: Equations, row: int, width: int, padding: int, confidence: Floats, surplus: Floats, offsets: Offsets
) -> None:
    """Write c, a and the position of the vector of each entry of ``row``, and ``padding`` entries that add nothing."""
    start = equations.indptr[row]
    entries = equations.indptr[row + 1] - start
    weights, indices = equations.weights[start : start + entries], equations.indices[start : start + entries]
    alpha, counted = equations.alpha, equations.counted
    for j in range(entries):
        weight = weights[j]
        played = weight > 0
        confidence[j] = alpha * weight + np.float32(1.0) if played else np.float32(0.0)
        surplus[j] = alpha * weight + counted if played else np.float32(0.0)
    for j in range(entries):
        offsets[j] = np.int64(indices[j]) * width
    for j in range(entries, entries + padding):
        confidence[j] = surplus[j] = 0.0
        offsets[j] = offsets[entries - 1]


@jit
def longest_row(indptr: npt.NDArray[np.int64], first: int, last: int) -> int:
    """The most entries of any of the rows ``first`` to ``last``."""
    longest = 0
    for row in range(first, last):
        longest = max(longest, indptr[row + 1] - indptr[row])
    return longest


@jit
def add_losses(
    first: int, last: int, equations: Equations, row_vectors: Floats, losses: npt.NDArray[np.float64]
) -> None:
    """Add to losses[row] Σⱼ aⱼ s² - 2 cⱼ s + cⱼ with s = x · yⱼ, for the rows ``first`` to ``last``."""
    indptr, indices, weights = equations.indptr, equations.indices, equations.weights
    alpha, counted = np.float64(equations.alpha), np.float64(equations.counted)
    width = row_vectors.shape[1]
    rows, columns = row_vectors.reshape(-1), equations.fixed.reshape(-1)
    for row in range(first, last):
        for entry in range(indptr[row], indptr[row + 1]):
            if weights[entry] <= 0:
                continue
            products = zero()
            for k in range(0, width, WIDTH):
                part = load(columns, np.int64(indices[entry]) * width + k)
                products = multiply_add(load(rows, row * width + k), part, products)
            score = np.float64(total(products))
            strength = alpha * weights[entry]
            losses[row] += (strength + counted) * score * score + (strength + 1.0) * (1.0 - 2.0 * score)
