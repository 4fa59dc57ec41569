"""The registry of releases in files.

    CURRENT                             the active release: "000012-1f0c9a2b77de", or "000012-1f0c9a2b77de pinned"
    registered/000012-1f0c9a2b77de      an empty file for each release

Replacing ``CURRENT`` is the atomic step that makes a release active. The release that it names exists, so its file in
``registered`` may follow, at the latest before ``CURRENT`` names another one.
"""

import contextlib
import re
from pathlib import Path

from crossfade.core.artifacts import translated_storage_errors, write_file
from crossfade.core.errors import ArtifactError, NotReadyError
from crossfade.core.replacing import flush_directory, make_directory
from crossfade.stores.contract import Active, Version, number_of

CURRENT = "CURRENT"
REGISTERED = "registered"


class FileRegistry:
    """A `crossfade.stores.contract.Registry` in the files of one ``directory``."""

    def __init__(self, directory: Path) -> None:
        self._pointer = directory / CURRENT
        self._registered = directory / REGISTERED

    def claimed(self) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()  # no other home shares these files

    def versions(self) -> list[Version]:
        active = self._readable()
        recorded = versions_among(self._registered)
        return sorted(recorded | {active.version} if active else recorded, key=number_of)

    def active(self) -> Active:
        remedy = "Run `crossfade rollback` to serve the newest whole release."
        try:
            content = self._pointer.read_bytes().decode("ascii")
        except FileNotFoundError as error:
            raise NotReadyError(f"{self._pointer.parent} has no release. Run `crossfade run` to make one.") from error
        except (OSError, UnicodeDecodeError) as error:
            raise ArtifactError(f"{self._pointer} cannot be read: {error}. {remedy}") from error
        match = re.fullmatch(r"([0-9a-f-]+)( pinned)?\n?", content)
        try:
            version = Version(match[1] if match else "")
            number_of(version)
        except ArtifactError as error:
            raise ArtifactError(f"{self._pointer} does not name a release. {remedy}") from error
        return Active(version, pinned=match is not None and match[2] is not None)

    def add(self, version: Version) -> bool:
        active = self._readable()
        if active is not None and active.pinned:
            self._record(version)
            return False
        self._point_to(version, pinned=False)
        return True

    def activate(self, version: Version, *, pinned: bool) -> None:
        if version not in self.versions():
            raise ArtifactError(f"There is no release {version}. There are: {', '.join(self.versions()) or 'none'}.")
        self._point_to(version, pinned=pinned)

    def deactivate(self) -> None:
        active = self._readable()
        if active is not None:
            self._record(active.version)
        with translated_storage_errors(self._pointer):
            self._pointer.unlink(missing_ok=True)
            flush_directory(self._pointer.parent)

    def remove(self, version: Version) -> None:
        active = self._readable()
        if active is not None and active.version == version:
            raise ArtifactError(f"Release {version} is active and cannot be removed. Activate another one first.")
        with translated_storage_errors(self._registered):
            number_of(version)
            path = self._registered / version
            if path.exists():
                path.unlink()
                flush_directory(self._registered)

    def _readable(self) -> Active | None:
        try:
            return self.active()
        except (NotReadyError, ArtifactError):
            return None

    def _point_to(self, version: Version, *, pinned: bool) -> None:
        number_of(version)
        before = self._readable()
        if before is not None:
            self._record(before.version)
        write_file(self._pointer, f"{version}{' pinned' if pinned else ''}\n".encode("ascii"))
        self._record(version)

    def _record(self, version: Version) -> None:
        number_of(version)
        if not (self._registered / version).exists():
            with translated_storage_errors(self._registered):
                make_directory(self._registered)
            write_file(self._registered / version, b"")


def versions_among(directory: Path) -> set[Version]:
    """Return the names in ``directory``, which may be missing, that are names of releases."""
    found = set()
    for path in directory.iterdir() if directory.is_dir() else ():
        with contextlib.suppress(ArtifactError):
            number_of(Version(path.name))
            found.add(Version(path.name))
    return found
