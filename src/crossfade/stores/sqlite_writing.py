"""Writing ``release.sqlite``: every table in the order of its key, so that equal releases are equal bytes."""

import contextlib
import hashlib
import json
import sqlite3
from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from crossfade.core.catalogue import Catalogue, Items
from crossfade.core.errors import ArtifactError, StorageError
from crossfade.core.ids import MISSING, Ids
from crossfade.core.kinds import KINDS
from crossfade.core.names import folded
from crossfade.core.tables import EVERYONE, USER, SurfaceTable
from crossfade.core.texts import Texts
from crossfade.core.version import __version__
from crossfade.stores.matching import name_digest, postings, spoken
from crossfade.stores.sqlite_schema import (
    APPLICATION_ID,
    BLOB_TYPES,
    COLUMN_TYPES,
    LAYOUT,
    PAGE_BYTES,
    TABLE_NAME,
    TABLES,
    TABLES_OF_A_KIND,
    list_table,
)


def require_fit(tables: Sequence[SurfaceTable], catalogue: Catalogue) -> None:
    """Raise ArtifactError unless all items, reasons and keys of the tables are in the catalogue."""
    names = [table.name for table in tables]
    if not names or len(set(names)) != len(names):
        raise ArtifactError(f"A release has one table or more, each of another name, not {names}.")
    for table in tables:
        if not TABLE_NAME.fullmatch(table.name):
            raise ArtifactError(f"{table.name!r} cannot be the name of a table: small letters, digits, - and _ only.")
        if missing := {table.kind, table.reason_kind, table.key} - {None, USER, *catalogue}:
            raise ArtifactError(f"{table.name} is about the kind {min(missing)!r}, and the catalogue has none.")  # type: ignore[type-var]
        _require_rows(table.items, 0, catalogue, table.kind, f"{table.name}: items")
        if "reason" in table.columns:
            reasons = table.columns["reason"]
            _require_rows(reasons, MISSING, catalogue, table.reason_kind, f"{table.name}: reasons")
        if table.key != USER and np.any(catalogue[table.key].ids.rows_of_arrow(table.keys.to_arrow()) == MISSING):
            raise ArtifactError(f"{table.name} has a key that is not among the catalogue's {KINDS[table.key].plural}.")
    for kind, items in catalogue.items():
        if items.parents is not None:
            _require_rows(items.parents, MISSING, catalogue, KINDS[kind].parent, f"the parents of {KINDS[kind].plural}")


def content_digest(tables: Sequence[SurfaceTable], catalogue: Catalogue) -> str:
    """Return a digest of all that this version of Crossfade writes a file from: equal digests give equal bytes."""
    digest = hashlib.blake2b(f"{__version__} {LAYOUT}".encode(), digest_size=16)

    def add(name: str, part: Any) -> None:
        if not isinstance(part, np.ndarray | Texts):
            part = Texts.of(part)
        for values in part.arrays if isinstance(part, Texts) else (part,):
            digest.update(f"\n{name} {values.dtype.str} {values.shape}\n".encode())
            digest.update(np.ascontiguousarray(values).data)

    for kind, items in catalogue.items():
        parents = {} if items.parents is None else {"parents": items.parents}
        columns = {"ids": items.ids, "names": items.names, "listeners": items.listeners, "plays": items.plays}
        for name, column in {**columns, **parents, **items.fields}.items():
            add(f"{kind} {name}", column)
    for table in sorted(tables, key=lambda table: table.name):
        described = f"{table.surface} {table.kind} {table.key} {table.reason_kind}"
        parts = {"keys": table.keys, "indptr": table.indptr, "items": table.items, **table.columns}
        for name, part in sorted(parts.items()):
            add(f"{described} {name}", part)
    return digest.hexdigest()


def write_release(path: Path, content: str, tables: Sequence[SurfaceTable], catalogue: Catalogue) -> dict[str, int]:
    """Write a new file at ``path`` and return the number of rows of each table; ``content`` is their digest.

    Raises StorageError when the disk is full or fails, ArtifactError if SQLite finds its own file damaged.
    """
    with translated_errors(path), contextlib.closing(sqlite3.connect(path, isolation_level=None)) as database:
        # No journal: a file that was not finished is thrown away, never repaired.
        for setting in (
            f"page_size = {PAGE_BYTES}",
            "journal_mode = OFF",
            "synchronous = OFF",
            "locking_mode = EXCLUSIVE",
            "cache_size = -65536",
            f"application_id = {APPLICATION_ID}",
            f"user_version = {LAYOUT}",
        ):
            database.execute(f"PRAGMA {setting}")
        database.execute("BEGIN")
        _create(database, TABLES)
        rows = {KINDS[kind].plural: len(items) for kind, items in catalogue.items()}
        names = {kind: [folded(name) for name in items.names] for kind, items in catalogue.items()}
        for kind, items in catalogue.items():
            _write_items(database, items, names[kind], names.get(KINDS[kind].parent or "", []))
        rows["users"] = _write_users(database, tables)
        for table in sorted(tables, key=lambda table: table.name):
            rows[table.name] = _write_table(database, table)
        _write_meta(database, content, tables, catalogue)
        database.execute("COMMIT")
        (verdict,) = database.execute("PRAGMA quick_check(1)").fetchone()
        if verdict != "ok":
            raise ArtifactError(f"{path} came out damaged: {verdict}. Check the disk and run the same command again.")
    return rows


