"""What players send in forms, as listens: the same fields under the names of each protocol."""

import re
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import parse_qsl

from crossfade.core.errors import InputError
from crossfade.formats import values
from crossfade.stores.live import Track

MOST_LISTENS = 50  # a request, in both protocols
LONGEST_BODY = 512 * 1024  # 50 listens with names as long as they may be, every letter escaped
MOST_FIELDS = 1000

_INDEXED = re.compile(r"(\w+)\[(\d{1,3})\]")


class Names(NamedTuple):
    """What a protocol calls the fields of a listen."""

    artist: str
    title: str
    album: str
    duration: str
    mbid: str


def form(*encoded: bytes) -> dict[str, str]:
    """Return the fields of URL-encoded texts together, the last of each name; InputError if they cannot be read."""
    fields: dict[str, str] = {}
    for text in encoded:
        try:
            pairs = parse_qsl(text.decode("ascii"), keep_blank_values=True, max_num_fields=MOST_FIELDS, errors="strict")
        except ValueError as error:
            raise InputError("The form is not URL-encoded UTF-8, or has too many fields.") from error
        fields.update(pairs)
    if any("\x00" in text for pair in fields.items() for text in pair):
        raise InputError("The form contains a NUL character. Leave it out.")
    return fields


def rows(fields: Mapping[str, str]) -> list[dict[str, str]]:
    """Return the listens of ``fields``: those of ``name[0]``, ``name[1]``, … in order, else that of plain names.

    Raises InputError for more than `MOST_LISTENS`.
    """
    found: dict[int, dict[str, str]] = {}
    for name, value in fields.items():
        if match := _INDEXED.fullmatch(name):
            found.setdefault(int(match[2]), {})[match[1]] = value
    if len(found) > MOST_LISTENS:
        raise InputError(f"A request has at most {MOST_LISTENS} listens. Send them in several requests.")
    return [found[place] for place in sorted(found)] or [dict(fields)]


def track_of(row: Mapping[str, str], names: Names) -> Track:
    """Return the track of a row; InputError without the names of an artist and a track."""
    artist, title = values.text(row.get(names.artist)), values.text(row.get(names.title))
    if artist is None or title is None:
        raise InputError("A listen needs the names of an artist and a track.")
    return Track(
        artist=artist,
        title=title,
        album=values.text(row.get(names.album)),
        mbid=values.mbid(row.get(names.mbid)),
        duration_ms=values.milliseconds(row.get(names.duration), per_unit=1000),
    )


def began_at(track: Track, time: str | None, *, ended: bool = False) -> float:
    """Return the seconds since 1970 at which a listen of ``track`` began, ``time`` being when it began or ``ended``."""
    seconds = values.number(time)
    if seconds is None:
        raise InputError("A listen needs the time at which the track began, in seconds since 1970.")
    return seconds - (track.duration_ms or 0) / 1000 if ended else seconds
