"""Plays on disk, in partitions of neighbouring users that each fit into memory."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

UNIT = 1 << 30
"""A whole play in the whole numbers that plays are summed in."""

PLAY = np.dtype([("units", "<i8"), ("user", "<i4"), ("item", "<i4"), ("seconds", "<u4"), ("plays", "<u4")])
"""A play, or the sum of several: what it weighs in 1/UNIT, who, what, when last, how often."""

_SATURATED = np.iinfo(np.uint32).max  # plays; below it a sum of units stays below 2⁶²
_MOST_PARTITIONS = 512  # with more, what is written to each at a time becomes too small
_BLOCK = 1 << 22  # plays that are sorted at a time; more gains nothing
_BYTES_A_PLAY = 150  # a play, its sorted copy, its key and its place in the order, and what they are summed into


def users_of_partitions(events: npt.NDArray[np.int64], *, memory_limit: int) -> npt.NDArray[np.uint16]:
    """Return the partition (users,), ascending, of every user, given how many ``events`` (users,) each has.

    A partition is as large as a quarter of ``memory_limit`` bytes can sort, or contains a single user.
    """
    room = max(block_size(memory_limit), -(-int(events.sum()) // _MOST_PARTITIONS))
    # The place of a user's middle event decides, so that a heavy user shares with few others.
    middle = np.cumsum(events) - (events + 1) // 2
    _, partitions = np.unique(middle // room, return_inverse=True)
    return np.asarray(partitions, dtype=np.uint16)


def block_size(memory_limit: int) -> int:
    """Return how many plays may be sorted at a time."""
    return min(_BLOCK, memory_limit // 4 // _BYTES_A_PLAY)


def memory_of(plays: int) -> int:
    """Return the ``memory_limit`` with which a partition has about so many plays, and a task sorts no more."""
    return 4 * _BYTES_A_PLAY * max(plays, 1)


class Partition:
    """One file of plays of neighbouring users; after `summarise`, of pairs of user and item, both ascending."""

    def __init__(self, path: Path, *, items: int, block: int) -> None:
        self.events = 0
        self._path = path
        self._items = items
        self._block = block

    def append(self, plays: npt.NDArray[Any]) -> None:
        """Add ``plays`` (n,) of dtype `PLAY` to the file."""
        # Opened anew each time, since a process may have only some thousand open files.
        with self._path.open("ab") as file:
            file.write(plays.data)
        self.events += len(plays)

    def summarise(self, *, min_plays: int, min_items: int, sources: Sequence[Path] = ()) -> None:
        """Replace the plays by one sum a pair, without rare pairs, and then without users of few items.

        sources  files of plays, in place of its own
        """
        pairs = np.empty(0, dtype=PLAY)
        for source in sources or (self._path,):
            with source.open("rb") as file:
                while content := file.read(self._block * PLAY.itemsize):
                    plays = np.frombuffer(content, dtype=PLAY)
                    pairs = summed(np.concatenate((pairs, plays)), items=self._items)
        if min_plays > 1:
            pairs = pairs[pairs["plays"] >= min_plays]
        if min_items > 1:
            _, position, degrees = np.unique(pairs["user"], return_inverse=True, return_counts=True)
            pairs = pairs[degrees[position] >= min_items]
        self._path.write_bytes(pairs.data)

    def pairs(self) -> npt.NDArray[Any]:
        """Return the pairs (n,) of dtype `PLAY` that `summarise` wrote."""
        return np.fromfile(self._path, dtype=PLAY)

    def listeners(self) -> npt.NDArray[np.int64]:
        """Return how many users of this partition have each item (items,), after `summarise`."""
        return np.bincount(self.pairs()["item"], minlength=self._items)


class Spool:
    """The partitions, and which user goes where: ``partition_of_user`` (users,) ascending."""

    def __init__(
        self, directory: Path, partition_of_user: npt.NDArray[np.uint16], *, items: int, memory_limit: int
    ) -> None:
        count = int(partition_of_user[-1]) + 1 if len(partition_of_user) else 0
        self._partition_of_user = partition_of_user
        self.partitions: Sequence[Partition] = [
            Partition(directory / f"{number}.plays", items=items, block=block_size(memory_limit))
            for number in range(count)
        ]

    def write(self, **columns: npt.NDArray[Any]) -> None:
        """Append each play to its partition; ``columns`` (n,) are the fields of `PLAY`."""
        plays = np.empty(len(columns["user"]), dtype=PLAY)
        for name, column in columns.items():
            plays[name] = column
        wanted = self._partition_of_user[plays["user"]]
        if len(self.partitions) > 1:
            # A stable sort of 16-bit numbers counts digits: linear in the plays.
            plays = plays[np.argsort(wanted, kind="stable")]
        ends = np.cumsum(np.bincount(wanted, minlength=len(self.partitions)))
        for partition, start, end in zip(self.partitions, (0, *ends[:-1]), ends, strict=True):
            if end > start:
                partition.append(plays[start:end])


def summed(plays: npt.NDArray[Any], *, items: int) -> npt.NDArray[Any]:
    """Return ``plays`` (n,) of dtype `PLAY` with one row a pair of user and item, both ascending."""
    if not len(plays):
        return plays
    keys = plays["user"].astype(np.int64) * items + plays["item"]
    order = np.argsort(keys)
    keys = keys[order]
    starts = np.flatnonzero(np.concatenate(([True], keys[1:] != keys[:-1])))
    plays = plays[order]
    pairs = plays[starts]
    counted = np.add.reduceat(plays["plays"], starts, dtype=np.int64)
    saturated = counted >= _SATURATED
    pairs["plays"] = np.minimum(counted, _SATURATED)
    pairs["units"] = np.where(saturated, _SATURATED * UNIT, np.add.reduceat(plays["units"], starts))
    pairs["seconds"] = np.maximum.reduceat(plays["seconds"], starts)
    return pairs
