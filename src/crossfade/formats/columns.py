"""Any table with named columns: CSV, TSV and the like with a line of names, or Parquet.

Columns are found by the names that people give them (`NAMES`), or by what the person says. With a time, a
row is a listen; without one it is a count, of 1 where there is no column of plays. So is a row with a time that
names a track but no artist, since a listen has an artist: its time is not kept.

An id that is neither an MBID nor already behind its source's name is put behind ``columns:``. Users keep
the names they have.
"""

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from crossfade.core.errors import InputError, SettingsError
from crossfade.core.schemas import named_artist, named_track
from crossfade.formats import values
from crossfade.formats.contract import Member, Sink, Source
from crossfade.formats.delimited import records
from crossfade.formats.parquet_files import MARK, decoded, parquet_rows
from crossfade.formats.shapes import head_lines

if TYPE_CHECKING:
    import pyarrow as pa

NAMES: dict[str, tuple[str, ...]] = {
    "user": ("user", "userid", "username", "listener", "listenerid", "account", "usersha1"),
    "artist": ("artist", "artistname", "artisttitle", "performer", "band", "creator", "albumartist"),
    "artist_id": ("artistid", "artistmbid", "artmbid", "artisturi"),
    "title": ("track", "title", "tracktitle", "trackname", "song", "songname", "songtitle", "recordingname"),
    "track_id": ("trackid", "trackmbid", "recordingmbid", "recordingid", "songid", "trackuri", "itemid", "item"),
    "album": ("album", "albumname", "albumtitle", "release", "releasename"),
    "listened_at": (
        *("listenedat", "timestamp", "ts", "uts", "time", "datetime", "date", "playedat", "scrobbledat"),
        *("unixtimestamp", "epoch", "utctime", "starttime"),
    ),
    "plays": ("plays", "playcount", "count", "weight", "listens", "scrobbles", "listencount", "timesplayed"),
    "ms_played": ("msplayed", "playedms"),
    "track_ms": ("trackms", "durationms", "lengthms", "trackdurationms"),
    "isrc": ("isrc",),
    "private": ("private", "privatesession", "incognito", "incognitomode"),
    "skipped": ("skipped", "skip"),
    "source": ("source",),
    "context": ("context",),
    "platform": ("platform", "device", "client"),
}
"""Our columns, and the names (in lower case, letters and digits alone) that they are found by, best first."""

_DELIMITERS = (",", "\t", ";", "|")
_WORD = re.compile(rb"[A-Za-z][A-Za-z0-9_ -]*")
_ROWS_AT_ONCE = 1 << 15
_ITEMS = frozenset({"artist", "artist_id", "title", "track_id"})
_OTHERS = frozenset({"user", "listened_at", "plays"})


class Columns:
    """Every row is one listen, or one count where it has no time.

    ``columns`` maps our names (the keys of `NAMES`) to the file's, exactly as they are written there; whatever is
    not mapped is found by itself. Raises SettingsError for a name that is not one of ours.
    """

    name = "columns"
    title = "Table with named columns"

    def __init__(self, columns: Mapping[str, str] | None = None) -> None:
        self._columns = dict(columns or {})
        if unknown := sorted(self._columns.keys() - NAMES.keys()):
            raise SettingsError(f"There is no column {unknown[0]!r} to map to. There are: {', '.join(NAMES)}.")

    def recognise(self, member: Member) -> float:
        """A fair guess for names of columns that say who or when, and what."""
        if member.head.startswith(MARK):
            # Names stand in a footer between numbers that may look like letters, so this is a guess indeed.
            header = [name.decode() for name in _WORD.findall(member.footer)]
        else:
            lines = head_lines(member, 1)
            header = _header(lines[0], self._columns)[1] if lines else []
        found = self._found(header)
        return 0.5 if _ITEMS & found.keys() and _OTHERS & found.keys() else 0.0

    def read(self, source: Source, sink: Sink) -> None:
        """One listen or count a row, numbered by its line, or by its place in a Parquet file."""
        for member in source.members:
            if member.head.startswith(MARK):
                self._read_parquet(source, member, sink)
            else:
                self._read_text(source, member, sink)

    def _read_text(self, source: Source, member: Member, sink: Sink) -> None:
        lines = source.text_lines(member)
        first = next(((line, row) for line, row in lines if row.strip()), None)
        if first is None:
            return
        delimiter, header = _header(first[1], self._columns)
        places = {ours: header.index(name) for ours, name in self._required(member, header).items()}
        for line, record in records(lines, delimiter):
            if record is None:
                sink.drop((member, line), "malformed", "a quoted value does not end")
            elif len(record) != len(header):
                sink.drop((member, line), "malformed", f"{len(record)} columns instead of {len(header)}")
            else:
                _put(sink, (member, line), {ours: record[place] for ours, place in places.items()})

    def _read_parquet(self, source: Source, member: Member, sink: Sink) -> None:
        found: dict[str, str] = {}

        def choose(header: Sequence[str]) -> list[str]:
            found.update(self._required(member, header))
            return sorted(set(found.values()))

        def rows(batch: "pa.RecordBatch") -> Iterator[tuple[Any, ...]]:
            return zip(*(_plain(batch.column(name)) for name in found.values()), strict=True)

        batches = parquet_rows(source, member, _ROWS_AT_ONCE, choose, rows)
        for number, row in enumerate(itertools.chain.from_iterable(batches), start=1):
            _put(sink, (member, number), dict(zip(found, row, strict=True)))

    def _found(self, header: Sequence[str]) -> dict[str, str]:
        """Our column → the file's."""
        squashed: dict[str, str] = {}
        for name in header:
            squashed.setdefault("".join(filter(str.isalnum, name.casefold())), name)
        found = dict(self._columns)
        for ours, known in NAMES.items():
            free = [squashed[name] for name in known if name in squashed and squashed[name] not in found.values()]
            if ours not in found and free:
                found[ours] = free[0]
        return found

    def _required(self, member: Member, header: Sequence[str]) -> dict[str, str]:
        """`_found`, or InputError where it cannot be enough."""
        found = self._found(header)
        if missing := [name for name in self._columns.values() if name not in header]:
            raise InputError(
                f"there is no column {missing[0]!r}. There are: {', '.join(header[:20])}.", path=member.name, line=1
            )
        if not _ITEMS & found.keys():
            raise InputError(
                f"no column says which artist or track. There are: {', '.join(header[:20])}. "
                "Say which it is, for example artist=NAME.",
                path=member.name,
                line=1,
            )
        return found


