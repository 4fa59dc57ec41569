"""Values by row that are computed when they are first asked for, once each.

So one list costs only what it touches, and all lists together cost no more than computing everything beforehand.
"""

from collections.abc import Callable
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt

from crossfade.core.ids import MISSING, Ids, Rows

RowMap = Callable[[Rows], Rows]
"""Translates rows of one list of ids to rows of another; MISSING where the other lacks the id."""


MANY = 8
"""From one id in so many on, ids are looked up together, which reads all ids but makes a string of none."""


class Computed:
    """The values of ``compute`` by row; safe to use from any number of threads.

    values  (rows, …) of which those that were asked for are filled
    """

    def __init__(self, rows: int, compute: Callable[[Rows], npt.NDArray[Any]], dtype: Any, shape: tuple[int, ...] = ()):
        # Zeros take memory only where they are written to.
        self.values = np.zeros((rows, *shape), dtype)
        self._filled = np.zeros(rows, np.bool_)
        self._compute = compute
        self._lock = Lock()

    def fill(self, rows: Rows) -> None:
        """Compute the values of ``rows`` (of any shape) that were not asked for before."""
        if not self._filled[rows].all():
            with self._lock:
                new = np.unique(rows[~self._filled[rows]])
                if new.size:  # no other thread was faster
                    self.values[new] = self._compute(new)
                    self._filled[new] = True

    def __call__(self, rows: Rows) -> npt.NDArray[Any]:
        """Return the values of ``rows``."""
        self.fill(rows)
        return self.values[rows]


def row_map(source: Ids, target: Ids) -> RowMap:
    """Return the translation of rows of ``source`` to rows of ``target``; a MISSING row stays MISSING."""
    if source == target:
        return lambda rows: rows

    def look_up(rows: Rows) -> Rows:
        if rows.size * MANY < max(len(source), len(target)):
            return target.rows(source.select(rows), missing="mark")
        import pyarrow as pa

        return target.rows_of_arrow(source.to_arrow().take(pa.array(rows)))

    looked_up = Computed(len(source), look_up, np.int32)

    def translated(rows: Rows) -> Rows:
        result = np.full(rows.shape, MISSING, dtype=np.int32)
        result[rows != MISSING] = looked_up(rows[rows != MISSING])
        return result

    return translated
