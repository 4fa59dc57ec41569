"""The k best of many as they come by: a heap in two rows of a table, its root the worst of the best.

Best is the larger score, and of equal scores the lower row. Where only what is better than the root is offered to a
full heap, what is kept does not depend on the order in which it came.
"""

import numpy as np

from crossfade.core.ids import Rows
from crossfade.kernels.compile import jit
from crossfade.kernels.lanes import Floats


@jit
def is_worse(score: np.float32, row: int, than_score: np.float32, than_row: int) -> bool:
    """Whether an item ranks behind another."""
    return bool(score < than_score or (score == than_score and row > than_row))


@jit
def offer(rows: Rows, scores: Floats, filled: int, row: int, score: np.float32) -> int:
    """Put an item into a heap of ``filled``, in place of its root where it is full; gives back how many are in it."""
    if filled < len(rows):
        child = filled
        while child > 0:
            parent = (child - 1) // 2
            if not is_worse(score, row, scores[parent], rows[parent]):
                break
            scores[child], rows[child] = scores[parent], rows[parent]
            child = parent
        scores[child], rows[child] = score, row
        return filled + 1
    _sink(rows, scores, filled, row, score)
    return filled


@jit
def _sink(rows: Rows, scores: Floats, filled: int, row: int, score: np.float32) -> None:
    """Replace the root of a heap of ``filled`` items."""
    place = 0
    while True:
        child = 2 * place + 1
        if child >= filled:
            break
        if child + 1 < filled and is_worse(scores[child + 1], rows[child + 1], scores[child], rows[child]):
            child += 1
        if not is_worse(scores[child], rows[child], score, row):
            break
        scores[place], rows[place] = scores[child], rows[child]
        place = child
    scores[place], rows[place] = score, row


@jit
def sort_heap(rows: Rows, scores: Floats, filled: int) -> None:
    """Turn a heap into a list, best first, padded with -1 and -inf."""
    for last in range(filled - 1, 0, -1):
        worst_score, worst_row = scores[0], rows[0]
        _sink(rows, scores, last, rows[last], scores[last])
        scores[last], rows[last] = worst_score, worst_row
    for place in range(filled, len(rows)):
        scores[place], rows[place] = -np.inf, -1
