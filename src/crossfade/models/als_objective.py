"""What alternating least squares minimises: the numbers of an objective, their defaults from the data, and the loss.

The equations are those of `crossfade.models.als`. Two settings have no default that suits every library, since what a
regularization of a given number does grows with the catalogue. Two quantities do transfer between libraries, and the
defaults follow from them.

*Weight of unplayed pairs.* All pairs together weigh α₀ · users · items; that is made ``unplayed`` times what the N
played pairs weigh together, Σ c.

*Regularization.* While all vectors are small, a factor lowers the loss if and only if its singular value in the
matrix of confidences, its rows divided by √λᵤ and its columns by √λᵢ, is above 1. A matrix with as many entries of
that size in random places, without anybody's taste in it, has singular values up to about

    rms(c) · (√(N / users) + √(N / items))

(Marchenko & Pastur, "Distribution of eigenvalues for some sets of random matrices", 1967). λ is chosen so that the
geometric mean of the two sides' mean penalties is ``noise`` times that edge. Published settings that were tuned
for MovieLens-20M, the Million Song Data Set and others lie at .2 to .5 of it, with an ``unplayed`` of 3 to 30 (Rendle,
Krichene, Zhang & Koren, "Revisiting the Performance of iALS on Item Recommendation Benchmarks", RecSys 2022, for
the settings). The defaults were chosen on validation cuts of HetRec Last.fm and MovieLens-1M. What is best
for a library depends on how much of its taste is fine: `crossfade.evaluate.searching` looks for it.
"""

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from crossfade.core.csr import CSR
from crossfade.core.errors import ArtifactError
from crossfade.kernels.als.axes import turn
from crossfade.kernels.als.half_step import FixedSide, Matrix, gram_matrix, half_step, loss_of_entries
from crossfade.kernels.lanes import Floats

if TYPE_CHECKING:
    from crossfade.models.als import ALSSettings

BLOCK = 1 << 20
"""Pairs whose confidence is computed at a time, so that it takes no memory."""

EXACT_STEPS, EXACT_TOLERANCE = 200, 1e-7
"""Steps and relative residual at which preconditioned steps end an exact vector."""

Counts = npt.NDArray[np.int64]


class Loss(NamedTuple):
    """The objective in its parts; if one is negligible, a setting is off its scale.

    pairs           Σ s² over all pairs, times what an unplayed pair weighs
    entries         what the played pairs add to that
    regularization  Σ λᵤ‖xᵤ‖² + Σ λᵢ‖yᵢ‖²
    """

    pairs: float
    entries: float
    regularization: float

    @property
    def total(self) -> float:
        """What is minimised."""
        return self.pairs + self.entries + self.regularization


class HalfStep(Protocol):
    """Solves all rows of one side, in this process or on other machines."""

    def __call__(
        self, fixed: FixedSide, vectors: Floats, solved: Floats, *, steps: int, tolerance: float = 0.0
    ) -> None:
        """Do what `Objective.half_step` does to ``solved``, against the ``vectors`` that ``fixed`` was made of."""


