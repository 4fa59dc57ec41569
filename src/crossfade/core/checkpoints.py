"""Checkpoints: the last whole state of long work, so that a run that was killed goes on from there.

A state is an artifact named ``state`` in a directory of the work's own: it is written beside the last one, flushed to
the disk and put in its place in one step, so that a kill, a power loss or a full disk at any moment leaves a whole
state, the old or the new one. It is used again only by work of the same identity, and only if every byte of it is as
it was written. Whoever holds the directory is its only writer.
"""

import contextlib
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from crossfade.core.arrays import load_array
from crossfade.core.artifacts import Identity, discard, is_whole, read_manifest, translated_storage_errors, writing
from crossfade.core.errors import ArtifactError
from crossfade.core.locking import locked
from crossfade.core.replacing import make_directory, sweep

EVERY_SECONDS = 30.0
"""Work shorter than this is not worth a state on the disk."""

TIMES_ITS_COST = 20.0
"""The next state waits this many times what the last one took to write, which is 5 % of the time at most."""

STATE, _DESCRIPTION = "state", "state.json"

Scalar = TypeVar("Scalar", bound=np.generic)


@dataclass(frozen=True)
class Checkpoint:
    """A whole state: how many ``steps`` of the work had been done, and its arrays."""

    place: Path
    steps: int

    def array(self, name: str, *, dtype: type[Scalar], ndim: int) -> npt.NDArray[Scalar]:
        """The array that was saved as ``name``, memory-mapped; ArtifactError if it is of another type."""
        return load_array(self.place / f"{name}.npy", dtype=dtype, ndim=ndim)


class Checkpoints:
    """The states of one piece of work; from `checkpoints`, which holds the directory."""

    def __init__(self, directory: Path, identity: Identity) -> None:
        self._place = directory / STATE
        self._identity = identity
        self._due = time.monotonic() + EVERY_SECONDS

    def latest(self) -> Checkpoint | None:
        """The last state of this very work; None if there is none that is whole."""
        if not is_whole(self._place, self._identity.fingerprint):
            return None
        described = json.loads((self._place / _DESCRIPTION).read_text(encoding="utf-8"))
        return Checkpoint(self._place, int(described["steps"]))

    def offer(self, steps: int, arrays: Mapping[str, npt.NDArray[Any]]) -> bool:
        """Save the state after ``steps`` if it is time to; whether it was.

        Raises StorageError if the disk is full or fails; the last state is still there then.
        """
        started = time.monotonic()
        if started < self._due:
            return False
        with writing(self._place, self._identity) as draft:
            for name, array in arrays.items():
                np.save(draft.path / f"{name}.npy", array, allow_pickle=False)
            (draft.path / _DESCRIPTION).write_text(json.dumps({"steps": steps}) + "\n", encoding="utf-8")
        ended = time.monotonic()
        self._due = ended + max(EVERY_SECONDS, TIMES_ITS_COST * (ended - started))
        return True


@contextlib.contextmanager
def checkpoints(directory: Path, identity: Identity) -> Iterator[Checkpoints]:
    """Hold ``directory`` for the states of what ``identity`` names; the state of anything else there is removed.

    The last state stays when the work is done, until its result is safe: whoever saves that removes the directory.
    Raises BusyError if another process holds the directory, StorageError if the disk is full or fails.
    """
    with translated_storage_errors(directory):
        make_directory(directory)
        with locked(directory, "a fit"):
            sweep(directory, below=False)
            place = directory / STATE
            if place.exists() and not _is_of(place, identity):
                discard(place)
            yield Checkpoints(directory, identity)


def _is_of(place: Path, identity: Identity) -> bool:
    try:
        return read_manifest(place).fingerprint == identity.fingerprint
    except ArtifactError:
        return False
