"""Listening sessions: plays with no long pause between them."""

from crossfade.core.errors import UnknownIdError
from crossfade.stores.live import Listen, Which
from crossfade.stores.live_contract import LiveState

PAUSE = 30 * 60_000
"""Milliseconds from the beginning of one play to that of the next; a longer pause ends a session."""

_STEP = 200  # listens read at a time


def session_of(live: LiveState, user: str, listen_id: str) -> Which:
    """Return the span of the session that a listen of ``user`` is in; UnknownIdError if there is no such listen."""
    found = live.listens(user, Which(ids=[listen_id]), limit=1)
    if not found:
        raise UnknownIdError(f"{user} has no listen {listen_id!r}.")
    first = last = found[0].listened_at
    while (earlier := _reached(first, live.listens(user, Which(until=first), limit=_STEP))) != first:
        first = earlier
    while (later := _reached(last, live.listens(user, Which(since=last + 1), limit=_STEP, oldest_first=True))) != last:
        last = later
    return Which(since=first, until=last + 1)


def _reached(time: int, listens: list[Listen]) -> int:
    """Return the time of the furthest of ``listens``, nearest first, that no long pause parts from ``time``."""
    for listen in listens:
        if abs(listen.listened_at - time) > PAUSE:
            break
        time = listen.listened_at
    return time
