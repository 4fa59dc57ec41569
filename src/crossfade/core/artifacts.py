"""Artifacts: directories that are either whole and verified, or not there.

Every step writes a directory of data files and one ``manifest.json``. It is written beside its place under
a name that ends in ``.partial``, each file is flushed to the disk, the directory is renamed into place, and
the parent directory is flushed. Power loss, a full disk or a kill at any point leaves what was there
before, and at most a ``.partial`` directory that `sweep` removes.

A manifest names its inputs and settings by digest; their digest is the artifact's *fingerprint*. A step is
done when a manifest with today's fingerprint verifies, never because a path exists. Nothing that depends on
the hour, the machine or the number of threads stands in a manifest, so that equal inputs, settings and seed
give equal bytes.
"""

import contextlib
import errno
import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from crossfade import __version__
from crossfade.core.errors import ArtifactError, StorageError

MANIFEST = "manifest.json"
PARTIAL = ".partial"


@dataclass(frozen=True, kw_only=True)
class Identity:
    """What an artifact is made from; equal identities give equal bytes.

    kind      "interactions", "space", … : what the directory holds
    version   of the layout of this kind of artifact; raised when the layout changes
    inputs    the fingerprint of each input, by name
    settings  the settings that matter to it, as plain values
    seed      of its randomness, 0 where there is none
    """

    kind: str
    version: int
    inputs: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0

    @property
    def fingerprint(self) -> str:
        """SHA-256 over all of it and the code's version, in hexadecimal."""
        return _digest_of({**asdict(self), "code": __version__})


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What ``manifest.json`` says: the identity, rows by table, and (bytes, sha256) of every file."""

    identity: Identity
    fingerprint: str
    code: str
    rows: Mapping[str, int]
    files: Mapping[str, tuple[int, str]]


@dataclass
class Draft:
    """An artifact that is being written: put files under ``path``, and row counts into ``rows``."""

    path: Path
    rows: dict[str, int] = field(default_factory=dict)


@contextlib.contextmanager
def writing(place: Path, identity: Identity) -> Iterator[Draft]:
    """Give a directory to fill, and publish it at ``place`` if the block ends without an error.

    An artifact that already stands at ``place`` is replaced; a reader sees the old or the new one, whole.
    Raises StorageError when the disk is full or fails; nothing is left behind then.
    """
    with translated_storage_errors(place):
        place.parent.mkdir(parents=True, exist_ok=True)
        draft = Draft(place.parent / f".{place.name}.{secrets.token_hex(4)}{PARTIAL}")
        draft.path.mkdir()
        try:
            yield draft
            _write_manifest(draft, identity)
            _flush_tree(draft.path)
            _move_into_place(draft.path, place)
        except BaseException:
            shutil.rmtree(draft.path, ignore_errors=True)
            raise


def read_manifest(place: Path) -> Manifest:
    """The manifest of the artifact at ``place``; ArtifactError if it is missing or not one of ours."""
    try:
        said = json.loads((place / MANIFEST).read_text())
        return Manifest(
            identity=Identity(**said["identity"]),
            fingerprint=said["fingerprint"],
            code=said["code"],
            rows=said["rows"],
            files={name: (int(size), str(checksum)) for name, (size, checksum) in said["files"].items()},
        )
    except FileNotFoundError as error:
        raise ArtifactError(f"{place} has no {MANIFEST}: nothing was finished there.") from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ArtifactError(f"{place / MANIFEST} cannot be read: {error}") from error


def verify(place: Path) -> Manifest:
    """Read every byte of the artifact at ``place`` against its manifest.

    Raises ArtifactError that names the first file which is missing, cut short, altered, or not listed.
    """
    manifest = read_manifest(place)
    present = {str(path.relative_to(place)) for path in place.rglob("*") if path.is_file()} - {MANIFEST}
    if unlisted := sorted(present - manifest.files.keys()):
        raise ArtifactError(f"{place}: {unlisted[0]} is not part of this artifact.")
    for name, (size, checksum) in manifest.files.items():
        path = place / name
        if not path.is_file():
            raise ArtifactError(f"{path} is missing.")
        if path.stat().st_size != size:
            raise ArtifactError(f"{path} has {path.stat().st_size} bytes, not {size}: it was cut short or altered.")
        if file_digest(path) != checksum:
            raise ArtifactError(f"{path} does not match its checksum: the disk or somebody altered it.")
    return manifest


def is_whole(place: Path, fingerprint: str) -> bool:
    """Whether the artifact at ``place`` verifies and was made from what ``fingerprint`` names."""
    try:
        return verify(place).fingerprint == fingerprint
    except ArtifactError:
        return False


def sweep(directory: Path) -> None:
    """Remove what a killed process left below ``directory``; only for the holder of the home's lock."""
    for left in directory.rglob(f".*{PARTIAL}"):
        shutil.rmtree(left, ignore_errors=True) if left.is_dir() else left.unlink(missing_ok=True)


def write_file(path: Path, content: bytes) -> None:
    """Replace one small file so that a reader, and a power loss, sees the old or the new content."""
    with translated_storage_errors(path):
        draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}{PARTIAL}")
        try:
            with draft.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            draft.rename(path)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise
        flush_directory(path.parent)


def flush_directory(directory: Path) -> None:
    """Make renames inside ``directory`` survive a power loss."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def file_digest(path: Path) -> str:
    """SHA-256 of a file, as ``sha256sum`` prints it."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextlib.contextmanager
def translated_storage_errors(place: Path) -> Iterator[None]:
    """Turn the operating system's word that the disk is full or failing into a StorageError."""
    causes = {
        errno.ENOSPC: "the disk is full. Free some space and run the same command again",
        errno.EDQUOT: "the disk quota is used up. Free some space and run the same command again",
        errno.EROFS: "the disk is read-only",
        errno.EACCES: "this user may not write there",
        errno.EPERM: "this user may not write there",
        errno.EIO: "the disk failed to read or write. Check it before you go on",
    }
    try:
        yield
    except OSError as error:
        if error.errno in causes:
            raise StorageError(
                f"{error.filename or place}: {causes[error.errno]}; what was there before is untouched."
            ) from error
        raise


def _write_manifest(draft: Draft, identity: Identity) -> None:
    files = sorted(path for path in draft.path.rglob("*") if path.is_file())
    said = {
        "identity": asdict(identity),
        "fingerprint": identity.fingerprint,
        "code": __version__,
        "rows": draft.rows,
        "files": {str(path.relative_to(draft.path)): [path.stat().st_size, file_digest(path)] for path in files},
    }
    (draft.path / MANIFEST).write_text(json.dumps(said, indent=2, sort_keys=True) + "\n")


def _flush_tree(directory: Path) -> None:
    for path in sorted(directory.rglob("*")):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
        else:
            flush_directory(path)
    flush_directory(directory)


def _move_into_place(draft: Path, place: Path) -> None:
    if not place.exists():
        draft.rename(place)
    else:
        # A directory cannot be renamed over another. Between the two renames nothing stands here, which
        # readers of artifacts take as "not done yet"; releases never come here, their names are new.
        aside = place.parent / f".{place.name}.{secrets.token_hex(4)}{PARTIAL}"
        place.rename(aside)
        draft.rename(place)
        shutil.rmtree(aside, ignore_errors=True)
    flush_directory(place.parent)


def _digest_of(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
