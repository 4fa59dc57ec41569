"""Copies of a live state in Cassandra: files such as SQLite's live state writes, which either reads.

A backup has each user's part as it was at one moment. A restore replaces it by one transaction; what is larger than a
transaction can be is replaced by several. What is playing is in no copy.
"""

import sqlite3
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

from crossfade.core.artifacts import translated_storage_errors
from crossfade.core.errors import StorageError
from crossfade.stores.live import Account, Block, Feedback, ItemRef, Listen, Playlist, Station, Token, now
from crossfade.stores.live_cassandra_accounts import OWNED, TOKEN, KeptToken
from crossfade.stores.live_cassandra_database import (
    DELETIONS,
    Change,
    Header,
    LiveDatabase,
    Row,
    Statement,
    in_parts,
)
from crossfade.stores.live_cassandra_kept import thing_row
from crossfade.stores.live_cassandra_listens import LISTEN, PLAYING, PRIVATE, row_of
from crossfade.stores.live_cassandra_opinions import BLOCK, EXCLUSION, FEEDBACK, block_row, feedback_row
from crossfade.stores.live_database import REVISION, Database, counter, opened_backup, require_backup
from crossfade.stores.live_listens import ADD_LISTEN, columns_of
from crossfade.stores.live_rows import read
from crossfade.stores.live_rules import is_over

TRIES = 5
"""How often the part of a user is read again that was changed meanwhile."""


def back_up(database: LiveDatabase, accounts: list[Account], target: Path) -> None:
    """Write all of it into a new file ``target``; StorageError if there is one already or it cannot be made."""

    def fill(connection: sqlite3.Connection) -> None:
        latest = max((account.revision for account in accounts), default=0)
        for name, value in ((DELETIONS, database.counter(DELETIONS)), (REVISION, latest)):
            connection.execute("INSERT INTO counters VALUES (?, ?)", (name, value))
        for account in accounts:
            header, rows = _moment(database, account.user)
            if header is not None:
                values = account.user, header.created_at, header.revision
                connection.execute("INSERT INTO users VALUES (?, ?, ?)", values)
                for row in rows:
                    for statement, columns in _columns(account.user, row):
                        connection.execute(statement, columns)

    with translated_storage_errors(target):
        if not target.parent.is_dir():
            raise StorageError(f"There is no folder {target.parent}.")
        with tempfile.TemporaryDirectory(prefix=".backup-", dir=target.parent) as folder:
            copy = Database(Path(folder) / "state.sqlite")
            try:
                copy.write(fill)
                copy.backup(target)
            finally:
                copy.close()


def restore(database: LiveDatabase, source: Path) -> list[str]:
    """Make all users of ``source`` be as they are there, and return who they are.

    Raises InputError if ``source`` is damaged or something else; nothing has changed then.
    """
    require_backup(source)
    with opened_backup(source) as backup:
        # No playlist that is made of listens, of before or of the backup, can be put again.
        database.deleted(counter(backup, DELETIONS) + 1)
        users = backup.execute("SELECT user, created_at FROM users ORDER BY user").fetchall()
        for user, created_at in users:
            if database.found(user) is None:
                database.add(user, Header(created_at, uuid.uuid4(), now() * 1000, 0, 0))
            _replace(database, user, created_at, list(_rows(backup, user)))
    database.deleted()
    return [user for user, _ in users]


def _moment(database: LiveDatabase, user: str) -> tuple[Header | None, list[Row]]:
    """Return the partition of ``user`` as of one moment."""
    for _ in range(TRIES):
        before = database.found(user)
        rows = list(_kept(database, user))
        if database.found(user) == before:
            break
    return before, rows


def _kept(database: LiveDatabase, user: str) -> Iterator[Row]:
    asked = "SELECT sort, at, key, body, number, artist, words, context FROM live WHERE user = ?"
    return (Row(*row) for row in database.stream(asked, user) if row[0] not in ("", PLAYING))


