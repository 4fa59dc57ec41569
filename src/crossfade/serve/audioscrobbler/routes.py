"""The routes of both protocols: ``/2.0/``, and ``/audioscrobbler/1.2``, whose handshake is also answered at ``/``."""

from collections.abc import Callable, Mapping
from typing import TypeVar

from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool
from starlette.routing import Match
from starlette.types import Scope

from crossfade.core.errors import CrossfadeError, InputError, UnknownIdError
from crossfade.serve.access import RefusedError, catalogue_of, count_request, limited_body
from crossfade.serve.active import ActiveRelease
from crossfade.serve.audioscrobbler import protocol12, protocol20
from crossfade.serve.audioscrobbler.answers import refusal, reply
from crossfade.serve.audioscrobbler.listens import LONGEST_BODY, form
from crossfade.serve.limits import RateLimits
from crossfade.serve.replies import failure
from crossfade.stores.contract import Tables
from crossfade.stores.live import now
from crossfade.stores.live_contract import LiveState

PATH_12 = "/audioscrobbler/1.2"

Answer = TypeVar("Answer")


class _Handshake(APIRoute):
    """A route for handshakes alone, since players that know only a host's name send theirs to ``/``."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        if b"hs=" not in scope.get("query_string", b""):
            return Match.NONE, {}
        return super().matches(scope)


def audioscrobbler_routes(active: ActiveRelease, live: LiveState, limits: RateLimits) -> APIRouter:
    """Return the routes. They are no part of the OpenAPI description: one address of theirs is many calls."""
    routes = APIRouter(include_in_schema=False)

    @routes.api_route("/2.0", methods=["GET", "POST"])
    @routes.api_route("/2.0/", methods=["GET", "POST"])
    async def call(request: Request) -> Response:
        json = request.query_params.get("format") == "json"
        try:
            count_request(request, limits)
            fields = await _fields(request)
            json = fields.get("format") == "json"
            node = await run_in_threadpool(
                _with_tables, active, lambda tables: protocol20.answered(protocol20.Call(live, tables, fields, now()))
            )
        except Exception as error:  # noqa: BLE001 (no detail of it may reach the client)
            code, message, status = _refused(error)
            return refusal(code, message, json=json, status=status)
        return reply(node, json=json)

    async def answered_12(request: Request, answer: Callable[[Tables | None, Mapping[str, str]], str]) -> Response:
        """Answer in words; errors too have the status 200, since players look no further otherwise."""
        try:
            count_request(request, limits)
            fields = await _fields(request)
            text = await run_in_threadpool(_with_tables, active, lambda tables: answer(tables, fields))
        except Exception as error:  # noqa: BLE001 (no detail of it may reach the client)
            text = f"FAILED {_refused(error)[1]}\n"
        return PlainTextResponse(text)

    async def handshake(request: Request) -> Response:
        address = f"{str(request.base_url).rstrip('/')}{PATH_12}"
        return await answered_12(request, lambda _, fields: protocol12.handshake(live, fields, address, now()))

    for path in (PATH_12, f"{PATH_12}/", "/"):
        routes.add_api_route(path, handshake, route_class_override=_Handshake)

    @routes.post(f"{PATH_12}/nowplaying")
    async def now_playing(request: Request) -> Response:
        return await answered_12(request, lambda tables, fields: protocol12.now_playing(live, tables, fields, now()))

    @routes.post(f"{PATH_12}/submissions")
    async def submissions(request: Request) -> Response:
        return await answered_12(
            request, lambda tables, fields: protocol12.submissions(live, tables, fields, now(), ended=False)
        )

    @routes.post(f"{PATH_12}/submissions/ended")
    async def ended_submissions(request: Request) -> Response:
        return await answered_12(
            request, lambda tables, fields: protocol12.submissions(live, tables, fields, now(), ended=True)
        )

    return routes


async def _fields(request: Request) -> dict[str, str]:
    """The fields of the query and the form together; those of the form count more."""
    body = await limited_body(request, LONGEST_BODY)
    return form(request.scope.get("query_string", b""), body)


def _with_tables(active: ActiveRelease, answer: Callable[[Tables | None], Answer]) -> Answer:
    with catalogue_of(active) as tables:
        return answer(tables)


def _refused(error: Exception) -> tuple[int, str, int]:
    """Return the code, the message and the status of HTTP for an error."""
    if isinstance(error, protocol20.ProtocolError):
        return error.code, str(error), error.status
    if isinstance(error, RefusedError):
        code = protocol20.TOO_MANY if error.status == 429 else protocol20.BAD_PARAMETERS
        return code, str(error), error.status
    if isinstance(error, InputError | UnknownIdError):
        return protocol20.BAD_PARAMETERS, str(error), 400
    failure(error)
    if isinstance(error, CrossfadeError):
        return protocol20.UNAVAILABLE, "The server could not answer. Send it again later.", 503
    return protocol20.FAILED, "The server could not answer.", 500
