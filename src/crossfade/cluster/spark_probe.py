"""What the machine of an executor has; the same function says what the driver has.

This module is sent to executors as code, since it must also run where Crossfade is missing: it imports nothing of it.
"""

import functools
import hashlib
import importlib.metadata
import importlib.util
import os
import platform
import socket
import time
from pathlib import Path
from typing import Any

PACKAGES = ("numpy", "numba", "scipy", "pyarrow", "duckdb")
"""Of other versions results may differ in their last bits, or fail."""


def look(folder: str, nonce: str, pause: float, number: int) -> dict[str, Any]:
    """Return what this machine has, and do the shared folder's part: read the nonce, and write an answer.

    folder  the shared one; "" for none
    nonce   the name and the content of a file that the driver wrote there
    pause   seconds to wait, so that another executor takes the next task
    """
    time.sleep(pause)
    found = {"host": socket.gethostname(), "place": str(Path.cwd()), "versions": versions(), "memory": memory_bytes()}
    return {**found, **(_shared(Path(folder), nonce) if folder else {"answer": "", "problem": ""})}


@functools.cache
def versions() -> dict[str, str]:
    """Return the versions of Python, Crossfade (a digest of its sources) and `PACKAGES`; "" for what is missing."""
    return {
        "python": platform.python_version(),
        "crossfade": _sources("crossfade"),
        **{name: _version(name) for name in PACKAGES},
    }


def memory_bytes() -> int:
    """Return the memory of this machine, or of the container that this process is in."""
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for name in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            limits.append(int(Path(name).read_text()))
        except (OSError, ValueError):
            continue  # another kind of control group, or no limit
    return min(limits)


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _sources(name: str) -> str:
    found = importlib.util.find_spec(name)
    if found is None or found.origin is None:
        return ""
    digest, package = hashlib.sha256(), Path(found.origin).parent
    for source in sorted(package.rglob("*.py")):
        digest.update(source.relative_to(package).as_posix().encode() + source.read_bytes())
    return digest.hexdigest()[:12]


def _shared(folder: Path, nonce: str) -> dict[str, str]:
    answer = f"{nonce}-{socket.gethostname()}-{os.getpid()}"
    try:
        if (folder / nonce).read_text() != nonce:
            return {"answer": "", "problem": f"{folder} is another folder there"}
        (folder / answer).write_text(answer)
    except OSError as error:
        return {"answer": "", "problem": f"{folder}: {error.strerror}"}
    return {"answer": answer, "problem": ""}
