"""Whether a process that was started here, or by an earlier command, still runs."""

import contextlib
import os
from pathlib import Path


def recorded(path: Path, said: str) -> int | None:
    """The process whose number the file holds, if it still runs; another, without ``said``, may have the number now."""
    with contextlib.suppress(OSError, ValueError):
        pid = int(path.read_text())
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)  # or a child that has ended would stay listed
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
        # It is empty while Java takes the place of the script that starts it, and of a process that has ended.
        if said.encode() in command or (not command and not _ended(pid)):
            return pid
    return None


def _ended(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
