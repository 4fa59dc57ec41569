"""Decompressed streams of files that may be hostile or damaged: bounded, and never read into memory whole.

All bytes before damage are returned first; only the next read raises InputError. Nothing here writes to a disk.
"""

import bz2
import codecs
import gzip
import io
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from typing import IO, Any

from crossfade.core.errors import InputError

MAX_LINE_BYTES = 1 << 20  # no row of any format is longer: ListenBrainz refuses listens over 10 KiB
FREE_BYTES = 8 << 20  # up to this much decompressed data, no ratio is suspicious: some 100,000 rows, read in seconds
MAX_RATIO = 100  # play logs compress 10 to 40 times; a file of one row repeated 150 times and more
MAX_LAYERS = 4  # .zst inside .gz inside …: real files have one or two, bombs have many
MAX_MEMBER_BYTES = 1 << 40  # a month of all ListenBrainz listeners is a few GiB; a tebibyte is endless data
BLOCK_BYTES = 4 << 20  # of whole lines, some 5,000 rows, which makes the cost per block negligible

PIECE_BYTES = 8 << 10  # read from a decompressor at once; damage costs up to this much good data

DAMAGE = (EOFError, OSError, ValueError, RuntimeError, NotImplementedError, zlib.error, lzma.LZMAError,
          tarfile.TarError, zipfile.BadZipFile)  # fmt: skip
"""The standard library's errors for damaged, truncated, encrypted or unsupported input."""

_MAGIC: dict[bytes, tuple[str, tuple[str, ...]]] = {
    b"\x1f\x8b\x08": ("gzip", (".gz", ".gzip")),
    b"\x28\xb5\x2f\xfd": ("zstd", (".zst", ".zstd")),
    b"BZh": ("bzip2", (".bz2",)),
    b"\xfd7zXZ\x00": ("xz", (".xz",)),
}
COMPRESSION_SUFFIXES = frozenset(suffix for _, suffixes in _MAGIC.values() for suffix in suffixes)


