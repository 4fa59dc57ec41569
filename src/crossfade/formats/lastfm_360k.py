"""Last.fm-360K: how often 360,000 users played their artists.

    user (SHA-1) <TAB> artist MBID <TAB> artist name <TAB> plays

Where the MBID is missing, the id is made from the name. Some rows have a date in place of the user, or a tab inside a
name, and are malformed. The data set's other file (age, gender, country) is not read.

Celma, "Music Recommendation and Discovery in the Long Tail", 2010.
"""

import re

from crossfade.core.names import named_id
from crossfade.formats import values
from crossfade.formats.contract import Member, Sink, Source
from crossfade.formats.delimited import split_rows
from crossfade.formats.shapes import head_lines, mostly

_USER = re.compile(r"[0-9a-f]{40}")
_ROW = re.compile(rf"{_USER.pattern}\t(?:{values.MBID.pattern})?\t[^\t]*\t *\d+ *")


class Lastfm360K:
    """Every row is one user's count of one artist."""

    name = "lastfm-360k"
    title = "Last.fm-360K data set"

    def recognise(self, member: Member) -> float:
        """1 by four columns, the first a SHA-1 and the second an MBID or empty."""
        return 1.0 if mostly(head_lines(member), _ROW) else 0.0

    def read(self, source: Source, sink: Sink) -> None:
        """One count a row, and each artist's name once."""
        ids: dict[tuple[str, str], str] = {}
        for member in source.members:
            for place, (user, identifier, name, text) in split_rows(source, member, sink, 4):
                plays = values.number(text)
                if not _USER.fullmatch(user):
                    sink.drop(place, "malformed", "the user is not a SHA-1 digest")
                elif plays is None:
                    sink.drop(place, "malformed", "plays is not a number")
                elif (artist_id := ids.get((identifier, name)) or _remember(sink, ids, identifier, name)) is None:
                    sink.drop(place, "incomplete", "the artist has neither an MBID nor a name")
                else:
                    sink.count(place, user_id="lastfm-360k:" + user, plays=plays, kind="artist", item_id=artist_id)


def _remember(sink: Sink, ids: dict[tuple[str, str], str], identifier: str, text: str) -> str | None:
    """Return the id of an artist on its first row, and hand its name to ``sink``; None without MBID and name."""
    name = values.text(text)
    artist_id = values.mbid(identifier) or (named_id(name) if name else None)
    if artist_id is not None:
        ids[identifier, text] = artist_id
        if name:
            sink.item("artist", artist_id, name)
    return artist_id
