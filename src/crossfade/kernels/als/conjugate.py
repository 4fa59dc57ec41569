"""Rows of alternating least squares by conjugate gradients, plain or preconditioned.

For a row, with the fixed vectors yⱼ of its entries, their confidences cⱼ and surpluses aⱼ:

    (G + λI + Σⱼ aⱼ yⱼyⱼᵀ) x = Σⱼ cⱼ yⱼ

A step needs one product with the matrix, G p + λp + Σⱼ aⱼ (yⱼ·p) yⱼ, so the matrix is never formed: a row costs
O(steps · (entries · f + f²)).

Preconditioned, both sides lie along the axes of G (`axes`), and D = G + λI is diagonal. Its inverse is known for every
row, and steps along the residuals times D⁻¹ see the matrix I + D⁻¹ Σⱼ aⱼ yⱼyⱼᵀ: all its eigenvalues are 1, except for
as many as the row has entries. A row of n entries is solved after n steps, in practice closely after three, where plain
conjugate gradients also have to find their way among the popular and the rare directions of G; and a row costs only
O(steps · entries · f).

Takács, Pilászy & Tikk, "Applications of the conjugate gradient method for implicit feedback collaborative
filtering", RecSys 2011, for conjugate gradients in ALS; the diagonal basis is our own.
"""

import numpy as np

from crossfade.kernels.als.equations import CONVERGED, Equations, longest_row, unpack
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
from crossfade.kernels.products import EIGHT, combine, project_eight

GROUP = 16
"""Entries that are projected before they are combined: their vectors are still in the first-level cache. Twice as many
without a preconditioner."""

LOOK_AHEAD = 16
"""Entries between prefetching a vector and using it, in the first pass over a row."""


@jit
def solve_by_gradients(
    first: int,
    last: int,
    equations: Equations,
    conditioned: bool,
    steps: int,
    tolerance: np.float32,
    solved: Floats,
    blocks: tuple[int, ...],
) -> None:
    """Move the rows ``first`` to ``last`` of ``solved`` by up to ``steps`` steps towards their solutions.

    conditioned  whether G is diagonal, except for the row and column that is frozen, and steps are preconditioned by it
    tolerance    a row is done once its residual is this many times its first one, squared lengths; 0 for never
    solved       (rows, width) starting points, overwritten; a row without entries becomes zero, unless a coordinate
                 is frozen. Only preconditioned steps can freeze one
    blocks       as many zeros as a vector has lanes: their number is known when the kernel is compiled, which
                 spares short loops their remainders; empty compiles for any width
    """
    indptr, indices, weights, frozen = equations.indptr, equations.indices, equations.weights, equations.frozen
    alpha, counted = equations.alpha, equations.counted
    width = WIDTH * len(blocks) if len(blocks) else solved.shape[1]
    group = GROUP if conditioned else 2 * GROUP
    room = longest_row(indptr, first, last) + group
    surplus, confidence, offsets = scratch(room), scratch(room), np.zeros(room, dtype=np.int64)
    spectrum, diagonal, inverse, multiples = scratch(width), scratch(width), scratch(width), scratch(group + WIDTH)
    residual, direction, product, pull = scratch(width), scratch(width), scratch(width), scratch(width)
    if conditioned:
        for k in range(width):
            spectrum[k] = equations.gram[k, k]
            # What a frozen coordinate adds to the others; its own residual does not count.
            pull[k] = equations.gram[frozen, k] if frozen >= 0 and k != frozen else np.float32(0.0)
    flat, shared, end = equations.fixed.reshape(-1), equations.gram.reshape(-1), indptr[last]
    gram_offsets = np.empty(width, dtype=np.int64)
    for k in range(width):
        gram_offsets[k] = k * width
    for row in range(first, last):
        start = indptr[row]
        entries = indptr[row + 1] - start
        x = solved[row]
        if entries == 0 and frozen < 0:
            x[:] = 0.0
            continue
        of_row = slice(start, start + entries)
        unpack(weights[of_row], indices[of_row], alpha, counted, width, group, confidence, surplus, offsets)
        for k in range(width):
            diagonal[k] = spectrum[k] + equations.penalties[row]
            inverse[k] = np.float32(1.0) / diagonal[k] if conditioned else np.float32(1.0)
        rounded = -(-entries // EIGHT) * EIGHT
        length, enough = np.float32(0.0), CONVERGED
        for step in range(-1, steps):
            # The first round takes the residual at x, every other one a step along the direction.
            along = x if step < 0 else direction
            for k in range(0, width, WIDTH):
                store(product, k, multiply(load(diagonal, k), load(along, k)))
            if not conditioned:
                combine(shared, gram_offsets, 0, width, along, 0, width, product, 0)
            curvature = zero()
            for k in range(0, width, WIDTH):
                curvature = multiply_add(load(product, k), load(along, k), curvature)
            if frozen >= 0 and step < 0:
                for k in range(0, width, WIDTH):
                    store(product, k, multiply_add(load(pull, k), spread(x[frozen]), load(product, k)))
            for begin in range(0, rounded, group):
                count = min(group, rounded - begin)
                for j in range(0, count, EIGHT):
                    if step < 0:
                        for m in range(start + begin + j + LOOK_AHEAD, start + begin + j + LOOK_AHEAD + EIGHT):
                            for k in range(0, width, WIDTH):
                                prefetch(flat, int(indices[min(m, end - 1)]) * width + k)
                    project_eight(flat, offsets, begin + j, along, 0, width, multiples, j)
                for j in range(0, count, WIDTH):
                    projected = load(multiples, j)
                    weighted = multiply(load(surplus, begin + j), projected)
                    curvature = multiply_add(weighted, projected, curvature)
                    if step < 0:
                        weighted = multiply_add(load(confidence, begin + j), spread(np.float32(-1.0)), weighted)
                    store(multiples, j, weighted)
                # Nothing needs the residual after the last step.
                if step + 1 < steps:
                    combine(flat, offsets, begin, count, multiples, 0, width, product, 0)
            if frozen >= 0:
                product[frozen] = 0.0
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
    """Start from the gradient; return the residual's squared length."""
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
    """Take a step and turn the direction for the next; return the residual's new squared length."""
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
