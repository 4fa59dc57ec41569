"""The sink of an import: takes rows from a format, judges them in batches, and stages what stays.

Memory is bounded: rows wait in one batch and in the stages, which write to the disk. A private row is counted
and dropped before anything else is done with it.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crossfade.core import schemas
from crossfade.formats.contract import REASONS, Member
from crossfade.importing.cleaning import BATCH, MAX_TEXT, CleaningSettings, Drops, Judge
from crossfade.importing.ledger import FileLedger, Ledger, Sample
from crossfade.importing.names import CALLED, Names
from crossfade.importing.staging import Stage

_LONE_SURROGATES = re.compile("[\ud800-\udfff]")  # halves of pairs, which are not text
BATCH_ROWS = 100_000  # judged at once: enough that the cost per batch vanishes, some 20 MiB

_PLACE = [pa.field("file", pa.int32()), pa.field("line", pa.int64())]
COUNT_BATCH = pa.schema(
    [
        *_PLACE,
        pa.field("user_id", pa.string()),
        pa.field("artist_id", pa.string()),
        pa.field("track_id", pa.string()),
        pa.field("plays", pa.float64()),
    ]
)

STAGED = {
    "listens": (
        pa.schema([*_PLACE, *(field.with_nullable(True) for field in schemas.LISTENS)]),
        "user_id",
    ),
    "counts": (pa.schema([*_PLACE, *(field.with_nullable(True) for field in schemas.COUNTS)]), "user_id"),
    "artists": (CALLED, "artist_id"),
    "tracks": (schemas.TRACKS, "track_id"),
    "tags": (schemas.TAGS, "artist_id"),
    "texts": (schemas.TEXTS, "artist_id"),
    "friends": (schemas.FRIENDS, "user_id"),
    "playlists": (schemas.PLAYLISTS, "playlist_id"),
    "playlist_items": (schemas.PLAYLIST_ITEMS, "playlist_id"),
    "feedback": (schemas.FEEDBACK, "user_id"),
}
"""For each table, the schema of its staged rows and the column they are grouped by."""


class ImportSink:
    """Implements `contract.Sink` for one import.

    directory  where stages may write; empty or not there yet
    user       of the rows whose format names none
    now        seconds since 1970, against which the future is told
    """

    def __init__(self, directory: Path, ledger: Ledger, settings: CleaningSettings, *, user: str, now: float) -> None:
        self.default_user = user
        self.ledger = ledger
        self.settings = settings
        self._judge = Judge(settings, now)
        self._stages: dict[str, Stage] = {}
        self._directory = directory
        self._names = Names(self.stage("artists"), self.stage("tracks"))
        self._format = ""
        self._numbers: dict[str, int] = {}
        self._member: Member | None = None
        self._number = 0
        self._file = FileLedger(name="", format="")
        self._rows: list[tuple[Any, ...]] = []
        self._tables: list[pa.Table] = []
        self._table_rows = 0
        self._counts: list[tuple[Any, ...]] = []
        self._others: dict[str, list[tuple[Any, ...]]] = {}

    def begin(self, format_name: str) -> None:
        """Rows come from ``format_name`` from now on."""
        self._format = format_name
        self._member = None

    def opened(self, member: Member) -> None:
        """``member`` is being read; it has its place in the ledger even if it holds no row."""
        self._turn_to(member)

    def damaged(self, member: Member, why: str) -> None:
        """``member`` ended early."""
        self._turn_to(member).damage = why

    def stage(self, table: str) -> Stage:
        """The staged rows of a table."""
        if table not in self._stages:
            schema, key = STAGED[table]
            self._stages[table] = Stage(self._directory / table, schema, key)
        return self._stages[table]

    def listen(
        self,
        place: tuple[Member, int],
        *,
        user_id: str | None = None,
        listened_at: float,
        artist: str,
        title: str | None = None,
        artist_id: str | None = None,
        track_id: str | None = None,
        album: str | None = None,
        ms_played: int | None = None,
        track_ms: int | None = None,
        isrc: str | None = None,
        private: bool = False,
        skipped: bool | None = None,
        source: str | None = None,
        context: str | None = None,
        platform: str | None = None,
    ) -> None:
        """See `contract.Sink`."""
        member, line = place
        file = self._file if member is self._member else self._turn_to(member)
        file.read += 1
        if private:
            file.drop("private")
            return
        self._rows.append(
            (self._number, line, self.default_user if user_id is None else user_id, listened_at, artist_id, artist,
             track_id, title, album, ms_played, track_ms, isrc, skipped, source, context, platform)
        )  # fmt: skip
        if len(self._rows) >= BATCH_ROWS:
            self._judge_listens()

    def listens(self, member: Member, first: int, table: pa.Table, private: pa.Array | None = None) -> None:
        """See `contract.Sink`."""
        file = self._turn_to(member)
        file.read += len(table)
        lines = pa.array(np.arange(first, first + len(table), dtype=np.int64))
        if private is not None:
            public = pc.invert(pc.fill_null(private, False))
            table, lines = table.filter(public), lines.filter(public)
            if hidden := len(public) - len(table):
                file.drop("private", hidden)
        self._move_rows()
        columns = {name: table[name] for name in table.schema.names}
        columns["file"] = pa.repeat(pa.scalar(self._number, pa.int32()), len(table))
        columns["line"] = lines
        if "user_id" not in columns:
            columns["user_id"] = pa.repeat(self.default_user, len(table))
        self._tables.append(pa.table([_as(columns.get(f.name), f, len(table)) for f in BATCH], schema=BATCH))
        self._table_rows += len(table)
        if self._table_rows >= BATCH_ROWS:
            self._judge_listens()

    def count(
        self,
        place: tuple[Member, int],
        *,
        user_id: str,
        plays: float,
        artist_id: str | None = None,
        track_id: str | None = None,
    ) -> None:
        """See `contract.Sink`."""
        member, line = place
        file = self._file if member is self._member else self._turn_to(member)
        file.read += 1
        self._counts.append((self._number, line, user_id, artist_id, track_id, plays))
        if len(self._counts) >= BATCH_ROWS:
            self._judge_counts()

    def drop(self, place: tuple[Member, int], reason: str, why: str) -> None:
        """See `contract.Sink`."""
        if reason not in REASONS:
            raise ValueError(f"{reason!r} is not a reason to drop a row; contract.REASONS has them")
        file = self._turn_to(place[0])
        file.read += 1
        file.drop(reason)
        self._sample(file.name, place[1], reason, why)

    def artist(self, artist_id: str, name: str) -> None:
        """See `contract.Sink`."""
        self._take("artists", (artist_id, name, 1))

    def track(
        self,
        track_id: str,
        title: str,
        *,
        artist_id: str | None = None,
        album: str | None = None,
        track_ms: int | None = None,
        isrc: str | None = None,
    ) -> None:
        """See `contract.Sink`."""
        self._take("tracks", (track_id, title, artist_id, album, track_ms, isrc))

    def tag(self, artist_id: str, tag: str, count: int = 1) -> None:
        """See `contract.Sink`."""
        self._take("tags", (artist_id, tag, count))

    def text(self, artist_id: str, text: str) -> None:
        """See `contract.Sink`."""
        self._take("texts", (artist_id, text))

    def friend(self, user_id: str, friend_id: str) -> None:
        """See `contract.Sink`."""
        self._take("friends", (user_id, friend_id))

    def playlist(self, playlist_id: str, title: str, *, owner: str | None = None, followers: int | None = None) -> None:
        """See `contract.Sink`."""
        self._take("playlists", (playlist_id, title, owner, followers))

    def playlist_item(self, playlist_id: str, position: int, track_id: str, artist_id: str | None = None) -> None:
        """See `contract.Sink`."""
        self._take("playlist_items", (playlist_id, position, track_id, artist_id))

    def feedback(self, user_id: str | None, track_id: str, score: int, given_at: float | None = None) -> None:
        """See `contract.Sink`."""
        given = None if given_at is None else _milliseconds([given_at])[0].as_py()
        self._take("feedback", (self.default_user if user_id is None else user_id, track_id, score, given))

    def finish(self) -> None:
        """Judge and stage what still waits; no rows may come afterwards."""
        self._judge_listens()
        self._judge_counts()
        self._names.flush()
        for table in list(self._others):
            self._stage_others(table)

    def sample(self, file: int, line: int, reason: str, why: str) -> None:
        """Note a row that was dropped after it had been staged."""
        self._sample(self.ledger.files[file].name, line, reason, why)

    def _turn_to(self, member: Member) -> FileLedger:
        if member is not self._member:
            number = self._numbers.get(member.name)
            if number is None:
                number = self._numbers[member.name] = len(self.ledger.files)
                self.ledger.files.append(FileLedger(name=member.name, format=self._format))
            self._member, self._number, self._file = member, number, self.ledger.files[number]
        return self._file

    def _sample(self, file: str, line: int, reason: str, why: str) -> None:
        # Of a private row not even the place is kept.
        if reason != "private":
            samples = self.ledger.samples.setdefault(reason, [])
            if len(samples) < self.settings.samples:
                samples.append(Sample(file, line, why))

    def _move_rows(self) -> None:
        """Put the rows that came one by one among the tables, so that the order of arrival stays."""
        if self._rows:
            self._tables.append(_table(self._rows, BATCH))
            self._table_rows += len(self._rows)
            self._rows = []

    def _judge_listens(self) -> None:
        self._move_rows()
        if not self._table_rows:
            return
        batch = pa.concat_tables(self._tables)
        self._tables, self._table_rows = [], 0
        kept, drops = self._judge.listens(batch)
        self._book(batch, drops)
        self._names.take(kept)
        schema, _ = STAGED["listens"]
        self.stage("listens").append(pa.table([_as(kept[f.name], f, len(kept)) for f in schema], schema=schema))

    def _judge_counts(self) -> None:
        if not self._counts:
            return
        batch = _table(self._counts, COUNT_BATCH)
        self._counts = []
        kept, drops = self._judge.counts(batch)
        self._book(batch, drops)
        schema, _ = STAGED["counts"]
        self.stage("counts").append(kept.select(schema.names).cast(schema))

    def _book(self, batch: pa.Table, drops: Drops) -> None:
        files, lines = batch["file"].to_numpy(), batch["line"].to_numpy()
        for code, (reason, why) in enumerate(drops.given, start=1):
            rows = np.flatnonzero(drops.codes == code)
            for file, number in zip(*np.unique(files[rows], return_counts=True), strict=True):
                self.ledger.files[file].drop(reason, int(number))
            for row in rows[: self.settings.samples]:
                self._sample(self.ledger.files[files[row]].name, int(lines[row]), reason, why)

    def _take(self, table: str, row: tuple[Any, ...]) -> None:
        rows = self._others.setdefault(table, [])
        rows.append(row)
        # Texts are long; everything else is short.
        if len(rows) >= (1000 if table == "texts" else BATCH_ROWS):
            self._stage_others(table)

    def _stage_others(self, table: str) -> None:
        schema, _ = STAGED[table]
        rows = _table(self._others.pop(table), schema)
        usable = np.ones(len(rows), dtype=bool)
        for column in schema:
            texts = rows[column.name]
            if column.type == pa.string() and column.name != "text":
                too_long = pc.greater(pc.utf8_length(texts), MAX_TEXT).fill_null(False).to_numpy()
                usable &= ~(too_long | pc.match_substring(texts, "\0").fill_null(False).to_numpy())
            if not column.nullable:
                usable &= texts.is_valid().to_numpy()
        self.stage(table).append(rows if usable.all() else rows.filter(pa.array(usable)))


def _as(column: Any, field: pa.Field, rows: int) -> Any:
    """``column`` in the field's type; nulls where there is none."""
    if column is None:
        return pa.nulls(rows, field.type)
    if column.type == field.type:
        return column
    if pa.types.is_timestamp(column.type) and field.type == pa.int64():
        return column.cast(pa.timestamp("ms", tz=column.type.tz), safe=False).cast(pa.int64())
    if pa.types.is_timestamp(field.type):
        return column.cast(pa.int64()).cast(field.type)
    return column.cast(field.type)


