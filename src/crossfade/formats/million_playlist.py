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
from crossfade.formats.contract import Member, Sink, Source
from crossfade.formats.json_records import json_records
from crossfade.formats.playlist_entries import Entry, put_entry
from crossfade.formats.shapes import head_text

_PLAYLISTS = re.compile(r'"playlists"\s*:\s*\[')
_PID = re.compile(r'"pid"\s*:\s*\d+')


class MillionPlaylist:
    """Every playlist with its tracks, each of which counts as one play by the playlist."""

    name = "million-playlist"
    title = "Million Playlist Dataset"

    def recognise(self, member: Member) -> float:
        """1 by playlists that have a pid and tracks with Spotify's addresses."""
        head = head_text(member)
        if not head.lstrip().startswith("{") or not _PLAYLISTS.search(head):
            return 0.0
        return 1.0 if _PID.search(head) else 0.0

    def read(self, source: Source, sink: Sink) -> None:
        """The playlists in the order of the files; a row's number is its playlist's place in its file."""
        for member in source.members:
            with source.open(member) as file:
                for number, playlist in json_records(file, ("playlists",), member.name):
                    _put(sink, (member, number), playlist)


def _put(sink: Sink, place: tuple[Member, int], playlist: Any) -> None:
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
        entry = Entry(
            artist=values.text(track.get("artist_name")),
            title=values.text(track.get("track_name")),
            album=values.text(track.get("album_name")),
            track_ms=values.milliseconds(track.get("duration_ms")),
            artist_id=values.text(track.get("artist_uri")),
            track_id=values.text(track.get("track_uri")),
        )
        put_entry(sink, place, playlist_id, _position(track, order), entry)


def _position(track: dict[str, Any], order: int) -> int:
    """Where the track says that it stands; the challenge's playlists have gaps. Else its place in the list."""
    said = track.get("pos")
    return said if isinstance(said, int) and 0 <= said < 2**31 else order
