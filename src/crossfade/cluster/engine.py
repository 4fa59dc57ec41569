"""Machines that carry out tasks: threads of this process, or executors of a cluster."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol, TypeVar

from crossfade.core.progress import Progress, silent

Result = TypeVar("Result")


class Engine(Protocol):
    """Machines that carry out tasks, and all see one shared folder under the same path."""

    @property
    def slots(self) -> int:
        """How many tasks are carried out at a time."""

    @property
    def memory_bytes(self) -> int:
        """What a task may take."""

    @property
    def exchange(self) -> str:
        """How tasks get what others made: "files" of the shared folder, or Spark's "shuffle" where there is none."""

    def each(
        self, work: Callable[[int], Result], tasks: int, *, cached: str = "", progress: Progress = silent
    ) -> list[Result]:
        """Return ``work(0)`` to ``work(tasks - 1)``, in order, carried out on any machine and any number of times.

        Retries and speculation make a task run again, also beside itself, so ``work`` writes a file beside its place
        and renames it. It can be pickled: a frozen dataclass with ``__call__``, or a `functools.partial` of a function
        of a module.

        cached    names what tasks keep on their machine, so that a task of the same number and name comes back to it
        progress  is told how many tasks are finished

        Raises the first error of a task as it was.
        """


@dataclass(frozen=True)
class LocalEngine:
    """Threads of this process.

    slots         how many
    memory_bytes  what a task may take
    exchange      files, since all threads see all folders
    """

    slots: int = 1
    memory_bytes: int = 2_000_000_000
    exchange: str = "files"

    def each(
        self, work: Callable[[int], Result], tasks: int, *, cached: str = "", progress: Progress = silent
    ) -> list[Result]:
        """As `Engine.each`."""
        with ThreadPoolExecutor(self.slots) as pool:
            results = []
            for result in pool.map(work, range(tasks)):
                results.append(result)
                progress(len(results), tasks, "tasks")
            return results
