"""An example of each body and answer of our own API, for its OpenAPI description: an evening of the user ann."""

from typing import Any

import msgspec
from pydantic import BaseModel

from crossfade.core.kinds import FIRST_KIND
from crossfade.formats.contract import DEFAULT_KIND
from crossfade.formats.playlist_files import TYPES
from crossfade.live.stations import Source
from crossfade.live.stations import Station as StationState
from crossfade.models.registry import MODELS
from crossfade.serve import answers, live_bodies, station_bodies
from crossfade.serve.live_bodies import (
    BlockBody,
    ExclusionBody,
    FeedbackBody,
    FeedbacksBody,
    ItemBody,
    ListenBody,
    ListensBody,
    PlayingBody,
    PrivateBody,
    TrackBody,
)
from crossfade.serve.station_bodies import (
    Because,
    ContinuePlaylist,
    EditPlaylist,
    MakePlaylist,
    Queue,
    Seed,
    StartStation,
    StateSignal,
    StationSignal,
    TrackAnswer,
)
from crossfade.serve.web.examples import WEB
from crossfade.stores.contract import Entry, Item, Named, Reason, TableInfo
from crossfade.stores.live import ItemRef, Track
from crossfade.surfaces.why import Evidence, Why

_MODEL = next(iter(MODELS))
_RELEASE = "000012-1f0c9a2b77de"
_BEGAN, _ENDS = 1_763_640_000_000, 1_763_640_302_000
_BAND = Named(kind=FIRST_KIND, id="hetrec:51", name="Portishead")
_OTHERS = Named(kind=FIRST_KIND, id="hetrec:7", name="Massive Attack")
_REASON = Reason.of(_BAND, 41)
_ENTRY = Entry(id="hetrec:7:teardrop", name="Teardrop", parent=_OTHERS, score=0.83, reason=_REASON)
_ROADS = TrackBody(title="Roads", artist="Portishead", album="Dummy", duration_ms=302_000)
_KEPT_ROADS = _ROADS.model_copy(update={"item": ItemBody(kind=DEFAULT_KIND, id="hetrec:51:roads")})
_TRACK = TrackAnswer(
    id=_ENTRY.id,
    name=_ENTRY.name,
    parent=_OTHERS,
    text="Because you started from Portishead",
    because=[Because(origin="seed", source=_BAND, share=1.0)],
)
_STATION = station_bodies.StationAnswer(
    id="7d9c1f9e-5b0a-4f6e-9d3c-0d7b2f1f9a10",
    title="Portishead",
    kind=DEFAULT_KIND,
    adventure=0.5,
    seeds=[_BAND],
    marks={"hetrec:51:roads": "up"},
    tracks=[_TRACK],
)
_STATE = StationState(
    kind=DEFAULT_KIND, title="Portishead", seeds=(Source(id="hetrec:51:roads", because=_BAND),), seed=7
)
_PLAYLIST = "2f5c0a3e-8f4b-4d0e-b0a5-6a1f8f0d7c21"
_SEED = Seed(kind=FIRST_KIND, id="Portishead")
_FEEDBACK = FeedbackBody(sort="thumb", value=1, track=_ROADS)

