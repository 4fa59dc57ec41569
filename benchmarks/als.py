"""Seconds an iteration of alternating least squares takes, here and in `implicit`.

    python -m benchmarks.als --factors 40 64 128 --solver cg cholesky

Both sides run on the same matrix, with as many threads, in turns within one process, after a warm-up that is
not counted. `implicit` is given 1 + alpha · plays, because it takes what it is given as the whole confidence.
"""

import argparse
from dataclasses import dataclass

import numpy as np

from benchmarks.case import Findings, run_case
from benchmarks.generate import long_tailed
from benchmarks.peers import present
from benchmarks.record import Comparison
from benchmarks.turns import take_turns
from crossfade.core.interactions import Interactions
from crossfade.kernels import als as kernels
from crossfade.kernels.als_halves import Half, transposed
from crossfade.kernels.lanes import aligned, padded

ALPHA, REGULARIZATION, CG_STEPS = 10.0, 0.1, 3
SOLVERS = {"cg": "conjugate gradients", "cholesky": "Cholesky"}


class Ours:
    """One iteration as `crossfade.models.als` does it."""

    def __init__(self, interactions: Interactions, factors: int, solver: str, threads: int) -> None:
        self.by_user = Half(interactions.indptr, interactions.indices, interactions.weights)
        self.by_item = transposed(self.by_user, interactions.shape[1])
        self.solver, self.threads = solver, threads
        self.users, self.items = (aligned(rows, padded(factors)) for rows in interactions.shape)
        rng = np.random.default_rng(0)
        for vectors in (self.users, self.items):
            drawn = rng.standard_normal((len(vectors), factors), dtype=np.float32)
            vectors[:, :factors] = drawn * np.float32(0.1 / np.sqrt(factors))

    def iterate(self) -> None:
        for half, fixed, solved in (
            (self.by_user, self.items, self.users),
            (self.by_item, self.users, self.items),
        ):
            kernels.solve_rows(
                half,
                fixed,
                solved,
                gram=kernels.gram_matrix(fixed, self.threads),
                penalties=np.full(half.rows, REGULARIZATION),
                alpha=ALPHA,
                counted=0.0,
                solver=self.solver,
                steps=CG_STEPS,
                threads=self.threads,
            )


class Implicit:
    """One iteration as `implicit.cpu.als` does it."""

    def __init__(self, interactions: Interactions, factors: int, solver: str, threads: int) -> None:
        from implicit.cpu import _als
        from scipy.sparse import csr_matrix

        confidence = (1 + ALPHA * interactions.weights).astype(np.float32)
        self.by_user = csr_matrix((confidence, interactions.indices, interactions.indptr), shape=interactions.shape)
        self.by_item = self.by_user.T.tocsr()
        self.threads = threads
        self.solve = _als.least_squares_cg if solver == "cg" else _als.least_squares
        rng = np.random.default_rng(0)
        self.users, self.items = (
            (rng.standard_normal((rows, factors), dtype=np.float32) * np.float32(0.1 / np.sqrt(factors)))
            for rows in interactions.shape
        )
        self.steps = {"cg_steps": CG_STEPS} if solver == "cg" else {}

    def iterate(self) -> None:
        for half, solved, fixed in ((self.by_user, self.users, self.items), (self.by_item, self.items, self.users)):
            self.solve(half, solved, fixed, REGULARIZATION, num_threads=self.threads, **self.steps)


@dataclass(frozen=True)
class Work:
    """What an iteration computes and moves at least, from the algorithm alone."""

    operations: float
    moved: float

    @classmethod
    def of(cls, interactions: Interactions, factors: int, solver: str) -> "Work":
        pairs, rows = 2 * interactions.pairs, sum(interactions.shape)
        # Each entry's vector comes from beyond the core once in a half-iteration, each row's is read and written.
        moved = pairs * (4 * factors + 8) + rows * 8 * factors
        if solver == "cg":
            passes = pairs * (CG_STEPS + 1 + CG_STEPS) * factors + rows * (CG_STEPS + 1) * factors**2
            return cls(operations=2.0 * passes, moved=moved)
        return cls(operations=2.0 * (pairs * factors**2 / 2 + rows * factors**3 / 6), moved=moved)


def compare(
    interactions: Interactions, factors: int, solver: str, turns: int, threads: int, peers: set[str]
) -> Comparison:
    """Both sides in turns, one iteration a turn."""
    sides = {"crossfade": Ours(interactions, factors, solver, threads)}
    if "implicit" in peers:
        sides["implicit"] = Implicit(interactions, factors, solver, threads)
    taken = take_turns({name: side.iterate for name, side in sides.items()}, turns)
    work = Work.of(interactions, factors, solver)
    compared = []
    for name, one in taken.items():
        seconds = float(np.median(one.seconds))
        figures = {"gflops": work.operations / seconds / 1e9, "gigabytes": work.moved / seconds / 1e9}
        compared.append(one.side(name, "ours" if name == "crossfade" else "peer", figures=figures))
    return Comparison(
        name=f"{factors} factors, {SOLVERS[solver]}, {threads} thread{'s' * (threads > 1)}",
        unit="an iteration",
        what={"factors": factors, "solver": solver, "threads": threads},
        sides=compared,
    )


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--factors", type=int, nargs="+", default=[40, 64, 128])
    parser.add_argument("--solver", nargs="+", default=["cg"], choices=list(SOLVERS))
    parser.add_argument("--users", type=int, default=100_000)
    parser.add_argument("--items", type=int, default=50_000)
    parser.add_argument("--pairs", type=int, default=7_750_000)


def measure(chosen: argparse.Namespace) -> Findings:
    """One comparison for each solver, number of factors and number of threads."""
    versions, skipped = present(["implicit"])
    interactions = long_tailed(chosen.users, chosen.items, chosen.pairs)
    return Findings(
        comparisons=[
            compare(interactions, factors, solver, chosen.turns, threads, set(versions))
            for solver in chosen.solver
            for factors in chosen.factors
            for threads in chosen.threads
        ],
        versions=versions,
        skipped=skipped,
    )


if __name__ == "__main__":
    # A BLAS with threads of its own would fight with those of the solver that calls it.
    run_case(__doc__, options, measure, blas=1)
