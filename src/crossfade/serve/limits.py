"""How many requests a client may make: a number for each window of time, for each token and each address.

Counted in the memory of each process: of several, each allows its share.
"""

import threading
import time
from collections.abc import Callable
from typing import NamedTuple

MOST_CLIENTS = 10_000  # that are counted in one window; all further ones share a count


class Spent(NamedTuple):
    """What a client has left after a request.

    limit      requests in a window
    remaining  how many of them are left; -1 if this request is one too many
    reset_in   whole seconds until the next window
    """

    limit: int
    remaining: int
    reset_in: int

    @property
    def allowed(self) -> bool:
        """Whether the request may be answered."""
        return self.remaining >= 0

    @property
    def headers(self) -> dict[str, str]:
        """What tells the client; whole numbers, since clients read nothing else."""
        told = {"Limit": self.limit, "Remaining": max(0, self.remaining), "Reset-In": self.reset_in}
        headers = {f"X-RateLimit-{name}": str(value) for name, value in told.items()}
        return headers if self.allowed else {**headers, "Retry-After": str(self.reset_in)}


class RateLimits:
    """Counts requests; safe to use from any number of threads."""

    def __init__(self, limit: int, seconds: int = 10, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit = limit
        self._seconds = seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._window = -1
        self._counts: dict[str, int] = {}

    def spend(self, client: str) -> Spent:
        """Count a request of ``client`` and return what is left."""
        now = self._clock()
        window = int(now // self._seconds)
        with self._lock:
            if window != self._window:
                self._window, self._counts = window, {}
            if client not in self._counts and len(self._counts) >= MOST_CLIENTS:
                client = ""
            count = self._counts[client] = self._counts.get(client, 0) + 1
        reset_in = max(1, round((window + 1) * self._seconds - now))
        return Spent(self._limit, max(-1, self._limit - count), reset_in)
