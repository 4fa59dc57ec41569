"""What comes before every route of the live API: the rate limit, the token and its scope, the size of the body."""

from collections.abc import Callable, Coroutine
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request, Response, Security
from fastapi.routing import APIRoute
from fastapi.security import HTTPBearer

from crossfade.serve.access import RefusedError, limited_body, require_user, required_token, spent_by
from crossfade.serve.limits import RateLimits
from crossfade.serve.replies import problem
from crossfade.serve.routes import LONGEST_TEXT, plain
from crossfade.stores.live import LiveState, Scope

SMALL_BODY = 65_536  # bytes: one listen, a hundred thumbs

BEARER = HTTPBearer(auto_error=False, description="A token of `crossfade tokens add`: `Authorization: Bearer …`.")
"""What the documentation says of routes that need a token."""


async def _user(
    text: Annotated[str, Path(alias="id", description="The id of the user.", min_length=1, max_length=LONGEST_TEXT)],
) -> str:
    return plain(text)


User = Annotated[str, Depends(_user)]
"""The user in the path, whose token or an admin's came with the request."""


def guarded_routes(
    live: LiveState, limits: RateLimits, scope: Scope, *, tag: str, most_bytes: int = SMALL_BODY
) -> APIRouter:
    """Return a router for routes below ``/v1/users/{id}`` that need ``scope``, with bodies of ``most_bytes``.

    A request that is refused is not read: the body comes last.
    """

    class Guarded(APIRoute):
        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            handle = super().get_route_handler()

            async def guarded(request: Request) -> Response:
                spent = spent_by(request, limits)
                if not spent.allowed:
                    return problem(429, "Too many requests. Try again later.", headers=spent.headers)
                try:
                    # One look into the database takes less time than handing it to another thread.
                    token = required_token(live, request, scope)
                    require_user(token, plain(request.path_params["id"]))
                    # Where Starlette looks for a body that was read before.
                    request._body = await limited_body(request, most_bytes)
                except RefusedError as error:
                    headers = {"WWW-Authenticate": "Bearer"} if error.status == 401 else {}
                    return problem(error.status, str(error), headers={**spent.headers, **headers})
                response = await handle(request)
                response.headers.update({**spent.headers, "Cache-Control": "no-store"})
                return response

            return guarded

    return APIRouter(prefix="/v1/users/{id:path}", tags=[tag], route_class=Guarded, dependencies=[Security(BEARER)])
