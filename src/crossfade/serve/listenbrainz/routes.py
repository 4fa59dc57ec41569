"""The routes of the ListenBrainz API, below ``/1/``.

Errors are ``{"code", "error"}``. Answers tell what is left of the client's rate limit, and pages of any origin may read
them with a token (CORS). What a user listens to is read with that user's token; lists that Crossfade made are read
without one, like the pages of ``/v1``, since the tools that fetch them send none.
"""

import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool

from crossfade.core.errors import CrossfadeError, InputError, NotReadyError, UnknownIdError
from crossfade.formats import values
from crossfade.live.matching import matched
from crossfade.live.playlists import playlist_named, playlists_of
from crossfade.live.submitting import keep_listens, keep_opinion, keep_playing
from crossfade.live.weekly import current
from crossfade.serve.access import (
    RefusedError,
    catalogue_of,
    count_request,
    limited_body,
    require_user,
    required_token,
    secret_of,
)
from crossfade.serve.active import ActiveRelease
from crossfade.serve.limits import RateLimits
from crossfade.serve.listenbrainz import rows
from crossfade.serve.listenbrainz.submissions import LONGEST_BODY, decoded_body, submitted
from crossfade.serve.lists import OwnPages
from crossfade.serve.replies import failure
from crossfade.serve.routes import plain
from crossfade.stores.contract import Entry
from crossfade.stores.live import Feedback, ItemRef, Listen, NowPlaying, Playlist, Scope, Track, Which, now
from crossfade.stores.live_contract import LiveState
from crossfade.surfaces.registry import PAGES

MOST_ROWS = 1000  # listens, recommendations or thumbs of one answer
USUAL_ROWS = 25
LONGEST_REQUEST = 10_240  # bytes of a body that names one listen or one recording
LATEST_LISTENS = 10_000  # among which a recording is looked up by its MSID
RETRY_STATUS = 503  # the disk is full, there is no release: clients send again later

CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Headers": "Authorization, Content-Type",
    "Access-Control-Allow-Methods": "GET, POST, OPTIONS",
    "Access-Control-Expose-Headers": "X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset-In, Retry-After",
    "Access-Control-Max-Age": "86400",
}

Count = Annotated[int, Query(ge=0, le=10_000_000)]
Time = Annotated[int | None, Query(ge=0, le=100_000_000_000)]


class _Recording(msgspec.Struct):
    score: int | str
    recording_mbid: str | None = None
    recording_msid: str | None = None


class _OneListen(msgspec.Struct):
    listened_at: int | str
    recording_msid: str


