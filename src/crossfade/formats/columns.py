"""Any table with named columns: CSV, TSV and the like with a line of names, or Parquet.

Columns are recognised by their usual names (`NAMES`), or mapped by the user. With a time, a row is a listen; without
one it is a count, of 1 where there is no column of plays.

An id that is neither an MBID nor prefixed with its source's name gets the prefix ``columns:``. User names stay as they
are.
"""

import functools
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from crossfade.core.errors import InputError, SettingsError
from crossfade.formats.contract import Member, Sink, Source
from crossfade.formats.delimited import records
from crossfade.formats.parquet_files import MARK, parquet_rows
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
_TEXTS = ("user", "artist", "title", "album", "isrc", "source", "context", "platform")
_OF_A_LISTEN = {
    **{
        name: name for name in ("album", "isrc", "source", "context", "platform", "ms_played", "duration_ms", "skipped")
    },
    **{"user": "user_id", "title": "name", "artist": "parent_name", "track_id": "item_id", "artist_id": "parent_id"},
}
"""The names that our columns have in `contract.Sink.listens`."""
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
        ours = self.recognised(header).keys()
        return 0.5 if _ITEMS & ours and _OTHERS & ours else 0.0

    def read(self, source: Source, sink: Sink) -> None:
        """One listen or count a row, numbered by line, or by its place in a Parquet file."""
        for member in source.members:
            if member.head.startswith(MARK):
                self._read_parquet(source, member, sink)
            else:
                self._read_text(source, member, sink)

    def _read_text(self, source: Source, member: Member, sink: Sink) -> None:
        import pyarrow as pa

        lines = source.text_lines(member)
        first = next(((line, row) for line, row in lines if row.strip()), None)
        if first is None:
            return
        delimiter, header = _header(first[1], self._columns)
        places = {ours: header.index(name) for ours, name in self._required(member, header, sink).items()}
        numbered = records(lines, delimiter)
        while batch := list(itertools.islice(numbered, _ROWS_AT_ONCE)):
            rows: list[tuple[int, list[str]]] = []
            faults: list[Fault] = []
            for line, row in batch:
                if row is None:
                    faults.append((line, "malformed", "a quoted value does not end"))
                elif len(row) != len(header):
                    faults.append((line, "malformed", f"{len(row)} columns instead of {len(header)}"))
                else:
                    rows.append((line, row))
            columns = {ours: pa.array([row[place] for _, row in rows], pa.string()) for ours, place in places.items()}
            _put(sink, member, pa.array([line for line, _ in rows], pa.int64()), columns, faults)

    def _read_parquet(self, source: Source, member: Member, sink: Sink) -> None:
        import pyarrow as pa

        from crossfade.formats.value_columns import plain

        places: dict[str, str] = {}

        def choose(header: Sequence[str]) -> list[str]:
            places.update(self._required(member, header, sink))
            return sorted(set(places.values()))

        def columns(batch: "pa.RecordBatch") -> dict[str, pa.Array]:
            return {ours: plain(batch.column(theirs)) for ours, theirs in places.items()}

        first = 1
        for batch in parquet_rows(source, member, _ROWS_AT_ONCE, choose, columns):
            rows = len(next(iter(batch.values())))
            _put(sink, member, pa.array(range(first, first + rows), pa.int64()), batch)
            first += rows

    def recognised(self, header: Sequence[str]) -> dict[str, str]:
        """Return the file's column for each of ours that it has, of the names of its columns."""
        theirs: dict[str, str] = {}
        for name in header:
            theirs.setdefault(_squashed(name), name)
        columns = dict(self._columns)
        for ours, names in NAMES.items():
            free = [theirs[name] for name in names if name in theirs and theirs[name] not in columns.values()]
            if ours not in columns and free:
                columns[ours] = free[0]
        return columns

    def _required(self, member: Member, header: Sequence[str], sink: Sink) -> dict[str, str]:
        """`recognised`; InputError if a mapped column is missing or no column names items."""
        columns = self.recognised(header)
        present = f"There are: {', '.join(name[:40] for name in header[:20])}."
        if missing := [name for name in self._columns.values() if name not in header]:
            raise InputError(f"there is no column {missing[0]!r}. {present}", path=member.name, line=1)
        if not _ITEMS & columns.keys():
            why = f"no column names the artist or the track. {present} Map one of them: --column artist=NAME."
            raise InputError(why, path=member.name, line=1)
        sink.mapped(member, columns, [name for name in header if name not in columns.values()])
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


Fault = tuple[int, str, str]
"""The number of a row, the reason to drop it, and what is wrong with it."""


