"""How long work tells that it is going on, without knowing who listens."""

from typing import Protocol


class Progress(Protocol):
    """Called by long work, often; it must be cheap and never raise."""

    def __call__(self, done: float, total: float | None, unit: str) -> None:
        """``done`` of ``total`` (None where unknown) ``unit``s are finished; ``done`` never falls."""


def silent(done: float, total: float | None, unit: str) -> None:
    """The default: nobody listens."""
