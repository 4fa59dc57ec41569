"""Rows of any number, grouped by a hash of one column, in bounded memory.

Rows are appended in batches. Whenever RUN_BYTES are in memory, they are ordered by bucket (a hash of the key's
text, so that it is the same on every machine) and written as one Parquet file, a *run*. Afterwards the
buckets are read back in groups of about GROUP_BYTES: all rows whose key falls in a group, in the order in which
they were appended. Memory follows the largest of a run, a group and a single key, never the data. The disk
stores the data once, compressed.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from crossfade.core.buckets import BUCKETS, bucket_of
from crossfade.importing.aside import Aside

RUN_BYTES = 96 << 20  # in memory before a run is written: half a million listens
GROUP_BYTES = 160 << 20  # a million listens, which take about four times this while they are sorted
ROUNDED_BYTES = 16  # of a row
ROW_GROUP = 1 << 15  # rows; small enough that reading one bucket reads little else

_COUNTS, _FILE = "counts.npz", "file"

Bucket = npt.NDArray[np.uint16]


def buckets_of(keys: pa.ChunkedArray | pa.Array) -> Bucket:
    """Return the buckets (n,) of n keys; null counts as the empty text."""
    encoded = keys.combine_chunks().dictionary_encode() if isinstance(keys, pa.ChunkedArray) else keys
    if isinstance(encoded, pa.Array) and not isinstance(encoded, pa.DictionaryArray):
        encoded = encoded.dictionary_encode()
    distinct = np.fromiter((bucket_of(key) for key in encoded.dictionary.to_pylist()), np.uint16)
    codes = encoded.indices.fill_null(len(distinct)).to_numpy(zero_copy_only=False)
    buckets: Bucket = np.append(distinct, np.uint16(bucket_of("")))[codes]
    return buckets


@dataclass(frozen=True)
class Group:
    """The rows of the buckets ``first`` to ``last``, inclusive."""

    first: int
    last: int
    rows: pa.Table


class Stage:
    """Rows of one schema, which can be read back grouped by ``key``; with two threads, runs are written in one."""

    def __init__(self, directory: Path, schema: pa.Schema, key: str, threads: int = 1) -> None:
        self.rows = 0
        self._directory = directory
        self._schema = schema
        self._key = key
        self._waiting: list[pa.Table] = []
        self._waiting_bytes = 0
        self._bytes = 0
        self._runs: list[tuple[Path, int]] = []  # each with the number of files before those that it names
        self._writing: Aside[None] = Aside(threads)
        self._in_bucket = np.zeros(BUCKETS, dtype=np.int64)

    def append(self, rows: pa.Table) -> None:
        """Add ``rows`` of the schema; OSError if the disk is full."""
        if not len(rows):
            return
        bucket = buckets_of(rows[self._key])
        self._in_bucket += np.bincount(bucket, minlength=BUCKETS)
        rows = rows.append_column("bucket", pa.array(bucket))
        self.rows += len(rows)
        self._waiting.append(rows)
        self._waiting_bytes += rows.nbytes
        self._bytes += rows.nbytes
        if self._waiting_bytes >= RUN_BYTES:
            self._write_run()

    def groups(self) -> Iterator[Group]:
        """Yield every row once, in groups of consecutive buckets that are not empty."""
        self._writing.result()
        if not self.rows:
            return
        # Rounded, since the bytes of texts depend a little on the batches that they come in, which groups should not.
        of_row = -(-self._bytes // (self.rows * ROUNDED_BYTES)) * ROUNDED_BYTES
        most = max(1, GROUP_BYTES // max(of_row, 1))
        first, rows = 0, 0
        for bucket in range(BUCKETS):
            size = int(self._in_bucket[bucket])
            if rows and rows + size > most:
                yield self._group(first, bucket - 1)
                first, rows = bucket, 0
            rows += size
        if rows:
            yield self._group(first, BUCKETS - 1)

    def _group(self, first: int, last: int) -> Group:
        parts = [_moved(part, files) for run, files in self._runs for part in self._from_run(run, first, last)]
        parts += [_between(rows, first, last) for rows in self._waiting]
        return Group(first, last, pa.concat_tables(parts).select(self._schema.names).combine_chunks())

    def _from_run(self, run: Path, first: int, last: int) -> Iterator[pa.Table]:
        with pq.ParquetFile(run) as file:
            column = file.schema_arrow.get_field_index("bucket")
            wanted = []
            for number in range(file.metadata.num_row_groups):
                bounds = file.metadata.row_group(number).column(column).statistics
                if bounds.max >= first and bounds.min <= last:
                    wanted.append(number)
            if wanted:
                yield _between(file.read_row_groups(wanted), first, last)

    def _write_run(self) -> None:
        """Write the rows that wait while further ones are read, one run at a time, which bounds the memory."""
        self._writing.result()
        self._directory.mkdir(exist_ok=True)
        run = self._directory / f"{len(self._runs):06d}.parquet"
        self._runs.append((run, 0))
        self._writing.begin(partial(_write_sorted, self._waiting, run))
        self._waiting, self._waiting_bytes = [], 0

    def save(self) -> None:
        """Write the rows that wait, and what `take` needs to know."""
        if self._waiting:
            self._write_run()
        self._writing.result()
        if self.rows:
            np.savez(self._directory / _COUNTS, rows=self.rows, bytes=self._bytes, in_bucket=self._in_bucket)

    def take(self, directory: Path, files: int) -> None:
        """Add the rows that another stage saved into ``directory``; its files come after ``files`` others."""
        with np.load(directory / _COUNTS) as counts:
            self.rows += int(counts["rows"])
            self._bytes += int(counts["bytes"])
            self._in_bucket += counts["in_bucket"]
        self._runs += [(run, files) for run in sorted(directory.glob("*.parquet"))]

    def close(self) -> None:
        """Wait until nothing is written any more, whatever became of it."""
        self._writing.close()


def _write_sorted(tables: list[pa.Table], run: Path) -> None:
    table = pa.concat_tables(tables)
    order = np.argsort(table["bucket"].to_numpy(), kind="stable")
    pq.write_table(table.take(order), run, row_group_size=ROW_GROUP, compression="lz4", write_statistics=["bucket"])


def _moved(rows: pa.Table, files: int) -> pa.Table:
    """Return ``rows`` with ``files`` added to the numbers of their files, if they have any."""
    column = rows.schema.get_field_index(_FILE)
    if not files or column < 0:
        return rows
    return rows.set_column(column, rows.schema.field(column), pc.add(rows[_FILE], pa.scalar(files, pa.int32())))


def _between(rows: pa.Table, first: int, last: int) -> pa.Table:
    bucket = rows["bucket"].to_numpy()
    inside = (bucket >= first) & (bucket <= last)
    return rows if inside.all() else rows.filter(pa.array(inside))
