"""The Echo Nest Taste Profile subset: how often a million users played the songs of the Million Song Dataset.

    user (40 hexadecimal digits) <TAB> song (SO…) <TAB> plays

The triplets contain no names. The Million Song Dataset's ``unique_tracks.txt`` in the same folder adds them:
``TR… <SEP> SO… <SEP> artist <SEP> title``, with the word <SEP> between the columns.

Bertin-Mahieux, Ellis, Whitman & Lamere, "The Million Song Dataset", ISMIR 2011.
"""

import re

from crossfade.core.names import named_id
from crossfade.formats import values
from crossfade.formats.contract import Member, Sink, Source
from crossfade.formats.delimited import split_rows
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
        return 1.0 if _is_names(member) or mostly(head_lines(member), _TRIPLET) else 0.0

    def read(self, source: Source, sink: Sink) -> None:
        """The names of the songs, and one count a triplet."""
        for member in sorted(source.members, key=_is_names, reverse=True):
            if _is_names(member):
                _read_names(source, member, sink)
            else:
                _read_triplets(source, member, sink)


def _is_names(member: Member) -> bool:
    return mostly(head_lines(member), _NAMES)


def _read_triplets(source: Source, member: Member, sink: Sink) -> None:
    is_user, is_song = _USER.fullmatch, _SONG.fullmatch
    for place, (user, song, text) in split_rows(source, member, sink, 3):
        plays = values.number(text)
        if not is_user(user):
            sink.drop(place, "malformed", "the user is not 40 hexadecimal digits")
        elif not is_song(song):
            sink.drop(place, "malformed", "the song is not SO and 16 letters or digits")
        elif plays is None:
            sink.drop(place, "malformed", "the count is not a number")
        else:
            sink.count(place, user_id=_PREFIX + user, plays=plays, kind="track", item_id=_PREFIX + song)


def _read_names(source: Source, member: Member, sink: Sink) -> None:
    for place, columns in split_rows(source, member, sink, 4, "<SEP>"):
        _, song, artist, title = (column.strip() for column in columns)
        if not _SONG.fullmatch(song):
            sink.drop(place, "malformed", "not a track, a song, an artist and a title")
            continue
        artist_id = named_id(artist) if artist else None
        if artist_id:
            sink.item("artist", artist_id, artist)
        if title:
            sink.item("track", _PREFIX + song, title, parent_id=artist_id)