def listenbrainz_routes(active: ActiveRelease, live: LiveState, limits: RateLimits, own: OwnPages) -> APIRouter:
    """Return the routes, with pages of ``own`` for users who send their token.

    They are no part of the OpenAPI description: ListenBrainz documents them.
    """
    routes = APIRouter(prefix="/1", include_in_schema=False, route_class=_route_class(limits))
    api = _Api(active, live, own)

    def post(path: str, scope: Scope, most: int, answer: Callable[[str, bytes], Response]) -> None:
        @routes.post(path)
        async def posted(request: Request) -> Response:
            token = required_token(live, request, scope)
            return await run_in_threadpool(answer, token.user, await limited_body(request, most))

    post("/submit-listens", "submit", LONGEST_BODY, api.submit)
    post("/delete-listen", "manage", LONGEST_REQUEST, api.delete)
    post("/feedback/recording-feedback", "submit", LONGEST_REQUEST, api.give_feedback)

    @routes.get("/validate-token")
    def validate_token(request: Request, token: Annotated[str | None, Query(max_length=200)] = None) -> Response:
        secret = secret_of(request) or token
        if not secret:
            raise RefusedError(400, "There is no token to validate: Authorization: Token …")
        known = live.authenticate(secret)
        if known is None:
            return _json({"code": 200, "message": "Token invalid.", "valid": False})
        return _json({"code": 200, "message": "Token valid.", "valid": True, "user_name": known.user})

    @routes.get("/user/{user:path}/listens")
    def listens(
        request: Request, user: str, min_ts: Time = None, max_ts: Time = None, count: Count = USUAL_ROWS
    ) -> Response:
        return api.listens(api.own(request, user), min_ts, max_ts, min(count, MOST_ROWS))

    @routes.get("/user/{user:path}/listen-count")
    def listen_count(request: Request, user: str) -> Response:
        return _json({"payload": {"count": live.count_listens(api.own(request, user))}})

    @routes.get("/user/{user:path}/playing-now")
    def playing_now(request: Request, user: str) -> Response:
        user = api.own(request, user)
        playing = [rows.playing_row(one) for one in live.now_playing(user, at=now())[:1]]
        return _json(rows.payload(playing, user_id=user, playing_now=True))

    @routes.get("/feedback/user/{user:path}/get-feedback")
    def get_feedback(
        request: Request, user: str, score: int | None = None, count: Count = USUAL_ROWS, offset: Count = 0
    ) -> Response:
        return api.feedback(api.own(request, user), score, min(count, MOST_ROWS), offset)

    @routes.get("/user/{user:path}/playlists/createdfor")
    def created_for(request: Request, user: str, count: Count = USUAL_ROWS, offset: Count = 0) -> Response:
        return _playlists(request, api.created_for(plain(user)), count, offset)

    @routes.get("/user/{user:path}/playlists")
    def playlists(request: Request, user: str, count: Count = USUAL_ROWS, offset: Count = 0) -> Response:
        own = [one for one in playlists_of(live, api.own(request, user)) if not one.sort]
        return _playlists(request, own, count, offset)

    @routes.get("/playlist/{playlist_id}")
    def playlist(request: Request, playlist_id: str) -> Response:
        found = playlist_named(live, plain(playlist_id))
        if not (found.sort or found.public):
            require_user(required_token(live, request, "read"), found.user)
        return _json(rows.playlist_row(found, str(request.base_url), tracks=True))

    @routes.get("/cf/recommendation/user/{user:path}/recording")
    def recommendations(request: Request, user: str, count: Count = USUAL_ROWS, offset: Count = 0) -> Response:
        by_user = secret_of(request) is not None
        named = api.own(request, user) if by_user else plain(user)
        return api.recommendations(named, by_user, min(count, MOST_ROWS), offset)

    @routes.get("/stats/user/{rest:path}")
    def statistics(rest: str) -> Response:
        """Say that there are no statistics, as ListenBrainz does of a user without."""
        return Response(status_code=204)

    @routes.get("/metadata/lookup/")
    @routes.get("/metadata/lookup")
    def lookup(
        artist_name: Annotated[str, Query(max_length=1000)], recording_name: Annotated[str, Query(max_length=1000)]
    ) -> Response:
        return api.lookup(artist_name, recording_name)

    @routes.options("/{rest:path}")
    def allowed(rest: str) -> Response:
        return Response(status_code=204)

    @routes.api_route("/{rest:path}", methods=["GET", "POST", "PUT", "DELETE", "PATCH"])
    def unknown(rest: str) -> Response:
        raise RefusedError(404, "Crossfade does not have this part of the ListenBrainz API.")

    return routes


