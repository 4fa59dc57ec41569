"""Connected components of a graph on many machines, by Hash-to-Min.

Each vertex v has a set C_v, at first itself and its neighbours. In a round it sends C_v to its least member, and the
least member to all of C_v; what a vertex receives is its next C_v. It ends when no vertex above the least member of
its set has another member: then the least vertex of each component has all of it, and each other vertex the least one.
A path takes a logarithmic number of rounds, of at most some 4 (V + E) messages each, if its labels are in random order:
vertices are labelled by a hash first. In the order of the path, messages would be quadratic.

A message is a pair of labels in one number of 64 bits. A task sorts the pairs it sends and writes them as a run. The
next round merges all runs: tasks take ranges of the sorted order with about as many pairs each, in pieces that fit
into memory. A range may begin within the set of a vertex, whose least member is then looked up in the runs. So a
component with most of the graph, whose least vertex receives all of it, takes neither more memory than others nor one
machine alone.

A round that is complete is there for good: the next run of the same graph goes on from it.

Rastogi, Machanavajjhala, Chitnis & Das Sarma, "Finding connected components in map-reduce in logarithmic rounds",
ICDE 2013.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from crossfade.cluster.engine import Engine
from crossfade.core.arrays import GrowingArray, load_array
from crossfade.core.artifacts import translated_storage_errors
from crossfade.core.csr import starts_of
from crossfade.core.errors import InputError
from crossfade.core.progress import Progress, silent
from crossfade.core.replacing import draft_beside, make_directory, remove
from crossfade.kernels.components import HALF, LOW, Pairs, heads, labels_of, numbers_of, paired, pass_on

PIECE = 1 << 22
"""Pairs that a task holds in memory at a time; twice as many are sent from them. Some 200 MB with sorting."""

MOST_VERTICES = 1 << 32

LEFT, RIGHT = "left.npy", "right.npy"
"""The two ends of each edge, below the directory of a graph: (edges,) uint32 each."""

ROUND = "round.json"


class Run(NamedTuple):
    """Sorted pairs, in the file ``name`` of the workspace from ``start`` to ``end``."""

    name: str
    start: int
    end: int


@dataclass(frozen=True)
class Round:
    """What a round has sent.

    number     from 0, which sends the edges
    runs       what was sent
    pairs      members that all sets had together before it; it sent twice as many, before equal ones were joined
    unsettled  of these members, the others than the least in the sets of vertices above the least
    """

    number: int
    runs: list[Run]
    pairs: int
    unsettled: int


def connected_components(
    engine: Engine,
    edges: Path,
    vertices: int,
    *,
    workspace: Path,
    progress: Progress = silent,
    ended: Callable[[Round], None] = lambda round_: None,
) -> npt.NDArray[np.uint32]:
    """Return the component of each vertex (vertices,): the smallest number of a vertex in it.

    edges      a directory on the shared folder with `LEFT` and `RIGHT`; an edge may stand there twice or in both
               directions, and join a vertex to itself
    vertices   how many there are, at most 2³²; they are the numbers from 0
    workspace  a directory on the shared folder for this graph alone; removed in the end
    ended      is told of each round

    Raises InputError for an edge to a vertex that is not there.
    """
    left, right = (load_array(edges / name, dtype=np.uint32, ndim=1) for name in (LEFT, RIGHT))
    if vertices > MOST_VERTICES or len(left) != len(right):
        raise InputError(f"{edges}: {vertices} vertices, {len(left)} and {len(right)} ends: more or fewer than can be")
    make_directory(workspace)
    done = _last_round(workspace)
    if done is None:
        bounds = _shares(len(left), max(engine.slots, -(-len(left) // PIECE)))
        send = _SendEdges(edges, workspace, vertices, tuple(bounds))
        done = _complete(workspace, 0, engine.each(send, len(bounds) - 1))
        ended(done)
    while done.unsettled:
        rounds = _Tasks(workspace, tuple(done.runs), *_divided(workspace, done.runs, engine.slots), done.number + 1)
        done = _complete(workspace, done.number + 1, engine.each(_PassOn(rounds), rounds.count))
        progress(done.number, None, "rounds")
        ended(done)
    least = np.arange(vertices, dtype=np.uint32)
    if done.runs:
        last = _Tasks(workspace, tuple(done.runs), *_divided(workspace, done.runs, engine.slots), done.number + 1)
        for name, count in engine.each(_Heads(last), last.count):
            found = load_array(workspace / name, dtype=np.uint64, ndim=1)[:count]
            least[numbers_of((found >> HALF).astype(np.uint32))] = numbers_of((found & LOW).astype(np.uint32))
    # Of several values for one place the last is kept: that of the smallest vertex.
    smallest = np.empty(vertices, dtype=np.uint32)
    smallest[least[::-1]] = np.arange(vertices, dtype=np.uint32)[::-1]
    remove(workspace)
    return smallest[least]


class Sent(NamedTuple):
    """What a task has done: its file, the lengths of the runs there, and of the sets of its range what `Round` says."""

    name: str
    lengths: list[int]
    pairs: int
    unsettled: int


@dataclass(frozen=True)
class _SendEdges:
    """Sends both ends of each edge to both, for a range of edges."""

    edges: Path
    workspace: Path
    vertices: int
    bounds: tuple[int, ...]

    def __call__(self, number: int) -> Sent:
        first, last = self.bounds[number : number + 2]
        return _written(self.workspace, f"0-{number}.npy", self._pieces(first, last))

    def _pieces(self, first: int, last: int) -> Iterator[tuple[Pairs, int, int]]:
        ends = [load_array(self.edges / name, dtype=np.uint32, ndim=1) for name in (LEFT, RIGHT)]
        for start in range(first, last, PIECE // 2):
            part = slice(start, min(start + PIECE // 2, last))
            if any(one[part].max() >= self.vertices for one in ends):
                raise InputError(f"{self.edges}: an edge to a vertex that is not below {self.vertices}")
            left, right = (labels_of(one[part]) for one in ends)
            both = [paired(one, other) for one in (left, right) for other in (left, right)]
            # Every edge is still to be looked at.
            yield np.concatenate(both), 2 * len(left), len(left)


@dataclass(frozen=True)
class _Tasks:
    """The work of a round: what was sent in ``runs``, in pieces of which task n has those from tasks[n] on."""

    workspace: Path
    runs: tuple[Run, ...]
    cuts: tuple[int, ...]
    tasks: tuple[int, ...]
    number: int

    @property
    def count(self) -> int:
        """How many tasks."""
        return len(self.tasks) - 1

    def pieces(self, task: int) -> Iterator[tuple[Pairs, np.uint64]]:
        """Sorted pairs, no two equal, and the least member of the first vertex."""
        runs = [*_opened(self.workspace, self.runs)]
        cuts = np.array(self.cuts, dtype=np.uint64)
        for piece in range(*self.tasks[task : task + 2]):
            first, last = (np.uint64(cut) for cut in cuts[piece : piece + 2])
            pairs = _distinct(np.concatenate([run[slice(*_places(run, first, last))] for run in runs]))
            if len(pairs):
                lowest = (pairs[0] >> HALF) << HALF
                places = [int(np.searchsorted(run, lowest)) for run in runs]
                least = min(run[place] for run, place in zip(runs, places, strict=True) if place < len(run)) & LOW
                yield pairs, least


@dataclass(frozen=True)
class _PassOn:
    """Sends what the sets of a range say."""

    tasks: _Tasks

    def __call__(self, number: int) -> Sent:
        return _written(self.tasks.workspace, f"{self.tasks.number}-{number}.npy", self._pieces(number))

    def _pieces(self, number: int) -> Iterator[tuple[Pairs, int, int]]:
        for pairs, least in self.tasks.pieces(number):
            sent = np.empty(2 * len(pairs), dtype=np.uint64)
            unsettled = int(pass_on(pairs, least, sent))
            yield sent, len(pairs), unsettled


@dataclass(frozen=True)
class _Heads:
    """Writes the least member of each vertex of a range."""

    tasks: _Tasks

    def __call__(self, number: int) -> tuple[str, int]:
        sent = _written(self.tasks.workspace, f"heads-{number}.npy", self._pieces(number))
        return sent.name, sum(sent.lengths)

    def _pieces(self, number: int) -> Iterator[tuple[Pairs, int, int]]:
        for pairs, least in self.tasks.pieces(number):
            found = np.empty(len(pairs), dtype=np.uint64)
            yield found[: heads(pairs, least, found)], len(pairs), 0


def _written(workspace: Path, name: str, pieces: Iterator[tuple[Pairs, int, int]]) -> Sent:
    """Write each piece as a run of the file ``name``, in one step, which may happen several times at once."""
    place, lengths, members, open_ = workspace / name, [], 0, 0
    draft = draft_beside(place)
    with translated_storage_errors(place):
        try:
            with GrowingArray(draft, np.uint64) as file:
                for pairs, count, unsettled in pieces:
                    run = _distinct(pairs)
                    file.append(run)
                    lengths.append(len(run))
                    members, open_ = members + count, open_ + unsettled
            draft.rename(place)
        except BaseException:
            remove(draft)
            raise
    return Sent(name, lengths, members, open_)


def _complete(workspace: Path, number: int, sent: list[Sent]) -> Round:
    """Keep what all tasks of a round have sent, and remove what they read."""
    runs = []
    for one in sent:
        starts = starts_of(one.lengths).tolist()
        runs += [Run(one.name, *bounds) for bounds in pairwise(starts)]
    done = Round(number, runs, sum(one.pairs for one in sent), sum(one.unsettled for one in sent))
    draft = draft_beside(workspace / ROUND)
    draft.write_text(json.dumps(asdict(done)), encoding="utf-8")
    draft.rename(workspace / ROUND)
    names = {run.name for run in runs} | {ROUND}
    for path in workspace.iterdir():
        if path.name not in names and not path.name.startswith("."):
            path.unlink(missing_ok=True)
    return done


def _last_round(workspace: Path) -> Round | None:
    """The last round that is complete in ``workspace``, if any."""
    place = workspace / ROUND
    if not place.exists():
        return None
    fields = json.loads(place.read_text(encoding="utf-8"))
    return Round(**{**fields, "runs": [Run(*run) for run in fields["runs"]]})


def _opened(workspace: Path, runs: tuple[Run, ...] | list[Run]) -> Iterator[Pairs]:
    """The runs, memory-mapped."""
    files: dict[str, Pairs] = {}
    for name, start, end in runs:
        if name not in files:
            files[name] = load_array(workspace / name, dtype=np.uint64, ndim=1)
        yield files[name][start:end]


def _divided(workspace: Path, runs: list[Run], slots: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Between which pairs the pieces of a round lie, and between which pieces its tasks.

    Every so many pairs of each run are looked at, so a piece is off by at most that number for each run.
    """
    total = sum(run.end - run.start for run in runs)
    size = max(min(PIECE, -(-total // slots)), 1)
    every = max(size // (4 * len(runs)), 1)
    seen = np.sort(np.concatenate([run[every - 1 :: every] for run in _opened(workspace, runs)]))
    inner = np.unique(seen[:: max(size * 3 // 4 // every, 1)][1:])
    cuts = (0, *inner.tolist(), (1 << 64) - 1)
    return cuts, tuple(_shares(len(cuts) - 1, slots))


def _places(run: Pairs, first: np.uint64, last: np.uint64) -> tuple[int, int]:
    """Where the pairs from ``first`` to below ``last`` are in a run; the greatest of all pairs is below nothing."""
    end = len(run) if last == np.uint64((1 << 64) - 1) else int(np.searchsorted(run, last))
    return int(np.searchsorted(run, first)), end


def _distinct(pairs: Pairs) -> Pairs:
    """The pairs, sorted, without those that are equal to others; sorts ``pairs`` in place."""
    pairs.sort()
    return pairs[np.concatenate(([True], pairs[1:] != pairs[:-1]))] if len(pairs) else pairs


def _shares(whole: int, parts: int) -> list[int]:
    """The bounds of at most so many parts of equal size."""
    bounds: list[int] = np.unique(np.arange(parts + 1) * whole // parts).tolist()
    return bounds if len(bounds) > 1 else [0, 0]
