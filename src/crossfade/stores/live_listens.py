"""Listens, what is playing, and private sessions in SQLite.

A listen is kept as JSON, beside the columns by which it is found. One that overlaps a private session of its user is
dropped before it reaches the file, also when a player sends it later. Of the session only its times are kept.
"""

import dataclasses
import itertools
import json
import sqlite3
from collections.abc import Iterator, Sequence

from crossfade.stores.live import ALL, Listen, NowPlaying, Which, folded, now, require_time
from crossfade.stores.live_accounts import changed, require_account, rows_of
from crossfade.stores.live_database import DELETIONS, REVISION, Database, counter, next_counter
from crossfade.stores.live_private import Session, Shelf
from crossfade.stores.live_rows import read, written
from crossfade.stores.live_rules import LONGEST_PRIVATE, artist_of, is_private, words_of

ADD_LISTEN = (
    "INSERT OR IGNORE INTO listens (id, user, listened_at, artist, words, context, body) VALUES (?, ?, ?, ?, ?, ?, ?)"
)
"""Keeps the `columns_of` a listen."""

PART = 5_000
"""Listens that are read at a time, where all are: a reader that takes long would keep the log from being emptied."""


class ListenTables:
    """Implements `crossfade.stores.live_contract.Listening`."""

    _database: Database
    _shelf: Shelf

    def add_listens(self, listens: Sequence[Listen]) -> int:
        rows = {listen.id: listen for listen in listens}
        received = now()

        def add(connection: sqlite3.Connection) -> int:
            added = 0
            for user, theirs in itertools.groupby(
                sorted(rows.values(), key=lambda one: one.user), lambda one: one.user
            ):
                require_account(connection, user)
                spans = connection.execute("SELECT since, until FROM private WHERE user = ?", (user,)).fetchall()
                before = connection.total_changes
                connection.executemany(
                    ADD_LISTEN,
                    (
                        columns_of(dataclasses.replace(listen, received_at=received))
                        for listen in theirs
                        if not is_private(listen, spans)
                    ),
                )
                if connection.total_changes > before:
                    added += connection.total_changes - before
                    changed(connection, user)
            return added

        return self._database.write(add)

    def listens(
        self, user: str, which: Which = ALL, *, limit: int, offset: int = 0, oldest_first: bool = False
    ) -> list[Listen]:
        where, values = _where(user, which)
        order = "ASC" if oldest_first else "DESC"
        rows = rows_of(
            self._database,
            user,
            f"SELECT body FROM listens WHERE {where} ORDER BY listened_at {order}, number {order} "  # noqa: S608
            "LIMIT :limit OFFSET :offset",
            {**values, "limit": limit, "offset": offset},
        )
        return [read(Listen, body) for (body,) in rows]

    def count_listens(self, user: str, which: Which = ALL) -> int:
        where, values = _where(user, which)
        ((count,),) = rows_of(self._database, user, f"SELECT count(*) FROM listens WHERE {where}", values)  # noqa: S608
        return int(count)

    def delete_listens(self, user: str, which: Which) -> int:
        where, values = _where(user, which)

        def delete(connection: sqlite3.Connection) -> int:
            require_account(connection, user)
            deleted = connection.execute(f"DELETE FROM listens WHERE {where}", values).rowcount  # noqa: S608
            if deleted:
                changed(connection, user)
                self._shelf.remove_stale(next_counter(connection, DELETIONS))
                connection.execute("DELETE FROM playlists WHERE user = ? AND of_listens IS NOT NULL", (user,))
                connection.execute("DELETE FROM playing WHERE user = ? AND ends_at <= ?", (user, now()))
                self._database.erase()
            return deleted

        return self._database.write(delete)

    def every_listen(self) -> Iterator[Listen]:
        number = 0
        while part := self._arrived(number):
            for number, body in part:  # noqa: B007 (of the last one)
                yield read(Listen, body)

    def deletions(self) -> int:
        with self._database.reading() as connection:
            return counter(connection, DELETIONS)

    def changes(self) -> int:
        with self._database.reading() as connection:
            return counter(connection, REVISION)

    def set_now_playing(self, playing: NowPlaying) -> None:
        def put(connection: sqlite3.Connection) -> None:
            require_account(connection, playing.user)
            if session_now(connection, playing.user) is None:
                ended = playing.user, playing.started_at
                connection.execute("DELETE FROM playing WHERE user = ? AND ends_at <= ?", ended)
                connection.execute(
                    "INSERT OR REPLACE INTO playing VALUES (?, ?, ?, ?, ?)",
                    (playing.user, playing.player, playing.started_at, playing.ends_at, written(playing)),
                )

        self._database.write(put)

    def now_playing(self, user: str | None = None, *, at: int) -> list[NowPlaying]:
        with self._database.reading() as connection:
            if user is not None:
                require_account(connection, user)
            rows = connection.execute(
                "SELECT body FROM playing WHERE ends_at > ?1 AND (?2 IS NULL OR user = ?2) "
                "ORDER BY started_at DESC, user, player",
                (at, user),
            )
            return [read(NowPlaying, row[0]) for row in rows]

    def stop_playing(self, user: str, player: str = "") -> None:
        def delete(connection: sqlite3.Connection) -> None:
            require_account(connection, user)
            connection.execute("DELETE FROM playing WHERE user = ? AND player = ?", (user, player))

        self._database.write(delete)

    def start_private(self, user: str, until: int) -> None:
        require_time(until)

        def start(connection: sqlite3.Connection) -> None:
            require_account(connection, user)
            session = session_now(connection, user)
            since = now() if session is None else session.since
            connection.execute("INSERT OR REPLACE INTO private VALUES (?, ?, ?)", (user, since, until))
            connection.execute("DELETE FROM playing WHERE user = ?", (user,))
            self._database.erase()

        if until - now() > LONGEST_PRIVATE:
            until = now() + LONGEST_PRIVATE
        self._database.write(start)

    def end_private(self, user: str) -> None:
        def end(connection: sqlite3.Connection) -> Session | None:
            require_account(connection, user)
            session = session_now(connection, user)
            connection.execute("UPDATE private SET until = ?2 WHERE user = ?1 AND until > ?2", (user, now()))
            return session

        session = self._database.write(end)
        if session is not None:
            self._shelf.end(session)

    def private_until(self, user: str, *, at: int) -> int | None:
        statement = "SELECT max(until) FROM private WHERE user = ? AND until > ?"
        ((until,),) = rows_of(self._database, user, statement, (user, at))
        return None if until is None else int(until)

    def _arrived(self, after: int) -> list[tuple[int, bytes]]:
        """Return the next listens in the order of arrival, with their numbers."""
        with self._database.reading() as connection:
            statement = "SELECT number, body FROM listens WHERE number > ? ORDER BY number LIMIT ?"
            return connection.execute(statement, (after, PART)).fetchall()