class _Api:
    """What is done for each request, in a thread."""

    def __init__(self, active: ActiveRelease, live: LiveState, own: OwnPages) -> None:
        self._active = active
        self._live = live
        self._own = own

    def own(self, request: Request, user: str) -> str:
        """Return the user of a path, if the token may read what is theirs."""
        return require_user(required_token(self._live, request, "read"), plain(user))

    def created_for(self, user: str) -> list[Playlist]:
        """Return the lists that were made for a user, those of today among them; they are made when asked for."""
        user = self._live.account(user).user
        with contextlib.suppress(NotReadyError), self._active.reading() as opened:
            current(opened, self._live, user, at=now())
        return [one for one in playlists_of(self._live, user) if one.sort]

    def submit(self, user: str, body: bytes) -> Response:
        sent = submitted(body, user, now())
        with catalogue_of(self._active) as tables:
            if isinstance(sent, NowPlaying):
                keep_playing(self._live, tables, sent)
            else:
                keep_listens(self._live, tables, sent)
        return _json({"status": "ok"})

    def delete(self, user: str, body: bytes) -> Response:
        wanted: _OneListen = decoded_body(body, _OneListen)
        began = values.number(wanted.listened_at)
        if began is None or not 0 <= began < 1e11:
            raise InputError("listened_at must be the time of the listen, in seconds since 1970.")
        second = Which(since=int(began) * 1000, until=int(began) * 1000 + 1000)
        found = [
            listen.id
            for listen in self._live.listens(user, second, limit=MOST_ROWS)
            if rows.msid(listen.track) == wanted.recording_msid.lower()
        ]
        self._live.delete_listens(user, Which(ids=found))
        return _json({"status": "ok"})

    def give_feedback(self, user: str, body: bytes) -> Response:
        sent: _Recording = decoded_body(body, _Recording)
        score = values.number(sent.score)
        if score not in (-1, 0, 1):
            raise InputError("score must be 1 (love), -1 (hate) or 0 (take it back).")
        track = self._recording(user, sent)
        with catalogue_of(self._active) as tables:
            keep_opinion(self._live, tables, user, "thumb", int(score), track, now())
        return _json({"status": "ok"})

    def listens(self, user: str, min_ts: int | None, max_ts: int | None, count: int) -> Response:
        which = Which(
            since=None if min_ts is None else (min_ts + 1) * 1000, until=None if max_ts is None else max_ts * 1000
        )
        # From a time on, the listens that followed it first; else the latest ones. Both are listed latest first.
        forwards = min_ts is not None and max_ts is None
        found = self._live.listens(user, which, limit=count, oldest_first=forwards) if count else []
        newest, oldest = (self._live.listens(user, limit=1, oldest_first=first) for first in (False, True))
        payload = rows.payload(
            [rows.listen_row(listen) for listen in (reversed(found) if forwards else found)],
            user_id=user,
            latest_listen_ts=_began(newest),
            oldest_listen_ts=_began(oldest),
        )
        return _json(payload)

    def feedback(self, user: str, score: int | None, count: int, offset: int) -> Response:
        thumbs = [one for one in self._live.feedback(user, "thumb") if score is None or one.value == score]
        page = [rows.feedback_row(one) for one in thumbs[offset : offset + count]]
        return _json({"feedback": page, "count": len(page), "offset": offset, "total_count": len(thumbs)})

    def recommendations(self, user: str, by_user: bool, count: int, offset: int) -> Response:
        """The tracks of a Discover page that have a MusicBrainz id; 204 if there are none.

        A request ``by_user`` gets the page as it is now, where the release can make one.
        """
        with self._active.reading() as opened:
            entries: Sequence[Entry] = ()
            with contextlib.suppress(UnknownIdError, NotReadyError):
                if by_user and (fresh := self._own.page(opened, user, "track")).table.surface == PAGES:
                    entries = fresh.entries
            with contextlib.suppress(UnknownIdError, NotReadyError):
                if not entries:
                    user = opened.release.tables.user(user)
                    entries = opened.entries(PAGES, user, kind="track")
            changed = int(opened.release.part("catalogue").stat().st_mtime)
        found = [(mbid, entry.score) for entry in entries if (mbid := values.mbid(entry.id)) is not None]
        if not found:
            return Response(status_code=204)
        page = [
            {"recording_mbid": mbid, "score": score, "latest_listened_at": None}
            for mbid, score in found[offset : offset + count]
        ]
        return _json(
            {
                "payload": {
                    "mbids": page,
                    "entity": "recording",
                    "user_name": user,
                    "last_updated": changed,
                    "count": len(page),
                    "total_mbid_count": len(found),
                    "offset": offset,
                }
            }
        )

    def lookup(self, artist: str, title: str) -> Response:
        """The MusicBrainz ids of a recording of the catalogue by its names; empty if it has none."""
        if not artist.strip() or not title.strip():
            raise InputError("A lookup needs an artist_name and a recording_name.")
        with self._active.reading() as opened:
            tables = opened.release.tables
            item = matched(tables, Track(artist=artist, title=title)).item
            found = None if item is None else tables.find(item.kind, item.id)
        mbid = None if found is None else values.mbid(found.id)
        if found is None or mbid is None:
            return _json({})
        artist_mbid = None if found.parent is None else values.mbid(found.parent.id)
        return _json(
            {
                "artist_credit_name": artist if found.parent is None else found.parent.name,
                "artist_mbids": [artist_mbid] if artist_mbid else [],
                "recording_mbid": mbid,
                "recording_name": found.name,
                "release_name": found.fields.get("album"),
            }
        )

    def _recording(self, user: str, sent: _Recording) -> Track:
        """The track that feedback is about: by its MBID, or by the MSID of a listen of the user."""
        if sent.recording_mbid:
            mbid = values.mbid(sent.recording_mbid)
            if mbid is None:
                raise InputError("recording_mbid is not a MusicBrainz id.")
            return Track(item=ItemRef("track", mbid), mbid=mbid)
        if not sent.recording_msid:
            raise InputError("Feedback needs a recording_mbid or a recording_msid.")
        wanted = sent.recording_msid.lower()
        known: list[Listen | Feedback | NowPlaying] = [
            *self._live.now_playing(user, at=now()),
            *self._live.feedback(user, "thumb"),
        ]
        for one in known:
            if rows.msid(one.track) == wanted:
                return one.track
        for offset in range(0, LATEST_LISTENS, MOST_ROWS):
            listens = self._live.listens(user, limit=MOST_ROWS, offset=offset)
            for listen in listens:
                if rows.msid(listen.track) == wanted:
                    return listen.track
            if len(listens) < MOST_ROWS:
                break
        raise InputError("There is no listen of that recording_msid: submit the listen first.")


