"""The routes of stations and of Now Playing: our own API, for the user of the token.

A station of a user in a private session is kept nowhere: the answer has its state, and the client sends it back with
the next signal. So is one that is started with ``keep`` false.
"""

import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, Literal
from uuid import uuid4

import msgspec
from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import Field

from crossfade.core.errors import ArtifactError, InputError, UnknownIdError
from crossfade.core.kinds import FIRST_KIND, KINDS
from crossfade.live import stations
from crossfade.live.listening import listener_of
from crossfade.live.matching import matched
from crossfade.live.now_playing import next_up, pools_after, taste_of
from crossfade.live.playlists import entry_of
from crossfade.live.pools import PLAYLIST, TAG, TEXT, ReleasePools
from crossfade.live.stations import Listener, Part, Signal, Source, Station
from crossfade.serve.access import required_token
from crossfade.serve.active import ActiveRelease
from crossfade.serve.answers import Answer
from crossfade.serve.bodies import Asked, body_of, described, own_routes
from crossfade.serve.limits import RateLimits
from crossfade.serve.replies import json_reply
from crossfade.serve.routes import LONGEST_TEXT, NEVER_KEPT, problems
from crossfade.stores.contract import Named
from crossfade.stores.live import LONGEST_STATION, ChangedError, Feedback, ItemRef, LiveState, Playlist, Track
from crossfade.stores.live import Station as Kept
from crossfade.surfaces.asking import OpenRelease
from crossfade.surfaces.station import StationSettings

MOST_TRACKS = 100  # of one answer
MOST_SEEDS = 20  # each of which may stand for ten tracks
LONGEST_QUEUE = 200
LONGEST_BODY = 65_536  # bytes: the longest queue of the longest ids
RETRIES = 5  # of a change that another one came before

Text = Annotated[str, Field(min_length=1, max_length=LONGEST_TEXT)]
Adventure = Annotated[float, Field(ge=0, le=1, description="From familiar (0) to adventurous (1).")]
Count = Annotated[int, Field(ge=0, le=MOST_TRACKS, description="How many tracks to play next.")]
Kind = Annotated[str, Field(pattern=f"^({'|'.join(KINDS)})$", description="What to play, by default the main kind.")]


_Id = Annotated[str, Path(description="The id of the station.", max_length=200)]


class Seed(Asked):
    """What a station or a playlist starts from."""

    kind: Annotated[str, Field(pattern=f"^({'|'.join((*KINDS, TAG, TEXT, PLAYLIST))})$", examples=[FIRST_KIND])]
    id: Text = Field(description="An id or a name; the words of a tag or a text.", examples=["Radiohead"])


class StartStation(Asked):
    """A station to start."""

    seeds: list[Seed] = Field(min_length=1, max_length=MOST_SEEDS)
    title: Text | None = None
    kind: Kind | None = None
    adventure: Adventure = 0.5
    seed: int | None = Field(None, ge=0, lt=2**53, description="Of the draws; another one each time by default.")
    keep: bool = Field(True, description="Whether the server keeps the station.")
    count: Count = 10


class StationSignal(Asked):
    """What happened to a station; what is left out did not."""

    action: Literal["up", "down", "skip", "undo"] | None = None
    item: Text | None = Field(None, description="The id of the track that the action is about.")
    heard: float | None = Field(None, ge=0, le=1e6, description="Seconds of it that were heard before a skip.")
    requeue: bool = Field(
        False, description="What was drawn after the item will not be played, and may be drawn again."
    )
    adventure: Adventure | None = None
    count: Count = 10


class StateSignal(StationSignal):
    """A signal to a station that the server does not keep."""

    state: dict[str, Any] = Field(description="As the last answer had it.")


class Queue(Asked):
    """What is played and will be played."""

    queue: list[Text] = Field(
        min_length=1, max_length=LONGEST_QUEUE, description="Ids of tracks, the last one at the end."
    )
    kind: Kind | None = None
    count: Annotated[int, Field(ge=1, le=MOST_TRACKS)] = 1


