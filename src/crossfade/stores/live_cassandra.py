"""The live state of a cluster: tables in Cassandra, which any number of servers share."""

from collections.abc import Iterator
from pathlib import Path

from crossfade.core.errors import ArtifactError
from crossfade.core.home import Home
from crossfade.stores.cassandra_settings import CassandraSettings
from crossfade.stores.live import Block, Exclusion, Feedback, Listen, NowPlaying, Playlist, Station
from crossfade.stores.live_cassandra_accounts import OWNED, TOKEN, AccountTables, KeptToken
from crossfade.stores.live_cassandra_copy import back_up, restore
from crossfade.stores.live_cassandra_database import PART, LiveDatabase
from crossfade.stores.live_cassandra_kept import KeptTables
from crossfade.stores.live_cassandra_listens import ListenTables
from crossfade.stores.live_cassandra_opinions import EXCLUSION, OpinionTables
from crossfade.stores.live_private import Shelf
from crossfade.stores.live_rows import read

_TYPES = {
    "listen": Listen,
    "playing": NowPlaying,
    "feedback": Feedback,
    "block": Block,
    "station": Station,
    "playlist": Playlist,
    TOKEN: KeptToken,
}


class CassandraLive(AccountTables, ListenTables, OpinionTables, KeptTables):
    """A `crossfade.stores.live_contract.LiveState` in the keyspace that ``settings`` name."""

    def __init__(self, settings: CassandraSettings) -> None:
        self._database = LiveDatabase(settings)
        self._shelf = Shelf()
        self._users = {}

    def backup(self, place: Path) -> None:
        back_up(self._database, self.accounts(), place)

    def restore(self, place: Path) -> None:
        users = restore(self._database, place)
        for account in self.accounts():
            if account.user not in users:
                self.remove_user(account.user)

    def check(self) -> Iterator[str]:
        owned: list[tuple[str, str, str]] = []
        for user, created_at, sort, key, body in self._database.stream(
            "SELECT user, created_at, sort, key, body FROM live"
        ):
            if created_at is None:
                yield f"A {sort} belongs to nobody."
            try:
                if sort in _TYPES:
                    read(_TYPES[sort], body or b"")
                elif sort == EXCLUSION:
                    read(Exclusion, key.encode())
            except ArtifactError as error:
                yield str(error)
            if sort in OWNED:
                owned.append((sort, key, user))
            if len(owned) >= PART:
                yield from self._unowned(owned)
                owned.clear()
        yield from self._unowned(owned)

    def sweep(self) -> None:
        self._shelf.remove_stale(self.deletions())
        for session in self._shelf.sessions():
            if self._session(session.user) != session:
                self._shelf.end(session)

    def close(self) -> None:
        self._database.close()

    def _unowned(self, things: list[tuple[str, str, str]]) -> Iterator[str]:
        """Yield which of ``things`` (sort, id, user) are not found by their id."""
        asked = "SELECT user FROM live_owners WHERE sort = ? AND id = ?"
        found = self._database.every([(asked, (sort, key)) for sort, key, _ in things])
        for (sort, _, user), rows in zip(things, found, strict=True):
            if [user] != [owner for (owner,) in rows]:
                yield f"A {sort} is not found by its id."


def open_live(home: Home, settings: CassandraSettings) -> CassandraLive:
    """Return the live state in the keyspace of ``settings``, a new one if there was none."""
    return CassandraLive(settings)
