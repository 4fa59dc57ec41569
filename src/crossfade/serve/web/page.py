"""The built web page: a few files that are read once, with headers that allow it nothing but this server.

``crossfade/serve/page`` has what the build of ``web/`` wrote: ``index.html``, and files whose names change with what is
in them. A checkout without it serves no page.
"""

import gzip
import hashlib
import mimetypes
from collections.abc import Awaitable, Callable, Iterator
from importlib import resources
from importlib.resources.abc import Traversable

from fastapi import APIRouter, Request, Response

from crossfade.serve.kept import again

INDEX = "index.html"
ASSETS = "assets"

HEADERS = {
    "Content-Security-Policy": "; ".join(
        [
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self'",
            "media-src 'self'",
            "manifest-src 'self'",
            "connect-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types svelte-trusted-html",
        ]
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
}
"""Of every file of the page, besides those of all answers."""

_ALWAYS_ASKED, _A_DAY, _FOREVER = "no-cache", "public, max-age=86400", "public, max-age=31536000, immutable"
_SMALLEST = 1024  # bytes: a smaller file is not worth compressing
_MEDIA_TYPES = {".js": "text/javascript"}  # a system may have another one


class _File:
    """A file of the page, with its headers; compressed for clients that take it so."""

    def __init__(self, name: str, content: bytes, caching: str) -> None:
        suffix = name[name.rfind(".") :]
        media = _MEDIA_TYPES.get(suffix) or mimetypes.guess_type(name)[0] or "application/octet-stream"
        smaller = gzip.compress(content, mtime=0) if len(content) >= _SMALLEST else content
        self._plain, self._gzipped = content, smaller if len(smaller) < len(content) else None
        self._headers = {
            **HEADERS,
            "Content-Type": f"{media}; charset=utf-8" if media.startswith("text/") else media,
            "Cache-Control": caching,
            "ETag": f'"{hashlib.sha256(content).hexdigest()[:16]}"',
            "Vary": "Accept-Encoding",
        }

    def reply(self, request: Request) -> Response:
        """Return the file, or 304 if the client has it."""
        packed = self._gzipped if "gzip" in request.headers.get("Accept-Encoding", "") else None
        encoding = {} if packed is None else {"Content-Encoding": "gzip"}
        response = Response(self._plain if packed is None else packed, headers={**self._headers, **encoding})
        answer = again(response, request.headers.get("If-None-Match"))
        # Headers of a 304 replace those that the browser has kept: without these, the policy of other answers would.
        answer.headers.update(HEADERS)
        return answer


def page_routes(place: Traversable | None = None) -> APIRouter | None:
    """Return the routes of the page built into ``place``, by default that of the package; None if there is none."""
    place = place or resources.files("crossfade.serve") / "page"
    if not (place / INDEX).is_file():
        return None
    routes = APIRouter(include_in_schema=False)
    for path, file in _files(place):
        routes.get(path)(_sending(file))
        if path == f"/{INDEX}":
            routes.get("/")(_sending(file))
    return routes


def _sending(file: _File) -> Callable[[Request], Awaitable[Response]]:
    async def send(request: Request) -> Response:
        return file.reply(request)

    return send


def _files(place: Traversable) -> Iterator[tuple[str, _File]]:
    """The files of the page by their paths: those beside the index, and the assets, whose content never changes."""
    for one in place.iterdir():
        if one.is_file():
            # A browser asks for the icon at each step in the history unless it may keep it.
            caching = _ALWAYS_ASKED if one.name == INDEX else _A_DAY
            yield f"/{one.name}", _File(one.name, one.read_bytes(), caching)
    assets = place / ASSETS
    for one in assets.iterdir() if assets.is_dir() else ():
        yield f"/{ASSETS}/{one.name}", _File(one.name, one.read_bytes(), _FOREVER)
