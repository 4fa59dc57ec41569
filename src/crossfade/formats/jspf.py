"""JSPF playlists, as ListenBrainz and others write them.

    {"playlist": {"title": …, "creator": …, "identifier": "https://listenbrainz.org/playlist/…", "track": [
        {"identifier": ["https://musicbrainz.org/recording/…"], "title": …, "creator": …, "album": …,
         "duration": 215000, "extension": {…}}, …]}}

ListenBrainz's own answers hold several, as {"playlists": [{"playlist": {…}}, …]}; those are read too. A
track's identifier may be a text or a list of them. https://www.xspf.org/jspf
"""

import re
from pathlib import PurePosixPath
from typing import Any

from crossfade.formats import values
from crossfade.formats.contract import Member, Sink, Source
from crossfade.formats.json_records import json_records
from crossfade.formats.playlist_entries import Entry, file_playlist_id, put_entry
from crossfade.formats.shapes import head_text

_PLAYLIST = re.compile(r'"playlist"\s*:\s*\{')
_TRACK = re.compile(r'"track"\s*:\s*\[')
_TRACK_EXTENSION = "https://musicbrainz.org/doc/jspf#track"


class Jspf:
    """Every playlist with its tracks, each of which counts as one play by the playlist."""

    name = "jspf"
    title = "JSPF playlist"

    def recognise(self, member: Member) -> float:
        """By a playlist that has tracks."""
        head = head_text(member)
        if not head.lstrip().startswith("{") or not _PLAYLIST.search(head):
            return 0.0
        return 0.95 if _TRACK.search(head) or member.relative.suffix.lower() == ".jspf" else 0.0

    def read(self, source: Source, sink: Sink) -> None:
        """The playlists in the order of the files; a row's number is its playlist's place in its file."""
        for member in source.members:
            with source.open(member) as file:
                for number, playlist in json_records(file, ("playlists", "playlist"), member.name):
                    _put(sink, (member, number), playlist)


def _put(sink: Sink, place: tuple[Member, int], playlist: Any) -> None:
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
            put_entry(sink, place, playlist_id, position, _entry(track))
        else:
            sink.drop(place, "malformed", "a track is not an object")


def _entry(track: dict[str, Any]) -> Entry:
    artists = _artist_ids(track)
    return Entry(
        artist=values.text(track.get("creator")),
        title=values.text(track.get("title")),
        album=values.text(track.get("album")),
        track_ms=values.milliseconds(track.get("duration")),
        # A credit to several artists is not the first one's name, so its first identifier is not its own.
        artist_id=artists[0] if len(artists) == 1 else None,
        track_id=next(filter(None, map(values.recording_in, _listed(track.get("identifier")))), None),
    )


def _artist_ids(track: dict[str, Any]) -> list[str]:
    extensions = track.get("extension")
    parts = _listed(extensions.get(_TRACK_EXTENSION)) if isinstance(extensions, dict) else []
    addresses = [
        address for part in parts if isinstance(part, dict) for address in _listed(part.get("artist_identifiers"))
    ]
    return [found for address in addresses if (found := values.artist_in(address))]


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]
