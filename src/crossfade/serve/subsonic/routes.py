"""The one route of Subsonic's API: ``/rest/<call>``, with ``.view`` or without, by GET or by a form."""

import logging
from collections.abc import Callable, Mapping

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from crossfade.core.errors import BusyError, CrossfadeError, InputError, UnknownIdError
from crossfade.live.music import Music
from crossfade.live.music_folder import MusicFolder
from crossfade.serve.access import RefusedError, count_request, limited_body
from crossfade.serve.active import ActiveRelease
from crossfade.serve.limits import RateLimits
from crossfade.serve.replies import failure
from crossfade.serve.subsonic import album_lists, browsing, media, opinions, playlists, plays, recommending, system
from crossfade.serve.subsonic.answers import GENERIC, UNKNOWN, Failure, answer, failed
from crossfade.serve.subsonic.calls import (
    LARGEST_FORM,
    Call,
    Handler,
    Library,
    Parameters,
    caller,
    parameters_of,
    require,
    require_sound,
)
from crossfade.stores.live import ChangedError, Scope
from crossfade.stores.live_contract import LiveState

FORM = "application/x-www-form-urlencoded"

_CALLS: Mapping[Scope, tuple[Mapping[str, Handler], ...]] = {
    "read": (
        system.CALLS,
        browsing.CALLS,
        album_lists.CALLS,
        media.CALLS,
        recommending.CALLS,
        plays.READING,
        playlists.READING,
    ),
    "submit": (opinions.CALLS, plays.CALLS),
    "manage": (playlists.CALLS, system.MANAGING),
}

CALLS: Mapping[str, tuple[Scope, Handler]] = {
    name: (scope, handler) for scope, tables in _CALLS.items() for calls in tables for name, handler in calls.items()
}
"""Every call by its name, with what a token has to allow for it."""

CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Headers": "*",
    "Access-Control-Allow-Methods": "GET, POST",
    "Access-Control-Max-Age": "86400",
    "Cross-Origin-Resource-Policy": "cross-origin",
}
"""Players in browsers may call from any page: each call carries its login, and no cookie does."""

OPEN = "getOpenSubsonicExtensions"
"""The call that needs no account."""

_log = logging.getLogger("crossfade.serve.subsonic")


def subsonic_routes(
    active: ActiveRelease, live: LiveState, folder: MusicFolder | None, limits: RateLimits
) -> APIRouter:
    """Return the route that answers players in the words of Subsonic."""
    routes = APIRouter()

    def library() -> Library:
        return Library(live, active, folder, Music() if folder is None else folder.music())

    @routes.api_route("/rest/{call}", methods=["GET", "POST", "OPTIONS"], include_in_schema=False)
    async def rest(request: Request, call: str) -> Response:
        response = Response(status_code=204) if request.method == "OPTIONS" else await replied(request, call)
        response.headers.update(CORS)
        return response

    async def replied(request: Request, call: str) -> Response:
        as_json = False
        try:
            count_request(request, limits)
            is_form = request.headers.get("content-type", "").partition(";")[0].strip().lower() == FORM
            form = await limited_body(request, LARGEST_FORM) if request.method == "POST" and is_form else b""
            parameters = parameters_of(request.scope["query_string"], form)
            as_json = parameters.get("f", [""])[0].casefold().startswith("json")
            require_sound(parameters)
            name = call.removesuffix(".view")
            return await run_in_threadpool(_answered, library, name, parameters, as_json)
        except RefusedError as error:
            return failed(Failure(GENERIC, str(error), status=error.status), as_json=as_json)
        except Failure as error:
            return failed(error, as_json=as_json)

    return routes


def _answered(opened: Callable[[], Library], name: str, parameters: Parameters, as_json: bool) -> Response:
    try:
        if name == OPEN:
            return answer(system.extensions(), as_json=as_json)
        library = opened()
        token = caller(library.live, parameters)
        if name not in CALLS:
            raise Failure(GENERIC, "This server does not have that call.", status=404)
        scope, handler = CALLS[name]
        call = Call(parameters, token.user, token.scopes)
        require(call, scope)
        content = handler(library, call)
        return content if isinstance(content, Response) else answer(content, as_json=as_json)
    except UnknownIdError as error:
        raise Failure(UNKNOWN, str(error)) from error
    except (InputError, ChangedError, BusyError) as error:
        raise Failure(GENERIC, str(error)) from error
    except Failure:
        raise
    except Exception as error:
        if isinstance(error, CrossfadeError):
            _log.error("%s", error)
        failure(error)
        raise Failure(GENERIC, "The server could not answer. See its log.", status=500) from error
