"""The sound of each track of a home's demo world, synthesised when it is first asked for and cached as a file."""

import contextlib
import os
import threading
from functools import cached_property
from pathlib import Path

from crossfade.core.artifacts import read_manifest, write_file
from crossfade.core.errors import ArtifactError, UnknownIdError
from crossfade.core.home import Home
from crossfade.core.replacing import make_directory
from crossfade.core.settings import from_table
from crossfade.demo import catalogue
from crossfade.demo.audio import Sound, synthesised
from crossfade.demo.catalogue import Catalogue
from crossfade.demo.genres import GENRES
from crossfade.demo.settings import DemoSettings, audio_place, truth_place

MOST_BYTES = 256 * 1024 * 1024
"""Of cached sound: some 230 tracks. What was asked for longest ago goes first."""

_PREFIX = "demo:track:"


class Sounds:
    """The sounds of the world that was imported into ``home``; safe to use from any number of threads."""

    def __init__(self, home: Home, most_bytes: int = MOST_BYTES) -> None:
        self._home, self._most_bytes = home, most_bytes
        self._lock = threading.Lock()

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
            with self._lock:
                self._catalogue  # noqa: B018 (computed once)

    def path_of(self, track_id: str) -> Path:
        """Return a WAV file of the track; UnknownIdError if the world has no such track.

        The first call makes the world's catalogue again unless `prepare` did: a second for each 25,000 tracks.
        """
        if not self.has(track_id):
            raise UnknownIdError(f"There is no sound of {track_id!r}.")
        row = int(track_id.removeprefix(_PREFIX))
        place = audio_place(self._home) / f"{self._settings.seed}-{row}.wav"
        with contextlib.suppress(OSError):
            os.utime(place)
            return place
        with self._lock:
            sound = self._sound(row)
        make_directory(place.parent)
        write_file(place, synthesised(sound))
        self._prune(place)
        return place

    @cached_property
    def _settings(self) -> DemoSettings:
        table = dict(read_manifest(truth_place(self._home)).identity.settings)
        try:
            return from_table(DemoSettings, table, "the demo world")
        except TypeError as error:
            raise ArtifactError("The demo world is of another version. Import it again.") from error

    @cached_property
    def _catalogue(self) -> Catalogue:
        return catalogue.build(self._settings)

    def _sound(self, row: int) -> Sound:
        music = self._catalogue
        if row >= len(music.titles):
            raise UnknownIdError(f"There is no sound of '{_PREFIX}{row}'.")
        return Sound(
            genre=GENRES[music.genre[music.artist_of[row]]].name,
            tempo=float(music.tempo[row]),
            energy=float(music.energy[row]),
            brightness=float(music.brightness[row]),
            seed=int(music.recording[row]),  # a compilation has the same recordings
        )

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
