"""Last.fm-360K: how often 360,000 users played their artists.

    user (SHA-1) <TAB> artist MBID <TAB> artist name <TAB> plays

Some MBIDs are missing, then the artist goes by its name; some rows have a date where the user should be, or
a tab inside a name, and are malformed. The data set's other file (age, gender, country) is not read.

Celma, "Music Recommendation and Discovery in the Long Tail", 2010.
"""

import re

from crossfade.core.schemas import named_artist
from crossfade.formats import values
from crossfade.formats.contract import Member, Sink, Source
from crossfade.formats.shapes import head_lines, mostly

_USER = re.compile(r"[0-9a-f]{40}")
_ROW = re.compile(rf"{_USER.pattern}\t(?:{values.MBID.pattern})?\t[^\t]*\t *\d+ *")


class Lastfm360K:
    """Every row is one user's count of one artist."""

    name = "lastfm-360k"
    title = "Last.fm-360K data set"

    def recognise(self, member: Member) -> float:
        """1 by four columns of which the first is a SHA-1 and the second an MBID or empty."""
        return 1.0 if mostly(head_lines(member), _ROW) else 0.0

    def read(self, source: Source, sink: Sink) -> None:
        """One count a row; each artist's name with its first."""
        named: dict[tuple[str, str], str] = {}
        for member in source.members:
            for line, row in source.text_lines(member):
                columns = row.split("\t")
                if len(columns) != 4:
                    if row.strip():
                        sink.drop((member, line), "malformed", f"{len(columns)} columns instead of 4")
                    continue
                user, identifier, name, written = columns
                plays = values.number(written)
                if not _USER.fullmatch(user):
                    sink.drop((member, line), "malformed", "the user is not a SHA-1 digest")
                elif plays is None:
                    sink.drop((member, line), "malformed", "plays is not a number")
                elif (artist_id := named.get((identifier, name)) or _remember(sink, named, identifier, name)) is None:
                    sink.drop((member, line), "incomplete", "the artist has neither an MBID nor a name")
                else:
                    sink.count((member, line), user_id="lastfm-360k:" + user, plays=plays, artist_id=artist_id)


def _remember(sink: Sink, named: dict[tuple[str, str], str], identifier: str, written: str) -> str | None:
    """The id of an artist that comes up for the first time; None where there is nothing to tell it by."""
    name = values.text(written)
    artist_id = values.mbid(identifier) or (named_artist(name) if name else None)
    if artist_id is not None:
        named[identifier, written] = artist_id
        if name:
            sink.artist(artist_id, name)
    return artist_id
