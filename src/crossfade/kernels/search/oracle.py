"""The readable counterparts of the kernels of search, in plain NumPy.

They hold all scores at once, so they are for small cases; the kernels must agree with them to the bit.
"""

from collections.abc import Sequence

import numpy as np

from crossfade.core.ids import MISSING, Rows
from crossfade.kernels.lanes import Floats


def all_scores(items: Floats, queries: Floats) -> Floats:
    """(queries, items) inner products as the kernels' chain of multiply-adds, factors ascending.

    A float64 holds the product of two float32 numbers exactly, so each step here is rounded to float32 once,
    like a fused multiply-add, but for sums that lie within 2⁻²⁹ of the middle between two float32 numbers.
    """
    scores = np.zeros((len(queries), len(items)), dtype=np.float32)
    for k in range(items.shape[1]):
        products = np.multiply.outer(queries[:, k].astype(np.float64), items[:, k].astype(np.float64))
        scores = (products + scores).astype(np.float32)
    return scores


def units(vectors: Floats) -> Floats:
    """Each row of ``vectors`` scaled to length one; a zero vector stays zero."""
    lengths = np.sqrt(sum(vectors[:, k].astype(np.float64) ** 2 for k in range(vectors.shape[1])))
    lengths = np.broadcast_to(lengths, len(vectors))
    return (vectors / np.where(lengths > 0, lengths, 1.0)[:, None]).astype(np.float32)


def top_k(scores: Floats, k: int, open_items: np.ndarray, excluded: Sequence[Sequence[int]]) -> tuple[Rows, Floats]:
    """The rows and scores (queries, k) of the best open items that are not ``excluded`` for their query."""
    rows = np.full((len(scores), k), MISSING, dtype=np.int32)
    best = np.full((len(scores), k), -np.inf, dtype=np.float32)
    for query, of_items in enumerate(scores):
        left = np.setdiff1d(np.flatnonzero(open_items), excluded[query])
        ranked = left[np.argsort(-of_items[left], kind="stable")][:k]
        rows[query, : len(ranked)] = ranked
        best[query, : len(ranked)] = of_items[ranked]
    return rows, best
