"""How long it takes to find the nearest others of every item, building included, at a recall that all must reach.

    python -m benchmarks.tables                                     100,000 items, 250 neighbours, recall .97
    python -m benchmarks.tables --items 300000 --vectors FILE       kept in FILE, or read from it if it is there
    python -m benchmarks.tables --methods clusters scann voyager   only these

By cosine, on factors of a synthetic ALS model. A library is built once and then searched ever wider, for a sample of
the items, until it finds enough; so wide it is searched for all items. Ours chooses by itself, and its time includes
that. Recall is of a sample of the whole table against exact search; items that tie with the last one count as
found, and zero vectors, to which all is equally near, are left out. Where all items would take longer than
--minutes, the time of the sample is taken as many times instead, and the side says that it is projected.
"""

import argparse
import gc
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.case import Findings, run_case
from benchmarks.generate import long_tailed
from benchmarks.peers import present
from benchmarks.record import Comparison, Side
from benchmarks.retrieval import FEW, first_use, recall
from benchmarks.searchers import SEARCHERS, Catalogue, ScaNN
from crossfade.core.ids import Ids
from crossfade.core.spaces import VectorSpace
from crossfade.models.als import ALS
from crossfade.nearest.backends import build_index
from crossfade.nearest.contract import IndexSettings, each_but
from crossfade.nearest.exact import ExactIndex

SAMPLE = 2_000
CHUNK = 10_000  # items that a library is asked for at once
OURS = {"clusters": "clusters", "exact": "exact"}  # the backend of each

GRAPHS = (250, 300, 350, 400, 500, 600, 800, 1000, 1500, 2000)
STEPS: dict[str, Sequence[Any]] = {
    "faiss graph": GRAPHS,
    "faiss quantized": (2, 4, 6, 8, 12, 16, 24, 32, 64, 128),
    "scann": (4, 6, 8, 12, 16, 20, 30, 45, 70, 100),
    "voyager": GRAPHS,
    "usearch": GRAPHS,
    "hnswlib": GRAPHS,
    "annoy": (12_500, 25_000, 50_000, 100_000, 200_000, 400_000),
    "pynndescent": (0.0, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3),
}
"""How wide each library is searched, in its own unit (`benchmarks.searchers`)."""


class SecondLookAtTwice(ScaNN):
    """ScaNN with a second look at half as many: enough for lists of 250 of `SMALL` catalogues, and faster."""

    looked_at_again = 2


SMALL = 150_000
"""Items; of 300,000 a second look at twice as many as are wanted finds no more than .89, however wide the search."""


def clocked(work: Callable[[], Any]) -> tuple[Any, float, float]:
    """What ``work`` gives back, seconds, and processor seconds of all threads."""
    started, busy = time.perf_counter(), time.process_time()
    done = work()
    return done, time.perf_counter() - started, time.process_time() - busy


def ours(method: str, catalogue: Catalogue, sample: np.ndarray, truth: np.ndarray, chosen: Any, threads: int) -> Side:
    """The table by our own choice."""
    settings = IndexSettings(backend=OURS[method], recall=chosen.recall)
    rows, seconds, busy = clocked(lambda: table(catalogue.space, chosen.neighbours, settings, threads))
    return side(method, "ours", catalogue, (0.0, seconds, busy), rows[sample], sample, truth, {})


def table(space: VectorSpace, k: int, settings: IndexSettings, threads: int) -> np.ndarray:
    """The rows (items, k) of the others nearest to every item, with the index that ``settings`` ask for."""
    index = build_index(space, "cosine", settings)
    starts, items = range(0, len(space.item_ids), CHUNK), np.arange(len(space.item_ids), dtype=np.int32)
    parts = (items[first : first + CHUNK] for first in starts)
    return np.concatenate([index.search(space.points[part], k, each_but(part), threads=threads).rows for part in parts])


def peer(method: str, catalogue: Catalogue, sample: np.ndarray, truth: np.ndarray, chosen: Any, threads: int) -> Side:
    """The least wide search that finds enough, for all items."""
    small = method == "scann" and len(catalogue.items) <= SMALL
    made = SecondLookAtTwice if small else SEARCHERS[method]
    searcher, building, busy_building = clocked(lambda: made(catalogue, chosen.neighbours + 1, threads))

    def search(rows: np.ndarray, breadth: Any) -> np.ndarray:
        found = searcher.search(catalogue.items[rows], chosen.neighbours + 1, breadth, threads)
        return without_itself(found, rows)

    items = len(catalogue.items)
    for breadth in STEPS[method]:
        found, seconds, busy = clocked(lambda breadth=breadth: search(sample, breadth))
        reached = recall(found, truth, catalogue.items, catalogue.items[sample])
        print(f"{method} {breadth}: recall {reached:.4f} of the sample in {seconds:.2f} s", flush=True)
        if reached >= chosen.recall:
            break
    projected = seconds * items / len(sample) > 60 * chosen.minutes
    if projected:
        seconds, busy = seconds * items / len(sample), busy * items / len(sample)
    else:
        found, seconds, busy = clocked(lambda: whole(search, breadth, items)[sample])
    figures = {"breadth": breadth, "projected": projected, "enough": reached >= chosen.recall}
    return side(method, "peer", catalogue, (building, seconds, busy_building + busy), found, sample, truth, figures)


