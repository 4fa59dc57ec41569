"""Where and when steps run. A new runner is a file in this room and a line here."""

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from crossfade.core.home import Home
from crossfade.core.progress import Progress, silent
from crossfade.pipeline.steps import Step
from crossfade.stores.contract import Version

RUNNERS: Mapping[str, str] = {
    "hadoop": "crossfade.pipeline.hadoop:HadoopRunner",
    "local": "crossfade.pipeline.local:LocalRunner",
    "spark": "crossfade.pipeline.spark:SparkRunner",
}
"""The class of each runner, as "module:class"; imported only when it is used."""


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


def _ignore(event: object) -> None:
    """Do nothing about it."""


@dataclass(frozen=True, kw_only=True)
class Watch:
    """What is told about a run, by any of its threads; by default nobody.

    planned    called once, with all steps that the release is made of, before the first one
    begun      called for each step that is built; gives what the step reports its progress to
    ended      called when a step is complete, built or not; again if the runner is asked for it again
    published  called when pages are published before the other models are fitted
    compiling  called with True when the run begins to wait for kernels that are compiled, with False when it goes on
    """

    planned: Callable[[Sequence[Step]], None] = _ignore
    begun: Callable[[Step], Progress] = lambda step: silent
    ended: Callable[[StepResult], None] = _ignore
    published: Callable[[Version], None] = _ignore
    compiling: Callable[[bool], None] = _ignore


UNWATCHED = Watch()
"""Nobody is told."""


class Runner(Protocol):
    """A place where steps are carried out."""

    def run(self, steps: Sequence[Step], home: Home, watch: Watch) -> list[StepResult]:
        """Complete ``steps``, of which each comes after those that it needs; one result a step, in the same order.

        A step whose artifact verifies is not carried out again. Raises the first error of a step as it was, and then
        begins no other; what was complete stays, so that the next run goes on from there.
        """


def open_runner(
    name: str, section: Callable[[str], Any] = lambda table: None, *, threads: int, memory_bytes: int
) -> Runner:
    """Return the runner registered as ``name``, which keeps to these limits on this machine.

    section  gives the settings of a table; a runner that has one names it as ``table``
    """
    module, _, cls = RUNNERS[name].partition(":")
    made = getattr(importlib.import_module(module), cls)
    own = {"settings": section(made.table)} if hasattr(made, "table") else {}
    runner: Runner = made(threads=threads, memory_bytes=memory_bytes, **own)
    return runner
