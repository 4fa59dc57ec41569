"""A folder of music files that the server plays from: read in the background, kept as an index in the home.

Only files that have changed are read again. The index is replaced in one step, so all processes of a server share it:
one of them reads the folder, the others notice. Nothing that a request says becomes a path: ids are looked up in the
index. Links are not followed, and a file that lies outside the folder when it is opened is not sent.
"""

import contextlib
import logging
import os
import threading
import time
from pathlib import Path

import msgspec

from crossfade.core.artifacts import write_file
from crossfade.core.errors import BusyError, CrossfadeError, InputError, SettingsError
from crossfade.core.locking import locked
from crossfade.core.paths import shown
from crossfade.core.replacing import make_directory
from crossfade.formats.audio_tags import CONTENT_TYPES, LARGEST_COVER, picture_type, read_cover, read_tags
from crossfade.importing.opening import files_below
from crossfade.live.music import Album, File, Music, Song

RESCAN_SECONDS = 600.0
"""After so long the folder is looked through again, which reads only what has changed."""

NOTICE_SECONDS = 1.0
"""How often, at most, a process looks whether another one has replaced the index."""

COVERS = ("cover", "folder", "front", "album", "albumart")
"""Names of the pictures beside music files that are covers, the first one first, with any of `COVER_SUFFIXES`."""

COVER_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".gif")

_log = logging.getLogger("crossfade.serve.music")


class _Index(msgspec.Struct, frozen=True):
    version: int
    folder: bytes
    made_at: int
    files: list[File]


VERSION = 1
"""Of the index; one of another version is made again."""


class MusicFolder:
    """The music below ``folder``, with its index in the directory ``kept``; safe to use from any number of threads.

    Raises SettingsError if ``folder`` is not a folder that can be read.
    """

    def __init__(self, folder: Path, kept: Path) -> None:
        self.folder = Path(os.path.realpath(folder))
        if not os.access(self.folder, os.R_OK | os.X_OK) or not self.folder.is_dir():
            raise SettingsError(f"{shown(folder)} is not a folder that can be read. Set [serve] music to one.")
        self._kept = kept
        make_directory(kept)
        self._music = Music()
        self._lock = threading.Lock()
        self._stamp: tuple[int, int] | None = None
        self._noticed_at = float("-inf")
        self._scanning = threading.Lock()
        self.counted = 0

    @property
    def _index(self) -> Path:
        return self._kept / "index.msgpack"

    @property
    def scanning(self) -> bool:
        """Whether this process is reading the folder; `counted` says how far it is."""
        return self._scanning.locked()

    def music(self) -> Music:
        """Return the music as it was read last, by whichever process; empty before the first time."""
        now = time.monotonic()
        # While one request takes in another index, the others go on with the one before, if there is one.
        if now - self._noticed_at >= NOTICE_SECONDS and self._lock.acquire(blocking=self._stamp is None):
            try:
                self._notice()
                self._noticed_at = now
            finally:
                self._lock.release()
        return self._music

    def scan(self) -> Music:
        """Read what has changed in the folder, and return its music; if it is being read already, what there is."""
        if not self._scanning.acquire(blocking=False):
            return self.music()
        try:
            with contextlib.suppress(BusyError), locked(self._kept, "reading the music folder"):
                self._scan()
        finally:
            self._scanning.release()
        self._noticed_at = float("-inf")
        return self.music()

    def path_of(self, song: Song) -> Path:
        """Return the file of ``song``; InputError if it is gone, or lies outside the folder."""
        return self._inside(self.folder / os.fsdecode(song.file.path))

    def cover_of(self, album: Album, song: Song | None = None) -> tuple[bytes, str] | None:
        """Return the picture of ``album`` and its type, that of ``song`` first; None if there is none.

        A picture inside a file comes before one beside it, since it is the song's own.
        """
        inside = [one for one in (song, *album.songs) if one is not None and one.tags.cover]
        for one in inside[:1]:
            with contextlib.suppress(InputError, OSError), self.path_of(one).open("rb") as file:
                if found := read_cover(file, one.id):
                    return found
        for folder in dict.fromkeys((self.folder / os.fsdecode(one.file.path)).parent for one in album.songs):
            if found := self._picture_in(folder):
                return found
        return None

    def _picture_in(self, folder: Path) -> tuple[bytes, str] | None:
        try:
            names = {path.name.casefold(): path for path in sorted(folder.iterdir())}
            for wanted in (f"{stem}{suffix}" for stem in COVERS for suffix in COVER_SUFFIXES):
                if wanted in names:
                    path = self._inside(names[wanted])
                    if path.stat().st_size <= LARGEST_COVER and (kind := picture_type(content := path.read_bytes())):
                        return content, kind
        except (InputError, OSError):
            pass
        return None

    def _inside(self, path: Path) -> Path:
        real = Path(os.path.realpath(path))
        if real != path or not real.is_relative_to(self.folder) or not real.is_file():
            raise InputError("The file is not in the music folder any more. Have the folder scanned again.")
        return real

    def _notice(self) -> None:
        """Load the index if it is another one than before; the caller has the lock."""
        try:
            status = self._index.stat()
        except OSError:
            return
        stamp = (status.st_ino, status.st_mtime_ns)
        if stamp != self._stamp:
            index = self._read()
            self._music = Music(index.files, index.made_at) if index else Music()
            self._stamp = stamp

    def _read(self) -> _Index | None:
        """The index of this folder; None if there is none that can be used."""
        try:
            index = msgspec.msgpack.decode(self._index.read_bytes(), type=_Index)
        except (OSError, msgspec.MsgspecError):
            return None
        return index if index.version == VERSION and index.folder == os.fsencode(self.folder) else None

    def _scan(self) -> None:
        before = self._read()
        known = {file.path: file for file in before.files} if before else {}
        self.counted, found, damaged = 0, [], 0
        for path in files_below(self.folder)[0]:
            if path.suffix.lower() not in CONTENT_TYPES:
                continue
            self.counted += 1
            try:
                found.append(_current(path, self.folder, known))
            except (InputError, OSError):
                damaged += 1
        if before is None or before.files != found:
            index = _Index(VERSION, os.fsencode(self.folder), time.time_ns() // 1_000_000, found)
            write_file(self._index, msgspec.msgpack.encode(index))
            _log.info("The music folder has %d songs; %d files could not be read.", len(found), damaged)


def _current(path: Path, folder: Path, known: dict[bytes, File]) -> File:
    """The file at ``path`` as it is: what is ``known`` of it, unless it has changed."""
    relative, status = os.fsencode(path.relative_to(folder)), path.stat()
    before = known.get(relative)
    if before is not None and (before.size, before.modified_ns) == (status.st_size, status.st_mtime_ns):
        return before
    with path.open("rb") as file:
        return File(relative, status.st_size, status.st_mtime_ns, read_tags(file, path.name))


def keep_scanning(folder: MusicFolder, stop: threading.Event) -> None:
    """Scan ``folder`` at once and every `RESCAN_SECONDS` until ``stop`` is set; errors are logged."""
    while True:
        try:
            folder.scan()
        except (CrossfadeError, OSError) as error:
            _log.warning("The music folder could not be read: %s", error)
        if stop.wait(RESCAN_SECONDS):
            return
