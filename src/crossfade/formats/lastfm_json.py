"""Last.fm scrobbles as the pages that ``user.getRecentTracks`` answers with, one page or many.

    {"recenttracks": {"track": [{"artist": {"#text": …, "mbid": …}, "album": {"#text": …}, "name": …,
                                 "mbid": …, "date": {"uts": "1787172480"}}, …]}}

Tools store the pages as they come, or as an array of pages, of their "recenttracks", or of their tracks; all
of these are read. With ``extended=1`` an artist has a ``name`` in place of ``#text``.
"""

import re
from typing import Any

from crossfade.formats import values
from crossfade.formats.contract import Member, Place, Sink, Source
from crossfade.formats.json_records import json_rows
from crossfade.formats.scrobbles import put_scrobble
from crossfade.formats.shapes import head_text

_PAGE = re.compile(r'"recenttracks"\s*:\s*[{\[]')
_ARTIST = re.compile(r'"artist"\s*:\s*\{[^{}]*"(?:#text|name)"\s*:')
_DATE = re.compile(r'"date"\s*:\s*\{[^{}]*"uts"\s*:')


class LastfmJson:
    """Every entry with a date is one scrobble of the default user; one without is still playing."""

    name = "lastfm-json"
    title = "Last.fm API pages"

    def recognise(self, member: Member) -> float:
        """1 by "recenttracks"; 0.95 by tracks with Last.fm's artists and dates."""
        head = head_text(member)
        if head.lstrip()[:1] not in ("{", "["):
            return 0.0
        if _PAGE.search(head):
            return 1.0
        return 0.95 if _ARTIST.search(head) and _DATE.search(head) else 0.0

    def read(self, source: Source, sink: Sink) -> None:
        """One listen an entry."""
        for place, track in json_rows(source, ("recenttracks", "track")):
            _put(sink, place, track)


def _put(sink: Sink, place: Place, track: Any) -> None:
    if not isinstance(track, dict):
        sink.drop(place, "malformed", "a track is not an object")
        return
    artist, album, date = (_part(track, key) for key in ("artist", "album", "date"))
    uts = date.get("uts", date.get("#text"))
    put_scrobble(
        sink,
        place,
        time=uts,
        listened_at=values.number(uts),
        artist=values.text(artist.get("#text")) or values.text(artist.get("name")),
        track=values.text(track.get("name")),
        item_id=values.mbid(track.get("mbid")),
        parent_id=values.mbid(artist.get("mbid")),
        album=values.text(album.get("#text")) or values.text(album.get("title")),
    )


def _part(track: dict[str, Any], key: str) -> dict[str, Any]:
    """Return an object inside a track; some tools flatten it to its text."""
    part = track.get(key)
    return part if isinstance(part, dict) else {} if part is None else {"#text": part}
