"""The routes of playlists: our own API, for the user of the token.

They are made (from a title, tags or items), continued, kept, and come and go as JSPF, XSPF and M3U.
"""

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Literal
from uuid import uuid4

from fastapi import APIRouter, Path, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from crossfade.core.errors import InputError, NotReadyError, UnknownIdError
from crossfade.formats.playlist_files import TYPES, as_file, read_playlist
from crossfade.live.matching import matched
from crossfade.live.playlists import as_track, continued, excluded, forgotten, generated, playlist_named, playlists_of
from crossfade.live.pools import TEXT, ReleasePools
from crossfade.live.stations import Listener
from crossfade.live.taste import tastes_of
from crossfade.live.weekly import RECIPES, current
from crossfade.serve.access import now, require_scope
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
    Seed,
)
from crossfade.serve.stations import readable_playlist, seed_sources, track_answers
from crossfade.stores.live import Playlist, Track
from crossfade.stores.live_contract import LiveState

LONGEST_FILE = 5_000_000  # bytes: 10,000 tracks as ListenBrainz writes them

_TAG = "playlists"
_FILES = {type_: {"schema": {"type": "string"}} for type_ in TYPES.values()}
_Id = Annotated[
    str, Path(description="The id of the playlist.", max_length=200, examples=["2f5c0a3e-8f4b-4d0e-b0a5-6a1f8f0d7c21"])
]


def playlist_routes(active: ActiveRelease, live: LiveState, limits: RateLimits) -> list[APIRouter]:
    """Return the routes."""
    api = Playlists(active, live)
    return [
        _reading(api, guarded_routes(live, limits, "read", tag=_TAG)),
        _managing(api, live, guarded_routes(live, limits, "manage", tag=_TAG, most_bytes=LONGEST_FILE)),
    ]


def _reading(api: "Playlists", routes: APIRouter) -> APIRouter:
    @routes.get("/v1/playlists", summary="A user's playlists", response_model=PlaylistsAnswer)
    def listed(
        caller: Caller,
        sort: Annotated[
            str | None, Query(description="Only those that this generated; empty for the user's own.", max_length=64)
        ] = None,
    ) -> Response:
        """Their own and those made for them: the lists of the week and the day are made when they are asked for."""
        return json_reply(api.listed(caller.user, sort))

    @routes.get("/v1/playlists/forgotten", summary="Loved but forgotten", response_model=ForgottenAnswer)
    def loved(
        caller: Caller,
        limit: Annotated[int, Query(description="How many tracks at most.", ge=1, le=MOST_TRACKS)] = 25,
    ) -> Response:
        """Tracks that the user played often, and not for two months."""
        return json_reply(api.forgotten(caller.user, limit))

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
        playlist = api.readable(caller.user, id)
        if as_ == "json":
            return json_reply(_answer(playlist))
        return _file(playlist, as_, str(request.base_url).rstrip("/"))

    @routes.post("/v1/playlists/generate", summary="Make a playlist", response_model=MadeAnswer)
    def make(caller: Caller, asked: MakePlaylist) -> Response:
        """From a title, tags, texts, items and other playlists."""
        if asked.keep:
            require_scope(caller, "manage")
        return json_reply(api.make(caller.user, asked))

    @routes.post("/v1/playlists/{id}/continue", summary="Go on with a playlist", response_model=MadeAnswer)
    def go_on(caller: Caller, id: _Id, asked: ContinuePlaylist) -> Response:  # noqa: A002
        """With tracks that are not in it, like those that are; with what to include and leave out."""
        if asked.keep:
            require_scope(caller, "manage")
        return json_reply(api.go_on(caller.user, id, asked))

    return routes


def _managing(api: "Playlists", live: LiveState, routes: APIRouter) -> APIRouter:
    @routes.post(
        "/v1/playlists",
        summary="Keep a playlist file",
        status_code=201,
        response_model=PlaylistAnswer,
        openapi_extra={"requestBody": {"required": True, "content": _FILES}},
    )
    async def keep(request: Request, caller: Caller) -> Response:
        """JSPF, XSPF or M3U, recognised by its content; tracks that the catalogue lacks are kept by their names."""
        return json_reply(await run_in_threadpool(api.keep, caller.user, await request.body()), status=201)

    @routes.put("/v1/playlists/{id}", summary="Edit a playlist", response_model=PlaylistAnswer)
    def edit(caller: Caller, id: _Id, body: EditPlaylist) -> Response:  # noqa: A002
        """Its title, and its tracks in their order."""
        return json_reply(api.edit(caller.user, id, body))

    @routes.delete("/v1/playlists/{id}", summary="Delete a playlist", status_code=204)
    def delete(caller: Caller, id: _Id) -> Response:  # noqa: A002
        """For good."""
        live.delete_playlist(caller.user, id)
        return Response(status_code=204)

    return routes


