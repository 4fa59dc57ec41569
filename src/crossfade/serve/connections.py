"""Connections: no more of them than there are file descriptors, and none that a slow client holds for long.

A client has `REQUEST_SECONDS` to send a whole request and `REPLY_SECONDS` to take the reply. Once there are as many
connections as the process can have, a new one takes the place of the one that has waited longest for its client. So
clients that open connections and send nothing cannot keep others out.
"""

import asyncio
import logging
import resource
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

_log = logging.getLogger("crossfade.serve.connections")

REQUEST_SECONDS = 10.0
"""From the first moment of a connection, or the first byte of a later request, to the last byte of the request."""

REPLY_SECONDS = 30.0
"""From the end of a reply to the moment when the client has taken all of it."""

PLAYING = "playing"
"""Marks the state of a request whose reply is played while it is taken."""

UPLOADING = "uploading"
"""Marks the state of a request whose body is a large file: the client has `REQUEST_SECONDS` for each part of it."""

PLAYING_SECONDS = 600.0
"""As `REPLY_SECONDS`, for a reply that is played: a player takes no more while its buffer is full, or it is paused."""

BACKLOG = 64
"""Connections that wait in the kernel; the event loop accepts so many at once."""

OTHER_FILES = 100
"""Descriptors for everything but connections: the release, the log, the event loop."""

MOST_CONNECTIONS = 1000
"""However many descriptors there are."""


def most_connections() -> int:
    """Return how many connections this process can have at once, by its limit of file descriptors."""
    descriptors = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if descriptors == resource.RLIM_INFINITY:
        return MOST_CONNECTIONS
    return max(16, min(MOST_CONNECTIONS, descriptors - OTHER_FILES - BACKLOG))


class Connection(H11Protocol):
    """uvicorn's protocol with deadlines and a limit of connections."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._deadline: asyncio.TimerHandle | None = None
        self.waiting_since = self.loop.time()

    @property
    def waits_for_client(self) -> bool:
        """Whether it is the client's turn: to send a request, or to take the reply."""
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is None or cycle.response_complete or cycle.more_body or self.flow.write_paused

    @property
    def _state(self) -> dict[str, Any]:
        """The state of the last request."""
        scope: dict[str, Any] = getattr(self, "scope", None) or {}
        state: dict[str, Any] = scope.get("state", {})
        return state

    @property
    def _reply_seconds(self) -> float:
        return PLAYING_SECONDS if self._state.get(PLAYING) else REPLY_SECONDS

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Expect a request. If there are too many connections, close the one that has waited longest for its client."""
        super().connection_made(transport)
        self._expect(REQUEST_SECONDS)
        most = most_connections()
        if len(self.connections) > most:
            _log.warning("There are %d connections, the limit: closing those that wait longest for their client.", most)
            waiting = [one for one in self.connections if isinstance(one, Connection) and one.waits_for_client]
            min(waiting, key=lambda one: one.waiting_since)._close()  # this one waits too

    def connection_lost(self, exc: Exception | None) -> None:
        """Expect nothing more."""
        self._expect(None)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read what came, and expect the rest of the request unless it is whole."""
        if self._deadline is None or self._state.get(UPLOADING):
            self._expect(REQUEST_SECONDS)
        super().data_received(data)
        # A client that asks for more while it takes nothing gets no longer for that.
        if self.conn.their_state not in (h11.IDLE, h11.SEND_BODY) and not self.flow.write_paused:
            self._expect(None)

    def pause_writing(self) -> None:
        """Expect the client to take what was sent."""
        super().pause_writing()
        self._expect(self._reply_seconds)

    def resume_writing(self) -> None:
        """Go on sending."""
        super().resume_writing()
        self._expect(None)

    def on_response_complete(self) -> None:
        """Expect the client to take the rest of the reply, if it has not."""
        if self._deadline is None and self.transport.get_write_buffer_size():
            self._expect(self._reply_seconds)
        self.waiting_since = self.loop.time()
        super().on_response_complete()

    def _expect(self, seconds: float | None) -> None:
        """Give the client so many seconds before the connection is closed; None: as long as it likes."""
        if self._deadline is not None:
            self._deadline.cancel()
        self.waiting_since = self.loop.time()
        self._deadline = None if seconds is None else self.loop.call_later(seconds, self._close)

    def _close(self) -> None:
        """Close the connection at once, whatever has not been sent."""
        self._expect(None)
        self.connections.discard(self)
        self.transport.abort()
