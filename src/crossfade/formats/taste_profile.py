"""The Echo Nest Taste Profile subset: how often a million users played the songs of the Million Song Dataset.

    user (40 hexadecimal digits) <TAB> song (SO…) <TAB> plays

The triplets know no names. Where the Million Song Dataset's ``unique_tracks.txt`` lies beside them, it gives
them: ``TR… <SEP> SO… <SEP> artist <SEP> title``, with the word <SEP> between the columns.

Bertin-Mahieux, Ellis, Whitman & Lamere, "The Million Song Dataset", ISMIR 2011.
"""

import re
from typing import Literal

from crossfade.core.schemas import named_artist
from crossfade.formats import values
from crossfade.formats.contract import Member, Sink, Source
from crossfade.formats.shapes import head_lines, mostly

_USER = re.compile(r"[0-9a-f]{40}")
_SONG = re.compile(r"SO[A-Z0-9]{16}")
_TRIPLET = re.compile(rf"{_USER.pattern}\t{_SONG.pattern}\t\d+")
_NAMES = re.compile(rf"TR[A-Z0-9]{{16}}<SEP>{_SONG.pattern}<SEP>.*<SEP>.*")
_PREFIX = "taste-profile:"


class TasteProfile:
    """Every triplet is one user's count of one song."""

    name = "taste-profile"
    title = "Echo Nest Taste Profile triplets"

    def recognise(self, member: Member) -> float:
        """1 by the shape of its triplets, or of the songs' names."""
        return 1.0 if _part(member) else 0.0

    def read(self, source: Source, sink: Sink) -> None:
        """One count a triplet, and the names of the songs."""
        for member in source.members:
            if _part(member) == "names":
                _read_names(source, member, sink)
            else:
                _read_triplets(source, member, sink)


def _part(member: Member) -> Literal["triplets", "names"] | None:
    lines = head_lines(member)
    return "triplets" if mostly(lines, _TRIPLET) else "names" if mostly(lines, _NAMES) else None


def _read_triplets(source: Source, member: Member, sink: Sink) -> None:
    is_user, is_song = _USER.fullmatch, _SONG.fullmatch
    for line, row in source.text_lines(member):
        columns = row.split("\t")
        if len(columns) != 3:
            if row.strip():
                sink.drop((member, line), "malformed", f"{len(columns)} columns instead of 3")
            continue
        user, song, written = columns
        plays = values.number(written)
        if not is_user(user):
            sink.drop((member, line), "malformed", "the user is not 40 hexadecimal digits")
        elif not is_song(song):
            sink.drop((member, line), "malformed", "the song is not SO and 16 letters or digits")
        elif plays is None:
            sink.drop((member, line), "malformed", "the count is not a number")
        else:
            sink.count((member, line), user_id=_PREFIX + user, plays=plays, track_id=_PREFIX + song)


def _read_names(source: Source, member: Member, sink: Sink) -> None:
    for line, row in source.text_lines(member):
        columns = [column.strip() for column in row.split("<SEP>")]
        if len(columns) != 4 or not _SONG.fullmatch(columns[1]):
            if row.strip():
                sink.drop((member, line), "malformed", "not a track, a song, an artist and a title")
            continue
        _, song, artist, title = columns
        artist_id = named_artist(artist) if artist else None
        if artist_id:
            sink.artist(artist_id, artist)
        if title:
            sink.track(_PREFIX + song, title, artist_id=artist_id)
