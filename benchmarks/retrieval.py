"""How many queries a second each index answers, and at what recall.

    python -m benchmarks.retrieval                                  40,000 items, factors of a synthetic ALS model
    python -m benchmarks.retrieval --items 300000 --factors 48
    python -m benchmarks.retrieval --vectors FILE                   .npz with item_vectors and user_vectors of your own
    python -m benchmarks.retrieval --methods exact graph voyager    only these

The best 50 by inner product for users, and the best 100 by cosine for items, asked as one batch. Every index is
built on as many threads as the most that are asked for; then each is searched at several breadths, all taking turns.
Recall is against the exact answer; items that tie with its last one count as found.
"""

import argparse
import gc
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.case import Findings, run_case
from benchmarks.generate import long_tailed
from benchmarks.peers import present
from benchmarks.record import Comparison, Side
from benchmarks.searchers import SEARCHERS, BlockedNumPy, Catalogue, Searcher
from benchmarks.turns import pinned, take_turns, timed
from crossfade.core.ids import Ids
from crossfade.core.spaces import VectorSpace
from crossfade.models.als import ALS

WANTED = {"dot": 50, "cosine": 100}
FEW = 2_000  # items of which an index is built once before the time counts
ROUNDING = 1e-5  # relative: by how much a score may fall short of the worst of the best and still tie with it


def recall(found: np.ndarray, truth: np.ndarray, items: np.ndarray, queries: np.ndarray) -> float:
    """The share of the wanted that score at least as well as the worst of the truly best, but for rounding.

    ``found`` and ``truth`` are (queries, k) rows of ``items``; a row given twice counts once, -1 not at all.
    """
    shares = []
    for rows, best, query in zip(found, truth, queries, strict=True):
        least = float(items[best[-1]] @ query)
        distinct = np.unique(rows[rows >= 0])
        shares.append(np.count_nonzero(items[distinct] @ query >= least - ROUNDING * abs(least)) / len(best))
    return float(np.mean(shares))


def compare(catalogue: Catalogue, queries: np.ndarray, k: int, threads: list[int], turns: int, methods: Sequence[str]):
    """One comparison for each number of threads."""
    most = max(threads)
    built: dict[str, tuple[Searcher, dict[str, float]]] = {}
    for method in methods:
        # What is compiled when it is first used would otherwise count as building.
        first = timed(lambda method=method: first_use(method, catalogue, queries, k, most))[1]
        searcher, seconds = timed(lambda method=method: SEARCHERS[method](catalogue, k, most))
        seconds = getattr(searcher, "build_seconds", seconds)
        built[method] = searcher, {"first use": first, "build": seconds}
        print(f"{catalogue.metric}: {method} built in {seconds:.1f} s", flush=True)
    truth = BlockedNumPy(catalogue, k, most).search(queries, k, None, most)
    for count in threads:
        searches, points = searching(built, queries, k, count)
        with pinned(count):
            taken = take_turns(searches, turns)
        sides: list[Side] = []
        for name, one in taken.items():
            method, breadth = points[name]
            figures = {
                "method": method,
                "breadth": breadth,
                "recall": recall(searches[name](), truth, catalogue.items, catalogue.asked(queries)),
                "queries_a_second": len(queries) / float(np.median(one.seconds)),
            }
            sides.append(one.side(name, SEARCHERS[method].kind, built[method][1], figures))
        yield Comparison(
            name=f"top {k} by {catalogue.metric}, {count} thread{'s' * (count > 1)}",
            unit=f"{len(queries)} queries",
            what={
                "items": len(catalogue.items),
                "factors": catalogue.space.factors,
                "k": k,
                "metric": catalogue.metric,
                "threads": count,
                "building_threads": most,
            },
            sides=sides,
        )


def first_use(method: str, catalogue: Catalogue, queries: np.ndarray, k: int, threads: int) -> None:
    """Build and search a small part of the catalogue."""
    space = catalogue.space
    part = VectorSpace(
        model=space.model,
        kind=space.kind,
        metric=space.metric,
        item_ids=Ids.of(list(space.item_ids)[:FEW]),
        item_vectors=space.item_vectors[:FEW],
        user_ids=space.user_ids,
        user_vectors=space.user_vectors,
    )
    searcher = SEARCHERS[method](Catalogue(part, catalogue.metric), k, threads)
    searcher.search(queries[:4], min(k, len(part.item_vectors)), searcher.breadths[0], threads)


def searching(
    built: Mapping[str, tuple[Searcher, object]], queries: np.ndarray, k: int, threads: int
) -> tuple[dict[str, Callable[[], np.ndarray]], dict[str, tuple[str, Any]]]:
    """The searches by name, and the method and breadth of each."""
    searches: dict[str, Callable[[], np.ndarray]] = {}
    points: dict[str, tuple[str, Any]] = {}
    for method, (searcher, _) in built.items():
        for breadth in searcher.breadths:
            name = method if breadth is None else f"{method} {breadth}"
            points[name] = (method, breadth)
            searches[name] = lambda searcher=searcher, breadth=breadth: searcher.search(queries, k, breadth, threads)
    return searches, points


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--items", type=int, default=40_000)
    parser.add_argument("--factors", type=int, default=64)
    parser.add_argument("--queries", type=int, default=500)
    parser.add_argument("--vectors", type=Path, help="an .npz file with item_vectors and user_vectors")
    parser.add_argument("--methods", nargs="+", choices=list(SEARCHERS), help="default: all that are installed")


def measure(chosen: argparse.Namespace) -> Findings:
    """One comparison for each metric and number of threads."""
    wanted = chosen.methods or list(SEARCHERS)
    versions, skipped = present(dict.fromkeys(m for method in wanted if (m := SEARCHERS[method].module)))
    methods = [method for method in wanted if SEARCHERS[method].module not in skipped]
    items, users = vectors(chosen)
    space = VectorSpace(
        model="als",
        kind="artist",
        metric="dot",
        item_ids=Ids.of(f"{row:09}" for row in range(len(items))),
        item_vectors=items,
        user_ids=Ids.of(f"{row:09}" for row in range(len(users))),
        user_vectors=users,
    )
    rng = np.random.default_rng(0)
    comparisons: list[Comparison] = []
    for metric, asking in (("dot", users), ("cosine", items)):
        queries = asking[rng.choice(len(asking), min(chosen.queries, len(asking)), replace=False)]
        k = min(WANTED[metric], len(items))
        comparisons += compare(Catalogue(space, metric), queries, k, chosen.threads, chosen.turns, methods)
        gc.collect()  # before the next metric's indexes are built
    return Findings(comparisons=comparisons, versions=versions, skipped=skipped)


def vectors(chosen: argparse.Namespace) -> tuple[np.ndarray, np.ndarray]:
    """Items and users, from the file or from a model that is fitted for the purpose."""
    if chosen.vectors:
        loaded = np.load(chosen.vectors, allow_pickle=False)
        return tuple(np.ascontiguousarray(loaded[name], np.float32) for name in ("item_vectors", "user_vectors"))
    interactions = long_tailed(chosen.items // 2, chosen.items, chosen.items * 25)
    space = ALS(factors=chosen.factors, iterations=5).fit(interactions).space
    return space.item_vectors, space.user_vectors


if __name__ == "__main__":
    run_case(__doc__, options, measure, threads=[1, 2], turns=5)
