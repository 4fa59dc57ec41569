"""Seconds an iteration of alternating least squares takes, here and in `implicit`.

    python -m benchmarks.als --factors 40 64 128 --solver cg cholesky

Both sides run on the same matrix, with as many threads, in turns within one process, after a warm-up that is
not counted; what is reported is the median iteration and its range. `implicit` is given 1 + alpha · plays,
because it takes what it is given as the whole confidence. Without `implicit` only our side is timed.
"""

import argparse
import json
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks import machine
from benchmarks.generate import long_tailed
from crossfade.core.interactions import Interactions
from crossfade.kernels import als as kernels
from crossfade.kernels.als_halves import Half, transposed
from crossfade.kernels.lanes import aligned, padded

ALPHA, REGULARIZATION, CG_STEPS = 10.0, 0.1, 3


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


def compare(interactions: Interactions, factors: int, solver: str, repeats: int, threads: int, peer: bool) -> dict:
    """Timings of both sides in turns, as plain numbers."""
    sides = {"crossfade": Ours(interactions, factors, solver, threads)}
    if peer:
        sides["implicit"] = Implicit(interactions, factors, solver, threads)
    for side in sides.values():
        side.iterate()
    taken: dict[str, list[float]] = {name: [] for name in sides}
    busy: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(repeats):
        for name, side in sides.items():
            start, busy_start = time.perf_counter(), time.process_time()
            side.iterate()
            taken[name].append(time.perf_counter() - start)
            busy[name].append(time.process_time() - busy_start)
    work = Work.of(interactions, factors, solver)
    seconds = float(np.median(taken["crossfade"]))
    result = {
        "factors": factors,
        "solver": solver,
        "seconds": {name: [round(one, 4) for one in sorted(times)] for name, times in taken.items()},
        "median": {name: round(float(np.median(times)), 4) for name, times in taken.items()},
        # Of all threads together: what is left to compare by while others use the machine too.
        "processor_seconds": {name: round(float(np.median(times)), 4) for name, times in busy.items()},
        "gflops": round(work.operations / seconds / 1e9, 1),
        "gigabytes": round(work.moved / seconds / 1e9, 1),
    }
    if peer:
        # Each turn is a pair under the same load, so the median of ratios bears a busy machine.
        ratios = np.array(taken["implicit"]) / np.array(taken["crossfade"])
        result["faster"] = {
            "median": round(float(np.median(ratios)), 2),
            "range": [round(float(ratios.min()), 2), round(float(ratios.max()), 2)],
            "by_processor_seconds": round(float(np.median(busy["implicit"]) / np.median(busy["crossfade"])), 2),
        }
    return result


def printed(result: dict) -> str:
    """One line of the table."""
    times = "  ".join(
        f"{name} {result['median'][name]:7.3f} s ({times[0]:.3f}-{times[-1]:.3f})"
        for name, times in result["seconds"].items()
    )
    faster = result.get("faster")
    ratio = ""
    if faster:
        low, high = faster["range"]
        ratio = f"  {faster['median']:5.2f} x ({low}-{high}; processor {faster['by_processor_seconds']} x)"
    return (
        f"{result['factors']:5} {result['solver']:8}  {times}{ratio}"
        f"  {result['gflops']:6.1f} GFLOP/s  {result['gigabytes']:5.1f} GB/s"
    )


def main() -> None:
    """Measure, print a table, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--factors", type=int, nargs="+", default=[40, 64, 128])
    parser.add_argument("--solver", nargs="+", choices=("cg", "cholesky"), default=["cg"])
    parser.add_argument("--users", type=int, default=100_000)
    parser.add_argument("--items", type=int, default=50_000)
    parser.add_argument("--pairs", type=int, default=7_750_000)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results" / "als.json")
    arguments = parser.parse_args()
    try:
        import implicit

        peer = implicit.__version__
    except ImportError:
        peer = None
        print("implicit is not installed: only our side is timed")

    interactions = long_tailed(arguments.users, arguments.items, arguments.pairs)
    limits = {"gflops": machine.gflops(arguments.threads), "gigabytes": machine.gigabytes(arguments.threads)}
    described = {
        "machine": machine.named(),
        "threads": arguments.threads,
        "implicit": peer,
        "users": arguments.users,
        "items": arguments.items,
        "pairs": arguments.pairs,
        "cg_steps": CG_STEPS,
        "limits": {name: round(limit, 1) for name, limit in limits.items()},
    }
    print(f"{described['machine']}, {arguments.threads} threads; at most {limits['gflops']:.0f} GFLOP/s in registers,")
    print(f"{limits['gigabytes']:.0f} GB/s from memory; {arguments.pairs} pairs; median seconds an iteration (range)")
    results = []
    # A BLAS with threads of its own would fight with those of the solver that calls it.
    with threadpool_limits(1, user_api="blas"):
        for solver in arguments.solver:
            for factors in arguments.factors:
                results.append(
                    compare(interactions, factors, solver, arguments.repeats, arguments.threads, peer is not None)
                )
                print(printed(results[-1]), flush=True)
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text(json.dumps({**described, "results": results}, indent=2) + "\n")


if __name__ == "__main__":
    main()
