"""A user's own playlists: made, continued, read from files and kept in the live state.

What is made in a private session is kept nowhere. Times are in milliseconds since 1970.
"""

import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import uuid4

from crossfade.core.errors import InputError, UnknownIdError
from crossfade.formats.playlist_files import read_playlist
from crossfade.live import stations
from crossfade.live.matching import matched
from crossfade.live.playlists import (
    Seeds,
    as_track,
    continued,
    excluded,
    forgotten,
    generated,
    playlist_named,
    playlists_of,
)
from crossfade.live.pools import PLAYLIST, TEXT, ReleasePools
from crossfade.live.stations import Source
from crossfade.live.taste import Played, tastes_of
from crossfade.live.weekly import RECIPES, current
from crossfade.stores.contract import Entry, Named, Tables
from crossfade.stores.live import ItemRef, Playlist, Track
from crossfade.stores.live_contract import LiveState
from crossfade.surfaces.asking import OpenRelease

LONGEST_TITLE = 200


@dataclass(frozen=True, kw_only=True)
class Made:
    """Tracks that were chosen; ``id`` is of the playlist that has them, None if it is not kept."""

    id: str | None
    title: str
    tracks: Sequence[stations.Track]


def listed(opened: OpenRelease, live: LiveState, user: str, *, at: int, sort: str | None = None) -> list[Playlist]:
    """Return the playlists of ``user``, of one sort or all, the lists of today among them."""
    wanted = RECIPES if sort is None else [sort] if sort in RECIPES else []
    current(opened, live, user, at=at, sorts=wanted)
    return playlists_of(live, user, sort)


def readable(live: LiveState, user: str, playlist_id: str) -> Playlist:
    """Return a playlist of ``user``, or a public one; UnknownIdError for that of another, as for one that is not."""
    playlist = playlist_named(live, playlist_id)
    if playlist.user != user and not playlist.public:
        raise UnknownIdError(f"There is no playlist {playlist_id!r}.")
    return playlist


def read(tables: Tables | None, live: LiveState, user: str, content: bytes, *, at: int) -> tuple[Playlist, int]:
    """Keep a playlist from the bytes of a file, and return it, and how many entries do not say which track they are.

    Tracks get the items of the catalogue that they are; without ``tables`` they are matched when they are used.
    """
    title, tracks, dropped = read_playlist(content)
    return live.put_playlist(_new(user, title or "Playlist", _matched(tables, tracks), at)), dropped


def edit(
    tables: Tables | None,
    live: LiveState,
    user: str,
    playlist_id: str,
    *,
    at: int,
    title: str | None = None,
    tracks: Sequence[Track] | None = None,
) -> Playlist:
    """Change a playlist of ``user``, and return it; what is None stays. UnknownIdError for that of another."""
    playlist = _own(live, user, playlist_id)
    tracks = playlist.tracks if tracks is None else _matched(tables, tracks)
    return live.put_playlist(replace(playlist, title=title or playlist.title, tracks=tuple(tracks), changed_at=at))


def make(
    opened: OpenRelease,
    live: LiveState,
    user: str,
    seeds: Seeds,
    *,
    at: int,
    title: str | None = None,
    exclude: Seeds = (),
    kind: str | None = None,
    length: int = 25,
    adventure: float = 0.5,
    seed: int | None = None,
    keep: bool = False,
) -> Made:
    """Make a playlist of ``length`` tracks from ``seeds``, or from its title, which says then what to play."""
    if not seeds and title is None:
        raise InputError("A playlist is made from seeds or a title.")
    seeds = seeds or [(TEXT, title or "")]
    pools = ReleasePools(opened, kind)
    listener = tastes_of(opened, live).listener(user, at=at)
    tracks = generated(
        pools,
        seed_sources(pools, live, user, seeds),
        length,
        listener=replace(listener, barred={*listener.barred, *excluded(pools, exclude)}),
        adventure=adventure,
        seed=drawn_by(seed),
    )
    title = (title or " + ".join(dict.fromkeys(name for _, name in seeds)))[:LONGEST_TITLE]
    if not keep or live.private_until(user, at=at) is not None:
        return Made(id=None, title=title, tracks=tracks)
    reasons = {one.entry.id: one.text for one in tracks}
    kept = live.put_playlist(_new(user, title, [as_track(pools, one.entry) for one in tracks], at, reasons))
    return Made(id=kept.id, title=title, tracks=tracks)


