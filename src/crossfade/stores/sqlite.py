"""The store of one machine: releases registered in files, and one SQLite file with the tables of each.

releases/tables/000012-1f0c9a2b77de/    an artifact: release.sqlite

Releases of equal content share one file, as the early and the complete release of a run do.
"""

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from crossfade.core.artifacts import Draft, Identity, Manifest, discard, link_or_copy, read_manifest, verify, writing
from crossfade.core.catalogue import Catalogue
from crossfade.core.errors import ArtifactError
from crossfade.core.home import Home
from crossfade.core.tables import SurfaceTable
from crossfade.stores.contract import Version, number_of
from crossfade.stores.files import FileRegistry, versions_among
from crossfade.stores.sqlite_reading import SQLiteTables
from crossfade.stores.sqlite_schema import FILE, LAYOUT
from crossfade.stores.sqlite_writing import content_digest, require_fit, write_release


class SQLiteTableStore:
    """A `crossfade.stores.contract.TableStore` below one ``directory``."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def versions(self) -> list[Version]:
        return sorted(versions_among(self._directory), key=number_of)

    def write(self, version: Version, catalogue: Catalogue, tables: Sequence[SurfaceTable]) -> Mapping[str, int]:
        require_fit(tables, catalogue)
        content = content_digest(tables, catalogue)
        with writing(self._place(version), _identity(version, content)) as draft:
            if not self._shared(draft, content):
                draft.rows.update(write_release(draft.path / FILE, content, tables, catalogue))
        return draft.rows

    def open(self, version: Version) -> SQLiteTables:
        place = self._place(version)
        return SQLiteTables(place / FILE, version, _content(version, place, read_manifest(place)))

    def verify(self, version: Version) -> None:
        place = self._place(version)
        _content(version, place, verify(place))

    def drop(self, version: Version) -> None:
        if self._place(version).is_dir():
            discard(self._place(version))

    def _shared(self, draft: Draft, content: str) -> bool:
        """Put the file of a release of this ``content`` into ``draft``; return whether there is a whole one."""
        for version in reversed(self.versions()):
            place = self._place(version)
            with contextlib.suppress(ArtifactError):
                if _content(version, place, read_manifest(place)) == content:
                    manifest = verify(place)
                    if link_or_copy(place / FILE, draft.path / FILE):
                        draft.verified[FILE] = manifest.files[FILE]
                    draft.rows.update(manifest.rows)
                    return True
        return False

    def _place(self, version: Version) -> Path:
        number_of(version)
        return self._directory / version


def _identity(version: Version, content: str) -> Identity:
    return Identity(kind="tables", version=LAYOUT, inputs={"release": version, "content": content})


def _content(version: Version, place: Path, manifest: Manifest) -> str:
    """Return the digest of the content of ``version``; ArtifactError if ``manifest`` is of something else."""
    content = manifest.identity.inputs.get("content", "")
    if manifest.identity != _identity(version, content):
        raise ArtifactError(f"{place} is not a release that this version of Crossfade reads. Run `crossfade run`.")
    return content


def open_store(home: Home, settings: object) -> tuple[FileRegistry, SQLiteTableStore]:
    """Return the registry and the tables of ``home``."""
    return FileRegistry(home.releases), SQLiteTableStore(home.releases / "tables")