def _replace(database: LiveDatabase, user: str, created_at: int, rows: list[Row]) -> None:
    """Make the partition of ``user`` have ``rows``, and keep what it knows of private sessions."""
    owned = [row[0:3:2] for row in rows if row.sort in OWNED]
    claim = uuid.uuid4()
    added = "INSERT INTO live_owners (sort, id, user, claim) VALUES (?, ?, ?, ?) IF NOT EXISTS"
    taken = "UPDATE live_owners SET user = ?, claim = ? WHERE sort = ? AND id = ? IF EXISTS"
    database.carry_out([(added, (*one, user, claim)) for one in owned])
    database.carry_out([(taken, (user, claim, *one)) for one in owned])

    def first(header: Header) -> Change[tuple[list[list[Statement]], list[Statement]]]:
        before = {row[:3]: row for row in _kept(database, user)}
        after = {row[:3]: row for row in rows} | {key: row for key, row in before.items() if row.sort == PRIVATE}
        gone = [row for key, row in before.items() if key not in after]
        new = [row for key, row in after.items() if row != before.get(key)]
        statements: list[Statement] = [("UPDATE live SET created_at = ? WHERE user = ?", (created_at, user))]
        statements += [Row.remove(user, row.sort, row.key, row.at) for row in gone]
        statements += [_put(user, row, before.get(row[:3])) for row in new]
        claims = [one for row in gone if row.sort in OWNED for one in database.claims(row.sort, [row.key])]
        last = max((row for row in after.values() if row.sort == PRIVATE), key=lambda row: row.at, default=None)
        private = {} if last is None else {"private_since": last.at, "private_until": last.number or 0}
        part, *rest = in_parts(statements, _size)
        return Change((rest, claims), part, taste=True, header=private)

    parts, claims = database.change(user, first)
    for part in parts:
        database.change(user, lambda header, part=part: Change(None, part, taste=True))  # type: ignore[misc]
    database.carry_out(claims)


def _put(user: str, row: Row, before: Row | None) -> Statement:
    return KeptToken.of(row).put() if row.sort == TOKEN else row.put(user, before=before)


def _size(statement: Statement) -> int:
    return sum(len(value) for value in statement[1] if isinstance(value, bytes))


def _columns(user: str, row: Row) -> Iterator[tuple[str, tuple[object, ...]]]:
    """Yield the statement that writes a row into the tables of SQLite, and the values of its columns."""
    body = row.body or b""
    if row.sort == LISTEN:
        yield ADD_LISTEN, columns_of(read(Listen, body))
    elif row.sort == TOKEN:
        kept = KeptToken.of(row)
        token, digest = kept.token, None if kept.token.password else kept.digest
        scopes = " ".join(sorted(token.scopes))
        secret = token.id, user, kept.password, digest, scopes, token.label, token.created_at, token.used_at
        yield "INSERT INTO tokens VALUES (?, ?, ?, ?, ?, ?, ?, ?)", secret
    elif row.sort == PRIVATE:
        yield "INSERT INTO private VALUES (?, ?, ?)", (user, row.at, row.number)
    elif row.sort == FEEDBACK:
        given = read(Feedback, body)
        yield "INSERT INTO feedback VALUES (?, ?, ?, ?, ?)", (user, given.sort, given.track.key, given.given_at, body)
    elif row.sort == BLOCK:
        block = read(Block, body)
        until = block.until, block.created_at
        yield "INSERT INTO blocks VALUES (?, ?, ?, ?, ?, ?)", (user, *block.item, block.name, *until)
    elif row.sort == EXCLUSION:
        yield "INSERT INTO exclusions VALUES (?, ?)", (user, row.key.encode())
    elif row.sort == "station":
        station = read(Station, body)
        yield "INSERT INTO stations VALUES (?, ?, ?, ?, ?)", (row.key, user, station.changed_at, station.revision, body)
    elif row.sort == "playlist":
        made = read(Playlist, body)
        changed = made.sort, made.of_listens, made.changed_at, made.revision
        yield (
            "INSERT INTO playlists VALUES (?, ?, ?, ?, ?, ?, ?)",
            (row.key, user, *changed, body),
        )


def _rows(backup: sqlite3.Connection, user: str) -> Iterator[Row]:
    """Yield the rows of ``user`` from the tables of SQLite."""

    def select(columns: str, table: str) -> sqlite3.Cursor:
        return backup.execute(f"SELECT {columns} FROM {table} WHERE user = ?", (user,))  # noqa: S608

    for (body,) in select("body", "listens"):
        yield row_of(read(Listen, body))
    for (body,) in select("body", "feedback"):
        yield feedback_row(read(Feedback, body))
    for kind, item, name, until, created_at in select("kind, item, name, until, created_at", "blocks"):
        yield block_row(Block(user=user, item=ItemRef(kind, item), name=name, until=until, created_at=created_at))
    for (body,) in select("body", "exclusions"):
        yield Row(EXCLUSION, 0, bytes(body).decode())
    for (body,) in select("body", "stations"):
        yield thing_row(read(Station, body))
    for (body,) in select("body", "playlists"):
        yield thing_row(read(Playlist, body))
    for since, until in select("since, until", "private"):
        yield Row(PRIVATE, since, "", number=until)
    columns = "id, password, digest, scopes, label, created_at, used_at"
    for token_id, password, digest, scopes, label, created_at, used_at in select(columns, "tokens"):
        token = Token(
            id=token_id,
            user=user,
            password=password is not None,
            scopes=frozenset(scopes.split()),
            label=label,
            created_at=created_at,
            used_at=used_at,
        )
        if not is_over(token):
            yield KeptToken(token=token, password=password, digest=digest or b"").row()
