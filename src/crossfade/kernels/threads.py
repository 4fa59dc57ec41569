"""Kernels on several processors.

A kernel takes a range of rows and releases the GIL; threads of this process take range after range. Which
thread takes which range never matters to the result, and several fits may run in one process, both of which
Numba's own threads do not promise.
"""

import contextlib
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from functools import cache
from itertools import pairwise
from threading import Lock
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from crossfade.core.errors import InputError

Range = tuple[int, int]
Piece = TypeVar("Piece")

PIECES = 256
"""Into how many ranges work is cut: enough that threads end together, few enough that calls cost nothing."""

MOST_HELPERS = 256
"""Threads beside those that call `each`; they are started when they are first needed."""

_limiting = Lock()
_limits: list[threadpool_limits] = []
_users = _modules = 0


@contextlib.contextmanager
def one_blas_thread() -> Iterator[None]:
    """Limit BLAS to one thread until the last of those who do so at the same time has ended.

    With more threads BLAS adds in another order. Its limit is one of the whole process, so whoever ends first must not
    lift it for the others.
    """
    global _users, _modules
    with _limiting:
        _users += 1
        # What was imported since the last one may have loaded another library of BLAS; to look takes a millisecond.
        if not _limits or len(sys.modules) != _modules:
            _modules = len(sys.modules)
            _limits.append(threadpool_limits(1, user_api="blas"))
    try:
        yield
    finally:
        with _limiting:
            _users -= 1
            while _limits and not _users:
                _limits.pop().restore_original_limits()


def processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def threads_for(threads: int | None) -> int:
    """Return ``threads``, or for None one a processor; InputError below 1."""
    if threads is None:
        return processors()
    if threads < 1:
        raise InputError(f"threads must be at least 1, or None for all processors, not {threads}")
    return threads


def balanced(indptr: npt.NDArray[np.int64], row_cost: int) -> list[Range]:
    """Return ranges of rows of about equal cost, the most expensive first, so that threads end together.

    A row costs its entries, the difference of two neighbours in ``indptr`` (rows + 1,), plus ``row_cost``.
    A row that costs more than a whole range becomes a range of its own.
    """
    rows = len(indptr) - 1
    if rows == 1:
        return [(0, 1)]
    costs = indptr + np.arange(rows + 1) * row_cost
    share = max(float(costs[-1] - costs[0]) / PIECES, 1.0)
    heavy = np.flatnonzero(np.diff(costs) >= share)
    evenly = np.searchsorted(costs, costs[0] + share * np.arange(1, PIECES))
    bounds = np.unique(np.concatenate(([0, rows], heavy, heavy + 1, evenly.clip(max=rows))))
    ranges = [(int(first), int(last)) for first, last in pairwise(bounds)]
    return sorted(ranges, key=lambda piece: (costs[piece[0]] - costs[piece[1]], piece[0]))


def each(work: Callable[[Piece], None], pieces: Iterable[Piece], threads: int) -> None:
    """Call ``work`` once for each piece, on ``threads`` threads that take pieces in the given order.

    The caller's thread is one of them. The first error ends the work and is raised.
    """
    pieces = list(pieces)
    waiting = _Waiting(iter(pieces))
    helpers = [_pool().submit(waiting.drain, work) for _ in range(min(threads, len(pieces)) - 1)]
    try:
        waiting.drain(work)
    finally:
        # One that has not begun by now, because other work has all the threads, is not needed.
        begun = [helper for helper in helpers if not helper.cancel()]
        wait(begun)
    for helper in begun:
        helper.result()


class _Waiting:
    def __init__(self, pieces: Iterator[Piece]) -> None:
        self._pieces = pieces
        self._lock = Lock()

    def drain(self, work: Callable[[Piece], None]) -> None:
        nothing = object()
        while True:
            with self._lock:
                piece = next(self._pieces, nothing)
            if piece is nothing:
                return
            try:
                work(piece)  # type: ignore[arg-type]
            except BaseException:
                with self._lock:
                    self._pieces = iter(())
                raise


@cache
def _pool() -> ThreadPoolExecutor:
    """The threads that help; they stay, since a fit calls `each` hundreds of times, and starting one takes a while."""
    return ThreadPoolExecutor(MOST_HELPERS, thread_name_prefix="crossfade")


if hasattr(os, "register_at_fork"):
    # The child of a fork has none of the threads.
    os.register_at_fork(after_in_child=_pool.cache_clear)
