"""The second half of an import: a user's rows together, freed of duplicates and loops, written in order.

Listens come back from the staging area in groups of users. In each group a listen is one (user, time, track;
or artist, where no track is known), so the same history imported twice, or two exports that overlap, count
once. Every file is written in one order, whatever the number of threads.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from crossfade.core import schemas
from crossfade.importing.cleaning import CleaningSettings
from crossfade.importing.library import listens_of_buckets
from crossfade.importing.sink import STAGED, ImportSink
from crossfade.importing.staging import Group

PUBLISHED_ROW_GROUP = 1 << 16  # rows; a reader who wants one user reads this many

Mask = npt.NDArray[np.bool_]
Codes = npt.NDArray[np.int64]


@dataclass(frozen=True)
class _Listens:
    """The listens of one group in the order (user, time, key), rows that are equal in all three as they came.

    rows  the staged rows
    user  (n,) place of the user in the order of ids
    time  (n,) milliseconds since 1970
    key   (n,) code of the track, or of the artist where no track is known
    """

    rows: pa.Table
    user: Codes
    time: Codes
    key: Codes
    users: pa.Array
    keys: pa.Array


def publish(sink: ImportSink, directory: Path, earlier: list[Path]) -> dict[str, int]:
    """Write the tables of a finished ``sink`` into ``directory``; gives the rows of each.

    ``earlier`` are the home's other imports: what they hold already is dropped as a duplicate.
    """
    written = {"listens": 0, "counts": 0}
    for group in sink.stage("listens").groups():
        written["listens"] += _publish_listens(sink, group, directory / "listens", earlier)
    written["counts"] = _publish_counts(sink, directory, earlier)
    for table, merge in _MERGES.items():
        written[table] = _publish_others(sink, table, merge, directory)
    return {table: rows for table, rows in written.items() if rows}


def loops(user: Codes, time: Codes, key: Codes, settings: CleaningSettings) -> Mask:
    """(n,) which listens, in the order of user and time, go on with a track played for hours without a break.

    ``key`` is negative where no track is known; such a listen never belongs to a loop.
    """
    if not len(user) or not settings.loop_hours:
        return np.zeros(len(user), dtype=bool)
    begins = np.ones(len(user), dtype=bool)
    begins[1:] = (
        (user[1:] != user[:-1])
        | (key[1:] != key[:-1])
        | (key[1:] < 0)
        | (time[1:] - time[:-1] > settings.loop_pause_minutes * 60_000)
    )
    start = np.maximum.accumulate(np.where(begins, np.arange(len(user)), 0))
    beyond: Mask = time - time[start] > settings.loop_hours * 3_600_000
    return beyond


def _publish_listens(sink: ImportSink, group: Group, directory: Path, earlier: list[Path]) -> int:
    found = _in_order(group.rows)
    repeated = np.zeros(len(found.rows), dtype=bool)
    repeated[1:] = (
        (found.user[1:] == found.user[:-1]) & (found.time[1:] == found.time[:-1]) & (found.key[1:] == found.key[:-1])
    )
    # Loops are told before what is there already is taken out: else a second import of the same night would
    # find the loop's beginning gone, and take its middle for a new one.
    once = np.flatnonzero(~repeated)
    tracks = np.where(found.rows["track_id"].is_valid().to_numpy()[once], found.key[once], -1)
    looping = np.zeros(len(found.rows), dtype=bool)
    looping[once] = loops(found.user[once], found.time[once], tracks, sink.settings)
    known = _known_already(found, group, earlier) & ~repeated & ~looping
    _drop(sink, found.rows, repeated, "duplicate", "the same user, time and track stands in this import already")
    _drop(sink, found.rows, looping, "loop", f"the track had been going round for {sink.settings.loop_hours:g} hours")
    _drop(sink, found.rows, known, "duplicate", "an earlier import has the same user, time and track")
    kept = found.rows.filter(pa.array(~(repeated | looping | known)))
    if not len(kept):
        return 0
    skipped = kept["skipped"].to_numpy()
    for file, rows in _by_file(kept, skipped):
        sink.ledger.files[file].skips += rows
    for file, rows in _by_file(kept, ~skipped):
        sink.ledger.files[file].plays += rows
    directory.mkdir(exist_ok=True)
    _write(
        kept.select(schemas.LISTENS.names).cast(schemas.LISTENS),
        directory / f"part-{group.first:04d}-{group.last:04d}.parquet",
    )
    return len(kept)


def _in_order(rows: pa.Table) -> _Listens:
    users = rows["user_id"].combine_chunks().dictionary_encode()
    order = pc.sort_indices(users.dictionary).to_numpy()
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    user = rank[users.indices.to_numpy()]
    time = rows["listened_at"].combine_chunks().cast(pa.int64()).to_numpy()
    keys = _item(rows).dictionary_encode()
    key = keys.indices.to_numpy().astype(np.int64)
    order = np.lexsort((key, time, user))
    return _Listens(
        rows=rows.take(order),
        user=user[order],
        time=time[order],
        key=key[order],
        users=users.dictionary.take(pc.sort_indices(users.dictionary)),
        keys=keys.dictionary,
    )


def _item(rows: pa.Table) -> pa.Array:
    """(n,) the track of each row, the artist where no track is known."""
    return pc.coalesce(rows["track_id"], rows["artist_id"]).combine_chunks()


def _known_already(found: _Listens, group: Group, earlier: list[Path]) -> Mask:
    """(n,) which of the listens an earlier import holds."""
    known = np.zeros(len(found.rows), dtype=bool)
    for place in earlier:
        for rows in listens_of_buckets(place, group.first, group.last, found.users):
            user = pc.index_in(rows["user_id"].combine_chunks(), value_set=found.users)
            key = pc.index_in(_item(rows), value_set=found.keys)
            both = pc.and_(user.is_valid(), key.is_valid()).to_numpy(zero_copy_only=False)
            if both.any():
                known |= _among(
                    found,
                    user.fill_null(0).to_numpy()[both].astype(np.int64),
                    rows["listened_at"].combine_chunks().cast(pa.int64()).to_numpy()[both],
                    key.fill_null(0).to_numpy()[both].astype(np.int64),
                )
    return known


def _among(found: _Listens, user: Codes, time: Codes, key: Codes) -> Mask:
    """(n,) which of the listens stand among the given ones."""
    theirs = len(user)
    users, times, keys = (np.concatenate(pair) for pair in ((user, found.user), (time, found.time), (key, found.key)))
    # Equal ones stand together, the given ones first, since the order of equals is kept.
    order = np.lexsort((keys, times, users))
    same = np.zeros(len(order), dtype=bool)
    same[1:] = (
        (users[order][1:] == users[order][:-1])
        & (times[order][1:] == times[order][:-1])
        & (keys[order][1:] == keys[order][:-1])
    )
    head = np.maximum.accumulate(np.where(same, 0, np.arange(len(order))))
    hits = np.zeros(len(order), dtype=bool)
    hits[order] = order[head] < theirs
    return hits[theirs:]


def _publish_counts(sink: ImportSink, directory: Path, earlier: list[Path]) -> int:
    stage = sink.stage("counts")
    if not stage.rows:
        return 0
    schema, _ = STAGED["counts"]
    # What other imports hold joins the same groups, marked by a file number that no file has.
    for place in earlier:
        path = place / "counts.parquet"
        if path.is_file():
            with pq.ParquetFile(path) as file:
                for batch in file.iter_batches(1 << 17):
                    rows = pa.table(batch)
                    marks = pa.repeat(pa.scalar(-1, pa.int32()), len(rows))
                    lines = pa.repeat(pa.scalar(0, pa.int64()), len(rows))
                    columns = [marks, lines, *(rows[name] for name in schemas.COUNTS.names)]
                    stage.append(pa.table(columns, schema=schema))
    written = 0
    with _Writer(directory / "counts.parquet", schemas.COUNTS) as writer:
        for group in stage.groups():
            counted = _counted(sink, group.rows)
            writer.write(counted)
            written += len(counted)
    return written


def _counted(sink: ImportSink, rows: pa.Table) -> pa.Table:
    """The group's counts, summed by user and item, as far as they go beyond what earlier imports say."""
    names = ["user_id", "artist_id", "track_id"]
    codes = [rows[name].combine_chunks().dictionary_encode().indices.fill_null(-1).to_numpy() for name in names]
    order = np.lexsort(codes)
    columns = [column[order] for column in codes]
    begins = np.ones(len(rows), dtype=bool)
    begins[1:] = np.logical_or.reduce([column[1:] != column[:-1] for column in columns])
    starts = np.flatnonzero(begins)
    ordered = rows.take(order)
    plays, ours = ordered["plays"].to_numpy(), ordered["file"].to_numpy() >= 0
    surplus = np.add.reduceat(np.where(ours, plays, -plays), starts)
    claimed = np.add.reduceat(ours.astype(np.int64), starts) > 0
    known = claimed & (surplus <= 0)
    rows_known = known[np.cumsum(begins) - 1] & ours
    _drop(sink, ordered, rows_known, "duplicate", "an earlier import counts as many plays or more")
    for file, number in _by_file(ordered, ours & ~rows_known):
        sink.ledger.files[file].counts += number
    kept = ordered.take(starts)
    kept = kept.set_column(kept.schema.get_field_index("plays"), "plays", pa.array(surplus))
    kept = kept.filter(pa.array(claimed & (surplus > 0))).select(schemas.COUNTS.names)
    return kept.sort_by([(name, "ascending") for name in names]).cast(schemas.COUNTS)


