"""What factor models by maximum likelihood share: settings, alternating passes, their scale, and profiles.

A pass improves every user against the items, then every item against the users, each row by a step of Newton's
(`crossfade.kernels.likelihood.newton`). The pairs without an entry are represented by a sample of the other side, drawn
anew for each half-pass with chances that follow (total count + 1)^`PROPOSAL`; a side no larger than the sample is used
whole. Rows are penalised by λ(their total count)^ν.

*Regularization.* While all vectors are small, a factor raises the penalised likelihood if and only if its singular
value in the matrix of counts less expected counts, rows and columns divided by the roots of their penalties, is
above 1, as in `crossfade.models.als_objective`; so λ is set to ``noise`` times the largest singular value of noise. At
1 nothing at all would be learned. The default was chosen on validation splits of HetRec Last.fm and MovieLens-1M.

Cost of a pass: O((pairs + samples used by the rows) · f · passes over them), some five to eight. A row uses
`PER_ENTRY` of the sample for each of its entries, since most items have few.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Annotated, ClassVar, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from crossfade.core.csr import CSR
from crossfade.core.errors import ArtifactError
from crossfade.core.interactions import Interactions
from crossfade.core.progress import Progress
from crossfade.core.settings import Checked, Range, as_table
from crossfade.core.spaces import Vectors, VectorSpace
from crossfade.kernels.lanes import Floats, aligned, padded
from crossfade.kernels.likelihood.half_pass import LaidOut, Link, Sample, laid_out, sample_of, solve_rows, totals_of
from crossfade.kernels.threads import threads_for
from crossfade.kernels.transposing import transposed
from crossfade.models.factors import SimilarByCosine
from crossfade.models.likelihood_start import start_vectors

PROPOSAL = 0.75

PER_ENTRY = 16
"""Columns of the sample that a row uses for each of its entries during the passes. Where entries are few they are the
larger source of error, so a part of the sample is enough: on HetRec Last.fm NDCG@20 stays, in about half the time."""

AVERAGING = 0.7
"""How fast steps shorten: the strides sum to infinity, their squares do not."""

FINAL_SAMPLES, FINAL_STEPS, FINAL_GRADIENTS = 2, 2, 8
"""The last pass over the users uses so many times the sample, in so many steps of so many conjugate gradients."""

FOLDING_STEPS, FOLDING_GRADIENTS = 12, 4
"""Steps that lead a history from nothing to its best vector."""

Totals = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class LikelihoodSettings(Checked):
    """What models by maximum likelihood are fitted with."""

    factors: Annotated[int, Range(8, 2048)] = 64  # width of a vector
    # λ; unset: estimated from the noise in the data
    regularization: Annotated[float, Range(above=0, high=1e30)] | None = None
    # λ as a share of where noise alone would end; only where regularization is unset
    noise: Annotated[float, Range(above=0, high=10)] = 0.5
    # ν, how regularization grows with the total count of a row; 0: not at all
    frequency_exponent: Annotated[float, Range(0, 2)] = 0.5
    counts: Literal["linear", "log"] = "log"  # what a weight r counts for: r, or for heavy tails ln(1 + r / epsilon)
    epsilon: Annotated[float, Range(1e-12, 1e12)] = 1.0  # plays at which the logarithm bends; only for counts "log"
    samples: Annotated[int, Range(64, 1_000_000)] = 1024  # rows of the other side that a half-pass looks at
    passes: Annotated[int, Range(1, 1000)] = 4  # times that users and items are improved
    cg_steps: Annotated[int, Range(1, 100)] = 4  # conjugate gradients in a step of Newton's
    seed: Annotated[int, Range(0)] = 0  # of the first item vectors and of the samples

    def counted(self, weights: Floats) -> Floats:
        """What ``weights`` (n,) count for."""
        return weights if self.counts == "linear" else np.log1p(weights / np.float32(self.epsilon), dtype=np.float32)

    def likelihood(self) -> "Likelihood":
        """What is maximised; ArtifactError if a setting is unset that a fit resolves."""
        raise NotImplementedError


class State(NamedTuple):
    """Vectors (rows, padded factors) and intercepts (rows,) of both sides."""

    user_vectors: Floats
    item_vectors: Floats
    user_intercepts: Floats
    item_intercepts: Floats


@dataclass(frozen=True, kw_only=True)
class Likelihood:
    """How rows are fitted: the numbers that training and profiles have to agree on.

    link            what a score means
    regularization  λ
    exponent        ν: a row is penalised by λ(its total count)^ν
    item_biases     whether items have an intercept
    """

    link: Link
    regularization: float
    exponent: float
    item_biases: bool = True

    def penalties(self, totals: Totals) -> Totals:
        """(rows,) of rows with those total counts; λ for a row without any, whose vector stays zero."""
        penalties: Totals = self.regularization * np.where(totals > 0, totals, 1.0) ** self.exponent
        return penalties

    def learn(
        self,
        by_user: CSR,
        by_item: CSR,
        state: State,
        *,
        samples: int,
        passes: int,
        cg_steps: int,
        rng: np.random.Generator,
        threads: int,
        progress: Progress,
        polished: bool = True,
        after_pass: Callable[[npt.NDArray[np.float64]], None] = lambda gains: None,
    ) -> None:
        """Improve ``state``; ``after_pass`` gets the (users,) Σ n z of each pass.

        ``polished``: whether the users are improved once more, more precisely, against the final items.
        """
        users, items, user_biases, item_biases = state
        user_totals, item_totals = totals_of(by_user), totals_of(by_item)
        improve = partial(solve_rows, link=self.link, cg_steps=cg_steps, threads=threads)
        rounds = 2 * passes + polished
        for turn in range(passes):
            stride = _stride(turn, passes)
            progress(2 * turn, rounds, "half-passes")
            gains = improve(
                by_user,
                items,
                item_biases,
                users,
                user_biases,
                penalties=self.penalties(user_totals),
                sample=_sample(item_totals, samples, rng),
                stride=stride,
                per_entry=PER_ENTRY,
            )
            progress(2 * turn + 1, rounds, "half-passes")
            improve(
                by_item,
                users,
                user_biases,
                items,
                item_biases,
                penalties=self.penalties(item_totals),
                sample=_sample(user_totals, samples, rng),
                free=self.item_biases,
                stride=stride,
                per_entry=PER_ENTRY,
            )
            if self.item_biases:
                # An item that nobody played is no likelier than the least played one.
                item_biases[item_totals <= 0] = item_biases[item_totals > 0].min()
            after_pass(gains)
        progress(2 * passes, rounds, "half-passes")
        if not polished:
            return
        improve(
            by_user,
            items,
            item_biases,
            users,
            user_biases,
            penalties=self.penalties(user_totals),
            sample=_sample(item_totals, FINAL_SAMPLES * samples, rng),
            steps=FINAL_STEPS,
            cg_steps=FINAL_GRADIENTS,
        )
        progress(rounds, rounds, "half-passes")

    def fold_in(self, histories: CSR, items: Floats, item_biases: Floats, sample: LaidOut, threads: int) -> Floats:
        """The best vectors (n, padded factors) of users with these counts of items, given a ``sample`` of all items."""
        solved = aligned(histories.rows, items.shape[1])
        solve_rows(
            histories,
            items,
            item_biases,
            solved,
            np.zeros(histories.rows, dtype=np.float32),
            penalties=self.penalties(totals_of(histories)),
            sample=sample,
            link=self.link,
            steps=FOLDING_STEPS,
            cg_steps=FOLDING_GRADIENTS,
            threads=threads,
        )
        return solved


class FittedLikelihood(SimilarByCosine):
    """Users and items in one space, by inner product. A profile is the most likely vector of a history.

    Of catalogues beyond some thousand items it knows a sample, as large as that of the last pass of training: on HetRec
    its cosine to the vector given all items is 0.999, as that of the trained vector is. An empty history is at the
    origin, where popularity decides.
    """

    settings_class: ClassVar[type[LikelihoodSettings]]

    def profiles(self, histories: Interactions, *, threads: int | None = None) -> Vectors:
        """The most likely vectors (n, factors) of the n users; see `Fitted.profiles`."""
        settings, rows = self._checked, self.histories_of(histories)
        counts, (items, biases) = rows._replace(values=settings.counted(rows.values)), self._items
        solved = settings.likelihood().fold_in(counts, items, biases, self._sample, threads_for(threads))
        return joined(solved, settings.factors, np.ones(rows.rows, dtype=np.float32) if self.space.biased else None)

    @cached_property
    def _checked(self) -> LikelihoodSettings:
        return self.settings_class(**self.settings)

    @cached_property
    def _sample(self) -> LaidOut:
        """The items that histories are folded in against."""
        size = FINAL_SAMPLES * self._checked.samples
        return laid_out(*self._items, _sample(self.support.astype(np.float64), size, np.random.default_rng(0)))

    @cached_property
    def _items(self) -> tuple[Floats, Floats]:
        """The vectors of the items (items, padded factors) and their biases (items,)."""
        points, vectors = self.space.points, self.space.item_vectors
        wide = aligned(len(points), padded(points.shape[1]))
        wide[:, : points.shape[1]] = points
        return wide, vectors[:, -1].copy() if self.space.biased else np.zeros(len(points), dtype=np.float32)


def fit_space(
    model: str,
    interactions: Interactions,
    settings: LikelihoodSettings,
    start: Callable[[State, Totals, Totals], None],
    *,
    threads: int | None,
    progress: Progress,
    after_pass: Callable[[State, Totals, Totals, Totals], None] = lambda state, users, items, gains: None,
) -> VectorSpace:
    """Fit ``model`` on ``interactions``.

    start       sets the intercepts of the first state, from the total counts of users and items
    after_pass  gets the state, the total counts of users and items, and (users,) Σ n z
    """
    counts = settings.counted(interactions.weights)
    by_user = CSR(interactions.indptr, interactions.indices, counts)
    users, items = totals_of(by_user), column_totals(by_user, len(interactions.item_ids))
    if settings.regularization is None:
        strength = settings.noise * noise_edge(counts, users, items, settings.frequency_exponent)
        settings = replace(settings, regularization=strength)
    rng = np.random.default_rng(settings.seed)
    state = begun(interactions.shape, settings.factors, rng)
    start(state, users, items)
    problem, by_item = settings.likelihood(), transposed(by_user, len(items))
    halves, totals = (by_user, by_item), (users, items)
    penalties = problem.penalties(users), problem.penalties(items)
    start_vectors(halves, totals, penalties, state.user_vectors, state.item_vectors, threads_for(threads))
    problem.learn(
        *halves,
        state,
        samples=settings.samples,
        passes=settings.passes,
        cg_steps=settings.cg_steps,
        rng=rng,
        threads=threads_for(threads),
        progress=progress,
        after_pass=lambda gains: after_pass(state, users, items, gains),
    )
    ones, biased = np.ones(len(users), dtype=np.float32), problem.item_biases
    return VectorSpace(
        model=model,
        kind=interactions.kind,
        metric="dot",
        biased=biased,
        item_ids=interactions.item_ids,
        item_vectors=joined(state.item_vectors, settings.factors, state.item_intercepts if biased else None),
        user_ids=interactions.user_ids,
        user_vectors=joined(state.user_vectors, settings.factors, ones if biased else None),
        settings=as_table(settings),
    )


def begun(shape: tuple[int, int], factors: int, rng: np.random.Generator) -> State:
    """Small random item vectors, and nothing else, for (users, items)."""
    users, items = shape
    width = padded(factors)
    state = State(aligned(users, width), aligned(items, width), aligned(users), aligned(items))
    state.item_vectors[:, :factors] = rng.standard_normal((items, factors), dtype=np.float32)
    state.item_vectors[:] *= np.float32(0.1 / math.sqrt(factors))
    return state


def column_totals(half: CSR, columns: int) -> Totals:
    """(columns,) the sum of the counts of each column."""
    return np.bincount(half.indices, weights=half.values, minlength=columns).astype(np.float64)


def noise_edge(counts: Floats, user_totals: Totals, item_totals: Totals, exponent: float) -> float:
    """The λ at which noise alone would teach nothing, from the rows that have any count."""
    squares = float(np.einsum("n,n->", counts, counts, dtype=np.float64))
    users, items = (totals[totals > 0] for totals in (user_totals, item_totals))
    edge = math.sqrt(squares / len(users)) + math.sqrt(squares / len(items))
    return edge / math.sqrt(float(np.mean(users**exponent)) * float(np.mean(items**exponent)))


def joined(vectors: Floats, factors: int, last: Floats | None) -> Vectors:
    """The first ``factors`` columns of ``vectors``, and ``last`` (rows,) beside them unless it is None."""
    columns = vectors[:, :factors]
    return np.ascontiguousarray(columns) if last is None else np.column_stack((columns, last))


def resolved(value: float | None) -> float:
    """A setting that a fit has resolved; ArtifactError if it is still unset."""
    if value is None:
        raise ArtifactError("This model was saved without the settings that it was fitted with. Fit it again.")
    return value


def _stride(turn: int, passes: int) -> float:
    """The part of its step that a row goes: ever less after half of the passes, so that samples average out."""
    later = turn - passes // 2
    return 1.0 if later < 0 else (later + 2) ** -AVERAGING


def _sample(totals: Totals, samples: int, rng: np.random.Generator) -> Sample:
    return sample_of((totals + 1) ** PROPOSAL, samples, rng)