def _header(line: str, said: Mapping[str, str]) -> tuple[str, list[str]]:
    """The delimiter under which ``line`` has the most names that mean something, and the names."""
    known = {*itertools.chain.from_iterable(NAMES.values())}
    best: tuple[int, str, list[str]] = (-1, _DELIMITERS[0], [])
    for delimiter in _DELIMITERS:
        row = next(records([(1, line)], delimiter), (1, None))[1]
        names = [name.strip() for name in row or []]
        meant = sum(name in said.values() or "".join(filter(str.isalnum, name.casefold())) in known for name in names)
        if meant > best[0]:
            best = (meant, delimiter, names)
    return best[1], best[2]


def _plain(column: "pa.Array") -> list[Any]:
    """The values of a Parquet column; times as seconds since 1970."""
    import pyarrow as pa

    if pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
        since = column.cast(pa.timestamp("us"), safe=False).cast(pa.int64())
        return [None if value is None else value / 1e6 for value in since.to_pylist()]
    try:
        plain: list[Any] = column.to_pylist()
    except UnicodeDecodeError:
        return decoded(column)
    return plain


def _put(sink: Sink, place: tuple[Member, int], row: Mapping[str, Any]) -> None:
    if values.truth(row.get("private")):
        # First of all: of a private row not even its faults are told.
        sink.drop(place, "private", "a private session")
        return
    user = _name(row.get("user"))
    if "user" in row and user is None:
        sink.drop(place, "incomplete", "the user is empty")
        return
    artist, title = _name(row.get("artist")), _name(row.get("title"))
    artist_id, track_id = _identifier(row.get("artist_id")), _identifier(row.get("track_id"))
    if not (artist or artist_id or track_id):
        sink.drop(place, "incomplete", "there is no artist and no track's id")
        return
    named = artist or artist_id
    if "listened_at" in row and named is not None:
        when = values.time(row["listened_at"])
        if when is None:
            empty = row["listened_at"] is None or row["listened_at"] == ""
            reason = ("incomplete", "the time is empty") if empty else ("malformed", "the time cannot be read")
            sink.drop(place, *reason)
            return
        sink.listen(
            place,
            user_id=user,
            listened_at=when,
            artist=named,
            title=title,
            artist_id=artist_id,
            track_id=track_id,
            album=_name(row.get("album")),
            ms_played=values.milliseconds(row.get("ms_played")),
            track_ms=values.milliseconds(row.get("track_ms")),
            isrc=_name(row.get("isrc")),
            skipped=values.truth(row.get("skipped")),
            source=_name(row.get("source")),
            context=_name(row.get("context")),
            platform=_name(row.get("platform")),
        )
        return
    plays = values.number(row["plays"]) if "plays" in row else 1.0
    if plays is None:
        sink.drop(place, "malformed", "the number of plays is not a number")
        return
    artist_id = artist_id or (named_artist(artist) if artist else None)
    track_id = track_id or (named_track(artist, title) if artist and title else None)
    if artist_id and artist:
        sink.artist(artist_id, artist)
    if track_id and title:
        sink.track(track_id, title, artist_id=artist_id, album=_name(row.get("album")))
    sink.count(place, user_id=user or sink.default_user, plays=plays, artist_id=artist_id, track_id=track_id)


def _name(value: Any) -> str | None:
    """A name, which a Parquet file may hold as a number."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else values.text(value)


def _identifier(value: Any) -> str | None:
    said = _name(value)
    if said is None or ":" in said:
        return said
    return values.mbid(said) or f"columns:{said}"
