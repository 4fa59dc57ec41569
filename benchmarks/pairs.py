"""Seconds that similarities of all items take, here and in `implicit`, and what DIMSUM saves and costs; EASE's inverse.

    python -m benchmarks.pairs
    python -m benchmarks.pairs --users 1000000 --items 100000 --pairs 50000000 --turns 3 --ease-items 20000

All sides find the largest similarities of every item of the same matrix with as many threads, in turns within one
process, from the interactions to the lists: nothing is shrunk, no history is cut. BM25 is weighed a little differently
by each. DIMSUM draws: its share of the pairs, and the relative error of pairs whose exact cosine is at least twice s₀,
stand beside the bound ρ. EASE is the inverse of XᵀX + λI for the most popular items, in single precision, beside
LAPACK's as SciPy calls it.
"""

import argparse
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.case import Findings, run_case
from benchmarks.generate import long_tailed
from benchmarks.peers import present
from benchmarks.record import Comparison
from benchmarks.turns import take_turns
from crossfade.core.csr import CSR
from crossfade.core.interactions import Interactions
from crossfade.kernels.inverse import invert
from crossfade.kernels.sparse_products import fill_products
from crossfade.kernels.threads import balanced, each
from crossfade.kernels.transposing import transposed
from crossfade.models.cooccurrence import Similar, nearest_items
from crossfade.models.cooccurrence_columns import CooccurrenceSettings

PEERS = {"cosine": "CosineRecommender", "bm25": "BM25Recommender"}


class Ours:
    """The lists of all items, the last of which are kept."""

    def __init__(self, interactions: Interactions, settings: CooccurrenceSettings, threads: int) -> None:
        self.interactions, self.settings, self.threads = interactions, settings, threads
        self.found: Similar | None = None

    def __call__(self) -> None:
        self.found = nearest_items(self.interactions, self.settings, threads=self.threads)


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--users", type=int, default=100_000)
    parser.add_argument("--items", type=int, default=20_000)
    parser.add_argument("--pairs", type=int, default=5_000_000)
    parser.add_argument("--neighbours", type=int, nargs="+", default=[20, 200])
    parser.add_argument("--relative-errors", type=float, nargs="+", default=[0.2, 0.5], help="of DIMSUM")
    parser.add_argument("--threshold", type=float, default=0.1, help="of DIMSUM")
    parser.add_argument("--ease-items", type=int, nargs="*", default=[4000])
    parser.add_argument("--without-peers", action="store_true", help="time our side alone")


def measure(chosen: argparse.Namespace) -> Findings:
    """A comparison for each measure and number of neighbours, and one for each size of EASE."""
    versions, skipped = ({}, {}) if chosen.without_peers else present(["implicit", "scipy"])
    interactions = long_tailed(chosen.users, chosen.items, chosen.pairs)
    threads = max(chosen.threads)
    compared = [
        similarities(interactions, measured, neighbours, chosen, threads, "implicit" in versions)
        for neighbours in chosen.neighbours
        for measured in PEERS
    ]
    compared += [ease(interactions, items, chosen.turns, threads, "scipy" in versions) for items in chosen.ease_items]
    return Findings(comparisons=compared, versions=versions, skipped=skipped)


def similarities(
    interactions: Interactions,
    measured: str,
    neighbours: int,
    chosen: argparse.Namespace,
    threads: int,
    peer: bool,
) -> Comparison:
    """All sides in turns, all items a turn."""
    common: dict[str, Any] = {
        "measure": measured,
        "neighbours": neighbours,
        "shrinkage": 0.0,
        "longest_history": 0,
        "threshold": chosen.threshold,
    }
    settings = {"exact": CooccurrenceSettings(**common)}
    for error in chosen.relative_errors:
        settings[f"dimsum {error:g}"] = CooccurrenceSettings(sampling="dimsum", relative_error=error, **common)
    ours = {name: Ours(interactions, setting, threads) for name, setting in settings.items()}
    works: dict[str, Callable[[], None]] = {**ours}
    if peer:
        works["implicit"] = _peer(interactions, PEERS[measured], neighbours, threads)
    taken = take_turns(works, chosen.turns)
    exact = ours["exact"].found
    sides = []
    for name, one in taken.items():
        found = ours[name].found if name in ours else None
        if found is None or exact is None:
            sides.append(one.side(name, "peer"))
            continue
        figures = {"share of pairs": found.emitted / found.pairs, "million pairs": found.emitted / 1e6}
        if name != "exact" and measured == "cosine":
            figures["root mean square relative error"] = _error(found.lists, exact.lists, chosen.threshold)
        sides.append(one.side(name, figures=figures))
    return Comparison(
        name=f"{measured}, {neighbours} kept of {interactions.shape[1]:,} items, {threads} threads",
        unit="all items",
        what={"measure": measured, "neighbours": neighbours, "threads": threads},
        sides=sides,
    )


