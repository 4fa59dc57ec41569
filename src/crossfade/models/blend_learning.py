"""What a blend learns from a cut: weights (`blend_weights`), trees where they are wanted, and chances.

The users are halved. What is judged, and what chances are fitted to, are scores of users by what was learned from the
other half. Then all is learned again from both.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from crossfade.models.blend_chances import Chances
from crossfade.models.blend_features import AGREEMENT, SHARED, table
from crossfade.models.blend_trees import MOST_ROUNDS, Examples, Trees, grow, lightgbm, text_of
from crossfade.models.blend_weights import LEAST_GAIN, Evidence, Weights, fitted, learned_weights, ndcg, standard_error

Ranker = Literal["linear", "trees"]

Scores = npt.NDArray[np.float64]


def learned(
    evidence: Evidence, models: Sequence[str], ranker: Ranker = "linear", threads: int | None = None
) -> Weights:
    """Return what ``models``, the columns of ``evidence``, count; MissingExtraError for trees without LightGBM."""
    if ranker == "trees":
        lightgbm()
    weights = learned_weights(evidence, models)
    if not weights.learned:
        return weights
    halves = list(_halves(evidence, weights))
    judged = np.empty(len(evidence.hits))
    for half in halves:
        judged[half.of_judges] = half.linear[half.of_judges]
    trees = None
    if ranker == "trees":
        trees, judged = grown(evidence, weights, halves, judged, threads)
    history = np.repeat(evidence.history, np.diff(evidence.indptr))
    return replace(weights, trees=trees, chances=Chances.fitted(judged, history, evidence.hits))


@dataclass(frozen=True, eq=False)
class Half:
    """A half of the users that something is learned from, and the other, by which it is judged.

    learners, judges  (n,) bool
    of_judges         (candidates,) bool
    linear            (candidates,) the scores of all candidates by the weights of the learners
    """

    learners: npt.NDArray[np.bool_]
    judges: npt.NDArray[np.bool_]
    of_judges: npt.NDArray[np.bool_]
    linear: Scores


def grown(
    evidence: Evidence, weights: Weights, halves: Sequence[Half], judged: Scores, threads: int | None
) -> tuple[Trees | None, Scores]:
    """Return trees that correct the linear score, None if they add nothing, and each user's scores by the other half.

    judged  (candidates,) the linear scores, each user's by the weights of the other half
    """
    if evidence.extras is None:
        raise ValueError("trees are grown from evidence with extras")
    kept = np.flatnonzero(weights.weights)
    models = tuple(weights.models[place] for place in kept.tolist())
    others = (AGREEMENT, *SHARED)
    names = [f"score {name}" for name in models] + [f"place {name}" for name in models] + [*others]
    # A better score or place in a model never lowers the whole.
    rising = [1] * len(models) + [-1] * len(models) + [0] * len(others)
    features = table(evidence.columns, evidence.extras, kept)

    def examples(users: npt.NDArray[np.bool_], begin: Scores) -> Examples:
        some = users & evidence.hitting  # whoever has no hits tells no pair apart
        lengths = np.diff(evidence.indptr)
        candidates = np.repeat(some, lengths)
        return Examples(features[candidates], evidence.hits[candidates], lengths[some], begin[candidates])

    def trees(booster: Any, rounds: int, adds: float = 0.0, error: float = 0.0) -> Trees:
        return Trees(text=text_of(booster, rounds), models=models, others=others, adds=adds, error=error)

    boosters, curves = [], []
    for half in halves:
        learners, judges = examples(half.learners, half.linear), examples(half.judges, half.linear)
        booster, curve = grow(learners, judges, names, rising, MOST_ROUNDS, threads)
        boosters.append(booster)
        curves.append(curve)
    corrected = judged.copy()
    # How many trees a half is judged by, is chosen on the other one too.
    for half, booster, curve in zip(halves, boosters, reversed(curves), strict=True):
        corrected[half.of_judges] += trees(booster, _best(curve)).scores(features[half.of_judges], threads)
    gain = (ndcg(evidence, corrected) - ndcg(evidence, judged))[evidence.hitting]
    error = standard_error(gain)
    if gain.mean() <= LEAST_GAIN * error:
        return None, judged
    rounds = _best(np.mean([curve[: min(map(len, curves))] for curve in curves], axis=0))
    linear = weights.filled(evidence.columns).astype(np.float64) @ weights.weights
    booster, _ = grow(examples(evidence.hitting, linear), None, names, rising, rounds, threads)
    return trees(booster, rounds, float(gain.mean()), error), corrected


def _best(curve: Scores) -> int:
    """How many trees have the highest NDCG."""
    return 1 + int(np.argmax(curve))


def _halves(evidence: Evidence, weights: Weights) -> Iterator[Half]:
    """Each half of the users as learners: by turns, since ids say nothing of tastes."""
    kept = np.flatnonzero(weights.weights)
    columns = weights.filled(evidence.columns)[:, kept]
    whole = replace(evidence, columns=columns, extras=None)
    odd = np.arange(len(evidence.hidden)) % 2 == 1
    for learners in (odd, ~odd):
        linear = columns.astype(np.float64) @ fitted(whole.of(learners), range(len(kept)))
        yield Half(learners, ~learners, np.repeat(~learners, np.diff(evidence.indptr)), linear)
