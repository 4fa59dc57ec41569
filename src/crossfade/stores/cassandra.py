"""The store of a cluster: releases in Cassandra, each in tables of its own.

A release is loaded into new tables, read back, and gets its meta block last, without which it does not exist. Recording
it and making it active is one lightweight transaction. Releases that go are dropped by table, which leaves no
tombstones. A keyspace has one library, and one home at a time publishes to it.
"""

import contextlib
import json
import logging
import socket
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import count, pairwise
from pathlib import Path
from typing import Any, NamedTuple

from crossfade.core.artifacts import translated_storage_errors
from crossfade.core.catalogue import Catalogue
from crossfade.core.errors import ArtifactError, NotReadyError, UnavailableError
from crossfade.core.home import Home
from crossfade.core.tables import SurfaceTable
from crossfade.stores.cassandra_claim import claimed
from crossfade.stores.cassandra_reading import CassandraTables
from crossfade.stores.cassandra_schema import (
    BLOCKS,
    LAYOUT,
    LISTS,
    META,
    PARTS,
    PIECE_BYTES,
    PIECES_AT_ONCE,
    REGISTRY,
    table_of,
    versions_among,
)
from crossfade.stores.cassandra_session import CassandraSession, NoTableError, session_of
from crossfade.stores.cassandra_settings import CassandraSettings
from crossfade.stores.cassandra_writing import NOTHING, Contents, Sum, Values
from crossfade.stores.contract import Active, Version, number_of
from crossfade.stores.sqlite_schema import BLOB_TYPES
from crossfade.stores.sqlite_writing import require_fit

ROWS_A_SLICE = 1000  # read back at a time, some 2 MB
SLICES_AT_ONCE = 16
REPORT_SECONDS = 5.0  # between two lines of the log while a release is loaded

LIBRARY = "library"
"""The key of the one partition of the registry."""

_TOKENS = 1 << 64  # places on the ring of nodes
_ATTEMPTS = 20  # to change the registry, each after another process did
_COLUMNS = tuple(BLOB_TYPES)
_DAMAGED = "Run `crossfade rollback` to serve the newest whole release, or `crossfade run` to make a new one."

_log = logging.getLogger("crossfade.stores")


