"""The k best of many as they come by: each becomes one whole number, and these are told apart without being sorted.

    key = score, as a whole number that orders as float32 does · 2³² + (2³¹ - 1 - row)

The larger key is the larger score, and of equal scores the lower row. Keys gather in a table with room for more than k;
whenever it is full, the k largest are moved to its front in O(k), and the least of them is the score to reach from then
on. So an item costs O(1), where a heap costs O(log k) and branches that no processor can predict.

Hoare, "Algorithm 65: find", Communications of the ACM 1961.
"""

import numpy as np
import numpy.typing as npt

from crossfade.core.csr import Starts
from crossfade.core.ids import Rows
from crossfade.kernels.compile import jit
from crossfade.kernels.lanes import WIDTH, Floats

Keys = npt.NDArray[np.int64]

LEAST_ROOM = 64
"""Keys that a table takes beyond those it keeps before it is cut, at least."""

RUN = 64
"""Keys that are ranked by comparing each with each."""

LAST_ROW = 0x7FFFFFFF
"""Rows are counted down from here."""

LOWEST = np.float32(np.finfo(np.float32).min)
"""The score to reach while there are fewer than k. An item of score -inf is never taken."""


@jit
def room(k: int) -> int:
    """Return the length of the table of one query that keeps ``k``; it must be cut before the last sixteen are used."""
    return k + max(k, LEAST_ROOM) + WIDTH


@jit(inline=True)
def key_of(score: np.float32, row: int) -> np.int64:
    """The key of an item."""
    # Adding 0 makes -0 the 0 that it equals.
    bits = np.int64(np.float32(score + np.float32(0)).view(np.int32))
    # The larger the bits of a negative float, the smaller it is.
    ordered = bits if bits >= 0 else bits ^ np.int64(LAST_ROW)
    return (ordered << 32) | np.int64(LAST_ROW - row)


@jit(inline=True)
def score_of(key: np.int64) -> np.float32:
    """The score in a key."""
    ordered = key >> 32
    return np.int32(ordered if ordered >= 0 else ordered ^ np.int64(LAST_ROW)).view(np.float32)


@jit(inline=True)
def row_of(key: np.int64) -> np.int64:
    """The row in a key."""
    return LAST_ROW - (key & np.int64(LAST_ROW))


@jit
def keep_largest(keys: Keys, count: int, k: int) -> np.float32:
    """Move the ``k`` largest of the first ``count`` keys, k or more, to the front; return the least score of them."""
    return score_of(move_largest(keys, count, k))


@jit
def move_largest(keys: Keys, count: int, k: int) -> np.int64:
    """Move the ``k`` largest of the first ``count`` numbers, k or more, to the front; return the least of them."""
    left, right = 0, count - 1
    while left < right:
        middle = (left + right) // 2
        low, high = min(keys[left], keys[right]), max(keys[left], keys[right])
        pivot = min(max(low, keys[middle]), high)
        place = left if pivot == keys[left] else middle if pivot == keys[middle] else right
        keys[place], keys[right] = keys[right], pivot
        larger = left
        # No branch depends on a comparison here, since half of them would be predicted wrong.
        for at in range(left, right):
            key = keys[at]
            keys[at], keys[larger] = keys[larger], key
            larger += 1 if key > pivot else 0
        keys[right], keys[larger] = keys[larger], pivot
        if larger == k - 1:
            break
        if larger < k:
            left = larger + 1
        else:
            right = larger - 1
    least: np.int64 = keys[0]
    for at in range(1, k):
        least = min(least, keys[at])
    return least


@jit
def lay_out(keys: Keys, count: int, keep: int, excluded: Rows, rows: Rows, scores: Floats) -> None:
    """Write the best ``rows`` and ``scores`` (k,) of ``count`` keys that are not ``excluded``, ascending, best first.

    ``keep`` is k and the number of excluded items that may be among the keys. Where fewer than k are left, the rest
    becomes -1 and -inf.
    """
    if count > keep:
        keep_largest(keys, count, keep)
        count = keep
    place = 0
    for key in ranked(keys[:count]):
        if place == len(rows):
            break
        row = int(row_of(key))
        if not contains(excluded, row):
            rows[place], scores[place] = row, score_of(key)
            place += 1
    rows[place:], scores[place:] = -1, -np.inf


@jit
def best_of_lists(indptr: Starts, items: Rows, scores: Floats, rows: Rows, best: Floats) -> None:
    """Fill ``rows`` and ``best`` (n, k) with the best of n lists of ``items`` with ``scores``, equal ones by row."""
    nothing = np.empty(0, dtype=np.int32)
    for one in range(len(rows)):
        first, last = indptr[one], indptr[one + 1]
        keys = np.empty(last - first, dtype=np.int64)
        for place in range(first, last):
            keys[place - first] = key_of(scores[place], items[place])
        lay_out(keys, len(keys), rows.shape[1], nothing, rows[one], best[one])


@jit
def gained(
    indptr: Starts, scores: Floats, hits: npt.NDArray[np.bool_], gains: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """What the ``hits`` of n lists gain (n,) by their places; see `best_of_lists` for the order.

    Without making the order: a hit's place is how many candidates come before it.
    """
    found = np.zeros(len(indptr) - 1)
    for one in range(len(found)):
        listed, hitting = scores[indptr[one] : indptr[one + 1]], hits[indptr[one] : indptr[one + 1]]
        for hit in range(len(listed)):
            if hitting[hit]:
                score, place = listed[hit], np.int32(0)
                for other in range(len(listed)):
                    place += np.int32(listed[other] > score)
                for other in range(hit):
                    place += np.int32(listed[other] == score)
                if place < len(gains):
                    found[one] += gains[place]
    return found


@jit
def ranked(keys: Keys) -> Keys:
    """``keys``, which are put into another order, from the largest on: halved by `move_largest` down to short runs."""
    count, width = len(keys), RUN
    while width < count:
        width *= 2
    while width > RUN:
        half = width // 2
        for first in range(0, count, width):
            run = keys[first : first + width]
            if len(run) > half:
                move_largest(run, len(run), half)
        width = half
    ranked = np.empty(count, dtype=np.int64)
    for first in range(0, count, RUN):
        run = keys[first : first + RUN]
        for key in run:
            # A key's place in its run is how many are larger: many comparisons, of which eight happen at once.
            larger = 0
            for other in range(len(run)):
                larger += 1 if run[other] > key else 0
            ranked[first + larger] = key
    return ranked


@jit
def contains(ascending: npt.NDArray[np.signedinteger], wanted: int) -> bool:
    """Whether ``wanted`` is in ``ascending``."""
    start, end = 0, len(ascending)
    while start < end:
        middle = (start + end) // 2
        if ascending[middle] < wanted:
            start = middle + 1
        elif ascending[middle] > wanted:
            end = middle
        else:
            return True
    return False
