"""Progress of long work, reported without knowing to whom."""

from typing import Protocol


class Progress(Protocol):
    """Called often by long work; it is cheap and never raises."""

    def __call__(self, done: float, total: float | None, unit: str) -> None:
        """Report that ``done`` of ``total`` (None: unknown) ``unit``s are finished; ``done`` never decreases."""


def silent(done: float, total: float | None, unit: str) -> None:
    """Ignore progress."""


REPORT = "CROSSFADE_PROGRESS"
"""The variable of the environment that names a file into which a command writes its progress."""
