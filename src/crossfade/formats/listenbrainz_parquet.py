"""The ListenBrainz dump for Spark: Parquet files of listens, columns all the way.

Its users are numbers and its columns those of `_COLUMNS`; ``artist_credit_mbids`` lists the artists of the credit, of
whom the first is kept. Batches of rows go to the sink as they are decoded, without a step per row.
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


class ListenBrainzParquet:
    """The dump, whole or in parts."""

    name = "listenbrainz-spark"
    title = "ListenBrainz Spark dump (Parquet)"

    def recognise(self, member: Member) -> float:
        """Sure when a Parquet file has the dump's columns."""
        found = sum(column.encode() in member.footer for column in _COLUMNS)
        return 1.0 if found == len(_COLUMNS) else 0.2 * found / len(_COLUMNS)

    def read(self, source: Source, sink: Sink) -> None:
        """See `contract.Format`."""
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
    """The columns of `contract.Sink.listens`; ids that are not MBIDs are left out, so that names take their place."""
    said = pa.table(batch)
    columns = {
        "user_id": _text(said["user_id"]),
        "listened_at": _time(said["listened_at"]),
        "artist_name": _text(said["artist_name"]),
    }
    for ours, theirs in (("title", "recording_name"), ("album", "release_name")):
        if theirs in said.schema.names:
            columns[ours] = _text(said[theirs])
    if "recording_mbid" in said.schema.names:
        columns["track_id"] = mbids(_text(said["recording_mbid"]))
    if "artist_credit_mbids" in said.schema.names:
        columns["artist_id"] = mbids(_first(said["artist_credit_mbids"].combine_chunks()))
    return pa.table(columns)


def _text(column: pa.ChunkedArray) -> pa.Array:
    """The column as text. A file may say that bytes are text which are none; such a value is not known."""
    texts = column.cast(pa.string()).combine_chunks()
    try:
        texts.validate(full=True)
    except pa.ArrowInvalid:
        return pa.array(decoded(texts), pa.string())
    return texts


def _time(column: pa.ChunkedArray) -> pa.Array:
    """Times in UTC; where they are numbers, seconds since 1970."""
    column = column.combine_chunks()
    if pa.types.is_timestamp(column.type):
        return column.cast(pa.timestamp("ms", tz=column.type.tz), safe=False).cast(pa.int64()).cast(_UTC)
    return times(column.cast(pa.float64()))


def _first(lists: pa.Array) -> pa.Array:
    """(n,) the first element of each list, null where there is none."""
    if not pa.types.is_list(lists.type) and not pa.types.is_large_list(lists.type):
        return pa.nulls(len(lists), pa.string())
    filled = pc.greater(pc.list_value_length(lists), 0).fill_null(False)
    firsts = _text(pa.chunked_array([pc.list_element(lists.filter(filled), 0)]))
    positions = pc.cumulative_sum(filled.cast(pa.int64()))
    return firsts.take(pc.if_else(filled, pc.subtract(positions, 1), None))


_UTC = pa.timestamp("ms", tz="UTC")
