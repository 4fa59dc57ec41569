"""``.scrobbler.log``: the log of plays that portable players (Rockbox and others) write.

    #AUDIOSCROBBLER/1.1
    #TZ/UNKNOWN
    #CLIENT/Rockbox sansae200 $Revision$
    artist <TAB> release <TAB> track <TAB> number <TAB> seconds <TAB> L or S <TAB> time <TAB> track MBID

L was listened to (at least half of it), S was skipped. The last column came with version 1.1 and may be missing. Under
``#TZ/UTC`` times are UTC. Under ``#TZ/UNKNOWN`` they are local times of an unknown zone and are read as UTC too. A
player without a clock writes 0.
"""

import re

from crossfade.formats import values
from crossfade.formats.contract import Member, Place, Sink, Source
from crossfade.formats.scrobbles import put_scrobble
from crossfade.formats.shapes import head_lines, mostly

_MARK = "#AUDIOSCROBBLER/"
_CLIENT = "#CLIENT/"
_ROW = re.compile(r"[^\t]*\t[^\t]*\t[^\t]*\t[^\t]*\t\d*\t[LS]\t\d+(?:\t[^\t]*)?")


class ScrobblerLog:
    """Every row is one play, or one skip, of the default user."""

    name = "scrobbler-log"
    title = "Scrobbler log of a portable player"

    def recognise(self, member: Member) -> float:
        """1 by the first line; 0.95 by the shape of the rows."""
        lines = head_lines(member)
        if lines and lines[0].upper().startswith(_MARK):
            return 1.0
        return 0.95 if mostly([line for line in lines if not line.startswith("#")], _ROW) else 0.0

    def read(self, source: Source, sink: Sink) -> None:
        """One listen a row, with the player's name as its platform."""
        for member in source.members:
            platform: str | None = None
            for line, row in source.text_lines(member):
                if row.startswith(_CLIENT):
                    platform = values.text(row.removeprefix(_CLIENT))
                elif row.strip() and not row.startswith("#"):
                    _put(sink, (member, line), row.split("\t"), platform)


def _put(sink: Sink, place: Place, row: list[str], platform: str | None) -> None:
    if not 7 <= len(row) <= 8:
        sink.drop(place, "malformed", f"{len(row)} columns instead of 7 or 8")
        return
    artist, album, track, _, seconds, rating, time, *identifier = (value.strip() for value in row)
    if rating not in ("L", "S"):
        sink.drop(place, "malformed", "the rating is neither L nor S")
        return
    put_scrobble(
        sink,
        place,
        time=time,
        listened_at=values.number(time),
        artist=artist,
        track=track,
        item_id=values.mbid(identifier[0]) if identifier else None,
        album=album or None,
        duration_ms=values.milliseconds(seconds, per_unit=1000),
        skipped=rating == "S",
        platform=platform,
    )
