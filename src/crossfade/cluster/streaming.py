"""The tasks of streaming jobs on Hadoop: ``python -m crossfade.cluster.streaming TASK``.

Hadoop starts a task as a process, writes records to its standard input and reads records from its standard output. As
"rawbytes", key and value of a record are each a length of four bytes, big-endian, and so many bytes. What all tasks
need is in the directory ``cache`` beside them, which the distributed cache brought to each machine; they memory-map it.

A task that fails is started again by Hadoop. An error that would come again each time, such as another version of
Crossfade on a machine, is instead sent on as a record under the key `FAILED`, which the driver raises.
"""

import json
import os
import pickle
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from crossfade.cluster.mapreduce_als import map_cells, reduce_sums
from crossfade.cluster.sequence_files import Record
from crossfade.core.errors import CrossfadeError, NotReadyError
from crossfade.core.version import __version__

CACHE = "cache"
"""The directory of the distributed cache, below that of the task."""

EXPECTED = "CROSSFADE_EXPECTED"
"""The environment variable with the versions that the driver has: of Crossfade and of Python."""

FAILED = b"\xff" * 12
"""The key of a record that has the message of an error."""

Task = Callable[[Iterable[Record], Path], Iterator[Record]]

WORK = "work.pickle"
"""The file of the cache that has what tasks of an engine do."""

NUMBER = struct.Struct(">i")
"""The key of a task of an engine."""

ALIVE_SECONDS = 60.0
"""How often a task says that it works; Hadoop ends one that says nothing for ten minutes."""

_LENGTH = struct.Struct(">i")


def route(records: Iterable[Record], cache: Path) -> Iterator[Record]:
    """Yield the records as they are: Hadoop sorts them and hands each to the reducer of its key."""
    yield from records


def carry_out_numbers(records: Iterable[Record], cache: Path) -> Iterator[Record]:
    """Yield what the work in the cache gives for each number that is a key, both pickled: see `HadoopEngine`."""
    # It comes with the job of the user who submitted it, whose program this is anyway.
    work = pickle.loads((cache / WORK).read_bytes())  # noqa: S301
    for key, _ in records:
        yield key, pickle.dumps(work(*NUMBER.unpack(key)))


def versions() -> str:
    """Return what has to be equal on all machines."""
    return f"crossfade-{__version__}-python-{sys.version_info.major}.{sys.version_info.minor}"


def read_records(file: BinaryIO) -> Iterator[Record]:
    """Yield the records that Hadoop writes to a task."""
    while length := file.read(_LENGTH.size):
        key = file.read(*_LENGTH.unpack(length))
        yield key, file.read(*_LENGTH.unpack(file.read(_LENGTH.size)))


def write_record(file: BinaryIO, record: Record) -> None:
    """Write a record for Hadoop to read."""
    for part in record:
        file.write(_LENGTH.pack(len(part)))
        file.write(part)


def run_task(task: Task, given: BinaryIO, result: BinaryIO, cache: Path) -> None:
    """Write what ``task`` makes of the records in ``given`` to ``result``, or its CrossfadeError as a record."""
    records = read_records(given)
    try:
        expected = os.environ.get(EXPECTED, versions())
        if expected != versions():
            raise NotReadyError(f"{os.uname().nodename} has {versions()}, the driver {expected}. Install the same.")
        for record in task(_passing_failures(records, result), cache):
            write_record(result, record)
    except CrossfadeError as error:
        described = {"class": type(error).__name__, "message": str(error)}
        write_record(result, (FAILED, json.dumps(described).encode()))
    for _ in records:
        pass  # Hadoop takes a task that leaves records unread for one that died.
    result.flush()


def _passing_failures(records: Iterable[Record], result: BinaryIO) -> Iterator[Record]:
    """Yield ``records``, except that errors of the tasks before go on to the driver."""
    for record in records:
        if record[0] == FAILED:
            write_record(result, record)
        else:
            yield record


def _say_that_it_works() -> None:
    """Tell Hadoop now and then, by its protocol on standard error, until the process ends."""

    def say() -> None:
        while True:
            time.sleep(ALIVE_SECONDS)
            print("reporter:status:working", file=sys.stderr, flush=True)

    threading.Thread(target=say, daemon=True).start()


TASKS: dict[str, Task] = {
    "map-cells": map_cells,
    "reduce-sums": reduce_sums,
    "route": route,
    "carry-out": carry_out_numbers,
}
"""What a task does with its records and the directory of the distributed cache."""


if __name__ == "__main__":
    _say_that_it_works()
    run_task(TASKS[sys.argv[1]], sys.stdin.buffer, sys.stdout.buffer, Path(CACHE))
