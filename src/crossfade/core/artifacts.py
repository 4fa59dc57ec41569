"""Artifacts: directories that are either complete and verified, or not there.

Every step writes a directory of data files and one ``manifest.json``. It is written beside its place under a name that
ends in ``.partial``; each file is flushed to the disk, the directory renamed into place, and the parent directory
flushed. Power loss, a full disk or a kill at any point leaves the previous content, and at most a draft that `sweep`
removes.

A manifest names its inputs and settings by digest; their digest is the artifact's *fingerprint*. A step is done when a
manifest with the current fingerprint verifies, never because a path exists. A manifest has nothing that depends on the
time, the machine or the number of threads, so that equal inputs, settings and seed give equal bytes.
"""

import contextlib
import errno
import hashlib
import json
import os
import re
import shutil
import stat
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from io import BufferedRandom
from pathlib import Path, PurePosixPath
from typing import Any

from crossfade.core.errors import ArtifactError, StorageError
from crossfade.core.paths import shown
from crossfade.core.replacing import (
    OWNER_ALONE,
    draft_beside,
    flush_directory,
    make_directory,
    make_private,
    move_into_place,
    private,
    remove,
)
from crossfade.core.version import __version__

MANIFEST = "manifest.json"

LEAST_KEPT = 1 << 20
"""Bytes of a file whose digest is kept; a small one is soon read, and soon replaced within one tick of the clock."""

_kept: list[dict[tuple[int, int, int, int], str]] = []
"""The digests of `digests_kept` by device, inode, size and time of change; one entry for each block that is open."""


@dataclass(frozen=True, kw_only=True)
class Identity:
    """What an artifact is made from; equal identities give equal bytes.

    kind      "interactions", "space", …: what the directory contains
    version   of the layout of this kind of artifact, increased when the layout changes
    inputs    the fingerprint of each input, by name
    settings  the settings that change its content, as plain values
    seed      of its randomness, 0 for none
    """

    kind: str
    version: int
    inputs: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0

    @property
    def fingerprint(self) -> str:
        """The SHA-256 digest of all fields and the code's version, in hexadecimal."""
        return _fingerprint(self, __version__)


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """The content of ``manifest.json``.

    code               the version of Crossfade that wrote it
    rows               by table
    files              (bytes, SHA-256) of every file, by its path below the artifact
    empty_directories  directories without a file; the others follow from the files
    """

    identity: Identity
    fingerprint: str
    code: str
    rows: Mapping[str, int]
    files: Mapping[str, tuple[int, str]]
    empty_directories: tuple[str, ...] = ()


@dataclass
class Draft:
    """An artifact that is being written: put files under ``path``, and row counts into ``rows``.

    What only the work itself tells about ``identity`` may be set before the block ends. Files in ``verified``, as in
    `Manifest.files`, are links to files of verified artifacts, and are not read again.
    """

    path: Path
    identity: Identity
    rows: dict[str, int] = field(default_factory=dict)
    verified: dict[str, tuple[int, str]] = field(default_factory=dict)


@contextlib.contextmanager
def writing(place: Path, identity: Identity) -> Iterator[Draft]:
    """Yield a directory to fill, and publish it at ``place`` if the block ends without an error.

    An artifact at ``place`` is replaced in one step. Raises StorageError if the disk is full or fails, ArtifactError if
    the block made anything but files and directories; the draft is removed then.
    """
    with translated_storage_errors(place):
        make_directory(place.parent)
        draft = Draft(draft_beside(place), identity)
        draft.path.mkdir(OWNER_ALONE)
        try:
            yield draft
            _write_manifest(draft)
            _flush_tree(draft.path)
            move_into_place(draft.path, place)
        except BaseException:
            remove(draft.path)
            raise


def read_manifest(place: Path) -> Manifest:
    """Return the manifest of the artifact at ``place``; ArtifactError if it is missing or damaged."""
    path = place / MANIFEST
    try:
        if path.is_symlink():
            raise ArtifactError(f"{path} is a link; Crossfade does not follow links.")
        manifest = _parsed(json.loads(path.read_text(encoding="utf-8")))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ArtifactError(f"{place} has no {MANIFEST}: it was not finished.") from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ArtifactError(f"{path} cannot be read: {error}") from error
    if manifest.fingerprint != _fingerprint(manifest.identity, manifest.code):
        raise ArtifactError(f"{path} was altered: its fingerprint is not that of its identity.")
    return manifest


