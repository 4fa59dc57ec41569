"""Pano Scrobbler's local log, as JSON lines or CSV.

    {"timeHuman": …, "timeMs": 1762957898933, "artist": …, "track": …, "album": …, "albumArtist": …,
     "durationMs": 346958, "mediaPlayerPackage": …, "mediaPlayerName": …, "mediaPlayerVersion": …, "event": "scrobble"}

The CSV has these columns in this order, under a header, with "null" for an unknown length. The app appends to a file
that an earlier version began, so rows may have more columns than the header: "event" came last. The events "love" and
"unlove" are thumbs.
"""

from typing import Any

from crossfade.core.names import named_id
from crossfade.formats import values
from crossfade.formats.contract import Member, Place, Sink, Source
from crossfade.formats.delimited import has_columns, records
from crossfade.formats.json_records import json_records
from crossfade.formats.scrobbles import put_scrobble
from crossfade.formats.shapes import head_text

_COLUMNS = (
    *("timeHuman", "timeMs", "artist", "track", "album", "albumArtist", "durationMs"),
    *("mediaPlayerPackage", "mediaPlayerName", "mediaPlayerVersion", "event"),
)
_FEWEST = 7  # columns of a row by any version
_THUMBS = {"love": 1, "unlove": 0}
_SCROBBLES = ("scrobble", "", None)  # earlier versions wrote no event


class PanoScrobbler:
    """Every row is one scrobble or one thumb of the default user."""

    name = "pano-scrobbler"
    title = "Pano Scrobbler log"

    def recognise(self, member: Member) -> float:
        """1 by the keys of the objects, or by the header."""
        head = head_text(member)
        if head.lstrip().startswith("{"):
            return 1.0 if '"timeMs"' in head and '"timeHuman"' in head else 0.0
        return 1.0 if has_columns(member, [column.lower() for column in _COLUMNS[:_FEWEST]]) else 0.0

    def read(self, source: Source, sink: Sink) -> None:
        """One listen a scrobble; a thumb is no row of its own."""
        for member in source.members:
            if head_text(member).lstrip().startswith("{"):
                with source.open(member) as file:
                    for number, row in json_records(file, (), member.name):
                        _put(sink, (member, number), row)
            else:
                for line, row in records(source.text_lines(member)):
                    if row is None or len(row) < _FEWEST:
                        sink.drop((member, line), "malformed", "not the columns of Pano Scrobbler")
                    elif row[0] != _COLUMNS[0]:
                        _put(sink, (member, line), dict(zip(_COLUMNS, row, strict=False)))


def _put(sink: Sink, place: Place, row: Any) -> None:
    if not isinstance(row, dict):
        sink.drop(place, "malformed", "a row is not an object")
        return
    artist, track = values.text(row.get("artist")), values.text(row.get("track"))
    since = values.number(row.get("timeMs"))
    listened_at = None if since is None else since / 1000
    album = values.text(row.get("album"))
    event = row.get("event")
    if event not in (*_THUMBS, *_SCROBBLES):
        sink.drop(place, "malformed", "an unknown event")
        return
    if event in _THUMBS and artist and track:
        item_id, artist_id = named_id(track, artist), named_id(artist)
        sink.item("artist", artist_id, artist)
        sink.item("track", item_id, track, parent_id=artist_id, album=album)
        sink.feedback(None, item_id, _THUMBS[event], listened_at)
        return
    put_scrobble(
        sink,
        place,
        time=row.get("timeMs"),
        listened_at=listened_at,
        artist=artist,
        track=track,
        album=album,
        duration_ms=values.milliseconds(row.get("durationMs")),
        platform=values.text(row.get("mediaPlayerName")) or values.text(row.get("mediaPlayerPackage")),
    )