_MODELS: tuple[BaseModel, ...] = (
    answers.Health(status="ok"),
    answers.Ready(status="ready", release=_RELEASE),
    answers.ActiveReleaseAnswer(
        release=_RELEASE,
        pinned=False,
        published_at=1_700_000_000_000,
        fingerprint="1f0c9a2b77de" + 52 * "0",
        code="0.1.0",
        rows={"catalogue": 88_000, f"discover-{DEFAULT_KIND}": 1_892},
        tables=[
            TableInfo(name=f"discover-{DEFAULT_KIND}", surface="discover", key="user", kind=DEFAULT_KIND, keys=1_892)
        ],
        parts=(f"{_MODEL}-{FIRST_KIND}", "catalogue"),
    ),
    answers.ItemAnswer(
        release=_RELEASE, item=Item(kind=FIRST_KIND, id="hetrec:51", name="Portishead", listeners=384, plays=9_210)
    ),
    answers.Found(
        release=_RELEASE,
        items={FIRST_KIND: (Item(kind=FIRST_KIND, id="hetrec:51", name="Portishead", listeners=384, plays=9_210),)},
        suggestions=(),
    ),
    answers.Terms(release=_RELEASE, item=_BAND, terms=[("trip hop", 0.31)]),
    answers.Listing(
        release=_RELEASE, surface="discover", key="ann", kind=DEFAULT_KIND, total=50, offset=0, entries=[_ENTRY]
    ),
    answers.Station(release=_RELEASE, key="hetrec:51", name="Portishead", kind=DEFAULT_KIND, seed=7, entries=[_ENTRY]),
    answers.WhyAnswer(
        release=_RELEASE,
        why=Why(
            user="ann",
            item=Named(kind=DEFAULT_KIND, id=_ENTRY.id, name=_ENTRY.name),
            parent=_OTHERS,
            model=_MODEL,
            outcome="shown",
            text="It is number 3 of your page, because you play Portishead.",
            place=3,
            page=50,
            rank=4,
            candidates=812,
            score=0.83,
            proposed_by=(_MODEL, "related"),
            reason=_REASON,
            evidence=(Evidence(kind=FIRST_KIND, id="hetrec:51", name="Portishead", plays=41, closeness=0.62),),
        ),
    ),
    ListensBody(listens=[ListenBody(listened_at=_BEGAN, track=_ROADS, ms_played=302_000, client="my player")]),
    live_bodies.Kept(received=1, added=1),
    live_bodies.Listens(
        total=1,
        listens=[
            live_bodies.ListenAnswer(
                id="5f3b0c9d2a114e7a", listened_at=_BEGAN, received_at=_ENDS, track=_KEPT_ROADS, skipped=False
            )
        ],
    ),
    live_bodies.Deleted(deleted=1),
    FeedbacksBody(feedback=[_FEEDBACK]),
    live_bodies.Feedbacks(
        feedback=[live_bodies.FeedbackAnswer(sort="thumb", value=1, track=_KEPT_ROADS, given_at=_BEGAN)]
    ),
    BlockBody(item=ItemBody(kind=FIRST_KIND, id="hetrec:89"), days=30),
    live_bodies.Blocks(
        blocks=[
            live_bodies.BlockAnswer(
                item=ItemBody(kind=FIRST_KIND, id="hetrec:89"),
                name="Lady Gaga",
                until=1_766_232_000_000,
                created_at=_BEGAN,
            )
        ]
    ),
    PlayingBody(track=_ROADS, player="kitchen"),
    live_bodies.Playing(
        playing=[live_bodies.PlayingAnswer(track=_KEPT_ROADS, player="kitchen", started_at=_BEGAN, ends_at=_ENDS)]
    ),
    ExclusionBody(hours=(22, 6), timezone="Europe/Berlin"),
    live_bodies.Exclusions(exclusions=[ExclusionBody(hours=(22, 6), timezone="Europe/Berlin")]),
    PrivateBody(minutes=90),
    live_bodies.Private(until=_ENDS),
    StartStation(seeds=[_SEED, Seed(kind="tag", id="trip hop")], adventure=0.7),
    StationSignal(action="up", item=_ENTRY.id),
    StateSignal(action="skip", item=_ENTRY.id, heard=4.5, state=msgspec.to_builtins(_STATE)),
    _STATION,
    station_bodies.StationsAnswer(stations=[_STATION]),
    station_bodies.WhyTrackAnswer(text=_TRACK.text, chance=0.04, because=_TRACK.because, nudges={"Roads": 1.4}),
    Queue(queue=["hetrec:51:roads"], count=5),
    station_bodies.NowPlayingAnswer(release=_RELEASE, kind=DEFAULT_KIND, tracks=[_TRACK]),
    MakePlaylist(title="Rainy days", seeds=[_SEED], length=25),
    EditPlaylist(title="Rainy days", tracks=[_ROADS]),
    ContinuePlaylist(include=[Seed(kind="tag", id="trip hop")], length=10),
    station_bodies.MadeAnswer(title="Rainy days", tracks=[_TRACK]),
    station_bodies.PlaylistAnswer(
        id=_PLAYLIST,
        title="Rainy days",
        sort="",
        tracks=[Track(item=ItemRef(DEFAULT_KIND, "hetrec:51:roads"), title="Roads", artist="Portishead")],
    ),
    station_bodies.PlaylistsAnswer(
        playlists=[
            station_bodies.PlaylistRow(
                id=_PLAYLIST, title="Rainy days", sort="", kind="track", tracks=25, changed_at=_BEGAN
            )
        ]
    ),
    station_bodies.ForgottenAnswer(
        tracks=[station_bodies.ForgottenTrack(id="hetrec:51:roads", name="Roads", plays=41, last=1_730_000_000)]
    ),
)

_FILES = {
    TYPES["jspf"]: '{"playlist": {"title": "Rainy days", "track": [{"title": "Roads", "creator": "Portishead"}]}}',
    TYPES["xspf"]: '<playlist version="1" xmlns="http://xspf.org/ns/0/"><title>Rainy days</title><trackList><track>'
    "<title>Roads</title><creator>Portishead</creator></track></trackList></playlist>",
    TYPES["m3u"]: "#EXTM3U\n#EXTINF:302,Portishead - Roads\nroads.mp3\n",
}
"""Playlist files by their media types."""


def add_examples(description: dict[str, Any]) -> None:
    """Add the examples to the schemas of an OpenAPI description."""
    for one in (*_MODELS, *WEB):
        # An application without a live state has not all of them.
        if schema := description["components"]["schemas"].get(type(one).__name__):
            schema["examples"] = [one.model_dump(mode="json", exclude_none=True)]
    for methods in description["paths"].values():
        for operation in methods.values():
            described = [operation.get("requestBody", {}), *operation["responses"].values()]
            for media, content in (pair for one in described for pair in one.get("content", {}).items()):
                if media in _FILES:
                    content["example"] = _FILES[media]
