"""Libre.fm's export of a user's data, CSV below a preamble.

    # Data export from Libre.fm,,,
    # 2025-07-23 15:05:47 -0400,,,
    # cabot.local,,,
    Artist,Track,Album,Time

Times are seconds since 1970. Exports exist whose text is UTF-7: their preamble begins with "+ACM-" in place of "#".
"""

from crossfade.formats import values
from crossfade.formats.contract import Member, Sink, Source
from crossfade.formats.delimited import named_rows
from crossfade.formats.scrobbles import put_scrobble
from crossfade.formats.shapes import head_lines

_MARK = "Data export from Libre.fm"
_UTF7 = "+ACM-"  # "#"


class Librefm:
    """Every row is one scrobble of the default user."""

    name = "librefm"
    title = "Libre.fm export"

    def recognise(self, member: Member) -> float:
        """1 by the first line."""
        return 1.0 if any(_MARK in line for line in head_lines(member, 1)) else 0.0

    def read(self, source: Source, sink: Sink) -> None:
        """One listen a row."""
        for member in source.members:
            decode = _from_utf7 if any(line.startswith(_UTF7) for line in head_lines(member, 1)) else str
            columns = ("artist", "track", "time"), ("album",)
            for place, row in named_rows(source, member, sink, *columns, decode=decode):
                put_scrobble(
                    sink,
                    place,
                    time=row["time"],
                    listened_at=values.number(row["time"]),
                    artist=values.text(row["artist"]),
                    track=values.text(row["track"]),
                    album=values.text(row.get("album")),
                )


def _from_utf7(line: str) -> str:
    """Return the text of a line of UTF-7; the line itself if it is none."""
    try:
        return line.encode("ascii").decode("utf-7")
    except UnicodeError:
        return line
