"""Last.fm scrobbles as comma-separated values, in the two shapes that exporting tools write.

With a header: ``uts,utc_time,artist,artist_mbid,album,album_mbid,track,track_mbid``. Without one:
``artist,album,track,"19 Aug 2026, 20:48"``; one tool omits every comma inside a value, so the time may lack its comma.
Times are UTC in both.
"""

import re
from collections.abc import Sequence

from crossfade.formats import values
from crossfade.formats.contract import Member, Place, Sink, Source
from crossfade.formats.delimited import records
from crossfade.formats.scrobbles import put_scrobble
from crossfade.formats.shapes import head_lines, mostly

_TIME = re.compile(r'.*,"?\d{1,2} [A-Z][a-z]{2} \d{4},? \d{2}:\d{2}"?')


class LastfmCsv:
    """Every row is one scrobble of the default user."""

    name = "lastfm-csv"
    title = "Last.fm CSV export"

    def recognise(self, member: Member) -> float:
        """1 by the header; 0.95 by rows that end in Last.fm's spelling of a time."""
        lines = head_lines(member)
        if lines and _is_header(lines[0].replace('"', "").split(",")):
            return 1.0
        return 0.95 if mostly(lines, _TIME) else 0.0

    def read(self, source: Source, sink: Sink) -> None:
        """One listen a row."""
        for member in source.members:
            columns: Sequence[str] | None = None
            for line, row in records(source.text_lines(member)):
                place = (member, line)
                if row is None:
                    sink.drop(place, "malformed", "a quoted value does not end")
                elif columns is None and _is_header(row):
                    columns = [column.strip().lower() for column in row]
                elif len(row) != (expected := 4 if columns is None else len(columns)):
                    sink.drop(place, "malformed", f"{len(row)} columns instead of {expected}")
                elif columns is None:
                    _put_bare(sink, place, row)
                else:
                    _put_named(sink, place, dict(zip(columns, row, strict=True)))


def _is_header(row: Sequence[str]) -> bool:
    names = {column.strip().lower() for column in row}
    return {"uts", "artist", "track"} <= names


def _put_named(sink: Sink, place: Place, row: dict[str, str]) -> None:
    # Tools write no seconds for a track that was still playing, and a few rows have only the time as text.
    uts, time = values.text(row["uts"]), values.text(row.get("utc_time"))
    listened_at = values.number(uts) if uts else values.day_month_year(time or "")
    put_scrobble(
        sink,
        place,
        time=uts or time,
        listened_at=listened_at,
        artist=values.text(row["artist"]),
        track=values.text(row["track"]),
        item_id=values.mbid(row.get("track_mbid")),
        parent_id=values.mbid(row.get("artist_mbid")),
        album=values.text(row.get("album")),
    )


def _put_bare(sink: Sink, place: Place, row: Sequence[str]) -> None:
    artist, album, track, time = (values.text(value) for value in row)
    listened_at = values.day_month_year(time or "")
    put_scrobble(sink, place, time=time, listened_at=listened_at, artist=artist, track=track, album=album)
