"""What items that are similar to a user's history score, and the best of them.

    score_ui = Σ_j w_uj S_ji        over the items j that u played, in their order

S is sparse (the lists of each item's nearest) or dense. One user at a time, in an array of one score for each item:
O(Σ_j items that j's list has) sparse, O(played · items) dense, and one comparison an item for the best.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from crossfade.core.csr import CSR, FEW, Starts, distinct
from crossfade.core.ids import Rows
from crossfade.kernels.compile import jit
from crossfade.kernels.lanes import WIDTH, Floats, aligned, load, multiply_add, padded, spread, store, zero
from crossfade.kernels.search.best import keep_largest, key_of, lay_out, room
from crossfade.kernels.threads import balanced, each
from crossfade.kernels.transposing import constant

TILE = 64
"""Scores that are compared with the worst of the best at once."""

COLUMNS = 4096
"""Scores to which a history is added before the next ones: 16 KB, which stay in the core's first cache."""


class Similarities(NamedTuple):
    """How similar items are: by ``lists`` (items) of the nearest of each, or by a ``matrix`` (items, items).

    The other of the two has no rows.
    """

    lists: CSR
    matrix: Floats


@jit
def add_similar(row: int, histories: CSR, similarities: Similarities, scores: Floats) -> None:
    """Add the similarities of one history to ``scores`` (items,), in the order of its items."""
    lists, matrix = similarities
    first, last = histories.indptr[row], histories.indptr[row + 1]
    if not len(matrix):
        for entry in range(first, last):
            item, weight = histories.indices[entry], histories.values[entry]
            for place in range(lists.indptr[item], lists.indptr[item + 1]):
                scores[lists.indices[place]] += weight * lists.values[place]
        return
    for start in range(0, len(scores), COLUMNS):
        end = min(start + COLUMNS, len(scores))
        for entry in range(first, last):
            of_item, weight = matrix[histories.indices[entry]], histories.values[entry]
            for column in range(start, end):
                scores[column] += weight * of_item[column]


@jit
def score_pairs(
    first: int,
    last: int,
    histories: CSR,
    similarities: Similarities,
    items: int,
    indptr: Starts,
    rows: Rows,
    best: Floats,
) -> None:
    """Fill ``best`` (n,) for the histories ``first`` to ``last``: h with the items rows[indptr[h]:indptr[h + 1]]."""
    scores = np.empty(items, dtype=np.float32)
    for history in range(first, last):
        if indptr[history] == indptr[history + 1]:
            continue
        scores[:] = 0
        add_similar(history, histories, similarities, scores)
        for pair in range(indptr[history], indptr[history + 1]):
            best[pair] = scores[rows[pair]]


@jit
def best_items(
    first: int,
    last: int,
    histories: CSR,
    similarities: Similarities,
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
    scores = np.empty(len(open_items), dtype=np.float32)
    for history in range(first, last):
        scores[:] = 0
        add_similar(history, histories, similarities, scores)
        keep_best(history, scores, open_items, excluded, rows[history], best[history])


@jit
def best_of_rows(
    scores: Floats, open_items: npt.NDArray[np.bool_], excluded: tuple[Starts, Rows], rows: Rows, best: Floats
) -> None:
    """Fill ``rows`` and ``best`` (n, k) with the best of each row of ``scores`` (n, items), which it spoils."""
    for query in range(len(scores)):
        keep_best(query, scores[query], open_items, excluded, rows[query], best[query])


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
    k, count, worst = len(rows), 0, np.float32(-np.inf)
    keys = np.empty(room(k), dtype=np.int64)
    for first in range(0, len(scores), TILE):
        last, above = min(first + TILE, len(scores)), 0
        for item in range(first, last):
            above += 1 if scores[item] > worst else 0
        if above:
            for item in range(first, last):
                # In ascending row order only a strictly better one displaces another, which leaves ties to the lower.
                if scores[item] > worst and open_items[item]:
                    keys[count] = key_of(scores[item], item)
                    count += 1
                    if count == len(keys):
                        worst, count = keep_largest(keys, count, k), k
    lay_out(keys, count, k, barred[:0], rows, best)


def multiplied(matrix: CSR, vectors: Floats, threads: int) -> Floats:
    """``matrix`` (rows, n) times ``vectors`` (n, width), each row in one order: (rows, width) float32."""
    width, indices = vectors.shape[1], matrix.indices
    if len(indices) * FEW < len(vectors):  # only those that are needed are laid out
        used, indices = distinct(indices, len(vectors))
        vectors = vectors[used]
    wide, product = aligned(len(vectors), padded(width)), aligned(matrix.rows, padded(width))
    wide[:, :width] = vectors
    read, factors = CSR(constant(matrix.indptr), constant(indices), constant(matrix.values)), constant(wide)
    each(lambda piece: _multiply(*piece, read, factors, product), balanced(matrix.indptr, 10), threads)
    return np.ascontiguousarray(product[:, :width])


@jit
def _multiply(first: int, last: int, matrix: CSR, vectors: Floats, product: Floats) -> None:
    """Fill rows ``first`` to ``last`` of ``product`` (rows, width), whose width is that of whole lanes."""
    indptr, indices, values = matrix.indptr, matrix.indices, matrix.values
    width = product.shape[1]
    for row in range(first, last):
        start, end, place = indptr[row], indptr[row + 1], row * width
        column = 0
        # Four sums in registers at a time; each entry reads four whole cache lines.
        while column + 4 * WIDTH <= width:
            a, b, c, d = zero(), zero(), zero(), zero()
            for entry in range(start, end):
                weight, vector = spread(values[entry]), indices[entry] * width + column
                a = multiply_add(weight, load(vectors, vector), a)
                b = multiply_add(weight, load(vectors, vector + WIDTH), b)
                c = multiply_add(weight, load(vectors, vector + 2 * WIDTH), c)
                d = multiply_add(weight, load(vectors, vector + 3 * WIDTH), d)
            store(product, place + column, a)
            store(product, place + column + WIDTH, b)
            store(product, place + column + 2 * WIDTH, c)
            store(product, place + column + 3 * WIDTH, d)
            column += 4 * WIDTH
        while column < width:
            a = zero()
            for entry in range(start, end):
                a = multiply_add(spread(values[entry]), load(vectors, indices[entry] * width + column), a)
            store(product, place + column, a)
            column += WIDTH
