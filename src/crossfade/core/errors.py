"""Every error that Crossfade raises on purpose.

A message says what happened, where (file, line, column), and what to do. Each class has the exit code of the command
line, so that scripts can tell the cases apart.
"""

from pathlib import Path

from crossfade.core.paths import shown


class CrossfadeError(Exception):
    """The base of every error that Crossfade raises on purpose."""

    exit_code = 1


class SettingsError(CrossfadeError):
    """A setting has a value that is refused, or a name that does not exist."""

    exit_code = 3


class InputError(CrossfadeError):
    """A file, or data in memory, is not what it should be."""

    exit_code = 4

    def __init__(self, message: str, *, path: Path | str | None = None, line: int | None = None) -> None:
        place = "" if path is None else f"{shown(path)}{'' if line is None else f', line {line}'}: "
        super().__init__(place + message)
        self.path = path
        self.line = line


class UnknownIdError(CrossfadeError):
    """A user, an item or a kind of item that does not exist."""

    exit_code = 5

    def __init__(self, message: str, *, suggestions: tuple[str, ...] = ()) -> None:
        hint = f" Did you mean {', '.join(suggestions)}?" if suggestions else ""
        super().__init__(message + hint)
        self.suggestions = suggestions


class NotReadyError(CrossfadeError):
    """Something has to be done first: an import, a run, a release."""

    exit_code = 6


class ArtifactError(CrossfadeError):
    """A file that Crossfade wrote is damaged, incomplete, or of a version that this one cannot read."""

    exit_code = 7


class SpaceMismatchError(ArtifactError):
    """Vectors or an index belong to another space, so that they cannot be compared."""


class BusyError(CrossfadeError):
    """Another process is writing in this home, or from another home to the store that both share."""

    exit_code = 8


class StorageError(CrossfadeError):
    """The disk is full, read-only or failing; the previous content is untouched."""

    exit_code = 9


class UnavailableError(StorageError):
    """A server that keeps the data does not answer; the same may succeed later."""

    exit_code = 11


class MissingExtraError(CrossfadeError):
    """A feature needs a library that is not installed."""

    exit_code = 10

    def __init__(self, feature: str, *, extra: str = "", package: str = "") -> None:
        wanted = f"'crossfade[{extra}]'" if extra else package
        super().__init__(f"{feature} needs a library that is not installed. Install it with: pip install {wanted}")
        self.extra = extra
