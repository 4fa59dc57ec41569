"""Maloja's export and the answers of its API.

    {"maloja": {…}, "scrobbles": [{"time": 1650684324, "duration": 180, "origin": "client:…",
        "track": {"artists": ["…", "…"], "title": "…", "album": {"albumtitle": "…"}, "length": 200}}]}

Its API has "list" in place of "scrobbles", and version 2 wrote artists, title and album (its name, as text)
beside the time. ``duration`` is how many seconds were heard, ``length`` how long the track is. A track
of several artists counts for the first of them, the one that it is credited to.
"""

import re
from typing import Any

from crossfade.formats import values
from crossfade.formats.contract import Member, Sink, Source
from crossfade.formats.json_records import json_records
from crossfade.formats.shapes import head_text

_SCROBBLES = re.compile(r'"(?:scrobbles|list)"\s*:\s*\[')
_ARTISTS = re.compile(r'"artists"\s*:\s*\[')
_MALOJA = re.compile(r'"maloja"\s*:')


class Maloja:
    """Every scrobble is one play of the default user."""

    name = "maloja"
    title = "Maloja export"

    def recognise(self, member: Member) -> float:
        """1 where the file says that Maloja wrote it; less for scrobbles of several artists."""
        head = head_text(member)
        if not head.lstrip().startswith("{") or not _SCROBBLES.search(head):
            return 0.0
        return 1.0 if _MALOJA.search(head) else 0.9 if _ARTISTS.search(head) and '"time"' in head else 0.0

    def read(self, source: Source, sink: Sink) -> None:
        """One listen a scrobble."""
        for member in source.members:
            with source.open(member) as file:
                for number, scrobble in json_records(file, ("scrobbles", "list"), member.name):
                    _put(sink, (member, number), scrobble)


def _put(sink: Sink, place: tuple[Member, int], scrobble: Any) -> None:
    track = scrobble.get("track", scrobble) if isinstance(scrobble, dict) else None
    if not isinstance(track, dict):
        sink.drop(place, "malformed", "a scrobble is not an object with a track")
        return
    artists = track.get("artists")
    named = [name for artist in artists if (name := values.text(artist))] if isinstance(artists, list) else []
    title = values.text(track.get("title"))
    when = values.number(scrobble.get("time"))
    if when is None:
        given = scrobble.get("time") is not None
        reason = ("malformed", "time is not a number of seconds") if given else ("incomplete", "there is no time")
        sink.drop(place, *reason)
    elif not named or title is None:
        sink.drop(place, "incomplete", "the title is empty" if named else "there are no artists")
    else:
        album = track.get("album")
        in_track = "track" in scrobble
        sink.listen(
            place,
            listened_at=when,
            artist=named[0],
            title=title,
            album=values.text(album.get("albumtitle") or album.get("name") if isinstance(album, dict) else album),
            # Version 2 had no column for what was heard: its duration was the track's length.
            ms_played=values.milliseconds(scrobble.get("duration"), per_unit=1000) if in_track else None,
            track_ms=values.milliseconds(track.get("length" if in_track else "duration"), per_unit=1000),
        )
