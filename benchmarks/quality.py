"""Quality against a peer: our ALS, `implicit`'s ALS and popularity on HetRec 2011 Last.fm.

    python -m benchmarks.quality --data FOLDER    the folder that holds user_artists.dat

For each of five seeds a fifth of every user's artists is held out as the test set. Both models choose among as
many settings, on a fifth of every user's remaining artists, by NDCG@20; then they are fitted to all that
remains and asked for the test set once. Both get 64 factors and 15 iterations, learn from the same counts, and
are ranked by the same code. Intervals are over users, each user's values averaged over the seeds.
"""

import argparse
import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.case import Findings, run_case
from benchmarks.libraries import fitted_vectors
from benchmarks.peers import present
from benchmarks.record import Comparison, Side
from benchmarks.turns import timed
from crossfade.core.interactions import Interactions
from crossfade.evaluate.intervals import difference_estimate, mean_estimate
from crossfade.evaluate.metrics import accuracy
from crossfade.evaluate.recommendation import ranked_lists, validate
from crossfade.evaluate.splits import Split, random_holdout
from crossfade.models.contract import Fitted
from crossfade.models.popularity import Popularity

K = 20
FACTORS, ITERATIONS = 64, 15

Settings = Mapping[str, Any]
Fit = Callable[[Interactions, Settings], Fitted[Any]]

OURS: list[Settings] = [
    *(
        {"objective": "ials", "alpha": 1.0, "unobserved_weight": unobserved, "regularization": regularization}
        for unobserved, regularization in itertools.product((0.1, 0.2, 0.3, 0.5), (0.01, 0.02, 0.03))
    ),
    *(
        {"objective": "hkv", "alpha": alpha, "regularization": regularization}
        for alpha, regularization in ((3.0, 50.0), (5.0, 100.0), (5.0, 200.0), (10.0, 200.0))
    ),
]
PEERS: list[Settings] = [
    *(
        {"confidence": "log", "alpha": alpha, "regularization": regularization}
        for alpha, regularization in itertools.product((2.0, 3.0, 5.0, 10.0), (50.0, 100.0, 200.0))
    ),
    *(
        {"confidence": "linear", "alpha": alpha, "regularization": regularization}
        for alpha, regularization in itertools.product((0.01, 0.1), (10.0, 100.0))
    ),
]


def fit_ours(train: Interactions, settings: Settings) -> Fitted[Any]:
    """Our ALS."""
    from crossfade.models.als import ALS, ALSSettings

    return ALS(ALSSettings(factors=FACTORS, iterations=ITERATIONS, confidence="log", **settings)).fit(train)


def fit_peer(train: Interactions, settings: Settings) -> Fitted[Any]:
    """`implicit`'s ALS, which takes the whole confidence as the matrix."""
    from implicit.als import AlternatingLeastSquares
    from scipy.sparse import csr_matrix
    from threadpoolctl import threadpool_limits

    counts = np.log1p(train.weights) if settings["confidence"] == "log" else train.weights
    confidence = (1 + settings["alpha"] * counts).astype(np.float32)
    model = AlternatingLeastSquares(
        factors=FACTORS, iterations=ITERATIONS, regularization=settings["regularization"], random_state=0
    )
    with threadpool_limits(1, "blas"):
        model.fit(csr_matrix((confidence, train.indices, train.indptr), shape=train.shape), show_progress=False)
    return fitted_vectors("implicit", train, model.user_factors, model.item_factors)


def scores(model: Fitted[Any], split: Split) -> dict[str, np.ndarray]:
    """Recall@20 and NDCG@20 (users,)."""
    task = validate(model, split.train, split.test, K)
    found = accuracy(ranked_lists(model, task, K), task.hidden, K)
    return {name: found[name] for name in (f"recall@{K}", f"ndcg@{K}")}


def best(fit: Fit, candidates: Iterable[Settings], tunings: Sequence[Split]) -> Settings:
    """The settings that do best on the tuning splits."""

    def ndcg(settings: Settings) -> float:
        return float(np.mean([scores(fit(cut.train, settings), cut)[f"ndcg@{K}"].mean() for cut in tunings]))

    return max(candidates, key=ndcg)


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, required=True, help="the folder that holds user_artists.dat")
    parser.add_argument("--seeds", type=int, default=5, help="test sets, one after the other")
    parser.add_argument("--candidates", type=int, default=16, help="settings that each side chooses among")


def measure(chosen: argparse.Namespace) -> Findings:
    """One comparison: what each side finds of the test sets, and the difference."""
    users, artists, plays = np.loadtxt(
        chosen.data / "user_artists.dat", skiprows=1, dtype=np.int64, unpack=True, delimiter="\t"
    )
    interactions = Interactions.from_counts(list(map(str, users)), list(map(str, artists)), plays)
    versions, skipped = present(["implicit"])
    models: dict[str, tuple[Fit, list[Settings]]] = {"crossfade": (fit_ours, OURS[: chosen.candidates])}
    if "implicit" in versions:
        models["implicit"] = (fit_peer, PEERS[: chosen.candidates])
    values: dict[str, list[dict[str, np.ndarray]]] = {"popularity": [], **{name: [] for name in models}}
    settings: dict[str, list[Settings]] = {name: [] for name in models}
    seconds: dict[str, list[float]] = {name: [] for name in models}
    for seed in range(chosen.seeds):
        rng = np.random.default_rng(seed)
        split = random_holdout(interactions, 0.2, rng)
        tunings = [random_holdout(split.train, 0.2, rng) for _ in range(2)]
        values["popularity"].append(scores(Popularity().fit(split.train), split))
        for name, (fit, candidates) in models.items():
            settings[name].append(best(fit, candidates, tunings))
            model, taken = timed(partial(fit, split.train, settings[name][-1]))
            seconds[name].append(taken)
            values[name].append(scores(model, split))
            shown = "  ".join(f"{metric} {users.mean():.4f}" for metric, users in values[name][-1].items())
            print(f"seed {seed}  {name:10} {shown}  {settings[name][-1]}", flush=True)
    averaged = {
        name: {metric: np.mean([each[metric] for each in runs], axis=0) for metric in runs[0]}
        for name, runs in values.items()
    }
    sides = []
    for name, metrics in averaged.items():
        figures: dict[str, Any] = {}
        for metric, found in metrics.items():
            figures[metric] = mean_estimate(found).value
            figures[f"{metric} by seed"] = [round(float(each[metric].mean()), 4) for each in values[name]]
            if name == "implicit":
                apart = difference_estimate(averaged["crossfade"][metric], found)
                figures[f"{metric} of crossfade more"] = [apart.value, apart.low, apart.high]
        if name in settings:
            figures["settings"] = [", ".join(f"{key} {value}" for key, value in one.items()) for one in settings[name]]
        kind = "ours" if name == "crossfade" else "peer"
        sides.append(Side(name=name, kind=kind, turns=seconds.get(name, ()), figures=figures))
    return Findings(
        comparisons=[
            Comparison(
                name="HetRec 2011 Last.fm",
                unit="a fit, a seed",
                what={"candidates": chosen.candidates, "seeds": chosen.seeds, "k": K},
                sides=sides,
            )
        ],
        versions=versions,
        skipped=skipped,
    )


if __name__ == "__main__":
    run_case(__doc__, options, measure, turns=1, blas=1)
