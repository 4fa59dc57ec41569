"""Releases: a registry, the tables of each version, and the artifacts that it was made from.

    releases/
      000011-5a0d4c1be90f/   an artifact: parts/<name>/…, and the manifest of the release
      000012-1f0c9a2b77de/

A release is never changed. Publishing writes its tables, then its directory, and then adds it to the registry, which is the
one atomic step that makes it exist and, unless there is a pin, active. What a killed process wrote but did not add is
removed by the next `publish` or `prune`. Numbers only grow.
"""

import contextlib
import fcntl
import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from crossfade.core.artifacts import MANIFEST, Identity, Manifest, discard, read_manifest, verify, writing
from crossfade.core.catalogue import Catalogue
from crossfade.core.errors import ArtifactError, NotReadyError
from crossfade.core.tables import SurfaceTable
from crossfade.stores.contract import Active, Registry, Tables, TableStore, Version

LAYOUT = 1
"""The version of the layout of a release's directory."""

_NAME = re.compile(r"(\d{6,12})-([0-9a-f]{12})")


class Published(NamedTuple):
    """A release that was published; not ``active`` under a pin."""

    version: Version
    active: bool


@dataclass(frozen=True, eq=False)
class Release:
    """One whole release, open for reading; safe to use from any number of threads.

    A release that is open is not pruned, so a reader goes on working however many newer ones are published.

    manifest  what it was made from: ``identity.inputs``, ``identity.settings``, and the rows of each table
    tables    its lists, its catalogue and its search
    parts     the names of the artifacts that it holds, sorted: "catalogue", "als-artist", …
    """

    version: Version
    manifest: Manifest
    tables: Tables
    parts: tuple[str, ...]
    _place: Path = field(repr=False)
    _resources: contextlib.ExitStack = field(repr=False)

    def part(self, name: str) -> Path:
        """Return the directory of an artifact, to be read only; NotReadyError if the release has no such part."""
        if name not in self.parts:
            raise NotReadyError(
                f"Release {self.version} has no part {name!r}. It has: {', '.join(self.parts) or 'none'}."
            )
        return self._place / "parts" / name

    def close(self) -> None:
        """Let the release be pruned. Nothing can be asked of it afterwards; closing twice is no error."""
        self._resources.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Releases:
    """The releases of a home. Every method that writes is for the holder of the home's lock."""

    def __init__(self, directory: Path, registry: Registry, tables: TableStore) -> None:
        self._directory = directory
        self._registry = registry
        self._tables = tables

    def publish(
        self,
        tables: Sequence[SurfaceTable],
        catalogue: Catalogue,
        *,
        parts: Mapping[str, Path],
        inputs: Mapping[str, str],
        settings: Mapping[str, Any] | None = None,
    ) -> Published:
        """Write a release and make it the active one, or add it beside the active one under a pin.

        ``parts`` are whole artifacts by name; ``inputs`` are the fingerprints of all that goes in. What the newest
        release was made from is not published again. Raises ArtifactError where the input does not fit together or
        is damaged, StorageError where the disk fails; the releases that exist stay as they are then.
        """
        raise NotImplementedError

    def versions(self) -> list[Version]:
        """Return every release, oldest first."""
        return self._registry.versions()

    def active(self) -> Active:
        """Return the active release and whether it is pinned; NotReadyError before the first one."""
        return self._registry.active()

    def verify(self, version: Version | None = None) -> Manifest:
        """Read every byte of a release (the active one by default); ArtifactError names what is damaged."""
        raise NotImplementedError

    def activate(self, version: Version) -> None:
        """Verify ``version``, make it active and pin it: newer releases are not served until `unpin`."""
        raise NotImplementedError

    def roll_back(self) -> Version:
        """Activate the newest whole release that is older than the active one, pin it, and return it.

        Where the registry cannot tell which release is active, that is the newest whole release of all.
        NotReadyError if there is none.
        """
        raise NotImplementedError

    def unpin(self) -> Version:
        """Activate the newest whole release, without a pin, and return it; NotReadyError if there is none."""
        raise NotImplementedError

    def prune(self, keep: int) -> list[Version]:
        """Remove all but the ``keep`` newest releases and return those removed, oldest first.

        The active one, and those that a reader has open, stay in any case.
        """
        raise NotImplementedError

    def open(self, version: Version | None = None) -> Release:
        """Open a release (the active one by default); NotReadyError before the first one."""
        raise NotImplementedError
