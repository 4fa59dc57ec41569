"""Seconds an iteration of alternating least squares takes, here and in Spark MLlib on one machine.

    python -m benchmarks.als_spark --factors 40 64          # Java 17, 8 GiB for Spark; minutes

Both solve the same problem on the same matrix: Spark multiplies λ by a row's number of interactions, so ours is given
such penalties too; 1 + α · plays is the confidence of both. Spark knows one solver for this, Cholesky; ours takes turns
by that and by conjugate gradients, before Spark is started.

Spark runs as local[threads]. A fit is lazy: in each iteration one job forms the Gram matrix of the users, which makes
their vectors, and one that of the items. So an iteration lasts from the end of one such job to the end of the next
but one, as Spark's own log of events says. That leaves out starting, laying out the data, and the first iteration,
in which Java compiles; these are shown apart. Ours and Spark's loss after as many iterations are shown to be alike.
"""

import argparse
import json
import os
import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.als import ALPHA, CG_STEPS, SOLVERS, Ours
from benchmarks.case import Findings, run_case
from benchmarks.generate import long_tailed
from benchmarks.peers import present
from benchmarks.record import Comparison, Side
from benchmarks.turns import take_turns
from crossfade.core.interactions import Interactions

REGULARIZATION = 0.01  # times a row's interactions, of which users have 78 on average
GRAM = "aggregate at ALS.scala"  # how Spark names the job that forms a Gram matrix
SAMPLED = 2_000  # users of which the loss is computed


def missing() -> str | None:
    """Why Spark cannot run; None if it can."""
    if shutil.which("java") is None and "JAVA_HOME" not in os.environ:
        return "there is no Java; it needs version 17"
    return None


def loss(interactions: Interactions, items: np.ndarray) -> float:
    """The least that some users can come to with these items: Σ c (p - x·y)² + λ n ‖x‖², in the mean over them.

    Items alone, because one side ends an iteration with the users and the other with the items.
    """
    rows = interactions.shape[0]
    chosen = np.random.default_rng(0).choice(rows, min(SAMPLED, rows), replace=False)
    items = items.astype(np.float64)
    gram, total = items.T @ items, 0.0
    for row in chosen:
        span = slice(interactions.indptr[row], interactions.indptr[row + 1])
        played, surplus = items[interactions.indices[span]], ALPHA * interactions.weights[span].astype(np.float64)
        penalty = REGULARIZATION * len(played) * np.eye(items.shape[1])
        wanted = played.T @ (1 + surplus)
        user = np.linalg.solve(gram + (played.T * surplus) @ played + penalty, wanted)
        # At the least, the quadratic form is half of what the linear one takes away.
        total += np.sum(1 + surplus) - wanted @ user
    return total / len(chosen)


class Spark:
    """A session that times the fits it makes; use it with ``with``."""

    def __init__(self, scratch: Path, master: str, memory: str, settings: Mapping[str, str] = {}) -> None:
        from pyspark.sql import SparkSession

        self.events = scratch / "events"
        self.events.mkdir(exist_ok=True)
        self.scratch = scratch
        os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
        started = time.perf_counter()
        chosen = {
            "spark.driver.memory": memory,
            "spark.driver.host": "127.0.0.1",
            "spark.driver.bindAddress": "127.0.0.1",
            "spark.ui.enabled": "false",
            "spark.ui.showConsoleProgress": "false",
            "spark.local.dir": str(scratch),
            "spark.eventLog.enabled": "true",
            "spark.eventLog.dir": self.events.as_uri(),
            "spark.eventLog.compress": "false",
            "spark.eventLog.rolling.enabled": "false",
            # With it, products of vectors and matrices use what the processor has.
            "spark.driver.extraJavaOptions": "--add-modules=jdk.incubator.vector",
            "spark.executor.extraJavaOptions": "--add-modules=jdk.incubator.vector",
            **settings,
        }
        builder = SparkSession.builder.master(master).appName("benchmark")
        for key, value in chosen.items():
            builder = builder.config(key, value)
        self.session = builder.getOrCreate()
        self.session.sparkContext.setLogLevel("ERROR")
        self.preparation = {"starting Spark": time.perf_counter() - started}

    def load(self, interactions: Interactions) -> None:
        """The pairs as a table that Spark holds in memory."""
        started = time.perf_counter()
        users = np.repeat(np.arange(interactions.shape[0], dtype=np.int32), np.diff(interactions.indptr))
        table = pa.table({"user": users, "item": interactions.indices, "rating": interactions.weights})
        pq.write_table(table, self.scratch / "pairs.parquet")
        self.pairs = self.session.read.parquet(str(self.scratch / "pairs.parquet")).cache()
        self.pairs.count()
        self.preparation["loading"] = time.perf_counter() - started

    def fit(
        self, factors: int, iterations: int, **settings: object
    ) -> tuple[Sequence[float], dict[str, float], np.ndarray]:
        """When each iteration ended, from the first on, which is not counted; what the rest took, and the items."""
        from pyspark.ml.recommendation import ALS

        before, started = len(self.ended()), time.perf_counter()
        model = ALS(
            rank=factors,
            maxIter=iterations,
            regParam=REGULARIZATION,
            alpha=ALPHA,
            implicitPrefs=True,
            userCol="user",
            itemCol="item",
            ratingCol="rating",
            checkpointInterval=-1,
            seed=0,
            **settings,
        ).fit(self.pairs)
        items = self._vectors(model.itemFactors)
        whole = time.perf_counter() - started
        # Jobs 1, 3, 5, … form the Gram matrix of the users that the iteration before has made.
        ends = self.ended()[before::2]
        took = float(ends[-1] - ends[0])
        return ends[1:], {"the rest of the fit": whole - took, "first iteration": ends[1] - ends[0]}, items

    def ended(self) -> list[float]:
        """When each Gram matrix was ready, in seconds."""
        jobs, ends = set(), []
        for path in self.events.iterdir():
            for line in path.read_text().splitlines():
                if '"SparkListenerJob' not in line:
                    continue
                event = json.loads(line)
                if event["Event"] == "SparkListenerJobStart" and any(
                    stage["Stage Name"].startswith(GRAM) for stage in event["Stage Infos"]
                ):
                    jobs.add(event["Job ID"])
                elif event["Event"] == "SparkListenerJobEnd" and event["Job ID"] in jobs:
                    ends.append(event["Completion Time"] / 1000)
        return sorted(ends)

    def shuffled(self) -> float:
        """Bytes that all stages so far wrote for others to fetch."""
        written = 0
        for path in self.events.iterdir():
            for line in path.read_text().splitlines():
                if '"SparkListenerTaskEnd"' in line:
                    metrics = json.loads(line).get("Task Metrics") or {}
                    written += metrics.get("Shuffle Write Metrics", {}).get("Shuffle Bytes Written", 0)
        return float(written)

    @staticmethod
    def _vectors(table: object) -> np.ndarray:
        """(rows, factors), by id."""
        arrow = table.orderBy("id").toArrow()  # type: ignore[attr-defined]
        values = arrow["features"].combine_chunks().flatten().to_numpy()
        return values.reshape(arrow.num_rows, -1)

    def __enter__(self) -> "Spark":
        return self

    def __exit__(self, *failure: object) -> None:
        self.session.stop()


