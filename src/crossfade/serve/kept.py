"""Answers that were read from a release, kept as bytes until another release is served.

What a release answers never changes, so that the same question needs neither routing nor JSON again. Requests with a
token are not looked up, nor are those of a user with the page's cookie: a user's own page is as it is now.
"""

import contextlib
from collections import OrderedDict
from typing import NamedTuple

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from crossfade.core.errors import CrossfadeError
from crossfade.serve.active import ActiveRelease
from crossfade.serve.cookies import API, COOKIE

MOST_BYTES = 32 * 1024 * 1024
"""Of all answers that are kept; one of twenty entries has some 4 KB."""

ENTRY_BYTES = 1024
"""What an answer takes besides its body and its address, roughly."""

Key = tuple[str, bytes]


class _Kept(NamedTuple):
    response: Response
    route: object  # for the log and the metrics
    size: int


class KeptReplies:
    """Wraps an application; keeps what `crossfade.serve.replies.kept_reply` leaves in the state of a request."""

    def __init__(self, app: ASGIApp, active: ActiveRelease, most_bytes: int = MOST_BYTES) -> None:
        self._app = app
        self._active = active
        self._most_bytes = most_bytes
        self._version: str | None = None
        self._kept: OrderedDict[Key, _Kept] = OrderedDict()
        self._bytes = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope) if scope["type"] == "http" else None
        if headers is None or scope["method"] != "GET" or "authorization" in headers or _is_own(scope["path"], headers):
            await self._app(scope, receive, send)
            return
        key = scope["path"], scope["query_string"]
        if (kept := self._found(key)) is not None:
            scope["route"] = kept.route
            await again(kept.response, headers.get("if-none-match"))(scope, receive, send)
            return
        await self._app(scope, receive, send)
        version, response = scope.get("state", {}).get("kept", (None, None))
        # Another release may have become active meanwhile.
        if response is not None and version == self._version:
            self._keep(key, response, scope["route"])

    def _found(self, key: Key) -> _Kept | None:
        version = None
        with contextlib.suppress(CrossfadeError), self._active.reading() as opened:
            version = opened.version
        if version != self._version:
            self._kept.clear()
            self._version, self._bytes = version, 0
        if key in self._kept:
            self._kept.move_to_end(key)
        return self._kept.get(key)

    def _keep(self, key: Key, response: Response, route: object) -> None:
        size = len(response.body) + len(key[0]) + len(key[1]) + ENTRY_BYTES
        if key in self._kept or size > self._most_bytes:
            return
        self._kept[key] = _Kept(response, route, size)
        self._bytes += size
        while self._bytes > self._most_bytes:
            self._bytes -= self._kept.popitem(last=False)[1].size


def _is_own(path: str, headers: Headers) -> bool:
    return path.startswith(f"{API}users/") and COOKIE in headers.get("cookie", "")


def again(response: Response, known: str | None) -> Response:
    """Return ``response``, or 304 if its ETag is among those ``known``, as If-None-Match has them."""
    tags = [part.strip().removeprefix("W/") for part in (known or "").split(",")]
    if response.headers["ETag"] not in tags and "*" not in tags:
        return response
    return Response(status_code=304, headers={name: response.headers[name] for name in ("ETag", "Cache-Control")})
