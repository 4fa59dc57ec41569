"""Where and when steps run. A new runner is a file in this room and a line here."""

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from crossfade.core.home import Home
from crossfade.core.progress import Progress
from crossfade.pipeline.steps import Step

RUNNERS: Mapping[str, str] = {"local": "crossfade.pipeline.local:LocalRunner"}
"""The class of each runner, as "module:class"; imported only when it is used."""

Report = Callable[[Step], Progress]
"""Called once for each step that is built; gives what the step reports its progress to."""


@dataclass(frozen=True, kw_only=True)
class StepResult:
    """What a run did about one step.

    built       whether it was carried out; False for an artifact that was there already
    seconds     how long that took; 0 if it was not built
    peak_bytes  the most memory of the whole process meanwhile; 0 if it was not built
    rows        how many rows its artifact has, by table
    """

    name: str
    title: str
    built: bool
    seconds: float
    peak_bytes: int
    rows: Mapping[str, int]


class Runner(Protocol):
    """A place where steps are carried out."""

    def run(self, steps: Sequence[Step], home: Home, report: Report) -> list[StepResult]:
        """Complete ``steps``, of which each comes after those that it needs; one result a step, in the same order.

        A step whose artifact verifies is not carried out again. Raises the first error of a step as it was, and then
        begins no other; what was complete stays, so that the next run goes on from there.
        """


def open_runner(name: str, *, threads: int, memory_bytes: int) -> Runner:
    """Return the runner registered as ``name``, which keeps to these limits on this machine."""
    module, _, cls = RUNNERS[name].partition(":")
    runner: Runner = getattr(importlib.import_module(module), cls)(threads=threads, memory_bytes=memory_bytes)
    return runner
