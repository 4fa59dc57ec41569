"""Boosted trees that correct the linear score of a blend.

    score_ui = Σ_m w_m z_mui + Σ_t T_t(x_ui)

Each tree T_t is fitted to the gradient of LambdaRank at the score so far: for every pair of a hit and a miss of one
user, how much NDCG changes if they change places, times how far the score is from telling them apart. x is what
`crossfade.models.blend_features` says. The first score is the linear one, so no trees are the linear blend.

What a model adds to a score is its term of the linear score, and the Shapley values of its features in the trees.

Burges, "From RankNet to LambdaRank to LambdaMART", 2010; Ke et al., "LightGBM", NIPS 2017; Lundberg et al.,
"Consistent individualized feature attribution for tree ensembles", 2018.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from crossfade.core.errors import MissingExtraError
from crossfade.kernels.threads import threads_for

Matrix = npt.NDArray[np.float32]
Scores = npt.NDArray[np.float64]

MOST_ROUNDS, PATIENCE = 150, 15
"""Trees at most, and how many may follow the best one before no more are tried."""

PLACES = 20
"""Of the lists whose NDCG is to rise."""

SETTINGS: Mapping[str, Any] = {
    "objective": "lambdarank",
    "metric": "ndcg",
    "eval_at": [PLACES],
    "lambdarank_truncation_level": 30,  # pairs with one item among so many; the authors advise somewhat over PLACES
    "learning_rate": 0.1,
    "num_leaves": 15,
    "min_data_in_leaf": 200,
    "max_bin": 63,
    # For equal bytes on any number of processors.
    "deterministic": True,
    "force_row_wise": True,
    "seed": 0,
    "verbosity": -1,
}


def lightgbm() -> Any:
    """Return the library; MissingExtraError where it is not installed."""
    try:
        import lightgbm
    except ImportError as error:
        raise MissingExtraError('A blend with ranker = "trees"', extra="trees") from error
    return lightgbm


@dataclass(frozen=True, eq=False, kw_only=True)
class Trees:
    """Trees that were grown.

    text    LightGBM's own format, without the settings of the machine that it was made on
    models  whose scores and places they read, then what of the rest
    others  names of the other features
    adds    the NDCG@20 that they add to the linear score, for users whom they have not seen
    error   the standard error of that
    """

    text: str
    models: tuple[str, ...]
    others: tuple[str, ...]
    adds: float
    error: float

    def scores(self, table: Matrix, threads: int | None = None) -> Matrix:
        """Return what the trees add (n,) to the scores of pairs, from their features (n, any)."""
        if not len(table):
            return np.zeros(0, dtype=np.float32)
        found: Scores = self._booster.predict(table, raw_score=True, num_threads=threads_for(threads))
        return (found - self._level).astype(np.float32)

    def parts(self, table: Matrix, threads: int | None = None) -> dict[str, Matrix]:
        """Return what each model and each other feature adds to that (n,); they add up to it."""
        found = self._contributions(table, threads)
        count = len(self.models)
        parts = {name: found[:, place] + found[:, count + place] for place, name in enumerate(self.models)}
        for place, name in enumerate(self.others):
            # A model may have the name of a feature.
            parts[name] = parts.get(name, 0) + found[:, 2 * count + place]
        return {name: part.astype(np.float32) for name, part in parts.items()}

    def described(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        numbers = {"adds": self.adds, "error": self.error}
        return {"text": self.text, "models": list(self.models), "others": list(self.others), **numbers}

    @classmethod
    def described_by(cls, described: Mapping[str, Any]) -> "Trees":
        """Return what `described` gave; KeyError, TypeError or ValueError for anything else."""
        names = (tuple(str(name) for name in described[which]) for which in ("models", "others"))
        models, others = names
        numbers = {name: float(described[name]) for name in ("adds", "error")}
        return cls(text=str(described["text"]), models=models, others=others, **numbers)

    @cached_property
    def _booster(self) -> Any:
        return lightgbm().Booster(model_str=self.text)

    @cached_property
    def _level(self) -> float:
        return level_of(self._booster)

    def _contributions(self, table: Matrix, threads: int | None) -> npt.NDArray[np.float64]:
        if not len(table):
            return np.zeros((0, table.shape[1] + 1))
        found: npt.NDArray[np.float64] = self._booster.predict(
            table, pred_contrib=True, num_threads=threads_for(threads)
        )
        return found


@dataclass(frozen=True, eq=False)
class Examples:
    """Candidates of users that trees are grown from.

    table    (n, features)
    hits     (n,) bool
    lengths  (users,) candidates of each
    begin    (n,) their linear scores
    """

    table: Matrix
    hits: npt.NDArray[np.bool_]
    lengths: npt.NDArray[np.int64]
    begin: Scores


def grow(
    examples: Examples,
    judges: Examples | None,
    names: Sequence[str],
    rising: Sequence[int],
    rounds: int,
    threads: int | None,
) -> tuple[Any, Scores]:
    """Return LightGBM's booster of at most so many ``rounds``, and the NDCG of the ``judges`` after each of them.

    With judges it ends `PATIENCE` rounds after the best one. By feature, ``rising`` is 1 if the score may only rise
    with it, -1 if it may only fall, 0 for either.
    """
    library = lightgbm()
    settings = {**SETTINGS, "monotone_constraints": [*rising], "num_threads": threads_for(threads)}

    def dataset(of: Examples, like: Any = None) -> Any:
        return library.Dataset(
            of.table,
            of.hits.astype(np.int8),
            group=of.lengths,
            init_score=of.begin,
            feature_name=list(names),
            reference=like,
            params=settings,
        )

    data = dataset(examples)
    curve: dict[str, dict[str, list[float]]] = {}
    judged: dict[str, Any] = {}
    if judges is not None:
        stopping = library.early_stopping(PATIENCE, verbose=False)
        judged = {
            "valid_sets": [dataset(judges, data)],
            "valid_names": ["judges"],
            "callbacks": [stopping, library.record_evaluation(curve)],
        }
    booster = library.train(settings, data, rounds, **judged)
    return booster, np.array(curve.get("judges", {}).get(f"ndcg@{PLACES}", []))


def level_of(booster: Any) -> float:
    """Return the mean of all trees, which says nothing of the order of items."""
    row = np.zeros((1, booster.num_feature()), dtype=np.float32)
    return float(booster.predict(row, pred_contrib=True, num_threads=1)[0, -1])


def text_of(booster: Any, rounds: int) -> str:
    """Return the first ``rounds`` trees as text, without settings, among which is the number of processors."""
    text: str = booster.model_to_string(num_iteration=rounds)
    return text.split("\nparameters:")[0] + "\n"
