"""Executors of a Spark cluster as an engine.

Spark is used for what it is best at: placing tasks on machines, and carrying them out again elsewhere when a machine is
lost. A call of `SparkEngine.each` is one job over an RDD of task numbers, one number a partition. What tasks read and
write are files of the shared folder, so nothing but numbers and small results goes through Spark.
"""

import atexit
import contextlib
import re
import socket
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Any, TypeVar

from crossfade.cluster import spark_probe
from crossfade.cluster.copies import local_directory
from crossfade.cluster.spark_checks import (
    REACH_SECONDS,
    check_java,
    check_master,
    difference,
    examine,
    failures,
    no_executor,
)
from crossfade.cluster.spark_errors import carrying, packed, reason, translated, unpacked
from crossfade.cluster.spark_settings import SparkSettings
from crossfade.core.errors import CrossfadeError, MissingExtraError, StorageError
from crossfade.core.progress import Progress, silent
from crossfade.core.replacing import make_directory

Result = TypeVar("Result")

POLL_SECONDS = 0.2
"""How often progress and errors of a job are looked at."""

LOCALITY_SECONDS = 3
"""How long a task waits for the executor that has what it kept, before it goes to another."""

MORE_SECONDS = 1.0
"""How long after an executor others are waited for."""

STOP_SECONDS = 20.0
"""How long Java has to end."""


