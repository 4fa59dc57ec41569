"""Alternating least squares for implicit feedback.

Hold the item vectors Y fixed; the vector of user u then has a closed form,

    (gYᵀY + Σᵢ aᵤᵢ yᵢyᵢᵀ + λᵤI) xᵤ = Σᵢ cᵤᵢ yᵢ,    cᵤᵢ = 1 + α rᵤᵢ    over the items i that u played

with g = 1, a = c - 1, λᵤ = λ for the objective "hkv" (every pair counts, played ones more), and g = α₀, a = c,
λᵤ = λ(nᵤ + α₀ · items)^ν for "ials" (pairs that were not played weigh α₀, and whoever has more pairs is held more
firmly). Users and items change places in turn. An iteration by preconditioned conjugate gradients costs
O(steps · pairs · f + (users + items) · f²), by Cholesky O(pairs · f² + (users + items) · f³).

Hu, Koren & Volinsky, "Collaborative filtering for implicit feedback datasets", ICDM 2008.
Rendle, Krichene, Zhang & Koren, "Revisiting the performance of iALS on item recommendation benchmarks",
RecSys 2022.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from crossfade.core.artifacts import Identity
from crossfade.core.checkpoints import Checkpoint, Checkpoints, checkpoints
from crossfade.core.csr import CSR
from crossfade.core.interactions import Interactions
from crossfade.core.progress import Progress, silent
from crossfade.core.settings import as_table
from crossfade.core.spaces import Vectors
from crossfade.kernels import als as kernels
from crossfade.kernels.lanes import Floats, aligned, padded
from crossfade.kernels.threads import processors
from crossfade.kernels.transposing import transposed
from crossfade.models import als_scale
from crossfade.models.als_pairs import BLOCK, digests, require_interactions, scaled_weights
from crossfade.models.als_problem import Loss, Problem
from crossfade.models.als_settings import ALSSettings
from crossfade.models.als_space import ALSSpace
from crossfade.models.contract import Configured, InputKind


class ALS(Configured[ALSSettings]):
    """Matrix factorization of interactions: a user meets an item by the inner product of their vectors."""

    name: ClassVar[str] = "als"
    learns_from: ClassVar[InputKind] = "interactions"
    resumable: ClassVar[Literal[True]] = True
    settings_class: ClassVar[type[ALSSettings]] = ALSSettings
    space_class: ClassVar[type[ALSSpace]] = ALSSpace

    def fit(
        self,
        interactions: Interactions,
        /,
        *,
        threads: int | None = None,
        progress: Progress = silent,
        workspace: Path | None = None,
        track_loss: bool = False,
    ) -> ALSSpace:
        """The space of all users and items of ``interactions``; rows without any are zero, or with biases nearly.

        Every user is solved once more, exactly, against the final item vectors. Equal inputs and settings
        give equal bytes, whatever the number of ``threads`` (None: one a processor).

        workspace   a directory of this fit's own, made where it is missing: every half minute or more it takes the
                    state of the fit, and another fit of the same inputs and settings goes on from the last one, to
                    the same bytes. Remove it once the space is saved
        track_loss  keep the exact loss after each half-iteration in `ALSSpace.history`, at the cost of another
                    pass over the pairs

        Raises InputError if there are no interactions, or weights that are negative or not finite, BusyError if another
        process fits in the workspace, StorageError if its disk is full or fails.
        """
        require_interactions(interactions)
        threads = processors() if threads is None else threads
        if workspace is None:
            return self._fitted(interactions, None, threads, progress, track_loss)
        identity = Identity(
            kind="als-fit",
            version=1,
            inputs=digests(interactions),
            settings={**as_table(self.settings), "track_loss": track_loss},
        )
        with checkpoints(workspace, identity) as states:
            return self._fitted(interactions, states, threads, progress, track_loss)

    def _fitted(
        self,
        interactions: Interactions,
        states: Checkpoints | None,
        threads: int,
        progress: Progress,
        track_loss: bool,
    ) -> ALSSpace:
        items = len(interactions.item_ids)
        scaled = scaled_weights(self.settings, interactions.weights)
        by_user = CSR(interactions.indptr, interactions.indices, scaled)
        by_item = transposed(by_user, items)
        settings = resolved(self.settings, by_user, by_item)
        problem = Problem(settings)
        vectors = _Vectors.first(settings, interactions.shape)
        history = self._train(problem, by_user, by_item, vectors, states, threads, progress, track_loss)
        # The final vectors of users need the rows of users alone.
        del by_item
        gram = kernels.gram_matrix(vectors.items, threads)
        problem.finish(by_user, vectors.items, vectors.users, gram, problem.held[0], threads)
        del by_user, scaled
        rounds = 2 * settings.iterations + 1
        progress(rounds, rounds, "half-iterations")
        return ALSSpace(
            model=self.name,
            kind=interactions.kind,
            metric="dot",
            item_ids=interactions.item_ids,
            biased=settings.biases,
            item_vectors=vectors.narrowed(vectors.items),
            user_ids=interactions.user_ids,
            user_vectors=vectors.narrowed(vectors.users),
            user_biases=vectors.users[:, settings.factors].copy() if settings.biases else None,
            settings=as_table(settings),
            history=tuple(history),
        )

    def _train(
        self,
        problem: Problem,
        by_user: CSR,
        by_item: CSR,
        vectors: "_Vectors",
        states: Checkpoints | None,
        threads: int,
        progress: Progress,
        track_loss: bool,
    ) -> list[Loss]:
        """Improve the vectors of both sides in turn, from the last state on; the losses on the way."""
        turns, history, done = 2 * self.settings.iterations, list[Loss](), 0
        if states is not None and (state := states.latest()) is not None:
            done = state.steps
            history = [Loss(*parts) for parts in vectors.restore(state)]
        halves = (
            (by_user, vectors.items, vectors.users, problem.held[0]),
            (by_item, vectors.users, vectors.items, problem.held[1]),
        )
        for turn in range(done, turns):
            half, fixed, solved, held = halves[turn % 2]
            progress(turn, turns + 1, "half-iterations")
            gram = kernels.gram_matrix(fixed, threads)
            problem.improve(half, fixed, solved, gram, held, threads)
            if track_loss:
                listeners = np.diff(by_item.indptr)
                history.append(problem.loss(by_user, listeners, vectors.users, vectors.items, threads))
            if states is not None:
                states.offer(turn + 1, vectors.state(history))
        progress(turns, turns + 1, "half-iterations")
        return history


@dataclass(frozen=True, eq=False)
class _Vectors:
    """The vectors of both sides while they are learned, padded to whole lanes; columns as in `Problem`.

    users   (users, padded columns)
    items   (items, padded columns)
    biased  whether two columns of biases follow the factors
    """

    users: Floats
    items: Floats
    factors: int
    biased: bool

    @classmethod
    def first(cls, settings: ALSSettings, shape: tuple[int, int]) -> "_Vectors":
        """Small random vectors for the items, zeros for the users, and no biases."""
        columns = settings.factors + 2 * settings.biases
        users, items = (aligned(rows, padded(columns)) for rows in shape)
        rng = np.random.default_rng(settings.seed)
        items[:, : settings.factors] = rng.standard_normal((len(items), settings.factors), dtype=np.float32)
        items *= np.float32(0.1 / np.sqrt(settings.factors))
        if settings.biases:
            items[:, settings.factors] = users[:, settings.factors + 1] = 1.0
        return cls(users, items, settings.factors, settings.biases)

    def state(self, history: Sequence[Loss]) -> dict[str, npt.NDArray[Any]]:
        """All that the rest of the fit follows from."""
        losses = np.array(history, dtype=np.float64).reshape(-1, len(Loss._fields))
        return {"user_vectors": self.users, "item_vectors": self.items, "history": losses}

    def restore(self, state: Checkpoint) -> npt.NDArray[np.float64]:
        """Take the vectors of a ``state``; the losses (turns, 3) until then."""
        for name, vectors in (("user_vectors", self.users), ("item_vectors", self.items)):
            vectors[:] = state.array(name, dtype=np.float32, ndim=2)
        return state.array("history", dtype=np.float64, ndim=2)

    def narrowed(self, vectors: Floats) -> Vectors:
        """The vectors (rows, factors) without what pads them; with biases, (rows, factors + 1) as spaces have them."""
        narrow = aligned(len(vectors), self.factors + self.biased)
        narrow[:, : self.factors] = vectors[:, : self.factors]
        if self.biased:
            narrow[:, self.factors] = vectors[:, self.factors + 1]
        return narrow


def resolved(settings: ALSSettings, by_user: CSR, by_item: CSR) -> ALSSettings:
    """The settings with nothing left unset, so that a saved space keeps its meaning when defaults change."""
    shape, scaled = (by_user.rows, by_item.rows), by_user.values
    hkv = settings.objective == "hkv"
    alpha = settings.alpha if settings.alpha is not None else (10.0 if hkv else 1.0)
    total, squares = als_scale.moments(
        1 + np.float32(alpha) * scaled[first : first + BLOCK] for first in range(0, len(scaled), BLOCK)
    )
    shared = settings.unobserved_weight or als_scale.unobserved_weight(total, shape)
    settings = replace(settings, alpha=alpha, unobserved_weight=shared)
    if settings.regularization is not None:
        return settings
    unit = Problem(replace(settings, regularization=1.0))
    pulls = [
        unit.penalties(np.diff(half.indptr), others)
        for half, others in ((by_user, by_item.rows), (by_item, by_user.rows))
    ]
    return replace(settings, regularization=als_scale.regularization(squares, len(scaled), *pulls))
