"""Last.fm scrobbles as the pages that ``user.getRecentTracks`` answers with, one page or many.

    {"recenttracks": {"track": [{"artist": {"#text": …, "mbid": …}, "album": {"#text": …}, "name": …,
                                 "mbid": …, "date": {"uts": "1787172480"}}, …]}}

Tools keep the pages as they come, or as an array of pages, of their "recenttracks", or of their tracks; all
of them are read. With ``extended=1`` an artist has a ``name`` in place of ``#text``.
"""

import re
from typing import Any

from crossfade.formats import values
from crossfade.formats.contract import Member, Sink, Source
from crossfade.formats.json_records import json_records
from crossfade.formats.shapes import head_text

_PAGE = re.compile(r'"recenttracks"\s*:\s*[{\[]')
_ARTIST = re.compile(r'"artist"\s*:\s*\{[^{}]*"(?:#text|name)"\s*:')
_DATE = re.compile(r'"date"\s*:\s*\{[^{}]*"uts"\s*:')


class LastfmJson:
    """Every entry with a date is one scrobble of the default user."""

    name = "lastfm-json"
    title = "Last.fm API pages"

    def recognise(self, member: Member) -> float:
        """1 by "recenttracks"; nearly so by tracks with Last.fm's artists and dates."""
        head = head_text(member)
        if head.lstrip()[:1] not in ("{", "["):
            return 0.0
        if _PAGE.search(head):
            return 1.0
        return 0.95 if _ARTIST.search(head) and _DATE.search(head) else 0.0

    def read(self, source: Source, sink: Sink) -> None:
        """One listen an entry; an entry without a date is still playing."""
        for member in source.members:
            with source.open(member) as file:
                for number, track in json_records(file, ("recenttracks", "track"), member.name):
                    _put(sink, (member, number), track)


def _put(sink: Sink, place: tuple[Member, int], track: Any) -> None:
    if not isinstance(track, dict):
        sink.drop(place, "malformed", "a track is not an object")
        return
    artist, date = _part(track, "artist"), _part(track, "date")
    uts = date.get("uts", date.get("#text"))
    when = values.number(uts)
    name = values.text(artist.get("#text")) or values.text(artist.get("name"))
    title = values.text(track.get("name"))
    if when is None:
        if uts is None:
            sink.drop(place, "incomplete", "there is no date: it was still playing")
        else:
            sink.drop(place, "malformed", "date.uts is not a number of seconds")
    elif name is None:
        sink.drop(place, "incomplete", "the artist is empty")
    elif title is None:
        sink.drop(place, "incomplete", "the name is empty")
    else:
        album = _part(track, "album")
        sink.listen(
            place,
            listened_at=when,
            artist=name,
            title=title,
            album=values.text(album.get("#text")) or values.text(album.get("title")),
            artist_id=values.mbid(artist.get("mbid")),
            track_id=values.mbid(track.get("mbid")),
        )


def _part(track: dict[str, Any], key: str) -> dict[str, Any]:
    """An object inside a track; some tools flatten it to its text."""
    part = track.get(key)
    return part if isinstance(part, dict) else {} if part is None else {"#text": part}
