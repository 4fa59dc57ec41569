"""An input as a list of members, which are streamed from their files and archives.

`crossfade.importing.opening` finds the members; this module reads them, and reports progress.
"""

import io
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import IO, Any, TypeVar

from crossfade.core.errors import InputError
from crossfade.core.paths import shown
from crossfade.core.progress import Progress
from crossfade.formats import parquet_files, streams
from crossfade.formats.contract import HEAD_BYTES, Member

SHORT_HEAD_BYTES = 2 << 10  # of every member after the first MANY, to bound the memory that heads take
MANY = 256
MAX_MEMBERS = 100_000  # as many as a library's playlists; more is a mistake, or an attack on memory
MAX_FOOTER_BYTES = 4 << 20  # of a Parquet file; some 100 row groups of 50 columns

Part = TypeVar("Part")
Opener = Callable[[], io.BufferedReader]


class Input:
    """One file, folder or archive to import, with all of its members.

    skipped  (name, why) of the files that cannot be read
    """

    def __init__(self, name: str) -> None:
        self.name = shown(name)
        self.skipped: list[tuple[str, str]] = []
        self._openers: dict[str, Opener] = {}
        self._members: list[Member] = []
        self._meter: _Meter | None = None

    @property
    def members(self) -> Sequence[Member]:
        """All members by path; those of a tar in archive order."""
        return self._members

    def open(self, member: Member) -> IO[bytes]:
        """The member's decompressed bytes, buffered. Reading past damage raises InputError."""
        return self._openers[member.name]()

    def report(self, progress: Progress, total: int) -> None:
        """Report to ``progress`` from now on how many of ``total`` bytes of the files have been read."""
        self._meter = _Meter(progress, total)

    def add(self, name: str, relative: PurePosixPath, opener: Opener) -> None:
        """Add one readable member; one with a damaged beginning, or that is an archive, is skipped."""
        name, relative = shown(name), PurePosixPath(shown(relative))
        if len(self._members) >= MAX_MEMBERS:
            raise InputError(f"contains more than {MAX_MEMBERS} files", path=self.name)
        while relative.suffix.lower() in streams.COMPRESSION_SUFFIXES:
            relative = relative.with_suffix("")
        try:
            stream = opener()
            size = HEAD_BYTES if len(self._members) < MANY else SHORT_HEAD_BYTES
            head = first_bytes(stream, size)
            footer = _parquet_footer(stream, head) if head.startswith(parquet_files.MARK) else b""
        except InputError as error:
            self.skip(name, str(error))
            return
        if is_zip(head) or is_tar(head):
            self.skip(name, "an archive inside an archive; unpack it and import it by itself")
            return
        self._openers[name] = opener
        self._members.append(Member(name, relative, head, footer))

    def skip(self, name: str, why: str) -> None:
        """List a file that cannot be read."""
        self.skipped.append((shown(name), why))

    def raw(self, path: Path) -> "_Metered":
        """Open a file on the disk whose reading is reported to progress."""
        return _Metered(path, self)

    def advance(self, path: Path, position: int) -> None:
        """Report that ``path`` was read up to ``position``; `raw` files call this."""
        if self._meter is not None:
            self._meter.advance(path, position)


class Selection:
    """The members of an `Input` that one format reads; implements `contract.Source`.

    opened   called with each member that is opened
    damaged  called with a member that ends early, and the error
    """

    def __init__(
        self,
        whole: Input,
        members: Sequence[Member],
        opened: Callable[[Member], None],
        damaged: Callable[[Member, InputError], None],
    ) -> None:
        self.name = whole.name
        self.members = members
        self._whole = whole
        self._opened = opened
        self._damaged = damaged

    def open(self, member: Member) -> IO[bytes]:
        """The member's decompressed bytes, buffered. Reading past damage raises InputError."""
        self._opened(member)
        return self._whole.open(member)

    def lines(self, member: Member) -> Iterator[tuple[int, bytes]]:
        """See `streams.lines`."""
        return self._until_damage(member, streams.lines)

    def blocks(self, member: Member) -> Iterator[tuple[int, bytes]]:
        """See `streams.blocks`."""
        return self._until_damage(member, streams.blocks)

    def text_lines(self, member: Member) -> Iterator[tuple[int, str]]:
        """See `streams.text_lines`."""
        return self._until_damage(member, streams.text_lines)

    def _until_damage(self, member: Member, read: Callable[[IO[bytes]], Iterator[Part]]) -> Iterator[Part]:
        """Yield the parts before damage, and report the damage."""
        try:
            yield from read(self.open(member))
        except InputError as error:
            self._damaged(member, error)


def first_bytes(stream: io.BufferedReader, size: int) -> bytes:
    """Return up to ``size`` first bytes, those before any damage."""
    read = bytearray()
    while len(read) < size:
        try:
            piece = stream.read1(size - len(read))
        except InputError:
            if not read:
                raise
            break
        if not piece:
            break
        read += piece
    return bytes(read)


def _parquet_footer(stream: io.BufferedReader, head: bytes) -> bytes:
    """Return the beginning of a Parquet file's footer; ``head`` has been read from ``stream`` already."""
    tail = head
    try:
        if stream.seekable():
            stream.seek(-min(MAX_FOOTER_BYTES, stream.seek(0, io.SEEK_END)), io.SEEK_END)
            tail = stream.read()
        else:
            for piece in streams.pieces(stream):
                tail = (tail + piece)[-MAX_FOOTER_BYTES:]
    except InputError:
        return b""
    # The footer's length and the mark follow it.
    length = int.from_bytes(tail[-8:-4], "little") if tail.endswith(parquet_files.MARK) else 0
    return tail[-8 - length :][:HEAD_BYTES] if 0 < length <= len(tail) - 8 else b""


def is_tar(head: bytes) -> bool:
    """Return whether a file that begins with ``head`` (at least 262 bytes) is a tar."""
    return head[257:262] == b"ustar"


def is_zip(head: bytes) -> bool:
    """Return whether a file that begins with ``head`` (at least 4 bytes) is a zip, perhaps an empty one."""
    return head.startswith((b"PK\x03\x04", b"PK\x05\x06"))


class _Meter:
    """Sums the positions in several files to one progress that never decreases."""

    def __init__(self, progress: Progress, total: int) -> None:
        self._progress = progress
        self._total = total
        self._furthest: dict[Path, int] = {}
        self._done = 0

    def advance(self, path: Path, position: int) -> None:
        before = self._furthest.get(path, 0)
        if position > before:
            self._furthest[path] = position
            self._done += position - before
            self._progress(min(self._done, self._total), self._total, "bytes")


class SelfClosing(io.FileIO):
    """A file that archives share: it is closed with the last stream over it."""

    def __del__(self) -> None:
        """Close."""
        self.close()


class _Metered(SelfClosing):
    """A file that reports its position to an `Input`."""

    def __init__(self, path: Path, reporting: Input) -> None:
        super().__init__(path)
        self._path = path
        self._reporting = reporting

    def read(self, size: int | None = -1) -> bytes:
        """As `io.FileIO.read`."""
        piece: Any = super().read(-1 if size is None else size)
        self._reporting.advance(self._path, self.tell())
        return piece or b""
