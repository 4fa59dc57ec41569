"""Rows of alternating least squares solved exactly.

For a row, with the fixed vectors yⱼ of its entries, their confidences cⱼ and surpluses aⱼ:

    A = G + λI + Σⱼ aⱼ yⱼyⱼᵀ = UᵀU,    Uᵀz = Σⱼ cⱼ yⱼ,    U x = z

A row costs O(entries · f² / 2 + f³ / 6). Only the upper half of A is ever formed, in tiles of eight rows by
32 columns that stay in registers while the entries pass; sixteen rows of it at a time are factored by `pivots`, and
then taken from those below as if they were entries.
"""

import numpy as np

from crossfade.kernels.als.equations import Equations
from crossfade.kernels.als.pivots import PANEL_FLOATS, eliminate_beside, factor_corner, solve_corner
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
    spread_from,
    store,
)
from crossfade.kernels.products import EIGHT, Offsets, project_eight
from crossfade.kernels.strips import Blocks, add_multiple, load_strip, store_strip, zeros

BLOCK_FLOATS = 8192
"""Numbers of the vectors that are added at a time: as much as a first-level cache holds."""

LEAST_BLOCK = 32
"""Vectors that are added at a time at least, however wide: loading and storing the tiles has to pay."""

ONE, TWO = (0,), (0, 0)
"""How many lanes a tile is wide."""

LOOK_AHEAD = 16
"""Entries between prefetching a vector and using it."""

LEAST_PIVOT = np.float32(1e-7)
"""Part of a diagonal element that is left at least: below it, float32 cannot tell a remainder from zero."""

Work = tuple[Floats, Floats, Floats, Floats, Offsets]
"""What `factor_and_solve` works in, from `room_for`."""


@jit
def add_outer_products(
    vectors: Floats, first: int, count: int, width: int, terms: Floats, matrix: Floats, start: int, sign: np.float32
) -> None:
    """Make matrix (width, width) ``terms`` + sign · Σ yyᵀ over the ``count`` vectors that lie from ``first`` on.

    Only the upper half from row ``start`` on, a multiple of sixteen. ``terms`` may be the matrix itself.
    """
    signs = spread(sign)
    for row in range(start, width, EIGHT):
        left = row // WIDTH * WIDTH
        # Two lanes at a time serve each number that is spread twice; where their number is odd, one is by itself.
        if (width - left) % (2 * WIDTH):
            _add_tile(vectors, first, count, width, terms, matrix, row, left, signs, ONE)
            left += WIDTH
        for column in range(left, width, 2 * WIDTH):
            _add_tile(vectors, first, count, width, terms, matrix, row, column, signs, TWO)


@jit(inline=True)
def _add_tile(
    vectors: Floats,
    first: int,
    count: int,
    width: int,
    terms: Floats,
    matrix: Floats,
    row: int,
    column: int,
    signs: Lanes,
    tile: Blocks,
) -> None:
    """The part of `add_outer_products` in eight rows, as many lanes as ``tile`` has from ``column`` on."""
    sum_a = sum_b = sum_c = sum_d = sum_e = sum_f = sum_g = sum_h = zeros(tile)
    for at in range(first, first + count * width, width):
        across, down = load_strip(vectors, at + column, tile), at + row
        sum_a = add_multiple(across, spread_from(vectors, down), sum_a)
        sum_b = add_multiple(across, spread_from(vectors, down + 1), sum_b)
        sum_c = add_multiple(across, spread_from(vectors, down + 2), sum_c)
        sum_d = add_multiple(across, spread_from(vectors, down + 3), sum_d)
        sum_e = add_multiple(across, spread_from(vectors, down + 4), sum_e)
        sum_f = add_multiple(across, spread_from(vectors, down + 5), sum_f)
        sum_g = add_multiple(across, spread_from(vectors, down + 6), sum_g)
        sum_h = add_multiple(across, spread_from(vectors, down + 7), sum_h)
    at = row * width + column
    store_strip(matrix, at, add_multiple(sum_a, signs, load_strip(terms, at, tile)))
    at += width
    store_strip(matrix, at, add_multiple(sum_b, signs, load_strip(terms, at, tile)))
    at += width
    store_strip(matrix, at, add_multiple(sum_c, signs, load_strip(terms, at, tile)))
    at += width
    store_strip(matrix, at, add_multiple(sum_d, signs, load_strip(terms, at, tile)))
    at += width
    store_strip(matrix, at, add_multiple(sum_e, signs, load_strip(terms, at, tile)))
    at += width
    store_strip(matrix, at, add_multiple(sum_f, signs, load_strip(terms, at, tile)))
    at += width
    store_strip(matrix, at, add_multiple(sum_g, signs, load_strip(terms, at, tile)))
    at += width
    store_strip(matrix, at, add_multiple(sum_h, signs, load_strip(terms, at, tile)))


