"""Rows of alternating least squares by conjugate gradients, for vectors that fit into registers.

The steps are those of `conjugate`, with less work for each:

- G is diagonal, so that its part in a step is f multiplications instead of f². Where the vectors are not along its
  axes (`axes`), the fixed ones are a turned copy, and a row is turned there before its steps and back after them.
  Conjugate gradients take the same steps in any basis.
- Up to four lanes, an entry's vector is loaded once for both the inner product with the direction and the sum
  that it adds to. Wider vectors are loaded again, from the first-level cache.
- Vectors lie all over memory. Each is prefetched once, some way ahead of its row, spread over the steps of the rows
  before, so that memory works while the processor computes.

A row costs O(steps · entries · f), and 2 f² for turning it.
"""

import numpy as np

from crossfade.kernels.als.axes import FOUR, Axes, turn_rows
from crossfade.kernels.als.equations import CONVERGED, Equations, longest_row, unpack
from crossfade.kernels.compile import jit
from crossfade.kernels.lanes import (
    WIDTH,
    Floats,
    Lanes,
    load_four,
    multiply,
    multiply_add,
    scratch,
    spread,
    spread_first,
    spread_fourth,
    spread_from,
    spread_second,
    spread_third,
    store_four,
    total,
    totals_of_four,
    zero,
)
from crossfade.kernels.products import Offsets
from crossfade.kernels.strips import (
    Blocks,
    Strip,
    add_multiple,
    add_product,
    inner_lanes,
    load_strip,
    prefetch_strip,
    store_strip,
    zeros,
)

WIDEST = 128
"""Width beyond which the sums of a row no longer stay in registers."""

KEPT = 4
"""Lanes up to which four vectors stay in registers between their two uses."""

NEAR = 1 << 14
"""Bytes of vectors that are prefetched and not used yet: as many as arrive while one of them is waited for."""

FAR = 600_000
"""Bytes of a row's vectors from which on they are prefetched in every step: a second-level cache keeps no more."""

CHUNK = 32
"""Rows that are turned together."""


