"""The Million Playlist Dataset, ``mpd.slice.*.json``.

    {"info": {…}, "playlists": [{"name": …, "pid": …, "num_followers": …, "collaborative": "false", "tracks":
        [{"pos": 0, "artist_name": …, "track_uri": "spotify:track:…", "artist_uri": "spotify:artist:…",
          "track_name": …, "album_uri": …, "duration_ms": …, "album_name": …}, …]}, …]}

Playlists without a name (the challenge set has some) have an empty title.

Chen, Lamere, Schedl & Zamani, "RecSys Challenge 2018: Automatic Music Playlist Continuation", RecSys 2018.
"""

import re
from typing import Any

from crossfade.formats import values
from crossfade.formats.contract import Member, Place, Sink, Source
from crossfade.formats.json_records import json_rows
from crossfade.formats.playlist_entries import put_entry
from crossfade.formats.shapes import head_text

_PLAYLISTS = re.compile(r'"playlists"\s*:\s*\[')
_PID = re.compile(r'"pid"\s*:\s*\d+')


class MillionPlaylist:
    """Every playlist with its tracks."""

    name = "million-playlist"
    title = "Million Playlist Dataset"

    def recognise(self, member: Member) -> float:
        """1 by playlists with a pid."""
        head = head_text(member)
        if not head.lstrip().startswith("{") or not _PLAYLISTS.search(head):
            return 0.0
        return 1.0 if _PID.search(head) else 0.0

    def read(self, source: Source, sink: Sink) -> None:
        """The playlists in file order; the number of a row is that of its playlist in the file."""
        for place, playlist in json_rows(source, ("playlists",)):
            _put(sink, place, playlist)


def _put(sink: Sink, place: Place, playlist: Any) -> None:
    tracks = playlist.get("tracks") if isinstance(playlist, dict) else None
    if not isinstance(tracks, list) or not isinstance(playlist.get("pid"), int):
        sink.drop(place, "malformed", "a playlist has no pid or no tracks")
        return
    playlist_id = f"mpd:{playlist['pid']}"
    followers = values.number(playlist.get("num_followers"))
    sink.playlist(
        playlist_id,
        values.text(playlist.get("name")) or "",
        followers=None if followers is None else int(followers),
    )
    for order, track in enumerate(tracks):
        if not isinstance(track, dict):
            sink.drop(place, "malformed", "a track is not an object")
            continue
        put_entry(
            sink,
            place,
            playlist_id,
            _position(track, order),
            artist=values.text(track.get("artist_name")),
            title=values.text(track.get("track_name")),
            artist_id=values.text(track.get("artist_uri")),
            track_id=values.text(track.get("track_uri")),
            album=values.text(track.get("album_name")),
            duration_ms=values.milliseconds(track.get("duration_ms")),
        )


def _position(track: dict[str, Any], order: int) -> int:
    """Return the track's own position, since the challenge's playlists have gaps; else its place in the list."""
    position = track.get("pos")
    return position if isinstance(position, int) and 0 <= position < 2**31 else order
