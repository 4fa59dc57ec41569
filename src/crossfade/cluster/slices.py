"""Work on rows that do not depend on each other, divided into slices that machines share.

A slice is a file of arrays on the shared folder, named by its first row and the one after its last. It is written
beside its place and renamed, so a task may run twice, also beside itself. A slice that is there is not computed again:
work whose driver was lost goes on from the slices that were complete.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from crossfade.cluster.engine import Engine
from crossfade.core.artifacts import replacing_file
from crossfade.core.progress import Progress, silent
from crossfade.core.replacing import make_directory, remove

Arrays = Mapping[str, npt.NDArray[Any]]
"""The arrays of a slice, by name."""

Kept = TypeVar("Kept")

TASKS_A_SLOT = 8
"""Slices for each task that is carried out at a time: the last ones to end then keep few machines waiting."""


def computed_in_slices(
    engine: Engine,
    compute: Callable[[int, int], Arrays],
    rows: int,
    directory: Path,
    *,
    least: int = 1,
    progress: Progress = silent,
) -> Iterator[Arrays]:
    """Yield the arrays that ``compute`` (first row, the one after the last) gives of consecutive slices of ``rows``.

    compute    can be pickled; what it gives of a row does not depend on the slice
    directory  on the shared folder, for the slices; removed after the last one was taken
    least      rows of a slice, unless there are fewer in all
    progress   is told how many slices are complete
    """
    size = max(-(-rows // (engine.slots * TASKS_A_SLOT)), least)
    make_directory(directory)
    work = _Slice(compute, directory, rows, size)
    engine.each(work, -(-rows // size), progress=progress)
    for number in range(-(-rows // size)):
        with np.load(work.path(number)) as arrays:
            yield dict(arrays)
    remove(directory)


@dataclass(frozen=True)
class _Slice:
    """The task of a slice."""

    compute: Callable[[int, int], Arrays]
    directory: Path
    rows: int
    size: int

    def path(self, number: int) -> Path:
        """Where the slice lies."""
        first, last = self._span(number)
        return self.directory / f"{first:012d}-{last:012d}.npz"

    def __call__(self, number: int) -> None:
        place = self.path(number)
        if not place.exists():
            arrays = self.compute(*self._span(number))
            write_arrays(place, arrays)

    def _span(self, number: int) -> tuple[int, int]:
        return number * self.size, min((number + 1) * self.size, self.rows)


def write_arrays(place: Path, arrays: Arrays) -> None:
    """Write ``arrays`` as the file ``place`` in one step, which may happen several times at once."""
    with replacing_file(place) as file:
        np.savez(file, allow_pickle=False, **arrays)


_opening = Lock()
_opened: dict[str, Any] = {}


def kept_open(name: str, make: Callable[[], Kept]) -> Kept:
    """Return what ``make`` gives, kept by this process under ``name`` for its next tasks until they want another."""
    with _opening:
        if name not in _opened:
            _opened.clear()
            _opened[name] = make()
        kept: Kept = _opened[name]
        return kept
