"""Logistic matrix factorization: whether a user plays an item at all.

    P(u plays i) = σ(z),    z = xᵤ·yᵢ + βᵤ + βᵢ,    σ(z) = 1 / (1 + exp(-z))

learned by maximising, with r the damped plays of a pair, 0 where there are none,

    Σ_all pairs [ α r z - (1 + α r) ln(1 + eᶻ) ] - ½ Σ λᵤ‖xᵤ‖² - ½ Σ λᵢ‖yᵢ‖²,    λ of a row = λ (its total of α r)^ν

A pair counts α r times as played, and every pair counts once as not played: those a row has no entry in are all there,
either in full or through a sample in which each weighs one over its chance to be drawn. With one side held fixed, every
row of the other is a logistic regression with an intercept of its own; it takes a step of Newton's, and the sides
change places (`crossfade.models.likelihood`). Training begins at x = 0 and the log-odds of items and users alone.

Johnson, "Logistic matrix factorization for implicit feedback data", NIPS workshop on distributed machine learning
and matrix computations, 2014; there with gradient ascent by Adagrad in place of Newton's steps.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt

from crossfade.core.csr import CSR
from crossfade.core.interactions import Interactions
from crossfade.core.progress import Progress, silent
from crossfade.core.settings import as_table
from crossfade.core.spaces import Vectors
from crossfade.kernels.lanes import Floats
from crossfade.kernels.threads import processors
from crossfade.models import likelihood
from crossfade.models.contract import Configured, FittedSpace, InputKind
from crossfade.models.likelihood import Likelihood, Totals


@dataclass(frozen=True, kw_only=True)
class LogisticSettings:
    """What `Logistic` is fitted with."""

    factors: int = 64  # width of a vector, 8 to 2048
    regularization: float | None = None  # λ, above 0; unset is what the noise in the data asks for
    # ν, how regularization grows with the total count of a row, 0 (not at all) to 2
    frequency_exponent: float = 0.5
    # how often a pair of weight one counts as played, above 0; unset: played pairs count once on average, as pairs that
    # were not played do
    alpha: float | None = None
    counts: Literal["linear", "log"] = "log"  # what alpha multiplies: r, or for heavy tails ln(1 + r / epsilon)
    epsilon: float = 1.0  # plays at which the logarithm bends, above 0; only for counts "log"
    samples: int = 1024  # rows of the other side that stand for all of them in a half-pass, 64 to 1000000
    passes: int = 10  # times that users and items are improved, 1 to 1000
    cg_steps: int = 4  # conjugate gradients in a step of Newton's, 1 to 100
    seed: int = 0  # of the first item vectors and of the samples, 0 or more

    def __post_init__(self) -> None:
        """Refuse what cannot be fitted."""
        likelihood.require_ranges(
            self,
            [
                ("factors", 8, 2048),
                ("frequency_exponent", 0, 2),
                ("samples", 64, 1_000_000),
                ("passes", 1, 1000),
                ("cg_steps", 1, 100),
                ("seed", 0, float("inf")),
            ],
            positive=("regularization", "alpha", "epsilon"),
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class LogisticSpace(FittedSpace):
    """Users and items in one space; a score is the log-odds that u plays i, but for the user's own bias βᵤ.

    βᵤ says how much a user plays, which changes no ranking, so the space does not keep it.
    """

    def fold_in_user(self, item_ids: Sequence[str], plays: npt.ArrayLike) -> Vectors:
        """The vector (width,) float32 of a user who played ``item_ids`` (n) as often as ``plays`` (n) says.

        Plays are on the scale of the weights that the model learned from; an item that stands twice is summed. It is
        the most likely vector given all items; training, which knows a catalogue beyond some thousand items by a
        sample, comes close to it. Who played nothing is at the origin, where popularity decides.
        Raises UnknownIdError for an item that the space does not know, InputError for bad plays.
        """
        rows, weights = likelihood.newcomer(self.item_ids.rows(item_ids), plays)
        counts = _damped(self._settings, weights) * np.float32(likelihood.known(self._settings.alpha))
        found = _problem(self._settings).fold_in(rows, counts, *self._parts)
        vector: Vectors = likelihood.joined(found[None, :], self._settings.factors, np.ones(1, dtype=np.float32))[0]
        return vector

    @cached_property
    def _settings(self) -> LogisticSettings:
        return LogisticSettings(**self.settings)

    @cached_property
    def _parts(self) -> tuple[Floats, Floats]:
        return likelihood.widened(self.item_vectors, self._settings.factors), self.item_vectors[:, -1].copy()


class Logistic(Configured[LogisticSettings]):
    """A logistic regression of every user on the items' vectors, and of every item on the users'."""

    name: ClassVar[str] = "logistic"
    learns_from: ClassVar[InputKind] = "interactions"
    settings_class: ClassVar[type[LogisticSettings]] = LogisticSettings
    space_class: ClassVar[type[LogisticSpace]] = LogisticSpace

    def fit(
        self, interactions: Interactions, /, *, threads: int | None = None, progress: Progress = silent
    ) -> LogisticSpace:
        """The space of all users and items of ``interactions``; rows without any are zero vectors.

        An item that nobody played has the bias of the least likely one. Equal inputs and settings give equal bytes,
        whatever the number of ``threads`` (None: one a processor). Raises InputError if there are no interactions, or
        weights that are negative or not finite.
        """
        likelihood.require_interactions("Logistic factorization", interactions)
        settings = self.settings
        damped = _damped(settings, interactions.weights)
        if settings.alpha is None:
            settings = replace(settings, alpha=1 / float(damped[damped > 0].mean(dtype=np.float64)))
        counts = damped * np.float32(likelihood.known(settings.alpha))
        by_user = CSR(interactions.indptr, interactions.indices, counts)
        users, items = likelihood.totals_of(by_user), likelihood.column_totals(by_user, len(interactions.item_ids))
        if settings.regularization is None:
            strength = likelihood.regularization(counts, users, items, settings.frequency_exponent)
            settings = replace(settings, regularization=strength)
        rng = np.random.default_rng(settings.seed)
        state = likelihood.begun(interactions.shape, settings.factors, rng)
        # An item's counts against every user's one; and how far a user's odds are from those of the mean user.
        state.item_intercepts[:] = np.log(_at_least(items) / len(users))
        state.user_intercepts[:] = np.log(_at_least(users) / users[users > 0].mean())
        _problem(settings).learn(
            by_user,
            state,
            samples=settings.samples,
            passes=settings.passes,
            cg_steps=settings.cg_steps,
            rng=rng,
            threads=processors() if threads is None else threads,
            progress=progress,
        )
        return LogisticSpace(
            model=self.name,
            kind=interactions.kind,
            metric="dot",
            biased=True,
            item_ids=interactions.item_ids,
            item_vectors=likelihood.joined(state.item_vectors, settings.factors, state.item_intercepts),
            user_ids=interactions.user_ids,
            user_vectors=likelihood.joined(state.user_vectors, settings.factors, np.ones(len(users), np.float32)),
            settings=as_table(settings),
        )


def _damped(settings: LogisticSettings, weights: Floats) -> Floats:
    return likelihood.counts_of(weights, settings.counts, settings.epsilon)


def _at_least(totals: Totals) -> Totals:
    """The totals, none of them less than the least that is above 0."""
    least: Totals = np.maximum(totals, totals[totals > 0].min())
    return least


def _problem(settings: LogisticSettings) -> Likelihood:
    return Likelihood(
        link="logistic", regularization=likelihood.known(settings.regularization), exponent=settings.frequency_exponent
    )
