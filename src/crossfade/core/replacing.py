"""Replacing files and directories, so that a kill or power loss leaves the old one or the new one.

A draft is beside its place under a name that ends in ``.partial``. A directory cannot be renamed over another, so the
old and the new one are exchanged in one step where the file system can (Linux's renameat2 with RENAME_EXCHANGE). Where
it cannot, the old one is renamed first, and `sweep` renames it back if the process was killed before the new one was in
place.

What is made here belongs to its owner alone (0700 and 0600), whatever the umask: listening history is personal.
"""

import contextlib
import errno
import os
import re
import secrets
import shutil
import stat
from functools import cache
from pathlib import Path
from typing import Any

PARTIAL = ".partial"

OWNER_ALONE = stat.S_IRWXU
OTHERS = stat.S_IRWXG | stat.S_IRWXO

_ASIDE = ".aside"
_LEFT = re.compile(rf"\.(?P<name>.+)\.[0-9a-f]{{8}}(?P<aside>{re.escape(_ASIDE)})?{re.escape(PARTIAL)}", re.DOTALL)
_RENAME_EXCHANGE = 2  # from <linux/fs.h>
_AT_FDCWD = -100  # from <fcntl.h>: paths are relative to the working directory


def draft_beside(place: Path) -> Path:
    """Return a new, hidden name beside ``place`` that `sweep` removes."""
    return place.with_name(f".{place.name}.{secrets.token_hex(4)}{PARTIAL}")


def make_directory(directory: Path) -> None:
    """Make ``directory`` and its missing parents for their owner alone, and flush them to the disk."""
    missing = [path for path in (directory, *directory.parents) if not path.exists()]
    for path in reversed(missing):
        path.mkdir(OWNER_ALONE, exist_ok=True)
        flush_directory(path.parent)
    directory.mkdir(OWNER_ALONE, exist_ok=True)  # raises if it is a file


def private(path: str, flags: int) -> int:
    """Open a file as `open` does with this as its ``opener``: a new one is for its owner alone."""
    return os.open(path, flags, OWNER_ALONE & ~stat.S_IXUSR)


def make_private(path: Path | int) -> None:
    """Take the permissions of everybody but the owner from a file or a directory; ``path`` may be a descriptor.

    Files of another user, and file systems without permissions, stay as they are.
    """
    mode = stat.S_IMODE(os.stat(path).st_mode)  # noqa: PTH116  # of a descriptor too
    if mode & OTHERS:
        with contextlib.suppress(OSError):
            os.chmod(path, mode & ~OTHERS)  # noqa: PTH101


def flush_directory(directory: Path) -> None:
    """Flush ``directory`` to the disk, so that renames inside it survive a power loss."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def move_into_place(draft: Path, place: Path) -> None:
    """Rename the directory ``draft`` to ``place``, and remove the directory that it replaces."""
    if not os.path.lexists(place):
        draft.rename(place)
        flush_directory(place.parent)
        return
    replaced = draft
    if not _exchanged(draft, place):
        replaced = place.with_name(f".{place.name}.{secrets.token_hex(4)}{_ASIDE}{PARTIAL}")
        place.rename(replaced)
        try:
            draft.rename(place)
        except BaseException:
            replaced.rename(place)
            raise
    # The old one is removed only when the new one would survive a power loss.
    flush_directory(place.parent)
    remove(replaced)


def remove(path: Path) -> None:
    """Remove a file, a link (not its target) or a directory, as far as this user may."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def sweep(directory: Path, *, below: bool = True) -> None:
    """Remove the drafts of killed processes in ``directory``, and ``below`` it; the caller has its lock."""
    for parent, directories, files in os.walk(directory):
        for name in [*directories, *files]:
            left = _LEFT.fullmatch(name)
            if left is None:
                continue
            path, place = Path(parent) / name, Path(parent) / left["name"]
            if left["aside"] and not os.path.lexists(place):
                path.rename(place)
                flush_directory(place.parent)
            else:
                remove(path)
        directories[:] = [name for name in directories if below and not _LEFT.fullmatch(name)]


def left_over(directory: Path) -> list[Path]:
    """Return the drafts in and below ``directory`` that could not be removed."""
    return [path for path in directory.rglob(f".*{PARTIAL}") if _LEFT.fullmatch(path.name)]


def _exchanged(draft: Path, place: Path) -> bool:
    """Exchange two names in one step; return False if the system or the file system cannot."""
    import ctypes

    renameat2 = _renameat2()
    if renameat2 is None:
        return False
    if renameat2(_AT_FDCWD, os.fsencode(draft), _AT_FDCWD, os.fsencode(place), _RENAME_EXCHANGE) == 0:
        return True
    code = ctypes.get_errno()
    if code in (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP):
        return False
    raise OSError(code, os.strerror(code), str(place))


@cache
def _renameat2() -> Any:
    """The C library's function; None outside Linux and in old libraries."""
    import ctypes

    function = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if function is not None:
        function.argtypes = [ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint]
        function.restype = ctypes.c_int
    return function
