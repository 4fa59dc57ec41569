"""Around every request: host names are checked, headers protect, it is logged and measured, and no error escapes.

The line in the log names the route instead of the path, which contains the ids of users:

    GET /v1/users/{id}/discover 200 1834 bytes 2.1 ms
"""

import logging
import re
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote_to_bytes

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from crossfade.serve.metrics import Metrics
from crossfade.serve.replies import failure, problem
from crossfade.serve.settings import ServeSettings

ENCODED_SLASH = "\x00"
"""Replaces a %2F while a path is matched, so that a slash inside an id is not taken for one between parts."""

HEAD = "head"
"""Says in the state of a request whether only the headers of its answer are sent, so that no file is read for them."""

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


def _encoded(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode(), value.encode()) for name, value in headers.items()]


_HEADERS = _encoded(HEADERS)
_AUTHORITY = re.compile(rb"^https?://[^/]*")
_PLAYERS = re.compile(rb"/+(?:1|2\.0|audioscrobbler)(?:/|$)")

_log = logging.getLogger("crossfade.serve.access")


class Envelope:
    """Wraps an application; HEAD is answered like GET, without the body."""

    def __init__(self, app: ASGIApp, settings: ServeSettings, metrics: Metrics) -> None:
        self._app = app
        self._settings = settings
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        state = scope.setdefault("state", {})
        state[HEAD] = scope["method"] == "HEAD"
        reply = _Reply(send, state)
        inner = {**scope, "method": "GET" if state[HEAD] else scope["method"], "path": _path(scope)}
        started = time.perf_counter()
        try:
            if self._settings.answers_to(_host(scope)):
                await self._app(inner, receive, reply.send)
            else:
                await problem(421, "This server does not answer to that host name.")(inner, receive, reply.send)
        except Exception as error:  # noqa: BLE001 (no detail of it may reach the client)
            response = failure(error)
            if reply.status:
                # Of a reply that has begun, say of a file that is cut short while it plays, only the end of the
                # connection tells that nothing more will come. The server ends it for an error.
                raise ConnectionAbortedError("A reply was broken off.") from None
            await response(inner, receive, reply.send)
        route = getattr(inner.get("route"), "path_format", "(no route)")
        took = time.perf_counter() - started
        self._metrics.answered(scope["method"], route, reply.status, took)
        _log.info("%s %s %d %d bytes %.1f ms", scope["method"], route, reply.status, reply.bytes, took * 1000)


class _Reply:
    """Passes a response on, with the protective headers, and notes its status and size for the log.

    state  of the request; its ``headers`` are added, as `crossfade.serve.access.count_request` leaves them
    """

    def __init__(self, send: Send, state: Mapping[str, Any]) -> None:
        self._send = send
        self._state = state
        self.status = 0
        self.bytes = 0

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            present = {name for name, _ in message["headers"]}
            limits = _encoded(self._state.get("headers", {}))
            added = (header for header in (*_HEADERS, *limits) if header[0] not in present)
            message = {**message, "headers": [*message["headers"], *added]}
        elif message["type"] == "http.response.body":
            if self._state[HEAD]:
                message = {**message, "body": b""}
            self.bytes += len(message.get("body", b""))
        await self._send(message)


def _path(scope: Scope) -> str:
    """Return the decoded path, in which an encoded slash is `ENCODED_SLASH`."""
    raw = scope.get("raw_path")
    if raw is None:
        return str(scope["path"])
    # A client of a proxy sends the whole address (RFC 9112, 3.2.2).
    raw = _AUTHORITY.sub(b"", raw) or b"/"
    # Players that are given an address with a slash at the end add another. Paths of these APIs have no empty part.
    if _PLAYERS.match(raw):
        raw = re.sub(rb"/{2,}", b"/", raw)
    plain = raw.replace(b"%00", b"\xef\xbf\xbd").replace(b"%2F", b"%00").replace(b"%2f", b"%00")
    return unquote_to_bytes(plain).decode(errors="replace")


def _host(scope: Scope) -> str:
    """Return the host name of the request, without the port."""
    for name, value in scope["headers"]:
        if name == b"host":
            host: str = value.decode("latin-1")
            return host.partition("]")[0] + "]" if host.startswith("[") else host.partition(":")[0]
    return ""
