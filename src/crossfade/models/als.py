"""Alternating least squares for implicit feedback.

Hold the item vectors Y fixed; the vector of user u then has a closed form,

    (gYᵀY + Σᵢ aᵤᵢ yᵢyᵢᵀ + λᵤI) xᵤ = Σᵢ cᵤᵢ yᵢ,    cᵤᵢ = 1 + α rᵤᵢ    over the items i that u played

with g = 1, a = c - 1, λᵤ = λ for the objective "hkv" (every pair counts, played ones more), and g = α₀, a = c,
λᵤ = λ(nᵤ + α₀ · items)^ν for "ials" (unplayed pairs weigh α₀, and regularization grows with a row's pairs). Users and
items change places in turn. An iteration by preconditioned conjugate gradients costs
O(steps · pairs · f + (users + items) · f²), by Cholesky O(pairs · f² + (users + items) · f³).

Hu, Koren & Volinsky, "Collaborative filtering for implicit feedback datasets", ICDM 2008.
Rendle, Krichene, Zhang & Koren, "Revisiting the performance of iALS on item recommendation benchmarks",
RecSys 2022.
"""

import contextlib
import hashlib
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from crossfade.core.artifacts import Identity
from crossfade.core.checkpoints import Checkpoints, checkpoints
from crossfade.core.csr import CSR, distinct, starts_of
from crossfade.core.errors import ArtifactError, InputError, SettingsError
from crossfade.core.ids import MISSING, Id, load_array
from crossfade.core.interactions import MOST_WEIGHT, Interactions
from crossfade.core.progress import Progress, silent
from crossfade.core.settings import Checked, Range, as_table
from crossfade.core.spaces import Vectors, VectorSpace
from crossfade.core.training import converted
from crossfade.kernels.als.half_step import FixedSide, Matrix, Solver, gram_matrix
from crossfade.kernels.lanes import Floats, aligned, padded
from crossfade.kernels.threads import threads_for
from crossfade.kernels.transposing import transposed
from crossfade.models.als_objective import HalfStep, Loss, Objective, resolved, scaled_weights
from crossfade.models.contract import Configured, InputKind, Searched, require_interactions
from crossfade.models.factors import SimilarByCosine

TURNED = 33
"""From this many factors on, which take three lanes, "auto" and the final vectors of all users take preconditioned
steps: turning vectors to the axes of their Gram matrix costs less than what it saves, and needs no copy of the other
side. `python -m benchmarks.als_solvers` measures it."""

MOST_NEW_PAIRS = 0.1
"""The share of pairs that may have come or gone since the model that a fit starts from."""

Sides = tuple[Floats, Floats]
"""The vectors of users and of items."""

Elsewhere = Callable[[Objective, int, tuple[CSR, CSR]], AbstractContextManager[tuple[HalfStep, HalfStep]]]
"""Opens machines that solve users, and items, for an objective and so many columns of vectors, from these ratings."""


