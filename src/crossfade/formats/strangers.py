"""What a file of no known format looks like, and what to do with it."""

import re
import shlex
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import msgspec

from crossfade.formats.columns import Columns
from crossfade.formats.contract import Member
from crossfade.formats.delimited import records
from crossfade.formats.shapes import head_lines, head_text

SHOWN = 8  # names of columns or keys in a message

_MAGIC = {
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
    b"GIF8": "a picture",
    b"%PDF": "a PDF",
    b"SQLite format 3": "an SQLite database",
    b"PAR1": "a Parquet file",
    b"ID3": "a sound file",
    b"fLaC": "a sound file",
    b"OggS": "a sound file",
    b"RIFF": "a sound file or a picture",
    b"\x7fELF": "a program",
    b"MZ": "a program",
}
_DELIMITERS = {",": "a CSV", "\t": "a table with tabs", ";": "a CSV with semicolons", "|": "a table with bars"}
# For text without leading blanks. None can match a text in two ways: time would grow faster than the text.
_OBJECT = re.compile(r"(\[?)\s*\{")
_KEY = re.compile(r'"((?:[^"\\]|\\.){1,60})"\s*:')
_HTML = re.compile(r"<(?:!doctype html|html)\b", re.IGNORECASE)
_XML = re.compile(r"(?:<\?xml[^>]*>)?\s*(?:<!--.*?-->\s*)*+<([A-Za-z][\w:.-]{0,60})", re.DOTALL)

# Parts of the names that columns may have, best first. They are only proposed; `columns.NAMES` are used unasked.
_HINTS = {
    "user": ("user", "listener", "account", "person", "member", "who"),
    "artist": ("artist", "band", "performer", "singer", "interpret", "creator", "musician"),
    "title": ("title", "track", "song", "recording", "piece"),
    "listened_at": ("time", "date", "played", "when", "stamp"),
    "plays": ("plays", "count", "times", "number", "total"),
}


def described(path: Path, members: Sequence[Member]) -> str:
    """Return what the files at ``path`` look like, and the command to try next, as sentences."""
    if len(members) > 1:
        kinds = Counter(_kind(member) for member in members)
        listed = ", ".join(f"{kind} ({number:,} files)" for kind, number in kinds.most_common(4))
        return f"None of its {len(members):,} files is. They look like {listed}. {_elsewhere()}"
    (member,) = members
    delimiter, header = _table(member)
    if not header:
        return f"It looks like {_kind(member)}. {_elsewhere()}"
    columns = _proposed(header)
    mapped = " ".join(f"--column {ours}={shlex.quote(theirs)}" for ours, theirs in columns.items())
    missing = "" if {"artist", "title"} & columns.keys() else " --column artist=NAME"
    return (
        f"It looks like {_DELIMITERS[delimiter]} with the columns {_named(header)}. Say which of them are whose: "
        f"crossfade import columns {shlex.quote(str(path))} {mapped}{missing}"
    ).replace("  ", " ")


def _kind(member: Member) -> str:
    head = member.head
    if magic := next((kind for start, kind in _MAGIC.items() if head.startswith(start)), None):
        return magic
    if _is_binary(member):
        return "binary data"
    text = head_text(member).lstrip()
    if _HTML.match(text):
        return "a web page"
    if element := _XML.match(text):
        return f"XML of <{element.group(1)}>"
    if found := _OBJECT.match(text):
        return f"JSON, {'a list of objects' if found.group(1) else 'an object'} with the keys {_named(_keys(text))}"
    delimiter, header = _table(member)
    return f"{_DELIMITERS[delimiter]} with the columns {_named(header)}" if header else "plain text"


def _is_binary(member: Member) -> bool:
    return b"\0" in member.head[:1024] and not member.head.startswith((b"\xff\xfe", b"\xfe\xff"))


def _keys(text: str) -> list[str]:
    """Return the keys of the first object of a JSON text, as far as it goes; those of what is inside it too."""
    first = text[text.index("{") :]
    for end in [at.end() for at in re.finditer(r"\}", first[:8192])]:
        try:
            return list(msgspec.json.decode(first[:end], type=dict[str, msgspec.Raw]))
        except msgspec.DecodeError:
            continue
    return list(dict.fromkeys(_KEY.findall(first[:8192])))


def _table(member: Member) -> tuple[str, list[str]]:
    """Return the delimiter and the names of a table's columns; no names if it is no table."""
    lines = [] if _is_binary(member) else head_lines(member, 20)
    for delimiter in sorted(_DELIMITERS, key=lambda one: -lines[0].count(one)) if len(lines) > 1 else ():
        rows = [row for _, row in records(enumerate(lines), delimiter) if row is not None]
        width = len(rows[0]) if rows else 0
        if width > 1 and all(len(row) == width for row in rows[:5]) and "{" not in lines[0]:
            return delimiter, [name.strip() for name in rows[0]]
    return ",", []


def _proposed(header: Sequence[str]) -> dict[str, str]:
    """Return a column of ``header`` for each of ours that one may be."""
    columns = {ours: theirs for ours, theirs in Columns().recognised(header).items() if ours in _HINTS}
    for ours, parts in _HINTS.items():
        free = [name for name in header if name not in columns.values()]
        hit = next((name for part in parts for name in free if part in name.lower()), None)
        if ours not in columns and hit is not None and not (ours == "plays" and "listened_at" in columns):
            columns[ours] = hit
    return columns


def _named(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(name[:40] for name in names[:SHOWN]) + more


def _elsewhere() -> str:
    return (
        "docs/formats.md lists the files that can be imported. Any other listening history can be imported as a table: "
        "save it as a CSV with the columns artist, track and time, and type: crossfade import columns FILE"
    )
