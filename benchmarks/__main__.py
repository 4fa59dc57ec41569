"""Run the benchmarks one after the other, each in a process of its own, and keep what they print.

    python -m benchmarks                   # all, some fifteen minutes on two processors
    python -m benchmarks als retrieval     # only these

What a case prints goes to the terminal and to benchmarks/results/<case>.txt. Each can be run by itself, with sizes of
your own: python -m benchmarks.als --help.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks import machine

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).parent / "results"
DATA = Path(os.environ.get("CROSSFADE_DATA", ROOT.parent / "shared" / "data"))

CASES = {
    "als": ["als", "--factors", "40", "64", "128", "--solver", "cg"],
    "als-cholesky": [*("als", "--factors", "64", "--solver", "cholesky", "--repeats", "3"), "--output", os.devnull],
    "retrieval": ["retrieval"],
    "imports": ["imports", "--megabytes", "300", "--rows", "3000000"],
    "interactions": ["interactions", "--listens", "10000000", "--directory", "{scratch}"],
    "quality": ["quality", "--data", str(DATA / "hetrec-lastfm")],
}


def main() -> None:
    """Run what was asked for; the exit code is 1 if a case failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", metavar="case", help=f"of {', '.join(CASES)}")
    chosen = parser.parse_args().cases or list(CASES)
    if unknown := [case for case in chosen if case not in CASES]:
        parser.error(f"there is no case {unknown[0]!r}; there are: {', '.join(CASES)}")
    RESULTS.mkdir(exist_ok=True)
    failed = [case for case in chosen if not run(case)]
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


def run(case: str) -> bool:
    """Run one case; whether it could be."""
    if case == "quality" and not DATA.is_dir():
        print(f"== {case}: skipped, the data sets are not in {DATA}; set CROSSFADE_DATA", flush=True)
        return True
    with tempfile.TemporaryDirectory() as scratch, (RESULTS / f"{case}.txt").open("w") as kept:
        module, *arguments = [argument.replace("{scratch}", scratch) for argument in CASES[case]]
        command = [sys.executable, "-m", f"benchmarks.{module}", *arguments]
        title = f"== {case} on {machine.named()}, {os.cpu_count()} processors"
        said = " ".join(CASES[case]).replace(str(DATA), "DATA").replace("{scratch}", "SCRATCH")
        for line in (title, f"python -m benchmarks.{said}"):
            print(line, flush=True)
            print(line, file=kept, flush=True)
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as running:
            for line in running.stdout or ():
                print(line, end="", flush=True)
                kept.write(line)
        return running.returncode == 0


if __name__ == "__main__":
    main()
