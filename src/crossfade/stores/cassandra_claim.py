"""Who publishes into a keyspace: one home at a time, so that none takes what another is loading for left over.

A claim is a row with a time to live, which its owner renews: that of a machine that was lost ends by itself. A home has
one writer anyway (`crossfade.core.locking`), so a process that was killed is followed at once by the next of its home.
"""

import contextlib
import logging
from collections.abc import Iterator
from threading import Event, Thread

from crossfade.core.errors import BusyError, CrossfadeError
from crossfade.stores.cassandra_session import CassandraSession

CLAIM_SECONDS = 60
"""After this time without being renewed a claim has ended."""

_TABLE = "CREATE TABLE IF NOT EXISTS publishers (library text PRIMARY KEY, owner text)"
_TAKE = "INSERT INTO publishers (library, owner) VALUES (?, ?) IF NOT EXISTS USING TTL ?"
_RENEW = "UPDATE publishers USING TTL ? SET owner = ? WHERE library = ? IF owner = ?"
_GIVE_BACK = "DELETE FROM publishers WHERE library = ? IF owner = ?"
_OWNER = "SELECT owner FROM publishers WHERE library = ?"

_log = logging.getLogger("crossfade.stores")


@contextlib.contextmanager
def claimed(session: CassandraSession, library: str, owner: str) -> Iterator[None]:
    """Hold the claim of ``library`` within the block; BusyError at once, which names the owner, if another has it."""
    session.define(_TABLE)
    if not (_renewed(session, library, owner) or session.applied(_TAKE, (library, owner, CLAIM_SECONDS))):
        rows = session.rows(_OWNER, (library,), serial=True)
        raise BusyError(
            f"The keyspace {session.settings.keyspace!r} is being published to by {rows[0][0] if rows else 'another'}. "
            f"Wait for it to end; if that machine was lost, for {CLAIM_SECONDS} seconds."
        )
    ended = Event()
    keeper = Thread(target=_keep, args=(session, library, owner, ended), daemon=True)
    keeper.start()
    try:
        yield
    finally:
        ended.set()
        keeper.join()
        with contextlib.suppress(CrossfadeError):  # it ends by itself
            session.applied(_GIVE_BACK, (library, owner))


def _renewed(session: CassandraSession, library: str, owner: str) -> bool:
    return session.applied(_RENEW, (CLAIM_SECONDS, owner, library, owner))


def _keep(session: CassandraSession, library: str, owner: str, ended: Event) -> None:
    while not ended.wait(CLAIM_SECONDS / 4):
        # What was loaded is read back before it counts, so a claim that is lost costs the work and nothing else.
        with contextlib.suppress(CrossfadeError):
            if not _renewed(session, library, owner):
                _log.warning("%s has lost the claim to publish, having been silent for too long.", owner)
                return
