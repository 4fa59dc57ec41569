"""Products of a vector with many others: the two passes that alternating least squares is made of.

Vectors lie flat in a float32 array, ``width`` numbers each (a multiple of `lanes.WIDTH`), and are named by the
offsets of their first numbers. `project_eight` takes eight of them at a time, because then a load of the
direction serves eight multiplications, and the eight sums that inner products end with cost little more than
one. `combine` keeps its sums in registers over all vectors, in blocks of up to four lanes; even and odd vectors have
sums of their own, so that no multiplication waits for the one before.
"""

import numpy as np
import numpy.typing as npt

from crossfade.kernels.compile import jit
from crossfade.kernels.lanes import WIDTH, Floats, add, load, multiply_add, spread_from, store, store_totals, zero
from crossfade.kernels.strips import add_spread, store_apart, zeros

EIGHT = 8
"""Vectors that `project_eight` takes."""

ROWS = 8
"""Rows that `products` takes."""

Offsets = npt.NDArray[np.int64]


@jit(inline=True)
def project_eight(
    vectors: Floats,
    offsets: Offsets,
    at: int,
    direction: Floats,
    direction_at: int,
    width: int,
    projections: Floats,
    projections_at: int,
) -> None:
    """Write to projections[at : at + 8] inner products of ``direction`` with those at offsets[at : at + 8]."""
    a, b, c, d = offsets[at], offsets[at + 1], offsets[at + 2], offsets[at + 3]
    e, f, g, h = offsets[at + 4], offsets[at + 5], offsets[at + 6], offsets[at + 7]
    sum_a = sum_b = sum_c = sum_d = sum_e = sum_f = sum_g = sum_h = zero()
    for k in range(0, width, WIDTH):
        along = load(direction, direction_at + k)
        sum_a = multiply_add(load(vectors, a + k), along, sum_a)
        sum_b = multiply_add(load(vectors, b + k), along, sum_b)
        sum_c = multiply_add(load(vectors, c + k), along, sum_c)
        sum_d = multiply_add(load(vectors, d + k), along, sum_d)
        sum_e = multiply_add(load(vectors, e + k), along, sum_e)
        sum_f = multiply_add(load(vectors, f + k), along, sum_f)
        sum_g = multiply_add(load(vectors, g + k), along, sum_g)
        sum_h = multiply_add(load(vectors, h + k), along, sum_h)
    store_totals(projections, projections_at, sum_a, sum_b, sum_c, sum_d, sum_e, sum_f, sum_g, sum_h)


@jit(inline=True)
def combine(
    vectors: Floats,
    offsets: Offsets,
    first: int,
    count: int,
    multiples: Floats,
    multiples_at: int,
    width: int,
    combined: Floats,
    combined_at: int,
) -> None:
    """Add to ``combined`` Σ multiples[j] · (the vector at offsets[first + j]) over j < ``count``, an even number."""
    for k in range(0, width, 4 * WIDTH):
        start = combined_at + k
        second, third, fourth = k + WIDTH < width, k + 2 * WIDTH < width, k + 3 * WIDTH < width
        even_a = load(combined, start)
        even_b = even_c = even_d = odd_a = odd_b = odd_c = odd_d = zero()
        if second:
            even_b = load(combined, start + WIDTH)
        if third:
            even_c = load(combined, start + 2 * WIDTH)
        if fourth:
            even_d = load(combined, start + 3 * WIDTH)
        for j in range(0, count, 2):
            even, odd = offsets[first + j] + k, offsets[first + j + 1] + k
            of_even, of_odd = spread_from(multiples, multiples_at + j), spread_from(multiples, multiples_at + j + 1)
            even_a = multiply_add(load(vectors, even), of_even, even_a)
            odd_a = multiply_add(load(vectors, odd), of_odd, odd_a)
            if second:
                even_b = multiply_add(load(vectors, even + WIDTH), of_even, even_b)
                odd_b = multiply_add(load(vectors, odd + WIDTH), of_odd, odd_b)
            if third:
                even_c = multiply_add(load(vectors, even + 2 * WIDTH), of_even, even_c)
                odd_c = multiply_add(load(vectors, odd + 2 * WIDTH), of_odd, odd_c)
            if fourth:
                even_d = multiply_add(load(vectors, even + 3 * WIDTH), of_even, even_d)
                odd_d = multiply_add(load(vectors, odd + 3 * WIDTH), of_odd, odd_d)
        store(combined, start, add(even_a, odd_a))
        if second:
            store(combined, start + WIDTH, add(even_b, odd_b))
        if third:
            store(combined, start + 2 * WIDTH, add(even_c, odd_c))
        if fourth:
            store(combined, start + 3 * WIDTH, add(even_d, odd_d))


@jit
def products(
    numbers: Floats,
    at: int,
    apart: int,
    terms: int,
    panels: Floats,
    columns: int,
    written: Floats,
    written_at: int,
    written_apart: int,
) -> None:
    """Write the product of a matrix (`ROWS`, terms) and the first part (terms, columns) of one that lies in panels.

    Rows of the first begin at ``at`` in ``numbers``, ``apart`` from each other, and likewise those that are written.
    ``panels`` (n, at least terms, `lanes.WIDTH`) has `lanes.WIDTH` columns in each panel.
    """
    flat, whole = panels.reshape(-1), panels.shape[1] * WIDTH
    for panel in range(columns // WIDTH):
        sums = zeros((0, 0, 0, 0, 0, 0, 0, 0))
        for term in range(terms):
            sums = add_spread(numbers, at + term, apart, load(flat, panel * whole + term * WIDTH), sums)
        store_apart(written, written_at + panel * WIDTH, written_apart, sums)
