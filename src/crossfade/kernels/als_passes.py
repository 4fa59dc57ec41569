"""Products of a vector with many others: the two passes that alternating least squares is made of.

Vectors lie flat in a float32 array, ``width`` numbers each (a multiple of `lanes.WIDTH`), and are named by the
offsets of their first numbers. `project_eight` takes eight of them at a time, because then a load of the
direction serves eight multiplications, and the eight sums that inner products end with cost little more than
one. `combine` keeps its sums in registers over all vectors, in blocks of 32 numbers.
"""

import numpy as np
import numpy.typing as npt

from crossfade.kernels.compile import jit
from crossfade.kernels.lanes import WIDTH, Floats, add, load, multiply_add, spread_from, store, store_totals, zero

EIGHT = 8
"""Vectors that `project_eight` takes."""

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
    k = 0
    while k + 2 * WIDTH <= width:
        left, right = load(combined, combined_at + k), load(combined, combined_at + k + WIDTH)
        other_left = other_right = zero()
        for j in range(0, count, 2):
            even, odd = offsets[first + j] + k, offsets[first + j + 1] + k
            of_even, of_odd = spread_from(multiples, multiples_at + j), spread_from(multiples, multiples_at + j + 1)
            left = multiply_add(load(vectors, even), of_even, left)
            right = multiply_add(load(vectors, even + WIDTH), of_even, right)
            other_left = multiply_add(load(vectors, odd), of_odd, other_left)
            other_right = multiply_add(load(vectors, odd + WIDTH), of_odd, other_right)
        store(combined, combined_at + k, add(left, other_left))
        store(combined, combined_at + k + WIDTH, add(right, other_right))
        k += 2 * WIDTH
    if k < width:
        left, other_left = load(combined, combined_at + k), zero()
        for j in range(0, count, 2):
            even, odd = offsets[first + j] + k, offsets[first + j + 1] + k
            left = multiply_add(load(vectors, even), spread_from(multiples, multiples_at + j), left)
            other_left = multiply_add(load(vectors, odd), spread_from(multiples, multiples_at + j + 1), other_left)
        store(combined, combined_at + k, add(left, other_left))
