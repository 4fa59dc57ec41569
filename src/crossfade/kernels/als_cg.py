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
import numpy.typing as npt

from crossfade.kernels.als_equations import Equations
from crossfade.kernels.als_passes import EIGHT, Offsets, combine, project_eight
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

NEAR = 1 << 16
"""Bytes of the vectors that have been asked for and not come to use yet: little beside a second-level cache."""

LOOK_AHEAD = 4 * EIGHT
"""Entries ahead that a row asks for itself if it is longer than that."""


@jit
def solve_by_gradients(
    first: int,
    last: int,
    equations: Equations,
    steps: int,
    tolerance: np.float32,
    solved: Floats,
    blocks: tuple[int, ...],
) -> None:
    """Move the rows ``first`` to ``last`` of ``solved`` by up to ``steps`` steps towards their solutions.

    tolerance  a row is left once its residual is this many times its first one, squared lengths; 0 for never
    solved     (rows, width) starting points, overwritten; a row without entries becomes zero
    blocks     as many zeros as a vector has lanes: their number is known when the kernel is compiled, which
               rids short loops of their ends; none compiles for any width
    """
    indptr, indices, weights, penalties = equations.indptr, equations.indices, equations.weights, equations.penalties
    alpha, counted = equations.alpha, equations.counted
    width = WIDTH * len(blocks) if len(blocks) else solved.shape[1]
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
        stop = start + entries
        _unpack(weights[start:stop], indices[start:stop], alpha, counted, width, confidence, surplus, offsets)
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
                            _ask(flat, int(offsets[m]), width)
                    else:
                        for m in range(coming, min(coming + pace, end)):
                            _ask(flat, int(indices[m]) * width, width)
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
                _turn_downhill(product, residual, direction, width)
                length = total(_inner(residual, residual, width))
                enough = max(CONVERGED, length * tolerance)
                if length < enough:
                    break
                continue
            shorter = _move(x, direction, product, residual, length, length / total(curvature), width)
            if shorter < enough:
                break
            length = shorter


@jit(inline=True)
def _unpack(
    weights: Floats,
    indices: npt.NDArray[np.int32],
    alpha: np.float32,
    counted: np.float32,
    width: int,
    confidence: Floats,
    surplus: Floats,
    offsets: Offsets,
) -> None:
    """Lay out what a row's entries count for and where their vectors are, and a group that counts for nothing."""
    entries = len(weights)
    for j in range(entries):
        weight = weights[j]
        played = weight > 0
        confidence[j] = alpha * weight + np.float32(1.0) if played else np.float32(0.0)
        surplus[j] = alpha * weight + counted if played else np.float32(0.0)
    for j in range(entries):
        offsets[j] = np.int64(indices[j]) * width
    for j in range(entries, entries + GROUP):
        confidence[j] = surplus[j] = 0.0
        offsets[j] = offsets[entries - 1]


@jit(inline=True)
def _turn_downhill(gradient: Floats, residual: Floats, direction: Floats, width: int) -> None:
    for k in range(0, width, WIDTH):
        downhill = multiply(load(gradient, k), spread(np.float32(-1.0)))
        store(residual, k, downhill)
        store(direction, k, downhill)


@jit(inline=True)
def _move(
    x: Floats, direction: Floats, product: Floats, residual: Floats, length: np.float32, stride: np.float32, width: int
) -> np.float32:
    """Take a step and turn the direction for the next; gives back the residual's new squared length."""
    for k in range(0, width, WIDTH):
        store(x, k, multiply_add(load(direction, k), spread(stride), load(x, k)))
        store(residual, k, multiply_add(load(product, k), spread(-stride), load(residual, k)))
    shorter = total(_inner(residual, residual, width))
    for k in range(0, width, WIDTH):
        store(direction, k, multiply_add(load(direction, k), spread(shorter / length), load(residual, k)))
    return shorter


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
