"""Half-steps of machines that see one shared folder, through which they exchange vectors as files.

    FOLDER/ratings/users-00003.npy   a block of ratings (`crossfade.cluster.grid`), made once and then only read

A task reads the vectors that its ratings need, memory-mapped, from the files of the state before, and writes its own
beside their place and renames them. So it may run again, or twice at a time.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from crossfade.cluster.als_work import (
    KEPT_STATES,
    SIDES,
    STATES,
    Moved,
    Turn,
    Work,
    Wrote,
    complete_state,
    in_pieces,
    verified,
    write_array,
    write_block,
    write_manifest,
)
from crossfade.cluster.copies import local_copy
from crossfade.cluster.engine import Engine
from crossfade.cluster.grid import Block, Positions, Ratings, dealt
from crossfade.core.arrays import load_array
from crossfade.core.interactions import Interactions
from crossfade.core.replacing import make_directory, remove
from crossfade.kernels.lanes import Floats
from crossfade.models.als_objective import scaled_weights

PAIRS_AT_A_TIME = 1 << 24
"""Ratings that a task holds while they are dealt out to blocks."""

RATINGS, DEALT, SUMS = "ratings", "dealt", "sums"


@dataclass(frozen=True)
class Files:
    """Exchanges files on a folder that all machines of ``near`` see; implements `Exchange`."""

    work: Work
    near: Engine

    def place(self, interactions: Interactions) -> None:
        """As `Exchange.place`."""
        work, blocks = self.work, [(side, block) for side in range(2) for block in self.work.blocks(side)]
        names, ratings = [ratings_at(work, *block).name for block in blocks], work.folder / RATINGS
        if verified(work, self.near, ratings, names):
            return
        slices = max(4 * self.near.slots, -(-interactions.pairs // PAIRS_AT_A_TIME))
        for place in (DEALT, RATINGS, STATES):
            remove(work.folder / place)
            make_directory(work.folder / place)
        self.near.each(partial(_deal, work, in_pieces(interactions, slices)), slices)
        digests = self.near.each(partial(_assemble, work, blocks, slices), len(blocks))
        write_manifest(work, ratings, dict(zip(names, digests, strict=True)))
        remove(work.folder / DEALT)

    def half_step(self, turn: Turn) -> Moved:
        """As `Exchange.half_step`."""
        work, sent = self.work, self.work.sent(turn.side)
        place, at_once = work.state(turn.made), work.at_once(turn.side)
        remove(place)
        make_directory(place / SUMS)
        added_up = sorted({block for block, _ in sent})
        first = self.near.each(partial(_first_stage, work, turn), at_once + len(sent), cached=SIDES[turn.side])
        second = self.near.each(partial(_second_stage, work, turn, added_up), len(added_up)) if sent else []
        done = [*first, *second]
        complete_state(work, turn.made, [wrote for wrote, _ in done if wrote is not None])
        remove(place / SUMS)
        remove(work.state(turn.made - KEPT_STATES))
        return Moved(*map(sum, zip(*(moved for _, moved in done), strict=True)))

    def end(self) -> None:
        """As `Exchange.end`: nothing, since copies are told apart, and removed when they are not used."""


def ratings_at(work: Work, side: int, block: int) -> Path:
    """Return where a block of ratings is."""
    return work.folder / RATINGS / f"{SIDES[side]}-{block:05}.npy"


def block_of(work: Work, side: int, block: int) -> Block:
    """Return a block of ratings, from this machine's copy."""
    return _block_at(ratings_at(work, side, block), f"{work.fingerprint}-{side}-{block}")


@lru_cache(maxsize=64)
def _block_at(path: Path, name: str) -> Block:
    return Block.unpacked(load_array(local_copy(path, name), dtype=np.uint8, ndim=1))


