"""Rows of alternating least squares by preconditioned conjugate gradients, where G is diagonal.

For a row, with the fixed vectors yⱼ of its entries, their confidences cⱼ and surpluses aⱼ:

    (D + Σⱼ aⱼ yⱼyⱼᵀ) x = Σⱼ cⱼ yⱼ,    D = G + λI

`als_axes` turns both sides so that G is diagonal. Then D⁻¹ is at hand for every row, whatever its λ, and steps
along the residuals times D⁻¹ see the matrix I + D⁻¹ Σⱼ aⱼ yⱼyⱼᵀ: all its eigenvalues are 1, but for as many as the
row has entries. So a row of n entries is solved after n steps, in practice closely after three, where plain
conjugate gradients also have to find their way among the popular and the rare directions of G. A row costs
O(steps · entries · f): nothing is left of the f² of a product with G.

Takács, Pilászy & Tikk, "Applications of the conjugate gradient method for implicit feedback collaborative
filtering", RecSys 2011, for conjugate gradients in ALS; the diagonal basis is our own.
"""

import numpy as np

from crossfade.kernels.als_equations import Equations
from crossfade.kernels.als_passes import EIGHT, combine, project_eight
from crossfade.kernels.compile import jit
from crossfade.kernels.lanes import (
    WIDTH,
    Floats,
    load,
    multiply,
    multiply_add,
    prefetch,
    scratch,
    spread,
    store,
    total,
    zero,
)

CONVERGED = np.float32(1e-20)
"""Squared length of the residual, measured by D⁻¹, below which a row counts as solved."""

GROUP = 16
"""Entries that are projected before they are combined: their vectors are still in the first-level cache."""

LOOK_AHEAD = 16
"""Entries between asking for a vector and using it, in the first pass over a row."""


