"""A user's own stations: started, steered, and kept in the live state.

One of a private session is kept nowhere, nor is one that is started with ``keep`` false: who asked has its state, and
hands it back with the next signal. Times are in milliseconds since 1970, those of signals in seconds.
"""

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

import msgspec

from crossfade.live import station_why, stations
from crossfade.live.own_playlists import drawn_by, seed_sources
from crossfade.live.playlists import Seeds, entry_of
from crossfade.live.pools import ReleasePools
from crossfade.live.stations import Signal, Station
from crossfade.live.taste import tastes_of
from crossfade.stores.live import ChangedError, Feedback, ItemRef, Track
from crossfade.stores.live import Station as Kept
from crossfade.stores.live_contract import LiveState
from crossfade.surfaces.asking import OpenRelease
from crossfade.surfaces.station import DEFAULTS, StationSettings

RETRIES = 5
"""Of a signal that another one came before."""

LONGEST_NAME = 1_000

_THUMBS = {"up": 1, "down": -1, "undo": 0}


@dataclass(frozen=True, kw_only=True)
class Going:
    """A station that goes on: ``id`` is None if it is not kept, ``tracks`` are what it plays next."""

    id: str | None
    state: Station
    tracks: Sequence[stations.Track] = ()


def start(
    opened: OpenRelease,
    live: LiveState,
    user: str,
    seeds: Seeds,
    *,
    at: int,
    title: str | None = None,
    kind: str | None = None,
    adventure: float = 0.5,
    seed: int | None = None,
    count: int = 10,
    keep: bool = True,
    settings: StationSettings = DEFAULTS,
) -> Going:
    """Start a station from ``seeds``, which share alike; by default its title names the first three."""
    pools = ReleasePools(opened, kind)
    sources = seed_sources(pools, live, user, seeds)
    names = list(dict.fromkeys(one.because.name for one in sources))
    state = Station(
        kind=pools.kind,
        title=title or " + ".join([*names[:3], *(["…"] if len(names) > 3 else [])]),
        seeds=sources,
        adventure=adventure,
        seed=drawn_by(seed),
    )
    going = go_on(opened, live, user, state, Signal(at=at / 1000, count=count), settings)
    if not keep or live.private_until(user, at=at) is not None:
        return going
    plain = plain_of(going.state)
    kept = Kept(id=str(uuid4()), user=user, name=state.title[:LONGEST_NAME], state=plain, created_at=at, changed_at=at)
    return replace(going, id=live.put_station(kept).id)


def go_on(
    opened: OpenRelease,
    live: LiveState,
    user: str,
    state: Station,
    signal: Signal,
    settings: StationSettings = DEFAULTS,
) -> Going:
    """Return the station after ``signal``, kept nowhere; a thumb counts for the user's taste too."""
    at = int(signal.at * 1000)
    pools = ReleasePools(opened, state.kind)
    after, tracks = stations.next(state, signal, pools, tastes_of(opened, live).listener(user, at=at), settings)
    thumb = _THUMBS.get(signal.action or "")
    entry = None if signal.item is None else entry_of(pools, signal.item)
    if thumb is not None and entry is not None:
        artist = entry.parent.name if entry.parent else None
        track = Track(item=ItemRef(state.kind, entry.id), title=entry.name, artist=artist)
        live.give([Feedback(user=user, sort="thumb", value=thumb, track=track, given_at=at)])
    return Going(id=None, state=after, tracks=tracks)


def steer(
    opened: OpenRelease,
    live: LiveState,
    user: str,
    station_id: str,
    signal: Signal,
    settings: StationSettings = DEFAULTS,
) -> Going:
    """Hand ``signal`` to a station that is kept, and keep what it becomes, but in a private session."""
    at = int(signal.at * 1000)
    for _ in range(RETRIES):
        kept = live.station(user, station_id)
        going = go_on(opened, live, user, state_of(kept.state), signal, settings)
        if live.private_until(user, at=at) is not None:
            return going
        # Where another signal came in between, this one is handed to the state after it.
        with contextlib.suppress(ChangedError):
            live.put_station(replace(kept, state=plain_of(going.state), changed_at=at))
            return replace(going, id=kept.id)
    raise ChangedError("Others steer this station at the same time. Try again.")


def why(
    opened: OpenRelease,
    live: LiveState,
    user: str,
    station_id: str,
    item: str,
    *,
    at: int,
    settings: StationSettings = DEFAULTS,
) -> station_why.WhyTrack:
    """Return why a station that is kept plays a track, by its id, or why not."""
    state = state_of(live.station(user, station_id).state)
    listener = tastes_of(opened, live).listener(user, at=at)
    return station_why.why(state, item, at / 1000, ReleasePools(opened, state.kind), listener, settings)


def plain_of(state: Station) -> dict[str, Any]:
    """Return ``state`` as the live state keeps it, of what JSON has; `state_of` reads it."""
    plain: dict[str, Any] = msgspec.to_builtins(state)
    return plain


def state_of(plain: Mapping[str, object]) -> Station:
    """Return the state that `plain_of` wrote; ArtifactError for anything else."""
    return Station.from_json(msgspec.json.encode(plain))
