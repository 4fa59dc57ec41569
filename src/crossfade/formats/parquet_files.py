"""Parquet files of users: perhaps inside an archive, damaged, or with invalid UTF-8 in text columns."""

import io
from collections.abc import Callable, Iterator, Sequence
from typing import IO, TYPE_CHECKING, TypeVar

from crossfade.core.errors import InputError
from crossfade.formats import streams
from crossfade.formats.contract import Member, Source

if TYPE_CHECKING:
    import pyarrow as pa

MARK = b"PAR1"
"""The first and the last bytes of a Parquet file."""

MAX_RATIO = 1_000  # of columns in memory to the file; the listens of one person take some 20 times as much
MAX_ARCHIVED_BYTES = 512 << 20  # a file inside an archive is read into memory; ListenBrainz's dump has 128 MiB a file

Rows = TypeVar("Rows")


def parquet_rows(
    source: Source,
    member: Member,
    at_once: int,
    choose: Callable[[Sequence[str]], Sequence[str]],
    convert: Callable[["pa.RecordBatch"], Rows],
) -> Iterator[Rows]:
    """Yield the result of ``convert`` for each batch of up to ``at_once`` rows.

    ``choose`` takes the names of the file's columns and returns those to read; it may raise InputError. Damage raises
    InputError, after the good batches.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with source.open(member) as stream, pq.ParquetFile(content := _random_access(stream, member)) as file:
            names = file.schema_arrow.names
            chosen = list(choose(names))
            if twice := [name for name in chosen if names.count(name) > 1]:
                raise InputError(f"has several columns {twice[0]!r}", path=member.name)
            produced, size = 0, content.seek(0, io.SEEK_END)
            for batch in file.iter_batches(at_once, columns=chosen):
                produced += batch.nbytes
                if produced > max(streams.FREE_BYTES, MAX_RATIO * size):
                    raise InputError(
                        f"expands to more than {MAX_RATIO} times its size, as a few rows repeated without end do",
                        path=member.name,
                    )
                yield convert(batch)
    except (pa.ArrowException, OSError, ValueError, NotImplementedError, OverflowError) as error:
        raise InputError(f"is damaged Parquet: {error}", path=member.name) from error


def decoded(column: "pa.Array") -> list[str | None]:
    """Return the values of a text column; None for one that is not valid UTF-8."""
    import pyarrow as pa

    return [_text(value) for value in column.cast(pa.binary()).to_pylist()]


def _text(value: bytes | None) -> str | None:
    try:
        return None if value is None else value.decode()
    except UnicodeDecodeError:
        return None


def _random_access(stream: IO[bytes], member: Member) -> IO[bytes]:
    """Return ``stream`` if it is seekable, else all of its bytes in memory."""
    if stream.seekable():
        return stream
    content = stream.read(MAX_ARCHIVED_BYTES + 1)
    if len(content) > MAX_ARCHIVED_BYTES:
        raise InputError(f"is over {MAX_ARCHIVED_BYTES >> 20} MiB inside an archive; unpack it first", path=member.name)
    return io.BytesIO(content)