@jit
def solve_narrow(
    first: int,
    last: int,
    equations: Equations,
    axes: Axes,
    conditioned: bool,
    steps: int,
    tolerance: np.float32,
    solved: Floats,
    blocks: Blocks,
    tile: Blocks,
) -> None:
    """Move the rows ``first`` to ``last`` of ``solved`` by up to ``steps`` steps towards their solutions.

    equations    with the fixed vectors along the ``axes`` of G, and without G itself
    conditioned  whether steps go along the residual divided by the diagonal of G + λI
    tolerance    a row is left once its residual is this many times its first one, squared lengths; 0 for never
    solved       (rows, width) starting points, overwritten; a row without entries becomes zero
    blocks       as many zeros as a vector has lanes
    tile         as many as `turn_rows` forms at a time
    """
    indptr, indices = equations.indptr, equations.indices
    width = WIDTH * len(blocks)
    room = longest_row(indptr, first, last) + FOUR
    surplus, confidence, offsets = scratch(room), scratch(room), np.zeros(room, dtype=np.int64)
    residual, diagonal, inverse, multiples = scratch(width), scratch(width), scratch(width), scratch(WIDTH)
    flat, answers, end = equations.fixed.reshape(-1), solved.reshape(-1), indptr[last]
    turning, into, back = len(axes.into) > 0, axes.into.reshape(-1), axes.back.reshape(-1)
    turned = scratch(CHUNK * width)
    vectors = turned if turning else answers
    ahead, far, coming = NEAR // (4 * width), FAR // (4 * width), indptr[first]
    for chunk in range(first, last, CHUNK):
        part = min(CHUNK, last - chunk)
        if turning:
            turn_rows(answers, chunk * width, part, into, turned, 0, width, tile)
        for row in range(chunk, chunk + part):
            start, stop, x = indptr[row], indptr[row + 1], (row - chunk if turning else row) * width
            entries = stop - start
            if entries == 0:
                store_strip(vectors, x, zeros(blocks))
                continue
            unpack(equations, row, width, FOUR, confidence, surplus, offsets)
            for k in range(width):
                diagonal[k] = axes.spectrum[k] + equations.penalties[row]
                inverse[k] = np.float32(1.0) / diagonal[k] if conditioned else np.float32(1.0)
            goal = min(stop + ahead, end)
            # What is prefetched in the first round of a long row is used in that round already.
            pace = FOUR if entries > ahead else -(-FOUR // (steps + 1))
            enough, length = CONVERGED, np.float32(0.0)
            # The first round takes the residual at x, every other one a step along the direction.
            direction = load_strip(vectors, x, blocks)
            for step in range(-1, steps):
                sums = add_product(direction, load_strip(diagonal, 0, blocks), zeros(blocks))
                shared, curvature = inner_lanes(direction, sums), zero()
                lead = spread(np.float32(-1.0) if step < 0 else np.float32(0.0))
                if entries > far:
                    coming = min(start + ahead, goal)
                for j in range(0, entries, FOUR):
                    until = min(coming + pace, goal)
                    while coming < until:
                        prefetch_strip(flat, int(indices[np.uint64(coming)]) * width, blocks)
                        coming += 1
                    if step + 1 == steps:
                        # Nothing comes after the last step, so that what it leaves of the residual is not needed.
                        projected = _project(flat, offsets, j, direction, blocks)
                        curvature = multiply_add(multiply(load_four(surplus, j), projected), projected, curvature)
                    elif len(blocks) <= KEPT:
                        sums, curvature = _add_kept(
                            flat, offsets, j, surplus, confidence, lead, direction, sums, curvature, blocks
                        )
                    else:
                        sums, curvature = _add_reloaded(
                            flat, offsets, j, surplus, confidence, lead, direction, sums, curvature, multiples, blocks
                        )
                if step < 0:
                    rest = add_multiple(sums, spread(np.float32(-1.0)), zeros(blocks))
                    store_strip(residual, 0, rest)
                    direction = add_product(rest, load_strip(inverse, 0, blocks), zeros(blocks))
                    length = total(inner_lanes(rest, direction))
                    enough = max(CONVERGED, length * tolerance)
                    if length < enough:
                        break
                    continue
                # What entries add to the curvature is there four times.
                stride = length / total(multiply_add(curvature, spread(np.float32(0.25)), shared))
                store_strip(vectors, x, add_multiple(direction, spread(stride), load_strip(vectors, x, blocks)))
                rest = add_multiple(sums, spread(-stride), load_strip(residual, 0, blocks))
                store_strip(residual, 0, rest)
                downhill = add_product(rest, load_strip(inverse, 0, blocks), zeros(blocks))
                shorter = total(inner_lanes(rest, downhill))
                if shorter < enough:
                    break
                direction, length = add_multiple(direction, spread(shorter / length), downhill), shorter
            while coming < goal:
                prefetch_strip(flat, int(indices[np.uint64(coming)]) * width, blocks)
                coming += 1
        if turning:
            turn_rows(turned, 0, part, back, answers, chunk * width, width, tile)


# Unsigned places spare what Numba does about negative ones: a third of the instructions of these loops.


@jit(inline=True)
def _project(vectors: Floats, offsets: Offsets, j: int, direction: Strip, blocks: Blocks) -> Lanes:
    """Inner products of ``direction`` with the vectors of the entries j to j + 3."""
    return totals_of_four(
        inner_lanes(load_strip(vectors, offsets[np.uint64(j)], blocks), direction),
        inner_lanes(load_strip(vectors, offsets[np.uint64(j + 1)], blocks), direction),
        inner_lanes(load_strip(vectors, offsets[np.uint64(j + 2)], blocks), direction),
        inner_lanes(load_strip(vectors, offsets[np.uint64(j + 3)], blocks), direction),
    )


@jit(inline=True)
def _add_kept(
    vectors: Floats,
    offsets: Offsets,
    j: int,
    surplus: Floats,
    confidence: Floats,
    lead: Lanes,
    direction: Strip,
    sums: Strip,
    curvature: Lanes,
    blocks: Blocks,
) -> tuple[Strip, Lanes]:
    """``sums`` and ``curvature`` with what the entries j to j + 3 add to them."""
    a = load_strip(vectors, offsets[np.uint64(j)], blocks)
    b = load_strip(vectors, offsets[np.uint64(j + 1)], blocks)
    c = load_strip(vectors, offsets[np.uint64(j + 2)], blocks)
    d = load_strip(vectors, offsets[np.uint64(j + 3)], blocks)
    projected = totals_of_four(
        inner_lanes(a, direction), inner_lanes(b, direction), inner_lanes(c, direction), inner_lanes(d, direction)
    )
    weighted = multiply(load_four(surplus, j), projected)
    curvature = multiply_add(weighted, projected, curvature)
    weighted = multiply_add(load_four(confidence, j), lead, weighted)
    sums = add_multiple(a, spread_first(weighted), sums)
    sums = add_multiple(b, spread_second(weighted), sums)
    sums = add_multiple(c, spread_third(weighted), sums)
    sums = add_multiple(d, spread_fourth(weighted), sums)
    return sums, curvature


@jit(inline=True)
def _add_reloaded(
    vectors: Floats,
    offsets: Offsets,
    j: int,
    surplus: Floats,
    confidence: Floats,
    lead: Lanes,
    direction: Strip,
    sums: Strip,
    curvature: Lanes,
    multiples: Floats,
    blocks: Blocks,
) -> tuple[Strip, Lanes]:
    """The same, with ``multiples`` (4 or more) for what the compiler has to keep out of registers."""
    projected = _project(vectors, offsets, j, direction, blocks)
    weighted = multiply(load_four(surplus, j), projected)
    curvature = multiply_add(weighted, projected, curvature)
    # A store comes between the loads, or the compiler would hold all vectors and spill them.
    store_four(multiples, 0, multiply_add(load_four(confidence, j), lead, weighted))
    sums = add_multiple(load_strip(vectors, offsets[np.uint64(j)], blocks), spread_from(multiples, 0), sums)
    sums = add_multiple(load_strip(vectors, offsets[np.uint64(j + 1)], blocks), spread_from(multiples, 1), sums)
    sums = add_multiple(load_strip(vectors, offsets[np.uint64(j + 2)], blocks), spread_from(multiples, 2), sums)
    sums = add_multiple(load_strip(vectors, offsets[np.uint64(j + 3)], blocks), spread_from(multiples, 3), sums)
    return sums, curvature
