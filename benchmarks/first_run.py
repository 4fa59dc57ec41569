"""How long a whole run takes as a process of its own, the first time on a machine and once kernels are compiled.

    python -m benchmarks.first_run --data ../shared/data/hetrec-lastfm
    python -m benchmarks.first_run                                      # the demo world instead

A first run has an empty directory for compiled code; the warm one reads what that left, in a home of its own. Both
import, or simulate, what they run on. Processor time is that of the process and of those that it started.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.case import Findings, run_case
from benchmarks.record import Comparison, Side


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, help="what to import; default: the demo world")


def measure(chosen: argparse.Namespace) -> Findings:
    """One comparison: first runs against warm ones."""
    taken: dict[str, list[tuple[float, float]]] = {"first": [], "warm": []}
    steps: dict[str, dict[str, float]] = {}
    for _ in range(chosen.turns):
        with tempfile.TemporaryDirectory() as kept:
            for name, turns in taken.items():
                with tempfile.TemporaryDirectory() as home:
                    turns.append(whole_run(chosen.data, Path(home), kept))
                    steps[name] = seconds_of_steps(Path(home))
    sides = [
        Side(
            name=name,
            kind="ours",
            turns=[wall for wall, _ in turns],
            processor=[processor for _, processor in turns],
            figures={"processor": turns[-1][1], **steps[name]},
        )
        for name, turns in taken.items()
    ]
    name = "demo" if chosen.data is None else chosen.data.name
    return Findings(comparisons=[Comparison(name=name, unit="a whole run", what={}, sides=sides)])


def whole_run(data: Path | None, home: Path, kept: str) -> tuple[float, float]:
    """Seconds of the wall and of processors for ``crossfade demo``, or for ``import`` and ``run``."""
    commands = [["demo"]] if data is None else [["import", str(data.resolve())], ["run"]]
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    for command in commands:
        subprocess.run(
            [sys.executable, "-m", "crossfade", *command, "--home", str(home)],
            env={**os.environ, "NUMBA_CACHE_DIR": kept},
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.perf_counter() - started, processor


def seconds_of_steps(home: Path) -> dict[str, float]:
    """What each step of the run took, by its name."""
    from crossfade.core.home import Home
    from crossfade.pipeline.journal import latest

    return {took.step: round(took.seconds, 2) for took in latest(Home(home)).values()}


if __name__ == "__main__":
    run_case(__doc__, options, measure, turns=1)
