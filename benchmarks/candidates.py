"""What Discover begins with, for everybody: the best items by inner product for each user but those the user played.

    python -m benchmarks.candidates --directory DIR                                          # seconds: a trial
    python -m benchmarks.candidates --directory DIR --users 1000000 --items 300000 --pairs 25000000

Matrix and space are made once, in DIR. Each turn is a process of its own that maps both, indexes the items, asks for
some thousand users at a time, as `crossfade.surfaces.contract` does, and appends what is found to a file, so that
memory follows the items and not the users. The peak of memory counts pages of mapped files too. Lists of some users
are held against the product with all items.
"""

import argparse
from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.case import Findings, run_case
from benchmarks.generate import Size, written
from benchmarks.processes import asked, measured_in_turns, report, side
from benchmarks.record import Comparison, Value
from crossfade.core.artifacts import Identity, is_whole, writing
from crossfade.core.interactions import Interactions
from crossfade.core.spaces import VectorSpace
from crossfade.models.als import ALS, ALSSettings
from crossfade.nearest.backends import build_index
from crossfade.nearest.contract import IndexSettings, Restriction
from crossfade.surfaces.contract import CHUNK

CHECKED = 40  # users whose lists are compared with all scores
ROUNDING = 1e-5  # relative, of NumPy's sums against ours
INDEXES = ("exact", "clusters")


def fitted(directory: Path, size: Size, factors: int, iterations: int, threads: int) -> tuple[Path, Path]:
    """Where the matrix and its space are, made if they are not."""
    matrix, _ = written(directory, size)
    settings = ALSSettings(factors=factors, iterations=iterations)
    place = directory / f"{matrix.name}-{factors}-{iterations}"
    saved = Identity(kind="benchmark-space", version=1, inputs={"interactions": matrix.name}, settings=asdict(settings))
    if not is_whole(place, saved.fingerprint):
        fitted = ALS(settings).fit(Interactions.load(matrix, kind="artist"), threads=threads)
        with writing(place, saved) as draft:
            fitted.space.save(draft.path)
    return matrix, place


def listed(backend: str, matrix: str, place: str, k: str, threads: str, output: str) -> Mapping[str, Value]:
    """Append the rows of the best ``k`` for each user, int32, to ``output``."""
    played, space = Interactions.load(Path(matrix), kind="artist"), VectorSpace.load(Path(place))
    index = build_index(space, "dot", IndexSettings(backend=backend))
    given = 0
    with Path(output).open("wb") as file:
        for first in range(0, len(played.user_ids), CHUNK):
            last = min(first + CHUNK, len(played.user_ids))
            own = played.indptr[first : last + 1]
            found = index.search(
                space.user_vectors[first:last],
                int(k),
                Restriction(indptr=own - own[0], indices=played.indices[own[0] : own[-1]]),
                threads=int(threads),
            )
            given += int(np.count_nonzero(found.rows >= 0))
            file.write(found.rows.tobytes())
    return {"given": given}


def held_against_all(output: Path, matrix: Path, place: Path, k: int) -> float:
    """Of some users' best ``k``, the share that was found; items that tie with the last one count."""
    played, space = Interactions.load(matrix, kind="artist"), VectorSpace.load(place)
    users = np.random.default_rng(0).choice(len(played.user_ids), min(CHECKED, len(played.user_ids)), replace=False)
    found = np.memmap(output, dtype=np.int32, mode="r").reshape(-1, k)
    shares = []
    for user in users:
        scores = space.item_vectors @ space.user_vectors[user]
        scores[played.indices[played.indptr[user] : played.indptr[user + 1]]] = -np.inf
        least = np.sort(scores)[-k]
        rows = found[user][found[user] >= 0]
        shares.append(np.count_nonzero(scores[np.unique(rows)] >= least - ROUNDING * abs(least)) / k)
    return float(np.mean(shares))


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--directory", type=Path, required=True)
    parser.add_argument("--users", type=int, default=20_000)
    parser.add_argument("--items", type=int, default=20_000)
    parser.add_argument("--pairs", type=int, default=500_000)
    parser.add_argument("--factors", type=int, default=48)
    parser.add_argument("--iterations", type=int, default=3, help="of ALS")
    parser.add_argument("--k", type=int, default=50)
    parser.add_argument("--indexes", nargs="+", choices=INDEXES, default=list(INDEXES))


def measure(chosen: argparse.Namespace) -> Findings:
    """One comparison for each number of threads."""
    size = Size(users=chosen.users, items=chosen.items, pairs=chosen.pairs)
    matrix, place = fitted(chosen.directory, size, chosen.factors, chosen.iterations, max(chosen.threads))
    comparisons = []
    for threads in chosen.threads:
        outputs = {backend: chosen.directory / f"{place.name}-{backend}.rows" for backend in chosen.indexes}
        words = {
            backend: ("benchmarks.candidates", backend, *map(str, (matrix, place, chosen.k, threads, output)))
            for backend, output in outputs.items()
        }
        sides = []
        # The first of each may have to compile, and finds the files on the disk and not in memory.
        for backend, (_, *taken) in measured_in_turns(words, chosen.turns + 1).items():
            figures = {
                "users_a_second": chosen.users / float(np.median([one.seconds for one in taken])),
                "recall": held_against_all(outputs[backend], matrix, place, chosen.k),
                "gigabytes_written": outputs[backend].stat().st_size / 1e9,
            }
            outputs[backend].unlink()
            sides.append(side(backend, "ours", taken, figures))
        comparisons.append(
            Comparison(
                name=f"{size.users:,} users, {size.items:,} items, top {chosen.k}, "
                f"{threads} thread{'s' * (threads > 1)}",
                unit="all users, reading and indexing included",
                what={**asdict(size), "factors": chosen.factors, "k": chosen.k, "threads": threads},
                sides=sides,
            )
        )
    return Findings(comparisons=comparisons)


if __name__ == "__main__":
    if words := asked():
        report(partial(listed, *words))
    else:
        run_case(__doc__, options, measure, threads=[2], turns=1)
