"""The routes of playlists: our own API, for the user of the token.

They are made (from a title, tags or items), continued, kept, and come and go as JSPF, XSPF and M3U.
"""

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from crossfade.formats.playlist_files import TYPES, as_file
from crossfade.live import own_playlists
from crossfade.live.own_playlists import Made
from crossfade.serve.access import catalogue_of, require_scope
from crossfade.serve.active import ActiveRelease
from crossfade.serve.guard import Caller, guarded_routes
from crossfade.serve.limits import RateLimits
from crossfade.serve.replies import json_reply
from crossfade.serve.station_bodies import (
    MOST_TRACKS,
    ContinuePlaylist,
    EditPlaylist,
    ForgottenAnswer,
    ForgottenTrack,
    MadeAnswer,
    MakePlaylist,
    PlaylistAnswer,
    PlaylistRow,
    PlaylistsAnswer,
)
from crossfade.serve.stations import track_answers
from crossfade.stores.live import Playlist, now
from crossfade.stores.live_contract import LiveState

LONGEST_FILE = 5_000_000  # bytes: 10,000 tracks as ListenBrainz writes them

_TAG = "playlists"
_FILES = {type_: {"schema": {"type": "string"}} for type_ in TYPES.values()}
_Id = Annotated[
    str, Path(description="The id of the playlist.", max_length=200, examples=["2f5c0a3e-8f4b-4d0e-b0a5-6a1f8f0d7c21"])
]


def playlist_routes(active: ActiveRelease, live: LiveState, limits: RateLimits) -> list[APIRouter]:
    """Return the routes."""
    return [
        _reading(active, live, guarded_routes(live, limits, "read", tag=_TAG)),
        _managing(active, live, guarded_routes(live, limits, "manage", tag=_TAG, most_bytes=LONGEST_FILE)),
    ]


def _reading(active: ActiveRelease, live: LiveState, routes: APIRouter) -> APIRouter:
    @routes.get("/v1/playlists", summary="A user's playlists", response_model=PlaylistsAnswer)
    def listed(
        caller: Caller,
        sort: Annotated[
            str | None, Query(description="Only those that this generated; empty for the user's own.", max_length=64)
        ] = None,
    ) -> Response:
        """Their own and those made for them: the lists of the week and the day are made when they are asked for."""
        with active.reading() as opened:
            found = own_playlists.listed(opened, live, caller.user, at=now(), sort=sort)
        rows = [
            PlaylistRow(
                id=one.id,
                title=one.title,
                sort=one.sort,
                kind=next((track.item[0] for track in one.tracks if track.item), None),
                tracks=len(one.tracks),
                changed_at=one.changed_at,
            )
            for one in found
        ]
        return json_reply(PlaylistsAnswer(playlists=rows))

    @routes.get("/v1/playlists/forgotten", summary="Loved but forgotten", response_model=ForgottenAnswer)
    def loved(
        caller: Caller,
        limit: Annotated[int, Query(description="How many tracks at most.", ge=1, le=MOST_TRACKS)] = 25,
    ) -> Response:
        """Tracks that the user played often, and not for two months."""
        with active.reading() as opened:
            found = own_playlists.forgotten_by(opened, live, caller.user, limit, at=now())
        rows = [ForgottenTrack(id=one.id, name=one.name, plays=played.plays, last=played.last) for one, played in found]
        return json_reply(ForgottenAnswer(tracks=rows))

    @routes.get(
        "/v1/playlists/{id}",
        summary="One playlist",
        response_model=PlaylistAnswer,
        responses={200: {"content": _FILES}},
    )
    def one(
        request: Request,
        caller: Caller,
        id: _Id,  # noqa: A002 (the name in the path)
        as_: Annotated[
            Literal["json", "jspf", "xspf", "m3u"], Query(alias="format", description="The form of the answer.")
        ] = "json",
    ) -> Response:
        """As our own JSON, or as a file for players."""
        playlist = own_playlists.readable(live, caller.user, id)
        if as_ == "json":
            return json_reply(_answer(playlist))
        return _file(playlist, as_, str(request.base_url).rstrip("/"))

    @routes.post("/v1/playlists/generate", summary="Make a playlist", response_model=MadeAnswer)
    def make(caller: Caller, asked: MakePlaylist) -> Response:
        """From a title, tags, texts, items and other playlists."""
        if asked.keep:
            require_scope(caller, "manage")
        with active.reading() as opened:
            made = own_playlists.make(opened, live, caller.user, at=now(), **asked.fields())
        return json_reply(_made(made))

    @routes.post("/v1/playlists/{id}/continue", summary="Go on with a playlist", response_model=MadeAnswer)
    def go_on(caller: Caller, id: _Id, asked: ContinuePlaylist) -> Response:  # noqa: A002
        """With tracks that are not in it, like those that are; with what to include and leave out."""
        if asked.keep:
            require_scope(caller, "manage")
        with active.reading() as opened:
            made = own_playlists.go_on(opened, live, caller.user, id, at=now(), **asked.fields())
        return json_reply(_made(made))

    return routes


def _managing(active: ActiveRelease, live: LiveState, routes: APIRouter) -> APIRouter:
    @routes.post(
        "/v1/playlists",
        summary="Keep a playlist file",
        status_code=201,
        response_model=PlaylistAnswer,
        openapi_extra={"requestBody": {"required": True, "content": _FILES}},
    )
    async def keep(request: Request, caller: Caller) -> Response:
        """JSPF, XSPF or M3U, recognised by its content; tracks that the catalogue lacks are kept by their names."""
        return json_reply(await run_in_threadpool(read, caller.user, await request.body()), status=201)

    def read(user: str, content: bytes) -> PlaylistAnswer:
        with catalogue_of(active) as tables:
            playlist, dropped = own_playlists.read(tables, live, user, content, at=now())
        return _answer(playlist, dropped)

    @routes.put("/v1/playlists/{id}", summary="Edit a playlist", response_model=PlaylistAnswer)
    def edit(caller: Caller, id: _Id, body: EditPlaylist) -> Response:  # noqa: A002
        """Its title, and its tracks in their order."""
        tracks = None if body.tracks is None else [one.track() for one in body.tracks]
        with catalogue_of(active) as tables:
            edited = own_playlists.edit(tables, live, caller.user, id, at=now(), title=body.title, tracks=tracks)
        return json_reply(_answer(edited))

    @routes.delete("/v1/playlists/{id}", summary="Delete a playlist", status_code=204)
    def delete(caller: Caller, id: _Id) -> Response:  # noqa: A002
        """For good."""
        live.delete_playlist(caller.user, id)
        return Response(status_code=204)

    return routes


def _answer(playlist: Playlist, dropped: int = 0) -> PlaylistAnswer:
    reasons = playlist.info.get("reasons", {})
    return PlaylistAnswer(
        id=playlist.id,
        title=playlist.title,
        sort=playlist.sort,
        tracks=list(playlist.tracks),
        reasons=reasons if isinstance(reasons, dict) else {},
        dropped=dropped,
    )


def _made(made: Made) -> MadeAnswer:
    return MadeAnswer(id=made.id, title=made.title, tracks=track_answers(made.tracks))


def _file(playlist: Playlist, form: str, base: str) -> Response:
    return Response(as_file(playlist, form, base), media_type=TYPES[form])