class Because(Answer):
    """One of the sources that a track is played for."""

    origin: Literal["seed", "up", "grown", "played"] = Field(
        description="A seed, a track with a thumb up, one that was played when little was left, one of the queue."
    )
    source: Named
    share: float = Field(description="Of the odds of the track, 0 to 1.")


class TrackAnswer(Answer):
    """A track to play, and why."""

    id: str
    name: str
    parent: Named | None = None
    text: str = Field(examples=["Because you started from Radiohead"])
    because: list[Because]


class StationAnswer(Answer):
    """A station, and what it plays next."""

    id: str | None = Field(description="None of a station that is not kept.")
    title: str
    kind: str
    adventure: float
    seeds: list[Named]
    marks: Mapping[str, Literal["up", "down", "skip"]] = Field(description="Thumbs and skips by id.")
    tracks: list[TrackAnswer] = Field([], description="What to play next.")
    state: dict[str, Any] | None = Field(None, description="To be sent back, of a station that is not kept.")


class StationsAnswer(Answer):
    """The stations of a user, the last changed first."""

    stations: list[StationAnswer]


class WhyTrackAnswer(Answer):
    """Why a station plays a track, or why not."""

    text: str
    chance: float = Field(description="That it is drawn next, 0 to 1.")
    because: list[Because]
    nudges: Mapping[str, float] = Field(description="What each thumb and skip multiplies its odds by.")


class NowPlayingAnswer(Answer):
    """What to play after a queue."""

    release: str
    kind: str
    tracks: list[TrackAnswer]


def station_routes(active: ActiveRelease, live: LiveState, limits: RateLimits, settings: StationSettings) -> APIRouter:
    """Return the routes."""
    routes = own_routes(live, limits, "stations")
    api = _Stations(active, live, settings)
    failures = problems(401, 403, 404, 413, 422, 429, 503)

    @routes.post(
        "/v1/stations",
        summary="Start a station",
        status_code=201,
        response_model=StationAnswer,
        responses=failures,
        openapi_extra=described(StartStation),
    )
    def start(
        request: Request, asked: Annotated[StartStation, Depends(body_of(StartStation, LONGEST_BODY))]
    ) -> Response:
        """From items, tags, texts and playlists: several seeds share alike."""
        return json_reply(
            api.start(required_token(live, request, "submit").user, asked), status=201, headers=NEVER_KEPT
        )

    @routes.get("/v1/stations", summary="A user's stations", response_model=StationsAnswer, responses=failures)
    def listed(request: Request) -> Response:
        """Without what they play next."""
        kept = live.stations(required_token(live, request, "read").user)
        answers = [_answer(one.id, _state(one.state), []) for one in kept]
        return json_reply(StationsAnswer(stations=answers), headers=NEVER_KEPT)

    @routes.post(
        "/v1/stations/next",
        summary="Go on with a station that is not kept",
        response_model=StationAnswer,
        responses=failures,
        openapi_extra=described(StateSignal),
    )
    def go_on_with_state(
        request: Request, asked: Annotated[StateSignal, Depends(body_of(StateSignal, LONGEST_STATION))]
    ) -> Response:
        """The state, and a signal: thumbs, skips, adventure, how many tracks."""
        user = required_token(live, request, "submit").user
        return json_reply(api.next(user, None, _sent(asked.state), asked), headers=NEVER_KEPT)

    @routes.get("/v1/stations/{id}", summary="One station", response_model=StationAnswer, responses=failures)
    def one(request: Request, id: _Id) -> Response:  # noqa: A002 (the name in the path)
        """What it started from, its thumbs, how adventurous it is."""
        kept = live.station(required_token(live, request, "read").user, id)
        return json_reply(_answer(kept.id, _state(kept.state), []), headers=NEVER_KEPT)

    @routes.post(
        "/v1/stations/{id}/next",
        summary="Steer a station, and play on",
        response_model=StationAnswer,
        responses={**failures, **problems(409)},
        openapi_extra=described(StationSignal),
    )
    def go_on(
        request: Request,
        id: _Id,  # noqa: A002
        asked: Annotated[StationSignal, Depends(body_of(StationSignal, LONGEST_BODY))],
    ) -> Response:
        """A thumb up brings more from the neighbours of the track, a thumb down less; a skip counts a little."""
        return json_reply(api.steer(required_token(live, request, "submit").user, id, asked), headers=NEVER_KEPT)

    @routes.get(
        "/v1/stations/{id}/why",
        summary="Why a station plays a track",
        response_model=WhyTrackAnswer,
        responses=failures,
    )
    def why_track(
        request: Request,
        id: _Id,  # noqa: A002
        item: Annotated[str, Query(description="The id of the track.", min_length=1, max_length=LONGEST_TEXT)],
    ) -> Response:
        """Its sources, what thumbs made of it, and its chance to be next; or why it is not played."""
        return json_reply(api.why(required_token(live, request, "read").user, id, item), headers=NEVER_KEPT)

    @routes.delete("/v1/stations/{id}", summary="Delete a station", status_code=204, responses=failures)
    def delete(request: Request, id: _Id) -> Response:  # noqa: A002
        """For good."""
        live.delete_station(required_token(live, request, "submit").user, id)
        return Response(status_code=204)

    @routes.post(
        "/v1/now-playing",
        summary="What to play after a queue",
        response_model=NowPlayingAnswer,
        responses=failures,
        openapi_extra=described(Queue),
    )
    def now_playing(request: Request, asked: Annotated[Queue, Depends(body_of(Queue, LONGEST_BODY))]) -> Response:
        """By what is played after what, and the user's taste."""
        return json_reply(api.now_playing(required_token(live, request, "read").user, asked), headers=NEVER_KEPT)

    return routes


