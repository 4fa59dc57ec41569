"""Random numbers that are functions of what they are drawn for, so that order, threads and partitions change nothing.

`mixed` is the finalizer of SplitMix64: every bit of its input moves every bit of its output with about even chances.

Steele, Lea & Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014.
"""

import numpy as np
import numpy.typing as npt

from crossfade.kernels.compile import jit
from crossfade.kernels.search.best import move_largest

STEP = np.uint64(0x9E3779B97F4A7C15)
"""2⁶⁴ divided by the golden ratio, odd: its multiples fall far apart."""

FIRST, SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
LAST = np.uint64(0x7FFFFFFFFFFFFFFF)
BITS = 24
"""Of a draw, those that make a fraction: as many as float32 holds exactly."""

SHIFT, UNIT = np.uint64(64 - BITS), np.float32(2.0**-BITS)


@jit(inline=True)
def mixed(state: np.uint64) -> np.uint64:
    """Another number of 64 bits for each ``state``."""
    state = (state ^ (state >> np.uint64(30))) * FIRST
    state = (state ^ (state >> np.uint64(27))) * SECOND
    return state ^ (state >> np.uint64(31))


@jit(inline=True)
def drawn(stream: np.uint64, number: int) -> np.uint64:
    """The draw of a ``stream`` for the row ``number`` (from 0); it can be a stream itself."""
    return mixed(stream + STEP * np.uint64(number + 1))


@jit(inline=True)
def fraction(draw: np.uint64) -> np.float32:
    """A draw as a number from 0 to below 1, even, in steps of 2⁻²⁴."""
    return np.float32(np.int64(draw >> SHIFT)) * UNIT


@jit
def streams(seed: int, purpose: int, count: int) -> npt.NDArray[np.uint64]:
    """(count,) streams of their own, one for each row; other seeds and purposes have others."""
    found = np.empty(count, dtype=np.uint64)
    whole = drawn(drawn(np.uint64(0), seed), purpose)
    for row in range(count):
        found[row] = drawn(whole, row)
    return found


@jit
def draw_entries(
    indptr: npt.NDArray[np.int64],
    indices: npt.NDArray[np.int32],
    longest: int,
    rows: npt.NDArray[np.uint64],
    kept: npt.NDArray[np.bool_],
) -> None:
    """Of each row with more entries than ``longest`` clear all of ``kept`` (n,) but as many, drawn at random.

    ``rows`` are the streams of the rows; an entry's draw is that of its index.
    """
    for row in range(len(rows)):
        first, last = indptr[row], indptr[row + 1]
        if last - first > longest:
            draws = np.empty(last - first, dtype=np.int64)
            for entry in range(first, last):
                # As signed numbers, the larger the smaller the draw.
                draws[entry - first] = np.int64(drawn(rows[row], indices[entry]) ^ LAST)
            least = move_largest(draws.copy(), last - first, longest)
            for entry in range(first, last):
                kept[entry] = draws[entry - first] >= least