def whole(search: Callable[[np.ndarray, Any], np.ndarray], breadth: Any, items: int) -> np.ndarray:
    """The rows of all items, some at a time."""
    chunks = [np.arange(first, min(first + CHUNK, items)) for first in range(0, items, CHUNK)]
    return np.concatenate([search(rows, breadth).astype(np.int32) for rows in chunks])


def without_itself(found: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """The lists (n, k) of ``found`` (n, k + 1) without the item itself, or without the last where it is not there."""
    kept = found != rows[:, None]
    kept[kept.all(axis=1), -1] = False
    # A library that gives an item twice leaves a shorter list; -1 fills it.
    order = np.argsort(~kept, axis=1, kind="stable")
    return np.where(np.take_along_axis(kept, order, 1), np.take_along_axis(found, order, 1), -1)[:, :-1]


def side(
    name: str,
    kind: Any,
    catalogue: Catalogue,
    taken: tuple[float, float, float],
    found: np.ndarray,
    sample: np.ndarray,
    truth: np.ndarray,
    figures: dict[str, Any],
) -> Side:
    """One side; its turn is building and searching together."""
    building, searching, busy = taken
    reached = recall(found, truth, catalogue.items, catalogue.items[sample])
    print(f"{name}: {building:.1f} s + {searching:.1f} s, processors {busy:.1f} s, recall {reached:.4f}", flush=True)
    return Side(
        name=name,
        kind=kind,
        turns=(building + searching,),
        processor=(busy,),
        figures={"build": building, "search": searching, "recall": reached, **figures},
    )


def sides(catalogue: Catalogue, methods: Sequence[str], chosen: Any, threads: int) -> Iterator[Side]:
    """All sides, one after the other: two indexes at once would share the caches."""
    rng = np.random.default_rng(0)
    there = np.flatnonzero((catalogue.items != 0).any(axis=1))
    sample = np.sort(rng.choice(there, min(SAMPLE, len(there)), replace=False))
    exact = ExactIndex.build(catalogue.space, "cosine")
    truth = without_itself(exact.search(catalogue.items[sample], chosen.neighbours + 1).rows, sample)
    del exact
    few = catalogue.items[: 2 * FEW]
    # What is compiled when it is first used would otherwise count.
    table(space_of(few), 10, IndexSettings(backend="clusters"), threads)
    for method in methods:
        if method not in OURS:
            first_use(method, catalogue, few[:8], chosen.neighbours, threads)
        yield (ours if method in OURS else peer)(method, catalogue, sample, truth, chosen, threads)
        gc.collect()


def space_of(items: np.ndarray) -> VectorSpace:
    return VectorSpace(
        model="als",
        kind="artist",
        metric="dot",
        item_ids=Ids.of(f"{row:09}" for row in range(len(items))),
        item_vectors=items,
    )


def vectors(chosen: argparse.Namespace) -> np.ndarray:
    """Item vectors, from the file if it is there."""
    if chosen.vectors and chosen.vectors.exists():
        with np.load(chosen.vectors, allow_pickle=False) as loaded:
            return np.ascontiguousarray(loaded["item_vectors"], np.float32)
    trained = long_tailed(chosen.items // 2, chosen.items, chosen.items * 25)
    fitted = ALS(factors=chosen.factors, iterations=5).fit(trained).space
    if chosen.vectors:
        np.savez(chosen.vectors, item_vectors=fitted.item_vectors, user_vectors=fitted.user_vectors)
    return fitted.item_vectors


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--factors", type=int, default=48)
    parser.add_argument("--neighbours", type=int, default=250)
    parser.add_argument("--recall", type=float, default=0.97)
    parser.add_argument("--minutes", type=float, default=10, help="a side that would take longer is projected")
    parser.add_argument("--vectors", type=Path, help="an .npz file with item_vectors; written if it is not there")
    parser.add_argument("--methods", nargs="+", choices=[*OURS, *STEPS], help="default: all that are installed")


def measure(chosen: argparse.Namespace) -> Findings:
    """One comparison for each number of threads."""
    wanted = chosen.methods or [*OURS, *STEPS]
    modules = {method: SEARCHERS[method].module for method in wanted if method not in OURS}
    versions, skipped = present(dict.fromkeys(modules.values()))
    methods = [method for method in wanted if modules.get(method) not in skipped]
    items = vectors(chosen)
    catalogue = Catalogue(space_of(items), "cosine")
    comparisons = [
        Comparison(
            name=f"{chosen.neighbours} neighbours of {len(items):,} items, {threads} threads",
            unit="building and the table",
            what={
                "items": len(items),
                "factors": items.shape[1],
                "neighbours": chosen.neighbours,
                "recall": chosen.recall,
                "threads": threads,
            },
            sides=list(sides(catalogue, methods, chosen, threads)),
        )
        for threads in chosen.threads
    ]
    return Findings(comparisons=comparisons, versions=versions, skipped=skipped)


if __name__ == "__main__":
    run_case(__doc__, options, measure, turns=1)
