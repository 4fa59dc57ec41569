"""What a person names, opened: a file, a folder, a zip, a tar, each maybe compressed, as a list of members.

Members are streamed from where they lie; nothing is extracted, so a member's name is only ever shown and
compared, never a place on the disk. Links, devices, encrypted members and archives inside archives are not
read, and are listed with the reason.
"""

import io
import os
import stat
import tarfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import IO, Any, TypeVar

from crossfade.core.errors import InputError
from crossfade.core.progress import Progress
from crossfade.listens import streams
from crossfade.listens.contract import Member

HEAD_BYTES = 64 << 10  # enough for a format to see its first rows
SHORT_HEAD_BYTES = 2 << 10  # of every member after the first MANY, so that heads never fill the memory
MANY = 256
MAX_MEMBERS = 100_000  # a library's worth of playlists; more is a mistake, or an attack on memory
MAX_FOOTER_BYTES = 4 << 20  # of a Parquet file; some 100 row groups of 50 columns
_PARQUET = b"PAR1"
_HIDDEN_BUT_WANTED = frozenset({".scrobbler.log"})  # portable players hide what they wrote down
_JUNK = frozenset({"__MACOSX", ".DS_Store", "Thumbs.db", "desktop.ini"})

Part = TypeVar("Part")
Opener = Callable[[], io.BufferedReader]


class Input:
    """One thing that a person asked to import; implements `contract.Source` over all of its members.

    skipped  (name, why) of what was found but cannot be read
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.skipped: list[tuple[str, str]] = []
        self._openers: dict[str, Opener] = {}
        self._members: list[Member] = []
        self._meter: _Meter | None = None

    @property
    def members(self) -> Sequence[Member]:
        """By path; those of a tar in the order in which they stand there."""
        return self._members

    def open(self, member: Member) -> IO[bytes]:
        """The member's decompressed bytes, buffered. Reading past damage raises InputError."""
        return self._openers[member.name]()

    def lines(self, member: Member) -> Iterator[tuple[int, bytes]]:
        """See `streams.lines`."""
        return streams.lines(self.open(member))

    def blocks(self, member: Member) -> Iterator[tuple[int, bytes]]:
        """See `streams.blocks`."""
        return streams.blocks(self.open(member))

    def text_lines(self, member: Member) -> Iterator[tuple[int, str]]:
        """See `streams.text_lines`."""
        return streams.text_lines(self.open(member))

    def report(self, progress: Progress, total: int) -> None:
        """Tell ``progress`` from now on how many of ``total`` bytes of the files have been read."""
        self._meter = _Meter(progress, total)

    def add(self, name: str, relative: PurePosixPath, opener: Opener) -> None:
        """Take in one readable member; one whose beginning is damaged, or that is an archive, is skipped."""
        if len(self._members) >= MAX_MEMBERS:
            raise InputError(f"holds more than {MAX_MEMBERS} files", path=self.name)
        while relative.suffix.lower() in streams.COMPRESSION_SUFFIXES:
            relative = relative.with_suffix("")
        try:
            stream = opener()
            size = HEAD_BYTES if len(self._members) < MANY else SHORT_HEAD_BYTES
            head = _first(stream, size)
            footer = _parquet_footer(stream, head) if head.startswith(_PARQUET) else b""
        except InputError as error:
            self.skipped.append((name, str(error)))
            return
        if _is_archive(head):
            self.skipped.append((name, "an archive inside an archive; take it out and import it by itself"))
            return
        self._openers[name] = opener
        self._members.append(Member(name, relative, head, footer))

    def raw(self, path: Path) -> "_Metered":
        """The bytes of a file on the disk, counted for progress."""
        return _Metered(path, self)

    def advance(self, path: Path, position: int) -> None:
        """Called by `raw` files: ``path`` was read up to ``position``."""
        if self._meter is not None:
            self._meter.advance(path, position)


class Selection:
    """Some of the members of an `Input`: what one format gets to see."""

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
        return self._sound(member, streams.lines)

    def blocks(self, member: Member) -> Iterator[tuple[int, bytes]]:
        """See `streams.blocks`."""
        return self._sound(member, streams.blocks)

    def text_lines(self, member: Member) -> Iterator[tuple[int, str]]:
        """See `streams.text_lines`."""
        return self._sound(member, streams.text_lines)

    def _sound(self, member: Member, read: Callable[[IO[bytes]], Iterator[Part]]) -> Iterator[Part]:
        """What comes before damage; damage is reported, and ends it."""
        try:
            yield from read(self.open(member))
        except InputError as error:
            self._damaged(member, error)