def verify(place: Path) -> Manifest:
    """Read every byte of the artifact at ``place`` against its manifest.

    Raises ArtifactError, naming the first file that is missing, altered or not listed.
    """
    manifest = read_manifest(place)
    files, empty_directories = _contents(place)
    if unlisted := sorted(files - manifest.files.keys() - {MANIFEST}):
        raise ArtifactError(f"{place}: {unlisted[0]} is not listed in {MANIFEST}.")
    for name, (size, checksum) in manifest.files.items():
        path = place / name
        if name not in files:
            raise ArtifactError(f"{path} is missing.")
        try:
            actual_size, digest = path.stat().st_size, file_digest(path)
        except OSError as error:
            raise ArtifactError(f"{path} cannot be read: {error.strerror or error}") from error
        if actual_size != size:
            raise ArtifactError(f"{path} has {actual_size} bytes, not {size}: it was cut short or altered.")
        if digest != checksum:
            raise ArtifactError(f"{path} does not match its checksum: it was altered, or the disk is failing.")
    if changed := sorted(empty_directories ^ set(manifest.empty_directories)):
        raise ArtifactError(f"{place}: the empty directory {changed[0]} was added or removed.")
    return manifest


def verify_unless_replaced(place: Path) -> Manifest | None:
    """Return `verify`'s result while others write; None if the artifact is removed or replaced meanwhile.

    A replacement is verified in its stead. Raises ArtifactError only for damage to an artifact that stays.
    """
    while (before := _version_on_disk(place)) is not None:
        try:
            return verify(place)
        except ArtifactError:
            if _version_on_disk(place) == before:
                raise
    return None


def is_whole(place: Path, fingerprint: str) -> bool:
    """Return whether the artifact at ``place`` verifies and has this ``fingerprint``."""
    try:
        return read_manifest(place).fingerprint == fingerprint and verify(place).fingerprint == fingerprint
    except ArtifactError:
        return False


def is_made_from(place: Path, source: Path) -> bool:
    """Return whether the artifact at ``source`` is an input of the one at ``place``; ArtifactError for neither."""
    return read_manifest(source).fingerprint in read_manifest(place).identity.inputs.values()


def link_or_copy(source: Path, target: Path) -> bool:
    """Put a file of an artifact into another one and return whether it is a link.

    It is linked where possible, since files of artifacts never change.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        target.hardlink_to(source)
    except OSError:
        # Another file system, or one without links; a full disk shows itself in the copy.
        shutil.copyfile(source, target)
        return False
    return True


def discard(place: Path) -> None:
    """Remove the artifact at ``place`` in one step; after a kill it is complete, or `sweep` removes the rest."""
    with translated_storage_errors(place):
        discarded = draft_beside(place)
        place.rename(discarded)
        flush_directory(place.parent)
        remove(discarded)


def write_file(path: Path, content: bytes) -> None:
    """Replace one small file in one step: readers, and a power loss, see the old or the new content."""
    with replacing_file(path) as file:
        file.write(content)
    with translated_storage_errors(path):
        flush_directory(path.parent)


@contextlib.contextmanager
def replacing_file(path: Path, *, lasting: bool = True) -> Iterator[BufferedRandom]:
    """Yield a new file to write, and to read again, that replaces the one at ``path`` after the block.

    Readers see the old or the new one, also where several processes write it at once. What is ``lasting`` survives a
    power loss, once its directory is flushed too (`flush_directory`).
    """
    with translated_storage_errors(path):
        draft = draft_beside(path)
        try:
            with open(draft, "x+b", opener=private) as file:
                yield file
                if lasting:
                    file.flush()
                    os.fsync(file.fileno())
            draft.rename(path)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise


def file_digest(path: Path) -> str:
    """Return the SHA-256 digest of a file, as ``sha256sum`` prints it."""
    with path.open("rb") as file:
        status = os.fstat(file.fileno())
        kept = _kept[-1] if _kept and status.st_size >= LEAST_KEPT else {}
        version = status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
        if version not in kept:
            kept[version] = hashlib.file_digest(file, "sha256").hexdigest()
        return kept[version]


@contextlib.contextmanager
def digests_kept() -> Iterator[None]:
    """Read each file once for its digest within the block, under all its names, unless it changes meanwhile.

    For one command that verifies what it has just written, or verified. Damage that comes without a change of the
    file's time is found by the next one.
    """
    kept = _kept[-1] if _kept else {}
    _kept.append(kept)
    try:
        yield
    finally:
        _kept.pop()


@contextlib.contextmanager
def translated_storage_errors(place: Path) -> Iterator[None]:
    """Turn the operating system's errors about full, failing or forbidden disks into StorageError."""
    causes = {
        errno.ENOSPC: "the disk is full. Free some space and run the same command again",
        errno.EDQUOT: "the disk quota is used up. Free some space and run the same command again",
        errno.EFBIG: "a file grew larger than this process may write (see `ulimit -f`)",
        errno.EROFS: "the disk is read-only",
        errno.EACCES: "this user has no permission to read or write there",
        errno.EPERM: "this user has no permission to read or write there",
        errno.EIO: "the disk failed to read or write. Check it before you go on",
        errno.ENAMETOOLONG: "the path is too long. Choose a shorter one",
        errno.ENOLCK: "this file system has no locks. Keep the library on another",
    }
    try:
        yield
    except OSError as error:
        cause = causes.get(error.errno or 0)
        if error.errno is None and "requested and" in str(error):
            # NumPy reports an array that was written in part without the cause.
            cause = "the disk is full or failing. Free some space and run the same command again"
        if cause is None:
            raise
        raise StorageError(f"{shown(error.filename or place)}: {cause}. The previous content is untouched.") from error


