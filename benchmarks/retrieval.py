"""How many queries a second exact and approximate search answer, and how many of the true best they find.

    python -m benchmarks.retrieval                            # ALS vectors of a long-tailed synthetic matrix
    python -m benchmarks.retrieval --vectors spaces/als.npz   # arrays item_vectors and user_vectors of your own

Top 50 by dot for users and by cosine for items, on one thread, in one process. Every method is first run once
without being timed; then all take turns. Recall is against NumPy's exact answer; items that tie with its last one
count as found.
"""

import os

# Before NumPy is imported, or its matrix product takes every processor.
for variable in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ[variable] = "1"

import argparse  # noqa: E402
import tempfile  # noqa: E402
from collections.abc import Callable  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

import numpy as np  # noqa: E402
import usearch.index  # noqa: E402
import voyager  # noqa: E402

from benchmarks.case import Findings, run_case  # noqa: E402
from benchmarks.generate import long_tailed  # noqa: E402
from benchmarks.record import Comparison  # noqa: E402
from benchmarks.turns import take_turns, timed  # noqa: E402
from crossfade.core.ids import Ids  # noqa: E402
from crossfade.core.spaces import VectorSpace  # noqa: E402
from crossfade.models.als import ALS  # noqa: E402
from crossfade.nearest.contract import IndexSettings  # noqa: E402
from crossfade.nearest.exact import ExactIndex  # noqa: E402
from crossfade.nearest.graph import GraphIndex  # noqa: E402

K = 50
TURNS = 3
BREADTHS = (64, 128, 256)
LINKS, BUILD_BREADTH = 16, 128
NUMPY_BLOCK = 64  # queries whose scores NumPy holds at once

Search = Callable[[], np.ndarray]


def by_numpy(items: np.ndarray, queries: np.ndarray) -> np.ndarray:
    """The best rows by a blocked product and argpartition."""
    found = []
    for first in range(0, len(queries), NUMPY_BLOCK):
        scores = queries[first : first + NUMPY_BLOCK] @ items.T
        best = np.argpartition(-scores, K - 1, axis=1)[:, :K]
        order = np.argsort(-np.take_along_axis(scores, best, axis=1), axis=1)
        found.append(np.take_along_axis(best, order, axis=1))
    return np.concatenate(found)


def unit(vectors: np.ndarray) -> np.ndarray:
    return (vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-30)).astype(np.float32)


