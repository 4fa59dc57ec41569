"""What comes before every route of our own API that needs a token: the rate limit, the token, the size of the body."""

from collections.abc import Callable, Coroutine
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request, Response, Security
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from fastapi.security import HTTPBearer
from pydantic_core import from_json
from starlette.datastructures import MutableHeaders

from crossfade.serve.access import count_request, limited_body, require_user, required_token
from crossfade.serve.answers import LONGEST_TEXT
from crossfade.serve.limits import RateLimits
from crossfade.serve.routes import NEVER_KEPT, plain, problems
from crossfade.stores.live import Scope, Token
from crossfade.stores.live_contract import LiveState

SMALL_BODY = 65_536  # bytes: one listen, a hundred thumbs, the longest queue

BEARER = HTTPBearer(auto_error=False, description="A token of `crossfade tokens add`: `Authorization: Bearer …`.")
"""What the documentation says of routes that need a token."""


async def _caller(request: Request) -> Token:
    token: Token = request.state.token
    return token


async def _user(
    request: Request,
    text: Annotated[
        str,
        Path(alias="id", description="The id of the user.", min_length=1, max_length=LONGEST_TEXT, examples=["ann"]),
    ],
) -> str:
    return require_user(request.state.token, plain(text))


Caller = Annotated[Token, Depends(_caller)]
"""The token that came with the request."""

User = Annotated[str, Depends(_user)]
"""The user ``{id}`` in the path, who is that of the token, or anybody with the scope ``admin``."""


def guarded_routes(
    live: LiveState, limits: RateLimits, scope: Scope | None, *, tag: str, most_bytes: int = SMALL_BODY
) -> APIRouter:
    """Return a router for routes that need a token with ``scope`` (None: none), with bodies of at most ``most_bytes``.

    A request without such a token is refused unread. A body that is no JSON is answered like a wrong parameter.
    """

    class Guarded(APIRoute):
        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            handle = super().get_route_handler()

            async def guarded(request: Request) -> Response:
                count_request(request, limits)
                if scope is not None:
                    # One look into the database takes less time than handing it to another thread.
                    request.state.token = required_token(live, request, scope)
                # Where Starlette looks for a body that was read before, and for its JSON.
                request._body = await limited_body(request, most_bytes)
                if self.body_field:
                    request._json = _parsed(request._body)
                    # Whatever type it came as: curl says that of a form, and some players say none.
                    MutableHeaders(raw=request.scope["headers"])["Content-Type"] = "application/json"
                response = await handle(request)
                response.headers.update(NEVER_KEPT)
                return response

            return guarded

    refusals = problems(401, 403, 404, 409, 413, 422, 429, 503)
    needed = [] if scope is None else [Security(BEARER)]
    return APIRouter(tags=[tag], route_class=Guarded, dependencies=needed, responses=refusals)


def _parsed(body: bytes) -> Any:
    try:
        return from_json(body, allow_inf_nan=False)
    except ValueError as error:
        wrong = {"type": "json_invalid", "loc": ("body",), "msg": f"Invalid JSON: {error}"}
        raise RequestValidationError([wrong]) from None
