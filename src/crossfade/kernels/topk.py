"""The k best items for each of many queries, by inner product, without ever holding all scores.

    best_k { q · y_i : item i is open and not excluded for q }

Items lie in panels of sixteen, one to a vector lane, so that a score is one chain of multiply-adds over the
factors in ascending order: fma(q_f, y_f, … fma(q_1, y_1, 0)). The chain is the same however queries and items
are divided, hence scores, and so the ranking, depend on neither block sizes nor threads nor backend. Items pass
in ascending row order and only a strictly better one displaces the worst of the best, which leaves ties
to the lower row.

O(queries · items · factors), of which one compare a score is not multiply-adds; memory is the (queries, k) result.
"""

import numpy as np
import numpy.typing as npt

from crossfade.core.csr import Starts
from crossfade.core.ids import Rows
from crossfade.kernels.compile import jit
from crossfade.kernels.heaps import offer, sort_heap
from crossfade.kernels.lanes import WIDTH, Floats, aligned, load, multiply_add, spread_from, store, zero

Lengths = npt.NDArray[np.float64]

GROUP = 8
"""Queries that share each load of a panel: eight sums and two operands fit sixteen vector registers."""

CHUNK_BYTES = 256 * 1024
"""Panels that stay in the core's own cache while all queries of a block meet them; half of a common second level."""


@jit
def lengths_of(vectors: Floats) -> Lengths:
    """(n,) the Euclidean length of each row of ``vectors`` (n, factors), summed in order."""
    lengths = np.empty(len(vectors), dtype=np.float64)
    for row in range(len(vectors)):
        total = 0.0
        for k in range(vectors.shape[1]):
            total += np.float64(vectors[row, k]) * np.float64(vectors[row, k])
        lengths[row] = np.sqrt(total)
    return lengths


@jit
def unit_vectors(vectors: Floats) -> Floats:
    """The rows of ``vectors`` (n, factors) scaled to length one; a zero vector stays zero."""
    units = np.zeros_like(vectors)
    lengths = lengths_of(vectors)
    for row in range(len(vectors)):
        if lengths[row] > 0:
            for k in range(vectors.shape[1]):
                units[row, k] = np.float32(np.float64(vectors[row, k]) / lengths[row])
    return units


@jit
def pack_panel(vectors: Floats, rows: Rows, first: int, count: int, unit: bool, panels: Floats, at: int) -> None:
    """Lay rows[first : first + count] of ``vectors`` side by side, one to a lane, into panels[at:] (factors, 16).

    ``unit`` scales each to length one; a zero vector stays zero. Lanes from ``count`` on become zero.
    """
    factors = vectors.shape[1]
    for lane in range(WIDTH):
        if lane >= count:
            for k in range(factors):
                panels[at + k * WIDTH + lane] = np.float32(0)
            continue
        row = rows[first + lane]
        length = 1.0
        if unit:
            total = 0.0
            for k in range(factors):
                total += np.float64(vectors[row, k]) * np.float64(vectors[row, k])
            length = np.sqrt(total) if total > 0 else 1.0
        for k in range(factors):
            panels[at + k * WIDTH + lane] = np.float32(np.float64(vectors[row, k]) / length)