def compared(space: VectorSpace, metric: str, queries: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Items and queries whose product is the score."""
    return (space.item_vectors, queries) if metric == "dot" else (unit(space.item_vectors), unit(queries))


def recall(found: np.ndarray, truth: np.ndarray, items: np.ndarray, queries: np.ndarray) -> float:
    """The share of found items that score at least as well as the worst of the truly best, but for rounding."""
    shares = []
    for rows, best, query in zip(found, truth, queries, strict=True):
        least = float(items[best[-1]] @ query)
        shares.append(np.mean(items[np.unique(rows)] @ query >= least - 1e-5 * abs(least)) * len(np.unique(rows)) / K)
    return float(np.mean(shares))


def levelled(items: np.ndarray) -> np.ndarray:
    """One more coordinate, so that all are of length one."""
    scaled = items / np.linalg.norm(items, axis=1).max()
    rest = np.sqrt(np.maximum(1 - (scaled**2).sum(axis=1, keepdims=True), 0))
    return np.concatenate([scaled, rest], axis=1).astype(np.float32)


def methods(
    space: VectorSpace, metric: Any, queries: np.ndarray
) -> tuple[dict[str, Search], dict[str, dict[str, float]]]:
    """The searches by name, and what each cost to make ready."""
    searches: dict[str, Search] = {}
    costs: dict[str, dict[str, float]] = {}
    plain, asked = compared(space, metric, queries)
    points = levelled(plain) if metric == "dot" else plain
    aimed = np.pad(unit(asked), ((0, 0), (0, points.shape[1] - asked.shape[1])))
    searches["numpy"] = lambda: by_numpy(plain, asked)
    costs["numpy"] = {}
    exact, seconds = timed(lambda: ExactIndex.build(space, metric))
    searches["exact"] = lambda: exact.search(queries, K, threads=1).rows
    costs["exact"] = {"build_seconds": seconds}

    settings = IndexSettings(links=LINKS, build_breadth=BUILD_BREADTH)
    ours, seconds = timed(lambda: GraphIndex.build(space, metric, settings))
    with tempfile.TemporaryDirectory() as directory:
        ours.save(Path(directory))
        raw = usearch.index.Index.restore(str(Path(directory) / "graph.usearch"))
        size = sum(path.stat().st_size for path in Path(directory).iterdir())
    peer = voyager.Index(
        voyager.Space.InnerProduct, points.shape[1], M=LINKS, ef_construction=BUILD_BREADTH, random_seed=1
    )
    _, peer_seconds = timed(lambda: peer.add_items(points, np.arange(len(points)), num_threads=1))
    peer_size = len(peer.as_bytes())
    for breadth in BREADTHS:
        narrowed = GraphIndex(space, metric, ours._graph, breadth)
        searches[f"graph {breadth}"] = lambda index=narrowed: index.search(queries, K, threads=1).rows
        searches[f"usearch {breadth}"] = lambda b=breadth: raw.search(aimed, b, threads=1).keys[:, :K].astype(np.int64)
        searches[f"voyager {breadth}"] = lambda b=breadth: peer.query(aimed, K, num_threads=1, query_ef=b)[0]
        costs[f"graph {breadth}"] = costs[f"usearch {breadth}"] = {"build_seconds": seconds, "bytes": size}
        costs[f"voyager {breadth}"] = {"build_seconds": peer_seconds, "bytes": peer_size}
    return searches, costs


def compare(space: VectorSpace, metric: Any, queries: np.ndarray, turns: int) -> Comparison:
    searches, costs = methods(space, metric, queries)
    plain, asked = compared(space, metric, queries)
    truth = searches["numpy"]()
    sides = []
    for name, taken in take_turns(searches, turns).items():
        figures = {
            "recall": recall(searches[name](), truth, plain, asked),
            "queries_a_second": len(queries) / float(np.median(taken.seconds)),
        }
        if "bytes" in costs[name]:
            figures["mebibytes"] = costs[name]["bytes"] / 2**20
        kind = "ours" if name.split()[0] in ("exact", "graph") else "peer"
        build = {"build": costs[name]["build_seconds"]} if "build_seconds" in costs[name] else {}
        sides.append(taken.side(name, kind, build, figures))
    return Comparison(
        name=f"top {K} by {metric}, 1 thread",
        unit=f"{len(queries)} queries",
        what={"items": len(plain), "factors": space.factors, "k": K, "metric": metric, "threads": 1},
        sides=sides,
    )


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--items", type=int, default=40_000)
    parser.add_argument("--factors", type=int, default=64)
    parser.add_argument("--queries", type=int, default=300)
    parser.add_argument("--vectors", type=Path, help="an .npz file with item_vectors and user_vectors")


def measure(chosen: argparse.Namespace) -> Findings:
    """One comparison by inner product for users, one by cosine for items."""
    rng = np.random.default_rng(0)
    if chosen.vectors:
        loaded = np.load(chosen.vectors, allow_pickle=False)
        items, users = (np.ascontiguousarray(loaded[name], np.float32) for name in ("item_vectors", "user_vectors"))
    else:
        interactions = long_tailed(chosen.items // 2, chosen.items, chosen.items * 25)
        fitted = ALS(factors=chosen.factors, iterations=5).fit(interactions)
        items, users = fitted.item_vectors, fitted.user_vectors
    space = VectorSpace(
        model="als",
        kind="artist",
        metric="dot",
        item_ids=Ids.of(f"{row:09}" for row in range(len(items))),
        item_vectors=items,
    )
    asking = users[rng.choice(len(users), min(chosen.queries, len(users)), replace=False)]
    alike = items[rng.choice(len(items), chosen.queries, replace=False)]
    return Findings(
        comparisons=[
            compare(space, "dot", asking, chosen.turns),
            compare(space, "cosine", alike, chosen.turns),
        ],
    )


if __name__ == "__main__":
    run_case(__doc__, options, measure, threads=[1], turns=TURNS)
