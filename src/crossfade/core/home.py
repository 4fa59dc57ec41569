"""A library's home directory: its paths, and its lock."""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from crossfade.core.artifacts import translated_storage_errors
from crossfade.core.errors import StorageError
from crossfade.core.locking import locked
from crossfade.core.replacing import make_directory, sweep


def default_home(name: str = "crossfade") -> Path:
    """``$XDG_DATA_HOME/<name>``, by default ``~/.local/share/<name>``."""
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / name


@dataclass(frozen=True)
class Home:
    """The paths of one home directory; `prepare` makes the directories."""

    path: Path

    @property
    def settings_file(self) -> Path:
        """The settings; the file may be absent, since every setting has a default."""
        return self.path / "crossfade.toml"

    @property
    def tuned_file(self) -> Path:
        """Settings that `crossfade tune` found, which those in `settings_file` override; it may be absent."""
        return self.path / "tuned.toml"

    @property
    def tuning(self) -> Path:
        """The studies and plots of `crossfade tune`; may be removed at any time."""
        return self.path / "tuning"

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
        """The states of fits that were interrupted, one directory a step; removed when a run succeeds."""
        return self.path / "unfinished"

    @property
    def forgetting(self) -> Path:
        """What is still to be forgotten; absent unless a `crossfade forget` was interrupted."""
        return self.path / "forgetting.json"

    @property
    def releases(self) -> Path:
        """One directory a release, and ``CURRENT``."""
        return self.path / "releases"

    @property
    def music(self) -> Path:
        """The index of the music folder that is served; made again when it is removed."""
        return self.path / "music"

    @property
    def jobs(self) -> Path:
        """What the web page has imported or run last; may be removed while nothing runs."""
        return self.path / "jobs"

    @property
    def evaluation(self) -> Path:
        """The figures of the last `crossfade evaluate` of this library; it may be absent."""
        return self.path / "evaluation.json"

    @property
    def live(self) -> Path:
        """The live state: what came in by HTTP; absent unless the library was served or has accounts."""
        return self.path / "state.sqlite"

    def prepare(self) -> None:
        """Make the directories that are missing, for their owner alone; StorageError if that fails."""
        with translated_storage_errors(self.path):
            try:
                self.path.parent.mkdir(parents=True, exist_ok=True)  # not ours, so as the umask has it
                for directory in (self.path, self.listens, self.runs, self.releases):
                    make_directory(directory)
            except (FileExistsError, NotADirectoryError) as error:
                raise StorageError(
                    f"{error.filename} is not a directory. Choose another --home, or move the file."
                ) from error

    @contextlib.contextmanager
    def locked(self, purpose: str) -> Iterator[None]:
        """Lock the home for one writer, and remove drafts that an earlier, killed writer left.

        ``purpose`` is the command that others are shown. Raises BusyError if another process has locked the home.
        """
        self.prepare()
        with locked(self.path, f"`crossfade {purpose}`"):
            with translated_storage_errors(self.path):
                sweep(self.path, below=False)
                for directory in (self.listens, self.runs, self.releases):
                    sweep(directory)
            yield
