"""Rows of alternating least squares by conjugate gradients.

For a row, with the fixed vectors yⱼ of its entries, their confidences cⱼ and surpluses aⱼ:

    (G + λI + Σⱼ aⱼ yⱼyⱼᵀ) x = Σⱼ cⱼ yⱼ

A step needs one product with the matrix, G p + λp + Σⱼ aⱼ (yⱼ·p) yⱼ, so the matrix is never formed: a row
costs O(steps · (entries · f + f²)). The rows before ask for a row's vectors ahead of time, so that memory works
while the processor computes.

Takács, Pilászy & Tikk, "Applications of the conjugate gradient method for implicit feedback collaborative
filtering", RecSys 2011.
"""

import numpy as np

from crossfade.kernels.als_equations import Equations
from crossfade.kernels.als_passes import EIGHT, combine, project_eight
from crossfade.kernels.compile import jit
from crossfade.kernels.lanes import (
    WIDTH,
    Floats,
    Lanes,
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
"""Squared length of the residual below which a row counts as solved."""

GROUP = 32
"""Entries that are projected before they are combined: their vectors are still in the first-level cache."""

NEAR = 1 << 18
"""Bytes of coming vectors to have asked for: a good part of a second-level cache, but not all of it."""

LOOK_AHEAD = 2 * EIGHT
"""Entries ahead in a row that is too long for the cache."""


@jit
def solve_by_gradients(
    first: int,
    last: int,
    equations: Equations,
    steps: int,
    tolerance: np.float32,
    solved: Floats,
) -> None:
    """Move the rows ``first`` to ``last`` of ``solved`` by up to ``steps`` steps towards their solutions.

    tolerance  a row is left once its residual is this many times its first one, squared lengths; 0 for never
    solved     (rows, width) starting points, overwritten; a row without entries becomes zero
    """
    indptr, indices, weights, penalties = equations.indptr, equations.indices, equations.weights, equations.penalties
    alpha, counted, width = equations.alpha, equations.counted, solved.shape[1]
    longest = 0
    for row in range(first, last):
        longest = max(longest, indptr[row + 1] - indptr[row])
    longest += GROUP
    surplus, confidence = scratch(longest), scratch(longest)
    residual, direction, product, multiples = scratch(width), scratch(width), scratch(width), scratch(GROUP + WIDTH)
    offsets = np.zeros(longest, dtype=np.int64)
    gram_offsets = np.arange(width) * width
    ahead = NEAR // (4 * width)
    pace = -(-EIGHT // (steps + 1))
    flat, shared, end = equations.fixed.reshape(-1), equations.gram.reshape(-1), indptr[last]
    for row in range(first, last):
        start = indptr[row]
        entries = indptr[row + 1] - start
        x = solved[row]
        if entries == 0:
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
        rounded = -(-entries // EIGHT) * EIGHT
        coming, enough = start + ahead, CONVERGED
        for step in range(-1, steps):
            # The first round takes the residual at x, every other one a step along the direction.
            along = x if step < 0 else direction
            penalty = spread(penalties[row])
            for k in range(0, width, WIDTH):
                store(product, k, multiply(load(along, k), penalty))
            combine(shared, gram_offsets, 0, width, along, 0, width, product, 0)
            curvature = zero()
            if step >= 0:
                curvature = _inner(direction, product, width)
            for begin in range(0, rounded, GROUP):
                count = min(GROUP, rounded - begin)
                for j in range(0, count, EIGHT):
                    if entries > ahead:
                        for m in range(begin + j + LOOK_AHEAD, min(begin + j + LOOK_AHEAD + EIGHT, entries)):
                            _ask(flat, offsets[m], width)
                    else:
                        for m in range(coming, min(coming + pace, end)):
                            _ask(flat, np.int64(indices[m]) * width, width)
                        coming += pace
                    project_eight(flat, offsets, begin + j, along, 0, width, multiples, j)
                for j in range(0, count, WIDTH):
                    projected = load(multiples, j)
                    weighted = multiply(load(surplus, begin + j), projected)
                    curvature = multiply_add(weighted, projected, curvature)
                    if step < 0:
                        weighted = multiply_add(load(confidence, begin + j), spread(np.float32(-1.0)), weighted)
                    store(multiples, j, weighted)
                if step + 1 < steps:
                    combine(flat, offsets, begin, count, multiples, 0, width, product, 0)
            if step < 0:
                for k in range(0, width, WIDTH):
                    downhill = multiply(load(product, k), spread(np.float32(-1.0)))
                    store(residual, k, downhill)
                    store(direction, k, downhill)
                length = total(_inner(residual, residual, width))
                enough = max(CONVERGED, length * tolerance)
                if length < enough:
                    break
                continue
            stride = length / total(curvature)
            for k in range(0, width, WIDTH):
                store(x, k, multiply_add(load(direction, k), spread(stride), load(x, k)))
            if step + 1 == steps:
                break
            for k in range(0, width, WIDTH):
                store(residual, k, multiply_add(load(product, k), spread(-stride), load(residual, k)))
            shorter = total(_inner(residual, residual, width))
            if shorter < enough:
                break
            for k in range(0, width, WIDTH):
                turned = multiply_add(load(direction, k), spread(shorter / length), load(residual, k))
                store(direction, k, turned)
            length = shorter


@jit(inline=True)
def _inner(first: Floats, second: Floats, width: int) -> Lanes:
    sums = zero()
    for k in range(0, width, WIDTH):
        sums = multiply_add(load(first, k), load(second, k), sums)
    return sums


@jit(inline=True)
def _ask(vectors: Floats, offset: int, width: int) -> None:
    for k in range(0, width, WIDTH):
        prefetch(vectors, offset + k)
