"""Seconds an iteration of alternating least squares takes on a Spark cluster: ours by every scheme, and Spark MLlib.

    python -m benchmarks.cluster --directory DIR          # Java 17, some 10 GB of memory; an hour
    python -m benchmarks.cluster --directory DIR --millions 10 50 100 --factors 40

The cluster is a standalone one on this machine: a master, and two workers with one core each, that are real processes
and exchange what they need by files or sockets. Sides take turns: in each round every side starts an application,
fits, and ends it, since only one at a time has the cores. The first iteration of an application, in which Java and ours
compile and lay out data, is not counted.

All sides solve Σ c (p - x·y)² with confidence 1 + α · plays, on the same matrix. Spark multiplies λ by a row's number
of interactions; ours has one λ. That changes no operation (`benchmarks.als_spark` shows equal losses with equal λ).
Spark knows Cholesky alone; ours takes conjugate gradients by default, and is shown by Cholesky too.

Processor seconds are those of all processes of the workers: the better measure on a machine that does other things.
"""

import argparse
import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import numpy as np
from tests.servers import hadoop as streaming
from tests.servers.spark import ROOT, SparkCluster, missing, started

from benchmarks.als import ALPHA, CG_STEPS
from benchmarks.als_spark import REGULARIZATION, Spark
from benchmarks.case import Findings, run_case
from benchmarks.generate import Size, written
from benchmarks.growth import size_of
from benchmarks.peers import present
from benchmarks.record import Comparison, Kind, Side
from crossfade.cluster.hadoop import Hadoop
from crossfade.cluster.hadoop_als import HadoopALS
from crossfade.cluster.spark_settings import SparkSettings
from crossfade.core.interactions import Interactions
from crossfade.models.als import ALS, ALSSettings

WORKERS = 2
LOCAL_HADOOP = ("mapreduce.local.map.tasks.maximum=2", "mapreduce.local.reduce.tasks.maximum=2")
TICKS = os.sysconf("SC_CLK_TCK")
SAMPLE_SECONDS = 0.2


@dataclass
class Busy:
    """Processor seconds of all processes of a cluster's workers, sampled while a block runs."""

    cluster: SparkCluster
    samples: list[tuple[float, float]] = field(default_factory=list)  # seconds since 1970, processor seconds
    _seen: dict[int, float] = field(default_factory=dict)

    @contextlib.contextmanager
    def sampled(self) -> Iterator[None]:
        """Sample every fifth of a second."""
        ended = threading.Event()

        def sample() -> None:
            while not ended.wait(SAMPLE_SECONDS):
                self.samples.append((time.time(), self._total()))

        thread = threading.Thread(target=sample)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def between(self, ends: Sequence[float]) -> list[float]:
        """Processor seconds between moments that follow each other."""
        return [float(one) for one in np.diff(np.interp(ends, *zip(*self.samples, strict=True)))]

    def _total(self) -> float:
        work = f"{self.cluster.directory}/work/"
        for process in Path("/proc").glob("[0-9]*"):
            # A process may end while it is looked at; what it took counts on.
            with contextlib.suppress(OSError):
                if str((process / "cwd").readlink()).startswith(work):
                    fields = (process / "stat").read_text().rpartition(") ")[2].split()
                    self._seen[int(process.name)] = (int(fields[11]) + int(fields[12])) / TICKS
        return sum(self._seen.values())


@dataclass(frozen=True)
class Fitted:
    """What one application took.

    ends         the end of each iteration, the first one's first, in seconds since 1970
    processor    processor seconds between them
    preparation  seconds that are not iterations
    figures      bytes of an iteration, by name
    """

    ends: Sequence[float]
    processor: Sequence[float]
    preparation: Mapping[str, float]
    figures: Mapping[str, float]


@dataclass(frozen=True)
class Problem:
    """A matrix on the disk, the number of factors, and iterations that are to be counted."""

    place: Path
    factors: int
    iterations: int
    memory: str
    blocks: tuple[int, int]


Fit = Callable[[Problem, Path], Fitted]


@contextlib.contextmanager
def spark_cluster(problem: Problem, scratch: Path) -> Iterator[tuple[SparkCluster, Busy]]:
    """A cluster, and what its workers' processes take."""
    with started(scratch / "cluster", WORKERS, memory=problem.memory) as cluster:
        busy = Busy(cluster)
        with busy.sampled():
            yield cluster, busy


