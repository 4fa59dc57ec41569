"""The SQLite file of the live state: its tables, its readers, and its one writer a process.

Writing takes turns by file lock, and each commit waits for the disk. So one thread of each process commits whatever its
other threads have handed in meanwhile at once: with n requests waiting, one flush serves n. A change that fails
is rolled back alone.

Deleted content is overwritten with zeros in the file, and the log is emptied after a deletion. Where a reader or a kill
prevents that, `Database.sweep` does it.
"""

import contextlib
import os
import queue
import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from crossfade.core.artifacts import translated_storage_errors
from crossfade.core.errors import ArtifactError, BusyError, CrossfadeError, InputError, StorageError
from crossfade.core.replacing import draft_beside, flush_directory, make_directory, private, remove

LAYOUT = 2
"""The version of the tables, in the file's ``user_version``."""

APPLICATION = 0x43784C56
"""Marks the file as ours, in its ``application_id``."""

BUSY_SECONDS = 10.0  # that a writer waits for one in another process
ERASE_SECONDS = 0.1  # that emptying the log waits for readers, while nobody can write
MOST_TOGETHER = 256  # changes in one commit: so that a waiting one is not kept from the disk for long

TABLES = {
    "users": "user TEXT PRIMARY KEY, created_at INTEGER NOT NULL, revision INTEGER NOT NULL",
    "tokens": """
        id TEXT PRIMARY KEY, user TEXT NOT NULL REFERENCES users ON DELETE CASCADE, password TEXT, digest BLOB,
        scopes TEXT NOT NULL, label TEXT NOT NULL, created_at INTEGER NOT NULL, used_at INTEGER""",
    "listens": """
        number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,
        user TEXT NOT NULL REFERENCES users ON DELETE CASCADE, listened_at INTEGER NOT NULL,
        artist TEXT NOT NULL, words TEXT NOT NULL, context TEXT, body BLOB NOT NULL""",
    "playing": """
        user TEXT NOT NULL REFERENCES users ON DELETE CASCADE, player TEXT NOT NULL, started_at INTEGER NOT NULL,
        ends_at INTEGER NOT NULL, body BLOB NOT NULL, PRIMARY KEY (user, player)""",
    "private": """
        user TEXT NOT NULL REFERENCES users ON DELETE CASCADE, since INTEGER NOT NULL, until INTEGER NOT NULL,
        PRIMARY KEY (user, since)""",
    "feedback": """
        user TEXT NOT NULL REFERENCES users ON DELETE CASCADE, sort TEXT NOT NULL, track TEXT NOT NULL,
        given_at INTEGER NOT NULL, body BLOB NOT NULL, PRIMARY KEY (user, sort, track)""",
    "blocks": """
        user TEXT NOT NULL REFERENCES users ON DELETE CASCADE, kind TEXT NOT NULL, item TEXT NOT NULL,
        name TEXT NOT NULL, until INTEGER, created_at INTEGER NOT NULL, PRIMARY KEY (user, kind, item)""",
    "exclusions": """
        user TEXT NOT NULL REFERENCES users ON DELETE CASCADE, body BLOB NOT NULL, PRIMARY KEY (user, body)""",
    "stations": """
        id TEXT PRIMARY KEY, user TEXT NOT NULL REFERENCES users ON DELETE CASCADE, changed_at INTEGER NOT NULL,
        revision INTEGER NOT NULL, body BLOB NOT NULL""",
    "playlists": """
        id TEXT PRIMARY KEY, user TEXT NOT NULL REFERENCES users ON DELETE CASCADE, sort TEXT NOT NULL,
        of_listens INTEGER, changed_at INTEGER NOT NULL, revision INTEGER NOT NULL, body BLOB NOT NULL""",
    "counters": "name TEXT PRIMARY KEY, value INTEGER NOT NULL",
}
"""The columns of each table. Users come first, since the others refer to them."""

_INDEXES = (
    "CREATE INDEX listens_by_time ON listens (user, listened_at)",
    "CREATE INDEX tokens_by_user ON tokens (user)",
    "CREATE INDEX stations_by_user ON stations (user, changed_at)",
    "CREATE INDEX playlists_by_user ON playlists (user, changed_at)",
)

