"""The sink of an import: takes rows from a format, judges them in batches, and stages those to keep.

Memory is bounded: rows wait in one batch a table and in the stages, which write to the disk. A private row is counted
and dropped before anything else. While further rows are read, one batch is judged in another thread; what it drops is
recorded before the next batch, so that the ledger does not depend on the time that this takes.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crossfade.core.kinds import kind_named
from crossfade.core.schemas import COUNTS, ITEMS, TABLES
from crossfade.formats.contract import DEFAULT_KIND, REASONS, Member, Place
from crossfade.importing.aside import Aside
from crossfade.importing.cleaning import BATCH, PLACE, CleaningSettings, Drops, Judge, Mask
from crossfade.importing.ledger import FileLedger, Ledger, Sample
from crossfade.importing.names import DESCRIBED, Names
from crossfade.importing.people import Listeners
from crossfade.importing.staging import Stage

_LONE_SURROGATES = re.compile("[\ud800-\udfff]")  # halves of pairs, which are not text
BATCH_ROWS = 100_000  # judged at once, some 20 MiB, which makes the cost per batch negligible
BATCH_TABLES = 1_000  # that may wait, however few rows they have
BATCH_TEXTS = 1_000  # texts are long; everything else is short

PLACED = ("listens", "counts", "playlist_items")
"""The tables whose rows are rows of a file, which the ledger counts."""

STAGED = {
    **TABLES,
    **DESCRIBED,
    **{table: pa.schema([*PLACE, *(field.with_nullable(True) for field in TABLES[table])]) for table in PLACED},
}
"""The columns of each table as it is staged."""

_WAITING = {
    **TABLES,
    "listens": BATCH,
    "counts": pa.schema([*PLACE, *(pa.field(f.name, pa.float64() if f.name == "plays" else f.type) for f in COUNTS)]),
    "playlist_items": STAGED["playlist_items"],
}
"""The columns of each table as its rows wait for the judge."""

_FIELDS_OF_ANY = tuple(BATCH.names[BATCH.names.index("platform") + 1 :])
_NOTHING = (None,) * len(_FIELDS_OF_ANY)
_FIELDS = {table: tuple(schema.names[2:]) for table, schema in ITEMS.items()}  # after the id and the name


_Judged = tuple[pa.Table, Drops]
"""The places of the rows of a batch, and which of them are dropped."""


class ImportSink:
    """Implements `contract.Sink` for one import.

    directory  for the stages; empty or absent
    user       of the rows whose format names none
    now        seconds since 1970, the present
    threads    how many to use; two are useful
    """

    def __init__(
        self,
        directory: Path,
        ledger: Ledger,
        settings: CleaningSettings,
        *,
        user: str,
        now: float,
        threads: int = 1,
    ) -> None:
        self.default_user = user
        self.ledger = ledger
        self.settings = settings
        self.listeners = Listeners(user)
        self.threads = threads
        self._judge = Judge(settings, now)
        self._judging: Aside[list[_Judged]] = Aside(threads)
        self._stages: dict[str, Stage] = {}
        self._directory = directory
        self._names = Names(self.stage)
        self._format = ""
        self._numbers: dict[str, int] = {}
        self._member: Member | None = None
        self._number = 0
        self._file = FileLedger(name="", format="")
        self._rows: dict[str, list[tuple[Any, ...]]] = {table: [] for table in TABLES}
        self._tables: dict[str, list[pa.Table]] = {table: [] for table in TABLES}
        self._in_tables = dict.fromkeys(TABLES, 0)  # the rows of each

    def begin(self, format_name: str) -> None:
        """Take the rows that follow as those of ``format_name``."""
        self._format = format_name
        self._member = None

    def opened(self, member: Member) -> None:
        """List ``member`` in the ledger, even if it has no rows."""
        self._turn_to(member)

    def damaged(self, member: Member, why: str) -> None:
        """Record that ``member`` ended early."""
        self._turn_to(member).damage = why

    def stage(self, table: str) -> Stage:
        """Return the staged rows of a table, grouped by user, playlist or item."""
        if table not in self._stages:
            schema = STAGED[table]
            key = next(name for name in ("user_id", "playlist_id", "item_id") if name in schema.names)
            self._stages[table] = Stage(self._directory / table, schema, key, self.threads)
        return self._stages[table]

    def listen(
        self,
        place: Place,
        *,
        listened_at: float,
        name: str | None = None,
        parent: str | None = None,
        kind: str = DEFAULT_KIND,
        item_id: str | None = None,
        parent_id: str | None = None,
        user_id: str | None = None,
        ms_played: int | None = None,
        private: bool = False,
        skipped: bool | None = None,
        source: str | None = None,
        context: str | None = None,
        platform: str | None = None,
        **fields: str | int | None,
    ) -> None:
        """See `contract.Sink`."""
        member, line = place
        file = self._file if member is self._member else self._turn_to(member)
        file.read += 1
        if private:
            file.drop("private")
            return
        user = self.default_user if user_id is None else user_id
        own = map(fields.pop, _FIELDS_OF_ANY, _NOTHING)
        self._add(
            "listens",
            (self._number, line, user, kind, listened_at, item_id, name, parent_id, parent, ms_played, skipped, source,
             context, platform, *own),
        )  # fmt: skip
        if fields:
            raise TypeError(f"a listen has no {', '.join(fields)}")

    def listens(self, member: Member, first: int | pa.Array, table: pa.Table, private: pa.Array | None = None) -> None:
        """See `contract.Sink`."""
        file = self._turn_to(member)
        file.read += len(table)
        lines = _lines(first, len(table))
        if unknown := set(table.schema.names).difference(BATCH.names):
            raise TypeError(f"a listen has no {', '.join(sorted(unknown))}")
        if private is not None:
            public = pc.invert(pc.fill_null(private, False))
            table, lines = table.filter(public), lines.filter(public)
            if hidden := len(public) - len(table):
                file.drop("private", hidden)
        rows = len(table)
        columns = {
            "user_id": pa.repeat(self.default_user, rows),
            "kind": pa.repeat(DEFAULT_KIND, rows),
            **{name: table[name] for name in table.schema.names},
            "file": pa.repeat(pa.scalar(self._number, pa.int32()), rows),
            "line": lines,
        }
        columns["kind"] = pc.fill_null(columns["kind"], DEFAULT_KIND)
        self._add_table("listens", _fitted(columns, BATCH, rows))

    def count(
        self, place: Place, *, user_id: str, plays: float, kind: str, item_id: str, parent_id: str | None = None
    ) -> None:
        """See `contract.Sink`."""
        member, line = place
        file = self._file if member is self._member else self._turn_to(member)
        file.read += 1
        self._add("counts", (self._number, line, user_id, kind, item_id, parent_id, plays))

    def counts(self, member: Member, first: int | pa.Array, table: pa.Table) -> None:
        """See `contract.Sink`."""
        self._turn_to(member).read += len(table)
        place = {"file": pa.repeat(pa.scalar(self._number, pa.int32()), len(table)), "line": _lines(first, len(table))}
        self._add_table("counts", _fitted({**_by_name(table), **place}, _WAITING["counts"], len(table)))

    def playlist_item(
        self,
        place: Place,
        playlist_id: str,
        position: int,
        item_id: str,
        parent_id: str | None = None,
        *,
        kind: str = DEFAULT_KIND,
    ) -> None:
        """See `contract.Sink`."""
        self._turn_to(place[0]).read += 1
        self._add("playlist_items", (self._number, place[1], playlist_id, position, kind, item_id, parent_id))

    def mapped(self, member: Member, columns: Mapping[str, str], unused: Sequence[str]) -> None:
        """See `contract.Sink`."""
        file = self._turn_to(member)
        file.columns, file.unused = dict(columns), list(unused)

    def drop(self, place: Place, reason: str, why: str) -> None:
        """See `contract.Sink`."""
        if reason not in REASONS:
            raise ValueError(f"{reason!r} is not one of contract.REASONS")
        file = self._turn_to(place[0])
        file.read += 1
        file.drop(reason)
        self._sample(file.name, place[1], reason, why)

    def item(self, kind: str, item_id: str, name: str, **described: Any) -> None:
        """See `contract.Sink`."""
        table = kind_named(kind).plural
        self._add(table, (item_id, name, *map(described.get, _FIELDS[table])))

    def item_rows(self, kind: str, table: pa.Table) -> None:
        """See `contract.Sink`."""
        name = kind_named(kind).plural
        self._add_table(name, _fitted(_by_name(table), _WAITING[name], len(table)))

    def tag(self, kind: str, item_id: str, tag: str, count: int = 1) -> None:
        """See `contract.Sink`."""
        self._add("tags", (kind, item_id, tag, count))

    def text(self, kind: str, item_id: str, text: str) -> None:
        """See `contract.Sink`."""
        self._add("texts", (kind, item_id, text))

    def friend(self, user_id: str, friend_id: str) -> None:
        """See `contract.Sink`."""
        self._add("friends", (user_id, friend_id))

    def playlist(self, playlist_id: str, title: str, *, owner: str | None = None, followers: int | None = None) -> None:
        """See `contract.Sink`."""
        self._add("playlists", (playlist_id, title, owner, followers))

    def feedback(
        self, user_id: str | None, item_id: str, score: int, given_at: float | None = None, *, kind: str = DEFAULT_KIND
    ) -> None:
        """See `contract.Sink`."""
        given = None if given_at is None else _milliseconds([given_at])[0].as_py()
        self._add("feedback", (self.default_user if user_id is None else user_id, kind, item_id, score, given))

    def finish(self) -> None:
        """Judge and stage the rows that wait; no rows may come afterwards."""
        for table in self._rows:
            self._flush(table)
        self._record_drops()
        self._names.flush()

    def save(self) -> None:
        """Write the stages, after `finish`, for `take`."""
        for stage in self._stages.values():
            stage.save()

    def take(self, directory: Path, ledger: Ledger) -> None:
        """Add the stages that another sink saved into ``directory``, and its ``ledger``, after all rows so far."""
        before = len(self.ledger.files)
        self.ledger.files += ledger.files
        for reason, samples in ledger.samples.items():
            ours = self.ledger.samples.setdefault(reason, [])
            ours += samples[: self.settings.samples - len(ours)]
        for table in STAGED:
            if (directory / table).is_dir():
                self.stage(table).take(directory / table, before)

    def close(self) -> None:
        """Wait until nothing is written any more; to be called before the directory is removed."""
        self._judging.close()
        for stage in self._stages.values():
            stage.close()

    def accepted(self, rows: pa.Table, mask: Mask, column: str) -> None:
        """Count the staged rows of ``mask`` as accepted, in a column of `FileLedger`."""
        for file, number in self._by_file(rows, mask):
            file.accept(column, number)

    def dropped(self, rows: pa.Table, mask: Mask, reason: str, why: str) -> None:
        """Count the rows of ``mask`` as dropped, and sample some of them."""
        for file, number in self._by_file(rows, mask):
            file.drop(reason, number)
        files, lines = rows["file"], rows["line"]
        for row in np.flatnonzero(mask)[: self.settings.samples].tolist():
            self._sample(self.ledger.files[files[row].as_py()].name, lines[row].as_py(), reason, why)

    def _by_file(self, rows: pa.Table, mask: Mask) -> Iterator[tuple[FileLedger, int]]:
        files, numbers = np.unique(rows["file"].to_numpy()[mask], return_counts=True)
        yield from ((self.ledger.files[file], int(number)) for file, number in zip(files, numbers, strict=True))

    def _turn_to(self, member: Member) -> FileLedger:
        if member is not self._member:
            number = self._numbers.get(member.name)
            if number is None:
                number = self._numbers[member.name] = len(self.ledger.files)
                self.ledger.files.append(FileLedger(name=member.name, format=self._format))
            self._member, self._number, self._file = member, number, self.ledger.files[number]
        return self._file

    def _sample(self, file: str, line: int, reason: str, why: str) -> None:
        # Of a private row not even the place is recorded.
        if reason != "private":
            samples = self.ledger.samples.setdefault(reason, [])
            if len(samples) < self.settings.samples:
                samples.append(Sample(file, line, why))

    def _add(self, table: str, row: tuple[Any, ...]) -> None:
        rows = self._rows[table]
        rows.append(row)
        if len(rows) >= (BATCH_TEXTS if table == "texts" else BATCH_ROWS):
            self._flush(table)

    def _add_table(self, table: str, rows: pa.Table) -> None:
        self._settle(table)  # so that the order of arrival stays
        self._tables[table].append(rows)
        self._in_tables[table] += len(rows)
        if self._in_tables[table] >= BATCH_ROWS or len(self._tables[table]) >= BATCH_TABLES:
            self._flush(table)

    def _settle(self, table: str) -> None:
        """Move single rows to the tables that wait."""
        if rows := self._rows[table]:
            self._tables[table].append(_table(rows, _WAITING[table]))
            self._in_tables[table] += len(rows)
            self._rows[table] = []

    def _flush(self, table: str) -> None:
        """Have the rows of a table that wait judged, and those to keep staged."""
        # The judge has to know by name which items to leave out before it judges rows with ids alone.
        before = () if table in ITEMS or table == "listens" else tuple(ITEMS)
        batches: list[tuple[str, list[pa.Table]]] = []
        self._settle(table)
        if not self._tables[table]:
            return
        for name in (*before, table):
            self._settle(name)
            if self._tables[name]:
                batches.append((name, self._tables[name]))
                self._tables[name], self._in_tables[name] = [], 0
        self._record_drops()
        self._judging.begin(lambda: [self._judged(name, pa.concat_tables(waiting)) for name, waiting in batches])

    def _judged(self, table: str, batch: pa.Table) -> _Judged:
        """Judge and stage the rows of a table, in whatever thread, and return what is dropped."""
        if table in PLACED:
            kept, drops = getattr(self._judge, table)(batch)
            places = batch.select([field.name for field in PLACE])
        else:
            kept, drops, places = self._judge.others(batch), Drops(0), batch.select([])
        if table == "listens":
            self._names.take(kept)
        if table in ITEMS:
            self._names.add(table, kept)
        else:
            columns = {name: kept[name] for name in kept.schema.names}
            self.stage(table).append(_fitted(columns, STAGED[table], len(kept)))
        return places, drops

    def _record_drops(self) -> None:
        """Wait for the batch that is being judged, and record what it drops."""
        for places, drops in self._judging.result() or ():
            for code, (reason, why) in enumerate(drops.reasons, start=1):
                self.dropped(places, drops.codes == code, reason, why)


def _lines(first: int | pa.Array, rows: int) -> pa.Array:
    return pa.array(np.arange(first, first + rows, dtype=np.int64)) if isinstance(first, int) else first


def _by_name(table: pa.Table) -> dict[str, pa.ChunkedArray]:
    return {name: table[name] for name in table.schema.names}


def _fitted(columns: dict[str, Any], schema: pa.Schema, rows: int) -> pa.Table:
    """Return a table of ``schema`` from ``columns`` (rows,); nulls where a column is missing."""
    return pa.table([_as(columns.get(field.name), field, rows) for field in schema], schema=schema)


def _as(column: Any, field: pa.Field, rows: int) -> Any:
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
    """Return the rows as a table; a value that does not fit its column becomes null."""
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
    """Return times in milliseconds; null where it is not a number. Extreme times stay so, and are dropped later."""
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
