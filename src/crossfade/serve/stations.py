"""The routes of stations and of Now Playing: our own API, for the user of the token.

A station of a user in a private session is kept nowhere: the answer has its state, and the client sends it back with
the next signal. So is one that is started with ``keep`` false.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any
from uuid import uuid4

import msgspec
from fastapi import APIRouter, Path, Query, Response

from crossfade.core.errors import ArtifactError, InputError, UnknownIdError
from crossfade.live import station_why, stations
from crossfade.live.matching import matched
from crossfade.live.now_playing import next_up, pools_after, taste_of
from crossfade.live.playlists import entry_of, playlist_named
from crossfade.live.pools import PLAYLIST, ReleasePools
from crossfade.live.stations import Part, Signal, Source, Station
from crossfade.live.taste import tastes_of
from crossfade.serve.access import now
from crossfade.serve.active import ActiveRelease
from crossfade.serve.answers import LONGEST_TEXT
from crossfade.serve.guard import Caller, guarded_routes
from crossfade.serve.limits import RateLimits
from crossfade.serve.replies import json_reply
from crossfade.serve.station_bodies import (
    Because,
    NowPlayingAnswer,
    Queue,
    Seed,
    StartStation,
    StateSignal,
    StationAnswer,
    StationsAnswer,
    StationSignal,
    TrackAnswer,
    WhyTrackAnswer,
)
from crossfade.stores.contract import Named
from crossfade.stores.live import LONGEST_STATION, ChangedError, Feedback, ItemRef, Playlist, Track
from crossfade.stores.live import Station as Kept
from crossfade.stores.live_contract import LiveState
from crossfade.surfaces.station import StationSettings

RETRIES = 5  # of a change that another one came before

_TAG = "stations"
_Id = Annotated[
    str, Path(description="The id of the station.", max_length=200, examples=["7d9c1f9e-5b0a-4f6e-9d3c-0d7b2f1f9a10"])
]


def station_routes(
    active: ActiveRelease, live: LiveState, limits: RateLimits, settings: StationSettings
) -> list[APIRouter]:
    """Return the routes."""
    api = Stations(active, live, settings)
    return [
        _reading(api, live, guarded_routes(live, limits, "read", tag=_TAG)),
        _playing(api, live, guarded_routes(live, limits, "submit", tag=_TAG, most_bytes=LONGEST_STATION)),
    ]


def _reading(api: "Stations", live: LiveState, routes: APIRouter) -> APIRouter:
    @routes.get("/v1/stations", summary="A user's stations", response_model=StationsAnswer)
    def listed(caller: Caller) -> Response:
        """Without what they play next."""
        answers = [_answer(one.id, _state(one.state), []) for one in live.stations(caller.user)]
        return json_reply(StationsAnswer(stations=answers))

    @routes.get("/v1/stations/{id}", summary="One station", response_model=StationAnswer)
    def one(caller: Caller, id: _Id) -> Response:  # noqa: A002 (the name in the path)
        """What it started from, its thumbs, how adventurous it is."""
        kept = live.station(caller.user, id)
        return json_reply(_answer(kept.id, _state(kept.state), []))

    @routes.get("/v1/stations/{id}/why", summary="Why a station plays a track", response_model=WhyTrackAnswer)
    def why_track(
        caller: Caller,
        id: _Id,  # noqa: A002
        item: Annotated[
            str,
            Query(
                description="The id of the track.", min_length=1, max_length=LONGEST_TEXT, examples=["hetrec:51:roads"]
            ),
        ],
    ) -> Response:
        """Its sources, what thumbs made of it, and its chance to be next; or why it is not played."""
        return json_reply(api.why(caller.user, id, item))

    @routes.post("/v1/now-playing", summary="What to play after a queue", response_model=NowPlayingAnswer)
    def now_playing(caller: Caller, asked: Queue) -> Response:
        """By what is played after what, and the user's taste."""
        return json_reply(api.now_playing(caller.user, asked))

    return routes


