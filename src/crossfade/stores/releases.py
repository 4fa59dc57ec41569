"""Releases: a registry, the tables of each version, and the artifacts that they were made from.

    releases/
      000011-5a0d4c1be90f/   an artifact: parts/<name>/…, and the manifest of the release
      000012-1f0c9a2b77de/

A release is never changed. Publishing writes its tables, then its directory, and then adds it to the registry: the one
atomic step by which it exists and, unless there is a pin, is active. What a killed process wrote but did not add is
removed by the next `publish` or `prune`. Numbers only grow.
"""

import contextlib
import fcntl
import functools
import os
import re
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Self

from crossfade.core.artifacts import (
    MANIFEST,
    Draft,
    Identity,
    Manifest,
    discard,
    link_or_copy,
    read_manifest,
    verify,
    writing,
)
from crossfade.core.catalogue import Catalogue
from crossfade.core.errors import ArtifactError, BusyError, NotReadyError
from crossfade.core.tables import SurfaceTable
from crossfade.stores.contract import Active, Registry, SharedParts, Tables, TableStore, Version, number_of
from crossfade.stores.copies import Copies
from crossfade.stores.files import versions_among

LAYOUT = 1
"""The version of the layout of a release's directory."""

PATIENCE = 10.0
"""Seconds for which a release that must go waits for its readers; a server turns to another one within two."""

_PART = re.compile(r"[a-z][a-z0-9_-]*")
_REMEDY = "Run `crossfade rollback` to serve the newest whole release, or `crossfade run` to make a new one."


class Published(NamedTuple):
    """A release that was published; not ``active`` under a pin."""

    version: Version
    active: bool


@dataclass(frozen=True, eq=False, repr=False)
class Release:
    """One whole release, open for reading; safe to use from any number of threads.

    A release that is open is not pruned, so a reader goes on working however many newer ones are published.

    manifest  what it was made from: ``identity.inputs``, ``identity.settings``, and the rows of each table
    tables    its lists, its catalogue and its search
    parts     the names of the artifacts that it includes, sorted: "als-artist", "catalogue", …
    """

    version: Version
    manifest: Manifest
    tables: Tables
    parts: tuple[str, ...]
    _place: Path
    _fetch: Callable[[str], object]
    _resources: contextlib.ExitStack

    def __repr__(self) -> str:
        return f"Release({self.version}: tables {', '.join(self.tables.tables)}; parts {', '.join(self.parts)})"

    @property
    def published_at(self) -> float:
        """When it was published, in seconds since 1970, as the disk says; a copied home may say when it was copied."""
        return (self._place / MANIFEST).stat().st_mtime

    def part(self, name: str) -> Path:
        """Return the directory of an artifact, to be read only; NotReadyError if the release has no such part.

        Where it is kept by a store that machines share it may have to be fetched first: UnavailableError if that fails.
        """
        if name not in self.parts:
            available = ", ".join(self.parts) or "none"
            raise NotReadyError(f"Release {self.version} has no part {name!r}. It has: {available}.")
        self._fetch(name)
        return self._place / "parts" / name

    def close(self) -> None:
        """Let the release be pruned. Nothing can be asked of it afterwards; closing twice is no error."""
        self._resources.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()