REVISION = "revision"
"""The counter from which accounts have their revisions, so that no two changes share one."""

DELETIONS = "deletions"

Result = TypeVar("Result")


@dataclass
class _Change:
    make: Callable[[sqlite3.Connection], Any]
    done: "Future[Any]"


class Database:
    """Opens the file at ``place``, and makes it if it is not there; StorageError if that fails."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self._idle: queue.LifoQueue[sqlite3.Connection] = queue.LifoQueue()
        self._changes: queue.SimpleQueue[_Change | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._writer: threading.Thread | None = None
        self._closed = threading.Event()
        self._erase = self._unerased = False
        self._swept = -1  # the number of deletions when the log was emptied last
        with translated_storage_errors(place):
            make_directory(place.parent)
            os.close(private(str(place), os.O_CREAT | os.O_RDWR))  # beside it, SQLite makes files of the same mode
            flush_directory(place.parent)
        with self.reading() as connection:
            _prepare(connection, place)

    @contextlib.contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Lend a connection for reading; what it reads in one transaction is of one moment."""
        if self._closed.is_set():
            raise StorageError(f"{self.place} was closed.")
        with translated(self.place):
            try:
                connection = self._idle.get_nowait()
            except queue.Empty:
                connection = self._connect()
            try:
                yield connection
            finally:
                connection.rollback()
                if self._closed.is_set():
                    connection.close()
                else:
                    self._idle.put(connection)

    def write(self, make: Callable[[sqlite3.Connection], Result]) -> Result:
        """Call ``make`` in a transaction and return its result once it is on the disk; its errors are raised here."""
        with translated(self.place):
            return self.hand_in(make).result()

    def hand_in(self, make: Callable[[sqlite3.Connection], Result]) -> "Future[Result]":
        """Have ``make`` called as `write` does, without waiting."""
        change = _Change(make, Future())
        with self._lock:
            if self._closed.is_set():
                raise StorageError(f"{self.place} was closed.")
            if self._writer is None:
                self._writer = threading.Thread(target=self._write_on, name="crossfade-live", daemon=True)
                self._writer.start()
            self._changes.put(change)
        return change.done

    def erase(self) -> None:
        """Empty the log after the commit, so that no earlier content is left in it; called within a change."""
        self._erase = self._unerased = True

    def sweep(self) -> None:
        """Empty the log if that is still to be done, by this process or by one that has ended."""
        with self.reading() as connection:
            deletions = counter(connection, DELETIONS)
        if self._unerased or deletions != self._swept:
            self.write(lambda connection: self.erase())
            self._swept = deletions

    def close(self) -> None:
        """Finish what was handed in and close the file."""
        with self._lock:
            self._closed.set()
            writer, self._writer = self._writer, None
            self._changes.put(None)
        if writer is not None:
            writer.join()
        with contextlib.suppress(queue.Empty):
            while True:
                self._idle.get_nowait().close()

    def backup(self, target: Path) -> None:
        """Write a copy of one moment to ``target``, a new file; StorageError if there is one already."""
        with translated_storage_errors(target):
            if os.path.lexists(target):
                raise StorageError(f"There is a file {target} already. Choose another name for the backup.")
            draft = draft_beside(target)
            try:
                os.close(private(str(draft), os.O_CREAT | os.O_EXCL | os.O_RDWR))
                with self.reading() as connection:
                    # Written anew page by page: nothing that was deleted is in it.
                    connection.execute("VACUUM INTO ?", (str(draft),))
                descriptor = os.open(draft, os.O_RDONLY)
                try:
                    os.fsync(descriptor)
                finally:
                    os.close(descriptor)
                os.link(draft, target)  # fails if there is a file by now, as a rename would not
            finally:
                remove(draft)
            flush_directory(target.parent)

    def restore(self, source: Path) -> None:
        """Replace the content by that of a backup, in one transaction; InputError if it is damaged or no backup."""
        require_backup(source)

        def replace(connection: sqlite3.Connection) -> None:
            later = {name: counter(connection, name) for name in (REVISION, DELETIONS)}
            sessions = connection.execute("SELECT * FROM private").fetchall()
            connection.execute("DELETE FROM users")  # and all that refers to them
            connection.execute("DELETE FROM counters")
            with opened_backup(source) as backup:
                for table in TABLES:
                    _copy(backup, connection, table)
            for name, value in later.items():
                connection.execute(
                    "INSERT INTO counters VALUES (?1, ?2 + 1) "
                    "ON CONFLICT (name) DO UPDATE SET value = max(value, ?2) + 1",
                    (name, value),
                )
            # What others remember of an account by its revision is not what was restored.
            connection.execute("UPDATE users SET revision = ?", (counter(connection, REVISION),))
            # Players may still send what was played in private since the backup.
            connection.executemany(
                "INSERT OR IGNORE INTO private SELECT ?1, ?2, ?3 FROM users WHERE user = ?1", sessions
            )
            self.erase()

        self.write(replace)

    def check(self) -> list[str]:
        """Return what SQLite finds damaged."""
        with self.reading() as connection:
            found = [str(row[0]) for row in connection.execute("PRAGMA integrity_check")]
            broken = connection.execute("PRAGMA foreign_key_check").fetchall()
        return [line for line in found if line != "ok"] + [f"A row of {row[0]} belongs to nobody." for row in broken]

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self.place, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False, cached_statements=256
        )
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA secure_delete = ON")
        connection.execute("PRAGMA temp_store = MEMORY")
        return connection

    def _write_on(self) -> None:
        """Commit what is handed in until the end."""
        try:
            with translated(self.place):
                connection = self._connect()
        except CrossfadeError as error:
            self._refuse_all(error)
            return
        with contextlib.closing(connection):
            while self._commit_next(connection):
                pass  # nothing of a change stays in memory while this waits for the next one

    def _commit_next(self, connection: sqlite3.Connection) -> bool:
        """Wait for a change and commit it with all others that are there; return False at the end."""
        first = self._changes.get()
        if first is None:
            return False
        batch = [first]
        with contextlib.suppress(queue.Empty):
            while len(batch) < MOST_TOGETHER:
                change = self._changes.get_nowait()
                if change is None:
                    self._changes.put(None)
                    break
                batch.append(change)
        self._commit(connection, batch)
        return True

    def _commit(self, connection: sqlite3.Connection, batch: list[_Change]) -> None:
        results: list[tuple[_Change, Any, BaseException | None]] = []
        try:
            with translated(self.place):
                connection.execute("BEGIN IMMEDIATE")
                results.extend((change, *_made(connection, change)) for change in batch)
                connection.execute("COMMIT")
        except BaseException as error:  # noqa: BLE001 (whoever waits is told)
            with contextlib.suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
            for change in batch:
                change.done.set_exception(error)
            return
        if self._erase:
            self._erase = False
            with contextlib.suppress(sqlite3.Error):
                connection.execute(f"PRAGMA busy_timeout = {ERASE_SECONDS * 1000:.0f}")
                # A reader may keep the log; `sweep` tries again.
                self._unerased = bool(connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0])
            connection.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000:.0f}")
        for change, result, failed in results:
            if failed is None:
                change.done.set_result(result)
            else:
                change.done.set_exception(failed)

    def _refuse_all(self, error: CrossfadeError) -> None:
        """Tell everybody who waits, and whoever comes, that nothing can be written; the next one tries again."""
        with self._lock:
            self._writer = None
            with contextlib.suppress(queue.Empty):
                while (change := self._changes.get_nowait()) is not None:
                    change.done.set_exception(error)


