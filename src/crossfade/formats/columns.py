"""Any table with named columns: CSV, TSV and the like with a line of names, or Parquet.

Columns are recognised by their usual names (`NAMES`), or mapped by the user. With a time, a row is a listen; without
one it is a count, of 1 where there is no column of plays.

An id that is neither an MBID nor prefixed with its source's name gets the prefix ``columns:``. User names stay as they
are.
"""

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from crossfade.core.errors import InputError, SettingsError
from crossfade.core.names import named_id
from crossfade.formats import values
from crossfade.formats.contract import Member, Place, Sink, Source
from crossfade.formats.delimited import records
from crossfade.formats.parquet_files import MARK, decoded, parquet_rows
from crossfade.formats.scrobbles import unusable_time
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
    "duration_ms": ("trackms", "durationms", "lengthms", "trackdurationms"),
    "isrc": ("isrc",),
    "private": ("private", "privatesession", "incognito", "incognitomode"),
    "skipped": ("skipped", "skip"),
    "source": ("source",),
    "context": ("context",),
    "platform": ("platform", "device", "client"),
}
"""Our columns, and the names (in lower case, letters and digits alone) that they are recognised by, best first."""

_DELIMITERS = (",", "\t", ";", "|")
_WORD = re.compile(rb"[A-Za-z][A-Za-z0-9_ -]*")
_ROWS_AT_ONCE = 1 << 15
_ITEMS = frozenset({"artist", "artist_id", "title", "track_id"})
_OTHERS = frozenset({"user", "listened_at", "plays"})


class Columns:
    """Every row is one listen, or one count where it has no time.

    ``columns`` maps our names (the keys of `NAMES`) to the file's, exactly as written there; other columns are
    recognised by their names. Raises SettingsError for a name that is not one of ours.
    """

    name = "columns"
    title = "Table with named columns"

    def __init__(self, columns: Mapping[str, str] | None = None) -> None:
        self._columns = dict(columns or {})
        if unknown := sorted(self._columns.keys() - NAMES.keys()):
            raise SettingsError(f"There is no column {unknown[0]!r} to map to. There are: {', '.join(NAMES)}.")

    def recognise(self, member: Member) -> float:
        """0.5 for a column of items together with one of users, times or plays."""
        if member.head.startswith(MARK):
            # The footer has names between numbers that may look like letters, so this is only a guess.
            header = [name.decode() for name in _WORD.findall(member.footer)]
        else:
            lines = head_lines(member, 1)
            header = _header(lines[0], self._columns)[1] if lines else []
        ours = self._recognised(header).keys()
        return 0.5 if _ITEMS & ours and _OTHERS & ours else 0.0

    def read(self, source: Source, sink: Sink) -> None:
        """One listen or count a row, numbered by line, or by its place in a Parquet file."""
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
        places: dict[str, str] = {}

        def choose(header: Sequence[str]) -> list[str]:
            places.update(self._required(member, header))
            return sorted(set(places.values()))

        def rows(batch: "pa.RecordBatch") -> Iterator[tuple[Any, ...]]:
            return zip(*(_plain(batch.column(name)) for name in places.values()), strict=True)

        batches = parquet_rows(source, member, _ROWS_AT_ONCE, choose, rows)
        for number, row in enumerate(itertools.chain.from_iterable(batches), start=1):
            _put(sink, (member, number), dict(zip(places, row, strict=True)))

    def _recognised(self, header: Sequence[str]) -> dict[str, str]:
        """Return the file's column for each of ours that it has."""
        theirs: dict[str, str] = {}
        for name in header:
            theirs.setdefault(_squashed(name), name)
        columns = dict(self._columns)
        for ours, names in NAMES.items():
            free = [theirs[name] for name in names if name in theirs and theirs[name] not in columns.values()]
            if ours not in columns and free:
                columns[ours] = free[0]
        return columns

    def _required(self, member: Member, header: Sequence[str]) -> dict[str, str]:
        """`_recognised`; InputError if a mapped column is missing or no column names items."""
        columns = self._recognised(header)
        present = f"There are: {', '.join(header[:20])}."
        if missing := [name for name in self._columns.values() if name not in header]:
            raise InputError(f"there is no column {missing[0]!r}. {present}", path=member.name, line=1)
        if not _ITEMS & columns.keys():
            why = f"no column names the artist or the track. {present} Map one of them: --column artist=NAME."
            raise InputError(why, path=member.name, line=1)
        return columns


