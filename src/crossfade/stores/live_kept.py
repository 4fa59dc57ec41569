"""Stations and playlists in SQLite: read, changed, and put back under a revision."""

import dataclasses
import sqlite3
from typing import TypeVar

from crossfade.core.errors import UnknownIdError
from crossfade.stores.live import ChangedError, Playlist, Station
from crossfade.stores.live_accounts import require_account
from crossfade.stores.live_database import Database
from crossfade.stores.live_rows import read, written

Thing = TypeVar("Thing", Station, Playlist)


class KeptTables:
    """Implements `crossfade.stores.live.Kept`."""

    _database: Database

    def put_station(self, station: Station) -> Station:
        def put(connection: sqlite3.Connection) -> Station:
            kept = _next(connection, "stations", station)
            connection.execute(
                "INSERT OR REPLACE INTO stations VALUES (?, ?, ?, ?, ?)",
                (kept.id, kept.user, kept.changed_at, kept.revision, written(kept)),
            )
            return kept

        return self._database.write(put)

    def station(self, user: str, station_id: str) -> Station:
        with self._database.reading() as connection:
            row = connection.execute(
                "SELECT body FROM stations WHERE id = ? AND user = ?", (station_id, user)
            ).fetchone()
        if row is None:
            raise _unknown("station", station_id)
        return read(Station, row[0])

    def stations(self, user: str) -> list[Station]:
        with self._database.reading() as connection:
            require_account(connection, user)
            rows = connection.execute("SELECT body FROM stations WHERE user = ? ORDER BY changed_at DESC, id", (user,))
            return [read(Station, row[0]) for row in rows]

    def delete_station(self, user: str, station_id: str) -> None:
        self._delete("DELETE FROM stations WHERE id = ? AND user = ?", "station", user, station_id)

    def put_playlist(self, playlist: Playlist) -> Playlist:
        def put(connection: sqlite3.Connection) -> Playlist:
            kept = _next(connection, "playlists", playlist)
            connection.execute(
                "INSERT OR REPLACE INTO playlists VALUES (?, ?, ?, ?, ?, ?)",
                (kept.id, kept.user, kept.sort, kept.changed_at, kept.revision, written(kept)),
            )
            return kept

        return self._database.write(put)

    def playlist(self, playlist_id: str) -> Playlist:
        with self._database.reading() as connection:
            row = connection.execute("SELECT body FROM playlists WHERE id = ?", (playlist_id,)).fetchone()
        if row is None:
            raise _unknown("playlist", playlist_id)
        return read(Playlist, row[0])

    def playlists(self, user: str, sort: str | None = None) -> list[Playlist]:
        with self._database.reading() as connection:
            require_account(connection, user)
            rows = connection.execute(
                "SELECT body FROM playlists WHERE user = ?1 AND (?2 IS NULL OR sort = ?2) ORDER BY changed_at DESC, id",
                (user, sort),
            )
            return [read(Playlist, row[0]) for row in rows]

    def delete_playlist(self, user: str, playlist_id: str) -> None:
        self._delete("DELETE FROM playlists WHERE id = ? AND user = ?", "playlist", user, playlist_id)

    def _delete(self, statement: str, what: str, user: str, thing_id: str) -> None:
        def delete(connection: sqlite3.Connection) -> None:
            if not connection.execute(statement, (thing_id, user)).rowcount:
                raise _unknown(what, thing_id)
            self._database.erase()

        self._database.write(delete)


def _next(connection: sqlite3.Connection, table: str, thing: Thing) -> Thing:
    """Return ``thing`` with its next revision; ChangedError if what is kept is not what it was made from."""
    require_account(connection, thing.user)
    row = connection.execute(f"SELECT user, revision FROM {table} WHERE id = ?", (thing.id,)).fetchone()  # noqa: S608
    if (thing.user, thing.revision) != ((thing.user, 0) if row is None else row):
        raise ChangedError(f"{thing.id!r} was changed by somebody else. Read it again, and repeat the change.")
    return dataclasses.replace(thing, revision=thing.revision + 1)


def _unknown(what: str, thing_id: str) -> UnknownIdError:
    return UnknownIdError(f"There is no {what} {thing_id!r}.")