@jit
def add_gram(vectors: Floats, first: int, last: int, matrix: Floats) -> None:
    """Add to matrix (width, width) Σ yyᵀ, upper half only, over the rows ``first`` to ``last`` of ``vectors``."""
    width = vectors.shape[1]
    block = max(LEAST_BLOCK, BLOCK_FLOATS // width)
    flat, upper = vectors.reshape(-1), matrix.reshape(-1)
    for row in range(first, last, block):
        add_outer_products(flat, row * width, min(block, last - row), width, upper, upper, 0, np.float32(1.0))


@jit
def solve_by_factoring(
    first: int,
    last: int,
    equations: Equations,
    solved: Floats,
) -> None:
    """Solve the rows ``first`` to ``last`` of ``solved`` (rows, width).

    A row without entries becomes zero, unless a coordinate is frozen.
    """
    indptr, penalties, width = equations.indptr, equations.penalties, solved.shape[1]
    vectors, matrix, right = scratch(block_of(width) * width), scratch(width * width), scratch(width)
    work, shared = room_for(width), equations.gram.reshape(-1)
    for row in range(first, last):
        if indptr[row] == indptr[row + 1] and equations.frozen < 0:
            solved[row, :] = 0.0
            continue
        right[:] = 0.0
        add_entries(equations, indptr[row], indptr[row + 1], indptr[last], width, shared, vectors, matrix, right)
        factor_and_solve(matrix, right, penalties[row], int(equations.frozen), work, solved[row])


@jit(inline=True)
def block_of(width: int) -> int:
    """How many vectors are added at a time."""
    return max(LEAST_BLOCK, BLOCK_FLOATS // width)


@jit(inline=True)
def room_for(width: int) -> Work:
    """The arrays of a thread for vectors of this ``width``."""
    numbers, offsets = scratch(WIDTH), np.zeros(WIDTH, dtype=np.int64)
    return scratch(width), scratch(width), scratch(PANEL_FLOATS), numbers, offsets


@jit(inline=True)
def add_entries(
    equations: Equations,
    start: int,
    stop: int,
    end: int,
    width: int,
    shared: Floats,
    vectors: Floats,
    matrix: Floats,
    right: Floats,
) -> None:
    """Make ``matrix`` ``shared`` + Σ aⱼ yⱼyⱼᵀ, and add Σ cⱼ yⱼ to ``right``, over the entries ``start`` to ``stop``."""
    indices, weights, alpha, counted = equations.indices, equations.weights, equations.alpha, equations.counted
    flat, block = equations.fixed.reshape(-1), block_of(width)
    # Once at least: it is the first addition that brings G in.
    for begin in range(start, max(stop, start + 1), block):
        count = min(block, stop - begin)
        for j in range(count):
            ahead = int(indices[min(begin + j + LOOK_AHEAD, end - 1)]) * width
            origin = int(indices[begin + j]) * width
            weight = weights[begin + j]
            played = weight > 0
            confidence = spread(alpha * weight + np.float32(1.0) if played else np.float32(0.0))
            # Of the surplus, each of the two factors of an outer product takes the root.
            root = spread(np.sqrt(alpha * weight + counted) if played else np.float32(0.0))
            for k in range(0, width, WIDTH):
                prefetch(flat, ahead + k)
                part = load(flat, origin + k)
                store(vectors, j * width + k, multiply(part, root))
                store(right, k, multiply_add(part, confidence, load(right, k)))
        terms = shared if begin == start else matrix
        add_outer_products(vectors, 0, count, width, terms, matrix, 0, np.float32(1.0))


@jit(inline=True)
def factor_and_solve(matrix: Floats, right: Floats, penalty: np.float32, frozen: int, work: Work, x: Floats) -> None:
    """Solve (``matrix`` + λI) x = ``right``; the upper half of the matrix counts, and is overwritten."""
    width = len(right)
    least, answer, panel, numbers, offsets = work
    for k in range(width):
        matrix[k * width + k] += penalty
    if frozen >= 0:
        _freeze(matrix, width, right, frozen, x[frozen], np.float32(2.0) * penalty)
    for k in range(width):
        # Exactly, no pivot falls below λ.
        least[k] = max(penalty, LEAST_PIVOT * matrix[k * width + k])
    _factor(matrix, width, least, right, answer, panel)
    _substitute_back(matrix, width, answer, numbers, offsets, x)


@jit
def _freeze(matrix: Floats, width: int, right: Floats, frozen: int, value: np.float32, pivot: np.float32) -> None:
    """Make the coordinate ``frozen`` of the solution ``value``, and the others what they are beside it.

    ``pivot`` is any number that is well above the least one.
    """
    for k in range(width):
        at = min(k, frozen) * width + max(k, frozen)
        right[k] -= matrix[at] * value
        matrix[at] = 0.0
    matrix[frozen * width + frozen] = pivot
    right[frozen] = pivot * value


@jit
def _factor(matrix: Floats, width: int, least: Floats, right: Floats, answer: Floats, panel: Floats) -> None:
    """Overwrite the upper half of ``matrix`` with U, and ``answer`` with z of Uᵀz = ``right``.

    On the diagonal stand reciprocals, because that is what they are needed for. ``least`` (width,) bounds the pivots
    from below.
    """
    for top in range(0, width, WIDTH):
        at = top * width
        factor_corner(matrix, at + top, width, least, right, top, panel, answer)
        for left in range(top + WIDTH, width, WIDTH):
            eliminate_beside(matrix, at + left, width, panel, right, left)
        add_outer_products(matrix, at, WIDTH, width, matrix, matrix, top + WIDTH, np.float32(-1.0))


@jit
def _substitute_back(matrix: Floats, width: int, answer: Floats, numbers: Floats, offsets: Offsets, x: Floats) -> None:
    """Solve U x = ``answer``; the diagonal of ``matrix`` has the reciprocals of U's."""
    for top in range(width - WIDTH, -1, -WIDTH):
        behind = top + WIDTH
        for m in range(WIDTH):
            offsets[m] = (top + m) * width + behind
        for m in range(0, WIDTH, EIGHT):
            project_eight(matrix, offsets, m, x, behind, width - behind, numbers, m)
        solve_corner(matrix, top * width + top, width, numbers, answer, x, top)
