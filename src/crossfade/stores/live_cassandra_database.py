"""The tables of the live state in Cassandra, and how what belongs to one user is changed.

All that belongs to a user is one partition, so one lightweight transaction changes it as a whole or not at all. It
replaces the version of the partition if that is still the one that was read before anything else; otherwise another
server was faster, and the change is made again from what is there now. So no two servers count a listen twice or keep
what was played in private, and all timestamps come from Paxos: clocks of servers may differ.

The other tables say only where to look: who owns a token or a playlist, and who is playing something. They are written
before the partition, which has the last word.
"""

import contextlib
import random
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, NamedTuple, TypeVar
from uuid import UUID

from crossfade.core.errors import BusyError, InputError, StorageError, UnavailableError
from crossfade.stores.cassandra_session import CassandraSession, session_of
from crossfade.stores.cassandra_settings import CassandraSettings
from crossfade.stores.live import now
from crossfade.stores.live_private import Session
from crossfade.stores.live_rules import no_account

TABLES = {
    "live": """
        user text, sort text, at bigint, key text,
        created_at bigint static, version uuid static, revision bigint static,
        private_since bigint static, private_until bigint static,
        body blob, number bigint, artist text, words text, context text,
        PRIMARY KEY (user, sort, at, key)""",
    "live_owners": "sort text, id text, user text, claim uuid, PRIMARY KEY ((sort, id))",
    "live_players": "user text PRIMARY KEY",
    "live_counters": "name text PRIMARY KEY, value bigint",
}
"""The columns of each table.

live           one partition a user; `Row` says what the columns of a row are
live_owners    whose a token, a station or a playlist is
live_players   who may be playing something
live_counters  numbers that grow, by name
"""

_OPTIONS = {
    # The newest listens are read most. Compaction by levels soon meets what was deleted, and lets go of it.
    "live": " AND CLUSTERING ORDER BY (sort ASC, at DESC, key ASC)"
    " AND compaction = {'class': 'LeveledCompactionStrategy'}",
    # It ends by itself, so no mark of a deletion has to reach a node that was down.
    "live_players": " AND gc_grace_seconds = 3600",
}

CHANGES = "changes"
DELETIONS = "deletions"

PATIENCE = 30.0
"""Seconds for which a change is tried again because other servers change the same account."""

PAUSE = 0.05
"""Seconds that a change waits at most before it is tried again; by chance, so that two servers stop colliding."""

MOST_BYTES = 1 << 20
"""Of the rows in one transaction: Cassandra refuses mutations of half a segment of its log, 16 MiB by default."""

MOST_ROWS = 1_000
"""In one transaction."""

PART = 1_000
"""Rows that are read at a time where many may be."""

_TURNS = 1024  # locks that users share: changes of one account by this process wait for each other without colliding

_HEADER = (  # a row can only be named where one of its own columns is asked for
    "SELECT created_at, version, revision, private_since, private_until, sort FROM live "
    "WHERE user = ? AND sort = '' AND at = 0 AND key = ''"
)

Statement = tuple[str, Sequence[object]]
Result = TypeVar("Result")
Thing = TypeVar("Thing")


class Header(NamedTuple):
    """What the partition of a user has once.

    version        is another one after each change
    revision       that of the account
    private_since  when the last private session began; 0 if there was none
    private_until  when it ends
    """

    created_at: int
    version: UUID
    revision: int
    private_since: int
    private_until: int

    def session(self, user: str) -> Session | None:
        """Return the private session that ``user`` is in now."""
        return Session(user, self.private_since) if self.private_until > now() else None


class Row(NamedTuple):
    """A row of a partition.

    sort    of what it is: "listen", "token", "station", …; "" for the first row, which the header is read with
    at      the second of a listen, the millisecond at which a private session began; else 0
    key     the id, or what else makes it one of its sort and time
    body    JSON; None where the key says all
    number  when a private session ended, the day on which a token was used, the deletions before a playlist was made
    """

    sort: str
    at: int
    key: str
    body: bytes | None = None
    number: int | None = None
    artist: str | None = None
    words: str | None = None
    context: str | None = None

    def put(self, user: str, lasts: int | None = None, *, before: "Row | None" = None) -> Statement:
        """Return the statement that keeps this row of ``user``.

        lasts   seconds, if it does not stay
        before  the same row as it is kept; only what that has is emptied, since each empty column costs a tombstone
        """
        had = set() if before is None else {name for name, value in before._asdict().items() if value is not None}
        named = {name: value for name, value in self._asdict().items() if value is not None or name in had}
        ending = "" if lasts is None else " USING TTL ?"
        values = [user, *named.values(), *([] if lasts is None else [lasts])]
        marks = ", ".join("?" * (len(named) + 1))
        return f"INSERT INTO live (user, {', '.join(named)}) VALUES ({marks}){ending}", values  # noqa: S608

    @classmethod
    def remove(cls, user: str, sort: str, key: str, at: int = 0) -> Statement:
        """Return the statement that deletes a row."""
        return "DELETE FROM live WHERE user = ? AND sort = ? AND at = ? AND key = ?", (user, sort, at, key)


