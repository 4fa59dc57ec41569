"""Locks: one writer at a time in a directory."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from crossfade.core.artifacts import translated_storage_errors
from crossfade.core.errors import BusyError
from crossfade.core.replacing import private


@contextlib.contextmanager
def locked(directory: Path, purpose: str) -> Iterator[int]:
    """Lock an existing ``directory`` for one writer, which others are told of by its ``purpose``; yield the file.

    Raises BusyError at once, naming the writer, if another process has the lock. The operating system releases the lock
    when its process ends, and those that it passed the file to, however they end.
    """
    with contextlib.ExitStack() as stack:
        with translated_storage_errors(directory):
            # Unbuffered, so that locking works on a full disk, where commands that free space need it.
            file = stack.enter_context(open(directory / ".lock", "a+b", buffering=0, opener=private))
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                file.seek(0)
                holder = file.read(200).decode(errors="replace").strip() or "another process"
                raise BusyError(f"{directory} is in use by {holder}. Wait for it to end, or stop it.") from error
            with contextlib.suppress(OSError):
                file.truncate(0)
                file.write(f"{purpose} (process {os.getpid()})".encode())
        yield file.fileno()
        with contextlib.suppress(OSError):
            file.truncate(0)
