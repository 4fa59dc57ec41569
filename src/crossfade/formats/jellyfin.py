"""The databases of a Jellyfin server: its folder ``data``, or the files of it that matter.

    jellyfin.db             Users (Id, InternalId, Username), and since version 10.11
                            BaseItems (Id, Type, Name, Artists "A|B", Album, RunTimeTicks, Path, Data)
                            BaseItemProviders (ItemId, ProviderId, ProviderValue)
                            UserData (UserId, ItemId, PlayCount, LastPlayedDate, IsFavorite, Rating 0 to 10, Likes)
                            LinkedChildren (ParentId, ChildId, SortOrder), for playlists, since version 10.12
    library.db              before 10.11: TypedBaseItems (guid, UserDataKey, …), UserDatas (key, userId: InternalId, …)
    playback_reporting.db   the plugin Playback Reporting: PlaybackActivity (DateCreated, UserId, ItemId, ItemType,
                            PlayDuration in seconds, ClientName), one row a play

Only the plugin knows when each play was. Plays that it has not are counts, the last of them a listen where none of the
track's plays has a time otherwise. A favourite or a like is a thumb up, a dislike (a rating under 6.5) a thumb down.
Films, episodes and books are left out, users keep their names.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import msgspec

from crossfade.core.names import named_id
from crossfade.formats import sqlite_files, values
from crossfade.formats.contract import Member, Place, Sink, Source
from crossfade.formats.library_items import LibraryTrack, put_entries, put_plays
from crossfade.formats.sqlite_files import Database

_FILES = ("jellyfin.db", "library.db", "playback_reporting.db")
_TABLES = ((b"BaseItems", b"UserData"), (b"TypedBaseItems", b"UserDatas"), (b"PlaybackActivity", b"PlayDuration"))
_TRACK = "MediaBrowser.Controller.Entities.Audio.Audio"
_ARTIST = "MediaBrowser.Controller.Entities.Audio.MusicArtist"
_PLAYLIST = "MediaBrowser.Controller.Playlists.Playlist"
_LIKED = 6.5  # of 10: from here on Jellyfin takes a rating for a like
_TICKS = 1 / 10_000  # milliseconds


class Jellyfin:
    """Listens, counts, thumbs and playlists of all users."""

    name = "jellyfin"
    title = "Jellyfin's databases"

    def recognise(self, member: Member) -> float:
        """1 for a database with the tables of a Jellyfin server, 0.9 by its name."""
        return sqlite_files.recognised(member, _FILES, _TABLES)

    def read(self, source: Source, sink: Sink) -> None:
        """The number of a row is that in its table; counts come last, with the number of the user's row."""
        server = _Server(sink)
        try:
            # By name, so that users and items are known before the plays of the plugin.
            for member in sqlite_files.databases(source.members):
                with sqlite_files.opened(source, member) as database:
                    server.take(database, member)
                    server.put_activity(database, member)
                    server.put_playlists(database, member)
        finally:
            server.put_counts()  # what was read before damage is good


@dataclass
class _Used:
    """What one user did with one item, by all rows about the two."""

    place: Place
    plays: int = 0
    played: float | None = None
    score: int = 0


