"""SQLite databases of other programs: perhaps inside an archive, damaged, or still in use.

A database is copied, together with the writes that its program has not merged yet (the file called ``-wal`` beside it),
and only the copy is opened: the program's own files are never locked or changed. The copy has no name any more once it
is open, so nothing of it stays behind. Only plain tables are read: no views, no generated columns, no extensions.
"""

import contextlib
import sqlite3
import tempfile
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from crossfade.core.errors import InputError
from crossfade.formats import streams
from crossfade.formats.contract import Member, Source

MARK = b"SQLite format 3\0"
"""The first bytes of a database."""

WAL = "-wal"
"""What the name of the file with the latest writes has after that of its database."""

_WAL_MARKS = (b"\x37\x7f\x06\x82", b"\x37\x7f\x06\x83")


def is_database(head: bytes) -> bool:
    """Return whether a file that begins with ``head`` is an SQLite database."""
    return head.startswith(MARK)


def recognised(member: Member, names: Collection[str], tables: Collection[tuple[bytes, ...]]) -> float:
    """Return the confidence that ``member`` is a database of a program, or has the latest writes of one.

    names   that the program gives its databases
    tables  and columns that tell one: all of any of these tuples
    """
    name = member.relative.name.lower()
    if member.head.startswith(_WAL_MARKS):
        # Which program's it is, only its name tells; a format that the user names reads it anyway.
        return 0.9 if name.removesuffix(WAL) in names else 0.1
    if not is_database(member.head):
        return 0.0
    if any(all(one in member.head for one in wanted) for wanted in tables):
        return 1.0
    # The schema of a large database may be far from its beginning.
    return 0.9 if name in names else 0.0


def databases(members: Sequence[Member]) -> list[Member]:
    """Return those of ``members`` that are databases, without the files that belong to one."""
    return [member for member in members if not member.head.startswith(_WAL_MARKS)]


class Database:
    """An open copy of a database."""

    def __init__(self, connection: sqlite3.Connection, name: str) -> None:
        self._connection = connection
        self._name = name

    def has(self, table: str) -> bool:
        """Return whether there is a plain table of that name."""
        found = self._connection.execute(
            "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ? AND sql LIKE 'CREATE TABLE%'", (table,)
        )
        return found.fetchone() is not None

    def rows(self, table: str, *columns: str) -> Iterator[tuple[Any, ...]]:
        """Yield the values of ``columns`` of each row; None for a column that ``table`` does not have.

        A table that does not exist has no rows.
        """
        if not self.has(table):
            return
        # Columns that are computed are not among these.
        present = {name for _, name, *_ in self._connection.execute(f'PRAGMA table_info("{table}")')}
        chosen = ", ".join(f'"{name}"' if name in present else "NULL" for name in columns)
        yield from self._connection.execute(f'SELECT {chosen} FROM "{table}"')  # noqa: S608 (names of ours)


@contextlib.contextmanager
def opened(source: Source, member: Member) -> Iterator[Database]:
    """Open a copy of the database ``member`` until the block ends; damage that is met meanwhile raises InputError."""
    wal = next((one for one in source.members if str(one.relative) == f"{member.relative}{WAL}"), None)
    try:
        with contextlib.closing(_copy(source, member, wal)) as connection:
            yield Database(connection, member.name)
    except sqlite3.Error as error:
        raise InputError(f"is a damaged SQLite database: {error}", path=member.name) from error


def _copy(source: Source, member: Member, wal: Member | None) -> sqlite3.Connection:
    with tempfile.TemporaryDirectory(prefix="crossfade-") as folder:
        path = Path(folder) / "copy.db"
        with source.open(member) as content:
            _write(content, path)
        if wal is not None:
            with source.open(wal) as content:
                _write(content, path.with_name(path.name + WAL))
        connection = sqlite3.connect(path, isolation_level=None)
        connection.text_factory = lambda text: text.decode(errors="replace")
        # A schema is part of the file: it must not call functions or write.
        connection.execute("PRAGMA trusted_schema = OFF")
        # Merges the latest writes, so that no other file is needed any more.
        connection.execute("PRAGMA journal_mode = MEMORY")
        connection.execute("PRAGMA query_only = ON")
        return connection


def _write(content: IO[bytes], path: Path) -> None:
    try:
        with path.open("wb") as copy:
            for piece in streams.pieces(content):
                copy.write(piece)
    except OSError as error:
        raise InputError(f"cannot be copied to the disk: {error.strerror or error}") from error