def _squashed(name: str) -> str:
    return "".join(filter(str.isalnum, name.casefold()))


def _header(line: str, mapped: Mapping[str, str]) -> tuple[str, list[str]]:
    """Return the delimiter under which ``line`` has the most recognised names, and the names."""
    recognised = {*itertools.chain.from_iterable(NAMES.values())}
    best: tuple[int, str, list[str]] = (-1, _DELIMITERS[0], [])
    for delimiter in _DELIMITERS:
        row = next(records([(1, line)], delimiter), (1, None))[1]
        names = [name.strip() for name in row or []]
        score = sum(name in mapped.values() or _squashed(name) in recognised for name in names)
        if score > best[0]:
            best = (score, delimiter, names)
    return best[1], best[2]


def _plain(column: "pa.Array") -> list[Any]:
    """Return the values of a Parquet column; times as seconds since 1970."""
    import pyarrow as pa

    if pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
        since = column.cast(pa.timestamp("us"), safe=False).cast(pa.int64())
        return [None if value is None else value / 1e6 for value in since.to_pylist()]
    try:
        plain: list[Any] = column.to_pylist()
    except UnicodeDecodeError:
        return decoded(column)
    return plain


def _put(sink: Sink, place: Place, row: Mapping[str, Any]) -> None:
    if values.truth(row.get("private")):
        # First of all: of a private row not even the faults are recorded.
        sink.drop(place, "private", "a private session")
        return
    user, artist, title, album = (_name(row.get(column)) for column in ("user", "artist", "title", "album"))
    artist_id, track_id = _identifier(row.get("artist_id")), _identifier(row.get("track_id"))
    if "user" in row and user is None:
        sink.drop(place, "incomplete", "the user is empty")
    elif not (artist or artist_id or track_id):
        sink.drop(place, "incomplete", "neither the artist nor the track's id is there")
    elif "listened_at" in row:
        listened_at = values.time(row["listened_at"])
        if listened_at is None:
            sink.drop(place, *unusable_time(row["listened_at"]))
            return
        sink.listen(
            place,
            user_id=user,
            listened_at=listened_at,
            name=title,
            parent=artist,
            item_id=track_id,
            parent_id=artist_id,
            ms_played=values.played(row.get("ms_played")),
            duration_ms=values.milliseconds(row.get("duration_ms")),
            skipped=values.truth(row.get("skipped")),
            album=album,
            isrc=_name(row.get("isrc")),
            source=_name(row.get("source")),
            context=_name(row.get("context")),
            platform=_name(row.get("platform")),
        )
    elif (plays := values.number(row.get("plays", 1))) is None:
        sink.drop(place, "malformed", "the number of plays is not a number")
    else:
        credited = artist or artist_id
        artist_id = artist_id or (named_id(artist) if artist else None)
        track_id = track_id or (named_id(title, credited) if credited and title else None)
        if artist_id and artist:
            sink.item("artist", artist_id, artist)
        if track_id and title:
            sink.item("track", track_id, title, parent_id=artist_id, album=album)
        user_id = user or sink.default_user
        if track_id:
            sink.count(place, user_id=user_id, plays=plays, kind="track", item_id=track_id, parent_id=artist_id)
        elif artist_id:
            sink.count(place, user_id=user_id, plays=plays, kind="artist", item_id=artist_id)


def _name(value: Any) -> str | None:
    """Return a name, which may be a number in a Parquet file."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else values.text(value)


def _identifier(value: Any) -> str | None:
    name = _name(value)
    if name is None or ":" in name:
        return name
    return values.mbid(name) or f"columns:{name}"
