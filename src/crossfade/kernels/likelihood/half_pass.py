"""Factor models by maximum likelihood over arrays: one half-pass on several processors, and samples of columns.

Rows are solved one by one against fixed columns, as `crossfade.kernels.likelihood.newton` says. What a row has no
entry in is known by one sample of columns that all rows share. Results are the same bytes on one processor and on
many: each row is solved alone.
"""

from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from crossfade.core.csr import CSR
from crossfade.kernels.lanes import WIDTH, Floats, aligned, padded
from crossfade.kernels.likelihood.newton import LEAST_SEEN, Regressions, solve_by_newton
from crossfade.kernels.products import ROWS
from crossfade.kernels.threads import Range, balanced, each
from crossfade.kernels.transposing import constant

Link = Literal["poisson", "logistic"]


class Sample(NamedTuple):
    """Distinct columns, and how many each stands for.

    columns  (samples,) int32
    weights  (samples,) float32, >= 1: one over the chance that the column had to be drawn
    """

    columns: npt.NDArray[np.int32]
    weights: Floats


def sample_of(masses: npt.NDArray[np.float64], size: int, rng: np.random.Generator) -> Sample:
    """Up to ``size`` columns in random order, drawn by their ``masses`` (n,) >= 0; all of them if there are no more.

    A column's chance follows its mass, but is never above 1, where it is drawn for certain. With weights of one
    over the chance any sum over columns is estimated without bias; this is what is called the correction by the
    logarithm of the proposal where weights stand within an exponential.

    Horvitz & Thompson, "A generalization of sampling without replacement from a finite universe", 1952; drawn
    systematically from a random order (Madow 1949).
    """
    columns = len(masses)
    if columns <= size:
        return Sample(rng.permutation(columns).astype(np.int32), np.ones(columns, dtype=np.float32))
    chances = _chances(masses, size)
    order = rng.permutation(columns)
    reached = np.floor(np.cumsum(chances[order]) + rng.random())
    chosen = order[np.diff(reached, prepend=0.0) >= 1]
    return Sample(chosen.astype(np.int32), (1 / chances[chosen]).astype(np.float32))


class LaidOut(NamedTuple):
    """A sample of columns as `solve_rows` reads it, for the same columns again and again; see `laid_out`."""

    by_column: Floats
    by_factor: Floats
    offsets: Floats
    weights: Floats
    places: npt.NDArray[np.int32]  # (n,) of the columns in the sample, -1 for others
    samples: int


def laid_out(fixed: Floats, offsets: Floats, sample: Sample) -> LaidOut:
    """Return a ``sample`` of the columns ``fixed`` (n, width) with ``offsets`` (n,), laid out for `solve_rows`."""
    columns, width = fixed.shape
    count = len(sample.columns)
    room = padded(count)
    vectors, sample_offsets, sample_weights = aligned(room, width), aligned(room), aligned(room)
    vectors[:count] = fixed[sample.columns]
    sample_offsets[:count] = offsets[sample.columns]
    sample_weights[:count] = sample.weights
    places = np.full(columns, -1, dtype=np.int32)
    places[sample.columns] = np.arange(count, dtype=np.int32)
    by_column, by_factor = aligned(room // WIDTH, width, WIDTH), aligned(width // WIDTH, room, WIDTH)
    by_column[:] = vectors.reshape(room // WIDTH, WIDTH, width).transpose(0, 2, 1)
    by_factor[:] = vectors.reshape(room, width // WIDTH, WIDTH).transpose(1, 0, 2)
    return LaidOut(by_column, by_factor, sample_offsets, sample_weights, places, count)


def solve_rows(
    half: CSR,
    fixed: Floats,
    offsets: Floats,
    solved: Floats,
    intercepts: Floats,
    *,
    penalties: npt.NDArray[np.float64],
    sample: Sample | LaidOut,
    link: Link,
    free: bool = True,
    steps: int = 1,
    cg_steps: int = 4,
    stride: float = 1.0,
    per_entry: int | None = None,
    threads: int = 1,
) -> npt.NDArray[np.float64]:
    """Improve rows against ``fixed`` (n, width), in ``solved`` (rows, width) and ``intercepts`` (rows,).

    offsets    (n,) o
    penalties  (rows,) λ, > 0
    sample     of the n columns
    free       whether the intercepts are improved too
    steps      Newton steps of ``cg_steps`` conjugate gradients each
    stride     part of the way that is gone in the end, above 0 to 1
    per_entry  columns of the sample that a row looks at for each of its entries, `newton.LEAST_SEEN` at least;
               None: all of them

    Gives back (rows,) Σ n z at the end of the whole way. Vectors come from `lanes.aligned`, padded with zeros to a
    multiple of `lanes.WIDTH`, and stay so.
    """
    laid = sample if isinstance(sample, LaidOut) else laid_out(fixed, offsets, sample)
    room = len(laid.offsets)
    totals, entries = totals_of(half), np.diff(half.indptr)
    solved[totals <= 0] = 0.0
    rows = np.flatnonzero(totals > 0)
    rows = rows[np.argsort(-entries[rows], kind="stable")]
    order = np.pad(rows, (0, -len(rows) % ROWS), mode="edge") if len(rows) else rows
    gains = np.zeros(half.rows)
    seen = room if per_entry is None else per_entry
    problem = Regressions(
        constant(half.indptr),
        constant(half.indices),
        constant(half.values),
        constant(fixed),
        constant(np.ascontiguousarray(offsets, dtype=np.float32)),
        constant(laid.by_column),
        constant(laid.by_factor),
        constant(laid.offsets),
        constant(laid.weights),
        constant(laid.places),
        laid.samples,
        seen,
        constant(penalties.astype(np.float32)),
        constant(totals.astype(np.float32)),
        constant(order),
        len(rows),
        link == "logistic",
        free,
    )

    def solve(piece: Range) -> None:
        solve_by_newton(*piece, problem, steps, cg_steps, np.float32(stride), solved, intercepts, gains)

    costs = entries[order] + np.clip(seen * entries[order], LEAST_SEEN, room)
    each(solve, balanced(np.concatenate(([0], np.cumsum(costs.reshape(-1, ROWS).sum(1)))), 0), threads)
    return gains


def totals_of(half: CSR) -> npt.NDArray[np.float64]:
    """(rows,) the sum of the counts of each row."""
    totals = np.zeros(half.rows)
    filled = np.diff(half.indptr) > 0
    if filled.any():
        totals[filled] = np.add.reduceat(half.values, half.indptr[:-1][filled], dtype=np.float64)
    return totals


def _chances(masses: npt.NDArray[np.float64], size: int) -> npt.NDArray[np.float64]:
    """(n,) of sum ``size``, proportional to ``masses`` where that is below 1."""
    chances = np.asarray(masses, dtype=np.float64)
    certain = np.zeros(len(chances), dtype=np.bool_)
    while True:
        rest = chances * ((size - np.count_nonzero(certain)) / chances[~certain].sum())
        above = ~certain & (rest >= 1)
        if not above.any():
            return np.where(certain, 1.0, rest)
        certain |= above