def _playlists(request: Request, found: list[Any], count: int, offset: int) -> Response:
    page = found[offset : offset + count]
    return _json(
        {
            "playlists": [rows.playlist_row(one, str(request.base_url), tracks=False) for one in page],
            "count": count,
            "offset": offset,
            "playlist_count": len(found),
        }
    )


def _json(value: Mapping[str, Any], status: int = 200) -> Response:
    return Response(
        msgspec.json.encode(value),
        status_code=status,
        media_type="application/json",
        headers={"Cache-Control": "no-store"},
    )


def _route_class(limits: RateLimits) -> type[APIRoute]:
    class Route(APIRoute):
        """Counts requests, turns errors into those of ListenBrainz, and adds the headers that its clients read."""

        def get_route_handler(self) -> Callable[[Request], Awaitable[Response]]:  # type: ignore[override]
            handle = super().get_route_handler()

            async def answer(request: Request) -> Response:
                try:
                    if request.method != "OPTIONS":
                        count_request(request, limits)
                    response = await handle(request)
                except Exception as error:  # noqa: BLE001 (as the other routes answer; no detail may reach the client)
                    response = _error(error)
                response.headers.update(CORS)
                return response

            return answer

    return Route


def _error(error: Exception) -> Response:
    if isinstance(error, RefusedError):
        status, message = error.status, str(error)
    elif isinstance(error, RequestValidationError):
        wrong = error.errors()[0]
        status, message = 400, f"{' '.join(map(str, wrong['loc']))}: {wrong['msg']}"
    elif isinstance(error, InputError):
        status, message = 400, str(error)
    elif isinstance(error, NotReadyError):
        status, message = RETRY_STATUS, str(error)
    elif isinstance(error, UnknownIdError):
        status, message = 404, str(error)
    else:
        failure(error)
        status, message = (RETRY_STATUS if isinstance(error, CrossfadeError) else 500), "The server could not answer."
    return _json({"code": status, "error": message}, status)


def _began(listens: list[Listen]) -> int:
    return listens[0].listened_at // 1000 if listens else 0