class Releases:
    """The releases of a home. Every method that writes is for the holder of the home's lock."""

    def __init__(self, directory: Path, registry: Registry, tables: TableStore) -> None:
        self._directory = directory
        self._registry = registry
        self._tables = tables
        self._shared = tables if isinstance(tables, SharedParts) else None
        self._copies = None if self._shared is None else Copies(directory / "copies", self._shared)

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

        ``parts`` are whole artifacts by name; ``inputs`` are the fingerprints of all that goes in. If the active
        release (the newest one under a pin) was made from the same, nothing is published. Raises ArtifactError where
        the input does not fit together or is damaged, StorageError where the disk fails, BusyError where another home
        publishes to the same store; no other release is touched.
        """
        identity = Identity(kind="release", version=LAYOUT, inputs=dict(inputs), settings=dict(settings or {}))
        active = self._readable_active()
        if active is not None:
            same = self.versions()[-1] if active.pinned else active.version
            if self._is_whole(same, identity.fingerprint):
                return Published(same, same == active.version)
        with self._registry.claimed():
            self._remove_unregistered()
            number = max((number_of(version) for version in {*self.versions(), *self._written()}), default=0) + 1
            version = Version(f"{number:06d}-{identity.fingerprint[:12]}")
            try:
                rows = self._tables.write(version, catalogue, tables)
                with writing(self._place(version), identity) as draft:
                    draft.rows.update(rows)
                    for name, source in parts.items():
                        _include(name, source, draft)
                if self._shared is not None:
                    place = self._place(version)
                    self._shared.save_files(version, place, [*read_manifest(place).files, MANIFEST])
                return Published(version, self._registry.add(version))
            except BaseException:
                with contextlib.suppress(Exception):
                    self._remove_unregistered()
                raise

    def versions(self) -> list[Version]:
        """Return every release, oldest first."""
        return self._registry.versions()

    def active(self) -> Active:
        """Return the active release and whether it is pinned; NotReadyError before the first one."""
        active = self._registry.active()
        while self._copies is None and not self._place(active.version).is_dir():
            # Perhaps another one was made active, and this one pruned, since the registry was read.
            before, active = active, self._registry.active()
            if active == before:
                raise ArtifactError(f"The active release, {active.version}, is missing. {_REMEDY}")
        return active

    def verify(self, version: Version | None = None) -> Manifest:
        """Read every byte of a release (the active one by default); ArtifactError names what is damaged."""
        version = self.active().version if version is None else version
        with self._kept(version) as place:
            for name in _part_names(read_manifest(place)):
                self._fetch(version, name)
            manifest = verify(place)
            self._tables.verify(version)
            return manifest

    def verify_unless_removed(self, version: Version) -> Manifest | None:
        """Return the result of `verify`; None if another process removes the release first."""
        try:
            return self.verify(version)
        except ArtifactError:
            if version in self.versions():
                raise
            return None

    def activate(self, version: Version) -> None:
        """Verify ``version``, make it active and pin it: newer releases are not served until `unpin`."""
        self.verify(version)
        self._registry.activate(version, pinned=True)

    def roll_back(self) -> Version:
        """Activate the newest whole release that is older than the active one, pin it, and return it.

        Where the record of the active release is damaged, that is the newest whole release of all. Raises NotReadyError
        if there is none.
        """
        older = self.versions()
        with contextlib.suppress(ArtifactError):
            active = number_of(self.active().version)
            older = [version for version in older if number_of(version) < active]
        return self._activate_newest(older, "There is no earlier whole release to go back to.", pinned=True)

    def unpin(self) -> Version:
        """Activate the newest whole release, without a pin, and return it; NotReadyError if there is none."""
        return self._activate_newest(self.versions(), "There is no whole release to activate.", pinned=False)

    def withdraw(self, version: Version) -> bool:
        """Remove a release that a newer one stands for, and return whether it is gone: not while a reader has it open.

        Raises ArtifactError for the active release.
        """
        return self._remove(version)

    def sources(self, version: Version) -> set[str]:
        """Return the fingerprints and checksums of what the parts of a release were made from, besides each other."""
        place = self._existing(version)
        names = _part_names(read_manifest(place))
        for name in names:
            self._fetch(version, name)
        parts = [read_manifest(place / "parts" / name) for name in names]
        made_from = {source for part in parts for source in part.identity.inputs.values()}
        return made_from - {part.fingerprint for part in parts}

    def retire(self, versions: Collection[Version], patience: float = PATIENCE) -> None:
        """Remove ``versions`` for good, even the active one, and what killed processes left of others.

        The newest whole release that stays becomes the active one, without a pin; if there is none, none is active.
        Whoever has one of ``versions`` open gets ``patience`` seconds to turn to another release, and may fail then.
        """
        with self._registry.claimed():
            self._remove_unregistered()
        active = self._readable_active()
        if active is not None and active.version in versions:
            try:
                stay = [version for version in self.versions() if version not in versions]
                self._activate_newest(stay, "No release stays.", pinned=False)
            except NotReadyError:
                self._registry.deactivate()
        deadline = time.monotonic() + patience
        for version in set(versions) & self._written():
            self._remove(version, deadline)

    def prune(self, keep: int) -> list[Version]:
        """Remove all but the ``keep`` newest releases and return those removed, oldest first.

        The active one, and those that a reader has open, stay in any case.
        """
        active = self._readable_active()
        if active is None:
            # Any release could be the one that is active, or that a person wants to go back to.
            return []
        with contextlib.suppress(BusyError), self._registry.claimed():
            self._remove_unregistered()
        older = self.versions()[: -max(keep, 1)]
        return [version for version in older if version != active.version and self._remove(version)]

    def open(self, version: Version | None = None) -> Release:
        """Open a release (the active one by default); NotReadyError before the first one."""
        while version is None:
            active = self.active().version
            try:
                return self._opened(active)
            except ArtifactError:
                # Perhaps another one was made active, and this one pruned, before it could be opened.
                if self.active().version == active:
                    raise
        return self._opened(version)

    def _opened(self, version: Version) -> Release:
        with contextlib.ExitStack() as resources:
            place = resources.enter_context(self._kept(version))
            manifest = read_manifest(place)
            tables = self._tables.open(version)
            resources.callback(tables.close)
            if self._copies is not None:
                self._copies.sweep(self.versions())
            fetch = functools.partial(self._fetch, version)
            return Release(version, manifest, tables, _part_names(manifest), place, fetch, resources.pop_all())

    @contextlib.contextmanager
    def _kept(self, version: Version) -> Iterator[Path]:
        """Yield the directory of ``version``, which is not pruned until the block ends."""
        place = self._existing(version)
        try:
            descriptor = os.open(place / MANIFEST, os.O_RDONLY)
        except OSError as error:
            raise ArtifactError(f"{place} cannot be opened: {error.strerror}. {_REMEDY}") from error
        try:
            # A release is not pruned while its manifest is locked.
            fcntl.flock(descriptor, fcntl.LOCK_SH)
            if not place.is_dir():
                raise ArtifactError(f"{place} was removed while it was being opened. Open the active release instead.")
            yield place
        finally:
            os.close(descriptor)

    def _place(self, version: Version) -> Path:
        """Return the directory of ``version``; ArtifactError if that is not the name of a release."""
        number_of(version)
        return self._directory / version

    def _fetch(self, version: Version, name: str) -> None:
        """See that the part ``name`` of ``version`` is on this machine."""
        if self._copies is not None and not self._place(version).is_dir():
            self._copies.fetch(version, name)

    def _existing(self, version: Version) -> Path:
        """Return the directory of a release that exists: the one it was published to, else a copy."""
        place = self._place(version)
        if version not in self.versions():
            available = ", ".join(self.versions()) or "none"
            raise ArtifactError(f"There is no release {version}. There are: {available}.")
        return place if self._copies is None or place.is_dir() else self._copies.place(version)

    def _readable_active(self) -> Active | None:
        try:
            return self.active()
        except (NotReadyError, ArtifactError):
            return None

    def _is_whole(self, version: Version, fingerprint: str) -> bool:
        try:
            return version.endswith(fingerprint[:12]) and self.verify(version).fingerprint == fingerprint
        except ArtifactError:
            return False

    def _activate_newest(self, versions: Sequence[Version], none: str, *, pinned: bool) -> Version:
        """Activate the last whole release among ``versions``; NotReadyError, which says ``none``, if there is none."""
        for version in reversed(versions):
            with contextlib.suppress(ArtifactError):
                self.verify(version)
                self._registry.activate(version, pinned=pinned)
                return version
        raise NotReadyError(f"{none} Run `crossfade run` to make one.")

    def _written(self) -> set[Version]:
        """Return every version of which there is anything, registered or not."""
        return {*self._tables.versions(), *versions_among(self._directory)}

    def _remove_unregistered(self) -> None:
        """Remove what killed processes wrote of releases that they did not add, or no longer had removed."""
        for version in self._written() - set(self.versions()):
            self._remove(version)

    def _remove(self, version: Version, deadline: float | None = None) -> bool:
        """Remove a release unless a reader has it open; return whether it is gone.

        With a ``deadline`` (of `time.monotonic`) it is removed then in any case.
        """
        place = self._place(version)
        with contextlib.ExitStack() as resources:
            with contextlib.suppress(FileNotFoundError):
                descriptor = os.open(place / MANIFEST, os.O_RDONLY)
                resources.callback(os.close, descriptor)
                while True:
                    try:
                        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    except BlockingIOError:
                        if deadline is None:
                            return False
                        if time.monotonic() < deadline:
                            time.sleep(0.05)
                            continue
                    break
            # First it stops to exist; what remains of it after a kill is then unregistered.
            self._registry.remove(version)
            self._tables.drop(version)
            if place.is_dir():
                discard(place)
        return True


def _part_names(manifest: Manifest) -> tuple[str, ...]:
    return tuple(sorted({name.split("/")[1] for name in manifest.files}))


def _include(name: str, source: Path, draft: Draft) -> None:
    """Put all files of the artifact ``source`` at ``parts/<name>`` of a release, so that it stands on its own.

    They are linked where the file system can, since artifacts never change once they are written, and copied elsewhere.
    """
    if not _PART.fullmatch(name):
        raise ArtifactError(f"{name!r} cannot be the name of a part: small letters, digits, - and _ only.")
    manifest = verify(source)  # a release must not inherit damage
    part = f"parts/{name}"
    for empty in manifest.empty_directories:
        (draft.path / part / empty).mkdir(parents=True, exist_ok=True)
    link_or_copy(source / MANIFEST, draft.path / part / MANIFEST)
    for path, measured in manifest.files.items():
        if link_or_copy(source / path, draft.path / part / path):
            draft.verified[f"{part}/{path}"] = measured