@jit
def solve_along_axes(
    first: int,
    last: int,
    equations: Equations,
    steps: int,
    tolerance: np.float32,
    solved: Floats,
    blocks: tuple[int, ...],
) -> None:
    """Move the rows ``first`` to ``last`` of ``solved`` by up to ``steps`` steps towards their solutions.

    Of the Gram matrix only the diagonal is read, and the row of the coordinate that is held, if one is.

    tolerance  a row is left once its residual is this many times its first one, squared lengths; 0 for never
    solved     (rows, width) starting points, overwritten; a row without entries becomes zero, unless one
               coordinate is held
    blocks     as many zeros as a vector has lanes: their number is known when the kernel is compiled, which
               rids short loops of their ends; none compiles for any width
    """
    indptr, indices, weights, penalties = equations.indptr, equations.indices, equations.weights, equations.penalties
    alpha, counted, held = equations.alpha, equations.counted, equations.held
    width = WIDTH * len(blocks) if len(blocks) else solved.shape[1]
    longest = 0
    for row in range(first, last):
        longest = max(longest, indptr[row + 1] - indptr[row])
    longest += GROUP
    surplus, confidence, offsets = scratch(longest), scratch(longest), np.zeros(longest, dtype=np.int64)
    spectrum, diagonal, inverse, multiples = scratch(width), scratch(width), scratch(width), scratch(GROUP + WIDTH)
    residual, direction, product, pull = scratch(width), scratch(width), scratch(width), scratch(width)
    for k in range(width):
        spectrum[k] = equations.gram[k, k]
        # What a held coordinate pulls the others by; its own residual is nobody's.
        pull[k] = equations.gram[held, k] if held >= 0 and k != held else np.float32(0.0)
    flat, end = equations.fixed.reshape(-1), indptr[last]
    for row in range(first, last):
        start = indptr[row]
        entries = indptr[row + 1] - start
        x = solved[row]
        if entries == 0 and held < 0:
            x[:] = 0.0
            continue
        for j in range(entries):
            weight = weights[start + j]
            played = weight > 0
            confidence[j] = alpha * weight + np.float32(1.0) if played else np.float32(0.0)
            surplus[j] = alpha * weight + counted if played else np.float32(0.0)
            offsets[j] = np.int64(indices[start + j]) * width
        for j in range(entries, entries + GROUP):
            confidence[j] = surplus[j] = 0.0
            offsets[j] = offsets[entries - 1]
        for k in range(width):
            diagonal[k] = spectrum[k] + penalties[row]
            inverse[k] = np.float32(1.0) / diagonal[k]
        rounded = -(-entries // EIGHT) * EIGHT
        length, enough = np.float32(0.0), CONVERGED
        for step in range(-1, steps):
            # The first round takes the residual at x, every other one a step along the direction.
            along = x if step < 0 else direction
            curvature = zero()
            for k in range(0, width, WIDTH):
                stretched = multiply(load(diagonal, k), load(along, k))
                store(product, k, stretched)
                curvature = multiply_add(stretched, load(along, k), curvature)
            if held >= 0 and step < 0:
                for k in range(0, width, WIDTH):
                    store(product, k, multiply_add(load(pull, k), spread(x[held]), load(product, k)))
            for begin in range(0, rounded, GROUP):
                count = min(GROUP, rounded - begin)
                for j in range(0, count, EIGHT):
                    if step < 0:
                        for m in range(start + begin + j + LOOK_AHEAD, start + begin + j + LOOK_AHEAD + EIGHT):
                            _ask(flat, int(indices[min(m, end - 1)]) * width, width)
                    project_eight(flat, offsets, begin + j, along, 0, width, multiples, j)
                for j in range(0, count, WIDTH):
                    projected = load(multiples, j)
                    weighted = multiply(load(surplus, begin + j), projected)
                    curvature = multiply_add(weighted, projected, curvature)
                    if step < 0:
                        weighted = multiply_add(load(confidence, begin + j), spread(np.float32(-1.0)), weighted)
                    store(multiples, j, weighted)
                # After the last step nobody asks for the residual.
                if step + 1 < steps:
                    combine(flat, offsets, begin, count, multiples, 0, width, product, 0)
            if held >= 0:
                product[held] = 0.0
            if step < 0:
                length = _turn_downhill(product, inverse, residual, direction, width)
                enough = max(CONVERGED, length * tolerance)
                if length < enough:
                    break
                continue
            shorter = _move(x, direction, product, inverse, residual, length, length / total(curvature), width)
            if shorter < enough:
                break
            length = shorter


@jit(inline=True)
def _turn_downhill(gradient: Floats, inverse: Floats, residual: Floats, direction: Floats, width: int) -> np.float32:
    """Set out from the gradient; gives back the residual's squared length."""
    squares = zero()
    for k in range(0, width, WIDTH):
        downhill = multiply(load(gradient, k), spread(np.float32(-1.0)))
        conditioned = multiply(downhill, load(inverse, k))
        squares = multiply_add(downhill, conditioned, squares)
        store(residual, k, downhill)
        store(direction, k, conditioned)
    return total(squares)


@jit(inline=True)
def _move(
    x: Floats,
    direction: Floats,
    product: Floats,
    inverse: Floats,
    residual: Floats,
    length: np.float32,
    stride: np.float32,
    width: int,
) -> np.float32:
    """Take a step and turn the direction for the next; gives back the residual's new squared length."""
    squares = zero()
    for k in range(0, width, WIDTH):
        store(x, k, multiply_add(load(direction, k), spread(stride), load(x, k)))
        left = multiply_add(load(product, k), spread(-stride), load(residual, k))
        store(residual, k, left)
        squares = multiply_add(left, multiply(left, load(inverse, k)), squares)
    shorter = total(squares)
    for k in range(0, width, WIDTH):
        conditioned = multiply(load(residual, k), load(inverse, k))
        store(direction, k, multiply_add(load(direction, k), spread(shorter / length), conditioned))
    return shorter


@jit(inline=True)
def _ask(vectors: Floats, offset: int, width: int) -> None:
    for k in range(0, width, WIDTH):
        prefetch(vectors, offset + k)