class _Stations:
    """What the routes do."""

    def __init__(self, active: ActiveRelease, live: LiveState, settings: StationSettings) -> None:
        self._active, self._live, self._settings = active, live, settings

    def start(self, user: str, asked: StartStation) -> StationAnswer:
        """Start a station, and keep it unless that is not wanted."""
        with self._active.reading() as opened:
            pools = ReleasePools(opened, asked.kind)
            seeds = seed_sources(pools, self._live, user, asked.seeds)
            names = list(dict.fromkeys(one.because.name for one in seeds))
            state = Station(
                kind=pools.kind,
                title=asked.title or " + ".join(names[:3]) + (" + …" if len(names) > 3 else ""),
                seeds=seeds,
                adventure=asked.adventure,
                seed=secrets.randbelow(2**53) if asked.seed is None else asked.seed,
            )
            signal = Signal(at=time.time(), count=asked.count)
            after, tracks = stations.next(state, signal, pools, self._listener(opened, user), self._settings)
        now = _now()
        if not asked.keep or self._live.private_until(user, at=now) is not None:
            return _answer(None, after, tracks)
        name = after.title[:1_000]
        kept = Kept(id=str(uuid4()), user=user, name=name, state=_plain(after), created_at=now, changed_at=now)
        return _answer(self._live.put_station(kept).id, after, tracks)

    def steer(self, user: str, station_id: str, asked: StationSignal) -> StationAnswer:
        """Hand a signal to a station that is kept."""
        for attempt in range(RETRIES):
            kept = self._live.station(user, station_id)
            answer = self.next(user, station_id, _state(kept.state), asked)
            if answer.state is None or self._live.private_until(user, at=_now()) is not None:
                return answer.model_copy(update={"id": None})
            try:
                self._live.put_station(replace(kept, state=answer.state, changed_at=_now()))
            except ChangedError:
                # Another signal came in between: this one is handed to the state after it.
                if attempt == RETRIES - 1:
                    raise
            else:
                return answer.model_copy(update={"state": None})
        raise ChangedError("The station changed too often.")

    def next(self, user: str, station_id: str | None, state: Station, asked: StationSignal) -> StationAnswer:
        """Return the station after a signal, with its state; thumbs count for the user's taste too."""
        signal = Signal(
            at=time.time(),
            action=asked.action,
            item=asked.item,
            heard=asked.heard,
            requeue=asked.requeue,
            adventure=asked.adventure,
            count=asked.count,
        )
        with self._active.reading() as opened:
            pools = ReleasePools(opened, state.kind)
            after, tracks = stations.next(state, signal, pools, self._listener(opened, user), self._settings)
            thumb = _THUMBS.get(asked.action or "")
            entry = None if asked.item is None else entry_of(pools, asked.item)
        if thumb is not None and entry is not None:
            track = Track(
                item=ItemRef(state.kind, entry.id), title=entry.name, artist=entry.parent.name if entry.parent else None
            )
            self._live.give([Feedback(user=user, sort="thumb", value=thumb, track=track, given_at=_now())])
        return _answer(station_id, after, tracks, with_state=True)

    def why(self, user: str, station_id: str, item: str) -> WhyTrackAnswer:
        """Explain a track."""
        state = _state(self._live.station(user, station_id).state)
        with self._active.reading() as opened:
            pools = ReleasePools(opened, state.kind)
            why = stations.why(state, item, time.time(), pools, self._listener(opened, user), self._settings)
        return WhyTrackAnswer(text=why.text, chance=why.chance, because=_because(why.parts), nudges=why.nudges)

    def now_playing(self, user: str, asked: Queue) -> NowPlayingAnswer:
        """Return what follows a queue."""
        with self._active.reading() as opened:
            pools = pools_after(opened, asked.kind)
            tracks = next_up(
                pools,
                asked.queue,
                asked.count,
                listener=self._listener(opened, user),
                taste=taste_of(opened, self._live, user, pools.kind),
                settings=self._settings,
            )
            return NowPlayingAnswer(release=opened.version, kind=pools.kind, tracks=track_answers(tracks))

    def _listener(self, opened: OpenRelease, user: str) -> Listener:
        return listener_of(opened, self._live, user, at=_now())


