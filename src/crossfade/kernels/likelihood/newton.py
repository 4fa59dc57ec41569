"""Rows of a factor model by maximum likelihood: a step of Newton's for each row.

Against fixed vectors y with offsets o, a row with the vector x and the intercept b expects at column c

    z = x·y + o + b      "poisson"   rate w eᶻ, count n:              likelihood n z - w eᶻ
                         "logistic"  n successes and w failures:      n z - (n + w) ln(1 + eᶻ)

and is regularized by (λ/2)‖x‖². Where the intercept is free, a Poisson row is a multinomial one: its best intercept
makes the rates sum to the counts, and what is left is Σ n ln p with the softmax p over all columns. Columns without an
entry in the row have the count 0 and are represented by a sample of them, in which each weighs w as much as one.

A step solves H δ = gradient, H = λI + Σ a (y - ȳ)(y - ȳ)ᵀ with the curvatures a at z and ȳ their mean, by a few
conjugate gradients; the intercept is eliminated, and H looks at the first part of the sample only, since a
direction needs less care than a slope. Along δ the step is halved until the slope there is no steeper than half
the first, so that no step makes a row worse. A row costs O((entries + sample) · f) for each of 3 passes, and
O((entries + part) · 2f) for each conjugate gradient. A row of few entries uses the first part of the sample only,
weighted up: its own counts are then the larger source of error by far.

Johnson, "Logistic matrix factorization for implicit feedback data", NIPS workshop 2014 (the logistic rows).
Baker, "The multinomial-Poisson transformation", The Statistician 43, 1994.
Byrd, Chin, Neveitt & Nocedal, "On the use of stochastic Hessian information in optimization methods for machine
learning", SIAM Journal on Optimization 21, 2011.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from crossfade.kernels.compile import jit
from crossfade.kernels.lanes import (
    WIDTH,
    Floats,
    Lanes,
    add,
    divide,
    exponential,
    load,
    multiply,
    multiply_add,
    scratch,
    spread,
    store,
    total,
    zero,
)
from crossfade.kernels.products import EIGHT, ROWS, Offsets, combine, products, project_eight

CURVED = 4
"""One of so many columns that a row looks at is looked at for the curvature."""

LEAST_CURVED = 128
"""That many are looked at in any case."""

LEAST_SEEN = 256
"""A row looks at so many columns of the sample at least, if there are as many."""

HALVINGS = 12
"""Times that a step is halved at most: one 4096 times too long is still found."""


class Regressions(NamedTuple):
    """The problems of all rows of one half.

    indptr, indices, counts  compressed rows; a column stands once in a row at most
    fixed           (n, width) the vectors y of the columns
    offsets         (n,) o
    by_column       (samples / `lanes.WIDTH`, width, `lanes.WIDTH`) the vectors of some columns, in panels of columns
    by_factor       (width / `lanes.WIDTH`, samples, `lanes.WIDTH`) the same in panels of factors
    sample_offsets  (samples,)
    sample_weights  (samples,) how many columns each stands for, 0 for none
    places          (n,) where a column stands in the sample, -1 for nowhere
    drawn           how many of the sample are columns, before its padding
    per_entry       how many of them, from the first, a row looks at for each of its entries
    penalties       (rows,) λ, > 0
    totals          (rows,) Σ n
    order           the rows in blocks of `products.ROWS`, those of most entries first; the last block repeats one
    rows            how many of ``order`` are not repeated
    logistic        whether rows are logistic, else Poisson
    free            whether rows have an intercept of their own, else it stays what it is
    """

    indptr: npt.NDArray[np.int64]
    indices: npt.NDArray[np.int32]
    counts: Floats
    fixed: Floats
    offsets: Floats
    by_column: Floats
    by_factor: Floats
    sample_offsets: Floats
    sample_weights: Floats
    places: npt.NDArray[np.int32]
    drawn: int
    per_entry: int
    penalties: Floats
    totals: Floats
    order: npt.NDArray[np.int64]
    rows: int
    logistic: bool
    free: bool


@jit
def solve_by_newton(
    first: int,
    last: int,
    problem: Regressions,
    steps: int,
    cg_steps: int,
    stride: np.float32,
    solved: Floats,
    intercepts: Floats,
    gains: npt.NDArray[np.float64],
) -> None:
    """Move the rows of the blocks ``first`` to ``last`` by ``steps`` steps of ``cg_steps`` conjugate gradients each.

    stride      part of the way that is gone in the end, above 0 to 1: less than 1 averages over samples
    solved      (rows, width) starting points, overwritten
    intercepts  (rows,) b, overwritten
    gains       (rows,) overwritten with Σ n z at the end of the way
    """
    indptr, indices, order = problem.indptr, problem.indices, problem.order
    logistic, free, width, samples = problem.logistic, problem.free, solved.shape[1], len(problem.sample_weights)
    most = _multiple(indptr[order[first * ROWS] + 1] - indptr[order[first * ROWS]])
    # An odd number of cache lines, so that the rows of a block do not compete for the same ones.
    apart = WIDTH * ((most + min(samples, max(LEAST_SEEN, problem.per_entry * most))) // WIDTH | 1)
    room = ROWS * apart
    score, along, slope, curvature = scratch(room), scratch(room), scratch(room), scratch(room)
    weight, count = scratch(room), scratch(room)
    x, step, residual = scratch(ROWS * width), scratch(ROWS * width), scratch(ROWS * width)
    direction, product = scratch(ROWS * width), scratch(ROWS * width)
    intercept, curved, lean, length = scratch(ROWS), scratch(ROWS), scratch(ROWS), scratch(ROWS)
    begin, filled = np.zeros(ROWS, dtype=np.int64), np.zeros(ROWS, dtype=np.int64)
    vectors = np.zeros(ROWS * most, dtype=np.int64)
    fixed = problem.fixed.reshape(-1)
    for block in range(first, last):
        # The last block repeats a row until it is full; the products of the repetitions are of zeros, and unused.
        live = min(ROWS, problem.rows - block * ROWS)
        x[live * width :] = 0.0
        step[live * width :] = 0.0
        direction[live * width :] = 0.0
        along[live * apart :] = 0.0
        longest = indptr[order[block * ROWS] + 1] - indptr[order[block * ROWS]]
        own = _multiple(min(samples, max(LEAST_SEEN, problem.per_entry * longest)))
        growth = np.float32(problem.drawn / min(own, problem.drawn))
        part = min(own, max(LEAST_CURVED, _multiple(own // CURVED)))
        boost = np.float32(min(own, problem.drawn) / min(part, problem.drawn))
        # A row's entries end where its part of the sample begins.
        sampled = _multiple(longest)
        for r in range(live):
            row, at = order[block * ROWS + r], r * apart + sampled
            start, entries = indptr[row], indptr[row + 1] - indptr[row]
            begin[r], filled[r] = at - _multiple(entries), entries
            for j in range(begin[r], at):
                inside = j - begin[r] < entries
                entry = start + min(j - begin[r], entries - 1)
                vectors[r * most + j - begin[r]] = np.int64(indices[entry]) * width
                weight[j] = np.float32(1.0) if inside else np.float32(0.0)
                count[j] = problem.counts[entry] if inside else np.float32(0.0)
                along[j] = problem.offsets[indices[entry]]
            for j in range(0, own, WIDTH):
                store(weight, at + j, multiply(load(problem.sample_weights, j), spread(growth)))
                store(along, at + j, load(problem.sample_offsets, j))
                store(count, at + j, zero())
            for entry in range(start, start + entries):
                place = problem.places[indices[entry]]
                if 0 <= place < own:
                    weight[at + place] = 0.0
            intercept[r] = intercepts[row]
            for k in range(width):
                x[r * width + k] = solved[row, k]
        products(x, 0, width, width, problem.by_column, own, score, sampled, apart)
        for r in range(live):
            at, end = begin[r], r * apart + sampled + own
            _project(fixed, vectors, r * most, filled[r], x, r * width, width, score, at)
            for j in range(at, end, WIDTH):
                store(score, j, add(add(load(score, j), load(along, j)), spread(intercept[r])))
                store(along, j, zero())
        for _ in range(steps):
            for r in range(live):
                row, at, middle = order[block * ROWS + r], begin[r], r * apart + sampled
                end, seen = middle + own, middle + part
                if free and not logistic:
                    intercept[r] += _balance(score, weight, problem.totals[row], at, end)
                _weigh(score, along, np.float32(0.0), weight, count, at, end, logistic, slope, curvature)
                # The curvature that directions are found with: of entries, and of a part of the sample for all of it.
                for j in range(middle, seen, WIDTH):
                    store(curvature, j, multiply(load(curvature, j), spread(boost)))
                curved[r] = total(_sum(curvature, at, seen)) if free else np.float32(1.0)
                lean[r] = total(_sum(slope, at, end)) if free else np.float32(0.0)
                # The gradient, without what the intercept takes care of.
                centred = spread(-lean[r] / curved[r])
                for j in range(at, seen, WIDTH):
                    store(along, j, multiply_add(load(curvature, j), centred, load(slope, j)))
                for j in range(seen, end, WIDTH):
                    store(along, j, load(slope, j))
            products(along, sampled, apart, own, problem.by_factor, width, residual, 0, width)
            for r in range(live):
                at, own_x = begin[r], r * width
                penalty = problem.penalties[order[block * ROWS + r]]
                combine(fixed, vectors, r * most, filled[r] + 1 & -2, along, at, width, residual, own_x)
                for k in range(own_x, own_x + width):
                    residual[k] -= penalty * x[k]
                    step[k] = 0.0
                    direction[k] = residual[k]
                length[r] = _inner(residual, own_x, residual, own_x, width)
            for _ in range(cg_steps):
                products(direction, 0, width, width, problem.by_column, part, along, sampled, apart)
                for r in range(live):
                    at, middle, own_x = begin[r], r * apart + sampled, r * width
                    seen = middle + part
                    _project(fixed, vectors, r * most, filled[r], direction, own_x, width, along, at)
                    mean = np.float32(0.0)
                    if free:
                        mean = _inner(curvature, at, along, at, seen - at) / curved[r]
                    for j in range(at, seen, WIDTH):
                        store(along, j, multiply(load(curvature, j), add(load(along, j), spread(-mean))))
                products(along, sampled, apart, part, problem.by_factor, width, product, 0, width)
                for r in range(live):
                    if length[r] < 1e-20:
                        continue
                    at, own_x = begin[r], r * width
                    penalty = problem.penalties[order[block * ROWS + r]]
                    combine(fixed, vectors, r * most, filled[r] + 1 & -2, along, at, width, product, own_x)
                    for k in range(own_x, own_x + width):
                        product[k] += penalty * direction[k]
                    pace = length[r] / _inner(direction, own_x, product, own_x, width)
                    for k in range(own_x, own_x + width):
                        step[k] += pace * direction[k]
                        residual[k] -= pace * product[k]
                    shorter = _inner(residual, own_x, residual, own_x, width)
                    for k in range(own_x, own_x + width):
                        direction[k] = residual[k] + shorter / length[r] * direction[k]
                    length[r] = shorter
            products(step, 0, width, width, problem.by_column, own, along, sampled, apart)
            moved = False
            for r in range(live):
                at, middle, own_x = begin[r], r * apart + sampled, r * width
                end, seen, penalty = middle + own, middle + part, problem.penalties[order[block * ROWS + r]]
                _project(fixed, vectors, r * most, filled[r], step, own_x, width, along, at)
                shift = np.float32(0.0)
                if free:
                    shift = (lean[r] - _inner(curvature, at, along, at, seen - at)) / curved[r]
                    for j in range(at, end, WIDTH):
                        store(along, j, add(load(along, j), spread(shift)))
                pulled = penalty * _inner(x, own_x, step, own_x, width)
                pulling = penalty * _inner(step, own_x, step, own_x, width)
                steepness = _inner(slope, at, along, at, end - at) - pulled
                if not steepness > 0:
                    continue
                moved, share = True, np.float32(1.0)
                for _ in range(HALVINGS):
                    _weigh(score, along, share, weight, count, at, end, logistic, slope, curvature)
                    ahead = _inner(slope, at, along, at, end - at) - pulled - share * pulling
                    if ahead >= np.float32(-0.5) * steepness:
                        break
                    share *= np.float32(0.5)
                for k in range(own_x, own_x + width):
                    x[k] += share * step[k]
                intercept[r] += share * shift
                for j in range(at, end, WIDTH):
                    store(score, j, multiply_add(load(along, j), spread(share), load(score, j)))
            if not moved:
                break
        for r in range(live):
            row, at, middle = order[block * ROWS + r], begin[r], r * apart + sampled
            if free and not logistic:
                intercept[r] += _balance(score, weight, problem.totals[row], at, middle + own)
            gains[row] = _inner(count, at, score, at, middle - at)
            for k in range(width):
                solved[row, k] += stride * (x[r * width + k] - solved[row, k])
            intercepts[row] += stride * (intercept[r] - intercepts[row])


@jit(inline=True)
def _multiple(count: int) -> int:
    """The least multiple of `lanes.WIDTH` that is ``count`` or more."""
    return -(-count // WIDTH) * WIDTH


@jit
def _project(
    flat: Floats,
    offsets: Offsets,
    first: int,
    count: int,
    x: Floats,
    x_at: int,
    width: int,
    written: Floats,
    written_at: int,
) -> None:
    """Inner products of ``x`` with ``count`` vectors, and with some more up to a multiple of `EIGHT`."""
    for j in range(0, count, EIGHT):
        project_eight(flat, offsets, first + j, x, x_at, width, written, written_at + j)


@jit(inline=True)
def _weigh(
    score: Floats,
    along: Floats,
    part: np.float32,
    weight: Floats,
    count: Floats,
    first: int,
    last: int,
    logistic: bool,
    slope: Floats,
    curvature: Floats,
) -> None:
    """The likelihood's first two derivatives by z, the second with its sign turned, at score + part · along."""
    one = spread(np.float32(1.0))
    for j in range(first, last, WIDTH):
        grown = exponential(multiply_add(load(along, j), spread(part), load(score, j)))
        expected, curved = grown, grown
        trials = load(weight, j)
        if logistic:
            trials = add(trials, load(count, j))
            below = add(grown, one)
            expected = divide(grown, below)
            curved = divide(expected, below)
        store(slope, j, multiply_add(multiply(trials, expected), spread(np.float32(-1.0)), load(count, j)))
        store(curvature, j, multiply(trials, curved))


@jit(inline=True)
def _balance(score: Floats, weight: Floats, whole: np.float32, first: int, last: int) -> np.float32:
    """Move all scores so that the rates sum to the counts, ``whole``; return by how much."""
    sums = zero()
    for j in range(first, last, WIDTH):
        sums = multiply_add(load(weight, j), exponential(load(score, j)), sums)
    shift: np.float32 = np.log(whole / total(sums))
    for j in range(first, last, WIDTH):
        store(score, j, add(load(score, j), spread(shift)))
    return shift


@jit(inline=True)
def _sum(numbers: Floats, first: int, last: int) -> Lanes:
    sums = zero()
    for j in range(first, last, WIDTH):
        sums = add(load(numbers, j), sums)
    return sums


@jit(inline=True)
def _inner(first: Floats, first_at: int, second: Floats, second_at: int, size: int) -> np.float32:
    sums = zero()
    for j in range(0, size, WIDTH):
        sums = multiply_add(load(first, first_at + j), load(second, second_at + j), sums)
    return total(sums)