def _table(rows: Sequence[tuple[Any, ...]], schema: pa.Schema) -> pa.Table:
    """The rows as a table; a value that its column cannot hold becomes null."""
    columns = zip(*rows, strict=True)
    return pa.table([_array(values, field) for values, field in zip(columns, schema, strict=True)], schema=schema)


def _array(values: Sequence[Any], field: pa.Field) -> pa.Array:
    if field.name == "listened_at":
        return _milliseconds(values)
    try:
        return pa.array(values, field.type)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError, UnicodeError):
        return pa.array([_fitting(value, field.type) for value in values], field.type)


def _fitting(value: Any, kind: pa.DataType) -> Any:
    try:
        if isinstance(value, str):
            value = _LONE_SURROGATES.sub("\ufffd", value)
        pa.scalar(value, kind)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError, UnicodeError):
        return None
    return value


def _milliseconds(seconds: Sequence[float]) -> pa.Array:
    """Times in milliseconds; null for what is not a number. Absurd ones stay absurd, and are dropped as such."""
    try:
        times = np.array(seconds, dtype=np.float64)
    except (OverflowError, TypeError, ValueError):
        times = np.array([_finite(value) for value in seconds], dtype=np.float64)
    valid = ~np.isnan(times)
    clipped = np.clip(np.where(valid, times, 0.0), -1e12, 1e12)
    return pa.array(np.rint(clipped * 1000).astype(np.int64), mask=~valid)


def _finite(value: Any) -> float:
    try:
        return float(value)
    except OverflowError:
        return float("inf")
    except (TypeError, ValueError):
        return float("nan")
