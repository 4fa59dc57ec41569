"""The routes of stations and of Now Playing: our own API, for the user of the token.

A station of a user in a private session is kept nowhere: the answer has its state, and the client sends it back with
the next signal. So is one that is started with ``keep`` false.
"""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from crossfade.core.errors import ArtifactError, InputError
from crossfade.live import own_stations
from crossfade.live.now_playing import next_up, pools_after, taste_of
from crossfade.live.own_stations import Going, plain_of, state_of
from crossfade.live.stations import Part, Signal, Track
from crossfade.live.taste import tastes_of
from crossfade.serve.active import ActiveRelease
from crossfade.serve.answers import LONGEST_TEXT
from crossfade.serve.guard import Caller, guarded_routes
from crossfade.serve.limits import RateLimits
from crossfade.serve.replies import json_reply
from crossfade.serve.station_bodies import (
    Because,
    NowPlayingAnswer,
    Queue,
    StartStation,
    StateSignal,
    StationAnswer,
    StationsAnswer,
    StationSignal,
    TrackAnswer,
    WhyTrackAnswer,
)
from crossfade.stores.live import LONGEST_STATION, now
from crossfade.stores.live_contract import LiveState
from crossfade.surfaces.station import StationSettings

_TAG = "stations"
_Id = Annotated[
    str, Path(description="The id of the station.", max_length=200, examples=["7d9c1f9e-5b0a-4f6e-9d3c-0d7b2f1f9a10"])
]


def station_routes(
    active: ActiveRelease, live: LiveState, limits: RateLimits, settings: StationSettings
) -> list[APIRouter]:
    """Return the routes."""
    return [
        _reading(active, live, settings, guarded_routes(live, limits, "read", tag=_TAG)),
        _playing(active, live, settings, guarded_routes(live, limits, "submit", tag=_TAG, most_bytes=LONGEST_STATION)),
    ]


def _reading(active: ActiveRelease, live: LiveState, settings: StationSettings, routes: APIRouter) -> APIRouter:
    @routes.get("/v1/stations", summary="A user's stations", response_model=StationsAnswer)
    def listed(caller: Caller) -> Response:
        """Without what they play next."""
        answers = [_answer(Going(id=one.id, state=state_of(one.state))) for one in live.stations(caller.user)]
        return json_reply(StationsAnswer(stations=answers))

    @routes.get("/v1/stations/{id}", summary="One station", response_model=StationAnswer)
    def one(caller: Caller, id: _Id) -> Response:  # noqa: A002 (the name in the path)
        """What it started from, its thumbs, how adventurous it is."""
        kept = live.station(caller.user, id)
        return json_reply(_answer(Going(id=kept.id, state=state_of(kept.state))))

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
        with active.reading() as opened:
            why = own_stations.why(opened, live, caller.user, id, item, at=now(), settings=settings)
        because = _because(why.parts)
        return json_reply(WhyTrackAnswer(text=why.text, chance=why.chance, because=because, nudges=why.nudges))

    @routes.post("/v1/now-playing", summary="What to play after a queue", response_model=NowPlayingAnswer)
    def now_playing(caller: Caller, asked: Queue) -> Response:
        """By what is played after what, and the user's taste."""
        with active.reading() as opened:
            pools = pools_after(opened, asked.kind)
            tracks = next_up(
                pools,
                asked.queue,
                asked.count,
                listener=tastes_of(opened, live).listener(caller.user, at=now()),
                taste=taste_of(opened, live, caller.user, pools.kind),
                settings=settings,
            )
            answer = NowPlayingAnswer(release=opened.version, kind=pools.kind, tracks=track_answers(tracks))
        return json_reply(answer)

    return routes


def _playing(active: ActiveRelease, live: LiveState, settings: StationSettings, routes: APIRouter) -> APIRouter:
    @routes.post("/v1/stations", summary="Start a station", status_code=201, response_model=StationAnswer)
    def start(caller: Caller, asked: StartStation) -> Response:
        """From items, tags, texts and playlists: several seeds share alike."""
        with active.reading() as opened:
            going = own_stations.start(opened, live, caller.user, at=now(), settings=settings, **asked.fields())
        return json_reply(_answer(going), status=201)

    @routes.post("/v1/stations/next", summary="Go on with a station that is not kept", response_model=StationAnswer)
    def go_on_with_state(caller: Caller, asked: StateSignal) -> Response:
        """The state, and a signal: thumbs, skips, adventure, how many tracks."""
        try:
            state = state_of(asked.state)
        except ArtifactError as error:  # a client sent it
            raise InputError(str(error)) from error
        with active.reading() as opened:
            going = own_stations.go_on(opened, live, caller.user, state, _signal(asked), settings)
        return json_reply(_answer(going))

    @routes.post("/v1/stations/{id}/next", summary="Steer a station, and play on", response_model=StationAnswer)
    def go_on(caller: Caller, id: _Id, asked: StationSignal) -> Response:  # noqa: A002
        """A thumb up brings more from the neighbours of the track, a thumb down less; a skip counts a little."""
        with active.reading() as opened:
            going = own_stations.steer(opened, live, caller.user, id, _signal(asked), settings)
        return json_reply(_answer(going))

    @routes.delete("/v1/stations/{id}", summary="Delete a station", status_code=204)
    def delete(caller: Caller, id: _Id) -> Response:  # noqa: A002
        """For good."""
        live.delete_station(caller.user, id)
        return Response(status_code=204)

    return routes


def track_answers(tracks: Sequence[Track]) -> list[TrackAnswer]:
    """Return tracks as they are answered."""
    return [
        TrackAnswer(
            id=one.entry.id, name=one.entry.name, parent=one.entry.parent, text=one.text, because=_because(one.parts)
        )
        for one in tracks
    ]


def _signal(asked: StationSignal) -> Signal:
    return Signal(at=now() / 1000, **asked.model_dump(exclude={"state"}))


def _because(parts: Sequence[Part]) -> list[Because]:
    return [Because(origin=part.origin, source=part.source, share=part.share) for part in parts]


def _answer(going: Going) -> StationAnswer:
    state = going.state
    return StationAnswer(
        id=going.id,
        title=state.title,
        kind=state.kind,
        adventure=state.adventure,
        seeds=list(dict.fromkeys(one.because for one in state.seeds)),
        marks=state.marks,
        tracks=track_answers(going.tracks),
        state=plain_of(state) if going.id is None else None,
    )