@dataclass(frozen=True, eq=False)
class SparkEngine:
    """The executors of one Spark application; `connect` makes it.

    context   of Spark
    settings  that it was made with
    log       the file that Java's messages go to
    """

    context: Any
    _errors: Any
    settings: SparkSettings
    log: Path
    _kept: dict[tuple[str, int], Any] = field(default_factory=dict)
    _jobs: Iterator[int] = field(default_factory=count)
    _lock: Lock = field(default_factory=Lock)

    @property
    def slots(self) -> int:
        """How many tasks the executors that are there now carry out at a time."""
        cores = 0 if in_this_process(self.settings.master) else self.settings.cores * self.executors
        cores = cores or int(self.context.defaultParallelism)
        return max(cores // self.settings.task_cores, 1)

    @property
    def memory_bytes(self) -> int:
        """What a task may take of its executor."""
        return self.settings.memory_mb * 1_000_000 * max(self.executors, 1) // self.slots

    @property
    def exchange(self) -> str:
        """As `Engine.exchange`."""
        return self.settings.exchange

    @property
    def alive(self) -> bool:
        """Whether the application still runs."""
        try:
            return not self.context._jsc.sc().isStopped()
        except Exception:  # noqa: BLE001  # Java has ended
            return False

    @property
    def executors(self) -> int:
        """How many executors there are now; 1 where Spark runs in this process alone."""
        known = int(self.context._jsc.sc().getExecutorMemoryStatus().size())
        return known if in_this_process(self.settings.master) else known - 1  # the driver is listed too

    def each(
        self, work: Callable[[int], Result], tasks: int, *, cached: str = "", progress: Progress = silent
    ) -> list[Result]:
        """As `Engine.each`.

        A task that raises CrossfadeError ends the work; with any other error it is carried out up to four times.
        """
        if not tasks:
            return []
        job = next(self._jobs)
        carry_out = partial(_carry_out, work, job, self._errors, spark_probe.versions())
        done = self._collected(
            lambda: self._numbers(tasks, cached).mapPartitions(carry_out).collect(), job, tasks, progress
        )
        return [result for _, result in sorted(done, key=lambda numbered: numbered[0])]

    def send(self, function: Callable[[int], Result], tasks: int) -> list[Result]:
        """Do the same with a function that needs no Crossfade there."""
        return self._collected(lambda: self._numbers(tasks, "").map(function).collect(), next(self._jobs), tasks)

    def collected(self, rdd: Any, tasks: int) -> list[Any]:
        """Collect an RDD of so many partitions; errors and interruptions as in `each`."""
        return self._collected(rdd.collect, next(self._jobs), tasks)

    def forget(self, cached: str) -> None:
        """Let go of where tasks of this name were carried out."""
        with self._lock:
            for key in [key for key in self._kept if key[0] == cached]:
                self._kept.pop(key).unpersist()

    def stop(self) -> None:
        """End the application and its Java process, and remove the log if the application had not ended by itself."""
        alive = self.alive
        _stop(self.context)
        if alive:
            self.log.unlink(missing_ok=True)

    def _numbers(self, tasks: int, cached: str) -> Any:
        """The RDD of task numbers; of a cached one Spark knows which executor had which."""
        if not cached:
            return self.context.parallelize(range(tasks), tasks)
        with self._lock:
            if (cached, tasks) not in self._kept:
                self._kept[cached, tasks] = self.context.parallelize(range(tasks), tasks).map(int).persist()
            return self._kept[cached, tasks]

    def _collected(
        self, collect: Callable[[], list[Any]], job: int, tasks: int, progress: Progress = silent
    ) -> list[Any]:
        """Collect an RDD in a thread of its own, so that an interruption or an error ends it."""
        self._check_alive()
        from pyspark import InheritableThread

        group = f"crossfade-{job}"
        collected: list[list[Any]] = []
        failures: list[BaseException] = []
        ended = Event()

        def work() -> None:
            try:
                self.context.setJobGroup(group, group)
                collected.append(collect())
            except BaseException as error:  # noqa: BLE001  # raised again by the thread that waits
                failures.append(error)
            ended.set()

        thread = InheritableThread(target=work, daemon=True)
        thread.start()
        try:
            while not ended.wait(POLL_SECONDS):
                self._raise_error_of(job)
                if progress is not silent:
                    progress(self._tasks_done(group), tasks, "tasks")
        except BaseException:
            with contextlib.suppress(Exception):  # Java may have ended
                self.context.cancelJobGroup(group)
            ended.wait(POLL_SECONDS)
            raise
        thread.join()
        self._raise_error_of(job)
        if failures:
            self._check_alive()
            raise translated(failures[0], self.log) from None
        progress(tasks, tasks, "tasks")
        return collected[0]

    def _check_alive(self) -> None:
        if not self.alive:
            raise CrossfadeError(
                f"The application on {self.settings.master} has ended: its Java process did, or the master removed it. "
                f"Run again to go on from what is complete. Spark's messages are in {self.log}"
            )

    def _raise_error_of(self, job: int) -> None:
        for of, error in list(self._errors.value):
            if of == job:
                raise unpacked(error)

    def _tasks_done(self, group: str) -> int:
        if not self.alive:
            return 0
        tracker = self.context.statusTracker()
        jobs = map(tracker.getJobInfo, tracker.getJobIdsForGroup(group))
        stages = [tracker.getStageInfo(stage) for job in jobs if job is not None for stage in job.stageIds]
        return sum(stage.numCompletedTasks for stage in stages if stage is not None)


def _carry_out(
    work: Callable[[int], Result], job: int, errors: Any, versions: Mapping[str, str], numbers: Iterable[int]
) -> Iterator[tuple[int, Result | None]]:
    """Carry out the tasks of one partition, on an executor."""
    for number in numbers:
        try:
            # Executors that came after the check at the beginning have not been looked at.
            if differing := difference(versions, spark_probe.versions()):
                raise CrossfadeError(f"{socket.gethostname()} {differing}")
            yield number, work(number)
        except CrossfadeError as error:
            if isinstance(error, StorageError):  # of one machine perhaps, and not for ever
                raise carrying(error) from error
            # Not raised, since Spark would carry out three times more what fails in the same way.
            errors.add([(job, packed(error))])
            yield number, None
        except Exception as error:
            raise carrying(error) from error


def in_this_process(master: str) -> bool:
    """Return whether ``master`` is "local[N]", which has no executors of their own."""
    return re.match(r"local\b", master) is not None


def connect(settings: SparkSettings, folder: Path | None = None, *, name: str = "crossfade") -> SparkEngine:
    """Start an application on the cluster of ``settings`` and return its executors as an engine.

    folder  that the executors are to share with this machine; None if they need none

    Raises what `start` raises, and CrossfadeError if an executor has other versions, too little memory or another
    folder.
    """
    engine = start(settings, name=name)
    try:
        if failed := [*failures(examine(engine, folder), settings, engine.slots)]:
            raise CrossfadeError("\n".join(failed))
    except BaseException:
        engine.stop()
        raise
    return engine


def start(settings: SparkSettings, *, name: str = "crossfade") -> SparkEngine:
    """Start an application, and return its executors without a look at what they have.

    Raises MissingExtraError without pyspark, and CrossfadeError if there is no usable Java, or if the cluster cannot be
    reached or starts no executor in time.
    """
    try:
        import pyspark  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("Running on Spark", extra="spark") from error
    check_java()
    check_master(settings.master)
    directory = local_directory()
    make_directory(directory)
    log = directory / f"spark-{time.time_ns():x}.log"
    engine = SparkEngine(*_started(settings, log, name), settings, log)
    try:
        _await_executors(engine)
    except BaseException:
        engine.stop()
        raise
    return engine


def _started(settings: SparkSettings, log: Path, name: str) -> tuple[Any, Any]:
    """Return the context of a new application, in a Java process of its own, and its accumulator of errors."""
    from pyspark import SparkConf, SparkContext, __version__
    from pyspark.java_gateway import launch_gateway

    # Spark imports pandas, of which nothing is used here, and warns of its version.
    warnings.filterwarnings("ignore", "PySpark does not yet fully support pandas", FutureWarning)
    if SparkContext._active_spark_context is not None:
        raise CrossfadeError("This process has a Spark application already. End that first.")
    if SparkContext._active_spark_context is None:
        _forget_java()  # of an application that was started in another way, and has ended
    conf = SparkConf(loadDefaults=False)
    for key, value in configuration(settings).items():
        conf.set(key, value)
    with log.open("wb") as messages:
        # Java writes its messages to standard error, which is the terminal's.
        try:
            SparkContext._gateway = launch_gateway(conf, {"stdout": messages, "stderr": messages})
        except Exception as error:
            said = reason(log.read_text(encoding="utf-8", errors="replace") or str(error))
            raise CrossfadeError(f"Spark did not start: {said}. Its messages are in {log}") from error
        SparkContext._jvm = SparkContext._gateway.jvm
    started: list[Any] = []
    failed: list[BaseException] = []

    def start() -> None:
        try:
            started.append(SparkContext(appName=name, conf=conf))
        except BaseException as error:  # noqa: BLE001  # raised again by the thread that waits
            failed.append(error)

    # In a thread, since a master of another version never answers, and since Spark handles interruptions in its own
    # way if it is started in the main thread.
    thread = Thread(target=start, daemon=True)
    thread.start()
    try:
        thread.join(settings.start_seconds)
        if failed:
            raise CrossfadeError(f"Spark did not start: {reason(str(failed[0]))}. Its messages are in {log}")
        if not started:
            raise CrossfadeError(
                f"{settings.master} did not accept this application in {settings.start_seconds:g} seconds. "
                f"Is it a master of Spark {__version__}? Spark's messages are in {log}"
            )
    except BaseException:
        SparkContext._gateway.proc.kill()
        thread.join(REACH_SECONDS)
        _forget_java()
        raise
    context = started[0]
    context.pythonExec = settings.python or sys.executable
    return context, context.accumulator([], _Listed())


def configuration(settings: SparkSettings) -> dict[str, str]:
    """Return Spark's own settings, by name, that ``settings`` amount to."""
    master, threads = settings.master, str(settings.task_cores)
    alone = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), threads)
    environment = {**alone, "OPENBLAS_NUM_THREADS": "1"}
    environment |= {"NUMBA_CACHE_DIR": settings.kernels} if settings.kernels else {}
    environment |= {"CROSSFADE_LOCAL_DIR": settings.scratch} if settings.scratch else {}
    chosen: dict[str, Any] = {
        "spark.master": master,
        "spark.executor.memory": f"{settings.heap_mb}m",
        "spark.executor.memoryOverhead": f"{settings.memory_mb}m",
        "spark.task.cpus": settings.task_cores,
        "spark.locality.wait": f"{LOCALITY_SECONDS}s",
        "spark.ui.showConsoleProgress": "false",
        "spark.log.level": "WARN",
        **{f"spark.executorEnv.{key}": value for key, value in environment.items()},
    }
    if settings.cores:
        chosen["spark.executor.cores"] = settings.cores
    if settings.executors:
        chosen["spark.executor.instances"] = settings.executors
        if settings.cores:
            chosen["spark.cores.max"] = settings.executors * settings.cores
    if re.match(r"spark://(127\.|localhost|\[::1\])", master):
        # Workers of this machine need not know its name.
        chosen |= {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}
    return {key: str(value) for key, value in chosen.items()} | dict(setting.split("=", 1) for setting in settings.conf)


