"""The order in which steps are carried out: each after those that it needs, several at a time, whatever the place."""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Event, Thread
from typing import Protocol

from crossfade.core.artifacts import read_manifest
from crossfade.core.home import Home
from crossfade.core.memory import peak_bytes, restart_peak
from crossfade.core.progress import Progress
from crossfade.pipeline import journal
from crossfade.pipeline.runner import StepResult, Watch
from crossfade.pipeline.steps import Step

GRACE_SECONDS = 5.0
"""After an interruption, how long steps have to stop at their next report of progress."""

ATTENTION_SECONDS = 0.5
"""How long an interruption may go unnoticed."""

CarryOut = Callable[[Step, int, Progress], int | None]
"""Makes the artifact of a step that is estimated to take so many bytes, and reports its progress. Returns the most
memory that it took, in bytes; None for work of this process, whose memory is measured here."""


class Limits(Protocol):
    """What may be carried out at a time; asked before each step, since machines come and go."""

    @property
    def steps(self) -> int:
        """How many steps at most."""

    @property
    def memory_bytes(self) -> int:
        """What their estimates may add up to."""


@dataclass(frozen=True, kw_only=True)
class FixedLimits:
    """The limits of one machine."""

    steps: int
    memory_bytes: int


def carry_out_all(
    steps: Sequence[Step], home: Home, watch: Watch, limits: Limits, carry_out: CarryOut
) -> list[StepResult]:
    """Complete ``steps`` as `Runner.run` promises, each of those that are not done by ``carry_out``, in a thread.

    A step that exceeds the memory is carried out alone. An error or an interruption stops the other steps at their next
    report of progress.
    """
    return _Run(steps, home, watch, limits, carry_out).results()


class _StoppedError(Exception):
    """Ends a step from inside its report of progress."""


@dataclass(eq=False)
class _Running:
    step: Step
    estimate: int
    peak: int = 0  # of this process
    elsewhere: int | None = None  # the peak where the step was carried out, if not in this process
    seconds: float | None = None
    error: BaseException | None = None


class _Run:
    def __init__(self, steps: Sequence[Step], home: Home, watch: Watch, limits: Limits, carry_out: CarryOut) -> None:
        self._steps = steps
        self._home = home
        self._watch = watch
        self._limits = limits
        self._carry_out = carry_out
        self._waiting = list(steps)
        self._running: list[_Running] = []
        self._complete: dict[str, StepResult] = {}
        self._ended: SimpleQueue[_Running] = SimpleQueue()
        self._stopping = Event()

    def results(self) -> list[StepResult]:
        try:
            while self._waiting or self._running:
                self._start()
                self._end(self._next_ended())
        except KeyboardInterrupt:
            self._stop(GRACE_SECONDS)
            raise
        except BaseException:
            self._stop(None)
            raise
        return [self._complete[step.name] for step in self._steps]

    def _start(self) -> None:
        """Start every step whose needs are complete, in order, as far as the limits allow."""
        for step in list(self._waiting):
            if len(self._running) >= self._limits.steps:
                return
            if not step.needs.keys() <= self._complete.keys():
                continue
            most = self._limits.memory_bytes
            estimate = min(step.memory(self._home), most)
            if self._running and estimate + sum(one.estimate for one in self._running) > most:
                continue
            self._note_peak()
            self._waiting.remove(step)
            running = _Running(step, estimate)
            self._running.append(running)
            # A daemon, so that a step which does not stop cannot keep an interrupted process alive.
            Thread(target=self._work, args=(running,), name=step.name, daemon=True).start()
        if not self._running:
            raise ValueError(f"{self._waiting[0].name} needs a step that is not among those to run")

    def _work(self, running: _Running) -> None:
        try:
            if not running.step.is_done(self._home):
                running.seconds = self._build(running)
        except BaseException as error:  # noqa: BLE001  # raised again by the thread that runs all steps
            running.error = error
        self._ended.put(running)

    def _build(self, running: _Running) -> float:
        step, progress = running.step, self._watch.begun(running.step)
        started = time.monotonic()

        def stoppable(done: float, total: float | None, unit: str) -> None:
            if self._stopping.is_set():
                raise _StoppedError
            progress(done, total, unit)

        running.elsewhere = self._carry_out(step, running.estimate, stoppable)
        return time.monotonic() - started

    def _next_ended(self) -> _Running:
        """The next step that ends."""
        while True:
            # An interruption that comes just before a wait does not end it: Python raises it after the wait.
            with suppress(Empty):
                return self._ended.get(timeout=ATTENTION_SECONDS)

    def _end(self, ended: _Running) -> None:
        self._note_peak()
        self._running.remove(ended)
        if ended.error is not None:
            raise ended.error
        step, seconds = ended.step, ended.seconds
        peak = ended.peak if ended.elsewhere is None else ended.elsewhere
        if seconds is not None:
            journal.note(self._home, step, seconds, peak)
        self._complete[step.name] = StepResult(
            name=step.name,
            title=step.title,
            built=seconds is not None,
            seconds=seconds or 0.0,
            peak_bytes=peak if seconds is not None else 0,
            rows=read_manifest(step.place(self._home)).rows,
        )
        self._watch.ended(self._complete[step.name])

    def _note_peak(self) -> None:
        """Between two calls the same steps run, and the peak belongs to each of them."""
        peak = peak_bytes()
        restart_peak()
        for running in self._running:
            running.peak = max(running.peak, peak)

    def _stop(self, seconds: float | None) -> None:
        """Wait until what still runs has stopped; no longer than so many ``seconds``, if given."""
        self._stopping.set()
        deadline = None if seconds is None else time.monotonic() + seconds
        while self._running:
            try:
                self._running.remove(self._ended.get(timeout=deadline and max(deadline - time.monotonic(), 0.0)))
            except Empty:
                return
