"""The second half of an import: rows grouped, without duplicates and loops, written in order.

Listens come back from the stages in groups of users. Equal listens, of one user, time and item, count once, so that the
same history imported twice, or two exports that overlap, add nothing. Every file is written in one order, whatever the
number of threads: one thread orders the listens of a group and keeps the ledger, one writes those of the group before,
and one publishes the tables that the ledger does not count.
"""

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from crossfade.core.buckets import part_name
from crossfade.core.kinds import KINDS
from crossfade.core.schemas import COUNTS, ITEMS, LISTENS, TABLES
from crossfade.importing.aside import Aside
from crossfade.importing.cleaning import CleaningSettings, Mask
from crossfade.importing.library import listens_of_buckets
from crossfade.importing.names import ROWS
from crossfade.importing.sink import PLACED, STAGED, ImportSink
from crossfade.importing.staging import Group, Stage

PUBLISHED_ROW_GROUP = 1 << 16  # rows; a reader of one user reads this many

Codes = npt.NDArray[np.int64]

_KEYS = {"tags": ["kind", "item_id", "tag"], "playlists": ["playlist_id"]}
"""The columns that identify a row where not all of them do."""

_IS_CHILD = np.array([kind.parent is not None for kind in KINDS.values()])


@dataclass(frozen=True)
class _Listens:
    """The listens of one group in the order (user, time, item); equal ones in the order of arrival.

    rows   the staged rows
    user   (n,) place of the user in ``users``, which is sorted
    time   (n,) milliseconds since 1970
    item   (n,) code of the item by its kind and its place in ``items``, which is sorted
    """

    rows: pa.Table
    user: Codes
    time: Codes
    item: Codes
    users: pa.Array
    items: pa.Array

    @cached_property
    def once(self) -> Mask:
        """(n,) the first of equal listens."""
        return _changes(self.user, self.time, self.item)

    def of(self, user: str) -> pa.Table:
        """Return the listens of ``user`` that are not repeated."""
        place = pc.index(self.users, user).as_py()
        return self.rows.filter(pa.array((self.user == place) & self.once))


def publish(
    sink: ImportSink, directory: Path, earlier: Sequence[Path], check: Callable[[pa.Table], None] | None = None
) -> dict[str, int]:
    """Write the tables of a finished ``sink`` into ``directory``, and return the rows of each.

    ``earlier`` are the home's other imports: rows that they have already are dropped as duplicates. ``check`` gets the
    listens of the default user, before they are compared with those.
    """
    with (
        contextlib.closing(Aside[dict[str, int]](sink.threads)) as others,
        contextlib.closing(Aside[None](sink.threads)) as writing,
    ):
        stages = {table: sink.stage(table) for table in TABLES}
        uncounted = [table for table in TABLES if table not in PLACED]
        others.begin(
            lambda: {table: _publish_table(sink, table, stages[table], directory, earlier) for table in uncounted}
        )
        written = {"listens": 0}
        for group in stages["listens"].groups():
            ordered = _in_order(group.rows)
            if check is not None and (rows := ordered.of(sink.default_user)):
                check(rows)
            kept = _kept_listens(sink, group, ordered, earlier)
            if len(kept):
                written["listens"] += len(kept)
                writing.result()
                path = directory / "listens" / part_name(group.first, group.last)
                writing.begin(partial(_write_listens, kept, path))
        for table in ("counts", "playlist_items"):
            written[table] = _publish_table(sink, table, stages[table], directory, earlier)
        writing.result()
        written |= others.result() or {}
    return {table: written[table] for table in TABLES if written[table]}


def loops(user: Codes, time: Codes, item: Codes, settings: CleaningSettings) -> Mask:
    """Return (n,) the listens that continue a loop: an item repeated without a break for longer than the limit.

    The listens are in the order of user and time; a negative ``item`` is never part of a loop.
    """
    if not len(user) or not settings.loop_hours:
        return np.zeros(len(user), dtype=bool)
    pause = settings.loop_pause_minutes * 60_000
    begins = _changes(user, item)
    begins[1:] |= (item[1:] < 0) | (time[1:] - time[:-1] > pause)
    start = np.maximum.accumulate(np.where(begins, np.arange(len(user)), 0))
    beyond: Mask = time - time[start] > settings.loop_hours * 3_600_000
    return beyond