class CassandraTableStore:
    """A `crossfade.stores.contract.TableStore` in the keyspace of ``session``."""

    def __init__(self, session: CassandraSession) -> None:
        self._session = session

    def versions(self) -> list[Version]:
        return sorted(versions_among(self._session.tables()), key=number_of)

    def write(self, version: Version, catalogue: Catalogue, tables: Sequence[SurfaceTable]) -> Mapping[str, int]:
        require_fit(tables, catalogue)
        self.drop(version)
        contents = Contents(tables, catalogue)
        lists, blocks = table_of(version, "lists"), table_of(version, "blocks")
        try:
            self._session.define(LISTS.format(table=lists))
            self._session.define(BLOCKS.format(table=blocks))
            sums = {"blocks": self._load(blocks, ("name", "place", "content"), contents.blocks(), version)}
            loaded = NOTHING
            for table in contents.tables:
                columns = ("name", "key", "items", *sorted(table.columns))
                loaded = self._load(lists, columns, contents.lists(table), version, loaded)
            sums["lists"] = loaded
            if (found := self._sums(version, sums)) != sums:
                raise ArtifactError(
                    f"Release {version} came out damaged in Cassandra: {found} instead of {sums}. "
                    "Check its disks and run the same command again."
                )
            # From here on the version exists.
            self._insert(blocks, ("name", "place", "content"), [(META, 0, contents.meta(sums))])
        except BaseException:
            with contextlib.suppress(Exception):
                self.drop(version)
            raise
        return contents.rows()

    def open(self, version: Version) -> CassandraTables:
        return CassandraTables(self._session, version, self._meta(version))

    def verify(self, version: Version) -> None:
        wanted = {name: Sum.parsed(one) for name, one in self._meta(version)["sums"].items()}
        for name, found in self._sums(version, wanted).items():
            if found != wanted[name]:
                raise ArtifactError(f"Release {version} is damaged in Cassandra: the {name} have changed. {_DAMAGED}")

    def drop(self, version: Version) -> None:
        prefix = table_of(version, "")
        # First what makes it exist.
        for table in sorted(table for table in self._session.tables() if table.startswith(prefix)):
            self._session.define(f"DROP TABLE IF EXISTS {table}")
            self._session.forget(table)

    def save_files(self, version: Version, place: Path, names: Sequence[str]) -> None:
        table = table_of(version, "parts")
        self._session.define(PARTS.format(table=table))
        insert = f"INSERT INTO {table} (path, place, content) VALUES (?, ?, ?)"  # noqa: S608
        requests = ((insert, (name, *piece)) for name in names for piece in _pieces(place / name))
        with translated_storage_errors(place):
            for _ in self._session.every(requests, at_once=PIECES_AT_ONCE, patient=True):
                pass

    def fetch_file(self, version: Version, name: str, target: Path) -> float:
        table = table_of(version, "parts")
        asked = f"SELECT content, writetime(content) FROM {table} WHERE path = ? AND place = ?"  # noqa: S608
        saved = 0.0
        try:
            with target.open("wb") as file:
                # The last piece is shorter than the others, and may be empty.
                for pieces in self._session.every(
                    ((asked, (name, place)) for place in count()), at_once=PIECES_AT_ONCE, patient=True
                ):
                    if not pieces:
                        raise ArtifactError(f"{name} of release {version} is missing in Cassandra. {_DAMAGED}")
                    ((content, written),) = pieces
                    file.write(content)
                    saved = written / 1e6
                    if len(content) < PIECE_BYTES:
                        break
        except NoTableError as error:
            raise ArtifactError(f"Release {version} has no parts in Cassandra. {_DAMAGED}") from error
        return saved

    def _meta(self, version: Version) -> dict[str, Any]:
        number_of(version)
        try:
            asked = f"SELECT content FROM {table_of(version, 'blocks')} WHERE name = ? AND place = ?"  # noqa: S608
            found = self._session.rows(asked, (META, 0))
        except NoTableError:
            found = []
        if not found:
            raise ArtifactError(f"Release {version} is missing in Cassandra, or was not written to its end. {_DAMAGED}")
        described: dict[str, Any] = json.loads(found[0][0])
        if described["layout"] != LAYOUT:
            raise ArtifactError(
                f"Release {version} is not one that this version of Crossfade reads. Run `crossfade run`."
            )
        return described

    def _load(
        self, table: str, columns: Sequence[str], rows: Iterable[Values], version: Version, before: Sum = NOTHING
    ) -> Sum:
        """Write ``rows`` and return their sum, added to that of those ``before``."""
        total, reported = before, time.monotonic()

        def counted() -> Iterator[Values]:
            nonlocal total, reported
            for row in rows:
                total = total.plus(_whole(columns, row))
                if time.monotonic() - reported > REPORT_SECONDS:
                    reported = time.monotonic()
                    _log.info("Loading release %s: %s rows of %s.", version, f"{total.rows:,}", table)
                yield row

        self._insert(table, columns, counted())
        return total

    def _insert(self, table: str, columns: Sequence[str], rows: Iterable[Values]) -> None:
        marks = ", ".join("?" * len(columns))
        insert = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})"  # noqa: S608
        for _ in self._session.every(((insert, row) for row in rows), patient=True):
            pass

    def _sums(self, version: Version, wanted: Mapping[str, Sum]) -> dict[str, Sum]:
        """Read every row of ``version``, about as many as are ``wanted``, and return the sums by table.

        The meta block is not in them.
        """
        sums = {}
        for what, key, columns in (
            ("blocks", ("name", "place"), ("name", "place", "content")),
            ("lists", ("name", "key"), ("name", "key", *_COLUMNS)),
        ):
            total = NOTHING
            for row in self._scanned(table_of(version, what), key, columns, wanted[what].rows):
                if row[0] != META:
                    total = total.plus(row)
            sums[what] = total
        return sums

    def _scanned(self, table: str, key: Sequence[str], columns: Sequence[str], about: int) -> Iterator[Values]:
        """Yield every row of ``table``, by slices of the ring that have some `ROWS_A_SLICE`."""
        token = f"token({', '.join(key)})"
        asked = f"SELECT {', '.join(columns)} FROM {table} WHERE {token} >= ? AND {token} <= ?"  # noqa: S608
        slices = 1 + about // ROWS_A_SLICE
        bounds = [place * _TOKENS // slices - _TOKENS // 2 for place in range(slices + 1)]
        requests = ((asked, (start, end - 1)) for start, end in pairwise(bounds))
        for rows in self._session.every(requests, at_once=SLICES_AT_ONCE, patient=True):
            yield from rows


class _State(NamedTuple):
    """What the registry says at one time."""

    versions: frozenset[str]
    active: str | None
    pinned: bool | None


class CassandraRegistry:
    """A `crossfade.stores.contract.Registry` in one partition, which is changed by lightweight transactions alone."""

    def __init__(self, session: CassandraSession, home: Home) -> None:
        self._session = session
        self._owner = f"{socket.gethostname()}:{home.path.absolute()}"

    def claimed(self) -> contextlib.AbstractContextManager[None]:
        return claimed(self._session, LIBRARY, self._owner)

    def versions(self) -> list[Version]:
        return sorted(map(Version, self._state(serial=True).versions), key=number_of)

    def active(self) -> Active:
        state = self._state()
        if state.active is None:
            raise NotReadyError(
                f"The keyspace {self._session.settings.keyspace!r} has no release. Run `crossfade run` to make one."
            )
        return Active(Version(state.active), pinned=bool(state.pinned))

    def add(self, version: Version) -> bool:
        number_of(version)
        insert = "INSERT INTO releases (library, version) VALUES (?, ?);"

        def added(state: _State) -> tuple[str, tuple[object, ...], _State]:
            active, pinned = (state.active, True) if state.pinned else (version, False)
            return insert, (LIBRARY, version), _State(state.versions | {version}, active, pinned)

        return self._change(added).active == version

    def activate(self, version: Version, *, pinned: bool) -> None:
        def activated(state: _State) -> tuple[str, tuple[object, ...], _State]:
            if version not in state.versions:
                there = ", ".join(sorted(state.versions)) or "none"
                raise ArtifactError(f"There is no release {version}. There are: {there}.")
            return "", (), _State(state.versions, version, pinned)

        self._change(activated)

    def deactivate(self) -> None:
        self._change(lambda state: ("", (), _State(state.versions, None, None)))

    def remove(self, version: Version) -> None:
        number_of(version)
        delete = "DELETE FROM releases WHERE library = ? AND version = ?;"

        def removed(state: _State) -> tuple[str, tuple[object, ...], _State]:
            if version == state.active:
                raise ArtifactError(f"Release {version} is active and cannot be removed. Activate another one first.")
            return delete, (LIBRARY, version), state._replace(versions=state.versions - {version})

        self._change(removed)

    def _state(self, *, serial: bool = False) -> _State:
        asked = "SELECT version, active, pinned FROM releases WHERE library = ?"
        try:
            rows = self._session.rows(asked, (LIBRARY,), serial=serial)
        except NoTableError:
            rows = []
        versions = frozenset(version for version, *_ in rows if version is not None)
        return _State(versions, *(rows[0][1:] if rows else (None, None)))

    def _change(self, changed: Callable[[_State], tuple[str, tuple[object, ...], _State]]) -> _State:
        """Change the registry in one transaction and return its state after that.

        ``changed`` returns from a state what is done to the versions, with its values, and the state that is wanted.
        The transaction fails where another process has changed the active release since the state was read.
        """
        update = "UPDATE releases SET active = ?, pinned = ? WHERE library = ? IF active = ? AND pinned = ?;"
        unknown: UnavailableError | None = None
        for _ in range(_ATTEMPTS):
            before = self._state(serial=True)
            statement, values, wanted = changed(before)
            if wanted == before:
                return before
            batch = f"BEGIN BATCH {statement} {update} APPLY BATCH"
            try:
                condition = (wanted.active, wanted.pinned, LIBRARY, before.active, before.pinned)
                if self._session.applied(batch, (*values, *condition)):
                    return wanted
            except NoTableError:
                self._session.define(REGISTRY)
            except UnavailableError as error:
                # Whether it was carried out, the next look tells.
                unknown = error
        raise unknown or UnavailableError(
            "The registry in Cassandra is being changed by other processes all the time. Run the same command again."
        )


def open_store(home: Home, settings: CassandraSettings) -> tuple[CassandraRegistry, CassandraTableStore]:
    """Return the registry and the tables in the keyspace that ``settings`` name; connected when they are asked."""
    session = session_of(settings)
    return CassandraRegistry(session, home), CassandraTableStore(session)


def _pieces(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield a file in pieces of `PIECE_BYTES`, each with its place; the last one is shorter."""
    with path.open("rb") as file:
        for place in count():
            piece = file.read(PIECE_BYTES)
            yield place, piece
            if len(piece) < PIECE_BYTES:
                return


def _whole(columns: Sequence[str], row: Values) -> Values:
    """Return a row as it is read: of a list with all columns."""
    if "key" not in columns:
        return row
    name, key, *blobs = row
    cells = dict(zip(columns[2:], blobs, strict=True))
    return (name, key, *map(cells.get, _COLUMNS))
