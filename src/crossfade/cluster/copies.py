"""Copies of shared files on the disk of each machine, made once for all its tasks, which memory-map them.

A vector index, or the ratings of a block, crosses the network once and not at every task: the distributed cache of
MapReduce. The copies of a user are in ``$CROSSFADE_LOCAL_DIR``, by default a directory of temporary files.
"""

import contextlib
import fcntl
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Collection
from pathlib import Path, PurePath

from crossfade.core.artifacts import MANIFEST, read_manifest, translated_storage_errors
from crossfade.core.replacing import draft_beside, make_directory, private, remove

UNUSED_SECONDS = 86_400.0
"""After this time without use a copy is removed by the next one that is made."""


def local_directory() -> Path:
    """Return where this machine keeps copies."""
    named = os.environ.get("CROSSFADE_LOCAL_DIR")
    return Path(named) if named else Path(tempfile.gettempdir()) / f"crossfade-{os.getuid()}"


def local_copy(path: Path, digest: str) -> Path:
    """Return a copy of the file at ``path`` on this machine's own disk; itself, if it is on that disk already.

    digest  of the content, by which copies are told apart

    Raises StorageError if the disk is full or fails.
    """
    directory = local_directory()
    with translated_storage_errors(directory):
        make_directory(directory)
        if path.stat().st_dev == directory.stat().st_dev:
            return path
        copy = directory / digest
        with open(directory / f"{digest}.lock", "ab", opener=private) as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not copy.exists():
                _remove_unused(directory)
                draft = draft_beside(copy)
                try:
                    shutil.copyfile(path, draft)
                    draft.rename(copy)
                except BaseException:
                    remove(draft)
                    raise
        os.utime(copy)
    return copy


def _remove_unused(directory: Path) -> None:
    """Remove what no task has used for long; who has mapped it keeps it."""
    for path in directory.iterdir():
        if time.time() - path.stat().st_mtime > UNUSED_SECONDS:
            remove(path)


def local_artifact(place: Path, shared: Collection[str] = ()) -> Path:
    """Return the artifact at ``place`` with its files on this machine's own disk.

    shared  begins the names of files that stay on the shared folder, to be read there by a few rows at a time

    Raises ArtifactError for one without a manifest, StorageError as `local_copy`.
    """
    manifest, directory = read_manifest(place), local_directory()
    make_directory(directory)
    if place.stat().st_dev == directory.stat().st_dev:
        return place
    stay, place = tuple(shared), place.absolute()
    sources = {
        name: place / name
        if name.startswith(stay) or PurePath(name).name.startswith(stay)
        else local_copy(place / name, digest)
        for name, (_, digest) in manifest.files.items()
    }
    named = hashlib.sha256("\0".join([str(place), manifest.fingerprint, *stay]).encode()).hexdigest()
    links, draft = directory / named, draft_beside(directory / named)
    if not links.exists():
        for name, source in {MANIFEST: place / MANIFEST, **sources}.items():
            (draft / name).parent.mkdir(parents=True, exist_ok=True)
            (draft / name).symlink_to(source)
        with contextlib.suppress(OSError):  # another process was faster
            draft.rename(links)
        remove(draft)
    os.utime(links)
    return links