def _put(
    sink: Sink, member: Member, lines: "pa.Array", row: Mapping[str, "pa.Array"], faults: Sequence[Fault] = ()
) -> None:
    """Hand rows to ``sink``: ``row`` has our columns (rows,), ``lines`` their numbers; drop those with ``faults``."""
    import pyarrow.compute as pc

    from crossfade.formats import value_columns as convert

    drops = _Drops(len(lines))
    if "private" in row:
        # First of all: of a private row not even the faults are recorded.
        drops.add(convert.truths(row["private"]).fill_null(False), "private", "a private session")
    ours = {name: convert.names(row[name]) for name in _TEXTS if name in row}
    ours |= {name: convert.identifiers(row[name], "columns") for name in ("artist_id", "track_id") if name in row}
    if "user" in ours:
        drops.add(ours["user"].is_null(), "incomplete", "the user is empty")
    identified = [ours[name].is_null() for name in ("artist", "artist_id", "track_id") if name in ours]
    if identified:
        nothing = functools.reduce(pc.and_, identified)
        drops.add(nothing, "incomplete", "neither the artist nor the track's id is there")
    else:  # a title alone
        drops.add(lines.is_valid(), "incomplete", "neither the artist nor the track's id is there")
    if "listened_at" in row:
        since = convert.times(row["listened_at"])
        empty = _is_empty(row["listened_at"])
        drops.add(pc.and_(since.is_null(), empty), *unusable_time(None))
        drops.add(since.is_null(), *unusable_time("unreadable"))
        ours["listened_at"] = since
        put = _put_listens
    else:
        if "plays" in row:
            ours["plays"] = convert.numbers(row["plays"])
            drops.add(ours["plays"].is_null(), "malformed", "the number of plays is not a number")
        put = _put_counts
    for line, reason, why in sorted([*faults, *drops.faults(lines)]):
        sink.drop((member, line), reason, why)
    for name, lengths in (("ms_played", {"zero": True}), ("duration_ms", {})):
        if name in row:
            ours[name] = convert.milliseconds(row[name], **lengths)
    if "skipped" in row:
        ours["skipped"] = convert.truths(row["skipped"])
    kept = drops.kept
    if len(ours) and kept is not None:
        ours, lines = {name: column.filter(kept) for name, column in ours.items()}, lines.filter(kept)
    if len(lines):
        put(sink, member, lines, ours)


class _Drops:
    """Why rows (n,) are dropped; the first reason of a row counts."""

    def __init__(self, rows: int) -> None:
        self._codes = np.zeros(rows, dtype=np.int8)  # 0 kept, else 1 + place in `_reasons`
        self._reasons: list[tuple[str, str]] = []

    def add(self, mask: "pa.Array", reason: str, why: str) -> None:
        rows = mask.to_numpy(zero_copy_only=False)
        if rows.any():
            self._reasons.append((reason, why))
            self._codes[rows & (self._codes == 0)] = len(self._reasons)

    def faults(self, lines: "pa.Array") -> Iterator[Fault]:
        at = np.flatnonzero(self._codes)
        for line, code in zip(lines.to_numpy()[at].tolist(), self._codes[at].tolist(), strict=True):
            yield line, *self._reasons[code - 1]

    @property
    def kept(self) -> "pa.Array | None":
        """The rows that are not dropped; None if all are kept."""
        import pyarrow as pa

        return pa.array(self._codes == 0) if self._reasons else None


def _is_empty(column: "pa.Array") -> "pa.Array":
    import pyarrow as pa
    import pyarrow.compute as pc

    empty = column.is_null()
    return pc.or_kleene(empty, pc.equal(column, "")) if pa.types.is_string(column.type) else empty


def _put_listens(sink: Sink, member: Member, lines: "pa.Array", ours: dict[str, "pa.Array"]) -> None:
    import pyarrow as pa
    import pyarrow.compute as pc

    milliseconds = pc.round(pc.multiply(ours["listened_at"], 1000.0), round_mode="half_to_even").cast(pa.int64())
    columns = {theirs: ours[name] for name, theirs in _OF_A_LISTEN.items() if name in ours}
    columns["listened_at"] = milliseconds.cast(pa.timestamp("ms", tz="UTC"))
    for name in ("name", "parent_name", "item_id", "parent_id"):
        columns.setdefault(name, pa.nulls(len(lines), pa.string()))
    sink.listens(member, lines, pa.table(columns))


def _put_counts(sink: Sink, member: Member, lines: "pa.Array", ours: dict[str, "pa.Array"]) -> None:
    import pyarrow as pa
    import pyarrow.compute as pc

    from crossfade.core.name_columns import named_ids

    rows = len(lines)
    nothing = pa.nulls(rows, pa.string())
    artist, title = ours.get("artist", nothing), ours.get("title", nothing)
    credited = pc.coalesce(artist, ours.get("artist_id", nothing))
    artist_id = pc.coalesce(ours.get("artist_id", nothing), named_ids(artist))
    track_id = pc.coalesce(ours.get("track_id", nothing), named_ids(title, credited))
    artists = pa.table({"item_id": artist_id, "name": artist})
    sink.item_rows("artist", artists.filter(artist.is_valid()))
    tracks = {"item_id": track_id, "name": title, "parent_id": artist_id, "album": ours.get("album", nothing)}
    sink.item_rows("track", pa.table(tracks).filter(pc.and_(track_id.is_valid(), title.is_valid())))
    counted = {
        "user_id": ours.get("user", pa.repeat(sink.default_user, rows)),
        "plays": ours.get("plays", pa.repeat(1.0, rows)),
        "kind": pc.if_else(track_id.is_valid(), "track", "artist"),
        "item_id": pc.coalesce(track_id, artist_id),
        "parent_id": pc.if_else(track_id.is_valid(), artist_id, None),
    }
    sink.counts(member, lines, pa.table(counted))
