"""Run the benchmarks one after the other, each in a process of its own, and keep what they find.

    python -m benchmarks                   # those that take minutes
    python -m benchmarks --full            # those that take hours too
    python -m benchmarks als retrieval     # only these
    python -m benchmarks --list            # what there is, and how long it takes
    python -m benchmarks guard FOLDER      # fail if records in FOLDER are worse than those that are committed
    python -m benchmarks report            # write docs/benchmarks.md and its plots from the records

A case writes benchmarks/results/<case>.json. Each can be run by itself, with sizes of your own:
python -m benchmarks.als --help.
"""

import argparse
import importlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from benchmarks.cases import CASES
from benchmarks.record import RESULTS

ROOT = Path(__file__).parents[1]
DATA = Path(os.environ.get("CROSSFADE_DATA", ROOT.parent / "shared" / "data"))


def main() -> None:
    """Run what was asked for; the exit code is 1 if a case failed."""
    if sys.argv[1:2] in (["guard"], ["report"]):
        importlib.import_module(f"benchmarks.{sys.argv[1]}").main(sys.argv[2:])
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", metavar="case", help=f"of {', '.join(CASES)}")
    parser.add_argument("--full", action="store_true", help="also the cases that take hours")
    parser.add_argument("--list", action="store_true", help="only say what there is")
    parser.add_argument("--results", type=Path, default=RESULTS, help="the folder that records are written to")
    parser.add_argument("--scratch", type=Path, help="where cases may write gigabytes (default: the system's)")
    parser.add_argument("--shared", type=Path, help="where large matrices are kept for other runs (default: nowhere)")
    chosen = parser.parse_args()
    if unknown := [name for name in chosen.cases if name not in CASES]:
        parser.error(f"there is no case {unknown[0]!r}; there are: {', '.join(CASES)}")
    names = chosen.cases or [name for name, case in CASES.items() if chosen.full or not case.full]
    if chosen.list:
        for name, case in CASES.items():
            print(f"{name:16} {case.minutes:6.1f} min{'  only with --full' if case.full else ''}")
        return
    with tempfile.TemporaryDirectory(dir=chosen.scratch) as place:
        shared = chosen.shared or Path(place)
        places = {"data": str(DATA), "shared": str(shared.resolve())}
        failed = [name for name in names if not run(name, chosen.results.resolve(), chosen.scratch, places)]
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


def run(name: str, results: Path, scratch: Path | None, places: Mapping[str, str]) -> bool:
    """Run one case; whether it could be."""
    case = CASES[name]
    print(f"== {name}, about {case.minutes:.0f} min: python -m benchmarks.{case.module} {case.arguments}", flush=True)
    if "{data}" in case.arguments and not DATA.is_dir():
        print(f"skipped: the data sets are not in {DATA}; set CROSSFADE_DATA", flush=True)
        return True
    started = time.perf_counter()
    with tempfile.TemporaryDirectory(dir=scratch) as own:
        module, *arguments = case.command(scratch=own, **places)
        command = [sys.executable, "-m", f"benchmarks.{module}", *arguments, "--output", str(results / f"{name}.json")]
        ended = subprocess.run(command, cwd=ROOT, check=False)
    print(f"== {name} took {(time.perf_counter() - started) / 60:.1f} min", flush=True)
    return ended.returncode == 0


if __name__ == "__main__":
    main()
