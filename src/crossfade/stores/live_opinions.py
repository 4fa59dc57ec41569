"""Feedback, blocks and exclusions in SQLite."""

import sqlite3
from collections.abc import Sequence

from crossfade.core.errors import InputError
from crossfade.stores.live import (
    MOST_EXCLUSIONS,
    MOST_KEPT,
    Block,
    Exclusion,
    Feedback,
    ItemRef,
    Opinion,
    require_timezone,
)
from crossfade.stores.live_accounts import changed, require_account
from crossfade.stores.live_database import Database
from crossfade.stores.live_listens import session_now
from crossfade.stores.live_rows import read, written


class OpinionTables:
    """Implements `crossfade.stores.live_contract.Opinions`."""

    _database: Database

    def give(self, feedback: Sequence[Feedback]) -> None:
        def put(connection: sqlite3.Connection) -> None:
            for user in sorted({one.user for one in feedback}):
                require_account(connection, user)
                if session_now(connection, user) is not None:
                    continue
                for one in feedback:
                    if one.user == user:
                        _put(connection, one)
                changed(connection, user)

        self._database.write(put)

    def feedback(self, user: str, sort: Opinion | None = None) -> list[Feedback]:
        with self._database.reading() as connection:
            require_account(connection, user)
            rows = connection.execute(
                "SELECT body FROM feedback WHERE user = ?1 AND (?2 IS NULL OR sort = ?2) "
                "ORDER BY given_at DESC, sort, track",
                (user, sort),
            )
            return [read(Feedback, row[0]) for row in rows]

    def block(self, block: Block) -> None:
        def put(connection: sqlite3.Connection) -> None:
            require_account(connection, block.user)
            if session_now(connection, block.user) is not None:
                raise InputError("Nothing is kept in a private session. End it to block something.")
            _require_room(connection, "blocks", block.user, MOST_KEPT)
            connection.execute(
                "INSERT OR REPLACE INTO blocks VALUES (?, ?, ?, ?, ?, ?)",
                (block.user, *block.item, block.name, block.until, block.created_at),
            )
            changed(connection, block.user)

        self._database.write(put)

    def unblock(self, user: str, item: ItemRef) -> bool:
        def delete(connection: sqlite3.Connection) -> bool:
            return _deleted(connection, user, "DELETE FROM blocks WHERE user = ? AND kind = ? AND item = ?", *item)

        return self._database.write(delete)

    def blocks(self, user: str, *, at: int) -> list[Block]:
        with self._database.reading() as connection:
            require_account(connection, user)
            rows = connection.execute(
                "SELECT kind, item, name, until, created_at FROM blocks "
                "WHERE user = ? AND (until IS NULL OR until > ?) ORDER BY created_at DESC, kind, item",
                (user, at),
            )
            return [
                Block(user=user, item=ItemRef(kind, item), name=name, until=until, created_at=created)
                for kind, item, name, until, created in rows
            ]

    def exclude(self, exclusion: Exclusion) -> None:
        def put(connection: sqlite3.Connection) -> None:
            require_account(connection, exclusion.user)
            _require_room(connection, "exclusions", exclusion.user, MOST_EXCLUSIONS)
            connection.execute("INSERT OR IGNORE INTO exclusions VALUES (?, ?)", (exclusion.user, written(exclusion)))
            changed(connection, exclusion.user)

        require_timezone(exclusion.timezone)
        self._database.write(put)

    def include(self, exclusion: Exclusion) -> bool:
        def delete(connection: sqlite3.Connection) -> bool:
            return _deleted(
                connection,
                exclusion.user,
                "DELETE FROM exclusions WHERE user = ? AND body = ?",
                written(exclusion),
            )

        return self._database.write(delete)

    def exclusions(self, user: str) -> list[Exclusion]:
        with self._database.reading() as connection:
            require_account(connection, user)
            rows = connection.execute("SELECT body FROM exclusions WHERE user = ? ORDER BY body", (user,))
            return [read(Exclusion, row[0]) for row in rows]


def _put(connection: sqlite3.Connection, one: Feedback) -> None:
    key = one.user, one.sort, one.track.key
    if one.value:
        connection.execute("INSERT OR REPLACE INTO feedback VALUES (?, ?, ?, ?, ?)", (*key, one.given_at, written(one)))
    else:
        connection.execute("DELETE FROM feedback WHERE user = ? AND sort = ? AND track = ?", key)


def _require_room(connection: sqlite3.Connection, table: str, user: str, most: int) -> None:
    """Raise InputError if a user has as many rows of ``table`` as are kept."""
    count = connection.execute(f"SELECT count(*) FROM {table} WHERE user = ?", (user,)).fetchone()[0]  # noqa: S608
    if count >= most:
        raise InputError(f"{user} has {count:,} {table}, the most of one user. Undo some first.")


def _deleted(connection: sqlite3.Connection, user: str, statement: str, *values: object) -> bool:
    """Return whether ``statement`` deleted something of ``user``, whose account has changed then."""
    require_account(connection, user)
    deleted = connection.execute(statement, (user, *values)).rowcount > 0
    if deleted:
        changed(connection, user)
    return deleted
