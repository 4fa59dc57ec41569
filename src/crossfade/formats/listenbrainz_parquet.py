"""The ListenBrainz dump for Spark: Parquet files of listens.

Users are numbers and the columns those of `_COLUMNS`; ``artist_credit_mbids`` lists the artists of the credit, of
which the first is used. Batches of rows go to the sink as they are decoded, without a step per row.
"""

from collections.abc import Sequence
from functools import partial

import pyarrow as pa
import pyarrow.compute as pc

from crossfade.core.errors import InputError
from crossfade.formats.contract import Member, Sink, Source
from crossfade.formats.listenbrainz_rows import mbids, times
from crossfade.formats.parquet_files import decoded, parquet_rows

_COLUMNS = (
    "listened_at",
    "user_id",
    "artist_name",
    "release_name",
    "recording_name",
    "recording_mbid",
    "artist_credit_mbids",
)
_NEEDED = frozenset({"listened_at", "user_id", "artist_name"})
_ROWS_AT_ONCE = 1 << 17
_UTC = pa.timestamp("ms", tz="UTC")


class ListenBrainzParquet:
    """The dump, whole or in parts."""

    name = "listenbrainz-spark"
    title = "ListenBrainz Spark dump (Parquet)"

    def recognise(self, member: Member) -> float:
        """1 for a Parquet file with all the dump's columns."""
        columns = sum(column.encode() in member.footer for column in _COLUMNS)
        return 1.0 if columns == len(_COLUMNS) else 0.2 * columns / len(_COLUMNS)

    def read(self, source: Source, sink: Sink) -> None:
        """One listen a row."""
        for member in source.members:
            first = 1
            for table in parquet_rows(source, member, _ROWS_AT_ONCE, partial(_wanted, member), _as_listens):
                sink.listens(member, first, table)
                first += len(table)


def _wanted(member: Member, names: Sequence[str]) -> list[str]:
    columns = [name for name in _COLUMNS if name in names]
    if missing := sorted(_NEEDED.difference(columns)):
        raise InputError(f"has no column {missing[0]!r}", path=member.name)
    return columns


def _as_listens(batch: pa.RecordBatch) -> pa.Table:
    """Return the columns of `contract.Sink.listens`; identifiers that are not MBIDs are null."""
    rows = pa.table(batch)
    columns = {
        "user_id": _text(rows["user_id"]),
        "listened_at": _time(rows["listened_at"]),
        "parent_name": _text(rows["artist_name"]),
    }
    for ours, theirs in (("name", "recording_name"), ("album", "release_name")):
        if theirs in rows.schema.names:
            columns[ours] = _text(rows[theirs])
    if "recording_mbid" in rows.schema.names:
        columns["item_id"] = mbids(_text(rows["recording_mbid"]))
    if "artist_credit_mbids" in rows.schema.names:
        columns["parent_id"] = mbids(_first(rows["artist_credit_mbids"].combine_chunks()))
    return pa.table(columns)


def _text(column: pa.ChunkedArray) -> pa.Array:
    """Return the column as text. A value that its file declares as text, but that is not valid UTF-8, is null."""
    texts = column.cast(pa.string()).combine_chunks()
    try:
        texts.validate(full=True)
    except pa.ArrowInvalid:
        return pa.array(decoded(texts), pa.string())
    return texts


def _time(column: pa.ChunkedArray) -> pa.Array:
    """Return times in UTC; numbers are seconds since 1970."""
    column = column.combine_chunks()
    if pa.types.is_timestamp(column.type):
        return column.cast(pa.timestamp("ms", tz=column.type.tz), safe=False).cast(pa.int64()).cast(_UTC)
    return times(column.cast(pa.float64()))


def _first(lists: pa.Array) -> pa.Array:
    """Return (n,) the first element of each list, null where it is empty."""
    if not pa.types.is_list(lists.type) and not pa.types.is_large_list(lists.type):
        return pa.nulls(len(lists), pa.string())
    filled = pc.greater(pc.list_value_length(lists), 0).fill_null(False)
    firsts = _text(pa.chunked_array([pc.list_element(lists.filter(filled), 0)]))
    positions = pc.cumulative_sum(filled.cast(pa.int64()))
    return firsts.take(pc.if_else(filled, pc.subtract(positions, 1), None))
