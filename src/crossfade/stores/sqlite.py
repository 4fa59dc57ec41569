"""Releases in files: one SQLite file a release, and the vector spaces beside it. The store of one machine."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from crossfade.core.artifacts import Draft, Identity, Manifest
from crossfade.core.catalogue import Catalogue
from crossfade.core.errors import ArtifactError
from crossfade.core.tables import SurfaceTable
from crossfade.stores.contract import Version
from crossfade.stores.releases import Releases, fill_with_spaces
from crossfade.stores.sqlite_reading import SQLiteReader
from crossfade.stores.sqlite_schema import FILE, LAYOUT
from crossfade.stores.sqlite_writing import require_fit, write_release


class SQLiteStore:
    """A `crossfade.stores.contract.ReleaseStore` below one directory, ``HOME/releases``."""

    def __init__(self, directory: Path) -> None:
        self._releases = Releases(directory)

    def publish(
        self,
        tables: Sequence[SurfaceTable],
        catalogue: Catalogue,
        *,
        spaces: Sequence[tuple[str, Path]] = (),
        inputs: Mapping[str, str],
        settings: Mapping[str, Any] | None = None,
    ) -> Version:
        require_fit(tables, catalogue)
        identity = Identity(kind="release", version=LAYOUT, inputs=dict(inputs), settings=dict(settings or {}))

        def fill(draft: Draft) -> None:
            names = [name for name, _ in spaces]
            draft.rows.update(write_release(draft.path / FILE, identity.fingerprint, tables, catalogue, names))
            fill_with_spaces(draft.path / "spaces", dict(spaces))

        return self._releases.add(identity, fill)

    def versions(self) -> list[Version]:
        return self._releases.versions()

    def current(self) -> Version:
        return self._releases.current()

    def verify(self, version: Version | None = None) -> Manifest:
        return self._releases.verify(version)

    def activate(self, version: Version) -> None:
        self._releases.activate(version)

    def roll_back(self) -> Version:
        return self._releases.roll_back()

    def prune(self, keep: int) -> list[Version]:
        return self._releases.prune(keep)

    def open(self, version: Version | None = None) -> SQLiteReader:
        while version is None:
            active = self.current()
            try:
                return SQLiteReader(self._releases, active)
            except ArtifactError:
                # Perhaps another one was made active, and this one pruned, before it could be held.
                if self.current() == active:
                    raise
        return SQLiteReader(self._releases, version)
