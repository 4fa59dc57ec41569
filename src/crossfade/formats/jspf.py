"""JSPF playlists, as ListenBrainz and others write them.

    {"playlist": {"title": …, "creator": …, "identifier": "https://listenbrainz.org/playlist/…", "track": [
        {"identifier": ["https://musicbrainz.org/recording/…"], "title": …, "creator": …, "album": …,
         "duration": 215000, "extension": {…}}, …]}}

ListenBrainz's API answers with several, as {"playlists": [{"playlist": {…}}, …]}; those are read too. A
track's identifier may be a text or a list of them. https://www.xspf.org/jspf
"""

import re
from pathlib import PurePosixPath
from typing import Any

from crossfade.formats import values
from crossfade.formats.contract import Member, Place, Sink, Source
from crossfade.formats.json_records import json_rows
from crossfade.formats.playlist_entries import file_playlist_id, put_entry
from crossfade.formats.shapes import head_text

_PLAYLIST = re.compile(r'"playlist"\s*:\s*\{')
_TRACK = re.compile(r'"track"\s*:\s*\[')
_TRACK_EXTENSION = "https://musicbrainz.org/doc/jspf#track"


class Jspf:
    """Every playlist with its tracks."""

    name = "jspf"
    title = "JSPF playlist"

    def recognise(self, member: Member) -> float:
        """0.95 for a playlist with tracks."""
        head = head_text(member)
        if not head.lstrip().startswith("{") or not _PLAYLIST.search(head):
            return 0.0
        return 0.95 if _TRACK.search(head) or member.relative.suffix.lower() == ".jspf" else 0.0

    def read(self, source: Source, sink: Sink) -> None:
        """The playlists in file order; the number of a row is that of its playlist in the file."""
        for place, playlist in json_rows(source, ("playlists", "playlist")):
            _put(sink, place, playlist)


def _put(sink: Sink, place: Place, playlist: Any) -> None:
    member, number = place
    tracks = playlist.get("track") if isinstance(playlist, dict) else None
    if not isinstance(tracks, list):
        sink.drop(place, "malformed", "a playlist has no list of tracks")
        return
    fallback = file_playlist_id("jspf", member) + (f":{number}" if number > 1 else "")
    playlist_id = values.text(playlist.get("identifier")) or fallback
    sink.playlist(
        playlist_id,
        values.text(playlist.get("title")) or PurePosixPath(member.relative).stem,
        owner=values.text(playlist.get("creator")),
    )
    for position, track in enumerate(tracks):
        if isinstance(track, dict):
            _put_track(sink, place, playlist_id, position, track)
        else:
            sink.drop(place, "malformed", "a track is not an object")


def _put_track(sink: Sink, place: Place, playlist_id: str, position: int, track: dict[str, Any]) -> None:
    artists = _artist_ids(track)
    put_entry(
        sink,
        place,
        playlist_id,
        position,
        artist=values.text(track.get("creator")),
        title=values.text(track.get("title")),
        # The name of a credit to several artists is not that of the first, so the first identifier does not fit it.
        artist_id=artists[0] if len(artists) == 1 else None,
        track_id=next(filter(None, map(values.recording_in, _listed(track.get("identifier")))), None),
        album=values.text(track.get("album")),
        duration_ms=values.milliseconds(track.get("duration")),
    )


def _artist_ids(track: dict[str, Any]) -> list[str]:
    extensions = track.get("extension")
    parts = _listed(extensions.get(_TRACK_EXTENSION)) if isinstance(extensions, dict) else []
    addresses = [
        address for part in parts if isinstance(part, dict) for address in _listed(part.get("artist_identifiers"))
    ]
    return [mbid for address in addresses if (mbid := values.artist_in(address))]


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]