def open_input(path: Path) -> Input:
    """Everything readable at ``path``.

    Raises InputError if there is nothing, if it is neither a file nor a folder, or if an archive is damaged
    beyond its first member.
    """
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise InputError(f"cannot be opened: {error.strerror or error}", path=path) from error
    found = Input(path.name or str(path))
    if stat.S_ISDIR(mode):
        for file in files_below(path, found.skipped):
            relative = PurePosixPath(file.relative_to(path).as_posix())
            try:
                _add_file(found, file, str(relative), relative)
            except InputError as error:
                found.skipped.append((str(relative), str(error)))
    elif stat.S_ISREG(mode):
        _add_file(found, path, path.name, PurePosixPath(path.name))
    else:
        raise InputError("is neither a file nor a folder", path=path)
    return found


def files_below(folder: Path, skipped: list[tuple[str, str]]) -> list[Path]:
    """The plain files below ``folder``, by path; what is not one goes into ``skipped`` with the reason."""
    files: list[Path] = []
    for directory, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name not in _JUNK)
        for name in sorted(names):
            path = Path(directory) / name
            if (name.startswith(".") and name not in _HIDDEN_BUT_WANTED) or name in _JUNK:
                continue
            if path.is_symlink() or not path.is_file():
                skipped.append((path.relative_to(folder).as_posix(), "a link or a device, not a file"))
            else:
                files.append(path)
    return sorted(files, key=lambda path: path.relative_to(folder).parts)


def _add_file(found: Input, path: Path, name: str, relative: PurePosixPath) -> None:
    def whole() -> io.BufferedReader:
        raw = found.raw(path)
        return streams.decompressed(raw, name, raw.tell)

    try:
        with path.open("rb") as file:
            start = file.read(8)
        head = _first(whole(), 512)
    except OSError as error:
        found.skipped.append((name, f"cannot be read: {error.strerror or error}"))
        return
    except InputError:
        head = b""  # `add` says what is wrong with it
    if start.startswith(b"PK\x03\x04") or start.startswith(b"PK\x05\x06"):
        _add_zip(found, path, name, relative)
    elif _is_tar(head):
        _add_tar(found, whole, name, relative)
    elif not head and not path.stat().st_size:
        found.skipped.append((name, "an empty file"))
    else:
        found.add(name, relative, whole)


def _add_zip(found: Input, path: Path, name: str, relative: PurePosixPath) -> None:
    try:
        # Its members share it, and keep it open as long as one of them is needed.
        archive = zipfile.ZipFile(found.raw(path))
        infos = archive.infolist()
    except streams.DAMAGE as error:
        raise InputError(f"is a damaged zip: {error}", path=name) from error
    size = path.stat().st_size
    if sum(info.file_size for info in infos) > max(streams.FREE_BYTES, streams.MAX_RATIO * size):
        raise InputError(
            f"says that it expands to more than {streams.MAX_RATIO} times its size, as decompression bombs do; unpack "
            "it by hand if you trust it",
            path=name,
        )
    for info in sorted(infos, key=lambda info: info.filename):
        shown = f"{name}:{info.filename}"
        inside = PurePosixPath(info.filename)
        if info.is_dir() or any(part in _JUNK for part in inside.parts):
            continue
        if why := _unwanted(inside):
            found.skipped.append((shown, why))
        elif info.flag_bits & 1:
            found.skipped.append((shown, "encrypted; unpack it with its password and import the folder"))
        elif stat.S_ISLNK(info.external_attr >> 16):
            found.skipped.append((shown, "a link or a device, not a file"))
        elif not info.file_size:
            found.skipped.append((shown, "an empty file"))
        else:
            found.add(shown, _below(relative, inside), _zip_opener(archive, info, shown))


def _zip_opener(archive: zipfile.ZipFile, info: zipfile.ZipInfo, shown: str) -> Opener:
    def opener() -> io.BufferedReader:
        try:
            member = archive.open(info)
        except streams.DAMAGE as error:
            raise InputError(f"is damaged: {error}", path=shown) from error
        return streams.decompressed(member, shown, lambda: info.compress_size)

    return opener


