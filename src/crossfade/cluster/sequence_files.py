"""Hadoop's files of records, SequenceFile, whose keys and values are bytes: what streaming jobs read and write.

    SEQ 6, the classes of key and value, whether compressed, metadata, 16 bytes that mark where records begin
    record: its length, that of the key, key, value; before a record there may be −1 and the mark

All numbers are big-endian. A BytesWritable is its length, four bytes, and then the bytes.
"""

import os
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from crossfade.core.errors import InputError

Record = tuple[bytes, bytes]

_WORD = struct.Struct(">i")
_CLASS = b"org.apache.hadoop.io.BytesWritable"
_HEAD = b"SEQ\x06" + 2 * (bytes([len(_CLASS)]) + _CLASS) + b"\0\0" + _WORD.pack(0)
_MARK = 16
_MARK_FOLLOWS = -1


def write_sequence(file: BinaryIO, records: Iterable[Record]) -> int:
    """Write ``records`` to a file of their own, and return how many; a reader may begin at any of them."""
    mark, count = os.urandom(_MARK), 0
    file.write(_HEAD + mark)
    for key, value in records:
        file.write(_WORD.pack(_MARK_FOLLOWS) + mark)
        file.write(_WORD.pack(2 * _WORD.size + len(key) + len(value)) + _WORD.pack(_WORD.size + len(key)))
        for part in (key, value):
            file.write(_WORD.pack(len(part)))
            file.write(part)
        count += 1
    return count


def read_sequence(path: Path) -> Iterator[Record]:
    """Yield the records of a file; InputError for one that is cut short, compressed, or of other classes."""
    with path.open("rb") as file:
        if file.read(len(_HEAD)) != _HEAD:
            raise InputError("this is not an uncompressed sequence file of bytes", path=path)
        mark = _exactly(file, _MARK, path)
        while head := file.read(_WORD.size):
            (length,) = _WORD.unpack(head.ljust(_WORD.size, b"\0"))
            if length == _MARK_FOLLOWS:
                if _exactly(file, _MARK, path) != mark:
                    raise InputError("a mark between records is damaged", path=path)
                continue
            key = _bytes(_exactly(file, _WORD.unpack(_exactly(file, _WORD.size, path))[0], path))
            yield key, _bytes(_exactly(file, length - _WORD.size - len(key), path))


def _bytes(written: bytes) -> bytes:
    """The bytes of a BytesWritable."""
    return written[_WORD.size :]


def _exactly(file: BinaryIO, size: int, path: Path) -> bytes:
    content = file.read(max(0, size))
    if len(content) != size:
        raise InputError("the file was cut short", path=path)
    return content
