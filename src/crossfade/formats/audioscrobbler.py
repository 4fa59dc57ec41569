"""Audioscrobbler, 6 May 2005: how often 150,000 users played their artists, in three tables.

    user_artist_data*.txt  user artist plays, with spaces between them
    artist_data*.txt       artist <TAB> name
    artist_alias*.txt      bad artist <TAB> good artist: one misspelt name's id, and the right one's

Every bad id is replaced by its good one, before it is counted. In the whole of the data set some names have
line breaks or no id, and some aliases no bad id; those lines are malformed.
"""

import re
from typing import Literal

from crossfade.formats import values
from crossfade.formats.contract import Member, Sink, Source
from crossfade.formats.shapes import head_lines, mostly

_COUNT = re.compile(r"\d+ \d+ \d+")
_NAME = re.compile(r"\d+\t.*")
_ALIAS = re.compile(r"\d*\t\d+")
_PREFIX = "audioscrobbler:"


class Audioscrobbler:
    """Every row of user_artist_data is one user's count of one artist."""

    name = "audioscrobbler"
    title = "Audioscrobbler 2005 data set"

    def recognise(self, member: Member) -> float:
        """Sure for a known name over fitting content; three numbers a line alone are a fair guess."""
        part = _part(member)
        if part is None:
            return 0.0
        return 0.95 if part != "counts" or "user_artist" in member.relative.name.lower() else 0.6

    def read(self, source: Source, sink: Sink) -> None:
        """One count a row, and the names of the good ids."""
        # What is none of the three is read as counts, so that each of its rows is accounted for.
        parts = {member: _part(member) or "counts" for member in source.members}
        aliases: dict[str, str] = {}
        for member in source.members:
            if parts[member] == "aliases":
                _read_aliases(source, member, sink, aliases)
        good = {bad: _resolved(bad, aliases) for bad in aliases}
        spare: dict[str, str] = {}  # names of bad ids, for good ids that turn out to have none
        for member in source.members:
            if parts[member] == "names":
                _read_names(source, member, sink, good, spare)
        for artist, name in sorted(spare.items()):
            sink.artist(_PREFIX + artist, name)
        for member in source.members:
            if parts[member] == "counts":
                _read_counts(source, member, sink, good)


def _part(member: Member) -> Literal["counts", "names", "aliases"] | None:
    lines, name = head_lines(member), member.relative.name.lower()
    if mostly(lines, _COUNT):
        return "counts"
    if "artist_alias" in name and mostly(lines, _ALIAS):
        return "aliases"
    # Without its name, a number and a text could be anything.
    if "artist_data" in name and mostly(lines, _NAME):
        return "names"
    return None


def _resolved(bad: str, aliases: dict[str, str]) -> str:
    """Where a chain of aliases ends; a circle ends at the least of its ids."""
    walked = [bad]
    while (following := aliases.get(walked[-1])) is not None:
        if following in walked:
            return min(walked[walked.index(following) :], key=int)
        walked.append(following)
    return walked[-1]


def _read_aliases(source: Source, member: Member, sink: Sink, aliases: dict[str, str]) -> None:
    for line, row in source.text_lines(member):
        columns = row.split("\t")
        if len(columns) == 2 and _is_id(bad := columns[0].strip()) and _is_id(right := columns[1].strip()):
            aliases[bad] = right
        elif row.strip():
            sink.drop((member, line), "malformed", "not a bad and a good artist number")


def _read_names(source: Source, member: Member, sink: Sink, good: dict[str, str], spare: dict[str, str]) -> None:
    targets = set(good.values())
    met: set[str] = set()
    for line, row in source.text_lines(member):
        artist, tab, written = row.partition("\t")
        artist, name = artist.strip(), written.strip()
        if not tab or not _is_id(artist):
            if row.strip():
                sink.drop((member, line), "malformed", "not an artist number and a name")
        elif not name:
            sink.drop((member, line), "incomplete", "the name is empty")
        elif (right := good.get(artist, artist)) == artist:
            sink.artist(_PREFIX + artist, name)
            if artist in targets:
                met.add(artist)
        else:
            spare.setdefault(right, name)
    for artist in met:
        spare.pop(artist, None)


def _read_counts(source: Source, member: Member, sink: Sink, good: dict[str, str]) -> None:
    for line, row in source.text_lines(member):
        columns = row.split()
        if len(columns) != 3:
            if columns:
                sink.drop((member, line), "malformed", f"{len(columns)} columns instead of 3")
            continue
        user, artist, written = columns
        plays = values.number(written)
        if not _is_id(user) or not _is_id(artist):
            sink.drop((member, line), "malformed", f"the {'artist' if _is_id(user) else 'user'} is not a number")
        elif plays is None:
            sink.drop((member, line), "malformed", "the count is not a number")
        else:
            sink.count(
                (member, line),
                user_id=_PREFIX + user,
                plays=plays,
                artist_id=_PREFIX + good.get(artist, artist),
            )


def _is_id(value: str) -> bool:
    return value.isascii() and value.isdigit()