def spark_here(scratch: Path, threads: int, memory: str) -> Spark:
    """A session whose driver computes, with so many threads."""
    return Spark(scratch, f"local[{threads}]", memory, {"spark.sql.shuffle.partitions": str(2 * threads)})


def ours(interactions: Interactions, factors: int, threads: int, turns: int) -> list[Side]:
    """Iterations of ours by Cholesky and by conjugate gradients, with Spark's penalties."""
    works = {solver: Ours(interactions, factors, solver, threads) for solver in ("cholesky", "cg")}
    for work in works.values():
        work.penalties = tuple(REGULARIZATION * np.diff(half.indptr) for half in (work.by_user, work.by_item))
        # Spark begins with vectors of length one, which are nearer to the end than our shorter ones.
        work.items /= np.linalg.norm(work.items, axis=1, keepdims=True)
    taken = take_turns({solver: work.iterate for solver, work in works.items()}, turns + 1)
    names = {"cholesky": "crossfade", "cg": f"crossfade, {SOLVERS['cg']}"}
    return [
        one.side(
            names[solver],
            figures={"loss": loss(interactions, works[solver].items[:, :factors])},
        )
        for solver, one in taken.items()
    ]


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--factors", type=int, nargs="+", default=[40, 64])
    parser.add_argument("--users", type=int, default=100_000)
    parser.add_argument("--items", type=int, default=50_000)
    parser.add_argument("--pairs", type=int, default=7_750_000)
    parser.add_argument("--memory", default="8g", help="of Spark's driver")
    parser.add_argument("--scratch", type=Path, help="where Spark may write; the system's if not said")


def measure(chosen: argparse.Namespace) -> Findings:
    """One comparison for each number of factors."""
    versions, skipped = present(["pyspark"])
    if "pyspark" in versions and (reason := missing()):
        del versions["pyspark"]
        skipped["pyspark"] = reason
    interactions = long_tailed(chosen.users, chosen.items, chosen.pairs)
    threads = max(chosen.threads)
    sides = {factors: ours(interactions, factors, threads, chosen.turns) for factors in chosen.factors}
    if "pyspark" in versions:
        with (
            TemporaryDirectory(dir=chosen.scratch) as scratch,
            spark_here(Path(scratch), threads, chosen.memory) as spark,
        ):
            spark.load(interactions)
            for factors in chosen.factors:
                ends, preparation, items = spark.fit(factors, chosen.turns + 2)
                seconds = [float(one) for one in np.diff(ends)]
                figures = {"loss": loss(interactions, items)}
                prepared = {**spark.preparation, **preparation}
                name = f"Spark MLlib {versions['pyspark']}"
                sides[factors].append(
                    Side(name=name, kind="peer", turns=seconds, preparation=prepared, figures=figures)
                )
                print(f"{factors} factors: {', '.join(f'{one:.1f}' for one in seconds)} s by Spark", flush=True)
    return Findings(
        comparisons=[
            Comparison(
                name=f"{factors} factors, {threads} thread{'s' * (threads > 1)}",
                unit="an iteration",
                what={"factors": factors, "threads": threads, "steps": CG_STEPS},
                sides=found,
            )
            for factors, found in sides.items()
        ],
        versions=versions,
        skipped=skipped,
    )


if __name__ == "__main__":
    run_case(__doc__, options, measure, turns=2, blas=1)