def _first_stage(work: Work, turn: Turn, task: int) -> tuple[Wrote | None, Moved]:
    """Solve a block, or write the sums of a cell."""
    how, gather = work.half_step(turn), _Gathering(work, turn.fixed)
    if task < work.at_once(turn.side):
        block = block_of(work, turn.side, task)
        start = work.laid_out(work.vectors(turn.own, task))
        if work.cuts[turn.side].scheme == "half":
            solved = how.at_once(block, gather, start)
        else:
            solved = how.streamed(block, ((cell, gather) for cell in range(block.cells)), start)
        return write_block(work, turn.made, task, solved), Moved(gather.moved, 0)
    block_number, cell_number = work.sent(turn.side)[task - work.at_once(turn.side)]
    cell = block_of(work, turn.side, block_number).cell(cell_number)
    if len(cell.rows):
        write_array(_sums_at(work, turn, block_number, cell_number), how.sums(cell, gather), lasting=False)
    return None, Moved(gather.moved, 0)


def _second_stage(work: Work, turn: Turn, blocks: Sequence[int], task: int) -> tuple[Wrote, Moved]:
    """Solve a block from the sums of its cells."""
    number = blocks[task]
    block, moved = block_of(work, turn.side, number), 0

    def parts() -> Iterator[tuple[Positions, Floats]]:
        nonlocal moved
        for cell in range(block.cells):
            if len(rows := block.cell(cell).rows):
                sums = load_array(_sums_at(work, turn, number, cell), dtype=np.float32, ndim=2)
                moved += sums.nbytes
                yield rows, sums

    solved = work.half_step(turn).added_up(block, parts(), work.laid_out(work.vectors(turn.own, number)))
    return write_block(work, turn.made, number, solved), Moved(0, moved)


class _Gathering:
    """Takes vectors out of the files of a state, and counts their bytes."""

    def __init__(self, work: Work, state: int) -> None:
        self._work, self._state = work, state
        self.moved = 0

    def __call__(self, block: int, positions: Positions) -> npt.NDArray[np.float32]:
        vectors = self._work.vectors(self._state, block)
        gathered: npt.NDArray[np.float32] = np.take(vectors, positions, axis=0)
        self.moved += gathered.nbytes
        return gathered


def _sums_at(work: Work, turn: Turn, block: int, cell: int) -> Path:
    return work.state(turn.made) / SUMS / f"{block:05}-{cell:05}.npy"


def _deal(work: Work, users: Sequence[int], task: int) -> None:
    """Sort the ratings of some users by block, once by that of the user and once by that of the item."""
    first, last = users[task : task + 2]
    interactions = Interactions.load(work.source, kind=work.kind)
    part = slice(int(interactions.indptr[first]), int(interactions.indptr[last]))
    of_users = np.repeat(np.arange(first, last, dtype=np.int32), np.diff(interactions.indptr[first : last + 1]))
    of_items = np.asarray(interactions.indices[part])
    weights = scaled_weights(work.settings, np.asarray(interactions.weights[part]))
    for side, (rows, others) in enumerate(((of_users, of_items), (of_items, of_users))):
        starts, ratings = dealt(work.placements[side], rows, others, weights)
        for name, array in {"starts": starts, **ratings._asdict()}.items():
            write_array(work.folder / DEALT / f"{SIDES[side]}-{task:05}-{name}.npy", array, lasting=False)


def _assemble(work: Work, blocks: Sequence[tuple[int, int]], slices: int, task: int) -> str:
    """Make a block of what all slices have for it, and return its digest."""
    side, number = blocks[task]
    parts = []
    for piece in range(slices):
        place = work.folder / DEALT / f"{SIDES[side]}-{piece:05}"
        first, last = load_array(Path(f"{place}-starts.npy"), dtype=np.int64, ndim=1)[number : number + 2].tolist()
        of_block = slice(first, last)
        positions, others = (
            load_array(Path(f"{place}-{name}.npy"), dtype=np.int32, ndim=1)[of_block]
            for name in ("positions", "others")
        )
        weights = load_array(Path(f"{place}-weights.npy"), dtype=np.float32, ndim=1)[of_block]
        parts.append(Ratings(positions, others, weights))
    own, other = work.placements[side], work.placements[1 - side]
    block = Block.of(own.size(number), other, parts, cells=work.cells(side, number))
    return write_array(ratings_at(work, side, number), block.packed())
