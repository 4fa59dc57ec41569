"""What items that are similar to a user's history score, and the best of them.

    score_ui = Σ_j w_uj S_ji        over the items j that u played, in their order

S is sparse (the lists of each item's nearest) or dense. One user at a time, in an array of one score for each item:
O(Σ_j items that j's list has) sparse, O(played · items) dense, and one comparison an item for the best.
"""

import numpy as np
import numpy.typing as npt

from crossfade.core.csr import CSR
from crossfade.core.ids import Rows
from crossfade.kernels.compile import jit
from crossfade.kernels.heaps import offer, sort_heap
from crossfade.kernels.lanes import Floats
from crossfade.kernels.threads import balanced, each
from crossfade.kernels.transposing import constant

Starts = npt.NDArray[np.int64]

TILE = 64
"""Scores that are compared with the worst of the best at once."""

COLUMNS = 4096
"""Scores to which a history is added before the next ones: 16 KB, which stay in the core's first cache."""


@jit
def add_listed(user: int, histories: CSR, lists: CSR, scores: Floats) -> None:
    """Add the sparse similarities ``lists`` (items) of the history of ``user`` to ``scores`` (items,)."""
    for entry in range(histories.indptr[user], histories.indptr[user + 1]):
        item, weight = histories.indices[entry], histories.values[entry]
        for place in range(lists.indptr[item], lists.indptr[item + 1]):
            scores[lists.indices[place]] += weight * lists.values[place]


@jit
def add_rows(user: int, histories: CSR, matrix: Floats, scores: Floats) -> None:
    """Add the dense similarities ``matrix`` (items, items) of the history of ``user`` to ``scores`` (items,)."""
    for first in range(0, len(scores), COLUMNS):
        last = min(first + COLUMNS, len(scores))
        for entry in range(histories.indptr[user], histories.indptr[user + 1]):
            row, weight = matrix[histories.indices[entry]], histories.values[entry]
            for column in range(first, last):
                scores[column] += weight * row[column]


@jit
def score_by_lists(users: Rows, histories: CSR, lists: CSR, scores: Floats) -> None:
    """Fill ``scores`` (n, items) for the rows ``users`` (n,) of ``histories``."""
    scores[:] = 0
    for query in range(len(users)):
        add_listed(users[query], histories, lists, scores[query])


@jit
def score_by_matrix(users: Rows, histories: CSR, matrix: Floats, scores: Floats) -> None:
    """`score_by_lists` for dense similarities."""
    scores[:] = 0
    for query in range(len(users)):
        add_rows(users[query], histories, matrix, scores[query])


@jit
def best_by_lists(
    first: int,
    last: int,
    users: Rows,
    histories: CSR,
    lists: CSR,
    open_items: npt.NDArray[np.bool_],
    excluded: tuple[Starts, Rows],
    rows: Rows,
    best: Floats,
) -> None:
    """Fill ``rows`` and ``best`` (n, k) for the queries ``first`` to ``last``, best first, equal ones by row.

    users        (n,) the rows of ``histories`` that the queries ask for
    open_items   (items,) False for items that nobody may get
    excluded     the items that each query may not get, in compressed rows

    A query with fewer than k items left ends in rows of -1 and scores of -inf.
    """
    scores = np.empty(len(open_items), dtype=np.float32)
    for query in range(first, last):
        scores[:] = 0
        add_listed(users[query], histories, lists, scores)
        keep_best(query, scores, open_items, excluded, rows[query], best[query])


@jit
def best_by_matrix(
    first: int,
    last: int,
    users: Rows,
    histories: CSR,
    matrix: Floats,
    open_items: npt.NDArray[np.bool_],
    excluded: tuple[Starts, Rows],
    rows: Rows,
    best: Floats,
) -> None:
    """`best_by_lists` for dense similarities."""
    scores = np.empty(len(open_items), dtype=np.float32)
    for query in range(first, last):
        scores[:] = 0
        add_rows(users[query], histories, matrix, scores)
        keep_best(query, scores, open_items, excluded, rows[query], best[query])


@jit
def keep_best(
    query: int,
    scores: Floats,
    open_items: npt.NDArray[np.bool_],
    excluded: tuple[Starts, Rows],
    rows: Rows,
    best: Floats,
) -> None:
    """Fill ``rows`` and ``best`` (k,) with the best of ``scores`` (items,), which it spoils."""
    indptr, barred = excluded
    for entry in range(indptr[query], indptr[query + 1]):
        scores[barred[entry]] = -np.inf
    filled, worst = 0, np.float32(-np.inf)
    for first in range(0, len(scores), TILE):
        last, above = min(first + TILE, len(scores)), 0
        for item in range(first, last):
            above += 1 if scores[item] > worst else 0
        if above:
            for item in range(first, last):
                # In ascending row order only a strictly better one displaces another, which leaves ties to the lower.
                if scores[item] > worst and open_items[item]:
                    filled = offer(rows, best, filled, item, scores[item])
                    if filled == len(rows):
                        worst = best[0]
    sort_heap(rows, best, filled)


def multiplied(matrix: CSR, vectors: Floats, threads: int) -> Floats:
    """``matrix`` (rows, n) times ``vectors`` (n, width), each row in one order: (rows, width) float32."""
    product = np.zeros((matrix.rows, vectors.shape[1]), dtype=np.float32)
    read, factors = CSR(*map(constant, matrix)), constant(vectors)
    each(lambda piece: add_products(*piece, read, factors, product), balanced(matrix.indptr, 10), threads)
    return product


@jit
def add_products(first: int, last: int, half: CSR, vectors: Floats, sums: Floats) -> None:
    """Add rows ``first`` to ``last`` of ``half`` times ``vectors`` (n, width) to those of ``sums`` (rows, width)."""
    for row in range(first, last):
        for entry in range(half.indptr[row], half.indptr[row + 1]):
            weight, column = half.values[entry], half.indices[entry]
            for factor in range(sums.shape[1]):
                sums[row, factor] += weight * vectors[column, factor]