def _kept_listens(sink: ImportSink, group: Group, listens: _Listens, earlier: Sequence[Path]) -> pa.Table:
    """Return the listens of a group to publish, and record all of them in the ledger."""
    once = listens.once
    # Loops are cut before the listens of earlier imports are taken out. Otherwise a second import of the same night
    # would lack the beginning of the loop, and keep its middle as a new one.
    looping = np.zeros(len(once), dtype=bool)
    items = np.where(_IS_CHILD[listens.item % len(KINDS)], listens.item, -1)[once]
    looping[once] = loops(listens.user[once], listens.time[once], items, sink.settings)
    imported = _in_earlier(listens, group, earlier) & once & ~looping
    sink.dropped(listens.rows, ~once, "duplicate", "this import already has the same user, time and item")
    why = f"repeated for over {sink.settings.loop_hours:g} hours; extra plays dropped"
    sink.dropped(listens.rows, looping, "loop", why)
    sink.dropped(listens.rows, imported, "duplicate", "an earlier import has the same user, time and item")
    kept = listens.rows.filter(pa.array(once & ~looping & ~imported))
    skipped = kept["skipped"].to_numpy()
    sink.accepted(kept, skipped, "skips")
    sink.accepted(kept, ~skipped, "plays")
    sink.listeners.take("listens", kept["user_id"])
    return kept


