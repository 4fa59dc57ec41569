"""The runner of a Spark cluster: a step is a task on an executor, or spread over all of them where it has such a form.

The plan, the order, the lock of the home and the release stay with the process that runs this, the driver. A step goes
to an executor as JSON and publishes its artifact into the home, which is on a folder that all machines share. Without
such a folder (exchange = "shuffle") steps run on the driver, except for fits that exchange vectors through Spark.
"""

import json
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Lock, Thread
from typing import ClassVar

from crossfade.cluster.spark import SparkEngine, application
from crossfade.cluster.spark_settings import SparkSettings
from crossfade.core.artifacts import writing
from crossfade.core.errors import BusyError, CrossfadeError, SettingsError
from crossfade.core.home import Home
from crossfade.core.memory import peak_bytes, restart_peak
from crossfade.core.progress import Progress
from crossfade.core.replacing import make_directory
from crossfade.kernels.threads import one_blas_thread
from crossfade.pipeline.compiling import compile_all
from crossfade.pipeline.distributed import DISTRIBUTED, FITS, SHUFFLED, Distributed
from crossfade.pipeline.learning import FitModel
from crossfade.pipeline.local import LocalRunner, build
from crossfade.pipeline.runner import StepResult, Watch
from crossfade.pipeline.scheduling import FixedLimits, carry_out_all
from crossfade.pipeline.steps import FLOOR, Context, Step, from_json

SPREAD_BYTES = 64_000_000
"""A step whose estimate of memory is less above that of an empty one is a task of its own: such steps run side by side,
and to spread them takes longer than to carry them out."""

REPORT_SECONDS = 0.5
"""How often a task on an executor writes its progress."""

WAIT_SECONDS = 2.0
"""How often a second attempt of a task looks whether the first one has ended."""


@dataclass(frozen=True, kw_only=True)
class SparkRunner:
    """Runs steps on the executors of a Spark cluster; artifacts are those of the local runner.

    threads, memory_bytes  the limits of steps that run on the driver
    settings               of the cluster
    """

    table: ClassVar[str] = "spark"

    threads: int
    memory_bytes: int
    settings: SparkSettings

    def run(self, steps: Sequence[Step], home: Home, watch: Watch) -> list[StepResult]:
        """As `Runner.run`; raises also what `connect` raises, before any step."""
        if not self.settings.master:
            raise SettingsError("No Spark master is named. Try --on spark://HOST:7077, or set master in [spark].")
        here = LocalRunner(threads=self.threads, memory_bytes=self.memory_bytes)
        if all(step.is_done(home) for step in steps):
            return here.run(steps, home, watch)
        shared = self.settings.exchange == "files"
        engine = application(self.settings, home.path if shared else None)
        if engine.slots >= 2 * engine.executors:  # with a task each there is nothing to compile beside
            Thread(target=_compile_aside, args=(engine,), daemon=True).start()
        with one_blas_thread():
            place = _Cluster(self, home, engine)
            here_alone = FixedLimits(steps=self.threads, memory_bytes=self.memory_bytes)
            return carry_out_all(steps, home, watch, place if shared else here_alone, place.carry_out)


def _compile_aside(engine: SparkEngine) -> None:
    with suppress(CrossfadeError):  # what is missing is compiled when it is called
        engine.each(compile_there, engine.executors)


class _Cluster:
    """Carries out steps where they fit, within `Limits` that grow with the cluster."""

    def __init__(self, runner: SparkRunner, home: Home, engine: SparkEngine) -> None:
        self._runner, self._home, self._engine = runner, home, engine
        self._driver = Lock()  # steps on the driver may each take its memory, so they run one at a time

    @property
    def steps(self) -> int:
        """One a task of the executors that are there now, and one on the driver."""
        return self._engine.slots + 1

    @property
    def memory_bytes(self) -> int:
        """What the executors have; a step that takes more than the part of a task runs on the driver."""
        return max(self._runner.settings.memory_mb * 1_000_000 * self._engine.executors, self._runner.memory_bytes)

    def carry_out(self, step: Step, estimate: int, progress: Progress) -> int | None:
        """As `CarryOut`."""
        runner, shared = self._runner, self._runner.settings.exchange == "files"
        room = self._engine.memory_bytes
        form = distributed_form(step, shared=shared) if estimate >= FLOOR + SPREAD_BYTES else None
        if form is None and shared and estimate <= room:
            return self._send(step, room, progress)
        with self._driver:
            if form is None:
                memory = min(estimate, runner.memory_bytes)
                build(step, Context(home=self._home, threads=runner.threads, memory_bytes=memory, progress=progress))
            else:
                threads = runner.settings.task_cores
                context = Context(home=self._home, threads=threads, memory_bytes=room, progress=progress)
                with writing(step.place(self._home), step.identity) as draft:
                    form(step, draft, context, self._engine)
        return None

    def _send(self, step: Step, room: int, progress: Progress) -> int:
        """Carry out ``step`` as a task on an executor; the most memory that it took."""
        home = Home(self._home.path.absolute())
        make_directory(home.unfinished)
        reports = home.unfinished / f"{step.name}.progress"
        last: tuple[float, float | None, str] = (0, None, "steps")

        def forward(done: float, total: float | None, unit: str) -> None:
            """Report what the task wrote, each time that Spark says whether it has ended."""
            nonlocal last
            with suppress(OSError, ValueError):  # not there yet, or half written
                done, total, unit = json.loads(reports.read_text(encoding="utf-8"))
                if done >= last[0]:  # a second attempt begins at nothing again
                    last = done, total, unit
            progress(*last)

        threads = self._runner.settings.task_cores
        try:
            there = partial(carry_out_there, step.to_json(), home, threads, room, reports)
            return self._engine.each(there, 1, progress=forward)[0]
        finally:
            with suppress(OSError):
                reports.unlink(missing_ok=True)


def distributed_form(step: Step, *, shared: bool) -> Distributed | None:
    """Return what carries out ``step`` over all executors; None for a step that one machine carries out.

    shared  whether they share a folder; without one, models of `SHUFFLED` alone are fitted by all of them
    """
    fits = FITS if shared else SHUFFLED
    if (isinstance(step, FitModel) and step.model not in fits) or not (shared or isinstance(step, FitModel)):
        return None
    return DISTRIBUTED.get(step.action)


def compile_there(number: int) -> None:
    """Compile the kernels on the machine of an executor, if they are not; steps that need one take it from there."""
    with suppress(OSError):
        compile_all()


def carry_out_there(text: str, home: Home, threads: int, memory_bytes: int, reports: Path, number: int) -> int:
    """Carry out a step, written as JSON, in this process of an executor; the most memory that it took, in bytes.

    Another attempt of the same step may have ended, or be at work, on this machine or on one that is believed lost.
    """
    step = from_json(text)
    context = Context(home=home, threads=threads, memory_bytes=memory_bytes, progress=_Reports(reports))
    restart_peak()
    while not step.is_done(home):
        try:
            with one_blas_thread():
                build(step, context)
        except BusyError:  # a fit's states have one writer
            time.sleep(WAIT_SECONDS)
        else:
            break
    return peak_bytes()


class _Reports:
    """Progress that is written into a file, now and then."""

    def __init__(self, path: Path) -> None:
        self._path, self._due = path, 0.0

    def __call__(self, done: float, total: float | None, unit: str) -> None:
        if time.monotonic() >= self._due:
            self._due = time.monotonic() + REPORT_SECONDS
            with suppress(OSError):  # progress never fails the work
                self._path.write_text(json.dumps([float(done), total, unit]), encoding="utf-8")