def ease(interactions: Interactions, items: int, turns: int, threads: int, peer: bool) -> Comparison:
    """The inverse for the ``items`` that most users have, in single precision."""
    popular = np.full(interactions.shape[1], -1, dtype=np.int32)
    order = np.argsort(-interactions.listeners(), kind="stable")[:items]
    popular[np.sort(order)] = np.arange(len(order))
    kept = popular[interactions.indices] >= 0
    starts = np.concatenate(([0], np.cumsum(kept)))[interactions.indptr]
    by_user = CSR(starts, popular[interactions.indices[kept]], np.ones(int(kept.sum()), dtype=np.float32))
    by_item = transposed(by_user, len(order))
    matrix = np.zeros((len(order), len(order)), dtype=np.float32)
    each(lambda piece: fill_products(*piece, by_user, by_item, matrix), balanced(by_item.indptr, 1), threads)
    matrix += np.tril(matrix, -1).T
    matrix[np.diag_indices(len(order))] += 500
    works: dict[str, Callable[[], object]] = {"crossfade": lambda: invert(matrix.copy(), threads)}
    if peer:
        works["scipy"] = lambda: _lapack(matrix)
    taken = take_turns(works, turns)
    return Comparison(
        name=f"EASE's inverse, {len(order):,} items, {threads} threads",
        unit="an inverse",
        what={"items": len(order), "threads": threads},
        sides=[
            one.side(name, "ours" if name == "crossfade" else "peer", figures={"gflops": _gflops(one.seconds, items)})
            for name, one in taken.items()
        ],
    )


def _gflops(seconds: tuple[float, ...], items: int) -> float:
    return items**3 / float(np.median(seconds)) / 1e9


def _lapack(matrix: np.ndarray) -> None:
    from scipy.linalg import lapack

    factor, _ = lapack.spotrf(matrix, lower=True)
    lapack.spotri(factor, lower=True, overwrite_c=True)


def _peer(interactions: Interactions, name: str, neighbours: int, threads: int) -> Callable[[], None]:
    from implicit import nearest_neighbours
    from scipy.sparse import csr_matrix

    weights = np.log1p(interactions.weights).astype(np.float64)
    matrix = csr_matrix((weights, interactions.indices, interactions.indptr), shape=interactions.shape)
    recommender = getattr(nearest_neighbours, name)
    return lambda: recommender(K=neighbours, num_threads=threads).fit(matrix.copy(), show_progress=False)


def _error(drawn: CSR, exact: CSR, threshold: float) -> float:
    """Root mean square of the relative errors of pairs that both lists have, of ``threshold`` or more."""
    width = np.int64(drawn.rows)
    keys, values = [], []
    for half in (drawn, exact):
        found = np.repeat(np.arange(width), np.diff(half.indptr)) * width + half.indices
        order = np.argsort(found)
        keys.append(found[order])
        values.append(half.values[order])
    shared, one, other = np.intersect1d(*keys, assume_unique=True, return_indices=True)
    truth = values[1][other]
    # The lists keep what came out large, which alone would overstate; so only pairs that are far from the end of both.
    large = truth >= 2 * threshold
    errors = values[0][one][large] / truth[large] - 1
    return float(np.sqrt(np.mean(errors**2))) if len(shared) and large.any() else float("nan")


if __name__ == "__main__":
    # LAPACK is the peer of EASE, so that a BLAS has the threads of all others.
    run_case(__doc__, options, measure, turns=5)
