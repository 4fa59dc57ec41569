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

from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from crossfade.core.errors import InputError, SettingsError
from crossfade.core.interactions import Interactions
from crossfade.core.progress import Progress, silent
from crossfade.core.settings import as_table
from crossfade.core.spaces import Vectors
from crossfade.kernels import als as kernels
from crossfade.kernels.als_halves import Half, transposed
from crossfade.kernels.lanes import Floats, aligned, padded
from crossfade.kernels.threads import processors
from crossfade.models import als_scale
from crossfade.models.als_problem import Loss, Problem, require_weights, scaled_weights
from crossfade.models.als_settings import ALSSettings
from crossfade.models.als_space import ALSSpace
from crossfade.models.contract import InputKind


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
        scaled = scaled_weights(self.settings, interactions.weights)
        settings = _resolved(self.settings, interactions, scaled)
        problem = Problem(settings)
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
    unit = Problem(replace(settings, regularization=1.0))
    pulls = unit.penalties(np.diff(interactions.indptr), items), unit.penalties(interactions.listeners(), users)
    return replace(settings, regularization=als_scale.regularization(squares, interactions.pairs, *pulls))


def _require_interactions(interactions: Interactions) -> None:
    if not interactions.pairs:
        raise InputError("ALS cannot learn from no interactions: import listens first, or lower what drops them.")
    require_weights(interactions.weights)
    if interactions.indices.min() < 0 or interactions.indices.max() >= len(interactions.item_ids):
        raise InputError("the interactions name items beyond their own item ids; run `crossfade verify`")


def _narrowed(vectors: Floats, factors: int) -> Vectors:
    return np.ascontiguousarray(vectors[:, :factors])
