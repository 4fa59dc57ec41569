"""The store of one machine: releases registered in files, and one SQLite file with the tables of each.

releases/tables/000012-1f0c9a2b77de/    an artifact: release.sqlite
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from crossfade.core.artifacts import Identity, discard, verify, writing
from crossfade.core.catalogue import Catalogue
from crossfade.core.errors import ArtifactError
from crossfade.core.home import Home
from crossfade.core.tables import SurfaceTable
from crossfade.stores.contract import Version, number_of
from crossfade.stores.files import FileRegistry, versions_among
from crossfade.stores.sqlite_reading import SQLiteTables
from crossfade.stores.sqlite_schema import FILE, LAYOUT
from crossfade.stores.sqlite_writing import require_fit, write_release


class SQLiteTableStore:
    """A `crossfade.stores.contract.TableStore` below one ``directory``."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def versions(self) -> list[Version]:
        return sorted(versions_among(self._directory), key=number_of)

    def write(self, version: Version, catalogue: Catalogue, tables: Sequence[SurfaceTable]) -> Mapping[str, int]:
        require_fit(tables, catalogue)
        with writing(self._place(version), _identity(version)) as draft:
            draft.rows.update(write_release(draft.path / FILE, version, tables, catalogue))
        return draft.rows

    def open(self, version: Version) -> SQLiteTables:
        return SQLiteTables(self._place(version) / FILE, version)

    def verify(self, version: Version) -> None:
        place = self._place(version)
        if verify(place).identity != _identity(version):
            raise ArtifactError(f"{place} is not a release that this version of Crossfade reads. Run `crossfade run`.")

    def drop(self, version: Version) -> None:
        if self._place(version).is_dir():
            discard(self._place(version))

    def _place(self, version: Version) -> Path:
        number_of(version)
        return self._directory / version


def _identity(version: Version) -> Identity:
    return Identity(kind="tables", version=LAYOUT, inputs={"release": version})


def open_store(home: Home) -> tuple[FileRegistry, SQLiteTableStore]:
    """Return the registry and the tables of ``home``."""
    return FileRegistry(home.releases), SQLiteTableStore(home.releases / "tables")