@dataclass(frozen=True, kw_only=True)
class ALSSettings(Checked):
    """What `ALS` is fitted with."""

    factors: Annotated[int, Range(8, 2048)] = 64  # width of a vector
    # what is minimised: "hkv" weighs played pairs by their confidence and all others 1; "ials" weighs unplayed pairs
    # unobserved_weight and scales the regularization with the number of a row's pairs
    objective: Literal["hkv", "ials"] = "ials"
    # λ; unset: noise times what the data would reach without any taste in it
    regularization: Annotated[float, Range(above=0, high=1e30)] | None = None
    # λ as a share of where noise alone would end; only where regularization is unset
    noise: Annotated[float, Range(above=0, high=10)] = 0.45
    # confidence that one play adds; unset: 10 for "hkv", 1 for "ials"
    alpha: Annotated[float, Range(0, 1e12)] | None = None
    confidence: Literal["linear", "log"] = "log"  # 1 + alpha r, or for heavy tails 1 + alpha ln(1 + r / epsilon)
    epsilon: Annotated[float, Range(1e-12, 1e12)] = 1.0  # plays at which the logarithm bends; only for confidence "log"
    # α₀, weight of an unplayed pair, only for objective "ials"; unset: unplayed times what the played pairs weigh
    unobserved_weight: Annotated[float, Range(above=0, high=1e30)] | None = None
    # what all pairs weigh together, in weights of the played ones; only where unobserved_weight is unset
    unplayed: Annotated[float, Range(above=0, high=1e6)] = 8.0
    # ν, how regularization grows with a row's pairs (0: not at all); only for objective "ials"
    frequency_exponent: Annotated[float, Range(0, 2)] = 1.0
    # whether users and items have biases: what an item's score has for every user, and a user's for every item
    biases: bool = False
    iterations: Annotated[int, Range(1, 1000)] = 15  # times that users and items are solved
    # "cholesky" solves exactly, "cg" takes a few steps of conjugate gradients, "pcg" preconditioned ones, which come
    # closer; "auto" is cg up to 32 factors, else pcg
    solver: Literal["auto", "cg", "pcg", "cholesky"] = "auto"
    cg_steps: Annotated[int, Range(1, 100)] = 3  # steps of solvers "cg" and "pcg" for each row and iteration
    # iterations of a fit that starts from the vectors of an earlier one on nearly the same data; 0: no fit does
    warm_iterations: Annotated[int, Range(0)] = 4
    seed: Annotated[int, Range(0)] = 0  # of the first item vectors

    def __post_init__(self) -> None:
        """Raise SettingsError for values that cannot be fitted."""
        super().__post_init__()
        if self.biases and self.solver == "cg":
            raise SettingsError('solver "cg" has no biases. Choose "pcg", "cholesky" or "auto", or set biases to false')

    @property
    def training_solver(self) -> Solver:
        """How rows are solved while training."""
        if self.solver != "auto":
            return self.solver
        if self.factors >= TURNED:
            return "pcg"
        return "cholesky" if self.biases else "cg"

    @property
    def exact_solver(self) -> Literal["pcg", "cholesky"]:
        """How final vectors, and those of new users and items, are solved."""
        return "pcg" if self.factors >= TURNED else "cholesky"

    @property
    def columns(self) -> int:
        """Columns of a vector while it is learned: the factors, and with biases two more.

        In the first of these a user has a bias and an item 1, in the second a user has 1 and an item a bias.
        """
        return self.factors + 2 * self.biases

    @property
    def ones(self) -> tuple[int, int]:
        """The columns of ones of users and of items, -1 for none."""
        return (self.factors + 1, self.factors) if self.biases else (-1, -1)

    @property
    def users_along_axes(self) -> bool:
        """Whether users are solved along the axes of the final item vectors, which are turned there."""
        return self.exact_solver == "pcg" and not self.biases


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class FittedALS(SimilarByCosine):
    """Users and items as vectors; a score is their inner product.

    A profile solves a user's equation exactly against the item vectors, as training did in the end: the history of a
    trained user gives that user's own vector, to the bit.

    history      the loss after every half-iteration, if the fit was asked to track it; not saved
    user_biases  (users,) float32 of a model with biases: what every item's score has for a user. It changes no ranking,
                 so inner products leave it out; with it they are what the model expects of a pair
    """

    history: tuple[Loss, ...] = ()
    user_biases: Vectors | None = None

    def profiles(self, histories: Interactions, *, threads: int | None = None) -> Vectors:
        """(n, factors) the exact vectors of the n users; see `Fitted.profiles`."""
        return self._solved(self.histories_of(histories), 0, threads_for(threads))

    def fold_in_item(self, user_ids: Iterable[Id], plays: npt.ArrayLike) -> Vectors:
        """Return the vector (factors,) float32 of an item that ``user_ids`` (n) played as often as ``plays`` (n) says.

        Plays are on the scale of the weights that the model was fitted on; those of an id that is listed twice add up.
        Raises UnknownIdError for a user that the model was not fitted on, InputError for bad plays.
        """
        rows, weights = self._users().rows(user_ids), converted("plays", plays, np.float32)
        if weights.shape != rows.shape:
            raise InputError(f"{len(rows)} ids do not fit plays of shape {weights.shape}")
        if not ((weights >= 0) & (weights <= MOST_WEIGHT)).all():
            raise InputError(f"plays must be numbers from 0 to {MOST_WEIGHT:g}")
        users, places = distinct(rows, len(self._users()))
        summed = np.bincount(places, weights=weights, minlength=len(users)).astype(np.float32)
        vector: Vectors = self._solved(CSR(starts_of([len(users)]), users, summed), 1, 1)[0]
        return vector

    def loss(self, interactions: Interactions, *, threads: int | None = None) -> Loss:
        """Return the objective of these vectors, exactly, on ``interactions`` of the very users and items of the model.

        One pass over the pairs. Raises InputError for other users or items.
        """
        if interactions.user_ids != self.user_ids or interactions.item_ids != self.item_ids:
            raise InputError("These interactions have other users or items than the model was fitted on.")
        scaled = scaled_weights(self._fitted_with, interactions.weights)
        return Objective.of(self._fitted_with).loss(
            CSR(interactions.indptr, interactions.indices, scaled),
            interactions.listeners(),
            self._laid_out(0),
            self._laid_out(1),
            self._fitted_with.ones,
            threads_for(threads),
        )

    def _solved(self, rows: CSR, side: int, threads: int) -> Vectors:
        """The exact vectors of new ``rows`` of users (``side`` 0) or items (1), as the space has them."""
        settings, gram = self._fitted_with, self._item_gram if side == 0 else self._user_gram
        others = len(self.item_ids if side == 0 else self._users())
        used, places = distinct(rows.indices, others)
        solved = aligned(rows.rows, len(gram))
        Objective.of(settings).solve_exactly(
            CSR(rows.indptr, places, scaled_weights(settings, rows.values)),
            self._laid_out(1 - side, used),
            gram,
            solved,
            solver=settings.exact_solver,
            others=others,
            frozen=settings.ones[side],
            along_axes=side == 0 and settings.users_along_axes,
            threads=threads,
        )
        return _narrowed(settings, solved)

    @cached_property
    def _fitted_with(self) -> ALSSettings:
        return ALSSettings(**self.settings)

    @cached_property
    def _item_gram(self) -> Matrix:
        return gram_matrix(self._laid_out(1), threads=1)

    @cached_property
    def _user_gram(self) -> Matrix:
        return gram_matrix(self._laid_out(0), threads=1)

    def _laid_out(self, side: int, rows: npt.NDArray[np.integer] | slice = slice(None)) -> Floats:
        """The vectors of some users (``side`` 0) or items (1) as they were learned, padded to whole lanes."""
        settings = self._fitted_with
        vectors: Vectors = np.asarray((self.space.user_vectors, self.space.item_vectors)[side])[rows]
        width = padded(settings.columns)
        if width == vectors.shape[1] and vectors.flags.c_contiguous:
            return vectors
        wide = aligned(len(vectors), width)
        wide[:, : settings.factors] = vectors[:, : settings.factors]
        if settings.biases:
            wide[:, settings.factors] = 1.0 if side == 1 or self.user_biases is None else self.user_biases[rows]
            wide[:, settings.factors + 1] = vectors[:, settings.factors]
        return wide

    def _save_more(self, directory: Path) -> None:
        if self.user_biases is not None:
            np.save(directory / "user_biases.npy", self.user_biases, allow_pickle=False)

    @classmethod
    def _load_more(cls, directory: Path, space: VectorSpace) -> dict[str, Any]:
        if not space.biased or space.user_ids is None:
            return {}
        biases = load_array(directory / "user_biases.npy", dtype=np.float32, ndim=1)
        if len(biases) != len(space.user_ids):
            raise ArtifactError(f"{directory}: {len(space.user_ids)} users do not fit {len(biases)} biases.")
        return {"user_biases": biases}