class _Server:
    """What the databases have told so far; items and users by `_key`."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._users: dict[str, str] = {}
        self._internals: dict[Any, str] = {}
        self._tracks: dict[str, LibraryTrack] = {}
        self._artists: dict[str, str] = {}
        self._others: set[str] = set()
        self._paths: dict[str, str] = {}
        self._playlists: list[tuple[Place, str, str, dict[str, Any]]] = []
        self._used: dict[tuple[str, str], _Used] = {}
        self._timed: Counter[tuple[str, str]] = Counter()

    def take(self, database: Database, member: Member) -> None:
        """Take users, items, and what users did with them."""
        internals = self._internals
        for key, internal, name in database.rows("Users", "Id", "InternalId", "Username"):
            if text := values.text(name):
                self._users[_key(key)] = text
                internals[internal] = _key(key)
        mbids: dict[str, dict[str, str]] = {}
        for key, provider, value in database.rows("BaseItemProviders", "ItemId", "ProviderId", "ProviderValue"):
            if provider in ("MusicBrainzRecording", "MusicBrainzArtist") and (mbid := values.mbid(value)):
                mbids.setdefault(_key(key), {})[provider] = mbid
        described = ("Type", "Name", "Artists", "Album", "RunTimeTicks", "Path", "Data")
        for number, (key, *about) in enumerate(database.rows("BaseItems", "Id", *described), start=1):
            self._take_item((member, number), _key(key), about, mbids.get(_key(key), {}))
        keys: dict[Any, str] = {}
        described = ("type", *described[1:-1], "data")
        for number, (key, data_key, *about) in enumerate(
            database.rows("TypedBaseItems", "guid", "UserDataKey", *described), start=1
        ):
            keys[data_key] = _key(key)
            self._take_item((member, number), _key(key), about, {})
        used = ("PlayCount", "LastPlayedDate", "IsFavorite", "Rating", "Likes")
        for number, (user, key, *did) in enumerate(database.rows("UserData", "UserId", "ItemId", *used), start=1):
            self._take_use((member, number), _key(user), _key(key), did)
        used = ("playCount", "lastPlayedDate", "isFavorite", "rating", "likes")
        for number, (user, data_key, *did) in enumerate(database.rows("UserDatas", "userId", "key", *used), start=1):
            if data_key in keys:
                self._take_use((member, number), internals.get(user, ""), keys[data_key], did)

    def put_activity(self, database: Database, member: Member) -> None:
        """Hand over the plays that the plugin recorded."""
        columns = ("DateCreated", "UserId", "ItemId", "ItemType", "PlayDuration", "ClientName")
        for number, (time, user, key, kind, seconds, client) in enumerate(
            database.rows("PlaybackActivity", *columns), start=1
        ):
            place, user, key = (member, number), _key(user), _key(key)
            listened_at = values.time(time)
            if kind != "Audio":
                self._sink.drop(place, "unsupported", "a film, an episode or another item that is not music")
            elif listened_at is None:
                self._sink.drop(place, "malformed", "the time cannot be read")
            else:
                self._timed[user, key] += 1
                put_plays(
                    self._sink,
                    place,
                    self._users.get(user),
                    self._tracks.get(key),
                    listened_at=listened_at,
                    ms_played=values.played(seconds, per_unit=1000),
                    platform=values.text(client),
                )

    def put_counts(self) -> None:
        """Hand over plays that were counted, and thumbs."""
        for (user_key, key), used in self._used.items():
            user, track = self._users.get(user_key), self._tracks.get(key)
            timed = self._timed[user_key, key]
            if key in self._others:
                if used.plays:
                    self._sink.drop(used.place, "unsupported", "a film, an episode or another item that is not music")
            elif key not in self._artists:
                listened_at = None if timed else used.played
                put_plays(self._sink, used.place, user, track, plays=used.plays - timed, listened_at=listened_at)
            if not used.score or user is None:
                continue
            if track is not None and track.put(self._sink):
                self._sink.feedback(user, track.track_id, used.score)
            elif key in self._artists:
                artist = self._artists[key]
                self._sink.item("artist", named_id(artist), artist)
                self._sink.feedback(user, named_id(artist), used.score, kind="artist")

    def put_playlists(self, database: Database, member: Member) -> None:
        """Hand over the playlists of ``database``, with their tracks in order."""
        linked: dict[str, list[tuple[float, str]]] = {}
        for parent, child, order in database.rows("LinkedChildren", "ParentId", "ChildId", "SortOrder"):
            linked.setdefault(_key(parent), []).append((values.number(order) or 0.0, _key(child)))
        for place, key, title, data in self._playlists:
            playlist_id = f"jellyfin:{key}"
            self._sink.playlist(playlist_id, title, owner=self._users.get(_key(data.get("OwnerUserId"))))
            children = [child for _, child in sorted(linked[key])] if key in linked else self._children(data)
            put_entries(self._sink, playlist_id, ((place, self._tracks.get(child)) for child in children))
        self._playlists.clear()

    def _children(self, data: dict[str, Any]) -> Iterator[str]:
        """Yield the items of a playlist that its own data names, by their id or their path."""
        children = data.get("LinkedChildren")
        for child in children if isinstance(children, list) else ():
            if isinstance(child, dict):
                key = _key(child.get("ItemId") or child.get("LibraryItemId"))
                yield key if key in self._tracks else self._paths.get(str(child.get("Path")), "")

    def _take_item(self, place: Place, key: str, about: list[Any], mbids: dict[str, str]) -> None:
        kind, name, artists, album, ticks, path, data = about
        if kind == _TRACK:
            named = [text for one in str(artists or "").split("|") if (text := one.strip())]
            self._tracks[key] = LibraryTrack.named(
                values.text(name),
                named[0] if named else None,
                track_id=mbids.get("MusicBrainzRecording"),
                # An identifier of one of several artists may be that of another than the first.
                artist_id=mbids.get("MusicBrainzArtist") if len(named) == 1 else None,
                album=values.text(album),
                duration_ms=values.milliseconds(ticks, per_unit=_TICKS),
            )
            if isinstance(path, str):
                self._paths[path] = key
        elif kind == _ARTIST:
            if artist := values.text(name):
                self._artists[key] = artist
        elif kind == _PLAYLIST:
            self._playlists.append((place, key, values.text(name) or "", _object(data)))
        else:
            self._others.add(key)

    def _take_use(self, place: Place, user: str, key: str, did: list[Any]) -> None:
        plays, played, favourite, rating, likes = did
        used = self._used.setdefault((user, key), _Used(place))
        # An item that was moved has several rows, which repeat what was counted.
        used.plays = max(used.plays, int(values.number(plays) or 0))
        time = values.time(played)
        used.played = time if used.played is None else max(used.played, time or used.played)
        rated, liked = values.number(rating), values.truth(likes)
        if liked is None and rated is not None:
            liked = rated >= _LIKED
        used.score = 1 if favourite or liked else used.score or (-1 if liked is False else 0)


def _key(value: Any) -> str:
    """Return an identifier in the one form that all tables share: 32 hexadecimal digits."""
    if isinstance(value, bytes) and len(value) == 16:
        return UUID(bytes_le=value).hex
    return str(value).replace("-", "").lower()


def _object(data: Any) -> dict[str, Any]:
    """Return the object that a text or bytes of JSON is; empty if it is none."""
    try:
        value = msgspec.json.decode(data) if isinstance(data, str | bytes) else None
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
