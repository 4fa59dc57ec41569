"""Writing ``release.sqlite``: every table in the order of its key, so that equal releases are equal bytes."""

import contextlib
import json
import sqlite3
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from crossfade.core.catalogue import Artists, Catalogue, Tracks
from crossfade.core.errors import ArtifactError, StorageError
from crossfade.core.ids import MISSING, Ids, ItemKind
from crossfade.core.names import folded
from crossfade.core.tables import EVERYONE, SurfaceTable
from crossfade.stores.matching import grams, name_digest
from crossfade.stores.sqlite_schema import (
    APPLICATION_ID,
    BLOB_TYPES,
    LAYOUT,
    PAGE_BYTES,
    SURFACE_NAME,
    TABLES,
    TABLES_OF_A_KIND,
    surface_table,
)


def require_fit(tables: Sequence[SurfaceTable], catalogue: Catalogue) -> None:
    """Raise ArtifactError unless every table speaks of items, reasons and keys that the catalogue has."""
    names = [table.name for table in tables]
    if not names or len(set(names)) != len(names):
        raise ArtifactError(f"A release holds one table or more, each of another name, not {names}.")
    ids: dict[str, Ids] = {"artist": catalogue.artists.ids}
    if catalogue.tracks is not None:
        ids["track"] = catalogue.tracks.ids
    for table in tables:
        if not SURFACE_NAME.fullmatch(table.name):
            raise ArtifactError(f"{table.name!r} cannot be the name of a surface: small letters, digits, - and _ only.")
        if table.kind not in ids:
            raise ArtifactError(f"{table.name} lists {table.kind}s, and the catalogue has none.")
        _require_rows(table.items, 0, len(ids[table.kind]), f"{table.name}: items")
        if "reason" in table.columns:
            _require_rows(table.columns["reason"], MISSING, len(ids[catalogue.reason_kind]), f"{table.name}: reasons")
        if table.key in ids and np.any(ids[table.key].rows(table.keys, missing="mark") == MISSING):
            raise ArtifactError(f"{table.name} has a key that is not among the catalogue's {table.key}s.")


def write_release(
    path: Path, fingerprint: str, tables: Sequence[SurfaceTable], catalogue: Catalogue, spaces: Sequence[str]
) -> dict[str, int]:
    """Write a new file at ``path`` and give the rows of each table.

    ``spaces`` are the names of the vector spaces that lie beside it. Raises StorageError when the disk is
    full or fails, ArtifactError if SQLite finds its own file unsound.
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
        rows = {"artists": _write_artists(database, catalogue.artists)}
        if catalogue.tracks is not None:
            rows["tracks"] = _write_tracks(database, catalogue.tracks, catalogue.artists)
        rows["users"] = _write_users(database, tables)
        for table in sorted(tables, key=lambda table: table.name):
            rows[table.name] = _write_surface(database, table)
        _write_meta(database, fingerprint, tables, catalogue, spaces)
        database.execute("COMMIT")
        (verdict,) = database.execute("PRAGMA quick_check(1)").fetchone()
        if verdict != "ok":
            raise ArtifactError(f"{path} came out damaged: {verdict}. Check the disk and run the same command again.")
    return rows


@contextlib.contextmanager
def translated_errors(path: Path) -> Iterator[None]:
    """Turn what SQLite says of the disk into a StorageError, and of a file's content into an ArtifactError."""
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
                "what was there before is untouched."
            ) from error
        raise ArtifactError(f"{path} cannot be read: {error}. Run `crossfade verify`.") from error


def _create(database: sqlite3.Connection, statements: str) -> None:
    # Not executescript(), which would end the transaction first.
    for statement in statements.split(";"):
        if statement.strip():
            database.execute(statement)


def _write_artists(database: sqlite3.Connection, artists: Artists) -> int:
    texts = [folded(name) for name in artists.names]
    database.executemany(
        "INSERT INTO artists VALUES (?, ?, ?, ?, ?, ?)",
        zip(
            range(len(artists.ids)),
            artists.ids,
            artists.names,
            texts,
            artists.listeners.tolist(),
            artists.plays.tolist(),
            strict=True,
        ),
    )
    _write_names(database, "artist", artists, [(text,) for text in texts], texts)
    return len(artists.ids)


