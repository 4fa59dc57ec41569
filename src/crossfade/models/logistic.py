"""Logistic matrix factorization: whether a user plays an item at all.

    P(u plays i) = σ(z),    z = xᵤ·yᵢ + βᵤ + βᵢ,    σ(z) = 1 / (1 + exp(-z))

learned by maximising, with r the damped plays of a pair, 0 where there are none,

    Σ_all pairs [ α r z - (1 + α r) ln(1 + eᶻ) ] - ½ Σ λᵤ‖xᵤ‖² - ½ Σ λᵢ‖yᵢ‖²,    λ of a row = λ (its total of α r)^ν

A pair counts α r times as played, and every pair counts once as not played: those without an entry are all included, in
full or through a sample in which each weighs one over its chance to be drawn. With one side fixed, every row of the
other is a logistic regression with an intercept of its own; it takes a step of Newton's, and the sides change places
(`crossfade.models.likelihood`). Training begins at x = 0 and the log-odds of items and users alone.

Johnson, "Logistic matrix factorization for implicit feedback data", NIPS workshop on distributed machine learning
and matrix computations, 2014; there with gradient ascent by Adagrad in place of Newton's steps.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, ClassVar

import numpy as np

from crossfade.core.interactions import Interactions
from crossfade.core.progress import Progress, silent
from crossfade.core.settings import Range
from crossfade.kernels.lanes import Floats
from crossfade.models.contract import Configured, InputKind, Keeping, Searched, require_interactions
from crossfade.models.likelihood import (
    FittedLikelihood,
    Likelihood,
    LikelihoodSettings,
    State,
    Totals,
    fit_space,
    resolved,
)


@dataclass(frozen=True, kw_only=True)
class LogisticSettings(LikelihoodSettings):
    """What `Logistic` is fitted with."""

    # how often a pair of count one counts as played; unset: played pairs count once on average, as pairs that were not
    # played do
    alpha: Annotated[float, Range(above=0, high=1e36)] | None = None

    def counted(self, weights: Floats) -> Floats:
        """What ``weights`` (n,) count for: how often their pairs count as played."""
        return super().counted(weights) * np.float32(resolved(self.alpha))

    def averaged(self, weights: Floats) -> "LogisticSettings":
        """The settings with an alpha: if it is unset, the one by which ``weights`` (n,) above 0 count 1 on average."""
        if self.alpha is not None:
            return self
        damped = super().counted(weights)
        return replace(self, alpha=1 / float(damped[damped > 0].mean(dtype=np.float64)))

    def likelihood(self) -> Likelihood:
        """What is maximised; see `LikelihoodSettings.likelihood`."""
        return Likelihood(
            link="logistic", regularization=resolved(self.regularization), exponent=self.frequency_exponent
        )


class FittedLogistic(FittedLikelihood):
    """Users and items in one space; a score is the log-odds that u plays i, without the user's own bias βᵤ.

    βᵤ says how much a user plays, which changes no ranking, so the space does not keep it.
    """

    settings_class: ClassVar[type[LogisticSettings]] = LogisticSettings


class Logistic(Configured[LogisticSettings]):
    """A logistic regression of every user on the items' vectors, and of every item on the users'."""

    name: ClassVar[str] = "logistic"
    learns_from: ClassVar[InputKind] = "interactions"
    settings_class: ClassVar[type[LogisticSettings]] = LogisticSettings
    fitted_class: ClassVar[type[FittedLogistic]] = FittedLogistic
    searched: ClassVar[Searched] = (("noise", "regularization"), ("factors",))
    tuned: ClassVar[tuple[str, ...]] = ("factors", "noise", "frequency_exponent", "counts", "passes")
    keeps: ClassVar[Keeping] = "unless leading"

    def fit(
        self,
        interactions: Interactions,
        /,
        *,
        threads: int | None = None,
        progress: Progress = silent,
        workspace: Path | None = None,
    ) -> FittedLogistic:
        """Fit the users and items of ``interactions``; rows without any are zero vectors. See `Model.fit`.

        An item that nobody played has the bias of the least likely one. Keeps nothing in the ``workspace``. Raises
        InputError for interactions that nothing can be learned from.
        """
        require_interactions(interactions, self.name)
        settings = self.settings.averaged(interactions.weights)
        space = fit_space(self.name, interactions, settings, _log_odds, threads=threads, progress=progress)
        return FittedLogistic(space=space, support=interactions.listeners())


def _log_odds(state: State, users: Totals, items: Totals) -> None:
    """Start from an item's counts against every user's one, and a user's counts against the mean user's."""
    state.item_intercepts[:] = np.log(_at_least(items) / len(users))
    state.user_intercepts[:] = np.log(_at_least(users) / users[users > 0].mean())


def _at_least(totals: Totals) -> Totals:
    """The totals, none of them less than the least that is above 0."""
    least: Totals = np.maximum(totals, totals[totals > 0].min())
    return least
