"""Alternating least squares over arrays: one half-iteration, the Gram matrix and the loss, on several processors.

For every row u with entries J, against the fixed vectors y of the other side,

    (G + λᵤI + Σⱼ aⱼ yⱼyⱼᵀ) xᵤ = Σⱼ cⱼ yⱼ,    cⱼ = 1 + α wⱼ

G is a multiple of YᵀY, and the surplus aⱼ is cⱼ - 1 where the sum over all pairs counts the played ones too, else
cⱼ. Results are the same bytes on one processor and on many: each row is solved alone, and sums over rows are
added up in a fixed order.
"""

from typing import Literal

import numpy as np
import numpy.typing as npt

from crossfade.core.csr import CSR
from crossfade.kernels.als_axes import Axes, principal_axes, tile_of, turn, turned
from crossfade.kernels.als_cg import solve_by_gradients
from crossfade.kernels.als_cg_narrow import WIDEST, solve_narrow
from crossfade.kernels.als_cholesky import add_gram, solve_by_factoring
from crossfade.kernels.als_equations import Equations
from crossfade.kernels.als_loss import add_losses
from crossfade.kernels.als_pcg import solve_along_axes
from crossfade.kernels.lanes import WIDTH, Floats, aligned
from crossfade.kernels.threads import Range, balanced, each
from crossfade.kernels.transposing import constant

Solver = Literal["cg", "pcg", "cholesky"]

GRAM_ROWS = 4096
"""Rows that go into one partial Gram matrix; sums of that many float32 products are exact to some 1e-6."""

GRAM_FLOATS = 1 << 26
"""Numbers that all partial Gram matrices together hold at most: 256 MB."""

SHORT = 256
"""Up to this width, conjugate gradients are compiled for each width: a fifth less time, a few seconds once."""


def gram_matrix(vectors: Floats, threads: int) -> npt.NDArray[np.float64]:
    """VᵀV (width, width) float64 of ``vectors`` (n, width)."""
    rows, width = vectors.shape
    pieces = max(1, min(-(-rows // GRAM_ROWS), GRAM_FLOATS // width**2))
    bounds = [rows * piece // pieces for piece in range(pieces + 1)]
    partial = aligned(pieces, width, width)

    read = constant(vectors)

    def add(piece: int) -> None:
        add_gram(read, bounds[piece], bounds[piece + 1], partial[piece])

    each(add, range(pieces), threads)
    upper: npt.NDArray[np.float64] = np.triu(partial.sum(axis=0, dtype=np.float64))
    return upper + np.triu(upper, 1).T


def turned_to_axes(
    gram: npt.NDArray[np.float64], fixed: Floats, solved: Floats, threads: int, held: int = -1
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Turn both sides' vectors, in place, to the axes of ``gram``: the diagonal matrix that it becomes, and the axes.

    No inner product and no length changes, so they are as good a solution as before. The coordinate ``held`` stays
    where it is, and then the matrix has its row and its column besides the diagonal.
    """
    free = gram.copy()
    if held >= 0:
        free[held, :] = free[:, held] = 0.0
    axes, spectrum = principal_axes(free)
    for vectors in (fixed, solved):
        turn(vectors, axes, threads)
    along = np.diag(spectrum)
    if held >= 0:
        along[held, :] = along[:, held] = gram[held] @ axes
    return along, axes


def turned_back(axes: npt.NDArray[np.float64], fixed: Floats, solved: Floats, threads: int) -> None:
    """Undo `turned_to_axes`, but for rounding."""
    for vectors in (fixed, solved):
        turn(vectors, axes.T, threads)


def solve_rows(
    half: CSR,
    fixed: Floats,
    solved: Floats,
    *,
    gram: npt.NDArray[np.float64],
    penalties: npt.NDArray[np.float64],
    alpha: float,
    counted: float,
    solver: Solver,
    steps: int,
    tolerance: float = 0.0,
    threads: int = 1,
    held: int = -1,
) -> None:
    """Solve every row of ``half`` against ``fixed`` (n, width), into ``solved`` (rows, width).

    gram       (width, width) G
    penalties  (rows,) λᵤ, > 0
    alpha      what one unit of weight adds to the confidence 1, >= 0
    counted    what the surplus has more than alpha · weight: 0 if G counts the played pairs too, else 1
    solver     "cholesky" solves; "cg" takes up to ``steps`` steps from what ``solved`` holds, fewer where the
               residual is down to ``tolerance`` of the first; "pcg" takes steps too, and wants a G that is
               diagonal but for the row and the column ``held`` (`turned_to_axes`)
    held       the coordinate that stays as it is in ``solved`` while the others are solved, even where a row has no
               entries; -1: none, and rows without entries become zero. Not for solver "cg"

    Vectors come from `lanes.aligned`, padded with zeros to a multiple of `lanes.WIDTH`, and stay so.
    """
    width, enough = fixed.shape[1], np.float32(tolerance * tolerance)
    blocks = (0,) * (width // WIDTH) if width <= SHORT else ()
    narrow = solver != "cholesky" and width <= WIDEST and held < 0
    if narrow:
        axes = Axes.along(gram) if solver == "pcg" else Axes.of(gram)
        fixed = fixed if solver == "pcg" else turned(fixed, axes.into, threads)
        gram = gram[:0, :0]
    equations = Equations.of(half, fixed, gram, penalties, alpha, counted, held)

    def solve(piece: Range) -> None:
        if narrow:
            solve_narrow(*piece, equations, axes, solver == "pcg", steps, enough, solved, blocks, tile_of(width))
        elif solver == "cg":
            solve_by_gradients(*piece, equations, steps, enough, solved, blocks)
        elif solver == "pcg":
            solve_along_axes(*piece, equations, steps, enough, solved, blocks)
        else:
            solve_by_factoring(*piece, equations, solved)

    each(solve, balanced(half.indptr, width), threads)


def loss_of_entries(
    half: CSR, row_vectors: Floats, column_vectors: Floats, *, alpha: float, counted: float, threads: int
) -> float:
    """Σ a s² - 2 c s + c over all entries, s = x · y: what the entries add to the sum of s² over all pairs."""
    losses = np.zeros(half.rows, dtype=np.float64)
    equations = Equations.of(half, column_vectors, np.zeros((0, 0)), np.zeros(0), alpha, counted)
    rows = constant(row_vectors)

    def measure(piece: Range) -> None:
        add_losses(*piece, equations, rows, losses)

    each(measure, balanced(half.indptr, 1), threads)
    return float(losses.sum())
