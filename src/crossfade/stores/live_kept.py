"""Stations and playlists in SQLite: read, changed, and put back under a revision."""

import dataclasses
import sqlite3
from typing import TypeVar

from crossfade.stores.live import Playlist, Station
from crossfade.stores.live_accounts import require_account
from crossfade.stores.live_database import DELETIONS, Database, counter
from crossfade.stores.live_listens import session_now
from crossfade.stores.live_private import Shelf
from crossfade.stores.live_rows import read, written
from crossfade.stores.live_rules import no_such, require_made_since, require_room_for, require_unchanged

Thing = TypeVar("Thing", Station, Playlist)

_TABLES = {Station: "stations", Playlist: "playlists"}


class KeptTables:
    """Implements `crossfade.stores.live_contract.Kept`."""

    _database: Database
    _shelf: Shelf

    def put_station(self, station: Station) -> Station:
        return self._put(station, "INSERT OR REPLACE INTO stations VALUES (:id, :user, :changed_at, :revision, :body)")

    def station(self, user: str, station_id: str) -> Station:
        with self._database.reading() as connection:
            found = self._find(connection, Station, station_id)
        if found is None or found.user != user:
            raise no_such(Station, station_id)
        return found

    def stations(self, user: str) -> list[Station]:
        return self._all(user, Station)

    def delete_station(self, user: str, station_id: str) -> None:
        self._delete(Station, user, station_id)

    def put_playlist(self, playlist: Playlist) -> Playlist:
        return self._put(
            playlist,
            "INSERT OR REPLACE INTO playlists VALUES (:id, :user, :sort, :of_listens, :changed_at, :revision, :body)",
        )

    def playlist(self, playlist_id: str) -> Playlist:
        with self._database.reading() as connection:
            found = self._find(connection, Playlist, playlist_id)
        if found is None:
            raise no_such(Playlist, playlist_id)
        return found

    def playlists(self, user: str, sort: str | None = None) -> list[Playlist]:
        found = self._all(user, Playlist, "" if sort is None else "AND sort = :sort", sort=sort)
        return [one for one in found if sort in (None, one.sort)]

    def delete_playlist(self, user: str, playlist_id: str) -> None:
        self._delete(Playlist, user, playlist_id)

    def _put(self, thing: Thing, statement: str) -> Thing:
        table = _TABLES[type(thing)]

        def put(connection: sqlite3.Connection) -> Thing:
            require_account(connection, thing.user)
            before = self._find(connection, type(thing), thing.id)
            require_unchanged(thing, before)
            require_made_since(thing, counter(connection, DELETIONS))
            kept = dataclasses.replace(thing, revision=thing.revision + 1)
            session = session_now(connection, thing.user)
            if session is not None:
                return self._shelf.put(session, kept)
            count = connection.execute(f"SELECT count(*) FROM {table} WHERE user = ?", (kept.user,)).fetchone()[0]  # noqa: S608
            if before is None:
                require_room_for(type(thing), kept.user, count)
            connection.execute(statement, {**vars(kept), "body": written(kept)})
            return kept

        return self._database.write(put)

    def _find(self, connection: sqlite3.Connection, of: type[Thing], thing_id: str) -> Thing | None:
        """Return a thing, as its user's private session left it if there is one."""
        row = connection.execute(f"SELECT body FROM {_TABLES[of]} WHERE id = ?", (thing_id,)).fetchone()  # noqa: S608
        kept = None if row is None else read(of, row[0])
        for session in self._shelf.sessions():
            found = self._shelf.find(session, of, thing_id)
            if found is not None and session_now(connection, session.user) == session:
                return found
        return kept

    def _all(self, user: str, of: type[Thing], condition: str = "", **values: str | None) -> list[Thing]:
        """Return what is kept of a user and fits ``condition``, and all that is of a private session."""
        with self._database.reading() as connection:
            require_account(connection, user)
            rows = connection.execute(
                f"SELECT body FROM {_TABLES[of]} WHERE user = :user {condition} ORDER BY changed_at DESC, id",  # noqa: S608
                {"user": user, **values},
            )
            kept = [read(of, row[0]) for row in rows]
            session = session_now(connection, user)
        private = [] if session is None else self._shelf.all(session, of)
        covered = {one.id for one in private}
        return private + [one for one in kept if one.id not in covered]

    def _delete(self, of: type[Thing], user: str, thing_id: str) -> None:
        def delete(connection: sqlite3.Connection) -> None:
            session = session_now(connection, user)
            private = session is not None and self._shelf.remove(session, of, thing_id)
            statement = f"DELETE FROM {_TABLES[of]} WHERE id = ? AND user = ?"  # noqa: S608
            if not connection.execute(statement, (thing_id, user)).rowcount and not private:
                raise no_such(of, thing_id)
            self._database.erase()

        self._database.write(delete)