class ALS(Configured[ALSSettings]):
    """Matrix factorization of interactions: a user meets an item by the inner product of their vectors."""

    name: ClassVar[str] = "als"
    learns_from: ClassVar[InputKind] = "interactions"
    settings_class: ClassVar[type[ALSSettings]] = ALSSettings
    fitted_class: ClassVar[type[FittedALS]] = FittedALS
    tuned: ClassVar[tuple[str, ...]] = (
        "factors",
        "noise",
        "unplayed",
        "frequency_exponent",
        "confidence",
        "iterations",
    )
    starts_warm: ClassVar[bool] = True
    searched: ClassVar[Searched] = (("noise", "regularization"), ("factors",))

    def fit(
        self,
        interactions: Interactions,
        /,
        *,
        threads: int | None = None,
        progress: Progress = silent,
        workspace: Path | None = None,
        track_loss: bool = False,
        start: FittedALS | None = None,
        elsewhere: Elsewhere | None = None,
    ) -> FittedALS:
        """Fit vectors of all users and items of ``interactions``; rows without any are zero, or with biases nearly.

        Every user is solved once more, exactly, against the final item vectors. Equal inputs and settings
        give equal bytes, whatever the number of ``threads`` (None: one a processor).

        workspace   a directory of this fit's own, made where it is missing, for a state every half minute or more:
                    another fit of the same inputs and settings resumes from the last one, to the same bytes. Remove
                    it once the model is saved
        track_loss  keep the exact loss after each half-iteration in `FittedALS.history`, at the cost of another
                    pass over the pairs
        start       a model fitted with the same settings on nearly the same interactions: its vectors are the first
                    ones, and ``warm_iterations`` follow. If the number of pairs differs by more than a tenth, the fit
                    starts from nothing, as it does without ``start``
        elsewhere   other machines that solve the rows, to some 1e-5 of what this process gives. Then the workspace has
                    a state after each half-iteration

        Raises InputError if there are no interactions, or weights that are negative or not finite, BusyError if another
        process fits in the workspace, StorageError if its disk is full or fails.
        """
        require_interactions(interactions, "ALS")
        threads = threads_for(threads)
        if not self.starts_from(start, interactions):
            start = None
        if workspace is None:
            return self._fitted(interactions, start, None, threads, progress, track_loss, elsewhere)
        identity = Identity(
            kind="als-fit",
            version=2,
            inputs={**digests_of(interactions), **({} if start is None else {"start": start.space.space_id})},
            settings={**as_table(self.settings), "track_loss": track_loss},
        )
        with checkpoints(workspace, identity) as states:
            return self._fitted(interactions, start, states, threads, progress, track_loss, elsewhere)

    def starts_from(self, start: FittedALS | None, interactions: Interactions) -> bool:
        """Return whether a fit on ``interactions`` gains by the vectors of ``start``; InputError if they do not fit."""
        if start is None:
            return False
        columns = start._fitted_with.columns, start._fitted_with.biases
        if start.kind != interactions.kind or columns != (self.settings.columns, self.settings.biases):
            raise InputError("ALS can only start from a model of the same kind of item, factors and biases.")
        before, today = int(start.support.sum()), interactions.pairs
        return bool(self.settings.warm_iterations) and abs(today - before) <= MOST_NEW_PAIRS * before

    def _fitted(
        self,
        interactions: Interactions,
        start: FittedALS | None,
        states: Checkpoints | None,
        threads: int,
        progress: Progress,
        track_loss: bool,
        elsewhere: Elsewhere | None,
    ) -> FittedALS:
        scaled = scaled_weights(self.settings, interactions.weights)
        by_user = CSR(interactions.indptr, interactions.indices, scaled)
        by_item = transposed(by_user, len(interactions.item_ids))
        settings, listeners = resolved(self.settings, by_user, by_item), np.diff(by_item.indptr)
        objective, (vectors, turns) = Objective.of(settings), first_vectors(settings, interactions, start)
        rows = by_user, by_item
        with contextlib.ExitStack() as machines:
            solve = None if elsewhere is None else machines.enter_context(elsewhere(objective, settings.columns, rows))
            history = _train(settings, objective, rows, vectors, turns, states, threads, progress, track_loss, solve)
            # Only the rows of users are needed from here on.
            del by_item, rows
            users, items = vectors
            if settings.users_along_axes:
                FixedSide.of(items, gram_matrix(items, threads), "pcg", threads=threads)
            objective.solve_exactly(
                by_user,
                items,
                gram_matrix(items, threads),
                users,
                solver=settings.exact_solver,
                others=len(items),
                frozen=settings.ones[0],
                along_axes=settings.users_along_axes,
                threads=threads,
                solve=None if solve is None else solve[0],
            )
        del by_user, scaled
        progress(turns + 1, turns + 1, "half-iterations")
        return fitted_of(settings, interactions, vectors, listeners, history)