def _write_listens(kept: pa.Table, path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    rows = kept.select(LISTENS.names).cast(LISTENS)
    pq.write_table(rows, path, row_group_size=PUBLISHED_ROW_GROUP, compression="zstd")


def _in_order(rows: pa.Table) -> _Listens:
    user, users = _ranked(rows["user_id"])
    time = _times(rows)
    # By their ids, since the order in which items are met depends on how rows were staged.
    item, items = _ranked(rows["item_id"])
    item = _with_kinds(item, rows)
    order = np.lexsort((item, time, user))
    return _Listens(
        rows=rows.take(order),
        user=user[order],
        time=time[order],
        item=item[order],
        users=users,
        items=items,
    )


def _ranked(column: pa.ChunkedArray) -> tuple[Codes, pa.Array]:
    """Return the place (n,) of each text among the distinct ones, and these, sorted."""
    texts = column.combine_chunks().dictionary_encode()
    ascending = pc.sort_indices(texts.dictionary)
    rank = np.empty(len(ascending), dtype=np.int64)
    rank[ascending.to_numpy()] = np.arange(len(ascending))
    return rank[texts.indices.to_numpy()], texts.dictionary.take(ascending)


def _times(rows: pa.Table) -> Codes:
    times: Codes = rows["listened_at"].combine_chunks().cast(pa.int64()).to_numpy()
    return times


def _with_kinds(items: Codes, rows: pa.Table) -> Codes:
    """Return (n,) one code for the code of an item's id and its kind: ids of two kinds may be equal."""
    kinds = pc.index_in(rows["kind"].combine_chunks(), value_set=pa.array(list(KINDS)))
    codes: Codes = items * len(KINDS) + kinds.to_numpy()
    return codes


def _changes(*columns: Codes) -> Mask:
    """Return (n,) the rows of which some column differs from the row before."""
    begins = np.ones(len(columns[0]), dtype=bool)
    begins[1:] = np.logical_or.reduce([column[1:] != column[:-1] for column in columns])
    return begins


def _in_earlier(listens: _Listens, group: Group, earlier: Sequence[Path]) -> Mask:
    """Return (n,) the listens that an earlier import has."""
    imported = np.zeros(len(listens.rows), dtype=bool)
    times = int(listens.time.min()), int(listens.time.max())
    for place in earlier:
        for rows in listens_of_buckets(place, group.first, group.last, listens.users, times):
            user = pc.index_in(rows["user_id"].combine_chunks(), value_set=listens.users)
            item = pc.index_in(rows["item_id"].combine_chunks(), value_set=listens.items)
            both = pc.and_(user.is_valid(), item.is_valid()).to_numpy(zero_copy_only=False)
            if both.any():
                users, items = (codes.fill_null(0).to_numpy().astype(np.int64) for codes in (user, item))
                theirs = (users, _times(rows), _with_kinds(items, rows))
                imported |= _among(listens, [column[both] for column in theirs])
    return imported


def _among(listens: _Listens, others: Sequence[Codes]) -> Mask:
    """Return (n,) the listens that are among ``others``, which are columns of users, times and items."""
    ours = (listens.user, listens.time, listens.item)
    user, time, item = (np.concatenate(pair) for pair in zip(others, ours, strict=True))
    # The order is stable, so that of equal rows those of the others come first.
    order = np.lexsort((item, time, user))
    begins = _changes(user[order], time[order], item[order])
    first = np.maximum.accumulate(np.where(begins, np.arange(len(order)), 0))
    hits = np.zeros(len(order), dtype=bool)
    hits[order] = order[first] < len(others[0])
    return hits[len(others[0]) :]


def _publish_table(sink: ImportSink, table: str, stage: Stage, directory: Path, earlier: Sequence[Path]) -> int:
    if not stage.rows:
        return 0
    if table == "counts":
        _stage_earlier_counts(stage, earlier)
    written = 0
    schema = TABLES[table]
    with _Writer(directory / f"{table}.parquet", schema) as writer:
        for group in stage.groups():
            rows = _final(sink, table, group.rows).select(schema.names).cast(schema)
            writer.write(rows)
            written += len(rows)
    return written


def _final(sink: ImportSink, table: str, rows: pa.Table) -> pa.Table:
    """Return the final rows of a table from its staged ones, one for each key, in the order of the keys."""
    if table == "counts":
        return _counted(sink, rows)
    if table == "playlist_items":
        return _placed(sink, rows)
    if table in ITEMS:
        return _described(table, rows)
    names = TABLES[table].names
    keys = _KEYS.get(table, names)
    return _grouped(rows, keys, {name: "sum" if table == "tags" else "first" for name in names if name not in keys})


def _merged(rows: pa.Table, keys: list[str], rest: dict[str, str]) -> pa.Table:
    """Return one row for each of ``keys``, in the order of arrival, the others aggregated under their own names."""
    merged = rows.group_by(keys, use_threads=False).aggregate(list(rest.items()))
    return merged.rename_columns([*keys, *rest])


def _grouped(rows: pa.Table, keys: list[str], rest: dict[str, str]) -> pa.Table:
    """Return `_merged` rows in the order of the keys."""
    return _merged(rows, keys, rest).sort_by([(key, "ascending") for key in keys])


def _described(table: str, rows: pa.Table) -> pa.Table:
    """Return the items: each with the name that most rows use, and the first values of its fields."""
    fields = dict.fromkeys(TABLES[table].names[2:], "first")
    named = _merged(rows, ["item_id", "name"], {**fields, ROWS.name: "sum"})
    # The sort is stable: of names that are used equally, the first stays first.
    return _grouped(named.sort_by([(ROWS.name, "descending")]), ["item_id"], {"name": "first", **fields})


def _first_of_each(rows: pa.Table, keys: Sequence[str]) -> tuple[pa.Table, Mask]:
    """Return the rows with equal ``keys`` together, in the order of arrival, and (n,) which is the first of its key."""
    codes = [rows[name].combine_chunks().dictionary_encode().indices.to_numpy() for name in keys]
    order = np.lexsort(codes)
    return rows.take(order), _changes(*(column[order] for column in codes))


def _placed(sink: ImportSink, rows: pa.Table) -> pa.Table:
    """Return the items of playlists, the first at each position."""
    keys = ("playlist_id", "position")
    rows, begins = _first_of_each(rows, keys)
    sink.dropped(rows, ~begins, "duplicate", "the playlist already has an item at this position")
    sink.accepted(rows, begins, "playlist_items")
    return rows.filter(pa.array(begins)).sort_by([(name, "ascending") for name in keys])


def _stage_earlier_counts(stage: Stage, earlier: Sequence[Path]) -> None:
    """Add the counts of other imports to the same groups, marked by a file number that no file has."""
    schema = STAGED["counts"]
    for path in (place / "counts.parquet" for place in earlier):
        if path.is_file():
            with pq.ParquetFile(path) as file:
                for batch in file.iter_batches(1 << 17):
                    marks = pa.repeat(pa.scalar(-1, pa.int32()), len(batch))
                    lines = pa.repeat(pa.scalar(0, pa.int64()), len(batch))
                    columns = [marks, lines, *(batch.column(name) for name in COUNTS.names)]
                    stage.append(pa.table(columns, schema=schema))


def _counted(sink: ImportSink, rows: pa.Table) -> pa.Table:
    """Return the counts, summed by user and item, less those of earlier imports."""
    keys = ("user_id", "kind", "item_id")
    rows, begins = _first_of_each(rows, keys)
    starts = np.flatnonzero(begins)
    plays, ours = rows["plays"].to_numpy(), rows["file"].to_numpy() >= 0
    surplus = np.add.reduceat(np.where(ours, plays, -plays), starts)
    is_new = surplus > 0
    repeated = ~is_new[np.cumsum(begins) - 1] & ours
    sink.dropped(rows, repeated, "duplicate", "an earlier import counts as many plays or more")
    sink.accepted(rows, ours & ~repeated, "counts")
    kept = rows.take(starts)
    kept = kept.set_column(kept.schema.get_field_index("plays"), "plays", pa.array(surplus)).filter(pa.array(is_new))
    sink.listeners.take("counts", kept["user_id"])
    return kept.sort_by([(name, "ascending") for name in keys])


class _Writer:
    """A Parquet file that is created when its first rows arrive."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._path = path
        self._schema = schema
        self._writer: pq.ParquetWriter | None = None

    def __enter__(self) -> "_Writer":
        return self

    def write(self, table: pa.Table) -> None:
        """Append the rows of ``table``."""
        if len(table):
            if self._writer is None:
                self._writer = pq.ParquetWriter(self._path, self._schema, compression="zstd")
            self._writer.write_table(table, row_group_size=PUBLISHED_ROW_GROUP)

    def __exit__(self, *_: object) -> None:
        if self._writer is not None:
            self._writer.close()
