"""What a private session leaves in memory: stations and playlists of one process, gone with the session."""

import threading
from typing import Any, NamedTuple, TypeVar

from crossfade.stores.live import Playlist, Station

MOST_SHELVED = 100
"""Things of one session; the one that was changed first goes when there are more."""

Thing = TypeVar("Thing", Station, Playlist)


class Session(NamedTuple):
    """A private session of a user, by when it began, in milliseconds since 1970."""

    user: str
    since: int


class Shelf:
    """Keeps things by private session; safe to use from any number of threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._things: dict[Session, dict[tuple[type, str], Any]] = {}

    def put(self, session: Session, thing: Thing) -> Thing:
        """Keep ``thing`` until ``session`` is over, and return it."""
        with self._lock:
            things = self._things.setdefault(session, {})
            things.pop((type(thing), thing.id), None)
            things[type(thing), thing.id] = thing
            while len(things) > MOST_SHELVED:
                del things[next(iter(things))]
        return thing

    def find(self, session: Session, of: type[Thing], thing_id: str) -> Thing | None:
        """Return a thing of ``session``; None if there is none of that id."""
        with self._lock:
            found: Thing | None = self._things.get(session, {}).get((of, thing_id))
        return found

    def all(self, session: Session, of: type[Thing]) -> list[Thing]:
        """Return the things of a type, the last changed first."""
        with self._lock:
            return [thing for (sort, _), thing in reversed(self._things.get(session, {}).items()) if sort is of]

    def remove(self, session: Session, of: type[Thing], thing_id: str) -> bool:
        """Remove a thing and return whether there was one."""
        with self._lock:
            return self._things.get(session, {}).pop((of, thing_id), None) is not None

    def remove_stale(self, deletions: int) -> None:
        """Remove the playlists that are made of listens and older than the last of so many ``deletions``."""
        for session in self.sessions():
            for playlist in self.all(session, Playlist):
                if playlist.of_listens is not None and playlist.of_listens < deletions:
                    self.remove(session, Playlist, playlist.id)

    def sessions(self) -> list[Session]:
        """Return the sessions of which there are things."""
        with self._lock:
            return list(self._things)

    def end(self, session: Session) -> None:
        """Remove what is of ``session``."""
        with self._lock:
            self._things.pop(session, None)