def mllib(problem: Problem, scratch: Path) -> Fitted:
    """Fit by Spark's own ALS."""
    settings = {"spark.executor.memory": problem.memory, "spark.executor.cores": "1"}
    with (
        spark_cluster(problem, scratch) as (cluster, busy),
        Spark(scratch, cluster.url, "2g", settings) as spark,
    ):
        spark.load(Interactions.load(problem.place, kind="artist"))
        before = spark.shuffled()
        blocks = {"numUserBlocks": problem.blocks[0], "numItemBlocks": problem.blocks[1]}
        ends, preparation, _ = spark.fit(problem.factors, problem.iterations + 2, **blocks)
        figures = {"shuffled_gb": (spark.shuffled() - before) / (problem.iterations + 2) / 1e9}
        return Fitted(ends, busy.between(ends), {**spark.preparation, **preparation}, figures)


def settings_of(problem: Problem, interactions: Interactions, solver: str) -> ALSSettings:
    """Ours, for the objective of all sides; an iteration more than is counted."""
    return ALSSettings(
        factors=problem.factors,
        objective="hkv",
        alpha=ALPHA,
        confidence="linear",
        regularization=REGULARIZATION * interactions.pairs / interactions.shape[0],
        iterations=problem.iterations + 1,
        solver=solver,  # type: ignore[arg-type]
        cg_steps=CG_STEPS,
    )


def ours(scheme: str, solver: str = "auto", exchange: str = "files") -> Fit:
    """Return what fits by ours, both sides by one scheme."""

    def fitted(problem: Problem, scratch: Path) -> Fitted:
        from crossfade.cluster.als import fit_on
        from crossfade.cluster.als_files import Files
        from crossfade.cluster.als_shuffle import Shuffle
        from crossfade.cluster.als_work import Cut, Moved
        from crossfade.cluster.spark import connect

        interactions = Interactions.load(problem.place, kind="artist")
        began, halves, moved = time.time(), list[float](), list[Moved]()

        def noting(*arguments: Any) -> Moved:
            moved.append(half_step(*arguments))
            return moved[-1]

        through = Files if exchange == "files" else Shuffle
        half_step = through.half_step
        with spark_cluster(problem, scratch) as (cluster, busy):
            engine = connect(SparkSettings(master=cluster.url, exchange=exchange, executors=WORKERS, cores=1))
            connected = time.time()
            try:
                with patch.object(through, "half_step", noting):
                    fit_on(
                        engine,
                        problem.place,
                        settings_of(problem, interactions, solver),
                        kind="artist",
                        workspace=scratch / "fit",
                        cuts=tuple(Cut(scheme, blocks) for blocks in problem.blocks),
                        progress=lambda done, total, unit: halves.append(time.time()),
                    )
            finally:
                engine.stop()
        # Half-steps are told as they begin. The last one solves users exactly; the first two compile.
        ends = halves[2 : 2 * problem.iterations + 3 : 2]
        prepared = {"starting Spark": connected - began, "laying out": halves[0] - connected}
        counted = moved[2 : 2 * problem.iterations + 2]
        figures = {
            f"{name}_gb": sum(getattr(one, name) for one in counted) / problem.iterations / 1e9
            for name in Moved._fields
        }
        return Fitted(ends, busy.between(ends), {**prepared, "first iteration": halves[2] - halves[0]}, figures)

    return fitted


def hadoop(problem: Problem, scratch: Path) -> Fitted:
    """Fit by MapReduce jobs in Hadoop's own process on this machine, all mappers first and then all reducers."""
    folder = scratch / "jobs"
    folder.mkdir()
    path = os.pathsep.join([str(ROOT / "src"), str(ROOT), os.environ.get("PYTHONPATH", "")])
    own = {"PYTHONPATH": path, "HADOOP_HEAP": problem.memory}
    interactions = Interactions.load(problem.place, kind="artist")
    chosen = streaming.settings(
        str(folder),
        user_blocks=problem.blocks[0],
        item_blocks=problem.blocks[1],
        conf=(f"hadoop.tmp.dir={scratch / 'hadoop'}", *LOCAL_HADOOP),
    )
    jobs = HadoopALS(Hadoop.connect(chosen, scratch / "work"), "fit", scratch / "cache", Stamped())
    began = time.time()
    with patch.dict(os.environ, own):
        ALS(settings_of(problem, interactions, "auto")).fit(interactions, elsewhere=jobs)
    stamps = jobs.moved.stamps  # type: ignore[attr-defined]
    at = slice(1, 2 * problem.iterations + 2, 2)
    ends = [moment for moment, _ in stamps[at]]
    counted = jobs.moved[2 : 2 * problem.iterations + 2]
    figures = {
        f"{name}_gb": sum(getattr(one.counters, name) for one in counted) / problem.iterations / 1e9
        for name in ("read", "written", "shuffled")
    }
    figures["shipped_gb"] = sum(one.shipped for one in counted) / problem.iterations / 1e9
    busy = [float(one) for one in np.diff([taken for _, taken in stamps[at]])]
    return Fitted(ends, busy, {"first iteration": ends[0] - began}, figures)


