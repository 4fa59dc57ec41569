"""Directories of releases: their names, which one is active, and their coming and going.

    releases/
      000011-5a0d4c1be90f/   an artifact: the store's own file, and spaces/<name>/
      000012-1f0c9a2b77de/
      CURRENT                the name of the active one

A release is never changed. Publishing writes a new directory and then replaces ``CURRENT`` by a rename;
power loss between the two leaves a whole release that is not active. Numbers only grow.
"""

import contextlib
import fcntl
import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from crossfade.core.artifacts import (
    MANIFEST,
    Draft,
    Identity,
    Manifest,
    discard,
    verify,
    write_file,
    writing,
)
from crossfade.core.errors import ArtifactError, NotReadyError
from crossfade.stores.contract import Version

CURRENT = "CURRENT"
_NAME = re.compile(r"(\d{6,12})-([0-9a-f]{12})")


class Releases:
    """The releases below one ``directory``. Every method that writes is for the holder of the home's lock."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def place(self, version: Version) -> Path:
        """The directory of ``version``; ArtifactError if that is not the name of a release."""
        if not _NAME.fullmatch(version):
            raise ArtifactError(f"{version!r} is not the name of a release, such as 000012-1f0c9a2b77de.")
        return self.directory / version

    def versions(self) -> list[Version]:
        """The names of all releases, oldest first."""
        if not self.directory.is_dir():
            return []
        names = (path.name for path in self.directory.iterdir() if path.is_dir())
        return sorted((Version(name) for name in names if _NAME.fullmatch(name)), key=_number)

    def current(self) -> Version:
        """The active release; NotReadyError before the first, ArtifactError if ``CURRENT`` is damaged."""
        version = self._pointed_to()
        while not self.place(version).is_dir():
            # Perhaps another one was made active, and this one pruned, since the pointer was read.
            before, version = version, self._pointed_to()
            if version == before:
                raise ArtifactError(f"{self.directory / CURRENT} names {version}, which is not there. {_REMEDY}")
        return version

    def add(self, identity: Identity, fill: Callable[[Draft], None]) -> Version:
        """Publish what ``fill`` writes, and make it active; nothing, if the active release is of ``identity``."""
        active = self._whole_current()
        if active is not None and active[1].fingerprint == identity.fingerprint:
            return active[0]
        number = max((_number(version) for version in self.versions()), default=0) + 1
        version = Version(f"{number:06d}-{identity.fingerprint[:12]}")
        with writing(self.place(version), identity) as draft:
            fill(draft)
        self._point_to(version)
        return version

    def verify(self, version: Version | None = None) -> Manifest:
        """Read every byte of a release, the active one by default, against its manifest."""
        return verify(self._found(version))

    def activate(self, version: Version) -> None:
        """Make ``version`` the active release, once all of it has been verified."""
        self.verify(version)
        self._point_to(version)

    def roll_back(self) -> Version:
        """Activate the newest whole release that is older than the active one, and give its name.

        Where ``CURRENT`` is damaged, that is the newest whole release of all. NotReadyError if there is none.
        """
        try:
            before = _number(self.current())
        except ArtifactError:
            before = None
        for version in reversed(self.versions()):
            if before is not None and _number(version) >= before:
                continue
            with contextlib.suppress(ArtifactError):
                self.activate(version)
                return version
        raise NotReadyError(f"{self.directory} holds no whole release to go back to.")

    def prune(self, keep: int) -> list[Version]:
        """Remove all but the ``keep`` newest, the active one and those that are open; the names removed."""
        try:
            active = self.current()
        except (NotReadyError, ArtifactError):
            # Which one is active cannot be told, so any could be the one that a person goes back to.
            return []
        older = self.versions()[: -max(keep, 1)]
        return [version for version in older if version != active and self._remove(version)]

    @contextlib.contextmanager
    def held(self, version: Version) -> Iterator[Path]:
        """Keep a release from being pruned while the block runs, in whatever process; its directory."""
        place = self._found(version)
        try:
            descriptor = os.open(place / MANIFEST, os.O_RDONLY)
        except OSError as error:
            raise ArtifactError(f"{place} cannot be opened: {error.strerror}. {_REMEDY}") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH)
            if not place.is_dir():
                raise ArtifactError(f"{place} was removed while it was being opened. Open the active release instead.")
            yield place
        finally:
            os.close(descriptor)

    def _found(self, version: Version | None) -> Path:
        version = self.current() if version is None else version
        place = self.place(version)
        if not place.is_dir():
            known = ", ".join(self.versions()) or "none"
            raise ArtifactError(f"There is no release {version}. There are: {known}.")
        return place

    def _whole_current(self) -> tuple[Version, Manifest] | None:
        try:
            version = self.current()
            return version, self.verify(version)
        except (NotReadyError, ArtifactError):
            return None

    def _pointed_to(self) -> Version:
        pointer = self.directory / CURRENT
        try:
            name = pointer.read_bytes().decode("ascii").removesuffix("\n")
        except FileNotFoundError as error:
            raise NotReadyError(f"{self.directory} holds no release yet. Run `crossfade run` to make one.") from error
        except (OSError, UnicodeDecodeError) as error:
            raise ArtifactError(f"{pointer} cannot be read: {error}. {_REMEDY}") from error
        if not _NAME.fullmatch(name):
            raise ArtifactError(f"{pointer} does not name a release. {_REMEDY}")
        return Version(name)

    def _point_to(self, version: Version) -> None:
        write_file(self.directory / CURRENT, f"{version}\n".encode("ascii"))

    def _remove(self, version: Version) -> bool:
        """Remove a release unless a reader holds it; whether it went."""
        place = self.place(version)
        try:
            descriptor = os.open(place / MANIFEST, os.O_RDONLY)
        except FileNotFoundError:
            discard(place)
            return True
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            discard(place)
        except BlockingIOError:
            return False
        finally:
            os.close(descriptor)
        return True


_REMEDY = "Run `crossfade rollback` to serve the newest whole release, or `crossfade run` to make a new one."


def fill_with_spaces(directory: Path, spaces: dict[str, Path]) -> None:
    """Put the files of each vector space at ``directory/<name>``, so that the release stands on its own.

    They are linked where the file system can, since artifacts never change once they are written, and copied
    elsewhere. A space that is itself an artifact is verified first: a release must not inherit damage.
    """
    for name, source in spaces.items():
        if (source / MANIFEST).exists():
            verify(source)
        place = directory / name
        place.mkdir(parents=True)
        for path in sorted(source.iterdir()):
            if path.name != MANIFEST:
                _link_or_copy(path, place / path.name)


def _link_or_copy(source: Path, target: Path) -> None:
    if source.is_symlink() or not source.is_file():
        raise ArtifactError(f"{source} is not a plain file, and a vector space has nothing else.")
    try:
        target.hardlink_to(source)
    except OSError:
        # Another file system, or one without links; a full disk shows itself in the copy.
        shutil.copyfile(source, target)


def _number(version: Version) -> int:
    return int(version.partition("-")[0])
