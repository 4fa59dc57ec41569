"""The half-step of alternating least squares, the Gram matrix and the loss, on several processors.

For every row u with entries J, against the fixed vectors y of the other side,

    (G + λᵤI + Σⱼ aⱼ yⱼyⱼᵀ) xᵤ = Σⱼ cⱼ yⱼ,    cⱼ = 1 + α wⱼ

G is a multiple of YᵀY, and the surplus aⱼ is cⱼ - 1 where the sum over all pairs counts the played ones too, else
cⱼ. Results are the same bytes on one processor and on many: each row is solved alone, and sums over rows are
added up in a fixed order.
"""

import contextlib
from collections.abc import Iterator
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from crossfade.core.csr import CSR
from crossfade.kernels.als.axes import Axes, principal_axes, tile_of, turn, turned
from crossfade.kernels.als.cholesky import add_gram, solve_by_factoring
from crossfade.kernels.als.conjugate import solve_by_gradients
from crossfade.kernels.als.equations import Equations, add_losses
from crossfade.kernels.als.narrow import WIDEST, solve_narrow
from crossfade.kernels.als.sums import Steps, add_sums, solve_sums
from crossfade.kernels.lanes import WIDTH, Floats, aligned
from crossfade.kernels.threads import Range, balanced, each
from crossfade.kernels.transposing import constant

Solver = Literal["cg", "pcg", "cholesky"]
"""Conjugate gradients, the same preconditioned, or an exact solution."""

Matrix = npt.NDArray[np.float64]

GRAM_ROWS = 4096
"""Rows that go into one partial Gram matrix; sums of that many float32 products are exact to some 1e-6."""

GRAM_FLOATS = 1 << 26
"""Numbers that all partial Gram matrices together have at most: 256 MB."""

SHORT = 256
"""Up to this width, conjugate gradients are compiled for each width: a fifth less time, a few seconds once."""


class FixedSide(NamedTuple):
    """The side that is held fixed, ready for any rows of the other side to be solved against it.

    solver   that it is ready for
    vectors  (n, width) y, along the axes of G for solver "pcg", and for narrow vectors and solver "cg"
    gram     (width, width) G, for "pcg" diagonal except for the row and the column ``frozen``
    turn     (width, width) axes that the rows have to be turned to as well, for solver "pcg"; None: they lie along them
    axes     for narrow vectors, else None
    frozen     the coordinate of the rows that is not solved for; -1: none. Not for solver "cg"
    """

    solver: Solver
    vectors: Floats
    gram: Matrix
    turn: Matrix | None
    axes: Axes | None
    frozen: int

    @classmethod
    def of(
        cls,
        vectors: Floats,
        gram: Matrix,
        solver: Solver,
        *,
        shared: float = 1.0,
        frozen: int = -1,
        along_axes: bool = False,
        threads: int = 1,
    ) -> "FixedSide":
        """Make ``vectors`` (n, width) ready for ``solver``, with G = ``shared`` · ``gram``.

        gram        VᵀV (width, width) of the whole side, of which ``vectors`` may be a part
        along_axes  whether the vectors lie along the axes of ``gram`` already, of which then only the diagonal counts.
                    Otherwise solver "pcg" turns them there in place, which changes no inner product and no length
        """
        turning, axes = None, None
        narrow = solver != "cholesky" and vectors.shape[1] <= WIDEST and frozen < 0
        if solver == "pcg" and along_axes:
            gram = np.diag(np.diag(gram))
        elif solver == "pcg":
            gram, turning = _along_axes(gram, frozen)
            turn(vectors, turning, threads)
        gram = shared * gram
        if narrow and solver == "pcg":
            axes = Axes.along(gram)
        elif narrow:
            axes = Axes.of(gram)
            vectors = turned(vectors, axes.into, threads)
        return cls(solver, vectors, gram, turning, axes, frozen)

    def turn_back(self, threads: int) -> None:
        """Turn the vectors back, in place, to where they were before `of`, except for rounding."""
        if self.turn is not None:
            turn(self.vectors, self.turn.T, threads)

    @contextlib.contextmanager
    def turned_like_it(self, solved: Floats, threads: int) -> Iterator[None]:
        """Turn rows that are solved as this side was; with a frozen coordinate back, which is as before then."""
        kept = solved[:, self.frozen].copy() if self.frozen >= 0 else None
        if self.turn is not None:
            turn(solved, self.turn, threads)
        yield
        if kept is not None:
            if self.turn is not None:
                turn(solved, self.turn.T, threads)
            solved[:, self.frozen] = kept


