"""What each model of a blend counts, learned from listens that the models have not seen.

A candidate's score is Σ_m w_m z_m, z_m being its standardized score in model m (`crossfade.models.blend`). The weights
w ≥ 0 maximise the likelihood of what the users went on to play, each time as one choice among the user's candidates,

    mean over users of [ mean over hits h of w·z_h - ln Σ_candidates c exp(w·z_c) ] - ε ‖w‖²

which is concave, so there is one optimum; it ranks, and is not disturbed by how much a user plays. Every user counts
the same. Models that add nothing are left out: the one that counts least, by its weight and how much its scores differ,
goes, again and again, as long as that costs less of the likelihood than one standard error of the difference between
users. The cost is measured on the half of the users that the weights were not fitted on.

McFadden, "Conditional logit analysis of qualitative choice behavior", 1974; Breiman et al., "Classification and
regression trees", 1984 (the rule of one standard error).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from crossfade.core.csr import Starts, starts_of
from crossfade.core.spaces import Neighbours
from crossfade.kernels.search.best import best_of_lists
from crossfade.models.blend_chances import Chances
from crossfade.models.blend_trees import Trees

Matrix = npt.NDArray[np.float32]
PerUser = npt.NDArray[np.float64]

RIDGE = 1e-4
"""ε: enough for models that say the same to share their weight."""

LEAST_USERS, LEAST_HITS = 100, 300
"""Users with hits among their candidates, and hits, below which weights would be chance: all models count the same."""

PLACES = 20
"""Of the lists by whose NDCG models are judged."""


@dataclass(frozen=True)
class Evidence:
    """Candidates of n users, in compressed rows, and which of them the users went on to play.

    indptr   (n + 1,) int64
    columns  (candidates, models) float32, standardized scores; NaN where a model does not know the item
    hits     (candidates,) bool
    hidden   (n,) int64 how many items each user went on to play, candidates or not
    history  (n,) float32, ln(1 + how many items each user had played before)
    extras   (candidates, models + 3) float32, what trees see besides (`crossfade.models.blend_features.extras`)
    """

    indptr: Starts
    columns: Matrix
    hits: npt.NDArray[np.bool_]
    hidden: npt.NDArray[np.int64]
    history: npt.NDArray[np.float32]
    extras: Matrix | None = None

    @property
    def hitting(self) -> npt.NDArray[np.bool_]:
        """(n,) which users have a hit among their candidates."""
        return _sums(self.hits, self.indptr) > 0

    def shares(self) -> npt.NDArray[np.float64]:
        """(candidates,) 1 / (the user's hits · users with hits) for a hit, 0 for others."""
        counts = _sums(self.hits, self.indptr)
        each = np.maximum(counts, 1) * max(np.count_nonzero(counts), 1)
        shares: npt.NDArray[np.float64] = self.hits / np.repeat(each, np.diff(self.indptr))
        return shares

    def of(self, users: npt.NDArray[np.bool_]) -> "Evidence":
        """That of the marked ``users`` (n,) alone."""
        kept = np.repeat(users, np.diff(self.indptr))
        indptr = starts_of(np.diff(self.indptr)[users])
        extras = None if self.extras is None else self.extras[kept]
        return Evidence(indptr, self.columns[kept], self.hits[kept], self.hidden[users], self.history[users], extras)


@dataclass(frozen=True, kw_only=True)
class Weights:
    """What was learned.

    models   their names
    weights  (models,) float32, 0 for a model that was left out
    unknown  (models,) float32, the standardized score of an item that a model does not know: its mean over candidates
    learned  whether they were learned; without enough to learn from, all models count the same
    report   by model: "weight", and if learned "adds", the NDCG@20 that it adds, with its standard error "error"
    trees    what corrects the weighted sum, if anything
    chances  what turns scores into chances, if learned
    again    (models + 1,) what models and own plays count for what users have played (`blend_again`), if learned
    """

    models: Sequence[str]
    weights: npt.NDArray[np.float32]
    unknown: npt.NDArray[np.float32]
    learned: bool
    report: Mapping[str, Mapping[str, Any]]
    trees: Trees | None = None
    chances: Chances | None = None
    again: npt.NDArray[np.float32] | None = None

    def filled(self, columns: Matrix) -> Matrix:
        """Return ``columns`` (n, models) with the scores of what a model does not know."""
        return np.where(np.isnan(columns), self.unknown, columns)

    def described(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {
            "models": list(self.models),
            "weights": self.weights.tolist(),
            "unknown": self.unknown.tolist(),
            "learned": self.learned,
            "report": self.report,
            "trees": None if self.trees is None else self.trees.described(),
            "chances": None if self.chances is None else self.chances.described(),
            "again": None if self.again is None else self.again.tolist(),
        }

    @classmethod
    def of(cls, described: Mapping[str, Any]) -> "Weights":
        """Return what `described` gave; ValueError, KeyError or TypeError for anything else."""
        models = [str(name) for name in described["models"]]
        weights, unknown = (np.array(described[name], dtype=np.float32) for name in ("weights", "unknown"))
        if not weights.shape == unknown.shape == (len(models),):
            raise ValueError(f"{len(models)} models have {len(weights)} weights")
        trees, chances, again = described["trees"], described["chances"], described["again"]
        if again is not None and len(again) != len(models) + 1:
            raise ValueError(f"{len(models)} models and own plays have {len(again)} weights for what is played again")
        return cls(
            models=models,
            weights=weights,
            unknown=unknown,
            learned=bool(described["learned"]),
            report=dict(described["report"]),
            trees=None if trees is None else Trees.described_by(trees),
            chances=None if chances is None else Chances.described_by(chances),
            again=None if again is None else np.array(again, dtype=np.float32),
        )

    @classmethod
    def even(cls, models: Sequence[str], unknown: npt.NDArray[np.float32] | None = None) -> "Weights":
        """The same weight for all ``models``."""
        weights = np.full(len(models), 1 / max(len(models), 1), dtype=np.float32)
        report = {name: {"weight": float(weight)} for name, weight in zip(models, weights, strict=True)}
        nothing = np.zeros(len(models), dtype=np.float32)
        return cls(
            models=models,
            weights=weights,
            unknown=nothing if unknown is None else unknown,
            learned=False,
            report=report,
        )


def learned_weights(evidence: Evidence, models: Sequence[str]) -> Weights:
    """Return the weights of ``models``, the columns of ``evidence``."""
    known = ~np.isnan(evidence.columns)
    sums = np.where(known, evidence.columns, 0).sum(axis=0, dtype=np.float64)
    unknown = (sums / np.maximum(known.sum(axis=0), 1)).astype(np.float32)
    columns = np.where(known, evidence.columns, unknown)
    whole = replace(evidence, columns=columns, extras=None)
    hitting = whole.hitting
    if hitting.sum() < LEAST_USERS or whole.hits.sum() < LEAST_HITS or len(models) == 1:
        return Weights.even(models, unknown)
    # Halves of users by turns: rows of users are in the order of their ids, which says nothing of their tastes.
    odd = np.arange(len(hitting)) % 2 == 1
    judge = _Judge(whole.of(odd), whole.of(~odd))
    weights = np.zeros(len(models), dtype=np.float32)
    report: dict[str, dict[str, float]] = {name: {} for name in models}
    kept = [*range(len(models))]
    while True:
        found = fitted(whole, kept)
        # What has no weight beside the others costs nothing when it goes.
        used = [one for one, weight in zip(kept, found, strict=True) if weight > 0]
        if len(used) < 2:
            break
        weakest = min(used, key=lambda one: float(found[kept.index(one)] * columns[:, one].std()))
        without = [one for one in used if one != weakest]
        cost = judge.measured(used, _likelihood) - judge.measured(without, _likelihood)
        if cost.mean() > _error(cost):
            break
        kept = without
    weights[kept] = found
    for one in used if len(used) > 1 else ():
        gain = judge.measured(used, ndcg) - judge.measured([other for other in used if other != one], ndcg)
        report[models[one]] = {"adds": float(gain.mean()), "error": _error(gain)}
    for name, weight in zip(models, weights, strict=True):
        report[name] |= {"weight": float(weight)}
    return Weights(models=models, weights=weights, unknown=unknown, learned=True, report=report)


def fitted(evidence: Evidence, models: Sequence[int]) -> npt.NDArray[np.float64]:
    """Return the weights (models,) of these columns that maximise the likelihood."""
    from scipy.optimize import minimize

    some = evidence.of(evidence.hitting)
    columns = some.columns[:, list(models)].astype(np.float64)
    target = some.shares() @ columns

    def loss(weights: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
        normalisers, chances = _chances(columns @ weights, some.indptr)
        value = normalisers.mean() - float(target @ weights)
        return value + RIDGE * float(weights @ weights), chances @ columns - target + 2 * RIDGE * weights

    begin = np.full(len(models), 1 / len(models))
    found: npt.NDArray[np.float64] = minimize(
        loss, begin, jac=True, method="L-BFGS-B", bounds=[(0, None)] * len(models)
    ).x
    return found


def ndcg(evidence: Evidence, scores: npt.NDArray[np.floating]) -> PerUser:
    """Return the NDCG (n,) of the users' candidates by their ``scores`` (candidates,), in lists of `PLACES`."""
    listed = Neighbours.none(len(evidence.hidden), PLACES)
    places = np.arange(len(scores), dtype=np.int32)
    best_of_lists(evidence.indptr, places, scores.astype(np.float32), listed.rows, listed.scores)
    hits = np.append(evidence.hits, False)[listed.rows]  # a place without a candidate has row -1
    gains = 1 / np.log2(np.arange(PLACES) + 2)
    best = np.cumsum(gains)
    gained: PerUser = hits @ gains
    return gained / best[np.clip(evidence.hidden, 1, PLACES) - 1]


class _Judge:
    """The users of two halves, by the weights that were fitted on the other half; each set of models is fitted once."""

    def __init__(self, one: Evidence, other: Evidence) -> None:
        self._halves = (one, other), (other, one)
        self._scores: dict[tuple[int, ...], list[npt.NDArray[np.float64]]] = {}

    def measured(
        self, models: Sequence[int], measure: Callable[[Evidence, npt.NDArray[np.float64]], PerUser]
    ) -> PerUser:
        """Return the ``measure`` of each user who has hits, by these ``models`` alone."""
        key = tuple(models)
        if key not in self._scores:
            self._scores[key] = [
                asked.columns[:, list(models)].astype(np.float64) @ fitted(half, models) for half, asked in self._halves
            ]
        both = zip(self._halves, self._scores[key], strict=True)
        return np.concatenate([measure(asked, scores)[asked.hitting] for (_, asked), scores in both])


def _likelihood(evidence: Evidence, scores: npt.NDArray[np.float64]) -> PerUser:
    """The log-likelihood (n,) of what each user went on to play."""
    normalisers, _ = _chances(scores, evidence.indptr)
    return _sums(evidence.shares() * scores, evidence.indptr) * np.count_nonzero(evidence.hitting) - normalisers


def _chances(
    scores: npt.NDArray[np.float64], indptr: Starts
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """(n,) ln Σ exp of each user's ``scores`` (candidates,), and (candidates,) each one's chance, divided by n."""
    lengths, starts = np.diff(indptr), indptr[:-1]
    highest = np.maximum.reduceat(scores, starts)
    chances = np.exp(scores - np.repeat(highest, lengths))
    totals = np.add.reduceat(chances, starts)
    return highest + np.log(totals), chances / np.repeat(totals, lengths) / len(lengths)


def _error(values: PerUser) -> float:
    """The standard error of the mean."""
    return float(values.std() / np.sqrt(len(values)))


def _sums(values: npt.NDArray[Any], indptr: Starts) -> npt.NDArray[np.float64]:
    """(n,) the sums of each user's ``values``."""
    return np.diff(np.concatenate(([0.0], np.cumsum(values, dtype=np.float64)))[indptr])
