"""Checkpoints: the last complete state of long work, from which a run that was killed resumes.

A state is an artifact named ``state`` in a directory of the work's own, which is locked for its only writer. It
replaces the last one, so that a kill, a power loss or a full disk leaves a complete state. It is used only by work of
the same identity, and only if it verifies.
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
from crossfade.core.artifacts import Identity, is_whole, translated_storage_errors, writing
from crossfade.core.locking import locked
from crossfade.core.replacing import make_directory, sweep

EVERY_SECONDS = 30.0
"""Shorter work is repeated rather than saved."""

TIMES_ITS_COST = 20.0
"""Saving takes 5 % of the time at most: the next state waits this many times what the last one took to write."""

STATE, _DESCRIPTION = "state", "state.json"

Scalar = TypeVar("Scalar", bound=np.generic)


@dataclass(frozen=True)
class Checkpoint:
    """A complete state: how many ``steps`` of the work were done, and its arrays."""

    place: Path
    steps: int

    def array(self, name: str, *, dtype: type[Scalar], ndim: int) -> npt.NDArray[Scalar]:
        """Memory-map the array that was saved as ``name``; ArtifactError if it is of another type."""
        return load_array(self.place / f"{name}.npy", dtype=dtype, ndim=ndim)


class Checkpoints:
    """The states of one piece of work, from `checkpoints`, which locks the directory."""

    def __init__(self, directory: Path, identity: Identity) -> None:
        self._place = directory / STATE
        self._identity = identity
        self._due = time.monotonic() + EVERY_SECONDS

    def latest(self) -> Checkpoint | None:
        """Return the last state of this work; None if there is none, or none that verifies."""
        if not is_whole(self._place, self._identity.fingerprint):
            return None
        described = json.loads((self._place / _DESCRIPTION).read_text(encoding="utf-8"))
        return Checkpoint(self._place, int(described["steps"]))

    def offer(self, steps: int, arrays: Mapping[str, npt.NDArray[Any]], *, always: bool = False) -> bool:
        """Save the state after ``steps`` if a state is due, or ``always``, and return whether it was saved.

        Raises StorageError if the disk is full or fails; the last state is kept then.
        """
        started = time.monotonic()
        if started < self._due and not always:
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
    """Lock ``directory`` for the states of the work that has this ``identity``.

    The last state stays when the work is done; who saves the result removes the directory. Raises BusyError if another
    process has locked the directory, StorageError if the disk is full or fails.
    """
    with translated_storage_errors(directory):
        make_directory(directory)
        with locked(directory, "a fit"):
            sweep(directory, below=False)
            yield Checkpoints(directory, identity)
