"""The sound of tracks, for the page's player."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response, Security

from crossfade.core.kinds import KINDS
from crossfade.live.music_audio import KIND
from crossfade.serve.access import count_request, required_token
from crossfade.serve.guard import BEARER
from crossfade.serve.replies import json_reply
from crossfade.serve.routes import NEVER_KEPT, Id, plain, problems
from crossfade.serve.subsonic.media import Sound
from crossfade.serve.web.bodies import PlayableAnswer
from crossfade.serve.web.site import Site

MOST_ASKED = 200
"""Tracks of one question."""

_BYTES: dict[str, Any] = {"content": {"audio/*": {"schema": {"type": "string", "format": "binary"}, "example": ""}}}
_FOREVER, _ASKED_AGAIN = "private, max-age=86400", "private, no-cache"


def audio_routes(site: Site) -> APIRouter:
    """Return the routes. They need a token that may read: files are not for everybody who reaches the server."""
    routes = APIRouter(
        tags=["audio"], dependencies=[Security(BEARER)], responses=problems(401, 403, 404, 422, 429, 503)
    )

    def check(request: Request) -> None:
        count_request(request, site.limits)
        required_token(site.live, request, "read")

    @routes.get(
        f"/v1/{KINDS[KIND].plural}/{{id:path}}/audio",
        summary="The sound of a track",
        response_class=Sound,
        responses={200: _BYTES, 206: {"description": "The part that Range asks for.", **_BYTES}},
    )
    def audio(request: Request, text: Id) -> Response:
        """A file of the music folder as it is, or in a demo world 25 seconds that are synthesised. Takes Range."""
        check(request)
        with site.active.reading() as opened:
            heard = site.audio.heard(opened.release.tables, plain(text))
        caching = _FOREVER if heard.fixed else _ASKED_AGAIN
        return Sound(
            heard.path, media_type=heard.media_type, stat_result=heard.path.stat(), headers={"Cache-Control": caching}
        )

    @routes.get("/v1/playable", summary="Which tracks can be heard", response_model=PlayableAnswer)
    def playable(
        request: Request,
        item: Annotated[
            list[str], Query(description="Ids of tracks.", max_length=MOST_ASKED, examples=[["hetrec:51:roads"]])
        ],
    ) -> Response:
        """Of those that are asked for."""
        check(request)
        with site.active.reading() as opened:
            found = site.audio.playable(opened.release.tables, item)
        return json_reply(PlayableAnswer(playable=found), headers=NEVER_KEPT)

    return routes