class _Tar:
    """A tar read from front to back; opening its members in their order costs one pass over it."""

    def __init__(self, whole: Opener, name: str) -> None:
        self._whole = whole
        self._name = name
        self._archive: tarfile.TarFile | None = None
        self._next = 0

    def seek(self, position: int) -> IO[bytes]:
        """The content of the entry that stands at ``position`` among all entries."""
        if self._archive is None or position < self._next:
            self._archive, self._next = self._start(), 0
        while (info := self.step()) is not None:
            if self._next == position + 1:
                content = self._archive.extractfile(info)
                if content is not None:
                    return content
                break
        raise InputError("changed while it was read", path=self._name)

    def step(self) -> tarfile.TarInfo | None:
        """The next entry, None at the end; InputError if the tar is damaged there."""
        if self._archive is None:
            self._archive, self._next = self._start(), 0
        try:
            info = self._archive.next()
        except InputError:
            raise
        except streams.DAMAGE as error:
            raise InputError(f"is a damaged tar: {error}", path=self._name) from error
        # The library remembers every entry, for a kind of access that a stream does not have.
        self._archive.members = []  # type: ignore[attr-defined]
        self._next += 1
        return info

    def head(self, info: tarfile.TarInfo) -> IO[bytes] | None:
        """The content of the entry that `step` has just given."""
        return None if self._archive is None else self._archive.extractfile(info)

    def _start(self) -> tarfile.TarFile:
        try:
            return tarfile.open(fileobj=self._whole(), mode="r|", errorlevel=1)
        except streams.DAMAGE as error:
            raise InputError(f"is a damaged tar: {error}", path=self._name) from error


def _add_tar(found: Input, whole: Opener, name: str, relative: PurePosixPath) -> None:
    reading = _Tar(whole, name)
    position = 0
    try:
        while (info := reading.step()) is not None:
            shown, inside = f"{name}:{info.name}", PurePosixPath(info.name)
            if info.isdir() or any(part in _JUNK for part in inside.parts):
                pass
            elif why := _unwanted(inside):
                found.skipped.append((shown, why))
            elif not info.isreg():
                found.skipped.append((shown, "a link or a device, not a file"))
            elif not info.size:
                found.skipped.append((shown, "an empty file"))
            else:
                _add_tar_member(found, reading, info, position, shown, _below(relative, inside))
            position += 1
    except InputError as error:
        if not found.members:
            raise
        found.skipped.append((name, f"the rest of it: {error}"))


def _add_tar_member(
    found: Input, reading: _Tar, info: tarfile.TarInfo, position: int, shown: str, inside: PurePosixPath
) -> None:
    first = reading.head(info)

    def opener() -> io.BufferedReader:
        nonlocal first
        content, first = first or reading.seek(position), None
        # What is around the tar is guarded already; a layer inside it is held against the member's own size.
        return streams.decompressed(content, shown, lambda: info.size)

    found.add(shown, inside, opener)


def _first(stream: io.BufferedReader, size: int) -> bytes:
    """Up to ``size`` first bytes; those before damage, if it begins within them."""
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
    """The beginning of the footer of a Parquet file of which ``head`` has been read from ``stream``."""
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
    # The footer is followed by its length and the mark.
    length = int.from_bytes(tail[-8:-4], "little") if tail.endswith(_PARQUET) else 0
    return tail[-8 - length :][:HEAD_BYTES] if 0 < length <= len(tail) - 8 else b""


def _is_tar(head: bytes) -> bool:
    return head[257:262] == b"ustar"


def _is_archive(head: bytes) -> bool:
    return head.startswith(b"PK\x03\x04") or _is_tar(head)


def _unwanted(inside: PurePosixPath) -> str | None:
    if inside.is_absolute() or ".." in inside.parts or "\\" in str(inside) or ":" in inside.parts[0]:
        return "its name leads out of the archive"
    return None


def _below(archive: PurePosixPath, inside: PurePosixPath) -> PurePosixPath:
    """A member's path inside what was imported: the archive counts as a folder only if it lies in one."""
    return inside if archive.parent == PurePosixPath() else archive.parent / inside


class _Meter:
    """Turns positions in several files into one number that never falls."""

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


class _Metered(io.FileIO):
    """A file that tells how far it was read."""

    def __init__(self, path: Path, found: Input) -> None:
        super().__init__(path)
        self._path = path
        self._found = found

    def read(self, size: int | None = -1) -> bytes:
        """As `io.FileIO.read`."""
        piece: Any = super().read(-1 if size is None else size)
        self._found.advance(self._path, self.tell())
        return piece or b""

    def __del__(self) -> None:
        """Closed with the last stream over it."""
        self.close()
