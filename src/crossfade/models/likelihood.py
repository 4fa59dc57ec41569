"""What factor models by maximum likelihood share: alternating passes, their scale, and newcomers.

A pass improves every user against the items, then every item against the users, each row by a step of Newton's
(`crossfade.kernels.likelihood_newton`). What a row has no entry in is known by a sample of the other side, drawn
anew for each half-pass with chances that follow (total count + 1)^`PROPOSAL`; a side that is no larger than the
sample is seen whole. Rows are held by λ(their total count)^ν.

*Regularization.* While all vectors are small, a factor raises the penalised likelihood if and only if its singular
value in the matrix of counts less expected counts, rows and columns divided by the roots of their penalties, is
above 1, as in `crossfade.models.als_scale`; so λ is set to `NOISE` times what the noise in the counts comes to. At 1
nothing at all would be learned. `NOISE` was chosen on validation cuts of HetRec Last.fm and MovieLens-1M.

Cost of a pass: O((pairs + (users + items) · samples) · f · passes over them), some five to eight.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from crossfade.core.csr import CSR
from crossfade.core.errors import ArtifactError, InputError, SettingsError
from crossfade.core.interactions import Interactions
from crossfade.core.progress import Progress
from crossfade.core.spaces import Vectors
from crossfade.kernels.lanes import Floats, aligned, padded
from crossfade.kernels.likelihood import Link, Sample, sample_of, solve_rows
from crossfade.kernels.transposing import transposed

NOISE = 0.5

PROPOSAL = 0.75

AVERAGING = 0.7
"""How fast steps shorten: strides that sum to infinity while their squares do not."""

FINAL_SAMPLES, FINAL_STEPS, FINAL_GRADIENTS = 2, 2, 8
"""The last pass over the users sees so many times the sample, in so many steps of so many conjugate gradients."""

FOLDING_STEPS, FOLDING_GRADIENTS = 20, 16
"""Steps that lead a newcomer from nothing to the best vector there is."""

Totals = npt.NDArray[np.float64]


class State(NamedTuple):
    """Vectors (rows, padded factors) and intercepts (rows,) of both sides."""

    user_vectors: Floats
    item_vectors: Floats
    user_intercepts: Floats
    item_intercepts: Floats


@dataclass(frozen=True, kw_only=True)
class Likelihood:
    """How rows are fitted: the numbers that training and folding in have to agree on.

    link            what a score means
    regularization  λ
    exponent        ν: a row is held by λ(its total count)^ν
    item_biases     whether items have an intercept
    """

    link: Link
    regularization: float
    exponent: float
    item_biases: bool = True

    def penalties(self, totals: Totals) -> Totals:
        """(rows,) of rows with those total counts; 1 for a row without any, which no vector is sought for."""
        held: Totals = self.regularization * np.where(totals > 0, totals, 1.0) ** self.exponent
        return held

    def learn(
        self,
        by_user: CSR,
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
        """Fit ``state`` from where it stands; ``after_pass`` gets the (users,) Σ n z of each pass.

        ``polished``: whether the users are improved once more, more carefully, against the final items.
        """
        users, items, user_biases, item_biases = state
        by_item = transposed(by_user, len(items))
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
            )
            if self.item_biases:
                # What nobody played is no likelier than what was played least.
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

    def fold_in(self, rows: npt.NDArray[np.int32], counts: Floats, items: Floats, item_biases: Floats) -> Floats:
        """The best vector (padded factors,) of a user with ``counts`` of the distinct item ``rows``, ascending."""
        half = CSR(np.array([0, len(rows)], dtype=np.int64), rows, counts)
        solved = aligned(1, items.shape[1])
        solve_rows(
            half,
            items,
            item_biases,
            solved,
            np.zeros(1, dtype=np.float32),
            penalties=self.penalties(totals_of(half)),
            sample=sample_of(np.ones(len(items)), len(items), np.random.default_rng(0)),
            link=self.link,
            steps=FOLDING_STEPS,
            cg_steps=FOLDING_GRADIENTS,
        )
        vector: Floats = solved[0]
        return vector


def begun(shape: tuple[int, int], factors: int, rng: np.random.Generator) -> State:
    """Small random item vectors, and nothing else, for (users, items)."""
    users, items = shape
    width = padded(factors)
    state = State(aligned(users, width), aligned(items, width), aligned(users), aligned(items))
    state.item_vectors[:, :factors] = rng.standard_normal((items, factors), dtype=np.float32)
    state.item_vectors[:] *= np.float32(0.1 / math.sqrt(factors))
    return state


def counts_of(weights: Floats, counts: Literal["linear", "log"], epsilon: float) -> Floats:
    """What ``weights`` (n,) count for: themselves, or ln(1 + w / ε) so that heavy listeners do not rule."""
    if counts == "linear":
        return weights
    damped: Floats = np.log1p(weights / np.float32(epsilon), dtype=np.float32)
    return damped


def totals_of(half: CSR) -> Totals:
    """(rows,) the sum of the counts of each row."""
    totals = np.zeros(half.rows)
    filled = np.diff(half.indptr) > 0
    if filled.any():
        totals[filled] = np.add.reduceat(half.values, half.indptr[:-1][filled], dtype=np.float64)
    return totals


def column_totals(half: CSR, columns: int) -> Totals:
    """(columns,) the sum of the counts of each column."""
    return np.bincount(half.indices, weights=half.values, minlength=columns).astype(np.float64)


def regularization(counts: Floats, user_totals: Totals, item_totals: Totals, exponent: float) -> float:
    """λ where nobody says, of rows that have any count."""
    squares = float(np.einsum("n,n->", counts, counts, dtype=np.float64))
    users, items = (totals[totals > 0] for totals in (user_totals, item_totals))
    edge = math.sqrt(squares / len(users)) + math.sqrt(squares / len(items))
    return NOISE * edge / math.sqrt(float(np.mean(users**exponent)) * float(np.mean(items**exponent)))


def require_interactions(model: str, interactions: Interactions) -> None:
    """Raise InputError unless there is something that can be learned from."""
    if not interactions.pairs:
        raise InputError(f"{model} cannot learn from no interactions: import listens first, or lower what drops them.")
    _require_weights(interactions.weights)
    if not interactions.weights.any():
        raise InputError(
            f"{model} cannot learn from weights that are all zero: import listens, or lower what drops them."
        )
    if interactions.indices.min() < 0 or interactions.indices.max() >= len(interactions.item_ids):
        raise InputError("the interactions name items beyond their own item ids; run `crossfade verify`")


def require_ranges(settings: Any, ranges: Sequence[tuple[str, float, float]], positive: Sequence[str]) -> None:
    """Raise SettingsError unless fields lie in their (name, low, high), and ``positive`` ones that are set above 0."""
    for name, low, high in ranges:
        value = getattr(settings, name)
        # Written positively, so that NaN is refused too.
        if not (low <= value <= high and value < math.inf):
            raise SettingsError(f"{name} must be from {low} to {high}, not {value!r}")
    for name in positive:
        value = getattr(settings, name)
        if value is not None and not 0 < value < math.inf:
            raise SettingsError(f"{name} must be above 0, not {value!r}")
    if settings.counts not in ("linear", "log"):
        raise SettingsError(f"counts must be linear or log, not {settings.counts!r}")


def widened(vectors: Vectors, factors: int) -> Floats:
    """The first ``factors`` columns of ``vectors``, padded with zeros as kernels want them."""
    wide = aligned(len(vectors), padded(factors))
    wide[:, :factors] = vectors[:, :factors]
    return wide


def joined(vectors: Floats, factors: int, last: Floats | None) -> Vectors:
    """The first ``factors`` columns of ``vectors``, and ``last`` (rows,) beside them unless it is None."""
    columns = vectors[:, :factors]
    return np.ascontiguousarray(columns) if last is None else np.column_stack((columns, last))


def newcomer(rows: npt.NDArray[np.int32], plays: npt.ArrayLike) -> tuple[npt.NDArray[np.int32], Floats]:
    """Distinct item rows, ascending, and their summed plays; InputError where the two do not fit or cannot be."""
    weights = np.asarray(plays, dtype=np.float32)
    if weights.shape != rows.shape:
        raise InputError(f"{len(rows)} ids do not fit plays of shape {weights.shape}")
    if not (np.isfinite(weights) & (weights >= 0)).all():
        raise InputError("plays must be finite numbers of at least 0")
    distinct, places = np.unique(rows, return_inverse=True)
    return distinct, np.bincount(places, weights=weights, minlength=len(distinct)).astype(np.float32)


def known(value: float | None) -> float:
    """A setting that a fit has resolved; ArtifactError if it is still unset."""
    if value is None:
        raise ArtifactError("this space does not say what it was fitted with; fit it again")
    return value


def _require_weights(weights: Floats) -> None:
    wrong = np.flatnonzero(~(np.isfinite(weights) & (weights >= 0)))
    if wrong.size:
        raise InputError(
            f"weight {weights[wrong[0]]} at position {wrong[0]}: weights must be finite numbers of at least 0 "
            f"({wrong.size} of {weights.size} are not)"
        )


def _stride(turn: int, passes: int) -> float:
    """What part of its step a row goes: from half of the passes on less and less, so that samples average out."""
    later = turn - passes // 2
    return 1.0 if later < 0 else (later + 2) ** -AVERAGING


def _sample(totals: Totals, samples: int, rng: np.random.Generator) -> Sample:
    return sample_of((totals + 1) ** PROPOSAL, samples, rng)
