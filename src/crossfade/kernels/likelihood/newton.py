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
from crossfade.kernels.products import EIGHT, Offsets, combine, project_eight

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
    sample          (samples, width) the vectors of some columns, a multiple of `lanes.WIDTH` of them
    sample_offsets  (samples,)
    sample_weights  (samples,) how many columns each stands for, 0 for none
    places          (n,) where a column stands in the sample, -1 for nowhere
    drawn           how many of the sample are columns, before its padding
    per_entry       how many of them, from the first, a row looks at for each of its entries
    penalties       (rows,) λ, > 0
    logistic        whether rows are logistic, else Poisson
    free            whether rows have an intercept of their own, else it stays what it is
    """

    indptr: npt.NDArray[np.int64]
    indices: npt.NDArray[np.int32]
    counts: Floats
    fixed: Floats
    offsets: Floats
    sample: Floats
    sample_offsets: Floats
    sample_weights: Floats
    places: npt.NDArray[np.int32]
    drawn: int
    per_entry: int
    penalties: Floats
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
    """Move the rows ``first`` to ``last`` by ``steps`` steps of ``cg_steps`` conjugate gradients each.

    stride      part of the way that is gone in the end, above 0 to 1: less than 1 averages over samples
    solved      (rows, width) starting points, overwritten; a row without counts becomes zero
    intercepts  (rows,) b, overwritten; that of a row without counts is left as it is
    gains       (rows,) overwritten with Σ n z at the end of the way
    """
    indptr, indices, counts, places = problem.indptr, problem.indices, problem.counts, problem.places
    width, samples = solved.shape[1], len(problem.sample_weights)
    longest = 0
    for row in range(first, last):
        longest = max(longest, indptr[row + 1] - indptr[row])
    room = longest + 2 * WIDTH + samples
    score, along, weight, count = scratch(room), scratch(room), scratch(room), scratch(room)
    slope, curvature = scratch(room), scratch(room)
    x, step, residual = scratch(width), scratch(width), scratch(width)
    direction, product = scratch(width), scratch(width)
    offsets = np.zeros(room, dtype=np.int64)
    sampled = np.empty(samples, dtype=np.int64)
    for j in range(samples):
        sampled[j] = j * width
    flat, drawn = problem.fixed.reshape(-1), problem.sample.reshape(-1)
    logistic, free = problem.logistic, problem.free
    for row in range(first, last):
        start, entries = indptr[row], indptr[row + 1] - indptr[row]
        rounded = _multiple(entries)
        own = _multiple(min(samples, max(LEAST_SEEN, problem.per_entry * entries)))
        growth = np.float32(problem.drawn / min(own, problem.drawn))
        part_seen = min(own, max(LEAST_CURVED, _multiple(own // CURVED)))
        boost = np.float32(min(own, problem.drawn) / min(part_seen, problem.drawn))
        size, seen = rounded + own, rounded + part_seen
        whole = np.float32(0.0)
        for j in range(entries):
            whole += counts[start + j]
        if whole <= 0:
            solved[row] = 0.0
            gains[row] = 0.0
            continue
        intercept, penalty = intercepts[row], problem.penalties[row]
        for j in range(rounded):
            inside = j < entries
            column = indices[start + min(j, entries - 1)]
            offsets[j] = np.int64(column) * width
            weight[j] = np.float32(1.0) if inside else np.float32(0.0)
            count[j] = counts[start + j] if inside else np.float32(0.0)
            along[j] = problem.offsets[column]
        for j in range(own):
            weight[rounded + j] = growth * problem.sample_weights[j]
            along[rounded + j] = problem.sample_offsets[j]
        count[rounded:size] = 0.0
        for j in range(entries):
            place = places[indices[start + j]]
            if 0 <= place < own:
                weight[rounded + place] = 0.0
        for k in range(width):
            x[k] = solved[row, k]
        _project(flat, offsets, rounded, drawn, sampled, own, x, width, score)
        for j in range(0, size, WIDTH):
            store(score, j, add(add(load(score, j), load(along, j)), spread(intercept)))
            store(along, j, zero())
        for _ in range(steps):
            if free and not logistic:
                intercept += _balance(score, weight, whole, size)
            _weigh(score, along, np.float32(0.0), weight, count, size, logistic, slope, curvature)
            # The curvature that directions are found with: of the entries, and of a part of the sample for all of it.
            for j in range(rounded, seen, WIDTH):
                store(curvature, j, multiply(load(curvature, j), spread(boost)))
            curved = total(_sum(curvature, 0, seen)) if free else np.float32(1.0)
            lean = total(_sum(slope, 0, size)) if free else np.float32(0.0)
            _steepest(
                flat,
                offsets,
                rounded,
                drawn,
                sampled,
                own,
                seen,
                slope,
                curvature,
                lean / curved,
                along,
                x,
                penalty,
                width,
                residual,
            )
            for k in range(width):
                step[k] = 0.0
                direction[k] = residual[k]
            length = _inner(residual, residual, width)
            for _ in range(cg_steps):
                if length < 1e-20:
                    break
                for k in range(width):
                    product[k] = penalty * direction[k]
                _project(flat, offsets, rounded, drawn, sampled, part_seen, direction, width, along)
                mean = np.float32(0.0)
                if free:
                    mean = _inner(curvature, along, seen) / curved
                for j in range(0, seen, WIDTH):
                    store(along, j, multiply(load(curvature, j), add(load(along, j), spread(-mean))))
                _combine(flat, offsets, rounded, drawn, sampled, part_seen, along, width, product)
                pace = length / _inner(direction, product, width)
                for k in range(width):
                    step[k] += pace * direction[k]
                    residual[k] -= pace * product[k]
                shorter = _inner(residual, residual, width)
                for k in range(width):
                    direction[k] = residual[k] + shorter / length * direction[k]
                length = shorter
            _project(flat, offsets, rounded, drawn, sampled, own, step, width, along)
            shift = np.float32(0.0)
            if free:
                shift = (lean - _inner(curvature, along, seen)) / curved
                for j in range(0, size, WIDTH):
                    store(along, j, add(load(along, j), spread(shift)))
            pulled, pulling = penalty * _inner(x, step, width), penalty * _inner(step, step, width)
            steepness = _inner(slope, along, size) - pulled
            if not steepness > 0:
                break
            part = np.float32(1.0)
            for _ in range(HALVINGS):
                _weigh(score, along, part, weight, count, size, logistic, slope, curvature)
                if _inner(slope, along, size) - pulled - part * pulling >= np.float32(-0.5) * steepness:
                    break
                part *= np.float32(0.5)
            for k in range(width):
                x[k] += part * step[k]
            intercept += part * shift
            for j in range(0, size, WIDTH):
                store(score, j, multiply_add(load(along, j), spread(part), load(score, j)))
        if free and not logistic:
            intercept += _balance(score, weight, whole, size)
        gains[row] = _inner(count, score, rounded)
        for k in range(width):
            solved[row, k] += stride * (x[k] - solved[row, k])
        intercepts[row] += stride * (intercept - intercepts[row])


@jit(inline=True)
def _multiple(count: int) -> int:
    """The least multiple of `lanes.WIDTH` that is ``count`` or more."""
    return -(-count // WIDTH) * WIDTH


@jit(inline=True)
def _project(
    flat: Floats,
    offsets: Offsets,
    rounded: int,
    drawn: Floats,
    sampled: Offsets,
    samples: int,
    x: Floats,
    width: int,
    written: Floats,
) -> None:
    """Inner products of ``x`` with the entries' vectors and the first ``samples`` of the sample."""
    for j in range(0, rounded, EIGHT):
        project_eight(flat, offsets, j, x, 0, width, written, j)
    for j in range(0, samples, EIGHT):
        project_eight(drawn, sampled, j, x, 0, width, written, rounded + j)


