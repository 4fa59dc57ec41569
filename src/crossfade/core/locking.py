"""One writer at a time in a directory."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from crossfade.core.artifacts import translated_storage_errors
from crossfade.core.errors import BusyError


@contextlib.contextmanager
def locked(directory: Path, purpose: str) -> Iterator[None]:
    """Hold ``directory``, which is there, for one writer, who says its ``purpose`` to whoever comes second.

    Raises BusyError at once, naming the holder, if another process writes here. The operating system drops the
    lock when its holder dies, so there is nothing to clean by hand.
    """
    with contextlib.ExitStack() as held:
        with translated_storage_errors(directory):
            # Without a buffer, so that a full disk cannot keep the lock from those who want to free some.
            file = held.enter_context((directory / ".lock").open("a+b", buffering=0))
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                file.seek(0)
                holder = file.read(200).decode(errors="replace").strip() or "another process"
                raise BusyError(f"{directory} is in use by {holder}. Wait for it to end, or stop it.") from error
            with contextlib.suppress(OSError):
                file.truncate(0)
                file.write(f"{purpose} (process {os.getpid()})".encode())
        yield
        with contextlib.suppress(OSError):
            file.truncate(0)
