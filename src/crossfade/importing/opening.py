"""Opens a path to import: a file, a folder, a zip or a tar, perhaps compressed.

Nothing is extracted, so a member's name is only shown and compared and never becomes a path on the disk. A zip inside
a zip, as Apple sends them, is opened too, and the sheets of a spreadsheet are files. Links, devices, encrypted members
and other archives inside archives are skipped, and listed with the reason.
"""

import io
import os
import stat
import tarfile
import tempfile
import zipfile
from pathlib import Path, PurePosixPath
from typing import IO

from crossfade.core.errors import InputError
from crossfade.formats import sqlite_files, streams
from crossfade.importing.sources import Input, Opener, SelfClosing, first_bytes, is_tar, is_zip
from crossfade.importing.spreadsheets import WORKBOOK, Workbook

_HIDDEN_BUT_WANTED = frozenset({".scrobbler.log"})  # portable players hide their log
_JUNK = frozenset({"__MACOSX", ".DS_Store", "Thumbs.db", "desktop.ini"})
_NO_FILE = "a link or a device, not a file"
_READS_BEYOND_THE_END = 8
_IN_MEMORY = (tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK, tarfile.XHDTYPE, tarfile.XGLTYPE,
              tarfile.SOLARIS_XHDTYPE)  # fmt: skip
_MAX_HEADER_BYTES = 1 << 20  # of a tar's long names and attributes, which are read into memory


def open_input(path: Path) -> Input:
    """Return all readable files at ``path``.

    Raises InputError if there is nothing, if it is neither a file nor a folder, or if an archive cannot be read at all.
    """
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise InputError(f"cannot be opened: {error.strerror or error}", path=path) from error
    source = Input(path.name or str(path))
    if stat.S_ISDIR(mode):
        files, others = files_below(path)
        for other in others:
            source.skip(other.relative_to(path).as_posix(), _NO_FILE)
        for file in files:
            relative = PurePosixPath(file.relative_to(path).as_posix())
            try:
                add_file(source, file, str(relative), relative)
            except InputError as error:
                source.skip(str(relative), str(error))
    elif stat.S_ISREG(mode):
        for file in files_of(path):
            add_file(source, file, file.name, PurePosixPath(file.name))
    else:
        raise InputError("is neither a file nor a folder", path=path)
    return source


def files_of(path: Path) -> list[Path]:
    """Return the file at ``path``, and the one with its latest writes if it is a database that is in use."""
    writes = path.with_name(path.name + sqlite_files.WAL)
    try:
        with path.open("rb") as file:
            is_database = sqlite_files.is_database(file.read(len(sqlite_files.MARK)))
        return [path, writes] if is_database and writes.is_file() and writes.stat().st_size else [path]
    except OSError:
        return [path]  # whoever reads it says what is wrong


def files_below(folder: Path) -> tuple[list[Path], list[Path]]:
    """Return the plain files below ``folder``, by path, and the links and devices among them."""
    files: list[Path] = []
    others: list[Path] = []
    for directory, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name not in _JUNK)
        for name in sorted(names):
            path = Path(directory) / name
            if (name.startswith(".") and name not in _HIDDEN_BUT_WANTED) or name in _JUNK:
                continue
            if path.is_symlink() or not path.is_file():
                others.append(path)
            else:
                files.append(path)
    return sorted(files, key=lambda path: path.relative_to(folder).parts), others


def add_file(source: Input, path: Path, name: str, relative: PurePosixPath) -> None:
    """Add a file, or the members of an archive, at ``path`` to ``source``; InputError for a damaged archive."""

    def whole() -> io.BufferedReader:
        raw = source.raw(path)
        return streams.decompressed(raw, name, raw.tell)

    try:
        with path.open("rb") as file:
            start = file.read(8)
        head = first_bytes(whole(), 512)
    except OSError as error:
        source.skip(name, f"cannot be read: {error.strerror or error}")
        return
    except InputError:
        head = b""  # `add` says what is wrong with it
    if is_zip(start):
        _add_zip(source, source.raw(path), name, relative, path.stat().st_size)
    elif is_tar(head):
        _add_tar(source, whole, name, relative, path.stat().st_size)
    elif not head and not path.stat().st_size:
        source.skip(name, "an empty file")
    else:
        source.add(name, relative, whole)


