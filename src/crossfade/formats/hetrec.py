"""HetRec 2011 Last.fm: 1,892 users, their artists, tags and friends, in a folder of five tables.

    user_artists.dat        userID artistID weight          weight is a number of plays
    artists.dat             id name url pictureURL
    tags.dat                tagID tagValue                  in ISO-8859-1
    user_taggedartists.dat  userID artistID tagID day month year
    user_friends.dat        userID friendID                 each pair stands in both directions

Tab-separated, a line of column names, no quotes, CRLF in most.

Cantador, Brusilovsky & Kuflik, "2nd Workshop on Information Heterogeneity and Fusion in Recommender
Systems", RecSys 2011.
"""

from collections.abc import Callable, Iterator, Mapping

from crossfade.formats import values
from crossfade.formats.contract import Member, Place, Sink, Source
from crossfade.formats.shapes import head_lines

_PREFIX = "hetrec:"


class HetRec:
    """Every row of user_artists.dat is one user's count of one artist."""

    name = "hetrec"
    title = "HetRec 2011 Last.fm data set"

    def recognise(self, member: Member) -> float:
        """1 by the line of column names."""
        return 1.0 if _columns(member) in _TABLES else 0.0

    def read(self, source: Source, sink: Sink) -> None:
        """Names, counts and friends; a tag counts once for every user that gave it to an artist."""
        tags: dict[str, str] = {}
        readers: Mapping[tuple[str, ...], Callable[[Sink, Place, list[str]], None]] = {
            _ARTISTS: _put_artist,
            _TAGS: lambda sink, place, row: _remember_tag(tags, sink, place, row),
            _COUNTS: _put_count,
            _TAGGED: lambda sink, place, row: _put_tag(tags, sink, place, row),
            _FRIENDS: _put_friend,
        }
        # In the order of `_TABLES`, so that the text of a tag is read before its uses.
        for columns in _TABLES:
            for member in source.members:
                if _columns(member) == columns:
                    for place, row in _rows(source, member):
                        if len(row) == len(columns):
                            readers[columns](sink, place, row)
                        else:
                            sink.drop(place, "malformed", f"{len(row)} columns instead of {len(columns)}")
        for member in source.members:
            if _columns(member) not in _TABLES:
                for place, _ in _rows(source, member):
                    sink.drop(place, "malformed", "the file has the column names of none of the five tables")


_ARTISTS = ("id", "name", "url", "pictureurl")
_TAGS = ("tagid", "tagvalue")
_COUNTS = ("userid", "artistid", "weight")
_TAGGED = ("userid", "artistid", "tagid", "day", "month", "year")
_FRIENDS = ("userid", "friendid")
_TABLES = (_ARTISTS, _TAGS, _COUNTS, _TAGGED, _FRIENDS)


def _columns(member: Member) -> tuple[str, ...]:
    lines = head_lines(member, 1)
    return tuple(lines[0].strip().lower().split("\t")) if lines else ()


def _rows(source: Source, member: Member) -> Iterator[tuple[Place, list[str]]]:
    """Yield (place, values) of every line but the column names and blank ones."""
    header = True
    for line, row in source.text_lines(member):
        if row.strip():
            if not header:
                yield (member, line), [value.strip() for value in row.split("\t")]
            header = False


def _put_artist(sink: Sink, place: Place, row: list[str]) -> None:
    if row[0] and row[1]:
        sink.item("artist", _PREFIX + row[0], row[1])
    else:
        sink.drop(place, "incomplete", f"the {'name' if row[0] else 'id'} is empty")


def _remember_tag(tags: dict[str, str], sink: Sink, place: Place, row: list[str]) -> None:
    if row[0] and row[1]:
        tags[row[0]] = row[1]
    else:
        sink.drop(place, "incomplete", f"the {'tagValue' if row[0] else 'tagID'} is empty")


def _put_count(sink: Sink, place: Place, row: list[str]) -> None:
    user, artist, weight = row
    plays = values.number(weight)
    if not user or not artist:
        sink.drop(place, "incomplete", f"the {'artistID' if user else 'userID'} is empty")
    elif plays is None:
        sink.drop(place, "malformed", "the weight is not a number")
    else:
        sink.count(place, user_id=_PREFIX + user, plays=plays, kind="artist", item_id=_PREFIX + artist)


def _put_tag(tags: dict[str, str], sink: Sink, place: Place, row: list[str]) -> None:
    artist, tag = row[1], tags.get(row[2])
    if artist and tag is not None:
        sink.tag("artist", _PREFIX + artist, tag)
    else:
        sink.drop(place, "incomplete", "the tagID is not in tags.dat" if artist else "the artistID is empty")


def _put_friend(sink: Sink, place: Place, row: list[str]) -> None:
    user, friend = row
    if user and friend:
        sink.friend(_PREFIX + user, _PREFIX + friend)
    else:
        sink.drop(place, "incomplete", f"the {'friendID' if user else 'userID'} is empty")