def half_step(
    rows: CSR,
    fixed: FixedSide,
    solved: Floats,
    *,
    penalties: Matrix,
    alpha: float,
    counted: float,
    steps: int = 0,
    tolerance: float = 0.0,
    threads: int = 1,
) -> None:
    """Solve a block of ``rows`` of one side against the other side, in place in ``solved`` (rows, width).

    A row's new vector is a function of its own entries and old vector, of the fixed side, and of the numbers below.
    So blocks of rows can be solved in any order, in any process, and give the same bytes as all rows together.

    penalties  (rows,) λᵤ, > 0
    alpha      what one unit of weight adds to the confidence 1, >= 0
    counted    what the surplus has more than alpha · weight: 0 if G counts the played pairs too, else 1
    steps      of solvers "cg" and "pcg", from the old vectors on; fewer where the residual is down to ``tolerance`` of
               the first

    A row without entries becomes zero, unless a coordinate is frozen, which stays as it is and pulls the others. Solver
    "pcg" returns vectors along the axes that it turned the fixed side to, or turned back if a coordinate is frozen.
    Vectors come from `lanes.aligned`, padded with zeros to a multiple of `lanes.WIDTH`, and stay so.
    """
    width, enough = fixed.vectors.shape[1], np.float32(tolerance * tolerance)
    blocks = (0,) * (width // WIDTH) if width <= SHORT else ()
    gram = fixed.gram if fixed.axes is None else fixed.gram[:0, :0]
    equations = Equations.of(rows, fixed.vectors, gram, penalties, alpha, counted, fixed.frozen)
    conditioned = fixed.solver == "pcg"

    def solve(piece: Range) -> None:
        if fixed.axes is not None:
            solve_narrow(*piece, equations, fixed.axes, conditioned, steps, enough, solved, blocks, tile_of(width))
        elif fixed.solver == "cholesky":
            solve_by_factoring(*piece, equations, solved)
        else:
            solve_by_gradients(*piece, equations, conditioned, steps, enough, solved, blocks)

    with fixed.turned_like_it(solved, threads):
        each(solve, balanced(rows.indptr, width), threads)


def add_to_sums(
    rows: CSR, vectors: Floats, sums: Floats, *, factors: int, alpha: float, counted: float, threads: int = 1
) -> None:
    """Add to ``sums`` (rows, f (f + 3) / 2) what the entries of ``rows`` against ``vectors`` add to their equations.

    vectors  (n, width) those that the entries point to: all of the fixed side, or a part; for solver "pcg" turned
    factors  f, the columns of vectors that are not padding
    """
    equations = Equations.of(rows, vectors, np.zeros((0, 0)), np.zeros(0), alpha, counted)
    each(lambda piece: add_sums(*piece, equations, factors, sums), balanced(rows.indptr, 1), threads)


def half_step_of_sums(
    sums: Floats,
    fixed: FixedSide,
    solved: Floats,
    *,
    penalties: Matrix,
    factors: int,
    steps: int = 0,
    tolerance: float = 0.0,
    threads: int = 1,
) -> None:
    """Do what `half_step` does, from the ``sums`` of all entries of each row; ``fixed`` needs no vectors."""
    gram, square = aligned(*fixed.gram.shape), np.float32(tolerance * tolerance)
    gram[:] = fixed.gram
    shared, regularized = constant(gram), constant(penalties.astype(np.float32))
    how = Steps(0 if fixed.solver == "cholesky" else steps, fixed.solver == "pcg", square)
    even = balanced(np.arange(len(sums) + 1), 0)
    with fixed.turned_like_it(solved, threads):
        each(
            lambda piece: solve_sums(*piece, constant(sums), shared, regularized, fixed.frozen, factors, how, solved),
            even,
            threads,
        )


def gram_matrix(vectors: Floats, threads: int) -> Matrix:
    """VᵀV (width, width) float64 of ``vectors`` (n, width)."""
    rows, width = vectors.shape
    pieces = max(1, min(-(-rows // GRAM_ROWS), GRAM_FLOATS // width**2))
    bounds = [rows * piece // pieces for piece in range(pieces + 1)]
    partial = aligned(pieces, width, width)
    read = constant(vectors)
    each(lambda piece: add_gram(read, bounds[piece], bounds[piece + 1], partial[piece]), range(pieces), threads)
    upper: Matrix = np.triu(partial.sum(axis=0, dtype=np.float64))
    return upper + np.triu(upper, 1).T


def loss_of_entries(
    rows: CSR, row_vectors: Floats, column_vectors: Floats, *, alpha: float, counted: float, threads: int
) -> float:
    """Σ a s² - 2 c s + c over all entries, s = x · y: what the entries add to the sum of s² over all pairs."""
    losses = np.zeros(rows.rows, dtype=np.float64)
    equations = Equations.of(rows, column_vectors, np.zeros((0, 0)), np.zeros(0), alpha, counted)
    read = constant(row_vectors)
    each(lambda piece: add_losses(*piece, equations, read, losses), balanced(rows.indptr, 1), threads)
    return float(losses.sum())


def _along_axes(gram: Matrix, frozen: int) -> tuple[Matrix, Matrix]:
    """What ``gram`` becomes along its axes, and the axes; the coordinate ``frozen`` stays where it is."""
    free = gram.copy()
    if frozen >= 0:
        free[frozen, :] = free[:, frozen] = 0.0
    axes, spectrum = principal_axes(free)
    along = np.diag(spectrum)
    if frozen >= 0:
        along[frozen, :] = along[:, frozen] = gram[frozen] @ axes
    return along, axes