@jit(inline=True)
def _combine(
    flat: Floats,
    offsets: Offsets,
    rounded: int,
    drawn: Floats,
    sampled: Offsets,
    samples: int,
    multiples: Floats,
    width: int,
    combined: Floats,
) -> None:
    """Add to ``combined`` the entries' vectors and the first ``samples`` of the sample, times ``multiples``."""
    combine(flat, offsets, 0, rounded, multiples, 0, width, combined, 0)
    combine(drawn, sampled, 0, samples, multiples, rounded, width, combined, 0)


@jit(inline=True)
def _steepest(
    flat: Floats,
    offsets: Offsets,
    rounded: int,
    drawn: Floats,
    sampled: Offsets,
    samples: int,
    seen: int,
    slope: Floats,
    curvature: Floats,
    lean: np.float32,
    multiples: Floats,
    x: Floats,
    penalty: np.float32,
    width: int,
    residual: Floats,
) -> None:
    """The gradient, without what the intercept takes care of."""
    for j in range(0, seen, WIDTH):
        store(multiples, j, multiply_add(load(curvature, j), spread(-lean), load(slope, j)))
    for j in range(seen, rounded + samples, WIDTH):
        store(multiples, j, load(slope, j))
    for k in range(width):
        residual[k] = -penalty * x[k]
    _combine(flat, offsets, rounded, drawn, sampled, samples, multiples, width, residual)


@jit(inline=True)
def _weigh(
    score: Floats,
    along: Floats,
    part: np.float32,
    weight: Floats,
    count: Floats,
    size: int,
    logistic: bool,
    slope: Floats,
    curvature: Floats,
) -> None:
    """The likelihood's first two derivatives by z, the second with its sign turned, at score + part · along."""
    one = spread(np.float32(1.0))
    for j in range(0, size, WIDTH):
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
def _balance(score: Floats, weight: Floats, whole: np.float32, size: int) -> np.float32:
    """Move all scores so that the rates sum to the counts, ``whole``; return by how much."""
    sums = zero()
    for j in range(0, size, WIDTH):
        sums = multiply_add(load(weight, j), exponential(load(score, j)), sums)
    shift: np.float32 = np.log(whole / total(sums))
    for j in range(0, size, WIDTH):
        store(score, j, add(load(score, j), spread(shift)))
    return shift


@jit(inline=True)
def _sum(numbers: Floats, first: int, last: int) -> Lanes:
    sums = zero()
    for j in range(first, last, WIDTH):
        sums = add(load(numbers, j), sums)
    return sums


@jit(inline=True)
def _inner(first: Floats, second: Floats, size: int) -> np.float32:
    sums = zero()
    for j in range(0, size, WIDTH):
        sums = multiply_add(load(first, j), load(second, j), sums)
    return total(sums)
