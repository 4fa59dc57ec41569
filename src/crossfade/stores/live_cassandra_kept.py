"""Stations and playlists in Cassandra, each in the partition of its user; `live_owners` says in whose it is."""

import dataclasses
from collections.abc import Sequence
from typing import TypeVar

from crossfade.stores.live import ChangedError, Playlist, Station
from crossfade.stores.live_cassandra_database import DELETIONS, Change, Header, LiveDatabase, Row, Statement
from crossfade.stores.live_private import Session, Shelf
from crossfade.stores.live_rows import read, written
from crossfade.stores.live_rules import no_such, require_made_since, require_room_for, require_unchanged

Thing = TypeVar("Thing", Station, Playlist)


class KeptTables:
    """Implements `crossfade.stores.live_contract.Kept`."""

    _database: LiveDatabase
    _shelf: Shelf

    def put_station(self, station: Station) -> Station:
        return self._put(station)

    def station(self, user: str, station_id: str) -> Station:
        found = self._shelved(Station, station_id) or self._kept(user, Station, station_id)
        if found is None or found.user != user:
            raise no_such(Station, station_id)
        return found

    def stations(self, user: str) -> list[Station]:
        return self._all(user, Station)

    def delete_station(self, user: str, station_id: str) -> None:
        self._delete(Station, user, station_id)

    def put_playlist(self, playlist: Playlist) -> Playlist:
        return self._put(playlist)

    def playlist(self, playlist_id: str) -> Playlist:
        found = self._shelved(Playlist, playlist_id)
        if found is None and (user := self._database.owner("playlist", playlist_id)) is not None:
            found = self._kept(user, Playlist, playlist_id)
        if found is None:
            raise no_such(Playlist, playlist_id)
        return found

    def playlists(self, user: str, sort: str | None = None) -> list[Playlist]:
        return [one for one in self._all(user, Playlist) if sort in (None, one.sort)]

    def delete_playlist(self, user: str, playlist_id: str) -> None:
        self._delete(Playlist, user, playlist_id)

    def _put(self, thing: Thing) -> Thing:
        of, user = type(thing), thing.user
        sort = sort_of(of)

        def put(header: Header) -> Change[Thing]:
            before = self._kept(user, of, thing.id)
            require_unchanged(thing, self._shelved(of, thing.id) or before)
            owner = user if before is not None else self._database.owner(sort, thing.id)
            if owner not in (None, user):
                raise ChangedError(f"{thing.id!r} belongs to somebody else.")
            require_made_since(thing, self._database.counter(DELETIONS))
            kept = dataclasses.replace(thing, revision=thing.revision + 1)
            session = header.session(user)
            if session is not None:
                return Change(self._shelf.put(session, kept))
            if before is None:
                require_room_for(of, user, len(self._database.within(user, sort, "key")))
                if not self._database.own(sort, thing.id, user):
                    raise ChangedError(f"{thing.id!r} belongs to somebody else.")
            was = None if before is None else thing_row(before)
            return Change(kept, [thing_row(kept).put(user, before=was)])

        return self._database.change(user, put)

    def _delete(self, of: type[Thing], user: str, thing_id: str) -> None:
        was_private = False

        def delete(header: Header) -> Change[Sequence[Statement]]:
            nonlocal was_private
            session = header.session(user)
            was_private = was_private or (session is not None and self._shelf.remove(session, of, thing_id))
            if self._kept(user, of, thing_id) is not None:
                claims = self._database.claims(sort_of(of), [thing_id])
                return Change(claims, [Row.remove(user, sort_of(of), thing_id)])
            if not was_private:
                raise no_such(of, thing_id)
            return Change([])

        self._database.carry_out(self._database.change(user, delete))

    def _all(self, user: str, of: type[Thing]) -> list[Thing]:
        """Return what is kept of a user, and what is of a private session, which comes first."""
        kept = [read(of, body) for (body,) in self._database.of(user, sort_of(of))]
        session = self._session(user) if self._shelf.sessions() else None
        private = [] if session is None else self._shelf.all(session, of)
        covered = {one.id for one in private}
        listed = sorted(kept, key=lambda one: (-one.changed_at, one.id))
        return private + [one for one in listed if one.id not in covered]

    def _kept(self, user: str, of: type[Thing], thing_id: str) -> Thing | None:
        """Return what is kept of a thing."""
        asked = "SELECT body FROM live WHERE user = ? AND sort = ? AND at = 0 AND key = ?"
        rows = self._database.rows(asked, user, sort_of(of), thing_id)
        return read(of, rows[0][0]) if rows else None

    def _shelved(self, of: type[Thing], thing_id: str) -> Thing | None:
        """Return a thing as the private session of its user has left it, if that is on in this process."""
        for session in self._shelf.sessions():
            found = self._shelf.find(session, of, thing_id)
            if found is not None and self._session(session.user) == session:
                return found
        return None

    def _session(self, user: str) -> Session | None:
        """Return the private session that ``user`` is in now."""
        header = self._database.found(user)
        return None if header is None else header.session(user)


def sort_of(of: type) -> str:
    """Return the sort of the rows of a type: "station" or "playlist"."""
    return of.__name__.lower()


def thing_row(thing: Station | Playlist) -> Row:
    """Return the row of a station or a playlist."""
    made_of = thing.of_listens if isinstance(thing, Playlist) else None
    return Row(sort_of(type(thing)), 0, thing.id, written(thing), made_of)
