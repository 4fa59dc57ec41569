"""What exact search gains from bounds: against scoring every item, and against NumPy.

    python -m benchmarks.pruning --data FOLDER                  # the folder that holds hetrec-lastfm, movielens1m-m1
    python -m benchmarks.pruning --models generated --items 300000

Factors are those of our ALS with its defaults, of a generated long-tailed matrix and of two real data sets. The best 50
by inner product for users and by cosine for items, asked as one batch. "met" is the share of all items whose bytes
were looked at for a query on average, "scored" the share that was scored. The answers of both ways of ours are
compared byte for byte.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.case import Findings, run_case
from benchmarks.generate import long_tailed
from benchmarks.record import Comparison
from benchmarks.searchers import BlockedNumPy, Catalogue
from benchmarks.turns import pinned, take_turns
from crossfade.core.interactions import Interactions
from crossfade.core.spaces import VectorSpace
from crossfade.kernels.search.pruned import scan_pruned
from crossfade.kernels.search.sketch import sketched
from crossfade.models.als import ALS, ALSSettings
from crossfade.nearest.exact import ExactIndex
from crossfade.nearest.vectors import checked_items, checked_queries

MODELS = ("generated", "hetrec-lastfm", "movielens1m-m1")


def hetrec(folder: Path) -> Interactions:
    """HetRec 2011 Last.fm: 1,892 users, 17,632 artists."""
    users, artists, plays = np.loadtxt(
        folder / "hetrec-lastfm" / "user_artists.dat", skiprows=1, dtype=np.int64, unpack=True, delimiter="\t"
    )
    return Interactions.from_counts(list(map(str, users)), list(map(str, artists)), plays)


def movielens(folder: Path) -> Interactions:
    """The training part of a published split of MovieLens-1M: 6,022 users, some 3,000 films."""
    lines = (line.split() for line in (folder / "movielens1m-m1" / "train.txt").read_text().splitlines())
    users, items = zip(*((user, item) for user, *items in lines for item in items), strict=True)
    return Interactions.from_counts(list(users), list(items), np.ones(len(users), dtype=np.int64))


def fitted(model: str, chosen: argparse.Namespace) -> VectorSpace:
    """The space of one of MODELS."""
    if model == "generated":
        interactions = long_tailed(chosen.items // 2, chosen.items, chosen.items * 25)
        return ALS(ALSSettings(factors=chosen.factors, iterations=5)).fit(interactions).space
    interactions = hetrec(chosen.data) if model == "hetrec-lastfm" else movielens(chosen.data)
    return ALS(ALSSettings(factors=chosen.factors)).fit(interactions).space


def shares(space: VectorSpace, metric: Any, queries: np.ndarray, k: int) -> dict[str, float]:
    """Of all items, the shares that are met in bytes and that are scored for a query, on average."""
    catalogue = Catalogue(space, metric)
    items = np.ascontiguousarray(catalogue.items)
    asked = checked_queries(queries, items.shape[1], metric)
    rows, scores = np.empty((len(asked), k), np.int32), np.empty((len(asked), k), np.float32)
    scored, met = np.zeros((2, len(asked)), np.int64)
    everything = np.ones(len(items), dtype=np.bool_)
    nothing = np.zeros(len(asked) + 1, dtype=np.int64), np.zeros(0, dtype=np.int32)
    scan_pruned(sketched(items), asked, everything, True, *nothing, len(items), rows, scores, scored, met)
    return {"met": float(met.mean() / len(items)), "scored": float(scored.mean() / len(items))}


def compare(model: str, space: VectorSpace, metric: Any, queries: np.ndarray, threads: int, turns: int) -> Comparison:
    items = checked_items(space, metric)
    k = min(50, len(items))
    chosen = ExactIndex(space, metric, items)
    pruned, plain = (ExactIndex(space, metric, items, pruned=way) for way in (True, False))
    numpy = BlockedNumPy(Catalogue(space, metric), k, threads)
    works = {
        "with bounds": lambda: pruned.search(queries, k, threads=threads),
        "every item": lambda: plain.search(queries, k, threads=threads),
        "numpy": lambda: numpy.search(queries, k, None, threads),
    }
    one, other = works["with bounds"](), works["every item"]()
    if not (np.array_equal(one.rows, other.rows) and one.scores.tobytes() == other.scores.tobytes()):
        raise AssertionError(f"bounds change the answers on {model} by {metric}")
    with pinned(threads):
        taken = take_turns(works, turns)
    figures = {name: {"queries_a_second": len(queries) / float(np.median(one.seconds))} for name, one in taken.items()}
    figures["with bounds"] |= {**shares(space, metric, queries, k), "chosen": float(chosen.pruned)}
    return Comparison(
        name=f"{model}, {metric}, {threads} thread{'s' * (threads > 1)}",
        unit=f"{len(queries)} queries",
        what={"items": len(items), "factors": space.factors, "k": k, "metric": metric, "threads": threads},
        sides=[
            one.side(name, "peer" if name == "numpy" else "ours", figures=figures[name]) for name, one in taken.items()
        ],
    )


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--data", type=Path, help="the folder of the real data sets")
    parser.add_argument("--items", type=int, default=40_000, help="of the generated matrix")
    parser.add_argument("--factors", type=int, default=48)
    parser.add_argument("--queries", type=int, default=1_000)


def measure(chosen: argparse.Namespace) -> Findings:
    """One comparison for each model, metric and number of threads."""
    rng = np.random.default_rng(0)
    comparisons, skipped = [], {}
    for model in chosen.models:
        if model != "generated" and (chosen.data is None or not (chosen.data / model).is_dir()):
            skipped[model] = "its folder is not there"
            continue
        space = fitted(model, chosen)
        for metric, asking in (("dot", space.user_vectors), ("cosine", space.item_vectors)):
            asking = np.asarray(asking)[np.any(asking, axis=1)]
            queries = asking[rng.choice(len(asking), min(chosen.queries, len(asking)), replace=False)]
            comparisons += [compare(model, space, metric, queries, count, chosen.turns) for count in chosen.threads]
    return Findings(comparisons=comparisons, skipped=skipped)


if __name__ == "__main__":
    run_case(__doc__, options, measure, threads=[1, 2], turns=5)