@jit
def pack_panels(vectors: Floats, rows: Rows, unit: bool, panels: Floats) -> None:
    """`pack_panel` for all ``rows``; ``panels`` is flat, of ceil(rows / 16) · factors · 16 numbers."""
    size = vectors.shape[1] * WIDTH
    for panel in range((len(rows) + WIDTH - 1) // WIDTH):
        first = panel * WIDTH
        pack_panel(vectors, rows, first, min(WIDTH, len(rows) - first), unit, panels, panel * size)


def packed(vectors: Floats, rows: Rows, *, unit: bool) -> Floats:
    """The ``rows`` of ``vectors`` (items, factors) as panels (panels, factors, 16), the last one padded with zeros."""
    panels = aligned(-(-len(rows) // WIDTH), vectors.shape[1], WIDTH)
    pack_panels(vectors, rows, unit, panels.reshape(-1))
    return panels


@jit
def score_pairs(
    first: int, last: int, vectors: Floats, unit: bool, queries: Floats, indptr: Starts, items: Rows, scores: Floats
) -> None:
    """Fill ``scores`` (n,) for the queries ``first`` to ``last``: query q with items[indptr[q]:indptr[q + 1]].

    ``unit`` divides the items by their length, not the queries. The scores are those of `scan`, to the bit.
    """
    factors = vectors.shape[1]
    panel = np.empty(factors * WIDTH, dtype=np.float32)
    lanes = np.empty(WIDTH, dtype=np.float32)
    flat = queries.reshape(-1)
    for query in range(first, last):
        for start in range(indptr[query], indptr[query + 1], WIDTH):
            count = min(WIDTH, indptr[query + 1] - start)
            pack_panel(vectors, items, start, count, unit, panel, 0)
            sums = zero()
            for k in range(factors):
                sums = multiply_add(load(panel, k * WIDTH), spread_from(flat, query * factors + k), sums)
            store(lanes, 0, sums)
            for lane in range(count):
                scores[start + lane] = lanes[lane]


@jit
def scan(
    panels: Floats,
    items: int,
    queries: Floats,
    open_items: npt.NDArray[np.bool_],
    indptr: Starts,
    indices: Rows,
    rows: Rows,
    scores: Floats,
) -> None:
    """Fill ``rows`` and ``scores`` (queries, k) with the best items of each query, best first.

    panels      (panels, factors, 16) of `packed`, of which the first ``items`` lanes count
    queries     (queries, factors)
    open_items  (items,) False for items that nobody may get
    indptr, indices  the items excluded for each query, ascending in each

    A query with fewer than k items left ends in rows of -1 and scores of -inf.
    """
    factors, k, count = panels.shape[1], rows.shape[1], len(queries)
    groups = (count + GROUP - 1) // GROUP
    flat = panels.reshape(-1)
    interleaved = _interleaved(queries, groups)
    filled = np.zeros(count, dtype=np.int64)
    worst = np.full(groups * GROUP, -np.inf, dtype=np.float32)
    for spare in range(count, groups * GROUP):
        worst[spare] = np.inf
    tile = np.empty(GROUP * WIDTH, dtype=np.float32)
    size = factors * WIDTH
    chunk = max(1, CHUNK_BYTES // (4 * size))
    for start in range(0, len(panels), chunk):
        end = min(start + chunk, len(panels))
        for group in range(groups):
            for panel in range(start, end):
                _score_tile(flat, panel * size, interleaved, group * factors * GROUP, factors, tile)
                for member in range(GROUP):
                    query = group * GROUP + member
                    if _any_above(tile, member * WIDTH, worst[query]):
                        first = panel * WIDTH
                        for lane in range(min(WIDTH, items - first)):
                            score, item = tile[member * WIDTH + lane], first + lane
                            if (
                                score > worst[query]
                                and open_items[item]
                                and not contains(indices, indptr[query], indptr[query + 1], item)
                            ):
                                filled[query] = offer(rows[query], scores[query], filled[query], item, score)
                                if filled[query] == k:
                                    worst[query] = scores[query, 0]
    for query in range(count):
        sort_heap(rows[query], scores[query], filled[query])


@jit
def _interleaved(queries: Floats, groups: int) -> Floats:
    """The queries as a flat (groups, factors, 8), so that a group is read as one stream; padded with zeros."""
    factors = queries.shape[1]
    interleaved = np.zeros(groups * factors * GROUP, dtype=np.float32)
    for query in range(len(queries)):
        at = query // GROUP * factors * GROUP + query % GROUP
        for k in range(factors):
            interleaved[at + k * GROUP] = queries[query, k]
    return interleaved


@jit
def _score_tile(panels: Floats, panel: int, queries: Floats, group: int, factors: int, tile: Floats) -> None:
    """The scores (8, 16) of eight interleaved queries for the sixteen items of a panel."""
    a = b = c = d = e = f = g = h = zero()
    for k in range(factors):
        items, at = load(panels, panel + k * WIDTH), group + k * GROUP
        a = multiply_add(items, spread_from(queries, at), a)
        b = multiply_add(items, spread_from(queries, at + 1), b)
        c = multiply_add(items, spread_from(queries, at + 2), c)
        d = multiply_add(items, spread_from(queries, at + 3), d)
        e = multiply_add(items, spread_from(queries, at + 4), e)
        f = multiply_add(items, spread_from(queries, at + 5), f)
        g = multiply_add(items, spread_from(queries, at + 6), g)
        h = multiply_add(items, spread_from(queries, at + 7), h)
    store(tile, 0, a)
    store(tile, WIDTH, b)
    store(tile, 2 * WIDTH, c)
    store(tile, 3 * WIDTH, d)
    store(tile, 4 * WIDTH, e)
    store(tile, 5 * WIDTH, f)
    store(tile, 6 * WIDTH, g)
    store(tile, 7 * WIDTH, h)


@jit
def _any_above(tile: Floats, at: int, threshold: np.float32) -> bool:
    # Counting has no early way out, which lets LLVM compare all sixteen at once.
    above = 0
    for lane in range(WIDTH):
        above += 1 if tile[at + lane] > threshold else 0
    return above > 0


@jit
def contains(indices: Rows, start: int, end: int, wanted: int) -> bool:
    """Whether ``wanted`` is in indices[start:end], ascending."""
    while start < end:
        middle = (start + end) // 2
        if indices[middle] < wanted:
            start = middle + 1
        elif indices[middle] > wanted:
            end = middle
        else:
            return True
    return False