_THUMBS = {"up": 1, "down": -1, "undo": 0}


def seed_sources(pools: ReleasePools, live: LiveState, user: str, seeds: Sequence[Seed]) -> tuple[Source, ...]:
    """Return what ``seeds`` stand for; UnknownIdError for one that ``user`` does not have, or the release."""
    found = []
    for seed in seeds:
        if seed.kind == PLAYLIST:
            playlist = readable_playlist(live, user, seed.id)
            items = [matched(pools.opened.release.tables, track).item for track in playlist.tracks]
            because = Named(kind=PLAYLIST, id=playlist.id, name=playlist.title)
            found.append(pools.of_items([item for item in items if item], because))
        else:
            found.append(pools.of_seed(seed.kind, seed.id))
    return pools.shared(found)


def readable_playlist(live: LiveState, user: str, playlist_id: str) -> Playlist:
    """Return a playlist of ``user``, or a public one; UnknownIdError for that of another, as for one that is not."""
    playlist = live.playlist(playlist_id)
    if playlist.user != user and not playlist.public:
        raise UnknownIdError(f"There is no playlist {playlist_id!r}.")
    return playlist


def track_answers(tracks: Sequence[stations.Track]) -> list[TrackAnswer]:
    """Return tracks as they are answered."""
    return [
        TrackAnswer(
            id=one.entry.id, name=one.entry.name, parent=one.entry.parent, text=one.text, because=_because(one.parts)
        )
        for one in tracks
    ]


def _because(parts: Sequence[Part]) -> list[Because]:
    return [Because(origin=part.origin, source=part.source, share=part.share) for part in parts]


def _answer(
    station_id: str | None, state: Station, tracks: Sequence[stations.Track], *, with_state: bool = False
) -> StationAnswer:
    return StationAnswer(
        id=station_id,
        title=state.title,
        kind=state.kind,
        adventure=state.adventure,
        seeds=list(dict.fromkeys(one.because for one in state.seeds)),
        marks=state.marks,
        tracks=track_answers(tracks),
        state=_plain(state) if station_id is None or with_state else None,
    )


def _plain(state: Station) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(state)
    return plain


def _state(plain: Mapping[str, object]) -> Station:
    return Station.from_json(msgspec.json.encode(plain))


def _sent(plain: Mapping[str, object]) -> Station:
    """Return the state that a client sent; InputError if it is none."""
    try:
        return _state(plain)
    except ArtifactError as error:
        raise InputError(str(error)) from error


def _now() -> int:
    return time.time_ns() // 1_000_000