def _publish_others(sink: ImportSink, table: str, merge: Callable[[pa.Table], pa.Table], directory: Path) -> int:
    stage = sink.stage(table)
    if not stage.rows:
        return 0
    written = 0
    with _Writer(directory / f"{table}.parquet", schemas.TABLES[table]) as writer:
        for group in stage.groups():
            merged = merge(group.rows).select(schemas.TABLES[table].names).cast(schemas.TABLES[table])
            writer.write(merged)
            written += len(merged)
    return written


def _grouped(rows: pa.Table, keys: list[str], rest: list[tuple[str, str]]) -> pa.Table:
    """One row for each of ``keys``, the others aggregated under their own names, in the order of the keys."""
    merged = rows.group_by(keys, use_threads=False).aggregate(rest)
    merged = merged.rename_columns([*keys, *(name for name, _ in rest)])
    return merged.sort_by([(key, "ascending") for key in keys])


def _first_of(keys: list[str], rest: list[str]) -> Callable[[pa.Table], pa.Table]:
    return lambda rows: _grouped(rows, keys, [(name, "first") for name in rest])


def _most_used_name(rows: pa.Table) -> pa.Table:
    """For each artist the name that most rows use; of equals, the first in the order of text."""
    counted = _grouped(rows, ["artist_id", "name"], [("rows", "sum")])
    counted = counted.sort_by([("artist_id", "ascending"), ("rows", "descending"), ("name", "ascending")])
    return _grouped(counted, ["artist_id"], [("name", "first")])


