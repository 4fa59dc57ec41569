"""Vector-Exp: what a user plays next, as a softmax over all items.

    P(i | u) = exp(xᵤ·yᵢ + βᵢ) / Σⱼ exp(xᵤ·yⱼ + βⱼ)

learned by maximising, with the damped counts nᵤᵢ,

    Σ nᵤᵢ ln P(i | u) - ½ Σ λᵤ‖xᵤ‖² - ½ Σ λᵢ‖yᵢ‖²,    λ of a row = λ (its total count)^ν

The sum over all items is taken over a user's own items and a sample of the others, each weighing one over its chance
to be drawn (the correction by log q; without it what is learned stays wrong however large the sample). Whoever holds
the items fixed has one multinomial regression for each user. With ln Zᵤ then held fixed, the counts are Poisson with
rates exp(xᵤ·yᵢ + βᵢ + ln nᵤ - ln Zᵤ), and every item is a regression of the same kind, whose intercept is βᵢ; so users
and items change places as in alternating least squares, and each row takes a step of Newton's
(`crossfade.models.likelihood`). Training begins at x = 0, β = ln(total count), which is the unigram model.

Bernhardsson, "More recommender algorithms", 2013 (the model); Bengio & Senécal, "Quick training of probabilistic
neural nets by importance sampling", AISTATS 2003 (the sample); Baker, "The multinomial-Poisson transformation", 1994.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from crossfade.core.csr import CSR
from crossfade.core.ids import Rows
from crossfade.core.interactions import Interactions
from crossfade.core.progress import Progress, silent
from crossfade.core.settings import as_table
from crossfade.core.spaces import Vectors
from crossfade.kernels.lanes import Floats
from crossfade.kernels.threads import processors
from crossfade.models import likelihood
from crossfade.models.contract import Configured, FittedSpace, InputKind
from crossfade.models.likelihood import Likelihood


@dataclass(frozen=True, kw_only=True)
class VectorExpSettings:
    """What `VectorExp` is fitted with."""

    factors: int = 64  # width of a vector, 8 to 2048
    regularization: float | None = None  # λ, above 0; unset is what the noise in the data asks for
    # ν, how regularization grows with the total count of a row, 0 (not at all) to 2
    frequency_exponent: float = 0.5
    counts: Literal["linear", "log"] = "log"  # what a weight r counts for: r, or for heavy tails ln(1 + r / epsilon)
    epsilon: float = 1.0  # plays at which the logarithm bends, above 0; only for counts "log"
    largest_count: float = 50.0  # a pair counts for no more than this, above 0
    item_biases: bool = True  # whether an item has a bias β; without, popularity has to fit into the vectors
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
            positive=("regularization", "epsilon", "largest_count"),
        )


class Pass(NamedTuple):
    """How training stood in a pass.

    perplexity       of the plays it learns from, after the users' half: exp(-mean ln P), as this pass's sample sees it
    norm_popularity  correlation of ‖yᵢ‖ with ln(1 + the item's total count), after the items' half
    """

    perplexity: float
    norm_popularity: float


@dataclass(frozen=True, eq=False, kw_only=True)
class VectorExpSpace(FittedSpace):
    """Users and items in one space; a score is ln P(i | u) but for a number of the user's own.

    history  how each pass stood; not saved
    """

    history: tuple[Pass, ...] = ()

    def probabilities(self, users: Rows) -> npt.NDArray[np.float32]:
        """(n, items) P(i | u) for each of the n ``users``, by row: what they play next, rows that sum to 1.

        As dense as it looks. Raises NotReadyError for a space without users.
        """
        scores = self.scores(users)
        scores -= scores.max(axis=1, keepdims=True)
        np.exp(scores, out=scores)
        scores /= scores.sum(axis=1, keepdims=True)
        return scores

    def fold_in_user(self, item_ids: Sequence[str], plays: npt.ArrayLike) -> Vectors:
        """The vector (width,) float32 of a user who played ``item_ids`` (n) as often as ``plays`` (n) says.

        Plays are on the scale of the weights that the model learned from; an item that stands twice is summed. It is
        the most likely vector given all items; training, which knows a catalogue beyond some thousand items by a
        sample, comes close to it. Who played nothing is at the origin, where popularity decides.
        Raises UnknownIdError for an item that the space does not know, InputError for bad plays.
        """
        rows, weights = likelihood.newcomer(self.item_ids.rows(item_ids), plays)
        found = _problem(self._settings).fold_in(rows, _counts(self._settings, weights), *self._parts)
        one = np.ones(1, dtype=np.float32) if self.biased else None
        vector: Vectors = likelihood.joined(found[None, :], self._settings.factors, one)[0]
        return vector

    @cached_property
    def _settings(self) -> VectorExpSettings:
        return VectorExpSettings(**self.settings)

    @cached_property
    def _parts(self) -> tuple[Floats, Floats]:
        vectors = self.item_vectors
        biases = vectors[:, -1].copy() if self.biased else np.zeros(len(vectors), dtype=np.float32)
        return likelihood.widened(vectors, self._settings.factors), biases


class VectorExp(Configured[VectorExpSettings]):
    """A softmax over all items of the inner products of users and items."""

    name: ClassVar[str] = "vector_exp"
    learns_from: ClassVar[InputKind] = "interactions"
    settings_class: ClassVar[type[VectorExpSettings]] = VectorExpSettings
    space_class: ClassVar[type[VectorExpSpace]] = VectorExpSpace

    def fit(
        self, interactions: Interactions, /, *, threads: int | None = None, progress: Progress = silent
    ) -> VectorExpSpace:
        """The space of all users and items of ``interactions``; rows without any are zero vectors.

        An item that nobody played has the bias of the least played one. Equal inputs and settings give equal bytes,
        whatever the number of ``threads`` (None: one a processor). Raises InputError if there are no interactions, or
        weights that are negative or not finite.
        """
        likelihood.require_interactions("Vector-Exp", interactions)
        counts = _counts(self.settings, interactions.weights)
        by_user = CSR(interactions.indptr, interactions.indices, counts)
        users = likelihood.totals_of(by_user)
        items = likelihood.column_totals(by_user, len(interactions.item_ids))
        settings = self.settings
        if settings.regularization is None:
            strength = likelihood.regularization(counts, users, items, settings.frequency_exponent)
            settings = replace(settings, regularization=strength)
        rng = np.random.default_rng(settings.seed)
        state = likelihood.begun(interactions.shape, settings.factors, rng)
        if settings.item_biases:
            state.item_intercepts[:] = np.log(np.maximum(items, items[items > 0].min()))
        history: list[Pass] = []
        own = users[users > 0]
        popularity = np.log1p(items)

        def keep(gains: npt.NDArray[np.float64]) -> None:
            # z holds the user's total too: Σ n z = Σ n ln P + Σ total ln total.
            likelihoods = float(gains.sum()) - float(own @ np.log(own))
            norms = np.linalg.norm(state.item_vectors, axis=1)
            history.append(Pass(float(np.exp(-likelihoods / own.sum())), _correlation(norms, popularity)))

        _problem(settings).learn(
            by_user,
            state,
            samples=settings.samples,
            passes=settings.passes,
            cg_steps=settings.cg_steps,
            rng=rng,
            threads=processors() if threads is None else threads,
            progress=progress,
            after_pass=keep,
        )
        biases = state.item_intercepts if settings.item_biases else None
        ones = np.ones(len(users), dtype=np.float32) if settings.item_biases else None
        return VectorExpSpace(
            model=self.name,
            kind=interactions.kind,
            metric="dot",
            biased=settings.item_biases,
            item_ids=interactions.item_ids,
            item_vectors=likelihood.joined(state.item_vectors, settings.factors, biases),
            user_ids=interactions.user_ids,
            user_vectors=likelihood.joined(state.user_vectors, settings.factors, ones),
            settings=as_table(settings),
            history=tuple(history),
        )


def _counts(settings: VectorExpSettings, weights: Floats) -> Floats:
    counts = likelihood.counts_of(weights, settings.counts, settings.epsilon)
    return np.minimum(counts, np.float32(settings.largest_count))


def _problem(settings: VectorExpSettings) -> Likelihood:
    return Likelihood(
        link="poisson",
        regularization=likelihood.known(settings.regularization),
        exponent=settings.frequency_exponent,
        item_biases=settings.item_biases,
    )


def _correlation(first: npt.NDArray[np.floating], second: npt.NDArray[np.floating]) -> float:
    """Pearson's; 0 where one of the two does not vary."""
    first, second = first - first.mean(), second - second.mean()
    scale = float(np.sqrt((first @ first) * (second @ second)))
    return float(first @ second) / scale if scale > 0 else 0.0
