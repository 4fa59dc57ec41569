"""What a private session leaves in memory: stations and playlists of one process, gone with the session."""

import threading
from typing import Any, NamedTuple, TypeVar

from crossfade.stores.live import Playlist, Station

MOST_SHELVED = 100
"""Things of one session; the one that was changed first goes when there are more."""

Thing = TypeVar("Thing", Station, Playlist)


class Session(NamedTuple):
    """A private session of a user: when it began and when it ends by itself, in milliseconds since 1970."""

    user: str
    since: int
    until: int


class Shelf:
    """Keeps things by the session of their user, who has one at a time; safe to use from any number of threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sessions: dict[str, Session] = {}
        self._things: dict[str, dict[tuple[type, str], Any]] = {}

    def put(self, session: Session, thing: Thing) -> Thing:
        """Keep ``thing`` until ``session`` is over, and return it."""
        with self._lock:
            things = self._of(session)
            things.pop((type(thing), thing.id), None)
            things[type(thing), thing.id] = thing
            while len(things) > MOST_SHELVED:
                del things[next(iter(things))]
        return thing

    def find(self, session: Session, of: type[Thing], thing_id: str) -> Thing | None:
        """Return a thing of ``session``; None if there is none of that id."""
        with self._lock:
            found: Thing | None = self._of(session).get((of, thing_id))
        return found

    def all(self, session: Session, of: type[Thing]) -> list[Thing]:
        """Return the things of a type, the last changed first."""
        with self._lock:
            return [thing for (sort, _), thing in reversed(self._of(session).items()) if sort is of]

    def remove(self, session: Session, of: type[Thing], thing_id: str) -> bool:
        """Remove a thing and return whether there was one."""
        with self._lock:
            return self._of(session).pop((of, thing_id), None) is not None

    def users(self) -> list[str]:
        """Return whose things there are."""
        with self._lock:
            return list(self._things)

    def sweep(self, at: int) -> None:
        """Remove what is of sessions that are over at the time ``at``."""
        for user in [user for user, session in list(self._sessions.items()) if session.until <= at]:
            self.end(user)

    def end(self, user: str) -> None:
        """Remove what is of the session of ``user``."""
        with self._lock:
            self._sessions.pop(user, None)
            self._things.pop(user, None)

    def _of(self, session: Session) -> dict[tuple[type, str], Any]:
        """The things of ``session``; those of an earlier one are removed."""
        before = self._sessions.get(session.user)
        if before is None or before.since != session.since:
            self._things[session.user] = {}
        self._sessions[session.user] = session  # it may last longer by now
        return self._things[session.user]
