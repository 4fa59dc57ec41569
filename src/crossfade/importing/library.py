"""The imports of a home: their names, their tables, and the users that they name."""

import contextlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from crossfade.core.artifacts import MANIFEST, Manifest, read_manifest
from crossfade.core.buckets import may_have
from crossfade.core.errors import ArtifactError
from crossfade.core.home import Home
from crossfade.core.schemas import LISTENS, TABLES
from crossfade.importing.ledger import DEFAULT_USER, LEDGER, Ledger

TIME = LISTENS.field("listened_at").type
_BOUNDED = ("listened_at", "user_id")
VERSION = 2  # of an import's tables: items by kind
INVENTED = "invented"  # the setting in the identity of an import that was made from no files

PEOPLE: Mapping[str, tuple[str, ...]] = {
    "listens": ("user_id",),
    "counts": ("user_id",),
    "feedback": ("user_id",),
    "friends": ("user_id", "friend_id"),
    "playlists": ("owner",),
}
"""The columns of each table that name users."""


@dataclass(frozen=True)
class Import:
    """One finished import below ``HOME/listens``."""

    name: str
    path: Path

    @cached_property
    def manifest(self) -> Manifest:
        """The inputs and settings it was made from; ArtifactError if they cannot be read."""
        return read_manifest(self.path)

    @property
    def readable(self) -> bool:
        """Whether its tables have the columns of this version of Crossfade."""
        return self.manifest.identity.version == VERSION

    @property
    def invented(self) -> bool:
        """Whether its listeners are invented, as those of the demo world are."""
        return bool(self.manifest.identity.settings.get(INVENTED))

    @property
    def ledger(self) -> Ledger:
        """The rows accepted and dropped; ArtifactError if they cannot be read."""
        try:
            return Ledger.from_json((self.path / LEDGER).read_bytes())
        except OSError as error:
            raise ArtifactError(f"{self.path / LEDGER} cannot be read: {error.strerror or error}") from error

    def files(self, table: str) -> list[Path]:
        """Return the Parquet files of a table of `schemas.TABLES`, in order; none if the import has no such rows.

        Raises ArtifactError if another version of Crossfade wrote them.
        """
        if table not in TABLES:
            raise ValueError(f"{table!r} is not a table; schemas.TABLES has them")
        if not self.readable:
            raise ArtifactError(
                f"The import {self.name!r} ({self.ledger.source}) is from another version of Crossfade and cannot be "
                f"read. Import the same files again, or remove it: crossfade forget {self.name}"
            )
        if table == "listens":
            return sorted((self.path / "listens").glob("part-*.parquet"))
        path = self.path / f"{table}.parquet"
        return [path] if path.is_file() else []


def imports(home: Home) -> list[Import]:
    """Return the finished imports, by name."""
    if not home.listens.is_dir():
        return []
    places = sorted(place for place in home.listens.iterdir() if not place.name.startswith("."))
    return [Import(place.name, place) for place in places if (place / MANIFEST).is_file()]


def tables_of(home: Home, names: Collection[str] | None = None) -> dict[str, list[Path]]:
    """Return the Parquet files of every table, of all imports or of those called ``names``, in a fixed order.

    Raises ArtifactError if another version of Crossfade made one of the imports.
    """
    chosen = [one for one in imports(home) if names is None or one.name in names]
    return {table: [path for one in chosen for path in one.files(table)] for table in TABLES}


def people_of(one: Import, tables: Collection[str] = tuple(PEOPLE), *, without: Collection[str] = ()) -> set[str]:
    """Return the ids of all users that ``tables`` name: who listened, owns a playlist, or has a friend or is one.

    Of rows about one of the users ``without``, nobody is named.
    """
    found: set[str] = set()
    left_out = pa.array(sorted(without), pa.string())
    for table, columns in ((table, list(PEOPLE[table])) for table in tables):
        for path in one.files(table):
            for rows in row_groups(path, columns, dictionaries=columns):
                for column in columns if without else ():
                    rows = rows.filter(pc.invert(pc.is_in(rows[column], value_set=left_out)))
                for column in columns:
                    found.update(pc.unique(rows[column]).drop_null().to_pylist())
    return found


def row_groups(
    path: Path, columns: Sequence[str] | None = None, *, dictionaries: Sequence[str] = ()
) -> Iterator[pa.Table]:
    """Yield the row groups of a table's file, of ``columns`` alone; those in ``dictionaries`` as such.

    Raises ArtifactError if the file is damaged.
    """
    try:
        with pq.ParquetFile(path, read_dictionary=list(dictionaries)) as file:
            for number in range(file.num_row_groups):
                yield file.read_row_group(number, columns=None if columns is None else list(columns))
    except (pa.ArrowException, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        why = str(error).splitlines()[0]
        raise ArtifactError(
            f"{path} cannot be read: {why}. Import its files again, or remove it with `crossfade forget`."
        ) from error


def users_of(home: Home) -> dict[str, list[str]]:
    """Return every user that an import names, or was imported for, with those imports; both sorted.

    Imports that cannot be read name nobody.
    """
    found: dict[str, list[str]] = {}
    for one in imports(home):
        with contextlib.suppress(ArtifactError):
            named = one.manifest.identity.settings.get("user", DEFAULT_USER)
            for user in people_of(one) | ({named} - {DEFAULT_USER}):
                found.setdefault(user, []).append(one.name)
    return dict(sorted(found.items()))


def listens_of_buckets(
    place: Path, first: int, last: int, users: pa.Array, times: tuple[int, int], more: Sequence[str] = ()
) -> Iterator[pa.Table]:
    """Yield the listens of ``users`` (sorted) in an import that are in the buckets ``first`` to ``last``.

    ``times`` are the first and the last time, in milliseconds since 1970; listens at other times are left out. Only the
    columns user_id, listened_at, kind and item_id, texts as dictionaries. Parts are named by their buckets, rows are in
    the order of users, and a new day comes after all that there was, so little else is read.
    """
    least, most = users[0].as_py(), users[-1].as_py()
    since, until = (pa.scalar(time, TIME) for time in times)
    for path in sorted((place / "listens").glob("part-*.parquet")):
        if not may_have(path, first, last):
            continue
        with pq.ParquetFile(path, read_dictionary=["user_id", "kind", "item_id"]) as file:
            for number in range(file.metadata.num_row_groups):
                group = file.metadata.row_group(number)
                bounds = {name: group.column(file.schema_arrow.get_field_index(name)).statistics for name in _BOUNDED}
                if not _within(bounds["listened_at"], since.as_py(), until.as_py()):
                    continue
                if not _within(bounds["user_id"], least, most):
                    continue
                rows = file.read_row_group(number, columns=["user_id", "listened_at", "kind", "item_id", *more])
                inside = pc.and_(
                    pc.greater_equal(rows["listened_at"], since), pc.less_equal(rows["listened_at"], until)
                )
                rows = rows.filter(inside)
                yield rows.filter(pc.is_in(rows["user_id"], value_set=users))


def _within(bounds: pq.Statistics | None, least: Any, most: Any) -> bool:
    """Return whether a column with these statistics can have a value from ``least`` to ``most``."""
    # Long texts have no statistics, or shortened ones that still bound them.
    return bounds is None or not bounds.has_min_max or (bounds.max >= least and bounds.min <= most)
