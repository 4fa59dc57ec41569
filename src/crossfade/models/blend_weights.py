"""What each model of a blend counts, learned from listens that the models have not seen.

A candidate's score is Σ_m w_m z_m, z_m being its standardized score in model m (`crossfade.models.blend`). The weights
w ≥ 0 are the mean of two estimates, each at sum one, of what the users went on to play, among the user's candidates:

- Those of a conditional logit, that maximise the likelihood of each hit as a choice. It is concave and steady, but
  depends on the whole shape of a model's scores.
- Those that maximise NDCG@20, the order of the best alone. They begin at the eighth power of each model's own NDCG,
  relative to the best one's; then one after the other is moved up and down, by smaller and smaller steps.

Every user counts the same.

A model is left out if NDCG does not fall, by more than a part of the standard error between users, without it. The
scale of the weights, which does not change the order, is that of a conditional logit: the likelihood of each hit as a
choice among the user's candidates is largest.

Metzler & Croft, "Linear feature-based models for information retrieval", 2007 (coordinate ascent); McFadden,
"Conditional logit analysis of qualitative choice behavior", 1974.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from crossfade.core.csr import Starts, starts_of
from crossfade.models.blend_chances import Chances
from crossfade.models.blend_trees import Trees

Matrix = npt.NDArray[np.float32]
PerUser = npt.NDArray[np.float64]

STEPS, ROUNDS = (0.5, 0.25, 0.12, 0.06), 3
"""Steps of weights, in what a model that counts weighs in the mean, and how often each is tried for all models."""

RIDGE = 1e-4
"""Of the logit: enough for models that say the same to share their weight."""

POWER = 8
"""Of a model's NDCG alone, relative to the best one's, that it begins with."""

COUNTS = 0.02
"""The share of the largest weight above which a model counts, for the mean."""

GAIN = 1e-6
"""NDCG that a step has to gain."""

SLIGHT = 0.25
"""Standard errors of NDCG that leaving out a model may cost."""

LEAST_GAIN = 2.0
"""Standard errors of NDCG that trees, or weights of compared items, must gain on what they have not seen."""

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
    compared (models,) what each counts where items are compared (`blend_compared`), if learned
    """

    models: Sequence[str]
    weights: npt.NDArray[np.float32]
    unknown: npt.NDArray[np.float32]
    learned: bool
    report: Mapping[str, Mapping[str, Any]]
    trees: Trees | None = None
    chances: Chances | None = None
    again: npt.NDArray[np.float32] | None = None
    compared: npt.NDArray[np.float32] | None = None

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
            "compared": None if self.compared is None else self.compared.tolist(),
        }

    @classmethod
    def of(cls, described: Mapping[str, Any]) -> "Weights":
        """Return what `described` gave; ValueError, KeyError or TypeError for anything else."""
        models = [str(name) for name in described["models"]]
        weights, unknown = (np.array(described[name], dtype=np.float32) for name in ("weights", "unknown"))
        if not weights.shape == unknown.shape == (len(models),):
            raise ValueError(f"{len(models)} models have {len(weights)} weights")
        # What an older version of this did not learn is not in what it kept.
        trees, chances, again, compared = map(described.get, ("trees", "chances", "again", "compared"))
        if again is not None and len(again) != len(models) + 1:
            raise ValueError(f"{len(models)} models and own plays have {len(again)} weights for what is played again")
        if compared is not None and len(compared) != len(models):
            raise ValueError(f"{len(models)} models have {len(compared)} weights where items are compared")
        return cls(
            models=models,
            weights=weights,
            unknown=unknown,
            learned=bool(described["learned"]),
            report=dict(described["report"]),
            trees=None if trees is None else Trees.described_by(trees),
            chances=None if chances is None else Chances.described_by(chances),
            again=None if again is None else np.array(again, dtype=np.float32),
            compared=None if compared is None else np.array(compared, dtype=np.float32),
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
    weights = fitted(whole, range(len(models)))
    scores, best = columns @ weights, ndcg(whole, columns @ weights)[hitting]
    report: dict[str, dict[str, float]] = {
        name: {"weight": float(one)} for name, one in zip(models, weights, strict=True)
    }
    for one in np.flatnonzero(weights).tolist():
        gain = best - ndcg(whole, scores - columns[:, one] * weights[one])[hitting]
        report[models[one]] |= {"adds": float(gain.mean()), "error": standard_error(gain)}
    return Weights(models=models, weights=weights.astype(np.float32), unknown=unknown, learned=True, report=report)


def fitted(evidence: Evidence, models: Sequence[int]) -> npt.NDArray[np.float64]:
    """Return the weights (models,) of these columns: 0 for what adds nothing."""
    some = evidence.of(evidence.hitting)
    columns = np.asfortranarray(some.columns[:, list(models)], dtype=np.float64)
    both = _most_likely(some, columns), _ascended(some, columns)
    weights = sum((one / max(one.sum(), 1e-30) for one in both), np.zeros(len(models))) / 2
    scores = columns @ weights
    for one in np.argsort(weights, kind="stable").tolist():
        without = scores - weights[one] * columns[:, one]
        cost = ndcg(some, scores) - ndcg(some, without)
        if weights[one] and np.count_nonzero(weights) > 1 and cost.mean() <= SLIGHT * standard_error(cost):
            scores, weights[one] = without, 0.0
    return weights * _scale(some, columns @ weights)


def _most_likely(evidence: Evidence, columns: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The weights (models,) of ``columns`` that maximise the likelihood of hits as choices."""
    from scipy.optimize import minimize

    target = evidence.shares() @ columns

    def loss(weights: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
        normalisers, chances = _chances(columns @ weights, evidence.indptr)
        value = normalisers.mean() - float(target @ weights)
        return value + RIDGE * float(weights @ weights), chances @ columns - target + 2 * RIDGE * weights

    begin = np.full(columns.shape[1], 1 / columns.shape[1])
    found: npt.NDArray[np.float64] = minimize(
        loss, begin, jac=True, method="L-BFGS-B", bounds=[(0, None)] * len(begin)
    ).x
    return found


def _ascended(evidence: Evidence, columns: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The weights (models,) of ``columns`` by coordinate ascent of NDCG."""
    alone = np.array([ndcg(evidence, column).mean() for column in columns.T])
    weights: npt.NDArray[np.float64] = np.power(alone / max(alone.max(), 1e-30), POWER)
    weights /= max(weights.sum(), 1e-30)
    scores = columns @ weights
    best = ndcg(evidence, scores).mean()
    for step in STEPS:
        for _ in range(ROUNDS):
            before = best
            for one in range(len(weights)):
                by = step * weights.sum() / max(np.count_nonzero(weights > COUNTS * weights.max()), 1)
                for change in (by, -min(by, weights[one])):
                    if not change or weights.sum() + change <= 0:
                        continue
                    moved = scores + change * columns[:, one]
                    found = ndcg(evidence, moved).mean()
                    if found > best + GAIN:
                        best, scores = found, moved
                        weights[one] += change
                        break
            if best == before:
                break
    return weights


def _scale(evidence: Evidence, scores: npt.NDArray[np.float64]) -> float:
    """The number times which the ``scores`` (candidates,) make the hits most likely as choices; 1 if none does."""
    from scipy.optimize import minimize_scalar

    target = float(evidence.shares() @ scores)
    spread = float(scores.std())
    if not spread:
        return 1.0
    found = minimize_scalar(
        lambda scale: _chances(scale * scores, evidence.indptr)[0].mean() - scale * target,
        bounds=(1e-3 / spread, 1e3 / spread),
        method="bounded",
    )
    return float(found.x)


def ndcg(evidence: Evidence, scores: npt.NDArray[np.floating]) -> PerUser:
    """Return the NDCG (n,) of the users' candidates by their ``scores`` (candidates,), in lists of `PLACES`."""
    # Planning a run reads weights, and loads no kernels.
    from crossfade.kernels.search.best import gained

    gains = 1 / np.log2(np.arange(PLACES) + 2)
    possible = np.cumsum(gains)[np.clip(evidence.hidden, 1, PLACES) - 1]
    found: PerUser = gained(evidence.indptr, scores.astype(np.float32), evidence.hits, gains) / possible
    return found


def _chances(
    scores: npt.NDArray[np.float64], indptr: Starts
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """(n,) ln Σ exp of each user's ``scores`` (candidates,), and (candidates,) each one's chance, divided by n."""
    lengths, starts = np.diff(indptr), indptr[:-1]
    highest = np.maximum.reduceat(scores, starts)
    chances = np.exp(scores - np.repeat(highest, lengths))
    totals = np.add.reduceat(chances, starts)
    return highest + np.log(totals), chances / np.repeat(totals, lengths) / len(lengths)


def standard_error(values: PerUser) -> float:
    """Return the standard error of the mean."""
    return float(values.std() / np.sqrt(len(values)))


def _sums(values: npt.NDArray[Any], indptr: Starts) -> npt.NDArray[np.float64]:
    """(n,) the sums of each user's ``values``."""
    return np.diff(np.concatenate(([0.0], np.cumsum(values, dtype=np.float64)))[indptr])
