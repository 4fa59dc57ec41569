"""The routes of playlists: our own API, for the user of the token.

They are made (from a title, tags or items), continued, kept, and come and go as JSPF, XSPF and M3U.
"""

import contextlib
import json
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Literal
from uuid import uuid4

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import Field
from starlette.concurrency import run_in_threadpool

from crossfade.core.errors import InputError, NotReadyError, UnknownIdError
from crossfade.formats.playlist_files import TYPES, as_jspf, as_m3u, as_xspf, read_playlist
from crossfade.live.listening import history_of, listener_of
from crossfade.live.matching import matched
from crossfade.live.playlists import as_track, continued, excluded, forgotten, generated
from crossfade.live.pools import TEXT, ReleasePools
from crossfade.live.stations import Listener
from crossfade.live.weekly import RECIPES, current
from crossfade.serve.access import limited_body, required_token
from crossfade.serve.active import ActiveRelease
from crossfade.serve.answers import Answer
from crossfade.serve.bodies import Asked, body_of, described, own_routes
from crossfade.serve.limits import RateLimits
from crossfade.serve.replies import json_reply
from crossfade.serve.routes import NEVER_KEPT, problems
from crossfade.serve.stations import (
    LONGEST_BODY,
    Adventure,
    Kind,
    Seed,
    Text,
    TrackAnswer,
    readable_playlist,
    seed_sources,
    track_answers,
)
from crossfade.stores.live import LiveState, Playlist, Track
from crossfade.surfaces.asking import OpenRelease

MOST_TRACKS = 500  # of a playlist that is made
MOST_SEEDS = 20
LONGEST_FILE = 5_000_000  # bytes: 10,000 tracks as ListenBrainz writes them

Length = Annotated[int, Field(ge=1, le=MOST_TRACKS, description="Tracks, or as many as there are.")]


_Id = Annotated[str, Path(description="The id of the playlist.", max_length=200)]


class MakePlaylist(Asked):
    """A playlist to make."""

    title: Text | None = Field(None, description="Says what to play where there are no seeds.", examples=["Rainy days"])
    seeds: list[Seed] = Field([], max_length=MOST_SEEDS)
    exclude: list[Seed] = Field([], max_length=MOST_SEEDS, description="Items, artists and tags to leave out.")
    kind: Kind | None = None
    length: Length = 25
    adventure: Adventure = 0.5
    seed: int | None = Field(None, ge=0, lt=2**53, description="Of the draws; another one each time by default.")
    keep: bool = Field(False, description="Whether the server keeps the playlist.")


class ContinuePlaylist(Asked):
    """How to go on with a playlist."""

    include: list[Seed] = Field([], max_length=MOST_SEEDS, description="What there should be more of, or surely is.")
    exclude: list[Seed] = Field([], max_length=MOST_SEEDS, description="Items, artists and tags to leave out.")
    length: Length = 25
    adventure: Adventure = 0.5
    seed: int | None = Field(None, ge=0, lt=2**53, description="Of the draws; another one each time by default.")
    keep: bool = Field(False, description="Whether the tracks are added to the playlist.")


class PlaylistAnswer(Answer):
    """A playlist."""

    id: str | None = Field(description="None of one that is not kept.")
    title: str
    sort: str = Field(description="What generated it, such as weekly-exploration; empty for the user's own.")
    tracks: list[Track]
    reasons: Mapping[str, str] = Field({}, description="By the ids of tracks that were chosen for the user.")
    dropped: int = Field(0, description="Entries of a file that do not say which track they are.")


class MadeAnswer(Answer):
    """Tracks that were chosen, and the playlist that has them."""

    id: str | None = Field(description="Of the playlist; None if it is not kept.")
    title: str
    tracks: list[TrackAnswer]


class PlaylistRow(Answer):
    """A playlist without its tracks."""

    id: str
    title: str
    sort: str
    tracks: int
    changed_at: int = Field(description="Milliseconds since 1970.")


class PlaylistsAnswer(Answer):
    """The playlists of a user, the last changed first."""

    playlists: list[PlaylistRow]


class ForgottenTrack(Answer):
    """A track that was loved and not played for long."""

    id: str
    name: str
    plays: int
    last: int = Field(description="Seconds since 1970.")


class ForgottenAnswer(Answer):
    """What was loved and forgotten, the most loved first."""

    tracks: list[ForgottenTrack]


