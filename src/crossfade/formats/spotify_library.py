"""What Spotify's account data has beside the streaming history: the library and the playlists.

``YourLibrary.json`` is one object of lists. Liked tracks and followed artists are thumbs up, banned ones thumbs down:

    {"tracks": [{"artist": …, "album": …, "track": …, "uri": "spotify:track:…"}], "bannedTracks": […],
     "artists": [{"name": …, "uri": "spotify:artist:…"}], "bannedArtists": […], "albums": […], "shows": […], …}

``Playlist1.json`` has the playlists, without ids or owners:

    {"playlists": [{"name": …, "numberOfFollowers": 0, "items": [{"addedDate": …, "episode": null, "localTrack": null,
        "track": {"trackName": …, "artistName": …, "albumName": …, "trackUri": "spotify:track:…"}}, …]}, …]}

A local track has only an address, of its artist, album, title and seconds. The id of a playlist is made from its user
and its name, so that a newer export replaces it.
"""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote_plus

from crossfade.core.names import named_id
from crossfade.formats import values
from crossfade.formats.contract import Member, Place, Sink, Source
from crossfade.formats.json_records import json_records
from crossfade.formats.playlist_entries import put_entry
from crossfade.formats.shapes import head_text

_PLAYLISTS = re.compile(r'\{\s*"playlists"\s*:\s*\[')
_LIBRARY = re.compile(r'\{\s*"tracks"\s*:\s*\[')
_URI = re.compile(r'"(?:trackUri|lastModifiedDate|uri)"\s*:\s*"')
_THUMBS = {"tracks": 1, "bannedTracks": -1, "artists": 1, "bannedArtists": -1}
"""The lists of the library that are read, and the score of what is in them."""


class SpotifyLibrary:
    """Thumbs of the default user, and playlists."""

    name = "spotify-library"
    title = "Spotify library and playlists (account data)"

    def recognise(self, member: Member) -> float:
        """1 by the outermost keys."""
        head = head_text(member).lstrip()
        if _PLAYLISTS.match(head):
            return 1.0 if '"items"' in head and _URI.search(head) else 0.0
        return 1.0 if _LIBRARY.match(head) and ('"spotify:' in head or '"bannedTracks"' in head) else 0.0

    def read(self, source: Source, sink: Sink) -> None:
        """The number of an entry's row is that of its playlist in the file; a thumb is no row of its own."""
        for member in source.members:
            if _PLAYLISTS.match(head_text(member).lstrip()):
                taken: dict[str, int] = {}
                with source.open(member) as file:
                    for number, playlist in json_records(file, ("playlists",), member.name):
                        _put_playlist(sink, (member, number), playlist, taken)
            else:
                for part, score in _THUMBS.items():
                    with source.open(member) as file:
                        for _, thing in json_records(file, (part,), member.name):
                            _put_thumb(sink, thing, score)


def _put_thumb(sink: Sink, thing: Any, score: int) -> None:
    if not isinstance(thing, dict) or not (uri := values.text(thing.get("uri"))):
        return
    artist = values.text(thing.get("artist"))
    if title := values.text(thing.get("track")):
        artist_id = named_id(artist) if artist else None
        if artist and artist_id:
            sink.item("artist", artist_id, artist)
        sink.item("track", uri, title, parent_id=artist_id, album=values.text(thing.get("album")))
        sink.feedback(None, uri, score)
    elif name := values.text(thing.get("name")):
        # The histories name artists without their ids.
        sink.item("artist", named_id(name), name)
        sink.feedback(None, named_id(name), score, kind="artist")


def _put_playlist(sink: Sink, place: Place, playlist: Any, taken: dict[str, int]) -> None:
    items = playlist.get("items") if isinstance(playlist, dict) else None
    if not isinstance(items, list):
        sink.drop(place, "malformed", "a playlist has no list of items")
        return
    title = values.text(playlist.get("name")) or ""
    taken[title] = taken.get(title, 0) + 1
    again = f" ({taken[title]})" if taken[title] > 1 else ""
    playlist_id = f"spotify-library:{sink.default_user}/{title}{again}"
    followers = values.number(playlist.get("numberOfFollowers"))
    sink.playlist(playlist_id, title, followers=None if followers is None else int(followers))
    for position, item in enumerate(items):
        track = item.get("track") if isinstance(item, dict) else None
        local = item.get("localTrack") if isinstance(item, dict) else None
        if isinstance(track, dict):
            put_entry(sink, place, playlist_id, position, **_described(track))
        elif isinstance(local, dict):
            put_entry(sink, place, playlist_id, position, **_described_locally(local))
        else:
            sink.drop(place, "unsupported", "an entry of a playlist that is not a track")


def _described(track: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of `put_entry` for a track of Spotify's."""
    names = {"artist": "artistName", "title": "trackName", "track_id": "trackUri", "album": "albumName"}
    return {ours: values.text(track.get(theirs)) for ours, theirs in names.items()}


def _described_locally(local: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of `put_entry` for a file of the user's, "spotify:local:Artist:Album:Title:258"."""
    parts = str(local.get("uri")).removeprefix("spotify:local:").split(":")
    if len(parts) != 4:
        return {}
    artist, album, title, seconds = (values.text(unquote_plus(part)) for part in parts)
    return {
        "artist": artist,
        "title": title,
        "album": album,
        "duration_ms": values.milliseconds(seconds, per_unit=1000),
    }
