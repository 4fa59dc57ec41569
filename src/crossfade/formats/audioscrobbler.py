"""Audioscrobbler, 6 May 2005: how often 150,000 users played their artists, in three tables.

    user_artist_data*.txt  user artist plays, separated by spaces
    artist_data*.txt       artist <TAB> name
    artist_alias*.txt      bad artist <TAB> good artist: the id of a misspelt name, and the right id

Bad ids are replaced by good ones before plays are counted. In the full data set some names contain line breaks or lack
an id, and some aliases lack the bad id; those lines are malformed.
"""

import re
from typing import Literal

from crossfade.formats import values
from crossfade.formats.contract import Member, Sink, Source
from crossfade.formats.delimited import split_rows
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
        """0.95 for a known file name with matching content, 0.6 for three numbers a line."""
        part = _part(member)
        if part is None:
            return 0.0
        return 0.95 if part != "counts" or "user_artist" in member.relative.name.lower() else 0.6

    def read(self, source: Source, sink: Sink) -> None:
        """One count a row, and the names of the good ids."""
        # A file that is none of the three is read as counts, so that each of its rows is accounted for.
        parts = {member: _part(member) or "counts" for member in source.members}
        aliases: dict[str, str] = {}
        for member in source.members:
            if parts[member] == "aliases":
                _read_aliases(source, member, sink, aliases)
        good = _resolved(aliases)
        spare: dict[str, str] = {}  # names of bad ids, for good ids without a name
        for member in source.members:
            if parts[member] == "names":
                _read_names(source, member, sink, good, spare)
        for artist, name in sorted(spare.items()):
            sink.item("artist", _PREFIX + artist, name)
        for member in source.members:
            if parts[member] == "counts":
                _read_counts(source, member, sink, good)


def _part(member: Member) -> Literal["counts", "names", "aliases"] | None:
    lines, name = head_lines(member), member.relative.name.lower()
    if mostly(lines, _COUNT):
        return "counts"
    if "artist_alias" in name and mostly(lines, _ALIAS):
        return "aliases"
    # Without the file name, a number and a text could be anything.
    if "artist_data" in name and mostly(lines, _NAME):
        return "names"
    return None


def _resolved(aliases: dict[str, str]) -> dict[str, str]:
    """Return the end of the chain of each alias; for a chain into a circle, the least id of the circle."""
    ends: dict[str, str] = {}
    for bad in aliases:
        chain: dict[str, None] = {}  # in order; each id is walked over once, however long the chains
        last = bad
        while last in aliases and last not in ends and last not in chain:
            chain[last] = None
            last = aliases[last]
        end = ends.get(last, last)
        if last in chain:
            ids = list(chain)
            end = min(ids[ids.index(last) :], key=int)
        ends |= dict.fromkeys(chain, end)
    return ends


def _read_aliases(source: Source, member: Member, sink: Sink, aliases: dict[str, str]) -> None:
    for place, columns in split_rows(source, member, sink, 2):
        bad, right = (column.strip() for column in columns)
        if _is_id(bad) and _is_id(right):
            aliases[bad] = right
        else:
            sink.drop(place, "malformed", "not a bad and a good artist number")


def _read_names(source: Source, member: Member, sink: Sink, good: dict[str, str], spare: dict[str, str]) -> None:
    targets = set(good.values())
    named: set[str] = set()
    for line, row in source.text_lines(member):
        artist, tab, text = row.partition("\t")
        artist, name = artist.strip(), text.strip()
        if not tab or not _is_id(artist):
            if row.strip():
                sink.drop((member, line), "malformed", "not an artist number and a name")
        elif not name:
            sink.drop((member, line), "incomplete", "the name is empty")
        elif (right := good.get(artist, artist)) == artist:
            sink.item("artist", _PREFIX + artist, name)
            if artist in targets:
                named.add(artist)
        else:
            spare.setdefault(right, name)
    for artist in named:
        spare.pop(artist, None)


def _read_counts(source: Source, member: Member, sink: Sink, good: dict[str, str]) -> None:
    for place, (user, artist, text) in split_rows(source, member, sink, 3, None):
        plays = values.number(text)
        if not _is_id(user) or not _is_id(artist):
            sink.drop(place, "malformed", f"the {'artist' if _is_id(user) else 'user'} is not a number")
        elif plays is None:
            sink.drop(place, "malformed", "the count is not a number")
        else:
            artist_id = _PREFIX + good.get(artist, artist)
            sink.count(place, user_id=_PREFIX + user, plays=plays, kind="artist", item_id=artist_id)


def _is_id(value: str) -> bool:
    return value.isascii() and value.isdigit()