@contextlib.contextmanager
def translated(place: Path) -> Iterator[None]:
    """Raise the errors of SQLite as ours."""
    try:
        yield
    except sqlite3.OperationalError as error:
        if "locked" in str(error) or "busy" in str(error):
            raise BusyError(f"{place} is being written by another process. Try again.") from error
        raise StorageError(f"{place} cannot be read or written: {error}.") from error
    except sqlite3.IntegrityError:
        raise
    except UnicodeEncodeError as error:
        raise InputError("A text is not Unicode.") from error
    except sqlite3.DatabaseError as error:
        raise ArtifactError(f"{place} is damaged: {error}. Restore a backup: crossfade restore PATH") from error


def next_counter(connection: sqlite3.Connection, name: str) -> int:
    """Return the next value of a counter."""
    row = connection.execute(
        "INSERT INTO counters VALUES (?, 1) ON CONFLICT (name) DO UPDATE SET value = value + 1 RETURNING value", (name,)
    ).fetchone()
    return int(row[0])


def counter(connection: sqlite3.Connection, name: str) -> int:
    """Return the value of a counter."""
    row = connection.execute("SELECT value FROM counters WHERE name = ?", (name,)).fetchone()
    return 0 if row is None else int(row[0])


def _made(connection: sqlite3.Connection, change: _Change) -> tuple[Any, BaseException | None]:
    """Return the result of a change, or the error for which it was rolled back."""
    connection.execute("SAVEPOINT change")
    try:
        result = change.make(connection)
    except sqlite3.OperationalError:
        raise  # the disk: nothing of the batch can be committed
    except Exception as error:  # noqa: BLE001 (whoever waits is told)
        connection.execute("ROLLBACK TO change")
        connection.execute("RELEASE change")
        return None, error
    connection.execute("RELEASE change")
    return result, None