_MERGES: dict[str, Callable[[pa.Table], pa.Table]] = {
    "artists": _most_used_name,
    "tracks": _first_of(["track_id"], ["title", "artist_id", "album", "track_ms", "isrc"]),
    "tags": lambda rows: _grouped(rows, ["artist_id", "tag"], [("count", "sum")]),
    "texts": _first_of(["artist_id", "text"], []),
    "friends": _first_of(["user_id", "friend_id"], []),
    "playlists": _first_of(["playlist_id"], ["title", "owner", "followers"]),
    "playlist_items": _first_of(["playlist_id", "position"], ["track_id", "artist_id"]),
    "feedback": _first_of(["user_id", "given_at", "track_id", "score"], []),
}
"""How the staged rows of every other table become its final ones."""


def _drop(sink: ImportSink, rows: pa.Table, mask: Mask, reason: str, why: str) -> None:
    for file, number in _by_file(rows, mask):
        sink.ledger.files[file].drop(reason, number)
    files, lines = rows["file"], rows["line"]
    for row in np.flatnonzero(mask)[: sink.settings.samples]:
        sink.sample(files[int(row)].as_py(), lines[int(row)].as_py(), reason, why)


def _by_file(rows: pa.Table, mask: Mask) -> Iterator[tuple[int, int]]:
    files, numbers = np.unique(rows["file"].to_numpy()[mask], return_counts=True)
    yield from zip(files.tolist(), numbers.tolist(), strict=True)


def _write(table: pa.Table, path: Path) -> None:
    pq.write_table(table, path, row_group_size=PUBLISHED_ROW_GROUP, compression="zstd")


class _Writer:
    """A Parquet file that is made when its first rows come."""

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
