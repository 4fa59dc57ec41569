"""Copies of releases on a machine that shares only the store with the one that published them.

    releases/copies/000012-1f0c9a2b77de/    the manifest of the release, and the parts that were asked for here

A part comes once, whole and checked against the release's manifest, when it is first asked for: whoever only serves
lists never needs one.
"""

import contextlib
import fcntl
import os
from collections.abc import Collection, Iterator
from pathlib import Path

from crossfade.core.artifacts import MANIFEST, discard, file_digest, read_manifest, translated_storage_errors
from crossfade.core.errors import ArtifactError
from crossfade.core.replacing import draft_beside, make_directory, move_into_place, remove
from crossfade.stores.contract import SharedParts, Version
from crossfade.stores.files import versions_among


class Copies:
    """Below ``directory``, what was fetched from the ``store``."""

    def __init__(self, directory: Path, store: SharedParts) -> None:
        self._directory = directory
        self._store = store

    def place(self, version: Version) -> Path:
        """Return the directory of ``version``, which has at least its manifest; errors as for `fetch`."""
        place = self._directory / version
        if not place.is_dir():
            with self._filling(version), translated_storage_errors(place):
                if not place.is_dir():
                    with _draft(place) as draft:
                        published_at = self._store.fetch_file(version, MANIFEST, draft / MANIFEST)
                        read_manifest(draft)
                        os.utime(draft / MANIFEST, (published_at, published_at))
        return place

    def fetch(self, version: Version, name: str) -> None:
        """Bring one part, unless it is there.

        Raises UnavailableError if the store does not answer, ArtifactError if what it has is missing or damaged,
        StorageError if the disk is full.
        """
        release = self.place(version)
        place = release / "parts" / name
        if place.is_dir():
            return
        with self._filling(version), translated_storage_errors(place):
            if place.is_dir():
                return
            manifest, prefix = read_manifest(release), f"parts/{name}/"
            make_directory(place.parent)
            with _draft(place) as draft:
                for path, (size, checksum) in manifest.files.items():
                    if path.startswith(prefix):
                        target = draft / path.removeprefix(prefix)
                        make_directory(target.parent)
                        self._store.fetch_file(version, path, target)
                        if target.stat().st_size != size or file_digest(target) != checksum:
                            raise ArtifactError(f"{path} of release {version} is damaged in the store.")
                for empty in manifest.empty_directories:
                    if empty.startswith(prefix):
                        make_directory(draft / empty.removeprefix(prefix))

    def sweep(self, registered: Collection[Version]) -> None:
        """Remove the copies of releases that are gone, unless somebody here has one open."""
        for version in versions_among(self._directory) - {*registered}:
            place = self._directory / version
            with contextlib.suppress(OSError), (place / MANIFEST).open("rb") as manifest:
                fcntl.flock(manifest, fcntl.LOCK_EX | fcntl.LOCK_NB)
                discard(place)
                (self._directory / f"{version}.lock").unlink(missing_ok=True)

    @contextlib.contextmanager
    def _filling(self, version: Version) -> Iterator[None]:
        """Hold the lock of the copy of ``version``, so that what is missing is fetched by one process only."""
        make_directory(self._directory)
        with (self._directory / f"{version}.lock").open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


@contextlib.contextmanager
def _draft(place: Path) -> Iterator[Path]:
    """Yield a directory to fill, which is at ``place`` once the block ends without an error."""
    draft = draft_beside(place)
    make_directory(draft)
    try:
        yield draft
        move_into_place(draft, place)
    except BaseException:
        remove(draft)
        raise