def session_now(connection: sqlite3.Connection, user: str) -> Session | None:
    """Return the private session that ``user`` is in now."""
    row = connection.execute("SELECT since FROM private WHERE user = ? AND until > ?", (user, now())).fetchone()
    return None if row is None else Session(user, row[0])


def columns_of(listen: Listen) -> tuple[object, ...]:
    """Return the columns of a listen but its number."""
    return (
        listen.id,
        listen.user,
        listen.listened_at,
        artist_of(listen),
        words_of(listen),
        listen.context,
        written(listen),
    )


def _where(user: str, which: Which) -> tuple[str, dict[str, object]]:
    """Return the condition for the listens that are meant, and its values."""
    conditions = ["user = :user"]
    values: dict[str, object] = {"user": user}

    def add(condition: str, **named: object) -> None:
        conditions.append(condition)
        values.update(named)

    if which.ids is not None:
        add("id IN (SELECT value FROM json_each(:ids))", ids=json.dumps(list(which.ids)))
    if which.since is not None:
        add("listened_at >= :since", since=which.since)
    if which.until is not None:
        add("listened_at < :until", until=which.until)
    if which.artist is not None:
        add("artist = :artist", artist=folded(which.artist))
    if which.text is not None:
        add("instr(words, :text)", text=folded(which.text))
    if which.context is not None:
        add("context = :context", context=which.context)
    return " AND ".join(conditions), values
