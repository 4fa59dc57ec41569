"""Timing in turns: every side does its work once a round, so that what else the machine does hits all alike."""

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

from threadpoolctl import threadpool_limits

from benchmarks.record import Kind, Side, Value

Built = TypeVar("Built")


@dataclass(frozen=True)
class Taken:
    """What a side took, in seconds: the first call, which is not counted, then turn by turn."""

    warm_up: float
    seconds: tuple[float, ...]
    processor: tuple[float, ...]

    def side(
        self,
        name: str,
        kind: Kind = "ours",
        preparation: Mapping[str, float] | None = None,
        figures: Mapping[str, Value] | None = None,
    ) -> Side:
        """The side of a comparison that took this; the warm-up stands last among its preparations."""
        return Side(
            name=name,
            kind=kind,
            turns=self.seconds,
            processor=self.processor,
            preparation={**(preparation or {}), "warm-up": self.warm_up},
            figures=figures or {},
        )


@dataclass(frozen=True)
class Elsewhere:
    """What a work gives back if it was done in another process: the processor seconds spent there."""

    processor: float


def take_turns(works: Mapping[str, Callable[[], object]], turns: int) -> dict[str, Taken]:
    """Call every work once to warm up, then ``turns`` rounds of one call each.

    Every round begins with another side, so that none always follows the same one. ``turns`` >= 1.
    """
    if turns < 1:
        raise ValueError(f"{turns} turns measure nothing")
    warm_up = {name: _timed(work)[0] for name, work in works.items()}
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in works}
    names = list(works)
    for turn in range(turns):
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            taken[name].append(_timed(works[name]))
    return {
        name: Taken(warm_up[name], tuple(wall for wall, _ in pairs), tuple(busy for _, busy in pairs))
        for name, pairs in taken.items()
    }


def timed(build: Callable[[], Built]) -> tuple[Built, float]:
    """What ``build`` makes, and the seconds that took."""
    started = time.perf_counter()
    built = build()
    return built, time.perf_counter() - started


@contextlib.contextmanager
def pinned(threads: int, blas: int | None = None) -> Iterator[None]:
    """Within, this process and what it starts has ``threads`` processors, where the system can hold it to them.

    Libraries' own pools get as many threads, those of a BLAS ``blas`` where that is said: threads of a BLAS inside
    the threads of a solver that calls it would only fight.
    """
    allowed = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()
    if len(allowed) > threads:
        os.sched_setaffinity(0, sorted(allowed)[:threads])
    try:
        with threadpool_limits(threads), threadpool_limits(blas or threads, user_api="blas"):
            yield
    finally:
        if len(allowed) > threads:
            os.sched_setaffinity(0, allowed)


def _timed(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds on the clock and of all threads, of this process unless the work says otherwise."""
    started, busy = time.perf_counter(), time.process_time()
    done = work()
    taken = time.perf_counter() - started
    return taken, done.processor if isinstance(done, Elsewhere) else time.process_time() - busy
