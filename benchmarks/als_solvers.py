"""How soon each solver of alternating least squares comes to one and the same loss.

    python -m benchmarks.als_solvers --factors 64 512 --solvers cg pcg cholesky

Seconds an iteration do not say which solver is best, because one that takes longer may come further. So all of them
start from the same vectors and take turns, an iteration each, with the exact loss after each (which is not counted).
The one that is named last sets the goal: its loss after the given iterations. The others go on until
they are there, at most three times as many iterations. "seconds to the goal" is interpolated between two iterations.
"""

import argparse
import time
from dataclasses import dataclass, field

import numpy as np

from benchmarks.case import Findings, run_case
from benchmarks.generate import long_tailed
from benchmarks.record import Comparison, Side
from crossfade.core.csr import CSR
from crossfade.core.interactions import Interactions
from crossfade.kernels.als.half_step import FixedSide, gram_matrix
from crossfade.kernels.lanes import aligned, padded
from crossfade.kernels.transposing import transposed
from crossfade.models.als import ALSSettings
from crossfade.models.als_objective import Objective, resolved, scaled_weights

PATIENCE = 3  # times as many iterations as the goal took, after which a solver is stopped


@dataclass
class Running:
    """One solver on its way."""

    settings: ALSSettings
    by_user: CSR
    by_item: CSR
    threads: int
    seconds: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        factors, self.objective = self.settings.factors, Objective.of(self.settings)
        self.users, self.items = (aligned(rows.rows, padded(factors)) for rows in (self.by_user, self.by_item))
        drawn = np.random.default_rng(0).standard_normal((len(self.items), factors), dtype=np.float32)
        self.items[:, :factors] = drawn * np.float32(0.1 / np.sqrt(factors))

    def iterate(self) -> None:
        """Solve both sides, and note the time and the loss."""
        started, busy = time.perf_counter(), time.process_time()
        for rows, other, solved in ((self.by_user, self.items, self.users), (self.by_item, self.users, self.items)):
            gram, solver = gram_matrix(other, self.threads), self.settings.training_solver
            fixed = FixedSide.of(other, gram, solver, shared=self.objective.shared, threads=self.threads)
            steps = self.settings.cg_steps
            self.objective.half_step(rows, fixed, solved, others=len(other), steps=steps, threads=self.threads)
        self.seconds.append(time.perf_counter() - started)
        self.processor.append(time.process_time() - busy)
        listeners = np.diff(self.by_item.indptr)
        loss = self.objective.loss(self.by_user, listeners, self.users, self.items, self.settings.ones, self.threads)
        self.losses.append(loss.total)

    def until(self, goal: float, taken: list[float]) -> float:
        """Of the seconds ``taken``, those until the loss was down to ``goal``; NaN if it never was."""
        reached = np.flatnonzero(np.array(self.losses) <= goal)
        if not len(reached):
            return float("nan")
        at, spent = int(reached[0]), np.cumsum([0.0, *taken])
        if at == 0:
            return float(spent[1])
        fallen = (self.losses[at - 1] - goal) / (self.losses[at - 1] - self.losses[at])
        return float(spent[at] + fallen * taken[at])


def compare(interactions: Interactions, factors: int, chosen: argparse.Namespace, threads: int) -> Comparison:
    """All solvers from one start to one loss."""
    settings = ALSSettings(factors=factors, objective=chosen.objective, cg_steps=chosen.steps)
    scaled = scaled_weights(settings, interactions.weights)
    by_user = CSR(interactions.indptr, interactions.indices, scaled)
    by_item = transposed(by_user, len(interactions.item_ids))
    solvers = [solver for solver in chosen.solvers if solver != "cholesky" or factors <= chosen.most_for_cholesky]
    sides = {}
    for solver in solvers:
        wanted = ALSSettings(factors=factors, objective=chosen.objective, cg_steps=chosen.steps, solver=solver)
        wanted = resolved(wanted, by_user, by_item)
        Running(wanted, *_few(by_user), threads).iterate()  # compiles
        sides[solver] = Running(wanted, by_user, by_item, threads)
    reference, goal = sides[solvers[-1]], 0.0
    for turn in range(PATIENCE * chosen.iterations):
        for side in sides.values():
            if (turn < chosen.iterations) if side is reference else (not side.losses or side.losses[-1] > goal):
                side.iterate()
        if turn + 1 == chosen.iterations:
            goal = reference.losses[-1]
    return Comparison(
        name=f"{factors} factors, {chosen.objective}, {threads} thread{'s' * (threads > 1)}",
        unit="an iteration",
        what={
            "factors": factors,
            "objective": chosen.objective,
            "threads": threads,
            "goal": goal,
            "auto": settings.training_solver,
        },
        sides=[
            Side(
                name=solver,
                turns=side.seconds,
                processor=side.processor,
                figures={
                    "seconds to the goal": side.until(goal, side.seconds),
                    "processor seconds to the goal": side.until(goal, side.processor),
                    "iterations": len(side.losses),
                },
                curves={"seconds": list(np.cumsum(side.seconds)), "loss": side.losses},
            )
            for solver, side in sides.items()
        ],
    )


def _few(half: CSR) -> tuple[CSR, CSR]:
    """The first rows alone, and the same by column."""
    rows = min(half.rows, 50)
    end = half.indptr[rows]
    few = CSR(half.indptr[: rows + 1], half.indices[:end], half.values[:end])
    return few, transposed(few, int(few.indices.max(initial=0)) + 1)


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--factors", type=int, nargs="+", default=[64, 512])
    parser.add_argument("--solvers", nargs="+", default=["pcg", "cg", "cholesky"], help="the last one sets the goal")
    parser.add_argument("--most-for-cholesky", type=int, default=512, help="factors beyond which it is left out")
    parser.add_argument("--objective", choices=("ials", "hkv"), default="ials")
    parser.add_argument("--iterations", type=int, default=5, help="of the solver that sets the goal")
    parser.add_argument("--steps", type=int, default=3, help="of conjugate gradients")
    parser.add_argument("--users", type=int, default=100_000)
    parser.add_argument("--items", type=int, default=50_000)
    parser.add_argument("--pairs", type=int, default=7_750_000)


def measure(chosen: argparse.Namespace) -> Findings:
    """One comparison for each number of factors and of threads."""
    interactions = long_tailed(chosen.users, chosen.items, chosen.pairs)
    return Findings(
        comparisons=[
            compare(interactions, factors, chosen, threads) for factors in chosen.factors for threads in chosen.threads
        ]
    )


if __name__ == "__main__":
    # A BLAS with threads of its own would fight with those of the solver that calls it.
    run_case(__doc__, options, measure, turns=1, blas=1)