def _add_zip(source: Input, file: IO[bytes], name: str, relative: PurePosixPath, size: int, depth: int = 1) -> None:
    """Add the members of the zip in ``file``, which is ``depth`` zips deep inside a file of ``size`` bytes."""
    try:
        # Its members share it, and keep it open as long as one of them is open.
        archive = zipfile.ZipFile(file)
        infos = archive.infolist()
    except streams.DAMAGE as error:
        raise InputError(f"is a damaged zip: {error}", path=name) from error
    _refuse_bomb(name, sum(info.file_size for info in infos), size)
    if any(info.filename == WORKBOOK for info in infos):
        _add_sheets(source, archive, name, relative)
        return
    for info in sorted(infos, key=lambda info: info.filename):
        inner = f"{name}:{info.filename}"
        inside = PurePosixPath(info.filename)
        if info.is_dir() or any(part in _JUNK for part in inside.parts):
            continue
        if why := _unwanted(inside):
            source.skip(inner, why)
        elif info.flag_bits & 1:
            source.skip(inner, "encrypted; unpack it with its password and import the folder")
        elif stat.S_ISLNK(info.external_attr >> 16):
            source.skip(inner, _NO_FILE)
        elif not info.file_size:
            source.skip(inner, "an empty file")
        else:
            opener = _zip_opener(archive, info, inner)
            if depth < streams.MAX_LAYERS and _begins_as_zip(opener):
                try:
                    _add_zip(source, _searchable(opener, inner), inner, _below(relative, inside), size, depth + 1)
                except InputError as error:
                    source.skip(inner, str(error))
            else:
                source.add(inner, _below(relative, inside), opener)


def _add_sheets(source: Input, archive: zipfile.ZipFile, name: str, relative: PurePosixPath) -> None:
    """Add each sheet of a spreadsheet as a member in CSV."""

    def opened(part: str) -> io.BufferedReader:
        try:
            return _zip_opener(archive, archive.getinfo(part), name)()
        except KeyError as error:
            raise InputError(f"is a damaged spreadsheet: there is no {part}", path=name) from error

    workbook = Workbook(name, opened)
    packed = sum(info.compress_size for info in archive.infolist())
    for sheet, part in workbook.sheets():
        inner = f"{name}:{sheet}"

        def opener(part: str = part, inner: str = inner) -> io.BufferedReader:
            return io.BufferedReader(streams.Guarded(workbook.csv(part), inner, lambda: packed))

        source.add(inner, _below(relative, PurePosixPath(sheet.replace("/", "_") or "sheet")), opener)


def _begins_as_zip(opener: Opener) -> bool:
    try:
        with opener() as content:
            return is_zip(streams.peeked(content, 4))
    except InputError:
        return False  # `add` says what is wrong with it


def _searchable(opener: Opener, name: str) -> IO[bytes]:
    """Return a copy of a zip inside a zip, which cannot be searched in place: a file without a name on the disk."""
    try:
        with tempfile.TemporaryFile() as copy, opener() as content:
            for piece in streams.pieces(content):
                copy.write(piece)
            copy.seek(0)
            return SelfClosing(os.dup(copy.fileno()))
    except OSError as error:
        raise InputError(f"cannot be copied to the disk: {error.strerror or error}", path=name) from error


def _zip_opener(archive: zipfile.ZipFile, info: zipfile.ZipInfo, name: str) -> Opener:
    def opener() -> io.BufferedReader:
        try:
            member = archive.open(info)
        except streams.DAMAGE as error:
            # The library's own message repeats the name as bytes.
            raise InputError(f"is damaged: {str(error)[:200]}", path=name) from error
        return streams.decompressed(member, name, lambda: info.compress_size)

    return opener


def _refuse_bomb(name: str, content: int, size: int) -> None:
    """Raise InputError if an archive of ``size`` bytes says that it has implausibly much ``content``."""
    if content > max(streams.FREE_BYTES, streams.MAX_RATIO * size):
        raise InputError(
            f"expands to more than {streams.MAX_RATIO} times its size by its own account ({content:,} bytes), as "
            "decompression bombs do; unpack it by hand if you trust it",
            path=name,
        )


