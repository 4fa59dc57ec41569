"""Feedback, blocks and exclusions in SQLite."""

import sqlite3
from collections.abc import Sequence

from crossfade.stores.live import Block, Exclusion, Feedback, ItemRef, Opinion, require_timezone
from crossfade.stores.live_accounts import changed, require_account, rows_of
from crossfade.stores.live_database import Database
from crossfade.stores.live_listens import session_now
from crossfade.stores.live_rows import read, written
from crossfade.stores.live_rules import require_few_blocks, require_few_exclusions


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
                        self._keep(connection, one)
                changed(connection, user)

        self._database.write(put)

    def feedback(self, user: str, sort: Opinion | None = None) -> list[Feedback]:
        rows = rows_of(
            self._database,
            user,
            "SELECT body FROM feedback WHERE user = ?1 AND (?2 IS NULL OR sort = ?2) "
            "ORDER BY given_at DESC, sort, track",
            (user, sort),
        )
        return [read(Feedback, body) for (body,) in rows]

    def block(self, block: Block) -> None:
        def put(connection: sqlite3.Connection) -> None:
            require_account(connection, block.user)
            ended = block.user, block.created_at
            connection.execute("DELETE FROM blocks WHERE user = ? AND until <= ?", ended)
            connection.execute(
                "INSERT OR REPLACE INTO blocks VALUES (?, ?, ?, ?, ?, ?)",
                (block.user, *block.item, block.name, block.until, block.created_at),
            )
            # What was added is rolled back if it is one too many.
            require_few_blocks(block.user, _count(connection, "blocks", block.user))
            changed(connection, block.user)

        self._database.write(put)

    def unblock(self, user: str, item: ItemRef) -> bool:
        return self._undo(user, "DELETE FROM blocks WHERE user = ? AND kind = ? AND item = ?", *item)

    def blocks(self, user: str, *, at: int) -> list[Block]:
        rows = rows_of(
            self._database,
            user,
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
            connection.execute("INSERT OR IGNORE INTO exclusions VALUES (?, ?)", (exclusion.user, written(exclusion)))
            require_few_exclusions(exclusion.user, _count(connection, "exclusions", exclusion.user))
            changed(connection, exclusion.user)

        require_timezone(exclusion.timezone)
        self._database.write(put)

    def include(self, exclusion: Exclusion) -> bool:
        body = written(exclusion)
        return self._undo(exclusion.user, "DELETE FROM exclusions WHERE user = ? AND body = ?", body)

    def exclusions(self, user: str) -> list[Exclusion]:
        rows = rows_of(self._database, user, "SELECT body FROM exclusions WHERE user = ? ORDER BY body", (user,))
        return [read(Exclusion, body) for (body,) in rows]

    def _keep(self, connection: sqlite3.Connection, one: Feedback) -> None:
        key = one.user, one.sort, one.track.key
        if one.value:
            row = *key, one.given_at, written(one)
            connection.execute("INSERT OR REPLACE INTO feedback VALUES (?, ?, ?, ?, ?)", row)
        elif connection.execute("DELETE FROM feedback WHERE user = ? AND sort = ? AND track = ?", key).rowcount:
            self._database.erase()

    def _undo(self, user: str, statement: str, *values: object) -> bool:
        """Return whether ``statement`` deleted something of ``user``, whose account has changed then."""

        def delete(connection: sqlite3.Connection) -> bool:
            require_account(connection, user)
            deleted = connection.execute(statement, (user, *values)).rowcount > 0
            if deleted:
                changed(connection, user)
                self._database.erase()
            return deleted

        return self._database.write(delete)


def _count(connection: sqlite3.Connection, table: str, user: str) -> int:
    """Return how many rows of ``table`` a user has."""
    return int(connection.execute(f"SELECT count(*) FROM {table} WHERE user = ?", (user,)).fetchone()[0])  # noqa: S608
