"""A library's home directory: where everything lies, and the lock that keeps two writers apart."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from crossfade.core.artifacts import translated_storage_errors
from crossfade.core.errors import StorageError
from crossfade.core.locking import locked
from crossfade.core.replacing import make_directory, sweep


@dataclass(frozen=True)
class Home:
    """The paths below one home directory. Nothing is created until `prepare`."""

    path: Path

    @property
    def settings_file(self) -> Path:
        """``crossfade.toml``; every field has a default, so it may be absent."""
        return self.path / "crossfade.toml"

    @property
    def listens(self) -> Path:
        """One directory an import."""
        return self.path / "listens"

    @property
    def runs(self) -> Path:
        """The artifacts of the pipeline: ``runs/<step>/<fingerprint>``."""
        return self.path / "runs"

    @property
    def unfinished(self) -> Path:
        """What lets a fit go on that was killed, one directory a step; gone when a run ends well."""
        return self.path / "unfinished"

    @property
    def releases(self) -> Path:
        """One directory a release, and ``CURRENT``."""
        return self.path / "releases"

    def prepare(self) -> None:
        """Make the home's directories where they are missing; StorageError where that cannot be."""
        with translated_storage_errors(self.path):
            try:
                for directory in (self.path, self.listens, self.runs, self.releases):
                    make_directory(directory)
            except (FileExistsError, NotADirectoryError) as error:
                raise StorageError(f"{error.filename} is not a directory, and a library is one.") from error

    @contextlib.contextmanager
    def locked(self, purpose: str) -> Iterator[None]:
        """Hold the home for one writer, and sweep what an earlier, killed one left half-written.

        Raises BusyError at once, naming the holder, if another process writes here. The operating system
        drops the lock when its holder dies, so there is nothing to clean by hand.
        """
        self.prepare()
        with locked(self.path, f"`crossfade {purpose}`"):
            with translated_storage_errors(self.path):
                sweep(self.path, below=False)
                for directory in (self.listens, self.runs, self.releases):
                    sweep(directory)
            yield
