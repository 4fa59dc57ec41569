"""What alternating least squares solves: the numbers g, a, c and λᵤ of an objective, and the solver for them.

The equations are those of `crossfade.models.als`.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from crossfade.core.csr import CSR
from crossfade.core.errors import ArtifactError
from crossfade.kernels import als as kernels
from crossfade.kernels.lanes import Floats
from crossfade.models.als_settings import ALSSettings

EXACT_FACTORS = 512
"""Up to this many factors a single vector is factored; beyond, conjugate gradients are sooner as close."""

EXACT_STEPS, EXACT_TOLERANCE = 200, 1e-6
"""Steps and relative residual at which conjugate gradients end a final vector."""

TURNED = 33
"""From this many factors on, which take three lanes, "auto" and the final vectors of all users take preconditioned
steps: the way to the axes of the Gram matrix costs less than what it saves, and needs no copy of the other side.
`python -m benchmarks.als_solvers` measures it."""


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
    """The numbers g, a, c and λᵤ of an objective, from settings with nothing left unset.

    columns     of a vector while it is learned: the factors, and with biases two more. In the first of those a user has
                a bias and an item 1, in the second a user has 1 and an item a bias
    held        the column that stays at 1 while users are solved, and that of items; -1: none
    """

    def __init__(self, settings: ALSSettings) -> None:
        if settings.alpha is None or settings.regularization is None or settings.unobserved_weight is None:
            raise ArtifactError("this space does not say what it was fitted with; fit it again")
        hkv = settings.objective == "hkv"
        self.settings = settings
        self.shared = 1.0 if hkv else settings.unobserved_weight
        self.regularization = settings.regularization
        self.strengths = {"alpha": settings.alpha, "counted": 0.0 if hkv else 1.0}
        self.columns = settings.factors + 2 * settings.biases
        self.held = (settings.factors + 1, settings.factors) if settings.biases else (-1, -1)

    def penalties(self, pairs: npt.NDArray[np.int64], others: int) -> npt.NDArray[np.float64]:
        """λᵤ (rows,) of rows with ``pairs`` (rows,) each, where the other side has ``others`` rows."""
        if self.settings.objective == "hkv":
            return np.full(len(pairs), self.regularization)
        penalties: npt.NDArray[np.float64] = (pairs + self.shared * others) ** np.float64(
            self.settings.frequency_exponent
        )
        return self.regularization * penalties

    @property
    def solver(self) -> kernels.Solver:
        """How rows are solved while training."""
        if self.settings.solver != "auto":
            return self.settings.solver
        if self.settings.factors >= TURNED:
            return "pcg"
        return "cholesky" if self.settings.biases else "cg"

    def improve(
        self, half: CSR, fixed: Floats, solved: Floats, gram: npt.NDArray[np.float64], held: int, threads: int
    ) -> None:
        """One half-iteration, by the solver of the settings; solver "pcg" turns both sides to other axes."""
        self._solve(half, fixed, solved, gram, len(fixed), self.solver, self.settings.cg_steps, 0.0, held, threads)

    def finish(
        self, half: CSR, fixed: Floats, solved: Floats, gram: npt.NDArray[np.float64], held: int, threads: int
    ) -> None:
        """The solution of each row to the last digits, at whatever point training had arrived; may turn both sides."""
        if self.settings.factors < TURNED:
            self.solve_finally(half, fixed, solved, gram, len(fixed), held, threads)
            return
        self._solve(half, fixed, solved, gram, len(fixed), "pcg", EXACT_STEPS, EXACT_TOLERANCE, held, threads)

    def solve_finally(
        self,
        half: CSR,
        fixed: Floats,
        solved: Floats,
        gram: npt.NDArray[np.float64],
        others: int,
        held: int,
        threads: int,
    ) -> None:
        """The exact solution of each row, where ``fixed`` may be fewer than all the ``others`` of ``gram``."""
        solved[:] = 0.0
        if held >= 0:
            solved[:, held] = 1.0
        factored = self.settings.factors <= EXACT_FACTORS or self.settings.biases
        solver: kernels.Solver = "cholesky" if factored else "cg"
        self._solve(half, fixed, solved, gram, others, solver, EXACT_STEPS, EXACT_TOLERANCE, held, threads)

    def _solve(
        self,
        half: CSR,
        fixed: Floats,
        solved: Floats,
        gram: npt.NDArray[np.float64],
        others: int,
        solver: kernels.Solver,
        steps: int,
        tolerance: float,
        held: int,
        threads: int,
    ) -> None:
        axes = None
        if solver == "pcg":
            gram, axes = kernels.turned_to_axes(gram, fixed, solved, threads, held)
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
            held=held,
        )
        if held >= 0:
            # The two columns of biases have to stay what they are, so what was turned is turned back.
            if axes is not None:
                kernels.turned_back(axes, fixed, solved, threads)
                fixed[:, sum(self.held) - held] = 1.0
            solved[:, held] = 1.0

    def loss(
        self,
        by_user: CSR,
        listeners: npt.NDArray[np.int64],
        user_vectors: Floats,
        item_vectors: Floats,
        threads: int,
    ) -> Loss:
        """The exact objective, in O(pairs · f + (users + items) · f²); ``listeners`` (items,) has the pairs of each."""
        grams = [kernels.gram_matrix(vectors, threads) for vectors in (user_vectors, item_vectors)]
        entries = kernels.loss_of_entries(by_user, user_vectors, item_vectors, **self.strengths, threads=threads)
        regularization = 0.0
        for pairs, vectors, others, held in (
            (np.diff(by_user.indptr), user_vectors, item_vectors, self.held[0]),
            (listeners, item_vectors, user_vectors, self.held[1]),
        ):
            lengths = np.einsum("nf,nf->n", vectors, vectors, dtype=np.float64)
            if held >= 0:
                lengths -= vectors[:, held].astype(np.float64) ** 2
            regularization += float(self.penalties(pairs, len(others)) @ lengths)
        return Loss(self.shared * float(np.sum(grams[0] * grams[1])), entries, regularization)
