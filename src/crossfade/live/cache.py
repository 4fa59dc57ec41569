"""The values that were asked for last, in memory."""

from collections import OrderedDict
from collections.abc import Hashable
from threading import Lock
from typing import Generic, TypeVar

Value = TypeVar("Value")


class Cache(Generic[Value]):
    """Keeps ``most`` values by key, those that were asked for last; safe to use from any number of threads.

    A value is kept with a stamp of what it was made from, and is not found by another stamp.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = Lock()
        self._kept: OrderedDict[Hashable, tuple[Hashable, Value]] = OrderedDict()

    def find(self, key: Hashable, stamp: Hashable = None) -> Value | None:
        """Return the value of ``key``; None if there is none of this ``stamp``."""
        with self._lock:
            if key not in self._kept or self._kept[key][0] != stamp:
                return None
            self._kept.move_to_end(key)
            return self._kept[key][1]

    def keep(self, key: Hashable, value: Value, stamp: Hashable = None) -> None:
        """Keep a value, in place of the one that ``key`` had."""
        with self._lock:
            self._kept[key] = stamp, value
            self._kept.move_to_end(key)
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