class Stamped(list[Any]):
    """A list that notes when something came, and the processor seconds of the processes that have ended until then."""

    def __init__(self) -> None:
        super().__init__()
        self.stamps: list[tuple[float, float]] = []

    def append(self, one: Any) -> None:
        """Add it."""
        taken = os.times()
        self.stamps.append((time.time(), taken.children_user + taken.children_system))
        super().append(one)


SIDES: Mapping[str, tuple[Kind, Fit]] = {
    "half": ("ours", ours("half")),
    "half by Cholesky": ("ours", ours("half", solver="cholesky")),
    "half by shuffle": ("ours", ours("half", exchange="shuffle")),
    "streamed": ("ours", ours("streamed")),
    "full": ("ours", ours("full")),
    "MapReduce": ("ours", hadoop),
    "Spark MLlib": ("peer", mllib),
}


def compared(names: Sequence[str], problem: Problem, rounds: int, scratch: Path | None) -> list[Side]:
    """Fit by every side in each round, every round beginning with another one; Ctrl-C ends it with what there is."""
    taken: dict[str, list[Fitted]] = {name: [] for name in names}
    with contextlib.suppress(KeyboardInterrupt):
        for turn in range(rounds):
            first = turn % len(names)
            for name in [*names[first:], *names[:first]]:
                with TemporaryDirectory(dir=scratch) as place:
                    fitted = SIDES[name][1](problem, Path(place))
                taken[name].append(fitted)
                seconds, busy = np.diff(fitted.ends), fitted.processor
                print(f"  {name}: {seconds.round(2)} s an iteration, {np.round(busy, 2)} of processors", flush=True)
    return [
        Side(
            name=name,
            kind=SIDES[name][0],
            turns=[float(np.median(np.diff(fitted.ends))) for fitted in found],
            processor=[float(np.median(fitted.processor)) for fitted in found],
            preparation=found[-1].preparation,
            figures=found[-1].figures,
        )
        for name, found in taken.items()
        if found
    ]


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--directory", type=Path, required=True, help="where matrices are kept")
    parser.add_argument("--factors", type=int, nargs="+", default=[40, 64])
    parser.add_argument("--millions", type=float, nargs="+", default=[7.75], help="of pairs")
    parser.add_argument("--users", type=int, default=100_000, help="where there are 7.75 million pairs")
    parser.add_argument("--items", type=int, default=50_000)
    parser.add_argument("--sides", nargs="+", choices=list(SIDES), default=list(SIDES))
    parser.add_argument("--blocks", type=int, nargs=2, default=[4, 4], help="of users and of items")
    parser.add_argument("--iterations", type=int, default=1, help="that count, of each application")
    parser.add_argument("--memory", default="4g", help="of each worker")
    parser.add_argument("--scratch", type=Path, help="where Spark may write; the system's if not said")


def measure(chosen: argparse.Namespace) -> Findings:
    """One comparison for each number of pairs and of factors."""
    versions, skipped = present(["pyspark"])
    reason = missing()
    if reason is not None:
        return Findings(comparisons=[], skipped={"pyspark": reason})
    comparisons = []
    for millions in chosen.millions:
        pairs = round(millions * 1e6)
        size = Size(users=chosen.users, items=chosen.items, pairs=pairs) if millions == 7.75 else size_of(pairs)
        place = written(chosen.directory, size)[0]
        for factors in chosen.factors:
            print(f"{millions:g} million pairs, {factors} factors", flush=True)
            problem = Problem(place, factors, chosen.iterations, chosen.memory, tuple(chosen.blocks))
            comparisons.append(
                Comparison(
                    name=f"{millions:g} million pairs, {factors} factors",
                    unit="an iteration",
                    what={"users": size.users, "items": size.items, "pairs": pairs, "factors": factors},
                    sides=compared(chosen.sides, problem, chosen.turns, chosen.scratch),
                )
            )
    return Findings(comparisons=comparisons, versions=versions, skipped=skipped)


if __name__ == "__main__":
    run_case(__doc__, options, measure, turns=2, blas=1)
