"""How much memory several processes take that serve from one index file.

    python -m benchmarks.shared_memory                        4 processes, clusters, graph and forest of 100,000 items
    python -m benchmarks.shared_memory --processes 8 --backends clusters

Each process opens the saved space and index, answers queries for all over the catalogue, and waits. Then the system
is asked what it holds (Linux, /proc/PID/smaps): a page that n processes map counts as 1/n in the proportional size
(PSS) of each, so that the sum over processes is what they take together. "file" is what belongs to the files of space
and index, "own" all else: the interpreter, its libraries, what the index keeps beside its file, and machine code.
"""

import argparse
import contextlib
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.case import Findings, run_case
from benchmarks.peers import present
from benchmarks.record import Comparison, Side
from crossfade.core.ids import Ids
from crossfade.core.spaces import VectorSpace
from crossfade.nearest.backends import build_index, load_index
from crossfade.nearest.contract import Index, IndexSettings

MIB = 1 << 20
KIB = 1 << 10
LIBRARIES = {"graph": "usearch", "forest": "annoy"}
QUERIES = 2_000
SEED = 0


@dataclass(frozen=True)
class Memory:
    """What a process holds, in bytes: of files below a directory, and of everything."""

    file_resident: int
    file_share: int
    resident: int
    share: int


def memory_of(process: int, directory: Path) -> Memory:
    """What the system says of ``process``; OSError where it does not tell."""
    sums = {"Rss": [0, 0], "Pss": [0, 0]}
    inside = False
    for line in Path(f"/proc/{process}/smaps").read_text().splitlines():
        name, _, rest = line.partition(":")
        if name in sums:
            size = int(rest.split()[0]) * KIB
            sums[name][0] += size * inside
            sums[name][1] += size
        elif "-" in line.split(" ", 1)[0]:
            inside = str(directory.resolve()) in line
    return Memory(sums["Rss"][0], sums["Pss"][0], sums["Rss"][1], sums["Pss"][1])


@contextlib.contextmanager
def serving(directory: Path, processes: int, backend: str) -> Iterator[list[int]]:
    """So many processes that have the index in ``directory`` open and have used it; their numbers."""
    command = [sys.executable, "-m", "benchmarks.shared_memory", "--serve", str(directory), "--backends", backend]
    started = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(processes)
    ]
    try:
        for one in started:
            if one.stdout is None or one.stdout.readline().strip() != "ready":
                raise RuntimeError(f"a process could not serve the index in {directory}")
        yield [one.pid for one in started]
    finally:
        for one in started:
            one.communicate()


def serve(directory: Path, backend: str) -> None:
    """Open the space and the index, ask all over the catalogue, and wait for the end of the input."""
    _index = asked(directory, backend)
    print("ready", flush=True)
    sys.stdin.read()


def asked(directory: Path, backend: str) -> Index:
    """The saved index, after questions from all over the catalogue."""
    space = VectorSpace.load(directory / "space")
    index = load_index(directory / backend, space)
    rows = np.random.default_rng(SEED).integers(len(space.item_ids), size=QUERIES)
    index.search(np.ascontiguousarray(space.points[rows]), 20, threads=1)
    return index


def saved(directory: Path, items: int, factors: int, backends: list[str]) -> None:
    """A space and its indexes. Where the vectors stand does not matter for memory, so they are drawn."""
    rng = np.random.default_rng(SEED)
    centres = rng.standard_normal((max(1, items // 500), factors))
    vectors = centres[rng.integers(len(centres), size=items)] + 0.4 * rng.standard_normal((items, factors))
    space = VectorSpace(
        model="drawn",
        kind="artist",
        metric="dot",
        item_ids=Ids.of(f"{row:09}" for row in range(items)),
        item_vectors=vectors.astype(np.float32),
    )
    (directory / "space").mkdir()
    space.save(directory / "space")
    for backend in backends:
        (directory / backend).mkdir()
        build_index(space, "cosine", IndexSettings(backend=backend)).save(directory / backend)


def held(directory: Path, processes: int, backend: str) -> Side:
    """What so many processes hold together."""
    with serving(directory, processes, backend) as numbers:
        found = [memory_of(number, directory) for number in numbers]
    files = sum(path.stat().st_size for path in (directory / backend).iterdir())
    file_share, share = sum(one.file_share for one in found), sum(one.share for one in found)
    figures = {
        "processes": processes,
        "index_mib": files / MIB,
        "file_resident_mib_each": float(np.mean([one.file_resident for one in found])) / MIB,
        "file_mib_together": file_share / MIB,
        "own_mib_each": (share - file_share) / MIB / processes,
        "together_mib": share / MIB,
    }
    shown = ", ".join(f"{name} {figure:,.1f}" for name, figure in figures.items())
    print(f"{backend}: {shown}", flush=True)
    return Side(name=f"{processes} process{'es' * (processes > 1)}", figures=figures)


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--factors", type=int, default=64)
    parser.add_argument("--processes", type=int, default=4)
    parser.add_argument("--backends", nargs="+", choices=["exact", "clusters", "graph", "forest"])
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)


def measure(chosen: argparse.Namespace) -> Findings:
    """One comparison for each backend, of one process and of several."""
    wanted = chosen.backends or ["clusters", "graph", "forest"]
    versions, skipped = present([LIBRARIES[backend] for backend in wanted if backend in LIBRARIES])
    backends = [backend for backend in wanted if LIBRARIES.get(backend) not in skipped]
    with tempfile.TemporaryDirectory() as scratch:
        directory = Path(scratch)
        saved(directory, chosen.items, chosen.factors, backends)
        comparisons = [
            Comparison(
                name=f"{backend}, {chosen.items:,} items",
                unit="processes that serve",
                what={"items": chosen.items, "factors": chosen.factors, "backend": backend},
                sides=[held(directory, count, backend) for count in sorted({1, chosen.processes})],
            )
            for backend in backends
        ]
    return Findings(comparisons=comparisons, versions=versions, skipped=skipped)


def main() -> None:
    parser = argparse.ArgumentParser(add_help=False)
    options(parser)
    chosen, _ = parser.parse_known_args()
    if chosen.serve:
        serve(chosen.serve, chosen.backends[0])
    else:
        run_case(__doc__, options, measure, turns=1)


if __name__ == "__main__":
    main()