def _prepare(connection: sqlite3.Connection, place: Path) -> None:
    """Make the tables, if the file is new; ArtifactError if it is something else or of another version."""
    connection.execute("BEGIN IMMEDIATE")
    if not connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
        _lay_out(connection)
        connection.execute("COMMIT")
    elif _marks(connection) != [LAYOUT, APPLICATION]:
        raise ArtifactError(f"{place} is not a live state that this version of Crossfade reads.")


def _lay_out(connection: sqlite3.Connection) -> None:
    for table, columns in TABLES.items():
        connection.execute(f"CREATE TABLE {table} ({columns})")
    for index in _INDEXES:
        connection.execute(index)
    connection.execute(f"PRAGMA user_version = {LAYOUT}")
    connection.execute(f"PRAGMA application_id = {APPLICATION}")


def _marks(connection: sqlite3.Connection) -> list[int]:
    return [int(connection.execute(f"PRAGMA {name}").fetchone()[0]) for name in ("user_version", "application_id")]


def require_backup(source: Path) -> None:
    """Raise InputError unless ``source`` is a whole file that `Database.backup` wrote."""
    if source.is_symlink() or not source.is_file():
        raise InputError("There is no such backup.", path=source)
    try:
        with opened_backup(source) as backup, contextlib.closing(sqlite3.connect(":memory:")) as model:
            _lay_out(model)
            whole = _layout(backup) == _layout(model) and backup.execute("PRAGMA quick_check").fetchall() == [("ok",)]
            whole = whole and not backup.execute("PRAGMA foreign_key_check").fetchall()
    except sqlite3.Error as error:
        raise InputError(f"This is not a backup of a live state: {error}.", path=source) from error
    if not whole:
        raise InputError("This is not a whole backup of a live state of this version of Crossfade.", path=source)


@contextlib.contextmanager
def opened_backup(source: Path) -> Iterator[sqlite3.Connection]:
    """Open a backup for reading."""
    with contextlib.closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro&immutable=1", uri=True)) as backup:
        backup.execute("PRAGMA trusted_schema = OFF")
        yield backup


def _layout(connection: sqlite3.Connection) -> list[object]:
    """Return the marks of a file, and how it defines its tables."""
    return [*_marks(connection), *connection.execute("SELECT type, name, sql FROM sqlite_schema ORDER BY 1, 2")]


def _copy(backup: sqlite3.Connection, connection: sqlite3.Connection, table: str) -> None:
    rows = backup.execute(f"SELECT * FROM {table}")  # noqa: S608 (the name is ours)
    marks = ", ".join("?" * len(rows.description))
    connection.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)  # noqa: S608
