"""What alternating least squares solves: the numbers g, a, c and λᵤ of an objective, and the solver for them.

The equations are those of `crossfade.models.als`.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from crossfade.core.errors import ArtifactError
from crossfade.kernels import als as kernels
from crossfade.kernels.als_halves import Half
from crossfade.kernels.lanes import Floats
from crossfade.models.als_settings import ALSSettings

EXACT_FACTORS = 512
"""Up to this many factors a single vector is factored; beyond, conjugate gradients are sooner as close."""

EXACT_STEPS, EXACT_TOLERANCE = 200, 1e-6
"""Steps and relative residual at which conjugate gradients end a final vector."""

TURNED = 64
"""From this many factors on, "auto" and the final vectors of all users take preconditioned steps: the way to the axes
of the Gram matrix costs less than what it saves. `python -m benchmarks.als_solvers` measures it."""


class Loss(NamedTuple):
    """The objective in its parts; if one is negligible, a setting is off its scale.

    pairs           Σ s² over all pairs, times what a pair that was not played weighs
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


class Problem:
    """The numbers g, a, c and λᵤ of an objective, from settings with nothing left unset."""

    def __init__(self, settings: ALSSettings) -> None:
        if settings.alpha is None or settings.regularization is None or settings.unobserved_weight is None:
            raise ArtifactError("this space does not say what it was fitted with; fit it again")
        hkv = settings.objective == "hkv"
        self.settings = settings
        self.shared = 1.0 if hkv else settings.unobserved_weight
        self.regularization = settings.regularization
        self.strengths = {"alpha": settings.alpha, "counted": 0.0 if hkv else 1.0}

    def penalties(self, pairs: npt.NDArray[np.int64], others: int) -> npt.NDArray[np.float64]:
        """λᵤ (rows,) of rows with ``pairs`` (rows,) each, where the other side has ``others`` rows."""
        if self.settings.objective == "hkv":
            return np.full(len(pairs), self.regularization)
        penalties: npt.NDArray[np.float64] = (pairs + self.shared * others) ** np.float64(
            self.settings.frequency_exponent
        )
        return self.regularization * penalties

    def improve(self, half: Half, fixed: Floats, solved: Floats, gram: npt.NDArray[np.float64], threads: int) -> None:
        """One half-iteration, by the solver of the settings; solver "pcg" turns both sides to other axes."""
        solver = self.settings.solver
        if solver == "auto":
            solver = "pcg" if self.settings.factors >= TURNED else "cg"
        self._solve(half, fixed, solved, gram, len(fixed), solver, self.settings.cg_steps, 0.0, threads)

    def finish(self, half: Half, fixed: Floats, solved: Floats, gram: npt.NDArray[np.float64], threads: int) -> None:
        """The solution of each row to the last digits, at whatever point training had arrived; may turn both sides."""
        if self.settings.factors < TURNED:
            self.solve_finally(half, fixed, solved, gram, len(fixed), threads)
            return
        self._solve(half, fixed, solved, gram, len(fixed), "pcg", EXACT_STEPS, EXACT_TOLERANCE, threads)

    def solve_finally(
        self, half: Half, fixed: Floats, solved: Floats, gram: npt.NDArray[np.float64], others: int, threads: int
    ) -> None:
        """The exact solution of each row, where ``fixed`` may be fewer than all the ``others`` of ``gram``."""
        solved[:] = 0.0
        solver: kernels.Solver = "cholesky" if self.settings.factors <= EXACT_FACTORS else "cg"
        self._solve(half, fixed, solved, gram, others, solver, EXACT_STEPS, EXACT_TOLERANCE, threads)

    def _solve(
        self,
        half: Half,
        fixed: Floats,
        solved: Floats,
        gram: npt.NDArray[np.float64],
        others: int,
        solver: kernels.Solver,
        steps: int,
        tolerance: float,
        threads: int,
    ) -> None:
        if solver == "pcg":
            gram = kernels.turned_to_axes(gram, fixed, solved, threads)
        kernels.solve_rows(
            half,
            fixed,
            solved,
            gram=self.shared * gram,
            penalties=self.penalties(np.diff(half.indptr), others),
            **self.strengths,
            solver=solver,
            steps=steps,
            tolerance=tolerance,
            threads=threads,
        )

    def loss(
        self,
        by_user: Half,
        listeners: npt.NDArray[np.int64],
        user_vectors: Floats,
        item_vectors: Floats,
        threads: int,
    ) -> Loss:
        """The exact objective, in O(pairs · f + (users + items) · f²); ``listeners`` (items,) has the pairs of each."""
        grams = [kernels.gram_matrix(vectors, threads) for vectors in (user_vectors, item_vectors)]
        entries = kernels.loss_of_entries(by_user, user_vectors, item_vectors, **self.strengths, threads=threads)
        held = 0.0
        for pairs, vectors, others in (
            (np.diff(by_user.indptr), user_vectors, item_vectors),
            (listeners, item_vectors, user_vectors),
        ):
            lengths = np.einsum("nf,nf->n", vectors, vectors, dtype=np.float64)
            held += float(self.penalties(pairs, len(others)) @ lengths)
        return Loss(self.shared * float(np.sum(grams[0] * grams[1])), entries, held)