def go_on(
    opened: OpenRelease,
    live: LiveState,
    user: str,
    playlist_id: str,
    *,
    at: int,
    include: Seeds = (),
    exclude: Seeds = (),
    length: int = 25,
    adventure: float = 0.5,
    seed: int | None = None,
    keep: bool = False,
) -> Made:
    """Continue a playlist by ``length`` tracks, and add them to it if ``keep`` says so, and it is the user's own."""
    playlist = readable(live, user, playlist_id)
    pools = ReleasePools(opened)
    tracks = continued(
        pools,
        _items(opened, playlist),
        length,
        include=include,
        exclude=exclude,
        listener=tastes_of(opened, live).listener(user, at=at),
        adventure=adventure,
        seed=drawn_by(seed),
    )
    if keep and live.private_until(user, at=at) is None:
        playlist = _own(live, user, playlist_id)
        longer = (*playlist.tracks, *(as_track(pools, one.entry) for one in tracks))
        live.put_playlist(replace(playlist, tracks=longer, changed_at=at))
    return Made(id=playlist.id, title=playlist.title, tracks=tracks)


def forgotten_by(opened: OpenRelease, live: LiveState, user: str, limit: int, *, at: int) -> list[tuple[Entry, Played]]:
    """Return what ``user`` has loved and forgotten, the most loved first."""
    pools, tastes = ReleasePools(opened), tastes_of(opened, live)
    return forgotten(tastes.history(user)[pools.kind].values(), at / 1000, limit, pools, tastes.listener(user, at=at))


def seed_sources(pools: ReleasePools, live: LiveState, user: str, seeds: Seeds) -> tuple[Source, ...]:
    """Return what ``seeds`` stand for; UnknownIdError for one that ``user`` does not have, or the release."""
    return pools.shared(
        [
            _of_playlist(pools, readable(live, user, text)) if kind == PLAYLIST else pools.of_seed(kind, text)
            for kind, text in seeds
        ]
    )


def drawn_by(seed: int | None) -> int:
    """Return the seed of the draws, a new one if there is none; one that JSON can hold anywhere."""
    return secrets.randbelow(2**53) if seed is None else seed


def _own(live: LiveState, user: str, playlist_id: str) -> Playlist:
    playlist = playlist_named(live, playlist_id)
    if playlist.user != user:
        raise UnknownIdError(f"{user} has no playlist {playlist_id!r}.")
    return playlist


def _matched(tables: Tables | None, tracks: Iterable[Track]) -> tuple[Track, ...]:
    return tuple(track if tables is None else matched(tables, track) for track in tracks)


def _of_playlist(pools: ReleasePools, playlist: Playlist) -> list[Source]:
    because = Named(kind=PLAYLIST, id=playlist.id, name=playlist.title)
    return pools.of_items(_items(pools.opened, playlist), because)


def _items(opened: OpenRelease, playlist: Playlist) -> list[ItemRef]:
    items = [matched(opened.release.tables, track).item for track in playlist.tracks]
    return [item for item in items if item is not None]


def _new(user: str, title: str, tracks: Sequence[Track], at: int, reasons: Mapping[str, str] | None = None) -> Playlist:
    info = {"reasons": reasons} if reasons else {}
    return Playlist(
        id=str(uuid4()), user=user, title=title, tracks=tuple(tracks), info=info, created_at=at, changed_at=at
    )