@dataclass
class Change(Generic[Result]):
    """What a change comes to.

    result      for the caller, if the change is made
    statements  that write the rows of the user's partition; None if there is nothing to change
    taste       whether it gives the account its next revision
    header      fields of the header that change beside version and revision
    """

    result: Result
    statements: Sequence[Statement] | None = None
    taste: bool = False
    header: dict[str, int] = field(default_factory=dict)


class LiveDatabase:
    """Reads and changes the live state in the keyspace of ``settings``, and makes its tables if they are not there."""

    def __init__(self, settings: CassandraSettings) -> None:
        self._session: CassandraSession = session_of(settings)
        self._turns = [threading.Lock() for _ in range(_TURNS)]
        self._closed = False
        missing = TABLES.keys() - self._session.tables()
        for table in TABLES:
            if table in missing:
                # With an id that follows from the name, servers that start at once make the same table.
                same = uuid.uuid5(uuid.NAMESPACE_OID, f"{settings.keyspace}.{table}")
                options = _OPTIONS.get(table, "")
                self._session.define(f"CREATE TABLE IF NOT EXISTS {table} ({TABLES[table]}) WITH id = {same}{options}")

    def rows(self, cql: str, *values: object, serial: bool = False) -> list[Any]:
        """Return the rows that a statement gives, which may be carried out more than once."""
        with self._asking():
            return self._session.rows(cql, values, serial=serial)

    def applied(self, cql: str, *values: object) -> bool:
        """Carry out a statement with a condition outside of a partition of `live`, and return whether it was met."""
        with self._asking():
            return self._session.applied(cql, values)

    def every(self, statements: Sequence[Statement]) -> Iterator[list[Any]]:
        """Yield the rows of each statement, in order, with many of them at a time."""
        with self._asking():
            yield from self._session.every(statements)

    def stream(self, cql: str, *values: object, page: int = PART) -> Iterator[Any]:
        """Yield the rows that a statement gives, reading so many at a time."""
        with self._asking():
            yield from self._session.stream(cql, values, page=page)

    def header(self, user: str) -> Header:
        """Return what the partition of ``user`` has once; UnknownIdError without an account."""
        found = self.found(user)
        if found is None:
            raise no_account(user)
        return found

    def found(self, user: str, *, serial: bool = False) -> Header | None:
        """Return the same; None without an account."""
        found = self.rows(_HEADER, user, serial=serial)
        return Header(*found[0][:-1]) if found else None

    def of(self, user: str, sort: str, columns: str = "body") -> list[Any]:
        """Return these columns of all rows of a sort; UnknownIdError without an account."""
        found = self.within(user, sort, columns)
        if not found:
            self.header(user)
        return found

    def within(self, user: str, sort: str, columns: str) -> list[Any]:
        """Return the same; nothing without an account."""
        asked = f"SELECT {columns} FROM live WHERE user = ? AND sort = ?"  # noqa: S608
        return list(self.stream(asked, user, sort))

    def add(self, user: str, header: Header) -> bool:
        """Begin the partition of a user without an account; return False if there is one by now."""
        statement = (
            "UPDATE live SET created_at = ?, version = ?, revision = ?, private_since = ?, private_until = ? "
            "WHERE user = ? IF version = NULL"
        )
        statements = [(statement, (*header, user)), Row("", 0, "").put(user)]
        return self._carried_out(statements, lambda: self.found(user, serial=True) is not None)

    def change(self, user: str, make: Callable[[Header], Change[Result]]) -> Result:
        """Make a change and return its result.

        ``make`` is handed what was read first of the partition, and reads what else it needs; it is called again if
        the partition was changed meanwhile. Raises UnknownIdError without an account, BusyError if others keep on
        changing it.
        """
        tasteful = False

        def statements(header: Header) -> tuple[Result, Sequence[Statement] | None, UUID]:
            nonlocal tasteful
            change = make(header)
            tasteful, version = change.taste, uuid.uuid4()
            if change.statements is None:
                return change.result, None, version
            after = header._replace(version=version, revision=header.revision + change.taste, **change.header)
            replaced = (
                "UPDATE live SET version = ?, revision = ?, private_since = ?, private_until = ? "
                "WHERE user = ? IF version = ?"
            )
            return change.result, [(replaced, (*after[1:], user, header.version)), *change.statements], version

        result = self._repeated(user, statements)
        if tasteful:
            self.changed()
        return result

    def remove(self, user: str, before: Callable[[], object]) -> None:
        """Delete the partition of ``user``, after whatever is done ``before``; errors as for `change`."""

        def statements(header: Header) -> tuple[None, Sequence[Statement], None]:
            before()
            condition = "DELETE version FROM live WHERE user = ? IF version = ?"
            return None, [(condition, (user, header.version)), ("DELETE FROM live WHERE user = ?", (user,))], None

        self._repeated(user, statements)

    def changed(self) -> None:
        """Let the number of changes grow, after a change was made.

        Two servers may write the same number. Whoever reads it has both changes, since each was made before its
        server read the number before. The higher number stands, whatever the clocks: it is its own timestamp. A
        column of the type counter would fail while a node that has just died is taken for its leader.
        """
        value = self.counter(CHANGES) + 1
        self.rows("UPDATE live_counters USING TIMESTAMP ? SET value = ? WHERE name = ?", value, value, CHANGES)

    def deleted(self, times: int = 1) -> None:
        """Let the number of deletions grow by ``times``, or by more if an answer of Cassandra is lost.

        No two deletions share a number, unlike changes: a playlist is compared with it while they are going on.
        """
        while True:
            found = self.rows("SELECT value FROM live_counters WHERE name = ?", DELETIONS)
            before = found[0][0] if found else None
            statement = "UPDATE live_counters SET value = ? WHERE name = ? IF value = ?"
            with contextlib.suppress(UnavailableError):
                if self.applied(statement, (before or 0) + times, DELETIONS, before):
                    return
            time.sleep(random.uniform(0, PAUSE))  # noqa: S311

    def counter(self, name: str) -> int:
        """Return the value of a counter."""
        found = self.rows("SELECT value FROM live_counters WHERE name = ?", name)
        return int(found[0][0]) if found else 0

    def owner(self, sort: str, thing_id: str) -> str | None:
        """Return in whose partition a thing is, if it is anywhere."""
        found = self.rows("SELECT user FROM live_owners WHERE sort = ? AND id = ?", sort, thing_id)
        return found[0][0] if found else None

    def own(self, sort: str, thing_id: str, user: str) -> bool:
        """Note that a new thing will be in the partition of ``user``; return False if it is somebody else's."""
        claim = uuid.uuid4()
        return self.applied(
            "INSERT INTO live_owners (sort, id, user, claim) VALUES (?, ?, ?, ?) IF NOT EXISTS",
            *(sort, thing_id, user, claim),
        ) or self.applied(
            "UPDATE live_owners SET claim = ? WHERE sort = ? AND id = ? IF user = ?", *(claim, sort, thing_id, user)
        )

    def claims(self, sort: str, ids: Sequence[str]) -> list[Statement]:
        """Return what lets go of things, to be read before they are deleted; not of one that is made anew by then."""
        asked = [("SELECT claim FROM live_owners WHERE sort = ? AND id = ?", (sort, one)) for one in ids]
        forgotten = "DELETE FROM live_owners WHERE sort = ? AND id = ? IF claim = ?"
        return [
            (forgotten, (sort, one, found[0][0])) for one, found in zip(ids, self.every(asked), strict=True) if found
        ]

    def carry_out(self, statements: Sequence[Statement]) -> None:
        """Carry out statements of `live_owners`, with many of them at a time."""
        for _ in self.every(statements):
            pass

    def require_open(self) -> None:
        """Raise StorageError after `close`."""
        if self._closed:
            raise StorageError("The live state was closed.")

    def close(self) -> None:
        """Answer nothing more. The connection stays for whoever else in this process uses it."""
        self._closed = True

    def _repeated(
        self, user: str, make: Callable[[Header], tuple[Result, Sequence[Statement] | None, UUID | None]]
    ) -> Result:
        """Carry out what ``make`` returns until nobody else was faster: result, statements, and the version after."""
        self.require_open()
        deadline = time.monotonic() + PATIENCE
        with self._turns[hash(user) % _TURNS]:
            while True:
                result, statements, version = make(self.header(user))

                def is_done(version: UUID | None = version) -> bool:
                    found = self.found(user, serial=True)
                    return (None if found is None else found.version) == version

                if statements is None or self._carried_out(statements, is_done):
                    return result
                if time.monotonic() > deadline:
                    raise BusyError(f"The account of {user} is being changed all the time. Try again.")
                time.sleep(random.uniform(0, PAUSE))  # noqa: S311

    def _carried_out(self, statements: Sequence[Statement], is_done: Callable[[], bool]) -> bool:
        """Carry out statements of one partition, the first with a condition; return whether that was met.

        Where Cassandra does not say, ``is_done`` does.
        """
        try:
            with self._asking():
                return self._session.applied_together(statements)
        except UnavailableError:
            return is_done()

    @contextlib.contextmanager
    def _asking(self) -> Iterator[None]:
        self.require_open()
        try:
            yield
        except UnicodeEncodeError as error:
            raise InputError("A text is not Unicode.") from error


def in_parts(things: Iterable[Thing], size: Callable[[Thing], int]) -> Iterator[list[Thing]]:
    """Yield ``things``, each of a ``size`` in bytes, in as few parts as transactions can have."""
    part: list[Thing] = []
    total = 0
    for thing in things:
        if part and (len(part) >= MOST_ROWS or total + size(thing) > MOST_BYTES):
            yield part
            part, total = [], 0
        part.append(thing)
        total += size(thing)
    if part:
        yield part