def _playing(api: "Stations", live: LiveState, routes: APIRouter) -> APIRouter:
    @routes.post("/v1/stations", summary="Start a station", status_code=201, response_model=StationAnswer)
    def start(caller: Caller, asked: StartStation) -> Response:
        """From items, tags, texts and playlists: several seeds share alike."""
        return json_reply(api.start(caller.user, asked), status=201)

    @routes.post("/v1/stations/next", summary="Go on with a station that is not kept", response_model=StationAnswer)
    def go_on_with_state(caller: Caller, asked: StateSignal) -> Response:
        """The state, and a signal: thumbs, skips, adventure, how many tracks."""
        return json_reply(api.next(caller.user, None, _sent(asked.state), asked))

    @routes.post("/v1/stations/{id}/next", summary="Steer a station, and play on", response_model=StationAnswer)
    def go_on(caller: Caller, id: _Id, asked: StationSignal) -> Response:  # noqa: A002
        """A thumb up brings more from the neighbours of the track, a thumb down less; a skip counts a little."""
        return json_reply(api.steer(caller.user, id, asked))

    @routes.delete("/v1/stations/{id}", summary="Delete a station", status_code=204)
    def delete(caller: Caller, id: _Id) -> Response:  # noqa: A002
        """For good."""
        live.delete_station(caller.user, id)
        return Response(status_code=204)

    return routes


class Stations:
    """What the routes do, and the command line."""

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
                seed=asked.drawn_by(),
            )
            signal = Signal(at=time.time(), count=asked.count)
            listener = tastes_of(opened, self._live).listener(user, at=now())
            after, tracks = stations.next(state, signal, pools, listener, self._settings)
        at = now()
        if not asked.keep or self._live.private_until(user, at=at) is not None:
            return _answer(None, after, tracks)
        name = after.title[:1_000]
        kept = Kept(id=str(uuid4()), user=user, name=name, state=_plain(after), created_at=at, changed_at=at)
        return _answer(self._live.put_station(kept).id, after, tracks)

    def steer(self, user: str, station_id: str, asked: StationSignal) -> StationAnswer:
        """Hand a signal to a station that is kept."""
        for attempt in range(RETRIES):
            kept = self._live.station(user, station_id)
            answer = self.next(user, station_id, _state(kept.state), asked)
            if answer.state is None or self._live.private_until(user, at=now()) is not None:
                return answer.model_copy(update={"id": None})
            try:
                self._live.put_station(replace(kept, state=answer.state, changed_at=now()))
            except ChangedError:
                # Another signal came in between: this one is handed to the state after it.
                if attempt == RETRIES - 1:
                    raise
            else:
                return answer.model_copy(update={"state": None})
        raise ChangedError("The station changed too often.")

    def next(self, user: str, station_id: str | None, state: Station, asked: StationSignal) -> StationAnswer:
        """Return the station after a signal, with its state; thumbs count for the user's taste too."""
        signal = Signal(at=time.time(), **asked.model_dump(exclude={"state"}))
        with self._active.reading() as opened:
            pools = ReleasePools(opened, state.kind)
            listener = tastes_of(opened, self._live).listener(user, at=now())
            after, tracks = stations.next(state, signal, pools, listener, self._settings)
            thumb = _THUMBS.get(asked.action or "")
            entry = None if asked.item is None else entry_of(pools, asked.item)
        if thumb is not None and entry is not None:
            track = Track(
                item=ItemRef(state.kind, entry.id), title=entry.name, artist=entry.parent.name if entry.parent else None
            )
            self._live.give([Feedback(user=user, sort="thumb", value=thumb, track=track, given_at=now())])
        return _answer(station_id, after, tracks, with_state=True)

    def why(self, user: str, station_id: str, item: str) -> WhyTrackAnswer:
        """Explain a track."""
        state = _state(self._live.station(user, station_id).state)
        with self._active.reading() as opened:
            pools = ReleasePools(opened, state.kind)
            listener = tastes_of(opened, self._live).listener(user, at=now())
            why = station_why.why(state, item, time.time(), pools, listener, self._settings)
        return WhyTrackAnswer(text=why.text, chance=why.chance, because=_because(why.parts), nudges=why.nudges)

    def now_playing(self, user: str, asked: Queue) -> NowPlayingAnswer:
        """Return what follows a queue."""
        with self._active.reading() as opened:
            pools = pools_after(opened, asked.kind)
            tracks = next_up(
                pools,
                asked.queue,
                asked.count,
                listener=tastes_of(opened, self._live).listener(user, at=now()),
                taste=taste_of(opened, self._live, user, pools.kind),
                settings=self._settings,
            )
            return NowPlayingAnswer(release=opened.version, kind=pools.kind, tracks=track_answers(tracks))


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
    playlist = playlist_named(live, playlist_id)
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
    return [Because(origin=part.origin, source=part.source, share=round(part.share, 4)) for part in parts]


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
