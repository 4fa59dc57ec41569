"""Last.fm-1K: every scrobble of 992 users until May 2009.

    user_000001 <TAB> 2009-05-04T23:08:57Z <TAB> artist MBID <TAB> artist name <TAB> track MBID <TAB> track name

MBIDs may be missing; a few rows have a tab inside a name and are malformed. The data set's other file (age,
gender, country) is not read.

With 19 million rows, whole blocks of lines are decoded at once; a block with a bad row is read again row by row.

Celma, "Music Recommendation and Discovery in the Long Tail", 2010.
"""

import codecs
import io
import re
from typing import TYPE_CHECKING

from crossfade.formats import values
from crossfade.formats.contract import Member, Place, Sink, Source
from crossfade.formats.shapes import head_lines, mostly

if TYPE_CHECKING:
    import pyarrow as pa

_USER = re.compile(r"user_\d{6}")
_MBID = rf"(?:{values.MBID.pattern})?"
_ROW = re.compile(
    rf"{_USER.pattern}\t\d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\dZ\t{_MBID}\t[^\t]*\t{_MBID}\t[^\t]*", re.IGNORECASE
)
_COLUMNS = ("user", "time", "artist_id", "artist", "track_id", "track")
_PREFIX = "lastfm-1k:"


class Lastfm1K:
    """Every row is one listen."""

    name = "lastfm-1k"
    title = "Last.fm-1K data set"

    def recognise(self, member: Member) -> float:
        """1 by six columns that begin with user_ and a number, and an ISO time."""
        return 1.0 if mostly(head_lines(member), _ROW) else 0.0

    def read(self, source: Source, sink: Sink) -> None:
        """One listen a row."""
        for member in source.members:
            if member.head.startswith((codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
                for line, row in source.text_lines(member):
                    _put(sink, (member, line), row)
            else:
                for first, block in source.blocks(member):
                    _put_block(sink, member, first, block)


def _put_block(sink: Sink, member: Member, first: int, block: bytes) -> None:
    """Hand the lines of ``block`` to ``sink``; ``first`` is the number of its first line."""
    table = _decoded(block)
    if table is not None:
        sink.listens(member, first, table)
        return
    for line, row in enumerate(block.split(b"\n"), start=first):
        try:
            text = row.decode()
        except UnicodeDecodeError:
            text = row.decode("latin-1")
        _put(sink, (member, line), text.removesuffix("\r"))


def _decoded(block: bytes) -> "pa.Table | None":
    """Return the rows of ``block`` as `Sink.listens` takes them; None if any row is bad."""
    import pyarrow as pa
    import pyarrow.compute as pc
    from pyarrow import csv

    time = pa.timestamp("s", tz="UTC")
    try:
        rows = csv.read_csv(
            io.BytesIO(block),
            csv.ReadOptions(column_names=_COLUMNS, block_size=len(block) + 1, use_threads=False),
            csv.ParseOptions(delimiter="\t", quote_char=False, ignore_empty_lines=False),
            csv.ConvertOptions(
                column_types={name: time if name == "time" else pa.string() for name in _COLUMNS},
                null_values=[],
                timestamp_parsers=[csv.ISO8601],
            ),
        ).combine_chunks()
    except pa.ArrowInvalid:
        return None
    lines = block.count(b"\n") + (not block.endswith(b"\n"))
    blank = pc.or_(pc.equal(rows["artist"], ""), pc.utf8_is_space(rows["artist"]))
    valid = pc.and_not(pc.match_substring_regex(rows["user"], f"^{_USER.pattern}$"), blank)
    if len(rows) != lines or not pc.all(valid).as_py():
        return None
    return pa.table(
        {
            "user_id": pc.binary_join_element_wise(_PREFIX, rows["user"], ""),
            "listened_at": rows["time"],
            "item_id": _identifiers(rows["track_id"]),
            "name": pc.if_else(pc.equal(rows["track"], ""), None, rows["track"]),
            "parent_id": _identifiers(rows["artist_id"]),
            "parent_name": rows["artist"],
        }
    )


def _identifiers(texts: "pa.ChunkedArray") -> "pa.ChunkedArray":
    """`values.mbid` for a whole column."""
    import pyarrow.compute as pc

    lowered = pc.utf8_lower(pc.utf8_trim_whitespace(texts))
    return pc.if_else(pc.match_substring_regex(lowered, f"^{values.MBID.pattern}$"), lowered, None)


def _put(sink: Sink, place: Place, row: str) -> None:
    columns = row.split("\t")
    if len(columns) != len(_COLUMNS):
        if row.strip():
            sink.drop(place, "malformed", f"{len(columns)} columns instead of {len(_COLUMNS)}")
        return
    user, time, artist_id, artist, track_id, track = columns
    listened_at = values.iso_time(time)
    if not _USER.fullmatch(user):
        sink.drop(place, "malformed", "the user is not user_ and six digits")
    elif listened_at is None:
        sink.drop(place, "malformed", "the time is not ISO 8601")
    elif not artist or artist.isspace():
        sink.drop(place, "incomplete", "the artist's name is empty")
    else:
        sink.listen(
            place,
            user_id=_PREFIX + user,
            listened_at=listened_at,
            name=track or None,
            parent=artist,
            item_id=values.mbid(track_id),
            parent_id=values.mbid(artist_id),
        )