FileType = Literal["json", "jspf", "xspf", "m3u"]


def playlist_routes(active: ActiveRelease, live: LiveState, limits: RateLimits) -> APIRouter:
    """Return the routes."""
    routes = own_routes(live, limits, "playlists")
    api = _Playlists(active, live)
    failures = problems(401, 403, 404, 413, 422, 429, 503)

    @routes.get("/v1/playlists", summary="A user's playlists", response_model=PlaylistsAnswer, responses=failures)
    def listed(
        request: Request,
        sort: Annotated[
            str | None, Query(description="Only those that this generated; empty for the user's own.", max_length=64)
        ] = None,
    ) -> Response:
        """Their own and those made for them: the lists of the week and the day are made when they are asked for."""
        return json_reply(api.listed(required_token(live, request, "read").user, sort), headers=NEVER_KEPT)

    @routes.post(
        "/v1/playlists",
        summary="Keep a playlist file",
        status_code=201,
        response_model=PlaylistAnswer,
        responses=failures,
        openapi_extra={
            "requestBody": {
                "required": True,
                "content": {media: {"schema": {"type": "string"}} for media in TYPES.values()},
            }
        },
    )
    async def keep(request: Request) -> Response:
        """JSPF, XSPF or M3U, recognised by its content; tracks that the catalogue lacks are kept by their names."""
        token = await run_in_threadpool(required_token, live, request, "manage")
        content = await limited_body(request, LONGEST_FILE)
        answer = await run_in_threadpool(api.keep, token.user, content)
        return json_reply(answer, status=201, headers=NEVER_KEPT)

    @routes.post(
        "/v1/playlists/generate",
        summary="Make a playlist",
        response_model=MadeAnswer,
        responses=failures,
        openapi_extra=described(MakePlaylist),
    )
    def make(
        request: Request, asked: Annotated[MakePlaylist, Depends(body_of(MakePlaylist, LONGEST_BODY))]
    ) -> Response:
        """From a title, tags, texts, items and other playlists."""
        token = required_token(live, request, "manage" if asked.keep else "read")
        return json_reply(api.make(token.user, asked), headers=NEVER_KEPT)

    @routes.get(
        "/v1/playlists/forgotten", summary="Loved but forgotten", response_model=ForgottenAnswer, responses=failures
    )
    def loved(
        request: Request,
        limit: Annotated[int, Query(description="How many tracks at most.", ge=1, le=MOST_TRACKS)] = 25,
    ) -> Response:
        """Tracks that the user played often, and not for two months."""
        return json_reply(api.forgotten(required_token(live, request, "read").user, limit), headers=NEVER_KEPT)

    @routes.get("/v1/playlists/{id}", summary="One playlist", response_model=PlaylistAnswer, responses=failures)
    def one(
        request: Request,
        id: _Id,  # noqa: A002 (the name in the path)
        as_: Annotated[FileType, Query(alias="format", description="The form of the answer.")] = "json",
    ) -> Response:
        """As our own JSON, or as a file for players."""
        playlist = api.readable(required_token(live, request, "read").user, id)
        if as_ == "json":
            return json_reply(_answer(playlist), headers=NEVER_KEPT)
        return _file(playlist, as_, str(request.base_url).rstrip("/"))

    @routes.post(
        "/v1/playlists/{id}/continue",
        summary="Go on with a playlist",
        response_model=MadeAnswer,
        responses={**failures, **problems(409)},
        openapi_extra=described(ContinuePlaylist),
    )
    def go_on(
        request: Request,
        id: _Id,  # noqa: A002
        asked: Annotated[ContinuePlaylist, Depends(body_of(ContinuePlaylist, LONGEST_BODY))],
    ) -> Response:
        """With tracks that are not in it, like those that are; with what to include and leave out."""
        token = required_token(live, request, "manage" if asked.keep else "read")
        return json_reply(api.go_on(token.user, id, asked), headers=NEVER_KEPT)

    @routes.delete("/v1/playlists/{id}", summary="Delete a playlist", status_code=204, responses=failures)
    def delete(request: Request, id: _Id) -> Response:  # noqa: A002
        """For good."""
        live.delete_playlist(required_token(live, request, "manage").user, id)
        return Response(status_code=204)

    return routes