def fitted_of(
    settings: ALSSettings,
    interactions: Interactions,
    vectors: Sides,
    listeners: npt.NDArray[np.int64],
    history: Sequence[Loss] = (),
) -> FittedALS:
    """Return the model of final ``vectors``; ``listeners`` (items,) is how many pairs each item has."""
    users, items = vectors
    space = VectorSpace(
        model=ALS.name,
        kind=interactions.kind,
        metric="dot",
        item_ids=interactions.item_ids,
        biased=settings.biases,
        item_vectors=_narrowed(settings, items),
        user_ids=interactions.user_ids,
        user_vectors=_narrowed(settings, users),
        settings=as_table(settings),
    )
    biases = users[:, settings.factors].copy() if settings.biases else None
    return FittedALS(space=space, support=listeners, history=tuple(history), user_biases=biases)


def _train(
    settings: ALSSettings,
    objective: Objective,
    rows: tuple[CSR, CSR],
    vectors: Sides,
    turns: int,
    states: Checkpoints | None,
    threads: int,
    progress: Progress,
    track_loss: bool,
    solve: tuple[HalfStep, HalfStep] | None = None,
) -> list[Loss]:
    """Improve the ``vectors`` of both sides in so many turns, from the last state on; return the losses on the way."""
    history, done = list[Loss](), 0
    if states is not None and (state := states.latest()) is not None:
        done = state.steps
        for name, side in zip(("users", "items"), vectors, strict=True):
            side[:] = state.array(name, dtype=np.float32, ndim=2)
        history = [Loss(*parts) for parts in state.array("history", dtype=np.float64, ndim=2)]
    for turn in range(done, turns):
        progress(turn, turns + 1, "half-iterations")
        own, other = turn % 2, 1 - turn % 2
        fixed = FixedSide.of(
            vectors[other],
            gram_matrix(vectors[other], threads),
            settings.training_solver,
            shared=objective.shared,
            frozen=settings.ones[own],
            threads=threads,
        )
        others, steps = len(vectors[other]), settings.cg_steps
        if solve is None:
            objective.half_step(rows[own], fixed, vectors[own], others=others, steps=steps, threads=threads)
        else:
            solve[own](fixed, vectors[other], vectors[own], steps=steps)
        if settings.biases:
            # The columns of biases have to stay what they are, so what was turned is turned back.
            fixed.turn_back(threads)
            vectors[other][:, settings.ones[other]] = 1.0
        if track_loss:
            history.append(objective.loss(rows[0], np.diff(rows[1].indptr), *vectors, settings.ones, threads))
        if states is not None:
            losses = np.array(history, dtype=np.float64).reshape(-1, len(Loss._fields))
            arrays: dict[str, npt.NDArray[Any]] = {"users": vectors[0], "items": vectors[1], "history": losses}
            states.offer(turn + 1, arrays, always=solve is not None)
    progress(turns, turns + 1, "half-iterations")
    return history


