"""Half-steps of Spark executors that see no shared folder, and exchange vectors through Spark's shuffle.

Three RDDs of a side stay where they are from half-step to half-step: its blocks of ratings, the cells of ratings whose
sums are sent on, and the routes, which say of each block of the other side to which blocks and cells which of its
vectors go. A half-step is

    vectors ∪ routes → messages, by block → blocks ∪ old vectors ∪ messages → new vectors
                     → messages, by cell  → cells ∪ messages → sums, by block ┘

RDDs that are united are partitioned by the same function, so that only messages and sums travel. A message is one
array: the vectors that a block or a cell needs of a block of the other side. The driver keeps the states, as it keeps
them of the other exchange (`crossfade.cluster.als_work`).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from crossfade.cluster.als_work import KEPT_STATES, Moved, Turn, Work, complete_state, in_pieces, write_block
from crossfade.cluster.engine import LocalEngine
from crossfade.cluster.grid import Block, Cell, Positions, Ratings, dealt
from crossfade.cluster.solving import Gather, HalfStep
from crossfade.core.interactions import Interactions
from crossfade.core.replacing import make_directory, remove
from crossfade.kernels.lanes import Floats
from crossfade.models.als_objective import scaled_weights

if TYPE_CHECKING:
    from crossfade.cluster.spark import SparkEngine

PAIRS_AT_A_TIME = 1 << 22
"""Ratings that the driver sends in one piece."""

LINEAGE = 10
"""After so many half-steps vectors come from the driver again, so that Spark never has to repeat more than these."""

Vectors = npt.NDArray[np.float32]


class Part(NamedTuple):
    """Ratings of the users from ``first`` on."""

    first: int
    indptr: npt.NDArray[np.int64]
    items: npt.NDArray[np.int32]
    weights: npt.NDArray[np.float32]


class Route(NamedTuple):
    """Where vectors of a block go: to a cell of a block, or to the task of a cell by itself (``alone``)."""

    alone: bool
    place: int
    cell: int
    positions: Positions


class Message(NamedTuple):
    """Vectors of block ``source`` for a cell."""

    cell: int
    source: int
    vectors: Vectors


class Sent(NamedTuple):
    """What a cell adds to the equations of the rows of its block, and how many bytes of vectors that took."""

    rows: Positions
    sums: Floats
    gathered: int


class Old(NamedTuple):
    """The old vectors of a block."""

    vectors: Vectors


class Placed(NamedTuple):
    """The RDDs of a side; ``cells`` is None where no sums are sent."""

    blocks: Any
    cells: Any
    routes: Any


@dataclass(frozen=True, eq=False)
class Shuffle:
    """Exchanges messages of the executors of ``engine``; implements `Exchange`."""

    work: Work
    engine: "SparkEngine"
    near: LocalEngine = field(default_factory=LocalEngine)
    _placed: list[Placed] = field(default_factory=list)
    _solved: dict[int, Any] = field(default_factory=dict)

    def place(self, interactions: Interactions) -> None:
        """As `Exchange.place`; the driver sends them, each time."""
        work = self.work
        pieces = max(self.engine.slots, -(-interactions.pairs // PAIRS_AT_A_TIME))
        parts = self.engine.context.parallelize(
            [_part(work, interactions, *ends) for ends in pairwise(in_pieces(interactions, pieces))], pieces
        )
        for side in range(2):
            blocks = parts.flatMap(partial(_deal, work, side)).partitionBy(self._blocks(side), number_itself)
            whole = _kept(blocks.mapPartitionsWithIndex(partial(_assemble, work, side), preservesPartitioning=True))
            cells = None
            if work.sent(side):
                tasks = len(work.sent(side))
                cells = _kept(whole.flatMap(partial(_cells, work, side)).partitionBy(tasks, number_itself))
            routes = whole.flatMap(partial(_routes, work, side)).partitionBy(self._blocks(1 - side), number_itself)
            solved = _kept(whole.map(partial(_without_sent, work, side), preservesPartitioning=True))
            self._placed.append(Placed(solved, cells, _kept(routes)))
            for rdd in (rdd for rdd in self._placed[-1] if rdd is not None):
                self.engine.collected(rdd.mapPartitions(_counted), rdd.getNumPartitions())
            whole.unpersist()

    def half_step(self, turn: Turn) -> Moved:
        """As `Exchange.half_step`."""
        work, placed, how = self.work, self._placed[turn.side], self.work.half_step(turn)
        going = self._of(turn.fixed).union(placed.routes)
        blocks = self._blocks(turn.side)
        messages = going.mapPartitions(partial(_send, False)).partitionBy(blocks, number_itself)
        together = placed.blocks.union(self._of(turn.own).mapValues(Old)).union(messages)
        if placed.cells is not None:
            tasks = placed.cells.getNumPartitions()
            arrived = placed.cells.union(going.mapPartitions(partial(_send, True)).partitionBy(tasks, number_itself))
            sums = arrived.mapPartitions(partial(_add_up, work, turn.side, how))
            together = together.union(sums.partitionBy(blocks, number_itself))
        solve = partial(_solve, work, turn.side, how)
        solved = _kept(together.mapPartitionsWithIndex(solve, preservesPartitioning=True))
        state = work.state(turn.made)
        remove(state)
        make_directory(state)
        done = dict(self.engine.collected(solved, blocks))
        new = {block: work.laid_out(vectors) for block, (vectors, _) in done.items()}
        complete_state(work, turn.made, [write_block(work, turn.made, *one) for one in sorted(new.items())])
        if turn.made % LINEAGE:
            self._solved[turn.made] = solved
        for old in [state for state in self._solved if state <= turn.own]:
            self._solved.pop(old).unpersist()
        remove(work.state(turn.made - KEPT_STATES))
        return Moved(*map(sum, zip(*(moved for _, moved in done.values()), strict=True)))

    def end(self) -> None:
        """As `Exchange.end`."""
        for rdd in (*(rdd for placed in self._placed for rdd in placed), *self._solved.values()):
            if rdd is not None:
                rdd.unpersist()

    def _blocks(self, side: int) -> int:
        """The partitions of a side, with one for heavy rows."""
        return self.work.cuts[side].blocks + 1

    def _of(self, state: int) -> Any:
        """The vectors of a state, by block."""
        if state not in self._solved:
            side, nothing = state % 2, Moved(0, 0)
            blocks = [(block, (np.array(self.work.vectors(state, block)), nothing)) for block in self.work.blocks(side)]
            sent = self.engine.context.parallelize(blocks, len(blocks))
            self._solved[state] = _kept(sent.partitionBy(self._blocks(side), number_itself))
        return self._solved[state].mapValues(_vectors_of)


def number_itself(number: int) -> int:
    """Return the partition of a block or a task: RDDs are partitioned alike if they have this very function."""
    return number


def _kept(rdd: Any) -> Any:
    from pyspark import StorageLevel

    return rdd.persist(StorageLevel.MEMORY_AND_DISK)


def _part(work: Work, interactions: Interactions, first: int, last: int) -> Part:
    pairs = slice(int(interactions.indptr[first]), int(interactions.indptr[last]))
    weights = scaled_weights(work.settings, np.array(interactions.weights[pairs]))
    indptr = np.array(interactions.indptr[first : last + 1]) - pairs.start
    return Part(first, indptr, np.array(interactions.indices[pairs]), weights)


def _deal(work: Work, side: int, part: Part) -> Iterator[tuple[int, Ratings]]:
    """The ratings of a part by block of users (``side`` 0) or items (1)."""
    users = np.repeat(np.arange(len(part.indptr) - 1, dtype=np.int32) + np.int32(part.first), np.diff(part.indptr))
    rows, others = (part.items, users) if side else (users, part.items)
    starts, ratings = dealt(work.placements[side], rows, others, part.weights)
    for block in np.flatnonzero(np.diff(starts)).tolist():
        here = slice(starts[block], starts[block + 1])
        yield block, Ratings(ratings.positions[here], ratings.others[here], ratings.weights[here])


def _assemble(
    work: Work, side: int, number: int, came: Iterable[tuple[int, Ratings]]
) -> Iterator[tuple[int, npt.NDArray[np.uint8]]]:
    """The block of a partition."""
    if number in work.blocks(side):
        nothing = Ratings(np.zeros(0, np.int32), np.zeros(0, np.int32), np.zeros(0, np.float32))
        parts = [nothing, *(ratings for _, ratings in came)]
        size, others = work.placements[side].size(number), work.placements[1 - side]
        yield number, Block.of(size, others, parts, cells=work.cells(side, number)).packed()


def _without_sent(
    work: Work, side: int, numbered: tuple[int, npt.NDArray[np.uint8]]
) -> tuple[int, npt.NDArray[np.uint8]]:
    """A block; of one whose ratings are in cells of their own only how many ratings each row has."""
    number, packed = numbered
    return number, packed if number < work.at_once(side) else Block.unpacked(packed).counts().packed()


def _cells(
    work: Work, side: int, numbered: tuple[int, npt.NDArray[np.uint8]]
) -> Iterator[tuple[int, npt.NDArray[np.uint8]]]:
    """The cells of a block that are tasks of their own."""
    number, packed = numbered
    block = Block.unpacked(packed)
    for task, (of_block, cell) in enumerate(work.sent(side)):
        if of_block == number:
            yield task, block.only(cell).packed()


def _routes(work: Work, side: int, numbered: tuple[int, npt.NDArray[np.uint8]]) -> Iterator[tuple[int, Route]]:
    """Which vectors of each block of the other side go to the cells of a block."""
    number, packed = numbered
    block, tasks = Block.unpacked(packed), {sent: task for task, sent in enumerate(work.sent(side))}
    for cell in range(block.cells):
        task = tasks.get((number, cell))
        needed = block.cell(cell)
        for source in np.flatnonzero(np.diff(needed.starts)).tolist():
            positions = needed.needed[needed.starts[source] : needed.starts[source + 1]].copy()
            yield source, Route(True, task, 0, positions) if task is not None else Route(False, number, cell, positions)


def _counted(elements: Iterable[Any]) -> Iterator[int]:
    yield sum(1 for _ in elements)


def _send(alone: bool, elements: Iterable[tuple[int, Any]]) -> Iterator[tuple[int, Message]]:
    """The messages of a block; its vectors come first, and its routes after them."""
    vectors = np.zeros((0, 0), np.float32)
    for source, element in elements:
        if not isinstance(element, Route):
            vectors = element
        elif element.alone == alone:
            yield element.place, Message(element.cell, source, np.take(vectors, element.positions, axis=0))


def _gather(messages: dict[int, Vectors]) -> Gather:
    def gather(source: int, positions: Positions) -> Vectors:
        return messages[source]

    return gather


def _add_up(work: Work, side: int, how: HalfStep, elements: Iterable[tuple[int, Any]]) -> Iterator[tuple[int, Sent]]:
    """The sums of the cell of a partition."""
    cells: list[tuple[int, Cell]] = []
    messages: dict[int, Vectors] = {}
    for task, element in elements:
        if isinstance(element, Message):
            messages[element.source] = element.vectors
        else:
            cells.append((task, Block.unpacked(element).cell(0)))
    for task, cell in cells:
        if len(cell.rows):
            gathered = sum(vectors.nbytes for vectors in messages.values())
            yield work.sent(side)[task][0], Sent(cell.rows, how.sums(cell, _gather(messages)), gathered)


def _solve(
    work: Work, side: int, how: HalfStep, number: int, elements: Iterable[tuple[int, Any]]
) -> Iterator[tuple[int, tuple[Vectors, Moved]]]:
    """The new vectors of the block of a partition: its ratings and old vectors come first, and messages after them."""
    arriving = (element for _, element in elements)
    packed = next(arriving, None)
    if packed is None:
        return
    block, start = Block.unpacked(packed), work.laid_out(next(arriving).vectors)
    vectors = sums = 0

    def messages() -> Iterator[Message]:
        nonlocal vectors
        for message in arriving:
            vectors += message.vectors.nbytes
            yield message

    def parts() -> Iterator[tuple[Positions, Floats]]:
        nonlocal vectors, sums
        for sent in arriving:
            vectors, sums = vectors + sent.gathered, sums + sent.sums.nbytes
            yield sent.rows, sent.sums

    if number >= work.at_once(side):
        solved = how.added_up(block, parts(), start)
    elif work.cuts[side].scheme == "half":
        solved = how.at_once(block, _gather({one.source: one.vectors for one in messages()}), start)
    else:
        solved = how.streamed(block, ((one.cell, _gather({one.source: one.vectors})) for one in messages()), start)
    yield number, (np.ascontiguousarray(solved[:, : work.settings.columns]), Moved(vectors, sums))


def _vectors_of(solved: tuple[Vectors, Moved]) -> Vectors:
    return solved[0]
