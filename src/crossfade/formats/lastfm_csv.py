"""Last.fm scrobbles as comma-separated values, in the two shapes that exporting tools write.

With a header: ``uts,utc_time,artist,artist_mbid,album,album_mbid,track,track_mbid``. Without one:
``artist,album,track,"19 Aug 2026, 20:48"``, where one tool leaves out every comma inside a value, so that the
time may stand without its own. Times are UTC in both.
"""

import re
from collections.abc import Sequence

from crossfade.formats import values
from crossfade.formats.contract import Member, Sink, Source
from crossfade.formats.delimited import records
from crossfade.formats.shapes import head_lines, mostly

_TIME = re.compile(r'.*,"?\d{1,2} [A-Z][a-z]{2} \d{4},? \d{2}:\d{2}"?')


class LastfmCsv:
    """Every row is one scrobble of the default user."""

    name = "lastfm-csv"
    title = "Last.fm CSV export"

    def recognise(self, member: Member) -> float:
        """1 by the header; nearly so by rows that end in Last.fm's spelling of a time."""
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
                elif columns is not None:
                    _put_named(sink, place, columns, row)
                else:
                    _put_bare(sink, place, row)


def _is_header(row: Sequence[str]) -> bool:
    names = {column.strip().lower() for column in row}
    return {"uts", "artist", "track"} <= names


def _put_named(sink: Sink, place: tuple[Member, int], columns: Sequence[str], row: Sequence[str]) -> None:
    if len(row) != len(columns):
        sink.drop(place, "malformed", f"{len(row)} columns instead of {len(columns)}")
        return
    said = dict(zip(columns, row, strict=True))
    uts, written = values.text(said["uts"]), values.text(said.get("utc_time"))
    # Tools write no seconds for a track that was still playing, and a few rows keep only the written time.
    when = values.number(uts) if uts else values.day_month_year(written) if written else None
    if when is None and (uts or written):
        sink.drop(place, "malformed", "uts is not a number of seconds")
        return
    _put(
        sink,
        place,
        when=when,
        artist=values.text(said["artist"]),
        title=values.text(said["track"]),
        album=values.text(said.get("album")),
        artist_id=values.mbid(said.get("artist_mbid")),
        track_id=values.mbid(said.get("track_mbid")),
    )


def _put_bare(sink: Sink, place: tuple[Member, int], row: Sequence[str]) -> None:
    if len(row) != 4:
        sink.drop(place, "malformed", f"{len(row)} columns instead of 4")
        return
    artist, album, title, written = (values.text(value) for value in row)
    when = values.day_month_year(written) if written else None
    if written and when is None:
        sink.drop(place, "malformed", "the fourth column is not a time such as 19 Aug 2026, 20:48")
        return
    _put(sink, place, when=when, artist=artist, title=title, album=album)


def _put(
    sink: Sink,
    place: tuple[Member, int],
    *,
    when: float | None,
    artist: str | None,
    title: str | None,
    album: str | None,
    artist_id: str | None = None,
    track_id: str | None = None,
) -> None:
    if when is None:
        sink.drop(place, "incomplete", "there is no time: it was still playing")
    elif artist is None:
        sink.drop(place, "incomplete", "the artist is empty")
    elif title is None:
        sink.drop(place, "incomplete", "the track is empty")
    else:
        sink.listen(
            place,
            listened_at=when,
            artist=artist,
            title=title,
            album=album,
            artist_id=artist_id,
            track_id=track_id,
        )
