"""Compressed rows: many lists in one array, of which list r stands at indptr[r]:indptr[r + 1]."""

import numpy as np
import numpy.typing as npt

from crossfade.core.ids import MISSING

Starts = npt.NDArray[np.int64]


def starts_of(lengths: npt.ArrayLike) -> Starts:
    """The indptr (n + 1,) of n lists of these ``lengths``."""
    return np.concatenate(([0], np.cumsum(lengths))).astype(np.int64)


def gathered(indptr: Starts, rows: npt.NDArray[np.integer]) -> tuple[Starts, Starts]:
    """The lists at ``rows`` (n,), one after the other: their indptr (n + 1,), and where their entries stood.

    A MISSING row is an empty list.
    """
    present = rows != MISSING
    firsts, lengths = np.zeros((2, len(rows)), dtype=np.int64)
    firsts[present] = indptr[rows[present]]
    lengths[present] = indptr[rows[present] + 1] - firsts[present]
    starts = starts_of(lengths)
    return starts, np.arange(starts[-1]) + np.repeat(firsts - starts[:-1], lengths)