class _Tar:
    """A tar read from front to back; opening its members in their order costs one pass over it."""

    def __init__(self, whole: Opener, name: str) -> None:
        self._whole = whole
        self._name = name
        self._archive: tarfile.TarFile | None = None
        self._next = 0

    def seek(self, position: int) -> IO[bytes]:
        """Return the content of the entry at ``position`` among all entries."""
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
        """Return the next entry, None at the end; InputError if the tar is damaged there."""
        if self._archive is None:
            self._archive, self._next = self._start(), 0
        try:
            info = self._archive.next()
        except InputError:
            raise
        except streams.DAMAGE as error:
            raise InputError(f"is a damaged tar: {error}", path=self._name) from error
        # The library remembers every entry, for random access, which a stream does not have.
        self._archive.members = []  # type: ignore[attr-defined]
        self._next += 1
        return info

    def head(self, info: tarfile.TarInfo) -> IO[bytes] | None:
        """Return the content of the entry that `step` returned last."""
        return None if self._archive is None else self._archive.extractfile(info)

    def _start(self) -> tarfile.TarFile:
        try:
            return tarfile.open(fileobj=_Ending(self._whole(), self._name), mode="r|", tarinfo=_Header, errorlevel=1)
        except streams.DAMAGE as error:
            raise InputError(f"is a damaged tar: {error}", path=self._name) from error


class _Header(tarfile.TarInfo):
    """An entry of a tar; tarfile.ReadError if its long name or its attributes are implausibly long."""

    # The library's place for a subclass to look at a header: `frombuf` is not called by all versions of Python.
    def _proc_member(self, archive: tarfile.TarFile) -> tarfile.TarInfo | None:
        if not 0 <= self.size <= _MAX_HEADER_BYTES and self.type in _IN_MEMORY:
            raise tarfile.ReadError(f"a name or attribute of {self.size:,} bytes")
        member: tarfile.TarInfo | None = super()._proc_member(archive)  # type: ignore[misc]
        return member


class _Ending(io.RawIOBase):
    """A stream that cannot be read far beyond its end, which the library does for a file that is cut short."""

    def __init__(self, stream: io.BufferedReader, name: str) -> None:
        super().__init__()
        self._stream = stream
        self._name = name
        self._beyond = 0

    def read(self, size: int = -1) -> bytes:
        piece = self._stream.read(size)
        self._beyond += not piece
        # The library itself looks beyond the end once or twice.
        if self._beyond > _READS_BEYOND_THE_END:
            raise InputError("ends before its last file does: it was cut short", path=self._name)
        return piece


def _add_tar(source: Input, whole: Opener, name: str, relative: PurePosixPath, size: int) -> None:
    reading = _Tar(whole, name)
    position = content = 0
    try:
        while (info := reading.step()) is not None:
            inner, inside = f"{name}:{info.name}", PurePosixPath(info.name)
            if not info.issparse():
                content += max(info.size, 0)
                _refuse_bomb(name, content, size)
            if info.isdir() or any(part in _JUNK for part in inside.parts):
                pass
            elif why := _unwanted(inside):
                source.skip(inner, why)
            elif not info.isreg():
                source.skip(inner, _NO_FILE)
            elif info.issparse():
                source.skip(inner, "a sparse file, most of which is not in the archive")
            elif not info.size:
                source.skip(inner, "an empty file")
            else:
                _add_tar_member(source, reading, info, position, inner, _below(relative, inside))
            position += 1
    except InputError as error:
        if not source.members:
            raise
        source.skip(name, f"the rest of it: {error}")


def _add_tar_member(
    source: Input, reading: _Tar, info: tarfile.TarInfo, position: int, name: str, inside: PurePosixPath
) -> None:
    first = reading.head(info)

    def opener() -> io.BufferedReader:
        nonlocal first
        content, first = first or reading.seek(position), None
        # The layers around the tar are guarded already; one inside it is compared with the member's own size.
        return streams.decompressed(content, name, lambda: info.size)

    source.add(name, inside, opener)


def _unwanted(inside: PurePosixPath) -> str | None:
    if inside.is_absolute() or ".." in inside.parts or "\\" in str(inside) or ":" in inside.parts[0]:
        return "its name points outside the archive"
    return None


def _below(archive: PurePosixPath, inside: PurePosixPath) -> PurePosixPath:
    """Return a member's path inside the input: an archive counts as a folder only if it is in one itself."""
    return inside if archive.parent == PurePosixPath() else archive.parent / inside
