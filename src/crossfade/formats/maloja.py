"""Maloja's export and the answers of its API.

    {"maloja": {…}, "scrobbles": [{"time": 1650684324, "duration": 180, "origin": "client:…",
        "track": {"artists": ["…", "…"], "title": "…", "album": {"albumtitle": "…"}, "length": 200}}]}

Its API has "list" in place of "scrobbles", and version 2 wrote artists, title and album (its name, as text)
beside the time. ``duration`` is the number of seconds heard, ``length`` that of the track. A track by several artists
counts for the first, the one it is credited to.
"""

import re
from typing import Any

from crossfade.formats import values
from crossfade.formats.contract import Member, Place, Sink, Source
from crossfade.formats.json_records import json_rows
from crossfade.formats.scrobbles import put_scrobble
from crossfade.formats.shapes import head_text

_SCROBBLES = re.compile(r'"(?:scrobbles|list)"\s*:\s*\[')
_ARTISTS = re.compile(r'"artists"\s*:\s*\[')
_MALOJA = re.compile(r'"maloja"\s*:')


class Maloja:
    """Every scrobble is one play of the default user."""

    name = "maloja"
    title = "Maloja export"

    def recognise(self, member: Member) -> float:
        """1 where the file names Maloja; 0.9 for scrobbles with a list of artists."""
        head = head_text(member)
        if not head.lstrip().startswith("{") or not _SCROBBLES.search(head):
            return 0.0
        return 1.0 if _MALOJA.search(head) else 0.9 if _ARTISTS.search(head) and '"time"' in head else 0.0

    def read(self, source: Source, sink: Sink) -> None:
        """One listen a scrobble."""
        for place, scrobble in json_rows(source, ("scrobbles", "list")):
            _put(sink, place, scrobble)


def _put(sink: Sink, place: Place, scrobble: Any) -> None:
    track = scrobble.get("track", scrobble) if isinstance(scrobble, dict) else None
    if not isinstance(track, dict):
        sink.drop(place, "malformed", "a scrobble is not an object with a track")
        return
    artists, album = track.get("artists"), track.get("album")
    credited = next(filter(None, map(values.text, artists)), None) if isinstance(artists, list) else None
    in_track = "track" in scrobble
    put_scrobble(
        sink,
        place,
        time=scrobble.get("time"),
        listened_at=values.number(scrobble.get("time")),
        artist=credited,
        track=values.text(track.get("title")),
        album=values.text(album.get("albumtitle") or album.get("name") if isinstance(album, dict) else album),
        # Version 2 did not record the time heard: its duration was the track's length.
        ms_played=values.played(scrobble.get("duration"), per_unit=1000) if in_track else None,
        duration_ms=values.milliseconds(track.get("length" if in_track else "duration"), per_unit=1000),
    )