@dataclass(frozen=True)
class Objective:
    """The numbers of an objective; both sides have the same, each with the other's rows as ``others``.

    shared          g, what every pair weighs
    alpha           α, what one unit of weight adds to the confidence c = 1 + α w of a played pair
    counted         a - α w, with a what a played pair weighs beyond g
    regularization  λ
    exponent        ν in λᵤ = λ (nᵤ + g · others)^ν, for a row with nᵤ pairs
    """

    shared: float
    alpha: float
    counted: float
    regularization: float
    exponent: float

    @classmethod
    def of(cls, settings: "ALSSettings") -> "Objective":
        """The objective of settings with nothing left unset; ArtifactError for others."""
        alpha, regularization, unplayed = settings.alpha, settings.regularization, settings.unobserved_weight
        if alpha is None or regularization is None or unplayed is None:
            raise ArtifactError("This ALS model does not have the settings that it was fitted with. Fit it again.")
        if settings.objective == "hkv":
            return cls(1.0, alpha, 0.0, regularization, 0.0)
        return cls(unplayed, alpha, 1.0, regularization, settings.frequency_exponent)

    def penalties(self, pairs: Counts, others: int) -> Matrix:
        """Return λᵤ (rows,) of rows with ``pairs`` (rows,) each, where the other side has ``others`` rows."""
        penalties: Matrix = (pairs + self.shared * others) ** np.float64(self.exponent)
        return self.regularization * penalties

    def half_step(
        self,
        rows: CSR,
        fixed: FixedSide,
        solved: Floats,
        *,
        others: int,
        steps: int,
        tolerance: float = 0.0,
        threads: int = 1,
    ) -> None:
        """Solve a block of ``rows`` against the other side, in place; see `crossfade.kernels.als.half_step`."""
        penalties = self.penalties(np.diff(rows.indptr), others)
        half_step(
            rows,
            fixed,
            solved,
            penalties=penalties,
            alpha=self.alpha,
            counted=self.counted,
            steps=steps,
            tolerance=tolerance,
            threads=threads,
        )

    def solve_exactly(
        self,
        rows: CSR,
        vectors: Floats,
        gram: Matrix,
        solved: Floats,
        *,
        solver: Literal["pcg", "cholesky"],
        others: int,
        frozen: int,
        along_axes: bool,
        threads: int,
        solve: "HalfStep | None" = None,
    ) -> None:
        """Write the exact vectors of a block of ``rows`` into ``solved`` (rows, width), whatever it had.

        ``vectors`` may be a part of the ``others`` rows that ``gram`` is of, and stay what they are. Solver "pcg" ends
        within six digits, soonest where the vectors lie along the axes of ``gram`` already. ``solve`` is what solves
        the rows; None: this process.
        """
        solved[:] = 0.0
        if frozen >= 0:
            solved[:, frozen] = 1.0
        turns = solver == "pcg" and not along_axes
        vectors = vectors.copy() if turns else vectors
        fixed = FixedSide.of(
            vectors,
            gram,
            solver,
            shared=self.shared,
            frozen=frozen,
            along_axes=along_axes,
            threads=threads,
        )
        if solve is None:
            self.half_step(
                rows, fixed, solved, others=others, steps=EXACT_STEPS, tolerance=EXACT_TOLERANCE, threads=threads
            )
        else:
            solve(fixed, vectors, solved, steps=EXACT_STEPS, tolerance=EXACT_TOLERANCE)
        if fixed.turn is not None and frozen < 0:
            turn(solved, fixed.turn.T, threads)

    def loss(
        self,
        by_user: CSR,
        listeners: Counts,
        user_vectors: Floats,
        item_vectors: Floats,
        ones: tuple[int, int],
        threads: int,
    ) -> Loss:
        """Return the exact objective, in O(pairs · f + (users + items) · f²).

        listeners  (items,) how many pairs each item has
        ones       the columns of ones of users and items, which are not regularized; -1: none
        """
        grams = [gram_matrix(vectors, threads) for vectors in (user_vectors, item_vectors)]
        entries = loss_of_entries(
            by_user, user_vectors, item_vectors, alpha=self.alpha, counted=self.counted, threads=threads
        )
        regularization = 0.0
        for pairs, vectors, others, frozen in (
            (np.diff(by_user.indptr), user_vectors, item_vectors, ones[0]),
            (listeners, item_vectors, user_vectors, ones[1]),
        ):
            lengths = np.einsum("nf,nf->n", vectors, vectors, dtype=np.float64)
            if frozen >= 0:
                lengths -= vectors[:, frozen].astype(np.float64) ** 2
            regularization += float(self.penalties(pairs, len(others)) @ lengths)
        return Loss(self.shared * float(np.sum(grams[0] * grams[1])), entries, regularization)


def scaled_weights(settings: "ALSSettings", weights: Floats) -> Floats:
    """Return the weights (n,) that confidence is linear in: ``weights`` themselves, or their logarithms."""
    if settings.confidence == "linear":
        return weights
    scaled: Floats = weights / np.float32(settings.epsilon)
    return np.log1p(scaled, out=scaled)


def resolved(settings: "ALSSettings", by_user: CSR, by_item: CSR) -> "ALSSettings":
    """Return ``settings`` with nothing left unset, so that a saved model keeps its meaning when defaults change."""
    users, items = by_user.rows, by_item.rows
    alpha = settings.alpha if settings.alpha is not None else (10.0 if settings.objective == "hkv" else 1.0)
    total, squares = _moments(by_user.values, alpha)
    unplayed = settings.unobserved_weight or settings.unplayed * total / (users * items)
    settings = replace(settings, alpha=alpha, unobserved_weight=unplayed)
    if settings.regularization is not None:
        return settings
    unit, pairs = Objective.of(replace(settings, regularization=1.0)), len(by_user.values)
    edge = math.sqrt(squares / pairs) * (math.sqrt(pairs / users) + math.sqrt(pairs / items))
    of_users, of_items = (
        float(np.mean(unit.penalties(np.diff(rows.indptr), others)))
        for rows, others in ((by_user, items), (by_item, users))
    )
    return replace(settings, regularization=settings.noise * edge / math.sqrt(of_users * of_items))


def _moments(weights: Floats, alpha: float) -> tuple[float, float]:
    """Σ c and Σ c² over the played pairs."""
    total = squares = 0.0
    for first in range(0, len(weights), BLOCK):
        confidence = (1 + np.float32(alpha) * weights[first : first + BLOCK]).astype(np.float64)
        total += float(np.sum(confidence))
        squares += float(np.sum(confidence * confidence))
    return total, squares
