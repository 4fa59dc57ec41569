"""The cookie of the web page: a token of its own for each browser, which scripts cannot read.

Browsers send a cookie by themselves, also for a request that a page elsewhere makes. So a request by cookie that
changes anything needs the header `PAGE_HEADER`, which a page of another origin cannot send without permission.
"""

import hashlib

from starlette.requests import HTTPConnection
from starlette.responses import Response

from crossfade.core.home import Home

COOKIE = "crossfade"
"""What the cookie's name begins with. The port and a mark of the home follow: browsers send cookies of one host to all
of its ports, and tomorrow another home may be served at this one."""

PAGE_HEADER, PAGE = "X-Crossfade", "page"
TOKEN_SCHEMES = frozenset({"token", "bearer"})
"""Of ``Authorization``, with a token after it."""

API = "/v1/"
"""Below it the cookie counts as a token; the APIs of players have tokens of their own."""

KEPT_SECONDS = 365 * 86_400
"""How long a browser keeps the cookie, unless the session is ended."""

_READING = frozenset({"GET", "HEAD", "OPTIONS"})


def mark_of(home: Home | None) -> str:
    """Return what tells the cookies of this home from those of others on the machine; "" without one."""
    return "" if home is None else hashlib.sha256(bytes(home.path.resolve())).hexdigest()[:8]


def cookie_of(request: HTTPConnection) -> str | None:
    """Return the secret in the cookie of a request to our own API that brings no token; None if there is none."""
    # Behind a proxy with a login, browsers send that with the cookie: Authorization: Basic.
    scheme = request.headers.get("Authorization", "").partition(" ")[0].lower()
    if scheme in TOKEN_SCHEMES or not request.scope["path"].startswith(API):
        return None
    return request.cookies.get(_name(request)) or None


def is_from_page(request: HTTPConnection) -> bool:
    """Whether a request changes nothing, or has the header of our own page."""
    return request.scope["method"] in _READING or request.headers.get(PAGE_HEADER) == PAGE


def set_cookie(request: HTTPConnection, response: Response, secret: str) -> None:
    """Have the browser keep ``secret``; behind TLS it sends it only there."""
    secure = request.url.scheme == "https"
    response.set_cookie(_name(request), secret, max_age=KEPT_SECONDS, httponly=True, samesite="strict", secure=secure)


def clear_cookie(request: HTTPConnection, response: Response) -> None:
    """Have the browser forget the cookie."""
    response.delete_cookie(_name(request), httponly=True, samesite="strict")


def _name(request: HTTPConnection) -> str:
    port = request.headers.get("Host", "").rpartition(":")[2]
    return "-".join(filter(None, [COOKIE, port if port.isdecimal() else "", request.app.state.home]))
