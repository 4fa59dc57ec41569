"""The sound of each track of a home's demo world, synthesised when it is first asked for and cached as a file."""

import contextlib
import os
import threading
from pathlib import Path

from crossfade.core.artifacts import read_manifest, write_file
from crossfade.core.errors import UnknownIdError
from crossfade.core.home import Home
from crossfade.core.replacing import make_directory
from crossfade.core.settings import from_table
from crossfade.demo import catalogue
from crossfade.demo.audio import Sound, synthesised
from crossfade.demo.catalogue import Catalogue
from crossfade.demo.genres import GENRES
from crossfade.demo.settings import DemoSettings, audio_place, truth_place
from crossfade.demo.truth import truth_identity

MOST_BYTES = 256 * 1024 * 1024
"""Of cached sound: some 230 tracks. What was asked for longest ago goes first."""

_PREFIX = "demo:track:"


class Sounds:
    """The sounds of the world that was imported into ``home``; safe to use from any number of threads."""

    def __init__(self, home: Home, most_bytes: int = MOST_BYTES) -> None:
        self._home, self._most_bytes = home, most_bytes
        self._lock = threading.Lock()
        self._made: tuple[DemoSettings, Catalogue] | None = None

    @property
    def invented(self) -> bool:
        """Whether the home has a demo world."""
        return truth_place(self._home).is_dir()

    def has(self, track_id: str) -> bool:
        """Whether ``track_id`` is one of a demo world."""
        return self.invented and track_id.removeprefix(_PREFIX).isdecimal() and track_id.startswith(_PREFIX)

    def prepare(self) -> None:
        """Make the world's catalogue again, if there is a world, so that no listener waits for it."""
        if self.invented:
            self._catalogue(self._world()[1])

    def path_of(self, track_id: str) -> Path:
        """Return a WAV file of the track; UnknownIdError if the world has no such track.

        The first call makes the world's catalogue again unless `prepare` did: a second for each 25,000 tracks.
        """
        if not self.has(track_id):
            raise UnknownIdError(f"There is no sound of {track_id!r}.")
        row = int(track_id.removeprefix(_PREFIX))
        world, settings = self._world()
        place = audio_place(self._home) / f"{world}-{row}.wav"
        with contextlib.suppress(OSError):
            os.utime(place)
            return place
        sound = _sound(self._catalogue(settings), row)
        make_directory(place.parent)
        write_file(place, synthesised(sound))
        self._prune(place)
        return place

    def _world(self) -> tuple[str, DemoSettings]:
        """What tells the world of the home from others, and its settings; it may be replaced while it is served."""
        table = read_manifest(truth_place(self._home)).identity.settings
        settings = from_table(DemoSettings, table, "the demo world")
        return truth_identity(settings).fingerprint[:12], settings

    def _catalogue(self, settings: DemoSettings) -> Catalogue:
        """The catalogue of the world, made once."""
        with self._lock:
            if self._made is None or self._made[0] != settings:
                self._made = settings, catalogue.build(settings)
            return self._made[1]

    def _prune(self, newest: Path) -> None:
        """Remove what was asked for longest ago, until the rest is within the limit."""
        found = []
        for path in newest.parent.glob("*.wav"):
            with contextlib.suppress(OSError):  # another process has removed it
                found.append((path.stat().st_mtime, path.stat().st_size, path))
        kept = 0
        for _, size, path in sorted(found, reverse=True):
            kept += size
            if kept > self._most_bytes and path != newest:
                path.unlink(missing_ok=True)


def _sound(music: Catalogue, row: int) -> Sound:
    if row >= len(music.titles):
        raise UnknownIdError(f"There is no sound of '{_PREFIX}{row}'.")
    return Sound(
        genre=GENRES[music.genre[music.artist_of[row]]].name,
        tempo=float(music.tempo[row]),
        energy=float(music.energy[row]),
        brightness=float(music.brightness[row]),
        seed=int(music.recording[row]),  # a compilation has the same recordings
    )