def first_vectors(settings: ALSSettings, interactions: Interactions, start: FittedALS | None) -> tuple[Sides, int]:
    """Return the vectors that a fit begins with, padded to whole lanes, and how many half-iterations follow.

    Those are zeros for the users, small random vectors for the items, and no biases; of users and items that ``start``
    knows, what it made of them.
    """
    users, items = (aligned(rows, padded(settings.columns)) for rows in interactions.shape)
    rng = np.random.default_rng(settings.seed)
    items[:, : settings.factors] = rng.standard_normal((len(items), settings.factors), dtype=np.float32)
    items *= np.float32(0.1 / np.sqrt(settings.factors))
    if settings.biases:
        users[:, settings.ones[0]] = items[:, settings.ones[1]] = 1.0
    if start is None:
        return (users, items), 2 * settings.iterations
    for side, (vectors, ids) in enumerate(((users, interactions.user_ids), (items, interactions.item_ids))):
        rows = (start._users(), start.item_ids)[side].rows_of_arrow(ids.to_arrow())
        found = np.flatnonzero(rows != MISSING)
        vectors[found] = start._laid_out(side, rows[found])
    return (users, items), 2 * settings.warm_iterations


def _narrowed(settings: ALSSettings, vectors: Floats) -> Vectors:
    """The vectors (rows, factors) without padding; with biases the last column as well, as spaces have them."""
    narrow = np.empty((len(vectors), settings.factors + settings.biases), dtype=np.float32)
    narrow[:, : settings.factors] = vectors[:, : settings.factors]
    if settings.biases:
        narrow[:, settings.factors] = vectors[:, settings.factors + 1]
    return narrow


def digests_of(interactions: Interactions) -> dict[str, str]:
    """What of the interactions decides the vectors, as SHA-256 by name; one pass over the pairs."""
    arrays = {name: getattr(interactions, name) for name in ("indptr", "indices", "weights")}
    digests = {name: hashlib.sha256(np.ascontiguousarray(array).data).hexdigest() for name, array in arrays.items()}
    return {**digests, "items": str(len(interactions.item_ids))}