class Guarded(io.RawIOBase):
    """A readable stream over ``inner`` that limits its size and raises InputError for damage.

    name      for messages
    drawn     returns the number of compressed bytes read so far
    seekable  whether ``inner`` is a plain file, not a decompressor

    Damage and decompression bombs raise InputError, after all bytes before them were returned.
    """

    def __init__(self, inner: Any, name: str, drawn: Callable[[], int], *, seekable: bool = False) -> None:
        super().__init__()
        self._seekable = seekable
        self._inner = inner
        self._name = name
        self._drawn = drawn
        self._passed = 0
        self._failure: InputError | None = None

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return whether this is a plain file on the disk."""
        return self._seekable

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """As `io.RawIOBase.seek`."""
        if not self._seekable:
            raise io.UnsupportedOperation("this stream only goes forward")
        position: int = self._inner.seek(offset, whence)
        return position

    def tell(self) -> int:
        """As `io.RawIOBase.tell`."""
        return self.seek(0, io.SEEK_CUR)

    def readinto(self, buffer: Any) -> int:
        """Fill ``buffer`` and return the number of bytes; 0 at the end."""
        view = memoryview(buffer).cast("B")
        filled = 0
        while filled < len(view) and self._failure is None:
            try:
                piece = self._inner.read(min(PIECE_BYTES, len(view) - filled))
            except InputError as error:
                self._failure = error
                break
            except DAMAGE as error:
                self._failure = InputError(f"damaged after {self._passed} bytes of content: {error}", path=self._name)
                self._failure.__cause__ = error
                break
            if not piece:
                return filled
            view[filled : filled + len(piece)] = piece
            filled += len(piece)
            self._passed += len(piece)
            self._check_bounds()
        if not filled and self._failure is not None:
            raise self._failure
        return filled

    def _check_bounds(self) -> None:
        if self._passed > MAX_MEMBER_BYTES:
            self._failure = InputError(f"has more than {MAX_MEMBER_BYTES >> 30} GiB of content", path=self._name)
        elif not self._seekable and self._passed > FREE_BYTES and self._passed > MAX_RATIO * max(self._drawn(), 1):
            self._failure = InputError(
                f"expands to more than {MAX_RATIO} times its size, as decompression bombs do; unpack it by hand if "
                "you trust it",
                path=self._name,
            )


def compression(head: bytes) -> str | None:
    """Return the compression of a stream that begins with ``head``; None if it is not compressed."""
    return next((kind for magic, (kind, _) in _MAGIC.items() if head.startswith(magic)), None)


def decompressed(raw: IO[bytes], name: str, drawn: Callable[[], int]) -> io.BufferedReader:
    """Remove every layer of compression from ``raw``, guarded; seekable if it is an uncompressed plain file.

    Raises InputError for more than MAX_LAYERS layers.
    """
    stream = _buffered(Guarded(raw, name, drawn, seekable=isinstance(raw, io.FileIO)))
    for _ in range(MAX_LAYERS):
        kind = compression(peeked(stream, 8))
        if kind is None:
            return stream
        stream = _buffered(Guarded(_decompressor(kind, stream), name, drawn))
    raise InputError(f"is compressed more than {MAX_LAYERS} times over", path=name)


def peeked(stream: io.BufferedReader, size: int) -> bytes:
    """Return the next ``size`` bytes, or fewer before the end or damage, without consuming them."""
    try:
        return stream.peek(size)[:size]
    except InputError:
        return b""


def pieces(stream: IO[bytes]) -> Iterator[bytes]:
    """Yield the stream in pieces of at most a mebibyte; raises InputError at damage, after the good bytes."""
    read = getattr(stream, "read1", stream.read)
    while piece := read(1 << 20):
        yield piece


def blocks(stream: IO[bytes]) -> Iterator[tuple[int, bytes]]:
    """Yield (number of the first line from 1, whole lines with their ends), about BLOCK_BYTES at once.

    A line over MAX_LINE_BYTES is cut to that; only the last block may lack its line end.
    """
    number, kept, size = 1, [], 0
    for piece, failure in _until_damage(_bounded_lines(stream)):
        if piece:
            kept.append(piece)
            size += len(piece)
        if kept and (not piece or size >= BLOCK_BYTES):
            block = b"".join(kept)
            yield number, block
            number += block.count(b"\n")
            kept, size = [], 0
        if failure is not None:
            raise failure


def lines(stream: IO[bytes]) -> Iterator[tuple[int, bytes]]:
    """Yield (number from 1, line without its end, LF or CRLF), cut to MAX_LINE_BYTES."""
    for first, block in blocks(stream):
        split = block.split(b"\n")
        if not split[-1]:
            split.pop()
        for offset, line in enumerate(split):
            yield first + offset, line[:-1] if line.endswith(b"\r") else line


def text_lines(stream: IO[bytes]) -> Iterator[tuple[int, str]]:
    """Yield `lines` as text.

    A byte order mark decides for UTF-8 or UTF-16. Without one, the first line beyond ASCII decides for the file: UTF-8
    if it is valid, else Latin-1. A later line that is not valid UTF-8 is read as Latin-1 by itself.
    """
    buffered: io.BufferedReader = stream if isinstance(stream, io.BufferedReader) else io.BufferedReader(stream)  # type: ignore[arg-type]
    mark = peeked(buffered, 3)
    source: IO[bytes] = buffered
    if mark[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        source = _buffered(_Recoded(buffered))
    is_utf8: bool | None = None
    for number, line in lines(source):
        if number == 1:
            line = line.removeprefix(codecs.BOM_UTF8)
        if is_utf8 is None and not line.isascii():
            is_utf8 = _is_utf8(line)
        yield number, line.decode("utf-8" if line.isascii() or (is_utf8 and _is_utf8(line)) else "latin-1")


def _bounded_lines(stream: IO[bytes]) -> Iterator[bytes]:
    """Yield runs of whole lines; a line over the limit comes alone, cut, with its end."""
    rest: list[bytes] = []  # the beginning of a line without its end
    size = 0
    for piece, failure in _until_damage(pieces(stream)):
        if not piece:
            if last_line := b"".join(rest)[:MAX_LINE_BYTES]:
                yield last_line
            if failure is not None:
                raise failure
            return
        end = piece.find(b"\n") + 1
        if not end:
            # Beyond the limit the line is counted but not kept.
            if size <= MAX_LINE_BYTES:
                rest.append(piece)
            size += len(piece)
            continue
        first = b"".join(rest) + piece[:end]
        yield first if len(first) <= MAX_LINE_BYTES else first[:MAX_LINE_BYTES] + b"\n"
        last = piece.rfind(b"\n") + 1
        if last > end:
            yield piece[end:last]
        rest, size = [piece[last:]], len(piece) - last


def _until_damage(parts: Iterator[bytes]) -> Iterator[tuple[bytes, InputError | None]]:
    """Yield (part, None) for each of ``parts``, and in the end (b"", the damage that ended them, if any)."""
    failure: InputError | None = None
    try:
        for part in parts:
            yield part, None
    except InputError as error:
        failure = error
    yield b"", failure


class _Recoded(io.RawIOBase):
    """UTF-16 with its byte order mark, as UTF-8; invalid characters become U+FFFD."""

    def __init__(self, inner: io.BufferedReader) -> None:
        super().__init__()
        self._inner = inner
        self._decoder = codecs.getincrementaldecoder("utf-16")(errors="replace")
        self._ready = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._ready:
            piece = self._inner.read1(1 << 16)
            self._ready = self._decoder.decode(piece, final=not piece).encode()
            if not piece:
                break
        filled, self._ready = self._ready[: len(buffer)], self._ready[len(buffer) :]
        buffer[: len(filled)] = filled
        return len(filled)


def _buffered(raw: io.RawIOBase) -> io.BufferedReader:
    return io.BufferedReader(raw, 1 << 18)


def _decompressor(kind: str, stream: io.BufferedReader) -> Any:
    if kind == "gzip":
        return gzip.GzipFile(fileobj=stream, mode="rb")
    if kind == "bzip2":
        return bz2.BZ2File(stream)
    if kind == "xz":
        return lzma.LZMAFile(stream)
    import pyarrow as pa

    return pa.CompressedInputStream(pa.PythonFile(stream, mode="r"), "zstd")


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True