def _write_tracks(database: sqlite3.Connection, tracks: Tracks, artists: Artists) -> int:
    _require_rows(tracks.artist_rows, MISSING, len(artists.ids), "the artists of tracks")
    titles = [folded(title) for title in tracks.titles]
    by = tracks.artist_rows.tolist()
    database.executemany(
        "INSERT INTO tracks VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        zip(
            range(len(tracks.ids)),
            tracks.ids,
            tracks.titles,
            titles,
            tracks.listeners.tolist(),
            tracks.plays.tolist(),
            (None if artist == MISSING else artist for artist in by),
            (album or None for album in tracks.albums),
            (milliseconds or None for milliseconds in tracks.track_ms.tolist()),
            strict=True,
        ),
    )
    names = [folded(name) for name in artists.names]
    texts = [
        title if artist == MISSING else f"{title} {names[artist]}" for title, artist in zip(titles, by, strict=True)
    ]
    # People name a track by its title, and by title and artist in either order.
    spoken = [
        (title,) if artist == MISSING else (title, f"{title} {names[artist]}", f"{names[artist]} {title}")
        for title, artist in zip(titles, by, strict=True)
    ]
    _write_names(database, "track", tracks, spoken, texts)
    return len(tracks.ids)


def _write_names(
    database: sqlite3.Connection,
    kind: ItemKind,
    items: Artists | Tracks,
    spoken: Sequence[tuple[str, ...]],
    texts: Sequence[str],
) -> None:
    """Make the items findable: each by its ``spoken`` names as a whole, and by the grams of its text."""
    _create(database, TABLES_OF_A_KIND.format(kind=kind))
    order = np.lexsort((np.arange(len(items.ids)), -items.plays, -items.listeners)).tolist()
    database.executemany(f"INSERT INTO {kind}_ranks VALUES (?, ?)", enumerate(order))  # noqa: S608
    digests, ranks = array("q"), array("q")
    for rank, row in enumerate(order):
        for digest in {name_digest(name) for name in spoken[row]}:
            digests.append(digest)
            ranks.append(rank)
    by_digest = np.lexsort((ranks, digests))
    database.executemany(
        f"INSERT INTO {kind}_names VALUES (?, ?)",  # noqa: S608
        ((digests[place], ranks[place]) for place in by_digest.tolist()),
    )
    posted: dict[str, array[int]] = {}
    for rank, row in enumerate(order):
        for gram in grams(texts[row]):
            posted.setdefault(gram, array("i")).append(rank)
    database.executemany(
        f"INSERT INTO {kind}_grams VALUES (?, ?)",  # noqa: S608
        ((gram, np.array(posted[gram], dtype="<i4").tobytes()) for gram in sorted(posted)),
    )


def _write_users(database: sqlite3.Connection, tables: Iterable[SurfaceTable]) -> int:
    ids = Ids.of(user for table in tables if table.key == "user" for user in table.keys if user != EVERYONE)
    bare = [user.partition(":")[2] or user for user in ids]
    database.executemany("INSERT INTO users VALUES (?, ?)", zip(ids, bare, strict=True))
    database.executemany("INSERT INTO bare_users VALUES (?, ?)", sorted(zip(bare, ids, strict=True)))
    return len(ids)


def _write_surface(database: sqlite3.Connection, table: SurfaceTable) -> int:
    columns = ["items", *sorted(table.columns)]
    blobs = "".join(f", {column} BLOB NOT NULL" for column in columns)
    database.execute(f"CREATE TABLE {surface_table(table.name)} (key TEXT PRIMARY KEY{blobs})")
    arrays = [np.asarray(table.items, dtype=BLOB_TYPES["items"])]
    arrays += [np.asarray(table.columns[column], dtype=BLOB_TYPES[column]) for column in columns[1:]]
    marks = ", ".join("?" * (len(columns) + 1))
    database.executemany(
        f"INSERT INTO {surface_table(table.name)} VALUES ({marks})",  # noqa: S608
        (
            (key, *(values[span].tobytes() for values in arrays))
            for key, span in zip(table.keys, map(table.of_key, range(len(table.keys))), strict=True)
        ),
    )
    return len(table.items)


def _write_meta(
    database: sqlite3.Connection,
    fingerprint: str,
    tables: Sequence[SurfaceTable],
    catalogue: Catalogue,
    spaces: Sequence[str],
) -> None:
    surfaces: Mapping[str, Mapping[str, object]] = {
        table.name: {"key": table.key, "kind": table.kind, "columns": sorted(table.columns), "keys": len(table.keys)}
        for table in tables
    }
    said = {
        "fingerprint": fingerprint,
        "reason_kind": catalogue.reason_kind,
        "kinds": json.dumps(["artist"] if catalogue.tracks is None else ["artist", "track"]),
        "spaces": json.dumps(sorted(spaces)),
        "surfaces": json.dumps(surfaces, sort_keys=True),
    }
    database.executemany("INSERT INTO meta VALUES (?, ?)", sorted(said.items()))


def _require_rows(rows: np.ndarray, lowest: int, count: int, what: str) -> None:
    if len(rows) and (int(rows.min()) < lowest or int(rows.max()) >= count):
        raise ArtifactError(f"{what} point to rows {rows.min()} to {rows.max()}, and there are {count}.")
