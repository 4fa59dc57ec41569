"""Playlists that are made: from a title, tags or items, as the continuation of another, and of what was forgotten.

All are stations that nobody steers (`crossfade.live.stations`): they have no repeats, keep tracks of one artist apart,
and have a reason for each track.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from crossfade.core.errors import InputError, UnknownIdError
from crossfade.core.kinds import KINDS
from crossfade.formats import values
from crossfade.live import stations
from crossfade.live.pools import TAG, TEXT, ReleasePools
from crossfade.live.stations import ANYBODY, MOST_DRAWN, Drawn, Listener, Signal, Source, Station
from crossfade.live.taste import Played
from crossfade.stores.contract import Entry, Item, Named
from crossfade.stores.live import ItemRef, Playlist, Track
from crossfade.stores.live_contract import LiveState
from crossfade.surfaces.station import DEFAULTS, StationSettings, spaced

LOVED_PLAYS = 5
"""A track was loved that was played so often."""

FORGOTTEN_SECONDS = 60 * 86_400
"""It is forgotten if it was not played for so long."""

ABOUT_EXCLUDED = 500
"""Items that a tag excludes, those of which it says most."""

ALBUM_MARKS, PLAY_QUEUE, BOOKMARKS = "album-marks", "play-queue", "bookmarks"
"""Sorts of lists in which players keep what they need: stars of albums, what is playing, and places in songs."""

_PLAYERS_OWN = frozenset({ALBUM_MARKS, PLAY_QUEUE, BOOKMARKS})

Seeds = Sequence[tuple[str, str]]
"""Pairs of a kind of item, "tag" or "text", and an id, a name, or the words."""


def playlist_named(state: LiveState, playlist_id: str) -> Playlist:
    """Return the playlist of an id; UnknownIdError if there is none. What players keep for themselves is none."""
    found = state.playlist(playlist_id)
    if found.sort in _PLAYERS_OWN:
        raise UnknownIdError(f"There is no playlist {playlist_id!r}.")
    return found


def playlists_of(state: LiveState, user: str, sort: str | None = None) -> list[Playlist]:
    """Return the playlists of ``user``, of one sort or all, the last changed first; none that players keep."""
    return [one for one in state.playlists(user, sort) if one.sort not in _PLAYERS_OWN]


def generated(
    pools: ReleasePools,
    sources: Sequence[Source],
    length: int,
    *,
    listener: Listener = ANYBODY,
    heard: Sequence[Entry] = (),
    adventure: float = 0.5,
    seed: int = 0,
    settings: StationSettings = DEFAULTS,
) -> list[stations.Track]:
    """Return ``length`` tracks close to ``sources``, or as many as there are.

    heard  what comes before them, and is not repeated
    """
    drawn = tuple(
        Drawn(id=one.id, name=one.name, parent=one.parent.id if one.parent else None, at=0.0)
        for one in heard[-MOST_DRAWN:]
    )
    # A station remembers only so much of what came before.
    listener = replace(listener, barred={*listener.barred, *(one.id for one in heard[:-MOST_DRAWN])})
    state = Station(kind=pools.kind, title="", seeds=tuple(sources), adventure=adventure, seed=seed, drawn=drawn)
    return stations.next(state, Signal(at=0.0, count=length), pools, listener, settings).tracks


def continued(
    pools: ReleasePools,
    items: Iterable[ItemRef],
    length: int,
    *,
    include: Seeds = (),
    exclude: Seeds = (),
    listener: Listener = ANYBODY,
    adventure: float = 0.5,
    seed: int = 0,
    settings: StationSettings = DEFAULTS,
) -> list[stations.Track]:
    """Return ``length`` tracks that go on from the playlist of ``items``, of which it repeats none.

    include  what there should be more of; tracks are surely among the result
    exclude  items, artists and tags of which there is nothing

    Raises UnknownIdError for an item to include or exclude that the release does not have.
    """
    listed = list(items)
    heard = [entry_of(pools, item.id) for item in listed if item.kind == pools.kind]
    present = [one for one in heard if one is not None]
    sources = list(pools.sources_of(listed)) if listed else []
    wanted = list(pools.sources(include)) if include else []
    own = [one for kind, text in include if kind == pools.kind for one in [_named(pools, text)] if one not in present]
    # What is asked for counts as much as what is there already.
    parts = [part for part in (sources, wanted) if part]
    if not parts:
        raise InputError("A playlist is continued from its tracks, or from what to include.")
    shared = [replace(one, share=one.share / len(parts)) for part in parts for one in part]
    barred = {*listener.barred, *excluded(pools, exclude)}
    tracks = generated(
        pools,
        shared,
        max(0, length - len(own)),
        listener=replace(listener, barred=barred),
        heard=[*present, *own],
        adventure=adventure,
        seed=seed,
        settings=settings,
    )
    surely = [
        stations.Track(entry=one, parts=(stations.Part("seed", Named(kind=pools.kind, id=one.id, name=one.name), 1.0),))
        for one in own
    ]
    # Evenly among the others, so that they are not all at one end.
    for place, one in enumerate(surely[:length]):
        tracks.insert(place * (len(tracks) + 1) // len(surely), one)
    return tracks


def excluded(pools: ReleasePools, exclude: Seeds) -> set[str]:
    """Return the ids of what ``exclude`` leaves out; UnknownIdError for an item that the release does not have."""
    ids = set()
    for kind, text in exclude:
        if kind in (TAG, TEXT):
            for about in (pools.kind, KINDS[pools.kind].root):
                ids |= {one.id for one in pools.opened.about(text, about, ABOUT_EXCLUDED)}
        elif kind in KINDS:
            ids.add(pools.opened.release.tables.item(kind, text).id)
        else:
            raise InputError(f"What is left out is a kind of item, {TAG} or {TEXT}, not {kind!r}.")
    return ids


def forgotten(
    history: Iterable[Played], now: float, length: int, pools: ReleasePools, listener: Listener = ANYBODY
) -> list[tuple[Entry, Played]]:
    """Return up to ``length`` tracks that were loved and not played for long, the most loved first.

    now  in seconds since 1970; a track of which no time is known is not forgotten
    """
    loved = [one for one in history if one.plays >= LOVED_PLAYS and 0 < one.last <= now - FORGOTTEN_SECONDS]
    loved.sort(key=lambda one: (-one.plays, one.last, one.id))
    found: list[tuple[Entry, Played]] = []
    for one in loved[: 4 * length]:
        entry = entry_of(pools, one.id)
        if entry is not None and not listener.bars(entry):
            found.append((entry, one))
    return [found[place] for place in apart([entry for entry, _ in found])][:length]


def apart(entries: Sequence[Entry], settings: StationSettings = DEFAULTS) -> list[int]:
    """Return places of ``entries`` in their order, as far as that keeps those of one parent apart."""
    if not entries:
        return []
    names = [entry.parent.id if entry.parent else entry.id for entry in entries]
    numbers = np.unique(names, return_inverse=True)[1].astype(np.int64)
    return [int(place) for place in spaced(numbers, settings.apart)]


def entry_of(pools: ReleasePools, item_id: str) -> Entry | None:
    """Return an item of the pools' kind by its id; None if the release does not have it."""
    try:
        item = pools.opened.release.tables.item(pools.kind, item_id)
    except UnknownIdError:
        return None
    return _entry(item) if item.id == item_id else None


def as_track(pools: ReleasePools, entry: Entry) -> Track:
    """Return ``entry`` as the live state keeps it, with what the catalogue knows of it."""
    item = pools.opened.release.tables.item(pools.kind, entry.id)
    album, duration = item.fields.get("album"), item.fields.get("duration_ms")
    is_root = KINDS[pools.kind].parent is None
    return Track(
        item=ItemRef(pools.kind, entry.id),
        title=None if is_root else entry.name,
        artist=entry.name if is_root else entry.parent.name if entry.parent else None,
        album=str(album) if album else None,
        mbid=entry.id if is_mbid(entry.id) and not is_root else None,
        artist_mbids=(entry.parent.id,) if entry.parent and is_mbid(entry.parent.id) else (),
        duration_ms=int(duration) if duration else None,
    )


def is_mbid(text: str) -> bool:
    """Return whether an id is one of MusicBrainz."""
    return values.mbid(text) == text


def _named(pools: ReleasePools, text: str) -> Entry:
    return _entry(pools.opened.release.tables.item(pools.kind, text))


def _entry(item: Item) -> Entry:
    return Entry(id=item.id, name=item.name, parent=item.parent)
