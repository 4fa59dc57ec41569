"""Alternating least squares as a mapper and a reducer, over a grid of ratings.

A rating of user u and item i is in cell (u mod K, i mod L) of a grid of K × L. To solve a side, the mapper of cell
(k, l) has block l of the vectors that are held fixed in its memory, and sends on what the ratings of its cell add to
the equations of each of its rows: f (f + 3) / 2 numbers. The reducer adds up those of a row, then G + λI, and solves.
Then the sides change places. This is what `crossfade.cluster.costs` calls the scheme "full".

Nothing is sent row by row: a record has the rows of one chunk of a block, so that a reducer holds one chunk at a time.
Records are sorted by block, chunk and the block they come from, so sums are added up in the same order each time.

Sloane, "Machine learning & big data at Spotify", Madison Big Data Meetup 2015.
"""

import itertools
import json
import struct
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt

from crossfade.cluster.sequence_files import Record
from crossfade.core.arrays import load_array
from crossfade.core.csr import CSR, starts_of
from crossfade.kernels.als.half_step import FixedSide, Solver, add_to_sums, half_step_of_sums
from crossfade.kernels.als.sums import length_of
from crossfade.kernels.lanes import Floats, aligned, padded
from crossfade.models.als_objective import Objective

Rows = npt.NDArray[np.int32]

CHUNK_BYTES = 4 << 20
"""Bytes that the sums of a chunk of rows take at most, so that a record fits Hadoop's buffers."""

CELL = struct.Struct(">ii")
"""The key of a cell: the block of its rows, and that of the other side."""

CHUNK = struct.Struct(">iii")
"""The key of sums: the block of rows, the chunk in it, and the block of the fixed side that they are from."""