def _write_manifest(draft: Draft) -> None:
    files, empty_directories = _contents(draft.path)
    described = {
        "identity": asdict(draft.identity),
        "fingerprint": draft.identity.fingerprint,
        "code": __version__,
        "rows": draft.rows,
        "files": {name: draft.verified.get(name) or _measured(draft.path / name) for name in files},
        "empty_directories": sorted(empty_directories),
    }
    content = json.dumps(described, indent=2, sort_keys=True) + "\n"
    (draft.path / MANIFEST).write_text(content, encoding="utf-8")


def _measured(path: Path) -> tuple[int, str]:
    return path.stat().st_size, file_digest(path)


def _contents(place: Path) -> tuple[set[str], set[str]]:
    """Return the paths below ``place`` of all files and of all empty directories.

    Raises ArtifactError for anything else: a link could lead anywhere, a pipe could block forever.
    """
    files, empty_directories, waiting = set(), set(), [place]
    while waiting:
        directory = waiting.pop()
        try:
            with os.scandir(directory) as found:
                entries = [(entry.name, entry.stat(follow_symlinks=False).st_mode) for entry in found]
        except OSError as error:
            raise ArtifactError(f"{directory} cannot be read: {error.strerror or error}") from error
        for name, mode in entries:
            path = directory / name
            if stat.S_ISDIR(mode):
                waiting.append(path)
            elif stat.S_ISREG(mode):
                files.add(path.relative_to(place).as_posix())
            else:
                raise ArtifactError(f"{path} is a link or a device; an artifact has files and directories only.")
        if not entries and directory != place:
            empty_directories.add(directory.relative_to(place).as_posix())
    return files, empty_directories


def _parsed(described: dict[str, Any]) -> Manifest:
    identity = Identity(**described["identity"])
    files = {name: (int(size), str(checksum)) for name, (size, checksum) in described["files"].items()}
    for name, (size, checksum) in files.items():
        if not _is_below(name) or name == MANIFEST or size < 0 or not re.fullmatch(r"[0-9a-f]{64}", checksum):
            raise ValueError(f"{name!r} is not the file of an artifact")
    return Manifest(
        identity=identity,
        fingerprint=str(described["fingerprint"]),
        code=str(described["code"]),
        rows={str(table): int(rows) for table, rows in described["rows"].items()},
        files=files,
        empty_directories=tuple(str(name) for name in described["empty_directories"]),
    )


def _version_on_disk(place: Path) -> tuple[int, int] | None:
    """Return what tells two artifacts at one place apart; None if there is none."""
    try:
        status = (place / MANIFEST).lstat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns


def _is_below(name: str) -> bool:
    """Return whether ``name`` is a normalised relative path that stays below its directory."""
    path = PurePosixPath(name)
    return name != "." and "\0" not in name and not path.is_absolute() and ".." not in path.parts and str(path) == name


def _flush_tree(directory: Path) -> None:
    """Flush everything below ``directory`` to the disk, for its owner alone; libraries that wrote it use the umask."""
    for parent, _, files in os.walk(directory):
        for name in files:
            with (Path(parent) / name).open("rb") as file:
                make_private(file.fileno())
                os.fsync(file.fileno())
        make_private(Path(parent))
        flush_directory(Path(parent))


def _fingerprint(identity: Identity, code: str) -> str:
    described = json.dumps({**asdict(identity), "code": code}, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(described.encode()).hexdigest()
