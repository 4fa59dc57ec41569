"""What all APIs that write need of a request: its token and what it allows, a body of limited size, the catalogue."""

import contextlib
from collections.abc import Iterator

from starlette.requests import Request

from crossfade.core.errors import CrossfadeError
from crossfade.serve.active import ActiveRelease
from crossfade.serve.cookies import PAGE, PAGE_HEADER, TOKEN_SCHEMES, cookie_of, is_from_page
from crossfade.serve.limits import RateLimits
from crossfade.stores.contract import Tables
from crossfade.stores.live import Scope, Token
from crossfade.stores.live_contract import LiveState


class RefusedError(CrossfadeError):
    """A request that is not answered; ``status`` is that of HTTP."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def secret_of(request: Request) -> str | None:
    """Return the secret in ``Authorization: Token …`` (or ``Bearer``), else in the cookie of the page; None without."""
    if (secret := cookie_of(request)) is not None:
        return secret
    scheme, _, secret = request.headers.get("Authorization", "").strip().partition(" ")
    return secret.strip() or None if scheme.lower() in TOKEN_SCHEMES else None


def valid_token(live: LiveState, request: Request) -> Token:
    """Return the token of a request, whatever it allows; RefusedError 401 without a valid one."""
    secret = secret_of(request)
    if secret is None:
        raise RefusedError(401, "This needs a token: Authorization: Token … (see `crossfade tokens`).")
    token = live.authenticate(secret)
    if token is None:
        raise RefusedError(401, "The token is not valid. Make another with `crossfade tokens`.")
    if cookie_of(request) is not None:
        require_page(request)
    return token


def require_page(request: Request) -> None:
    """Raise RefusedError 403 for a request that changes something without the header of our own page."""
    if not is_from_page(request):
        raise RefusedError(403, f"A request with the cookie of the web page needs the header {PAGE_HEADER}: {PAGE}.")


def required_token(live: LiveState, request: Request, scope: Scope) -> Token:
    """Return the token of a request; RefusedError 401 without a valid one, 403 if it does not allow ``scope``."""
    return require_scope(valid_token(live, request), scope)


def require_scope(token: Token, scope: Scope) -> Token:
    """Return ``token``; RefusedError 403 if it does not allow ``scope``."""
    if not token.scopes & {scope, "admin"}:
        raise RefusedError(403, f"The token does not allow to {scope}.")
    return token


def require_user(token: Token, user: str) -> str:
    """Return ``user``; RefusedError 403 if ``token`` is that of another user and not for all."""
    if user != token.user and "admin" not in token.scopes:
        raise RefusedError(403, "The token is that of another user.")
    return user


async def limited_body(request: Request, most: int) -> bytes:
    """Return the body of a request; RefusedError 413 if it has more than ``most`` bytes, without reading them all."""
    length = request.headers.get("Content-Length", "")
    if length.isascii() and length.isdigit() and (len(length) > 15 or int(length) > most):
        raise RefusedError(413, f"The body has more than {most:,} bytes.")
    read = bytearray()
    async for part in request.stream():
        read += part
        if len(read) > most:
            raise RefusedError(413, f"The body has more than {most:,} bytes.")
    return bytes(read)


def count_request(request: Request, limits: RateLimits) -> None:
    """Count a request for its address and for its token; RefusedError 429 if it is one too many.

    Whatever the answer is, the envelope adds what is left of the scarcer.
    """
    spent = limits.spend(f"address {request.client.host if request.client else ''}")
    if (secret := secret_of(request)) is not None:
        spent = min(spent, limits.spend(f"token {secret}"), key=lambda one: one.remaining)
    request.state.headers = spent.headers
    if not spent.allowed:
        raise RefusedError(429, "Too many requests. Wait, and send it again.")


@contextlib.contextmanager
def catalogue_of(active: ActiveRelease) -> Iterator[Tables | None]:
    """Lend the tables of the active release; None while there is none: what people do is kept even then."""
    with contextlib.ExitStack() as lent:
        try:
            tables = lent.enter_context(active.reading()).release.tables
        except CrossfadeError:
            tables = None
        yield tables
