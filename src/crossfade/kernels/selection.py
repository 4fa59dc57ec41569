"""The k best of many with scores above 0: each becomes one whole number, and these are told apart without being sorted.

    key = bits of the float32 score · 2³² + (2³² - 1 - row)

Positive floats order as their bits do, so that the larger key is the larger score, and of equal scores the lower row.
Keys gather in a buffer of a few k; whenever it is full, the k largest are moved to its front in O(k), and the k-th says
what a score must reach from then on. A heap costs about k · ln(n / k) · log k steps that no processor can foresee.

Hoare, "Algorithm 65: find", Communications of the ACM 1961.
"""

import numpy as np
import numpy.typing as npt

from crossfade.core.ids import Rows
from crossfade.kernels.compile import jit
from crossfade.kernels.lanes import Floats

Keys = npt.NDArray[np.uint64]

ROOM = 4
"""Keys that gather for each that is kept."""


@jit(inline=True)
def key_of(score: np.float32, row: int) -> np.uint64:
    """The key of a ``score`` above 0."""
    return (np.uint64(np.float32(score).view(np.uint32)) << np.uint64(32)) | np.uint64(0xFFFFFFFF - row)


@jit(inline=True)
def score_of(key: np.uint64) -> np.float32:
    """The score in a key."""
    return np.uint32(key >> np.uint64(32)).view(np.float32)


@jit
def keep_largest(keys: Keys, count: int, k: int) -> np.float32:
    """Move the ``k`` largest of ``count`` keys, more than k, to the front, the k-th at its place; gives its score."""
    first, last, wanted = 0, count - 1, k - 1
    while first < last:
        low, middle, high = keys[first], keys[(first + last) // 2], keys[last]
        pivot = max(min(low, middle), min(max(low, middle), high))
        left, right = first, last
        while left <= right:
            while keys[left] > pivot:
                left += 1
            while keys[right] < pivot:
                right -= 1
            if left <= right:
                keys[left], keys[right] = keys[right], keys[left]
                left += 1
                right -= 1
        if wanted <= right:
            last = right
        elif wanted >= left:
            first = left
        else:
            break
    return score_of(keys[wanted])


@jit
def lay_out(keys: Keys, count: int, rows: Rows, scores: Floats) -> None:
    """Write the ``rows`` and ``scores`` (k,) of the best of ``count`` keys, best first, padded with -1 and -inf."""
    if count > len(rows):
        keep_largest(keys, count, len(rows))
        count = len(rows)
    ascending = np.sort(keys[:count])
    for place in range(count):
        key = ascending[count - 1 - place]
        rows[place] = 0xFFFFFFFF - np.int64(key & np.uint64(0xFFFFFFFF))
        scores[place] = score_of(key)
    for place in range(count, len(rows)):
        rows[place], scores[place] = -1, -np.inf
