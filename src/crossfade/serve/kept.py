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


class _Answer(NamedTuple):
    response: Response
    route: object  # for the log and the metrics
    size: int


class Kept:
    """The latest answers that were read from the release of ``version``, of at most ``most_bytes`` together."""

    def __init__(self, version: str, most_bytes: int) -> None:
        self.version = version
        self._most_bytes = most_bytes
        self._answers: OrderedDict[Key, _Answer] = OrderedDict()
        self._bytes = 0

    def find(self, key: Key) -> _Answer | None:
        """Return the answer to the request ``key``; None if it is not kept."""
        if key in self._answers:
            self._answers.move_to_end(key)
        return self._answers.get(key)

    def keep(self, key: Key, response: Response, route: object) -> None:
        """Keep an answer, and drop the least recently used."""
        size = len(response.body) + len(key[0]) + len(key[1]) + ENTRY_BYTES
        if key not in self._answers:
            self._answers[key] = _Answer(response, route, size)
            self._bytes += size
        while self._bytes > self._most_bytes:
            self._bytes -= self._answers.popitem(last=False)[1].size


class KeptReplies:
    """Wraps an application; keeps what `crossfade.serve.replies.kept_reply` leaves in the state of a request.

    The answers belong to the open release, and go with it.
    """

    def __init__(self, app: ASGIApp, active: ActiveRelease, most_bytes: int = MOST_BYTES) -> None:
        self._app = app
        self._active = active
        self._most_bytes = most_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope) if scope["type"] == "http" else None
        if headers is None or scope["method"] != "GET" or "authorization" in headers or _is_own(scope["path"], headers):
            await self._app(scope, receive, send)
            return
        key, kept = (scope["path"], scope["query_string"]), self._kept()
        if (found := kept.find(key)) is not None:
            scope["route"] = found.route
            await again(found.response, headers.get("if-none-match"))(scope, receive, send)
            return
        await self._app(scope, receive, send)
        version, response = scope.get("state", {}).get("kept", (None, None))
        # Another release may have become active meanwhile.
        if response is not None and version == kept.version:
            kept.keep(key, response, scope["route"])

    def _kept(self) -> Kept:
        with contextlib.suppress(CrossfadeError), self._active.reading() as opened:
            return opened.once(Kept, lambda: Kept(opened.version, self._most_bytes))
        return Kept("", 0)  # the application says what is wrong


def _is_own(path: str, headers: Headers) -> bool:
    return path.startswith(f"{API}users/") and COOKIE in headers.get("cookie", "")


def again(response: Response, known: str | None) -> Response:
    """Return ``response``, or 304 if its ETag is among those ``known``, as If-None-Match has them."""
    tags = [part.strip().removeprefix("W/") for part in (known or "").split(",")]
    if response.headers["ETag"] not in tags and "*" not in tags:
        return response
    return Response(status_code=304, headers={name: response.headers[name] for name in ("ETag", "Cache-Control")})