@dataclass(frozen=True, kw_only=True)
class HalfStep:
    """What the tasks of a half-iteration need besides vectors.

    solver, frozen    as in `FixedSide`
    factors           columns of vectors that are not padding
    others            rows of the fixed side
    steps, tolerance  of conjugate gradients
    """

    objective: Objective
    solver: Solver
    frozen: int
    factors: int
    others: int
    steps: int
    tolerance: float

    @property
    def chunk_rows(self) -> int:
        """Rows of a block that are solved together."""
        return max(1, CHUNK_BYTES // (4 * length_of(self.factors)))

    def save(self, directory: Path, fixed: FixedSide) -> None:
        """Write it into ``directory``, with all of ``fixed`` but its vectors."""
        (directory / "half_step.json").write_text(json.dumps(asdict(self)) + "\n", encoding="utf-8")
        np.save(directory / "gram.npy", fixed.gram, allow_pickle=False)
        if fixed.turn is not None:
            np.save(directory / "turn.npy", fixed.turn, allow_pickle=False)

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Read what `save` wrote."""
        described = json.loads((directory / "half_step.json").read_text(encoding="utf-8"))
        return cls(**{**described, "objective": Objective(**described["objective"])})

    def fixed(self, directory: Path) -> FixedSide:
        """Read the fixed side that `save` wrote, without its vectors."""
        gram = load_array(directory / "gram.npy", dtype=np.float64, ndim=2)
        turn = directory / "turn.npy"
        turning = load_array(turn, dtype=np.float64, ndim=2) if turn.exists() else None
        return FixedSide(self.solver, aligned(0, padded(self.factors)), gram, turning, None, self.frozen)


class Cell(NamedTuple):
    """The ratings of a cell of the grid, or of some of its rows.

    rows     (n,) those with ratings, by their place in their block, ascending
    ratings  (n rows) of places in the block of the other side
    """

    rows: Rows
    ratings: CSR

    def packed(self) -> bytes:
        """Return it as the value of a record."""
        sizes = np.array([len(self.rows), len(self.ratings.indices)], dtype=np.int64)
        return b"".join(array.tobytes() for array in (sizes, self.ratings.indptr, self.rows, *self.ratings[1:]))

    @classmethod
    def unpacked(cls, value: bytes) -> Self:
        """Read what `packed` returned, without copying."""
        rows, entries = map(int, np.frombuffer(value, np.int64, 2))
        indptr = np.frombuffer(value, np.int64, rows + 1, 16)
        numbers, weights = 16 + indptr.nbytes, 16 + indptr.nbytes + 4 * (rows + entries)
        places = np.frombuffer(value, np.int32, rows + entries, numbers)
        return cls(places[:rows], CSR(indptr, places[rows:], np.frombuffer(value, np.float32, entries, weights)))

    def chunks(self, size: int) -> Iterator[tuple[int, Self]]:
        """Yield the part of each chunk of ``size`` rows of the block in which there are ratings."""
        of_chunk = self.rows // size
        bounds = np.flatnonzero(np.diff(of_chunk, prepend=-1, append=-1))
        for first, last in itertools.pairwise(bounds.tolist()):
            part = slice(int(self.ratings.indptr[first]), int(self.ratings.indptr[last]))
            starts = self.ratings.indptr[first : last + 1] - self.ratings.indptr[first]
            ratings = CSR(starts, self.ratings.indices[part], self.ratings.values[part])
            yield int(of_chunk[first]), type(self)(self.rows[first:last], ratings)


def cells_of(ratings: CSR, blocks: int, fixed_blocks: int) -> Iterator[tuple[int, int, Cell]]:
    """Yield the block of rows, the block of the other side and the ratings of each cell that has any."""
    for block in range(blocks):
        mine = ratings.take(np.arange(block, ratings.rows, blocks))
        rows = np.repeat(np.arange(mine.rows, dtype=np.int32), np.diff(mine.indptr))
        places, sources = np.divmod(mine.indices, np.int32(fixed_blocks))
        order = np.argsort(sources, kind="stable")
        bounds = np.searchsorted(sources[order], np.arange(fixed_blocks + 1)).tolist()
        for source, (first, last) in enumerate(itertools.pairwise(bounds)):
            if first < last:
                taken = order[first:last]
                there, lengths = np.unique(rows[taken], return_counts=True)
                yield block, source, Cell(there, CSR(starts_of(lengths), places[taken], mine.values[taken]))


def map_cells(records: Iterable[Record], cache: Path) -> Iterator[Record]:
    """Yield what the ratings of each cell add to the equations of its rows, chunk by chunk.

    A value has the rows of the chunk (n,), how many ratings each has (n,), and their sums (n, f (f + 3) / 2).
    """
    step = HalfStep.load(cache)
    objective = step.objective
    for key, value in records:
        block, source = CELL.unpack(key)
        vectors = load_array(cache / f"fixed-{source}.npy", dtype=np.float32, ndim=2)
        for chunk, (rows, ratings) in Cell.unpacked(value).chunks(step.chunk_rows):
            sums = aligned(len(rows), length_of(step.factors))
            add_to_sums(ratings, vectors, sums, factors=step.factors, alpha=objective.alpha, counted=objective.counted)
            lengths = np.diff(ratings.indptr).astype(np.int32)
            yield CHUNK.pack(block, chunk, source), rows.tobytes() + lengths.tobytes() + sums.tobytes()


def reduce_sums(records: Iterable[Record], cache: Path) -> Iterator[Record]:
    """Yield the new vectors of each chunk: the value has the rows (n,) that have ratings, and vectors (n, f)."""
    step = HalfStep.load(cache)
    fixed = step.fixed(cache)
    for (block, chunk), parts in itertools.groupby(records, key=lambda record: CHUNK.unpack(record[0])[:2]):
        before = load_array(cache / f"rows-{block}.npy", dtype=np.float32, ndim=2)
        first = chunk * step.chunk_rows
        solved = aligned(len(before[first : first + step.chunk_rows]), before.shape[1])
        solved[:] = before[first : first + len(solved)]
        sums, lengths = aligned(len(solved), length_of(step.factors)), np.zeros(len(solved), dtype=np.int64)
        for _, value in parts:
            count = len(value) // (4 * (2 + sums.shape[1]))
            rows, added = np.frombuffer(value, np.int32, 2 * count).reshape(2, count)
            rows = rows - first
            lengths[rows] += added
            sums[rows] += np.frombuffer(value, np.float32, offset=8 * count).reshape(count, -1)
        known = np.flatnonzero(lengths)
        half_step_of_sums(
            sums,
            fixed,
            solved,
            penalties=step.objective.penalties(lengths, step.others),
            factors=step.factors,
            steps=step.steps,
            tolerance=step.tolerance,
        )
        rows = (known + first).astype(np.int32)
        yield CHUNK.pack(block, chunk, 0), rows.tobytes() + solved[known, : step.factors].tobytes()


def vectors_in(record: Record, step: HalfStep) -> tuple[int, Rows, Floats]:
    """Return the block, the rows (n,) in it and the vectors (n, f) of a record of `reduce_sums`."""
    key, value = record
    count = len(value) // (4 * (1 + step.factors))
    vectors = np.frombuffer(value, np.float32, offset=4 * count).reshape(count, step.factors)
    return CHUNK.unpack(key)[0], np.frombuffer(value, np.int32, count), vectors
