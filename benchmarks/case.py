"""What every case shares: its command line, the machine's limits, the table it prints and the record it writes.

A case is one file with

    def options(parser): ...            its sizes, each with a default
    def measure(chosen) -> Findings     the work, by `benchmarks.turns`
    if __name__ == "__main__":
        run_case(__doc__, options, measure)

and one line of registration in `benchmarks.cases`.
"""

import argparse
import shlex
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from benchmarks import machine
from benchmarks.record import RESULTS, Comparison, Record, Side, Value, ratios
from benchmarks.turns import pinned
from crossfade.core.version import __version__


@dataclass(frozen=True, kw_only=True)
class Findings:
    """What a case measured."""

    comparisons: Sequence[Comparison]
    versions: Mapping[str, str] = field(default_factory=dict)  # of the peers that took part
    skipped: Mapping[str, str] = field(default_factory=dict)  # peer: why it did not


Options = Callable[[argparse.ArgumentParser], None]
Measure = Callable[[argparse.Namespace], Findings]


def run_case(
    doc: str | None,
    options: Options,
    measure: Measure,
    *,
    threads: Sequence[int] = (2,),
    turns: int = 7,
    blas: int | None = None,
    arguments: Sequence[str] | None = None,
) -> Record:
    """Measure, print a table and write the record; ``threads`` and ``turns`` are the defaults of the command line.

    The process is held to as many processors as threads are asked for; ``blas`` caps a BLAS's own threads.
    A case that sets out the numbers of threads one after the other takes the processors of the highest.
    """
    module = measure.__module__
    called = Path(sys.argv[0]).stem if module == "__main__" else module.rpartition(".")[2]
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    options(parser)
    parser.add_argument("--threads", type=int, nargs="+", default=list(threads), help="of every side")
    parser.add_argument("--turns", type=int, default=turns, help="that count, after one that does not")
    parser.add_argument("--no-limits", action="store_true", help="do not measure what the machine can do at most")
    parser.add_argument("--output", type=Path, default=RESULTS / f"{called}.json")
    chosen = parser.parse_args(arguments)
    most = max(chosen.threads)
    with pinned(most, blas):
        described = machine.described(None if chosen.no_limits else most)
        print(machine.sentence(described), flush=True)
        findings = measure(chosen)
    record = Record(
        case=chosen.output.stem,
        command=_command(called, arguments),
        threads=chosen.threads,
        settings=_settings(chosen),
        machine=described,
        versions={"crossfade": __version__, "numpy": np.__version__, **findings.versions},
        comparisons=findings.comparisons,
        skipped=findings.skipped,
    )
    for line in printed(record):
        print(line)
    record.write(chosen.output)
    return record


def printed(record: Record) -> Iterable[str]:
    """The lines of a table for the terminal."""
    for peer, reason in record.skipped.items():
        yield f"without {peer}: {reason}"
    for comparison in record.comparisons:
        yield f"{comparison.name} ({comparison.unit})"
        ours = next((side for side in comparison.sides if side.kind == "ours" and len(side.turns)), None)
        for side in comparison.sides:
            yield "  " + "  ".join([f"{side.name:24}", *_told(side, ours)])


def _told(side: Side, ours: Side | None) -> Iterable[str]:
    if len(side.turns):
        yield f"{side.median:9.4g} s ({min(side.turns):.4g} to {max(side.turns):.4g})"
    if ours is not None and side.kind != "ours" and len(side.turns):
        found = ratios(ours, [side])
        yield f"ours is {np.median(found):.2f} x as fast ({found.min():.2f} to {found.max():.2f})"
    for name, figure in side.figures.items():
        if isinstance(figure, (int, float)):
            yield f"{name} {figure:,.4g}"
    for name, seconds in side.preparation.items():
        yield f"{name} {seconds:.3g} s"


def _settings(chosen: argparse.Namespace) -> dict[str, Value]:
    """What was chosen, without what says nothing to others: places on this machine, and how it was kept."""
    left_out = {"output", "threads", "no_limits"}
    return {
        name: [str(one) if isinstance(one, Path) else one for one in value] if isinstance(value, list) else value
        for name, value in vars(chosen).items()
        if name not in left_out and value is not None and not isinstance(value, Path)
    }


def _command(called: str, arguments: Sequence[str] | None) -> str:
    """The command that repeats it, with places on this machine as words in capitals."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    words = ["python", "-m", f"benchmarks.{called}"]
    option = ""
    for word in given:
        option = word if word.startswith("--") else option
        if option in ("--output", "--no-limits"):
            continue
        words.append(option.strip("-").upper() if "/" in word and not word.startswith("--") else word)
    return shlex.join(words)
