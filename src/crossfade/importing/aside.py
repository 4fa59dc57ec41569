"""Work beside the thread that reads: one piece at a time, so that its order, and all results, are always the same.

Arrow and NumPy release the GIL, so that one thread decodes a file while another judges, sorts and writes its rows.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

Result = TypeVar("Result")


class Aside(Generic[Result]):
    """Does one piece of work at a time in a thread of its own; with one thread to use, when its result is taken."""

    def __init__(self, threads: int) -> None:
        self._pool = ThreadPoolExecutor(1, "import") if threads > 1 else None
        self._begun: Callable[[], Result] | None = None

    def begin(self, work: Callable[[], Result]) -> None:
        """Begin ``work``; the result of what was begun before must have been taken."""
        self._begun = self._pool.submit(work).result if self._pool is not None else work

    def result(self) -> Result | None:
        """Wait for what was begun, and return its result or raise its error; None if there is nothing."""
        begun, self._begun = self._begun, None
        return None if begun is None else begun()

    def close(self) -> None:
        """Wait until nothing is done any more, whatever became of it."""
        if self._pool is not None:
            self._pool.shutdown()
