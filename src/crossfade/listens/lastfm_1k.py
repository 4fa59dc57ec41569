"""Last.fm-1K: every scrobble of 992 users until May 2009.

    user_000001 <TAB> 2009-05-04T23:08:57Z <TAB> artist MBID <TAB> artist name <TAB> track MBID <TAB> track name

MBIDs may be missing; a few rows have a tab inside a name and are malformed. The data set's other file (age,
gender, country) is not read.

Celma, "Music Recommendation and Discovery in the Long Tail", 2010.
"""

import re

from crossfade.listens import values
from crossfade.listens.contract import Member, Sink, Source
from crossfade.listens.shapes import head_lines, mostly

_USER = re.compile(r"user_\d{6}")
_MBID = rf"(?:{values.MBID.pattern})?"
_ROW = re.compile(
    rf"{_USER.pattern}\t\d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\dZ\t{_MBID}\t[^\t]*\t{_MBID}\t[^\t]*", re.IGNORECASE
)


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
            for line, row in source.text_lines(member):
                columns = row.split("\t")
                if len(columns) != 6:
                    if row.strip():
                        sink.drop((member, line), "malformed", f"{len(columns)} columns instead of 6")
                    continue
                user, written, artist_id, artist, track_id, title = columns
                when = values.iso_time(written)
                if not _USER.fullmatch(user):
                    sink.drop((member, line), "malformed", "the user is not user_ and six digits")
                elif when is None:
                    sink.drop((member, line), "malformed", "the time is not ISO 8601")
                elif not artist or artist.isspace():
                    sink.drop((member, line), "incomplete", "the artist's name is empty")
                else:
                    sink.listen(
                        (member, line),
                        user_id="lastfm-1k:" + user,
                        listened_at=when,
                        artist=artist,
                        title=title or None,
                        artist_id=values.mbid(artist_id),
                        track_id=values.mbid(track_id),
                    )