class Playlists:
    """What the routes do, and the command line."""

    def __init__(self, active: ActiveRelease, live: LiveState) -> None:
        self._active, self._live = active, live

    def listed(self, user: str, sort: str | None) -> PlaylistsAnswer:
        """Return the playlists of a user, the lists of today among them."""
        with self._active.reading() as opened:
            for one in [sort] if sort in RECIPES else [] if sort is not None else RECIPES:
                current(opened, self._live, user, at=now(), sorts=[str(one)])
        rows = [
            PlaylistRow(id=one.id, title=one.title, sort=one.sort, tracks=len(one.tracks), changed_at=one.changed_at)
            for one in playlists_of(self._live, user, sort)
        ]
        return PlaylistsAnswer(playlists=rows)

    def readable(self, user: str, playlist_id: str) -> Playlist:
        """Return a playlist that a user may read."""
        return readable_playlist(self._live, user, playlist_id)

    def keep(self, user: str, content: bytes) -> PlaylistAnswer:
        """Keep a playlist from a file, its tracks with the items of the catalogue that they are."""
        title, tracks, dropped = read_playlist(content)
        kept = self._live.put_playlist(_new(user, title or "Playlist", self._matched(tracks)))
        return _answer(kept).model_copy(update={"dropped": dropped})

    def edit(self, user: str, playlist_id: str, asked: EditPlaylist) -> PlaylistAnswer:
        """Change a playlist of ``user``; UnknownIdError for that of another."""
        playlist = playlist_named(self._live, playlist_id)
        if playlist.user != user:
            raise UnknownIdError(f"{user} has no playlist {playlist_id!r}.")
        tracks = playlist.tracks if asked.tracks is None else self._matched([one.track() for one in asked.tracks])
        edited = replace(playlist, title=asked.title or playlist.title, tracks=tracks, changed_at=now())
        return _answer(self._live.put_playlist(edited))

    def _matched(self, tracks: Sequence[Track]) -> tuple[Track, ...]:
        """Return tracks with the items that they are; without a release they are matched when they are used."""
        with contextlib.suppress(NotReadyError), self._active.reading() as opened:
            return tuple(matched(opened.release.tables, track) for track in tracks)
        return tuple(tracks)

    def make(self, user: str, asked: MakePlaylist) -> MadeAnswer:
        """Make a playlist, and keep it if that is wanted and the session is not private."""
        if not asked.seeds and asked.title is None:
            raise InputError("A playlist is made from seeds or a title.")
        keep = asked.keep and self._live.private_until(user, at=now()) is None
        seeds = asked.seeds or [Seed(kind=TEXT, id=asked.title or "")]
        with self._active.reading() as opened:
            pools = ReleasePools(opened, asked.kind)
            listener = tastes_of(opened, self._live).listener(user, at=now())
            barred = {*listener.barred, *excluded(pools, _pairs(asked.exclude))}
            tracks = generated(
                pools,
                seed_sources(pools, self._live, user, seeds),
                asked.length,
                listener=Listener(known=listener.known, barred=barred),
                adventure=asked.adventure,
                seed=asked.drawn_by(),
            )
            described = tuple(as_track(pools, one.entry) for one in tracks) if keep else ()
        title = asked.title or " + ".join(dict.fromkeys(seed.id for seed in seeds))[:200]
        playlist = None
        if keep:
            reasons = {one.entry.id: one.text for one in tracks}
            playlist = self._live.put_playlist(_new(user, title, described, reasons))
        return MadeAnswer(id=playlist.id if playlist else None, title=title, tracks=track_answers(tracks))

    def go_on(self, user: str, playlist_id: str, asked: ContinuePlaylist) -> MadeAnswer:
        """Continue a playlist, and add the tracks to it if that is wanted and the session is not private."""
        keep = asked.keep and self._live.private_until(user, at=now()) is None
        playlist = self.readable(user, playlist_id)
        with self._active.reading() as opened:
            pools = ReleasePools(opened)
            items = [matched(opened.release.tables, track).item for track in playlist.tracks]
            tracks = continued(
                pools,
                [item for item in items if item is not None],
                asked.length,
                include=_pairs(asked.include),
                exclude=_pairs(asked.exclude),
                listener=tastes_of(opened, self._live).listener(user, at=now()),
                adventure=asked.adventure,
                seed=asked.drawn_by(),
            )
            described = tuple(as_track(pools, one.entry) for one in tracks) if keep else ()
        if keep:
            if playlist.user != user:
                raise UnknownIdError(f"{user} has no playlist {playlist_id!r}.")
            longer = (*playlist.tracks, *described)
            self._live.put_playlist(replace(playlist, tracks=longer, changed_at=now()))
        return MadeAnswer(id=playlist.id, title=playlist.title, tracks=track_answers(tracks))

    def forgotten(self, user: str, limit: int) -> ForgottenAnswer:
        """Return what a user has loved and forgotten."""
        with self._active.reading() as opened:
            pools = ReleasePools(opened)
            history = tastes_of(opened, self._live).history(user)[pools.kind]
            listener = tastes_of(opened, self._live).listener(user, at=now())
            found = forgotten(history.values(), now() / 1000, limit, pools, listener)
        rows = [ForgottenTrack(id=one.id, name=one.name, plays=played.plays, last=played.last) for one, played in found]
        return ForgottenAnswer(tracks=rows)


def _new(user: str, title: str, tracks: tuple[Track, ...], reasons: Mapping[str, str] | None = None) -> Playlist:
    at, info = now(), {"reasons": reasons} if reasons else {}
    return Playlist(id=str(uuid4()), user=user, title=title, tracks=tracks, info=info, created_at=at, changed_at=at)


def _answer(playlist: Playlist) -> PlaylistAnswer:
    reasons = playlist.info.get("reasons", {})
    return PlaylistAnswer(
        id=playlist.id,
        title=playlist.title,
        sort=playlist.sort,
        tracks=list(playlist.tracks),
        reasons=reasons if isinstance(reasons, dict) else {},
        dropped=0,
    )


def _file(playlist: Playlist, form: str, base: str) -> Response:
    return Response(as_file(playlist, form, base), media_type=TYPES[form])


def _pairs(seeds: Sequence[Seed]) -> list[tuple[str, str]]:
    return [(seed.kind, seed.id) for seed in seeds]
