"""Ratings as a grid of blocks: which rows lie where, and what a block has to know of the other side.

The rows of each side are dealt out to blocks, and a block has all ratings of its rows, so users and items each have
the ratings once. A row with more ratings than a good part of a block would keep one machine busy while the others wait,
and need nearly every vector of the other side in one place. Such heavy rows have a block to themselves, after the
others, whose ratings are cut into cells of at most an average block's; it is solved from sums over its cells
(`crossfade.kernels.als.sums`). The other blocks are one cell, or one for each block of the other side.

    ratings of users          needed of items, by block
    block 0   one cell        0: vectors 3, 17, …   1: vectors 0, 4, …   …
    …
    heavy     cell, cell, …

A cell lists, for each block of the other side, the vectors that its ratings need; its ratings point into that list.
"""

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from crossfade.cluster.costs import HEAVY
from crossfade.core.csr import CSR, Starts, starts_of
from crossfade.kernels.transposing import transposed

GOLDEN = (math.sqrt(5) - 1) / 2

Positions = npt.NDArray[np.int32]
Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Placement:
    """Where each row of a side lies: block and position in it, computed from the number of the row.

    Rows are dealt out in the order of ``row · stride mod rows``, with a stride near the golden section: rows that
    follow each other, such as the newest users, come to different blocks, and blocks differ by one row at most.

    rows    of the side, one or more
    blocks  without the one of heavy rows, which has the number ``blocks``
    heavy   ascending rows; their places in the other blocks stay empty
    """

    rows: int
    blocks: int
    heavy: Rows

    @classmethod
    def of(cls, pairs: npt.NDArray[np.int64], blocks: int) -> Self:
        """Place rows with so many ``pairs`` (rows,) each."""
        least = max(HEAVY * int(pairs.sum()) / blocks, 2.0) if blocks > 1 else math.inf
        heavy: Rows = np.flatnonzero(pairs >= least)
        return cls(len(pairs), blocks, heavy)

    @cached_property
    def stride(self) -> int:
        """Coprime with the number of rows, so that every row has a place of its own."""
        near = max(int(self.rows * GOLDEN), 1)
        return next(stride for stride in itertools.count(near) if math.gcd(stride, self.rows) == 1)

    @cached_property
    def starts(self) -> Starts:
        """(blocks + 2,) where each block begins, if they follow each other; the heavy one last."""
        lengths = [len(range(block, self.rows, self.blocks)) for block in range(self.blocks)]
        return starts_of([*lengths, len(self.heavy)])

    def size(self, block: int) -> int:
        """How many rows ``block`` has, with places that heavy ones left empty."""
        return int(self.starts[block + 1] - self.starts[block])

    def places(self, rows: npt.NDArray[np.integer]) -> tuple[Positions, Positions]:
        """Return the blocks and the positions (n,) of ``rows`` (n,)."""
        dealt = rows.astype(np.int64) * self.stride % self.rows
        blocks, positions = (dealt % self.blocks).astype(np.int32), (dealt // self.blocks).astype(np.int32)
        if len(self.heavy):
            found = np.searchsorted(self.heavy, rows)
            among = self.heavy[np.minimum(found, len(self.heavy) - 1)] == rows
            blocks[among], positions[among] = self.blocks, found[among]
        return blocks, positions

    def rows_of(self, block: int) -> Rows:
        """Return the rows of ``block`` by position, with those that are heavy and lie elsewhere."""
        if block == self.blocks:
            return self.heavy
        back = pow(self.stride, -1, self.rows)
        rows: Rows = np.arange(block, self.rows, self.blocks, dtype=np.int64) * back % self.rows
        return rows

    def empty(self, block: int) -> Positions:
        """Return the positions in ``block`` that heavy rows left empty."""
        if block == self.blocks:
            return np.zeros(0, dtype=np.int32)
        dealt = self.heavy * self.stride % self.rows
        positions: Positions = (dealt[dealt % self.blocks == block] // self.blocks).astype(np.int32)
        return positions


class Ratings(NamedTuple):
    """Ratings on their way to a block.

    positions  (n,) of their rows in the block
    others     (n,) rows of the other side
    weights    (n,) float32
    """

    positions: Positions
    others: npt.NDArray[np.int32]
    weights: npt.NDArray[np.float32]


def dealt(
    placement: Placement,
    rows: npt.NDArray[np.integer],
    others: npt.NDArray[np.integer],
    weights: npt.NDArray[np.float32],
) -> tuple[Starts, Ratings]:
    """Sort n ratings by the block of their rows; return where those of each block begin (blocks + 2,), and all."""
    blocks, positions = placement.places(rows)
    order = np.argsort(blocks.astype(np.uint16) if placement.blocks < 1 << 16 else blocks, kind="stable")
    starts = starts_of(np.bincount(blocks, minlength=placement.blocks + 1))
    return starts, Ratings(positions[order], others.astype(np.int32)[order], weights[order])


_ARRAYS: Mapping[str, Any] = {
    **dict.fromkeys(("pairs", "starts", "at"), np.int64),
    **dict.fromkeys(("rows", "lengths", "indices", "needed"), np.int32),
    "weights": np.float32,
}
"""The arrays of a `Block` and their types, the widest first, so that each begins at a multiple of its own width."""


class Cell(NamedTuple):
    """Some ratings of the rows of a block.

    rows     (r,) ascending positions of the rows that have ratings here
    ratings  r rows; indices point into ``needed``
    needed   positions of vectors, those of each block of the other side together
    starts   (blocks + 2,) where each block of the other side begins in ``needed``
    """

    rows: Positions
    ratings: CSR
    needed: Positions
    starts: Starts

    def of_all(self, rows: int) -> CSR:
        """The ratings as a matrix of all ``rows`` of the block."""
        lengths = np.zeros(rows, dtype=np.int64)
        lengths[self.rows] = np.diff(self.ratings.indptr)
        return self.ratings._replace(indptr=starts_of(lengths))


@dataclass(frozen=True, eq=False)
class Block:
    """The ratings of a block of rows, in cells.

    pairs    (n,) how many ratings each row has
    rows, lengths, indices, weights, needed, starts   those of all cells, one after the other
    at       (cells + 1, 3) where each cell begins in rows and lengths, in indices and weights, in needed
    """

    pairs: npt.NDArray[np.int64]
    rows: Positions
    lengths: npt.NDArray[np.int32]
    indices: npt.NDArray[np.int32]
    weights: npt.NDArray[np.float32]
    needed: Positions
    starts: Starts
    at: npt.NDArray[np.int64]

    @classmethod
    def of(cls, size: int, others: Placement, parts: Sequence[Ratings], *, cells: int | None) -> Self:
        """Put together what came for a block of ``size`` rows.

        cells  into how many cells of equal size the ratings are cut; None for a cell for each block of the other side
        """
        positions, other_rows, weights = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
        blocks, other_positions = others.places(other_rows)
        numbers = others.starts[blocks] + other_positions
        order = np.argsort(numbers, kind="stable")
        numbers, positions, weights = numbers[order], positions[order], weights[order]
        if cells is None:
            bounds = np.searchsorted(numbers, others.starts)
        else:
            bounds = np.arange(cells + 1) * len(numbers) // cells
        made = [
            _cell(size, others.starts, numbers[first:last], positions[first:last], weights[first:last])
            for first, last in pairwise(bounds.tolist())
        ]
        return cls._of_cells(np.bincount(positions, minlength=size), made)

    @classmethod
    def _of_cells(cls, pairs: npt.NDArray[np.int64], cells: Sequence[Cell]) -> Self:
        def joined(arrays: Iterable[npt.NDArray[Any]], dtype: Any) -> Any:
            return np.concatenate([np.zeros(0, dtype), *arrays]).astype(dtype, copy=False)

        lengths = [(len(cell.rows), len(cell.ratings.indices), len(cell.needed)) for cell in cells]
        return cls(
            pairs=pairs,
            rows=joined((cell.rows for cell in cells), np.int32),
            lengths=joined((np.diff(cell.ratings.indptr) for cell in cells), np.int32),
            indices=joined((cell.ratings.indices for cell in cells), np.int32),
            weights=joined((cell.ratings.values for cell in cells), np.float32),
            needed=joined((cell.needed for cell in cells), np.int32),
            starts=joined((cell.starts for cell in cells), np.int64),
            at=np.cumsum([(0, 0, 0), *lengths], axis=0),
        )

    def only(self, cell: int) -> "Block":
        """Return the block with one of its cells."""
        return self._of_cells(self.pairs, [self.cell(cell)])

    def counts(self) -> "Block":
        """Return the block without cells: how many ratings each row has."""
        return self._of_cells(self.pairs, [])

    def packed(self) -> npt.NDArray[np.uint8]:
        """Return all of it as one buffer, for a file or a message."""
        arrays = [np.ascontiguousarray(getattr(self, name), dtype=dtype) for name, dtype in _ARRAYS.items()]
        lengths = np.array([array.size for array in arrays], dtype=np.int64)
        return np.concatenate([part.reshape(-1).view(np.uint8) for part in (lengths, *arrays)])

    @classmethod
    def unpacked(cls, buffer: npt.NDArray[np.uint8]) -> Self:
        """Return the block in a buffer of `packed`, whose memory it shares."""
        at = np.dtype(np.int64).itemsize * len(_ARRAYS)
        arrays = {}
        for (name, dtype), length in zip(_ARRAYS.items(), buffer[:at].view(np.int64).tolist(), strict=True):
            end = at + length * np.dtype(dtype).itemsize
            arrays[name], at = buffer[at:end].view(dtype), end
        return cls(**{**arrays, "at": arrays["at"].reshape(-1, 3)})

    @property
    def cells(self) -> int:
        """How many cells there are."""
        return len(self.at) - 1

    def cell(self, number: int) -> Cell:
        """Return one of the cells."""
        (row, entry, need), (row_end, entry_end, need_end) = self.at[number : number + 2].tolist()
        width = len(self.starts) // self.cells
        indptr = starts_of(self.lengths[row:row_end])
        return Cell(
            self.rows[row:row_end],
            CSR(indptr, self.indices[entry:entry_end], self.weights[entry:entry_end]),
            self.needed[need:need_end],
            self.starts[number * width : (number + 1) * width],
        )


def _cell(
    size: int,
    starts: Starts,
    numbers: npt.NDArray[np.int64],
    positions: Positions,
    weights: npt.NDArray[np.float32],
) -> Cell:
    """Make a cell of ratings that are sorted by ``numbers``, which count the other side block after block."""
    needed, counts = np.unique(numbers, return_counts=True)
    ratings = transposed(CSR(starts_of(counts), positions, weights), size)
    rows = np.flatnonzero(np.diff(ratings.indptr)).astype(np.int32)
    begins = np.searchsorted(needed, starts)
    of_blocks = needed - np.repeat(starts[:-1], np.diff(begins))
    of_rows = ratings._replace(indptr=starts_of(np.diff(ratings.indptr)[rows]))
    return Cell(rows, of_rows, of_blocks.astype(np.int32), begins)
