"""Turning answers and errors into HTTP responses."""

import logging
import traceback
from collections.abc import Mapping, Sequence
from http import HTTPStatus

from fastapi import FastAPI, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from crossfade.core.errors import CrossfadeError, InputError, NotReadyError, UnavailableError, UnknownIdError
from crossfade.core.version import __version__
from crossfade.serve.access import RefusedError
from crossfade.serve.active import NoReleaseError
from crossfade.serve.answers import InvalidParameter, Problem
from crossfade.serve.kept import again
from crossfade.stores.live import ChangedError

PROBLEM = "application/problem+json"
RETRY_SECONDS = 5  # until a client may ask again for a release that is being made, or a store that is down

_log = logging.getLogger("crossfade.serve")


def json_reply(answer: BaseModel, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return ``answer`` as JSON, without unknown values."""
    media_type = PROBLEM if isinstance(answer, Problem) else "application/json"
    content = answer.model_dump_json(exclude_none=True)
    return Response(content, status_code=status, headers=dict(headers or {}), media_type=media_type)


def tagged(answer: BaseModel, version: str, *, personal: bool, max_age: int) -> Response:
    """Return ``answer`` with the headers for caching it.

    What is read from a release changes only with the release and with the code that words it. A ``personal`` answer is
    for its user's own client alone, not for shared caches.
    """
    who = "private" if personal else "public"
    return json_reply(
        answer, headers={"ETag": f'"{version}-{__version__}"', "Cache-Control": f"{who}, max-age={max_age}"}
    )


def kept_reply(request: Request, answer: BaseModel, version: str, *, personal: bool, max_age: int) -> Response:
    """Return ``answer``, read from the release of ``version``, as `tagged`; 304 if the client has it already.

    The server keeps it too, for requests without a token.
    """
    response = tagged(answer, version, personal=personal, max_age=max_age)
    request.state.kept = version, response
    return again(response, request.headers.get("If-None-Match"))


def problem(
    status: int,
    detail: str | None,
    *,
    suggestions: Sequence[str] = (),
    errors: Sequence[InvalidParameter] = (),
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return a problem as defined by RFC 9457; it is never cached."""
    answer = Problem(
        title=HTTPStatus(status).phrase,
        status=status,
        detail=detail,
        suggestions=list(suggestions) or None,
        errors=list(errors) or None,
    )
    return json_reply(answer, status=status, headers={**(headers or {}), "Cache-Control": "no-store"})


def failure(error: BaseException) -> Response:
    """Return the problem for an internal error, and log where it happened.

    The log gets the error's place and class but not its message, which may contain somebody's id.
    """
    place = "".join(traceback.format_tb(error.__traceback__)).rstrip()
    _log.error("A request failed with %s:\n%s", type(error).__name__, place)
    return problem(500, "The server could not answer. See its log.")


def add_problem_replies(app: FastAPI) -> None:
    """Turn every error that ends a request into a problem."""

    @app.exception_handler(HTTPException)
    async def refused(request: Request, error: HTTPException) -> Response:
        # Starlette's details repeat the name of the status, which is the title.
        standard = HTTPStatus(error.status_code).phrase
        headers = error.headers
        if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            # Each route names its own methods alone. In a thread: making the description takes a while.
            path = await run_in_threadpool(_described, request)
            headers = {"Allow": ", ".join(sorted(method.upper() for method in path))} if path else headers
        return problem(error.status_code, None if error.detail == standard else error.detail, headers=headers)

    def _described(request: Request) -> Mapping[str, object]:
        paths: Mapping[str, Mapping[str, object]] = app.openapi()["paths"]
        # The route is the first whose path fits, so that of /v1/stations/{id} for /v1/stations/next.
        return paths.get(request.scope["path"]) or paths.get(request.scope["route"].path_format, {})

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        wrong = [
            InvalidParameter(where=" ".join(str(part) for part in one["loc"]), message=str(one["msg"]))
            for one in error.errors()
        ]
        return problem(422, "A parameter cannot be used.", errors=wrong)

    @app.exception_handler(CrossfadeError)
    async def failed(request: Request, error: CrossfadeError) -> Response:
        if isinstance(error, RefusedError):
            challenge = {"WWW-Authenticate": "Bearer"} if error.status == HTTPStatus.UNAUTHORIZED else None
            return problem(error.status, str(error), headers=challenge)
        if isinstance(error, NoReleaseError | UnavailableError):
            return problem(503, str(error), headers={"Retry-After": str(RETRY_SECONDS)})
        if isinstance(error, ChangedError):
            return problem(409, str(error))
        if isinstance(error, InputError) and error.path is None:
            return problem(422, str(error))
        if isinstance(error, UnknownIdError | NotReadyError):
            return problem(404, str(error), suggestions=getattr(error, "suggestions", ()))
        _log.error("%s", error)
        return failure(error)
