"""How seconds an iteration of ALS grow with the pairs, with the factors, and shrink with threads.

    python -m benchmarks.growth --directory DIR                                     # 1 to 64 million pairs
    python -m benchmarks.growth --directory DIR --millions 1 4 16 64 128 400        # needs some 8 GB of memory

The matrices have the shape of `benchmarks.job_2014` at every size: 97.5 pairs a user, eight users an item. Sizes of
pairs run with all threads, numbers of factors and of threads at one size.
"""

import argparse
from pathlib import Path

from benchmarks.als import Ours
from benchmarks.case import Findings, run_case
from benchmarks.generate import Size, written
from benchmarks.record import Comparison
from benchmarks.turns import take_turns
from crossfade.core.interactions import Interactions

PAIRS_A_USER, USERS_AN_ITEM = 97.5, 8
SOLVER = "cg"


def size_of(pairs: int) -> Size:
    """The shape of the 2014 job at another size."""
    users = round(pairs / PAIRS_A_USER)
    return Size(users=users, items=round(users / USERS_AN_ITEM), pairs=pairs)


def iterations(directory: Path, pairs: int, factors: int, threads: int, turns: int, what: str) -> Comparison:
    """One side, ours: iterations of one size."""
    size = size_of(pairs)
    interactions = Interactions.load(written(directory, size)[0], kind="artist")
    work = Ours(interactions, factors, SOLVER, threads)
    taken = take_turns({"crossfade": work.iterate}, turns)["crossfade"]
    side = taken.side("crossfade", figures={"seconds_a_million_pairs": min(taken.seconds) / pairs * 1e6})
    return Comparison(
        name=f"{what}: {pairs / 1e6:g} million pairs, {factors} factors, {threads} thread{'s' * (threads > 1)}",
        unit="an iteration",
        what={
            "grows": what,
            "users": size.users,
            "items": size.items,
            "pairs": pairs,
            "factors": factors,
            "threads": threads,
            "solver": SOLVER,
        },
        sides=[side],
    )


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--directory", type=Path, required=True)
    parser.add_argument("--millions", type=float, nargs="+", default=[1, 4, 16, 64], help="of pairs")
    parser.add_argument("--factors", type=int, nargs="+", default=[8, 16, 32, 64, 128, 256, 512])
    parser.add_argument("--at", type=float, default=4, help="millions of pairs for factors and threads")
    parser.add_argument("--width", type=int, default=40, help="factors for pairs and threads")


def measure(chosen: argparse.Namespace) -> Findings:
    """A comparison for each point of each of the three curves; ``grows`` says which it belongs to."""
    most, at = max(chosen.threads), round(chosen.at * 1e6)
    points = [
        *(("pairs", round(millions * 1e6), chosen.width, most) for millions in chosen.millions),
        *(("factors", at, factors, most) for factors in chosen.factors),
        *(("threads", at, chosen.width, threads) for threads in sorted(chosen.threads)),
    ]
    return Findings(
        comparisons=[
            iterations(chosen.directory, pairs, factors, threads, chosen.turns, what)
            for what, pairs, factors, threads in points
        ]
    )


if __name__ == "__main__":
    run_case(__doc__, options, measure, threads=(1, 2), turns=3, blas=1)
