"""Vector-Exp: what a user plays next, as a softmax over all items.

    P(i | u) = exp(xᵤ·yᵢ + βᵢ) / Σⱼ exp(xᵤ·yⱼ + βⱼ)

learned by maximising, with the damped counts nᵤᵢ,

    Σ nᵤᵢ ln P(i | u) - ½ Σ λᵤ‖xᵤ‖² - ½ Σ λᵢ‖yᵢ‖²,    λ of a row = λ (its total count)^ν

The sum over all items is taken over a user's own items and a sample of the others, each weighing one over its chance
to be drawn (the correction by log q; without it the estimate is biased, however large the sample). With the items
fixed, each user is a multinomial regression. With ln Zᵤ then fixed, the counts are Poisson with rates
exp(xᵤ·yᵢ + βᵢ + ln nᵤ - ln Zᵤ), and every item is a regression of the same kind, whose intercept is βᵢ; so users and
items change places as in alternating least squares, and each row takes a step of Newton's
(`crossfade.models.likelihood`). Training begins at x = 0, β = ln(total count), which is the unigram model.

Bernhardsson, "More recommender algorithms", 2013 (the model); Bengio & Senécal, "Quick training of probabilistic
neural nets by importance sampling", AISTATS 2003 (the sample); Baker, "The multinomial-Poisson transformation", 1994.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt

from crossfade.core.interactions import Interactions
from crossfade.core.progress import Progress, silent
from crossfade.core.settings import Range
from crossfade.core.spaces import Vectors
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
class VectorExpSettings(LikelihoodSettings):
    """What `VectorExp` is fitted with."""

    largest_count: Annotated[float, Range(above=0)] = 50.0  # a pair counts for no more than this
    item_biases: bool = True  # whether an item has a bias β; without, popularity has to fit into the vectors

    def counted(self, weights: Floats) -> Floats:
        """What ``weights`` (n,) count for, damped and capped."""
        return np.minimum(super().counted(weights), np.float32(self.largest_count))

    def likelihood(self) -> Likelihood:
        """What is maximised; see `LikelihoodSettings.likelihood`."""
        return Likelihood(
            link="poisson",
            regularization=resolved(self.regularization),
            exponent=self.frequency_exponent,
            item_biases=self.item_biases,
        )


class Pass(NamedTuple):
    """How training stood in a pass.

    perplexity       of the plays it learns from, after the users' half: exp(-mean ln P), as this pass's sample sees it
    norm_popularity  correlation of ‖yᵢ‖ with ln(1 + the item's total count), after the items' half
    """

    perplexity: float
    norm_popularity: float


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class FittedVectorExp(FittedLikelihood):
    """Users and items in one space; a score is ln P(i | u) up to a constant of the user's own.

    history  how each pass stood; not saved
    """

    settings_class: ClassVar[type[VectorExpSettings]] = VectorExpSettings
    history: tuple[Pass, ...] = ()

    def probabilities(self, profiles: Vectors) -> Vectors:
        """(n, items) P(i | u) for n profiles: what these users play next; rows sum to 1."""
        scores = profiles @ self.space.item_vectors.T
        scores -= scores.max(axis=1, keepdims=True)
        np.exp(scores, out=scores)
        scores /= scores.sum(axis=1, keepdims=True)
        return scores


class VectorExp(Configured[VectorExpSettings]):
    """A softmax over all items of the inner products of users and items."""

    name: ClassVar[str] = "vector_exp"
    learns_from: ClassVar[InputKind] = "interactions"
    settings_class: ClassVar[type[VectorExpSettings]] = VectorExpSettings
    fitted_class: ClassVar[type[FittedVectorExp]] = FittedVectorExp
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
    ) -> FittedVectorExp:
        """Fit the users and items of ``interactions``; rows without any are zero vectors. See `Model.fit`.

        An item that nobody played has the bias of the least played one. Keeps nothing in the ``workspace``. Raises
        InputError for interactions that nothing can be learned from.
        """
        require_interactions(interactions, self.name)
        history: list[Pass] = []

        def start(state: State, users: Totals, items: Totals) -> None:
            if self.settings.item_biases:
                state.item_intercepts[:] = np.log(np.maximum(items, items[items > 0].min()))

        def after_pass(state: State, users: Totals, items: Totals, gains: Totals) -> None:
            own = users[users > 0]
            # z contains the user's total too: Σ n z = Σ n ln P + Σ total ln total.
            likelihoods = float(gains.sum()) - float(own @ np.log(own))
            norms = np.linalg.norm(state.item_vectors, axis=1)
            history.append(Pass(float(np.exp(-likelihoods / own.sum())), _correlation(norms, np.log1p(items))))

        space = fit_space(
            self.name, interactions, self.settings, start, threads=threads, progress=progress, after_pass=after_pass
        )
        return FittedVectorExp(space=space, support=interactions.listeners(), history=tuple(history))


def _correlation(first: npt.NDArray[np.floating], second: npt.NDArray[np.floating]) -> float:
    """Pearson's; 0 where one of the two does not vary."""
    first, second = first - first.mean(), second - second.mean()
    scale = float(np.sqrt((first @ first) * (second @ second)))
    return float(first @ second) / scale if scale > 0 else 0.0
