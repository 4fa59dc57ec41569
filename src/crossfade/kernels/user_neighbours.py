"""The users most like each history, and what they have.

    s_v = Σ_i a_i b_vi        score_i = Σ_v s_v^p r_vi / Σ_v s_v^p        over the k users v with the largest s

One history at a time: O(Σ_i users of its items i) for the similarities, O(users) for the best of them, and O(their
histories) for the scores. Users are added up in the order of their similarity, so that sums are always the same.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from crossfade.core.csr import CSR, Starts
from crossfade.core.ids import Rows
from crossfade.kernels.compile import jit
from crossfade.kernels.histories import keep_best
from crossfade.kernels.lanes import Floats


class Crowd(NamedTuple):
    """The users that histories are compared with.

    by_item     (items, users) b, what users are compared by
    by_user     (users, items) r, what they have
    neighbours  k
    power       p, float32
    """

    by_item: CSR
    by_user: CSR
    neighbours: int
    power: np.float32


@jit
def score_pairs(first: int, last: int, histories: CSR, crowd: Crowd, indptr: Starts, rows: Rows, best: Floats) -> None:
    """Fill ``best`` (n,) for the histories ``first`` to ``last``: h with the items rows[indptr[h]:indptr[h + 1]]."""
    similarities = np.empty(len(crowd.by_user.indptr) - 1, dtype=np.float32)
    scores = np.empty(len(crowd.by_item.indptr) - 1, dtype=np.float32)
    for history in range(first, last):
        if indptr[history] == indptr[history + 1]:
            continue
        _fill_scores(history, histories, crowd, similarities, scores)
        for pair in range(indptr[history], indptr[history + 1]):
            best[pair] = scores[rows[pair]]


@jit
def best_items(
    first: int,
    last: int,
    histories: CSR,
    crowd: Crowd,
    open_items: npt.NDArray[np.bool_],
    excluded: tuple[Starts, Rows],
    rows: Rows,
    best: Floats,
) -> None:
    """Fill ``rows`` and ``best`` (n, k) for the histories ``first`` to ``last``, best first, equal ones by row.

    open_items   (items,) False for items that are recommended to nobody
    excluded     the items that each history may not get, in compressed rows

    A history with fewer than k items left ends in rows of -1 and scores of -inf.
    """
    similarities = np.empty(len(crowd.by_user.indptr) - 1, dtype=np.float32)
    scores = np.empty(len(open_items), dtype=np.float32)
    for history in range(first, last):
        _fill_scores(history, histories, crowd, similarities, scores)
        keep_best(history, scores, open_items, excluded, rows[history], best[history])


@jit
def _fill_scores(history: int, histories: CSR, crowd: Crowd, similarities: Floats, scores: Floats) -> None:
    by_item, by_user = crowd.by_item, crowd.by_user
    similarities[:] = 0
    for entry in range(histories.indptr[history], histories.indptr[history + 1]):
        item, weight = histories.indices[entry], histories.values[entry]
        for place in range(by_item.indptr[item], by_item.indptr[item + 1]):
            similarities[by_item.indices[place]] += weight * by_item.values[place]
    users = np.empty(crowd.neighbours, dtype=np.int32)
    nearest = np.empty(crowd.neighbours, dtype=np.float32)
    everybody = np.ones(len(similarities), dtype=np.bool_)
    nobody = np.zeros(2, dtype=np.int64), users[:0]
    keep_best(0, similarities, everybody, nobody, users, nearest)
    scores[:] = 0
    total = np.float32(0)
    for place in range(crowd.neighbours):
        # Users without an item in common end the list.
        if not nearest[place] > 0:
            break
        user, weight = users[place], nearest[place] ** crowd.power
        total += weight
        for entry in range(by_user.indptr[user], by_user.indptr[user + 1]):
            scores[by_user.indices[entry]] += weight * by_user.values[entry]
    if total > 0:
        for item in range(len(scores)):
            scores[item] /= total
