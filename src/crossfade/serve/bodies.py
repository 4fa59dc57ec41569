"""What the routes of our own API have in common: bodies of limited size and a known type, and rate limits."""

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from fastapi import APIRouter, Request, Response, Security
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.concurrency import run_in_threadpool

from crossfade.serve.access import RefusedError, limited_body, spent_by, valid_token
from crossfade.serve.answers import schema_of
from crossfade.serve.guard import BEARER
from crossfade.serve.limits import RateLimits
from crossfade.serve.replies import problem
from crossfade.stores.live import LiveState

Body = TypeVar("Body", bound="Asked")


class Asked(BaseModel):
    """The base of all bodies: what is not documented is refused, and no number is infinite or none."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def body_of(model: type[Body], most: int) -> Callable[[Request], Coroutine[Any, Any, Body]]:
    """Return a dependency that reads a body of at most ``most`` bytes as JSON, whatever type it is sent as."""

    async def read(request: Request) -> Body:
        content = await limited_body(request, most)
        try:
            return model.model_validate_json(content or b"{}")
        except ValidationError as error:
            wrong = [{**one, "loc": ("body", *one["loc"])} for one in error.errors(include_url=False)]
            raise RequestValidationError(wrong) from None

    return read


def described(model: type[BaseModel]) -> dict[str, Any]:
    """Return the documentation of a body that `body_of` reads."""
    content = {"application/json": {"schema": schema_of(model)}}
    return {"requestBody": {"required": True, "content": content}}


def own_routes(live: LiveState, limits: RateLimits, tag: str) -> APIRouter:
    """Return a router for routes that answer for the user of the token, which they check for its scope.

    It counts each request, tells the client what is left, and refuses one too many, or without a token, unread.
    """

    class Own(APIRoute):
        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            answer = super().get_route_handler()

            async def own(request: Request) -> Response:
                spent = spent_by(request, limits)
                if not spent.allowed:
                    return problem(429, "Too many requests. Try again later.", headers=spent.headers)
                try:
                    await run_in_threadpool(valid_token, live, request)
                except RefusedError as error:
                    return problem(error.status, str(error), headers={**spent.headers, "WWW-Authenticate": "Bearer"})
                response = await answer(request)
                response.headers.update(spent.headers)
                return response

            return own

    return APIRouter(tags=[tag], route_class=Own, dependencies=[Security(BEARER)])
