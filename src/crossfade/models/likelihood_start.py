"""Where factor models by maximum likelihood start: near the optimum of their objective's second-order expansion.

For small vectors the objective of `crossfade.models.likelihood` is, up to a constant and with e the counts that
popularity alone expects (the total of the user times that of the item, over all counts),

    Σ (n - e) x·y - ½ Σ e (x·y)² - ½ Σ λᵤ‖xᵤ‖² - ½ Σ λᵢ‖yᵢ‖²

Let u σ v be singular vectors and values of the matrix of n - e, row u divided by √λᵤ and column i by √λᵢ. Along
xᵤ = √a uᵤ / √λᵤ, yᵢ = √a vᵢ / √λᵢ the objective is (σ - 1) a - ½ κ a² with κ = Σ e (uᵤ vᵢ)² / (λᵤ λᵢ). So a factor
starts with a = `SHARE` · (σ - 1) / κ if σ > 1; the others start from small random item vectors. The singular vectors
come from a few rounds of subspace iteration, in O(rounds · (pairs + (users + items) · f) · f).

Halko, Martinsson & Tropp, "Finding structure with randomness", SIAM Review 2011.
"""

import numpy as np
import numpy.typing as npt

from crossfade.core.csr import CSR
from crossfade.kernels.lanes import Floats
from crossfade.kernels.likelihood.sums import row_sums
from crossfade.kernels.threads import one_blas_thread

ROUNDS = 4
"""Of subspace iteration."""

SHARE = 0.03
"""Of the best a. The expansion underestimates the curvature of long vectors, and a pass lengthens short ones sooner
than it shortens long ones: on HetRec Last.fm and MovieLens-1M .01 to .1 rank about equally well, and 1 ranks worse."""

SLIGHT = 1e-8
"""A direction with so small a share of the largest squared length is rounding."""

Totals = npt.NDArray[np.float64]


def start_vectors(
    halves: tuple[CSR, CSR],
    totals: tuple[Totals, Totals],
    penalties: tuple[Totals, Totals],
    users: Floats,
    items: Floats,
    threads: int,
) -> None:
    """Set ``users`` and ``items`` (rows, padded factors) to the start above, where ``items`` are small random vectors.

    halves     the counts by user and by item
    totals     (rows,) of users and items
    penalties  (rows,) λ of users and items
    """
    scales = [np.sqrt(1 / penalty).astype(np.float32)[:, None] for penalty in penalties]
    expected = [(total / np.sqrt(total.sum())).astype(np.float32) for total in totals]

    def product(side: int, vectors: Floats) -> Floats:
        """Those of the other side, multiplied by the matrix whose rows are ``side``."""
        vectors = vectors * scales[1 - side]
        sums = row_sums(halves[side], vectors, threads)
        sums -= np.outer(expected[side], expected[1 - side] @ vectors)
        sums *= scales[side]
        return sums

    # With more threads BLAS would add in another order.
    with one_blas_thread():
        right = _orthonormal(items)
        for _ in range(ROUNDS):
            right = _orthonormal(product(1, product(0, right)))
        left = product(0, right)
        squares, turn = np.linalg.eigh(left.T @ left)
        found = squares > 1
        lengths, turn = np.sqrt(squares[found]), turn[:, found]
        left, right = scales[0] * (left @ (turn / lengths)), scales[1] * (right @ turn)
    curvatures = (totals[0] @ left**2) * (totals[1] @ right**2) / totals[0].sum()
    sizes = np.sqrt(SHARE * (lengths - 1) / curvatures)
    count = np.count_nonzero(found)
    users[:, :count], items[:, :count] = left * sizes, right * sizes


def _orthonormal(vectors: Floats) -> Floats:
    """A basis of what the columns of ``vectors`` span, and zeros in the columns that it does not need."""
    squares, turn = np.linalg.eigh(vectors.T @ vectors)
    kept = squares > SLIGHT * squares[-1]
    turn[:, ~kept] = 0.0
    turn[:, kept] /= np.sqrt(squares[kept])
    basis: Floats = vectors @ turn
    return basis
