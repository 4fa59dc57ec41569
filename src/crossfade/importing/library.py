"""The imports of a home: which there are, where their tables lie, and how to take one out again."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from crossfade.core.artifacts import MANIFEST, Manifest, discard, read_manifest
from crossfade.core.errors import ArtifactError, UnknownIdError
from crossfade.core.home import Home
from crossfade.core.schemas import TABLES
from crossfade.importing.ledger import LEDGER, Ledger


@dataclass(frozen=True)
class Import:
    """One finished import below ``HOME/listens``."""

    name: str
    path: Path

    @cached_property
    def manifest(self) -> Manifest:
        """What it was made from, read once; ArtifactError if it cannot be read."""
        return read_manifest(self.path)

    @property
    def ledger(self) -> Ledger:
        """What it accepted and dropped; ArtifactError if it cannot be read."""
        try:
            return Ledger.from_json((self.path / LEDGER).read_bytes())
        except OSError as error:
            raise ArtifactError(f"{self.path / LEDGER} cannot be read: {error.strerror or error}") from error

    def files(self, table: str) -> list[Path]:
        """The Parquet files of a table of `schemas.TABLES`, in order; none if the import has no such rows."""
        if table not in TABLES:
            raise ValueError(f"{table!r} is not a table; schemas.TABLES has them")
        if table == "listens":
            return sorted((self.path / "listens").glob("part-*.parquet"))
        path = self.path / f"{table}.parquet"
        return [path] if path.is_file() else []


def imports(home: Home) -> list[Import]:
    """The finished imports, by name."""
    if not home.listens.is_dir():
        return []
    places = sorted(place for place in home.listens.iterdir() if not place.name.startswith("."))
    return [Import(place.name, place) for place in places if (place / MANIFEST).is_file()]


def find_import(home: Home, name: str) -> Import:
    """The import called ``name``; UnknownIdError, with the names there are, if there is none."""
    known = imports(home)
    for one in known:
        if one.name == name:
            return one
    raise UnknownIdError(f"There is no import {name!r}.", suggestions=tuple(one.name for one in known))


def imports_of(home: Home) -> list[Path]:
    """Where the finished imports lie, by name."""
    return [one.path for one in imports(home)]


def tables_of(home: Home, names: Collection[str] | None = None) -> dict[str, list[Path]]:
    """For every table of `schemas.TABLES` its Parquet files over all imports, or those of these ``names``, in order."""
    known = [one for one in imports(home) if names is None or one.name in names]
    return {table: [path for one in known for path in one.files(table)] for table in TABLES}


def delete_import(home: Home, name: str) -> None:
    """Take the import called ``name`` out of the home.

    Rows that later imports held too were dropped from those as duplicates, and go with it: import their
    files again to have them. Raises UnknownIdError if there is none of that name.
    """
    with home.locked("forget"):
        discard(find_import(home, name).path)


def listens_of_buckets(place: Path, first: int, last: int, users: pa.Array) -> Iterator[pa.Table]:
    """The listens of ``users`` (sorted) in an import, as far as they fall into the buckets ``first`` to ``last``.

    Only the columns user_id, listened_at, artist_id and track_id. Parts are named by the buckets they hold, and
    rows are in the order of users, so little else is read.
    """
    least, most = users[0].as_py(), users[-1].as_py()
    for path in sorted((place / "listens").glob("part-*.parquet")):
        begins, ends = (int(number) for number in path.stem.split("-")[1:])
        if ends < first or begins > last:
            continue
        with pq.ParquetFile(path) as file:
            column = file.schema_arrow.get_field_index("user_id")
            wanted = []
            for number in range(file.metadata.num_row_groups):
                said = file.metadata.row_group(number).column(column).statistics
                # Long texts have no statistics, or shortened ones that still bound them.
                if said is None or not said.has_min_max or (said.max >= least and said.min <= most):
                    wanted.append(number)
            for number in wanted:
                rows = file.read_row_group(number, columns=["user_id", "listened_at", "artist_id", "track_id"])
                yield rows.filter(pc.is_in(rows["user_id"], value_set=users))