@contextlib.contextmanager
def translated_errors(path: Path) -> Iterator[None]:
    """Turn what SQLite reports of the disk into a StorageError, and of a file's content into an ArtifactError."""
    try:
        yield
    except sqlite3.ProgrammingError:
        raise
    except sqlite3.Error as error:
        # The lower eight bits are the kind of the error, the others its finer cause.
        code = (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF
        if code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY):
            raise StorageError(
                f"{path}: the disk is full or failing ({error}). Free some space and run the same command again; "
                "the previous content is untouched."
            ) from error
        raise ArtifactError(f"{path} cannot be read: {error}. Run `crossfade verify`.") from error


def _create(database: sqlite3.Connection, statements: str) -> None:
    # Not executescript(), which would end the transaction first.
    for statement in statements.split(";"):
        if statement.strip():
            database.execute(statement)


def _insert(database: sqlite3.Connection, table: str, rows: Iterable[Sequence[object]], columns: int) -> None:
    database.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * columns)})", rows)  # noqa: S608


def _write_items(database: sqlite3.Connection, items: Items, names: Sequence[str], parents: Sequence[str]) -> None:
    """Write the items of a kind, and make them findable by name; ``names`` and ``parents``' names are folded."""
    kind = KINDS[items.kind]
    fields = "".join(f", {field.name} {COLUMN_TYPES[field.type]}" for field in kind.fields)
    _create(database, TABLES_OF_A_KIND.format(kind=kind.name, fields=fields))
    parent_rows = [MISSING] * len(items) if items.parents is None else items.parents.tolist()
    columns = [
        range(len(items)),
        items.ids,
        items.names,
        names,
        items.listeners.tolist(),
        items.plays.tolist(),
        (None if row == MISSING else row for row in parent_rows),
        *((value or None for value in _plain(items.fields[field.name])) for field in kind.fields),
    ]
    _insert(database, f"{kind.name}_items", zip(*columns, strict=True), len(columns))
    full = [
        spoken(name, None if row == MISSING else parents[row]) for name, row in zip(names, parent_rows, strict=True)
    ]
    _write_names(database, items, full)


def _write_names(database: sqlite3.Connection, items: Items, names: Sequence[tuple[str, ...]]) -> None:
    """Make each item findable by all its ``names`` as a whole, and by the grams of the last one."""
    order = np.lexsort((np.arange(len(items)), -items.plays, -items.listeners)).tolist()
    _insert(database, f"{items.kind}_ranks", enumerate(order), 2)
    digests, ranks = array("q"), array("q")
    for rank, row in enumerate(order):
        for digest in {name_digest(name) for name in names[row]}:
            digests.append(digest)
            ranks.append(rank)
    by_digest = np.lexsort((ranks, digests)).tolist()
    _insert(database, f"{items.kind}_names", ((digests[place], ranks[place]) for place in by_digest), 2)
    found = postings([names[row][-1] for row in order])
    blobs = ((gram, having.astype(BLOB_TYPES["items"]).tobytes()) for gram, having in found)
    _insert(database, f"{items.kind}_grams", blobs, 2)


def _write_users(database: sqlite3.Connection, tables: Iterable[SurfaceTable]) -> int:
    ids = Ids.of(user for table in tables if table.key == USER for user in table.keys if user != EVERYONE)
    bare = [user.partition(":")[2] or user for user in ids]
    _insert(database, "users", zip(ids, bare, strict=True), 2)
    _insert(database, "bare_users", sorted(zip(bare, ids, strict=True)), 2)
    return len(ids)


def _write_table(database: sqlite3.Connection, table: SurfaceTable) -> int:
    columns = ["items", *sorted(table.columns)]
    blobs = "".join(f", {column} BLOB NOT NULL" for column in columns)
    database.execute(f"CREATE TABLE {list_table(table.name)} (key TEXT PRIMARY KEY{blobs})")
    values = {"items": table.items, **table.columns}
    blobs_of = [_blobs(np.asarray(values[column], dtype=BLOB_TYPES[column]), table.indptr) for column in columns]
    rows = zip(table.keys, *blobs_of, strict=True)
    _insert(database, list_table(table.name), rows, len(columns) + 1)
    return len(table.items)


def _blobs(array: np.ndarray, offsets: np.ndarray) -> Iterator[memoryview]:
    """Yield the bytes of each list of ``array``, which begin at ``offsets``."""
    content, ends = np.ascontiguousarray(array).view(np.uint8).data, (offsets * array.itemsize).tolist()
    return (content[start:end] for start, end in pairwise(ends))


def _write_meta(
    database: sqlite3.Connection, content: str, tables: Sequence[SurfaceTable], catalogue: Catalogue
) -> None:
    described = {
        "content": content,
        "kinds": {
            kind: {"parent": parent if (parent := KINDS[kind].parent) in catalogue else None, "fields": [*items.fields]}
            for kind, items in catalogue.items()
        },
        "tables": [
            {name: getattr(table, name) for name in ("name", "surface", "key", "kind", "reason_kind")}
            | {"columns": sorted(table.columns), "keys": len(table.keys)}
            for table in sorted(tables, key=lambda table: table.name)
        ],
    }
    _insert(database, "meta", ((key, json.dumps(value)) for key, value in sorted(described.items())), 2)


def _plain(values: Sequence[str] | np.ndarray) -> Iterable[str | int]:
    """Return values that SQLite can store."""
    return values.tolist() if isinstance(values, np.ndarray) else values


def _require_rows(rows: np.ndarray, lowest: int, catalogue: Catalogue, kind: str | None, what: str) -> None:
    """Raise ArtifactError unless all ``rows`` are between ``lowest`` and the last item of ``kind``."""
    count = len(catalogue[kind]) if kind in catalogue and kind is not None else 0
    if len(rows) and (int(rows.min()) < lowest or int(rows.max()) >= count):
        raise ArtifactError(f"{what} point to rows {rows.min()} to {rows.max()}, and there are {count}.")
