"""Seconds an iteration of alternating least squares takes, here and in `implicit` and in buffalo.

    python -m benchmarks.als --factors 40 64 128 --solver cg cholesky

Both sides run on the same matrix, with as many threads, in turns within one process, after a warm-up that is
not counted. `implicit` is given 1 + alpha · plays, because it takes what it is given as the whole confidence.
Buffalo has a process of its own, which waits while others have their turns.
"""

import argparse
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

import numpy as np

from benchmarks import buffalo
from benchmarks.buffalo import Buffalo
from benchmarks.case import Findings, run_case
from benchmarks.generate import long_tailed
from benchmarks.peers import present
from benchmarks.record import Comparison, Kind
from benchmarks.turns import take_turns, timed
from crossfade.core.csr import CSR
from crossfade.core.interactions import Interactions
from crossfade.kernels.als.half_step import FixedSide, Solver, gram_matrix, half_step
from crossfade.kernels.als.narrow import WIDEST
from crossfade.kernels.lanes import aligned, padded
from crossfade.kernels.transposing import transposed

ALPHA, REGULARIZATION, CG_STEPS = 10.0, 0.1, 3
SOLVERS = {"cg": "conjugate gradients", "cholesky": "Cholesky"}
BUFFALO = {"cg": "manual_cg", "cholesky": "llt"}


class Iterating(Protocol):
    """A side: its data laid out, ready for iterations."""

    def iterate(self) -> object: ...


class Ours:
    """One iteration as `crossfade.models.als` does it; λ is the same for all rows unless `penalties` is set."""

    def __init__(self, interactions: Interactions, factors: int, solver: Solver, threads: int) -> None:
        self.by_user = CSR(interactions.indptr, interactions.indices, interactions.weights)
        self.by_item = transposed(self.by_user, interactions.shape[1])
        self.solver, self.threads = solver, threads
        self.penalties = tuple(np.full(rows.rows, REGULARIZATION) for rows in (self.by_user, self.by_item))
        self.users, self.items = (aligned(rows, padded(factors)) for rows in interactions.shape)
        rng = np.random.default_rng(0)
        for vectors in (self.users, self.items):
            drawn = rng.standard_normal((len(vectors), factors), dtype=np.float32)
            vectors[:, :factors] = drawn * np.float32(0.1 / np.sqrt(factors))

    def iterate(self) -> None:
        for rows, other, solved, penalties in (
            (self.by_user, self.items, self.users, self.penalties[0]),
            (self.by_item, self.users, self.items, self.penalties[1]),
        ):
            fixed = FixedSide.of(other, gram_matrix(other, self.threads), self.solver, threads=self.threads)
            half_step(
                rows,
                fixed,
                solved,
                penalties=penalties,
                alpha=ALPHA,
                counted=0.0,
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
            # Narrow vectors are turned to the axes of the Gram matrix: a copy of the other side, rows there and back.
            squares = 3 if padded(factors) <= WIDEST else CG_STEPS + 1
            passes = pairs * (CG_STEPS + 1 + CG_STEPS) * factors + rows * (squares + 0.5) * factors**2
            return cls(operations=2.0 * passes, moved=moved)
        return cls(operations=2.0 * (pairs * factors**2 / 2 + rows * factors**3 / 6), moved=moved)


def compare(
    interactions: Interactions,
    factors: int,
    solver: Solver,
    threads: int,
    turns: int,
    peers: Mapping[str, Buffalo | None],
) -> Comparison:
    """All sides in turns, one iteration a turn. ``peers``: those that take part, with the worker of one."""
    sides: dict[str, tuple[Iterating, float]] = {}
    sides["crossfade"] = timed(lambda: Ours(interactions, factors, solver, threads))
    if "implicit" in peers:
        sides["implicit"] = timed(lambda: Implicit(interactions, factors, solver, threads))
    if (worker := peers.get("buffalo")) is not None:
        more = {"alpha": ALPHA, "reg_u": REGULARIZATION, "reg_i": REGULARIZATION, "num_cg_max_iters": CG_STEPS}
        sides["buffalo"] = worker, timed(lambda: worker.begin(factors, BUFFALO[solver], threads, **more))[1]
    taken = take_turns({name: side.iterate for name, (side, _) in sides.items()}, turns)
    work = Work.of(interactions, factors, solver)
    compared = []
    for name, one in taken.items():
        seconds = float(np.median(one.seconds))
        figures = {"gflops": work.operations / seconds / 1e9, "gigabytes": work.moved / seconds / 1e9}
        kind: Kind = "ours" if name == "crossfade" else "peer"
        compared.append(one.side(name, kind, {"laying out the data": sides[name][1]}, figures))
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
    peers: dict[str, Buffalo | None] = dict.fromkeys(versions)
    interactions = long_tailed(chosen.users, chosen.items, chosen.pairs)
    with ExitStack() as ended:
        if reason := buffalo.missing():
            skipped["buffalo"] = reason
        else:
            versions["buffalo"] = buffalo.version()
            matrix = Path(ended.enter_context(TemporaryDirectory())) / "matrix.mtx"
            buffalo.write_matrix(interactions, matrix)
            peers["buffalo"] = ended.enter_context(Buffalo(matrix))
        comparisons = [
            compare(interactions, factors, solver, threads, chosen.turns, peers)
            for solver in chosen.solver
            for factors in chosen.factors
            for threads in chosen.threads
        ]
    return Findings(comparisons=comparisons, versions=versions, skipped=skipped)


if __name__ == "__main__":
    # A BLAS with threads of its own would fight with those of the solver that calls it.
    run_case(__doc__, options, measure, blas=1)
