"""Steps as Luigi tasks: the order, and what is left to do. Steps know nothing of this file.

Luigi asks a task's output whether it exists; ours answers by verifying the artifact's manifest and every
checksum against today's fingerprint, so a directory that is merely there counts for nothing.
"""

import logging
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

with warnings.catch_warnings():
    # Luigi warns at import about an option of range tasks, which we have none of.
    warnings.simplefilter("ignore", DeprecationWarning)
    import luigi
from luigi.execution_summary import LuigiStatusCode

from crossfade.core.artifacts import read_manifest, writing
from crossfade.core.errors import CrossfadeError
from crossfade.core.home import Home
from crossfade.core.memory import peak_bytes, restart_peak
from crossfade.core.progress import Progress
from crossfade.pipeline import journal
from crossfade.pipeline.steps import Step


@dataclass(frozen=True, kw_only=True)
class StepResult:
    """What a run did about one step; seconds and peak_bytes are 0 for a step that was kept."""

    name: str
    title: str
    built: bool
    seconds: float
    peak_bytes: int
    rows: Mapping[str, int]


class StepTarget(luigi.Target):  # type: ignore[misc]  # Luigi carries no types
    """A step's artifact; it exists when it verifies."""

    def __init__(self, step: Step, home: Home) -> None:
        self._step = step
        self._home = home
        self._seen: tuple[int, ...] | None = None

    def exists(self) -> bool:
        """Whether the step is done. Luigi asks several times in a run; the bytes are read once."""
        stamp = _stamp(self._step.place(self._home))
        if self._seen is None or stamp != self._seen:
            self._seen = stamp if self._step.is_done(self._home) else None
        return self._seen is not None


class StepTask(luigi.Task):  # type: ignore[misc]
    """One step in Luigi's words."""

    step_name = luigi.Parameter()
    fingerprint = luigi.Parameter()

    def bind(self, job: "_Job", step: Step) -> "StepTask":
        """Give the task what it works on; Luigi's own parameters are strings."""
        self._job = job
        self._step = step
        self._target = job.targets[step.name]
        return self

    def requires(self) -> list["StepTask"]:
        """The tasks of the steps that this one needs."""
        return [self._job.task(need) for need in self._step.needs]

    def output(self) -> StepTarget:
        """The step's artifact."""
        return self._target

    def run(self) -> None:
        """Do the work, and remember an error as it was."""
        try:
            self._job.perform(self._step)
        except BaseException as error:
            self._job.failure = error
            raise


class _Job:
    """One run over all that is wanted."""

    def __init__(self, steps: Sequence[Step], home: Home, report: Callable[[Step], Progress]) -> None:
        self.home = home
        self.report = report
        self.steps = steps
        self.targets = {step.name: StepTarget(step, home) for step in self.steps}
        self.built: dict[str, tuple[float, int]] = {}
        self.failure: BaseException | None = None

    def task(self, step: Step) -> StepTask:
        return StepTask(step_name=step.name, fingerprint=step.identity.fingerprint).bind(self, step)

    def perform(self, step: Step) -> None:
        restart_peak()
        started = time.monotonic()
        inputs = {need.name: need.place(self.home) for need in step.needs}
        with writing(step.place(self.home), step.identity) as draft:
            step.work(draft, inputs, self.report(step))
        took = time.monotonic() - started, peak_bytes()
        self.built[step.name] = took
        journal.note(self.home, step, *took)

    def result(self, step: Step) -> StepResult:
        seconds, peak = self.built.get(step.name, (0.0, 0))
        return StepResult(
            name=step.name,
            title=step.title,
            built=step.name in self.built,
            seconds=seconds,
            peak_bytes=peak,
            rows=read_manifest(step.place(self.home)).rows,
        )


def carry_out(steps: Sequence[Step], home: Home, report: Callable[[Step], Progress]) -> list[StepResult]:
    """Do what is left to do of ``steps``, which stand in order (`in_order`); the results, in that order.

    ``report`` gives a listener for the progress of each step that runs. The error of a step that fails is
    raised as it was; what the steps before it made stays, and the next run goes on from there.
    """
    # Luigi would set up loggers and print its own summary; our reports take their place.
    luigi.configuration.get_config().set("core", "no_configure_logging", "true")
    logging.getLogger("luigi").setLevel(logging.CRITICAL)
    logging.getLogger("luigi-interface").setLevel(logging.CRITICAL)
    job = _Job(steps, home, report)
    # Every step by name: of one task alone Luigi would not look behind it, and miss damage further up.
    outcome = luigi.build(
        [job.task(step) for step in job.steps], local_scheduler=True, workers=1, detailed_summary=True
    )
    if job.failure is not None:
        raise job.failure
    if outcome.status != LuigiStatusCode.SUCCESS:
        raise CrossfadeError(f"the run did not end well: {outcome.status.name.lower()}")
    return [job.result(step) for step in job.steps]


def _stamp(place: Path) -> tuple[int, ...]:
    """Changes when anything in ``place`` does, by what the file system says of it."""
    return tuple(
        number
        for path in sorted(place.rglob("*"))
        for number in (path.stat().st_mtime_ns, path.stat().st_size, path.stat().st_ino)
    )