class _Listed:
    """An accumulator of lists."""

    def zero(self, value: list[Any]) -> list[Any]:
        return []

    def addInPlace(self, value: list[Any], more: list[Any]) -> list[Any]:  # noqa: N802  # named by Spark
        return value + more


def _await_executors(engine: SparkEngine) -> None:
    """Wait for the first executor, and a moment for more."""
    started = since = time.monotonic()
    seen = 0
    while not seen or time.monotonic() - since < MORE_SECONDS:
        now = engine.executors
        if engine.settings.executors and now >= engine.settings.executors:
            return
        if now != seen:
            seen, since = now, time.monotonic()
        if not seen and time.monotonic() - started > engine.settings.start_seconds:
            raise no_executor(engine.settings)
        time.sleep(POLL_SECONDS)


def _stop(context: Any) -> None:
    """End an application and its Java process, even if that no longer answers."""
    from pyspark import SparkContext

    process = SparkContext._gateway.proc
    with contextlib.suppress(Exception):
        context.stop()
    with contextlib.suppress(Exception):
        SparkContext._gateway.shutdown()
    process.stdin.close()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    _forget_java()


def _forget_java() -> None:
    """Have the next application start a Java process of its own."""
    from pyspark import SparkContext

    SparkContext._gateway = SparkContext._jvm = SparkContext._active_spark_context = None


_application: list[SparkEngine] = []


def application(settings: SparkSettings, folder: Path | None = None) -> SparkEngine:
    """Return the application of this process: a new one from `connect`, unless it has one of these settings.

    It ends with the process. A process can have one at a time, so another one ends now.
    """
    if _application and (_application[0].settings != settings or not _application[0].alive):
        _application.pop().stop()
    if not _application:
        _application.append(connect(settings, folder))
    return _application[0]


@atexit.register
def end_application() -> None:
    """End the application of this process, if there is one."""
    while _application:
        _application.pop().stop()
