"""Work measured in a process of its own, so that its peak of memory is its own and nothing is warm.

The case calls ``measured("benchmarks.imports", "decode-lines", FILE)``; the process that this starts runs that
module with ``--measure decode-lines FILE``, which calls `report` with the work.
"""

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.record import Kind, Side, Value

ROOT = Path(__file__).parents[1]
FLAG = "--measure"


@dataclass(frozen=True)
class Measured:
    """What one process took for its work, imports of modules not counted."""

    seconds: float
    processor: float  # seconds of all its threads
    peak_gib: float
    figures: Mapping[str, Value]  # what the work gave back


def asked() -> list[str] | None:
    """The words after ``--measure`` if this process was started by `measured`, else None."""
    return sys.argv[2:] if sys.argv[1:2] == [FLAG] else None


def report(work: Callable[[], Mapping[str, Value] | None]) -> None:
    """Do ``work`` and print what it took, for `measured` to read; figures that it gives back go along."""
    started, busy = time.perf_counter(), time.process_time()
    figures = work() or {}
    taken = {"seconds": time.perf_counter() - started, "processor": time.process_time() - busy}
    print(json.dumps({**taken, "peak_gib": peak_gib(), "figures": dict(figures)}))


def measured(module: str, *arguments: str) -> Measured:
    """What ``module`` reports, run in a new process; CalledProcessError if it fails (it says why on the terminal)."""
    said = subprocess.run(
        [sys.executable, "-m", module, FLAG, *arguments], check=True, stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    return Measured(**json.loads(said.stdout.splitlines()[-1]))


def measured_in_turns(works: Mapping[str, Sequence[str]], turns: int) -> dict[str, list[Measured]]:
    """Every work (its words for `measured`), turn by turn; every turn begins with another one."""
    taken: dict[str, list[Measured]] = {name: [] for name in works}
    names = list(works)
    for turn in range(turns):
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            taken[name].append(measured(*works[name]))
    return taken


def side(name: str, kind: Kind, taken: Sequence[Measured], figures: Mapping[str, Value] | None = None) -> Side:
    """The side of a comparison that took this, with its highest peak of memory."""
    return Side(
        name=name,
        kind=kind,
        turns=[one.seconds for one in taken],
        processor=[one.processor for one in taken],
        figures={**(figures or {}), **taken[-1].figures, "peak_gib": max(one.peak_gib for one in taken)},
    )


def peak_gib() -> float:
    """GiB that this process held at most; unlike getrusage's, it knows nothing of the process that began it."""
    try:
        found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    except OSError:
        found = None
    return int(found.group(1)) / 2**20 if found else float("nan")
