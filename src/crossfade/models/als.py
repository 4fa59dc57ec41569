"""Alternating least squares for implicit feedback.

Hold the item vectors Y fixed; the vector of user u then has a closed form,

    (gYᵀY + Σᵢ aᵤᵢ yᵢyᵢᵀ + λᵤI) xᵤ = Σᵢ cᵤᵢ yᵢ,    cᵤᵢ = 1 + α rᵤᵢ    over the items i that u played

with g = 1, a = c - 1, λᵤ = λ for the objective "hkv" (every pair counts, played ones more), and g = α₀, a = c,
λᵤ = λ(nᵤ + α₀ · items)^ν for "ials" (pairs that were not played weigh α₀, and whoever has more pairs is held more
firmly). Users and items change places in turn. An iteration by conjugate gradients costs
O(steps · (pairs · f + (users + items) · f²)), by Cholesky O(pairs · f² + (users + items) · f³).

Hu, Koren & Volinsky, "Collaborative filtering for implicit feedback datasets", ICDM 2008.
Rendle, Krichene, Zhang & Koren, "Revisiting the performance of iALS on item recommendation benchmarks",
RecSys 2022.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from crossfade.core.errors import ArtifactError, InputError, NotReadyError, SettingsError
from crossfade.core.interactions import Interactions
from crossfade.core.progress import Progress, silent
from crossfade.core.settings import as_table
from crossfade.core.spaces import Vectors
from crossfade.kernels import als as kernels
from crossfade.kernels.als_halves import Half, transposed
from crossfade.kernels.lanes import Floats, aligned, padded
from crossfade.kernels.threads import processors
from crossfade.models import als_scale
from crossfade.models.contract import FittedSpace, InputKind

EXACT_FACTORS = 512
"""Up to this many factors a final vector is factored; beyond, conjugate gradients are sooner as close."""

EXACT_STEPS, EXACT_TOLERANCE = 200, 1e-6
"""Steps and relative residual at which conjugate gradients end a final vector."""

FACTORED = 32
"""Up to this many factors "auto" factors in training too: a step costs nearly as much."""


@dataclass(frozen=True, kw_only=True)
class ALSSettings:
    """What `ALS` is fitted with."""

    factors: int = 64  # width of a vector, 8 to 2048
    # what is minimised: "hkv" weighs played pairs by their confidence and all others 1; "ials" weighs pairs that
    # were not played unobserved_weight and scales the regularization with how many pairs a row has
    objective: Literal["hkv", "ials"] = "ials"
    regularization: float | None = None  # λ, above 0; unset is what the noise in the data asks for
    alpha: float | None = None  # confidence that one play adds, 0 or more; unset is 10 for "hkv", 1 for "ials"
    confidence: Literal["linear", "log"] = "log"  # 1 + alpha r, or for heavy tails 1 + alpha ln(1 + r / epsilon)
    epsilon: float = 1.0  # plays at which the logarithm bends, above 0; only for confidence "log"
    # α₀, weight of a pair that was not played, above 0; unset: such pairs weigh eight times the played ones together;
    # only for objective "ials"
    unobserved_weight: float | None = None
    # ν, how regularization grows with a row's pairs, 0 (not at all) to 2; only for objective "ials"
    frequency_exponent: float = 1.0
    iterations: int = 15  # times that users and items are solved, 1 to 1000
    # "cholesky" solves exactly, "cg" takes a few steps; "auto" is cg above 32 factors
    solver: Literal["auto", "cg", "cholesky"] = "auto"
    cg_steps: int = 3  # steps of solver "cg" for each row and iteration, 1 to 100
    seed: int = 0  # of the first item vectors, 0 or more

    def __post_init__(self) -> None:
        """Refuse what cannot be fitted."""
        infinite = float("inf")
        for name, low, high in (
            ("factors", 8, 2048),
            ("alpha", 0, infinite),
            ("frequency_exponent", 0, 2),
            ("iterations", 1, 1000),
            ("cg_steps", 1, 100),
            ("seed", 0, infinite),
        ):
            value = getattr(self, name)
            # Written positively, so that NaN is refused too; None is a default that the objective decides.
            if value is not None and not (low <= value <= high and value < infinite):
                raise SettingsError(f"{name} must be from {low} to {high}, not {value!r}")
        for name in ("regularization", "epsilon", "unobserved_weight"):
            value = getattr(self, name)
            if value is not None and not 0 < value < infinite:
                raise SettingsError(f"{name} must be above 0, not {value!r}")
        for name, choices in (
            ("objective", ("hkv", "ials")),
            ("confidence", ("linear", "log")),
            ("solver", ("auto", "cg", "cholesky")),
        ):
            if getattr(self, name) not in choices:
                raise SettingsError(f"{name} must be one of {', '.join(choices)}, not {getattr(self, name)!r}")


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


@dataclass(frozen=True, eq=False, kw_only=True)
class ALSSpace(FittedSpace):
    """Users and items in one space, by inner product; takes in newcomers without another fit.

    history  the loss after every half-iteration, if the fit was asked to track it; not saved
    """

    history: tuple[Loss, ...] = ()

    def fold_in_user(self, item_ids: Sequence[str], plays: npt.ArrayLike) -> Vectors:
        """The vector (factors,) float32 of a user who played ``item_ids`` (n) as often as ``plays`` (n) says.

        Plays are on the scale of the weights that the model learned from; an item that stands twice is
        summed. It is the vector that such a user has in this space, had they been there from the start.
        Raises UnknownIdError for an item that the space does not know, InputError for bad plays.
        """
        return self._fold_in(self.item_ids.rows(item_ids), plays, self.item_vectors, self._item_gram)

    def fold_in_item(self, user_ids: Sequence[str], plays: npt.ArrayLike) -> Vectors:
        """The vector (factors,) float32 of an item that ``user_ids`` (n) played as often as ``plays`` (n) says.

        Raises UnknownIdError for a user that the space does not know, InputError for bad plays.
        """
        if self.user_ids is None or self.user_vectors is None:
            raise NotReadyError("This space was saved without its users, so no item can be folded in.")
        return self._fold_in(self.user_ids.rows(user_ids), plays, self.user_vectors, self._user_gram)

    @cached_property
    def _problem(self) -> "_Problem":
        return _Problem(ALSSettings(**self.settings))

    @cached_property
    def _item_gram(self) -> npt.NDArray[np.float64]:
        return kernels.gram_matrix(_widened(self.item_vectors), threads=1)

    @cached_property
    def _user_gram(self) -> npt.NDArray[np.float64]:
        if self.user_vectors is None:
            raise NotReadyError("This space was saved without its users.")
        return kernels.gram_matrix(_widened(self.user_vectors), threads=1)

    def _fold_in(
        self, rows: npt.NDArray[np.int32], plays: npt.ArrayLike, vectors: Vectors, gram: npt.NDArray[np.float64]
    ) -> Vectors:
        weights = np.asarray(plays, dtype=np.float32)
        if weights.shape != rows.shape:
            raise InputError(f"{len(rows)} ids do not fit plays of shape {weights.shape}")
        _require_weights(weights)
        distinct, places = np.unique(rows, return_inverse=True)
        summed = np.bincount(places, weights=weights, minlength=len(distinct)).astype(np.float32)
        half = Half(
            np.array([0, len(distinct)], dtype=np.int64),
            np.arange(len(distinct), dtype=np.int32),
            _scaled(self._problem.settings, summed),
        )
        solved = aligned(1, gram.shape[0])
        self._problem.solve_finally(half, _widened(vectors[distinct]), solved, gram, len(vectors), threads=1)
        return solved[0, : self.factors].copy()


class ALS:
    """Matrix factorization of interactions: a user meets an item by the inner product of their vectors."""

    name: ClassVar[str] = "als"
    learns_from: ClassVar[InputKind] = "interactions"
    settings_class: ClassVar[type[ALSSettings]] = ALSSettings
    space_class: ClassVar[type[ALSSpace]] = ALSSpace

    def __init__(self, settings: ALSSettings | None = None, **fields: Any) -> None:
        """Made from ``settings``, or from its fields as keywords; SettingsError if they cannot work."""
        if settings is not None and fields:
            raise SettingsError("ALS is made from settings or from keywords, not from both")
        try:
            self.settings = settings or ALSSettings(**fields)
        except TypeError as error:
            raise SettingsError(f"ALS has no such setting: {error}") from error

    def fit(
        self,
        interactions: Interactions,
        /,
        *,
        threads: int | None = None,
        progress: Progress = silent,
        track_loss: bool = False,
    ) -> ALSSpace:
        """The space of all users and items of ``interactions``; rows without any are zero vectors.

        Every user is solved once more, exactly, against the final item vectors. Equal inputs and settings
        give equal bytes, whatever the number of ``threads`` (None: one a processor). ``track_loss`` keeps the
        exact loss after each half-iteration in `ALSSpace.history`, at the cost of another pass over the
        pairs. Raises InputError if there are no interactions, or weights that are negative or not finite.
        """
        _require_interactions(interactions)
        scaled = _scaled(self.settings, interactions.weights)
        settings = _resolved(self.settings, interactions, scaled)
        problem = _Problem(settings)
        threads = processors() if threads is None else threads
        users, items = interactions.shape
        by_user = Half(interactions.indptr, interactions.indices, scaled)
        by_item = transposed(by_user, items)
        width = padded(settings.factors)
        user_vectors, item_vectors = aligned(users, width), aligned(items, width)
        rng = np.random.default_rng(settings.seed)
        item_vectors[:, : settings.factors] = rng.standard_normal((items, settings.factors), dtype=np.float32)
        item_vectors *= np.float32(0.1 / np.sqrt(settings.factors))

        history: list[Loss] = []
        halves = ((by_user, item_vectors, user_vectors), (by_item, user_vectors, item_vectors))
        rounds = 2 * settings.iterations + 1
        for turn in range(2 * settings.iterations):
            half, fixed, solved = halves[turn % 2]
            progress(turn, rounds, "half-iterations")
            gram = kernels.gram_matrix(fixed, threads)
            problem.improve(half, fixed, solved, gram, threads)
            if track_loss:
                history.append(problem.loss(by_user, by_item, user_vectors, item_vectors, threads))
        progress(rounds - 1, rounds, "half-iterations")
        gram = kernels.gram_matrix(item_vectors, threads)
        problem.solve_finally(by_user, item_vectors, user_vectors, gram, items, threads)
        progress(rounds, rounds, "half-iterations")
        return ALSSpace(
            model=self.name,
            kind=interactions.kind,
            metric="dot",
            item_ids=interactions.item_ids,
            item_vectors=_narrowed(item_vectors, settings.factors),
            user_ids=interactions.user_ids,
            user_vectors=_narrowed(user_vectors, settings.factors),
            settings=as_table(settings),
            history=tuple(history),
        )


def _resolved(settings: ALSSettings, interactions: Interactions, scaled: Floats) -> ALSSettings:
    """The settings with nothing left unset, so that a saved space keeps its meaning when defaults change."""
    users, items = interactions.shape
    hkv = settings.objective == "hkv"
    alpha = settings.alpha if settings.alpha is not None else (10.0 if hkv else 1.0)
    total, squares = als_scale.moments(
        1 + np.float32(alpha) * scaled[first : first + als_scale.BLOCK]
        for first in range(0, len(scaled), als_scale.BLOCK)
    )
    shared = settings.unobserved_weight or als_scale.unobserved_weight(total, interactions.shape)
    settings = replace(settings, alpha=alpha, unobserved_weight=shared)
    if settings.regularization is not None:
        return settings
    unit = _Problem(replace(settings, regularization=1.0))
    pulls = unit.penalties(np.diff(interactions.indptr), items), unit.penalties(interactions.listeners(), users)
    return replace(settings, regularization=als_scale.regularization(squares, interactions.pairs, *pulls))


def _scaled(settings: ALSSettings, weights: Floats) -> Floats:
    """The weights that confidence is linear in."""
    if settings.confidence == "linear":
        return weights
    scaled: Floats = np.log1p(weights / np.float32(settings.epsilon), dtype=np.float32)
    return scaled


class _Problem:
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
        """One half-iteration, by the solver of the settings."""
        solver = self.settings.solver
        if solver == "auto":
            solver = "cg" if self.settings.factors > FACTORED else "cholesky"
        kernels.solve_rows(
            half,
            fixed,
            solved,
            gram=self.shared * gram,
            penalties=self.penalties(np.diff(half.indptr), len(fixed)),
            **self.strengths,
            solver=solver,
            steps=self.settings.cg_steps,
            threads=threads,
        )

    def solve_finally(
        self, half: Half, fixed: Floats, solved: Floats, gram: npt.NDArray[np.float64], others: int, threads: int
    ) -> None:
        """The exact solution of each row, which does not depend on where training had brought it."""
        solved[:] = 0.0
        kernels.solve_rows(
            half,
            fixed,
            solved,
            gram=self.shared * gram,
            penalties=self.penalties(np.diff(half.indptr), others),
            **self.strengths,
            solver="cholesky" if self.settings.factors <= EXACT_FACTORS else "cg",
            steps=EXACT_STEPS,
            tolerance=EXACT_TOLERANCE,
            threads=threads,
        )

    def loss(self, by_user: Half, by_item: Half, user_vectors: Floats, item_vectors: Floats, threads: int) -> Loss:
        """The exact objective, in O(pairs · f + (users + items) · f²)."""
        grams = [kernels.gram_matrix(vectors, threads) for vectors in (user_vectors, item_vectors)]
        entries = kernels.loss_of_entries(by_user, user_vectors, item_vectors, **self.strengths, threads=threads)
        held = 0.0
        for half, vectors, others in (
            (by_user, user_vectors, item_vectors),
            (by_item, item_vectors, user_vectors),
        ):
            lengths = np.einsum("nf,nf->n", vectors, vectors, dtype=np.float64)
            held += float(self.penalties(np.diff(half.indptr), len(others)) @ lengths)
        return Loss(self.shared * float(np.sum(grams[0] * grams[1])), entries, held)


def _require_interactions(interactions: Interactions) -> None:
    if not interactions.pairs:
        raise InputError("ALS cannot learn from no interactions: import listens first, or lower what drops them.")
    _require_weights(interactions.weights)
    if interactions.indices.min() < 0 or interactions.indices.max() >= len(interactions.item_ids):
        raise InputError("the interactions name items beyond their own item ids; run `crossfade verify`")


def _require_weights(weights: Floats) -> None:
    wrong = np.flatnonzero(~(np.isfinite(weights) & (weights >= 0)))
    if wrong.size:
        raise InputError(
            f"weight {weights[wrong[0]]} at position {wrong[0]}: weights must be finite numbers of at least 0 "
            f"({wrong.size} of {weights.size} are not)"
        )


def _widened(vectors: Vectors) -> Floats:
    """The vectors as kernels want them: contiguous, and padded with zeros to whole lanes."""
    width = padded(vectors.shape[1])
    if width == vectors.shape[1] and vectors.flags.c_contiguous:
        return vectors
    wide = aligned(len(vectors), width)
    wide[:, : vectors.shape[1]] = vectors
    return wide


def _narrowed(vectors: Floats, factors: int) -> Vectors:
    return np.ascontiguousarray(vectors[:, :factors])