class _Playlists:
    """What the routes do."""

    def __init__(self, active: ActiveRelease, live: LiveState) -> None:
        self._active, self._live = active, live

    def listed(self, user: str, sort: str | None) -> PlaylistsAnswer:
        """Return the playlists of a user, the lists of today among them."""
        with self._active.reading() as opened:
            for one in [sort] if sort in RECIPES else [] if sort is not None else RECIPES:
                current(opened, self._live, user, at=_now(), sorts=[str(one)])
        rows = [
            PlaylistRow(id=one.id, title=one.title, sort=one.sort, tracks=len(one.tracks), changed_at=one.changed_at)
            for one in self._live.playlists(user, sort)
        ]
        return PlaylistsAnswer(playlists=rows)

    def readable(self, user: str, playlist_id: str) -> Playlist:
        """Return a playlist that a user may read."""
        return readable_playlist(self._live, user, playlist_id)

    def keep(self, user: str, content: bytes) -> PlaylistAnswer:
        """Keep a playlist from a file, its tracks with the items of the catalogue that they are."""
        title, tracks, dropped = read_playlist(content)
        with contextlib.suppress(NotReadyError), self._active.reading() as opened:
            # Without a release they are matched when they are used.
            tracks = tuple(matched(opened.release.tables, track) for track in tracks)
        kept = self._live.put_playlist(_new(user, title or "Playlist", tracks))
        return _answer(kept).model_copy(update={"dropped": dropped})

    def make(self, user: str, asked: MakePlaylist) -> MadeAnswer:
        """Make a playlist, and keep it if that is wanted and the session is not private."""
        if not asked.seeds and asked.title is None:
            raise InputError("A playlist is made from seeds or a title.")
        keep = asked.keep and self._live.private_until(user, at=_now()) is None
        seeds = asked.seeds or [Seed(kind=TEXT, id=asked.title or "")]
        with self._active.reading() as opened:
            pools = ReleasePools(opened, asked.kind)
            listener = self._listener(opened, user)
            barred = {*listener.barred, *excluded(pools, _pairs(asked.exclude))}
            tracks = generated(
                pools,
                seed_sources(pools, self._live, user, seeds),
                asked.length,
                listener=Listener(known=listener.known, barred=barred),
                adventure=asked.adventure,
                seed=secrets.randbelow(2**53) if asked.seed is None else asked.seed,
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
        keep = asked.keep and self._live.private_until(user, at=_now()) is None
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
                listener=self._listener(opened, user),
                adventure=asked.adventure,
                seed=secrets.randbelow(2**53) if asked.seed is None else asked.seed,
            )
            described = tuple(as_track(pools, one.entry) for one in tracks) if keep else ()
        if keep:
            if playlist.user != user:
                raise UnknownIdError(f"{user} has no playlist {playlist_id!r}.")
            longer = (*playlist.tracks, *described)
            self._live.put_playlist(replace(playlist, tracks=longer, changed_at=_now()))
        return MadeAnswer(id=playlist.id, title=playlist.title, tracks=track_answers(tracks))

    def forgotten(self, user: str, limit: int) -> ForgottenAnswer:
        """Return what a user has loved and forgotten."""
        now = _now()
        with self._active.reading() as opened:
            pools = ReleasePools(opened)
            history = history_of(opened, self._live, user)[pools.kind]
            barred = self._listener(opened, user).barred
            found = forgotten(history.values(), now / 1000, limit, pools, barred=barred)
        rows = [ForgottenTrack(id=one.id, name=one.name, plays=played.plays, last=played.last) for one, played in found]
        return ForgottenAnswer(tracks=rows)

    def _listener(self, opened: OpenRelease, user: str) -> Listener:
        return listener_of(opened, self._live, user, at=_now())


def _new(user: str, title: str, tracks: tuple[Track, ...], reasons: Mapping[str, str] | None = None) -> Playlist:
    now, info = _now(), {"reasons": reasons} if reasons else {}
    return Playlist(id=str(uuid4()), user=user, title=title, tracks=tracks, info=info, created_at=now, changed_at=now)


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
    if form == "jspf":
        content = json.dumps(as_jspf(playlist, base), ensure_ascii=False)
    else:
        content = as_xspf(playlist, base) if form == "xspf" else as_m3u(playlist)
    return Response(content, media_type=TYPES[form], headers=NEVER_KEPT)


def _pairs(seeds: Sequence[Seed]) -> list[tuple[str, str]]:
    return [(seed.kind, seed.id) for seed in seeds]


def _now() -> int:
    return time.time_ns() // 1_000_000
