"""The live state of one machine: a SQLite file in the home, ``state.sqlite``."""

from collections.abc import Iterator
from pathlib import Path

from crossfade.core.home import Home
from crossfade.stores.live_accounts import AccountTables
from crossfade.stores.live_database import Database
from crossfade.stores.live_kept import KeptTables
from crossfade.stores.live_listens import ListenTables, session_now
from crossfade.stores.live_opinions import OpinionTables
from crossfade.stores.live_private import Shelf


class SQLiteLive(AccountTables, ListenTables, OpinionTables, KeptTables):
    """A `crossfade.stores.live_contract.LiveState` in the file ``place``."""

    def __init__(self, place: Path) -> None:
        self._database = Database(place)
        self._shelf = Shelf()

    def backup(self, place: Path) -> None:
        self._database.backup(place)

    def restore(self, place: Path) -> None:
        self._database.restore(place)

    def check(self) -> Iterator[str]:
        yield from self._database.check()

    def sweep(self) -> None:
        self._database.sweep()
        self._shelf.remove_stale(self.deletions())
        with self._database.reading() as connection:
            for session in self._shelf.sessions():
                if session_now(connection, session.user) != session:
                    self._shelf.end(session)

    def close(self) -> None:
        self._database.close()


def open_live(home: Home, settings: object) -> SQLiteLive:
    """Return the live state of ``home``, a new one if there was none."""
    return SQLiteLive(home.live)
