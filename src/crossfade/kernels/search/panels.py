"""Items in panels of sixteen, one to a vector lane, and the scores of queries for them.

A score is one chain of multiply-adds over the factors in ascending order: fma(q_f, y_f, … fma(q_1, y_1, 0)). The chain
is the same however queries and items are divided, so scores, and with them the ranking, depend on neither block sizes
nor threads nor backend.
"""

import numpy as np
import numpy.typing as npt

from crossfade.core.csr import Starts
from crossfade.core.ids import Rows
from crossfade.kernels.compile import jit
from crossfade.kernels.lanes import (
    WIDTH,
    Floats,
    Lanes,
    aligned,
    load,
    multiply_add,
    spread_from,
    store,
    store_turned,
    zero,
)

Lengths = npt.NDArray[np.float64]

GROUP = 8
"""Queries that share each load of a panel: eight sums and two operands fit sixteen vector registers."""


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
    units = np.zeros(vectors.shape, dtype=np.float32)
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
    turned = 0 if unit else factors // WIDTH * WIDTH
    starts = np.empty(WIDTH, dtype=np.int64)
    for lane in range(WIDTH):
        starts[lane] = np.int64(rows[first + min(lane, count - 1)]) * factors
    for k in range(0, turned, WIDTH):
        store_turned(panels, at + k * WIDTH, vectors, starts, k)
    for lane in range(count):
        row = rows[first + lane]
        length = 1.0
        if unit:
            total = 0.0
            for k in range(factors):
                total += np.float64(vectors[row, k]) * np.float64(vectors[row, k])
            length = np.sqrt(total) if total > 0 else 1.0
        for k in range(turned, factors):
            panels[at + k * WIDTH + lane] = np.float32(np.float64(vectors[row, k]) / length)
    for lane in range(count, WIDTH):
        for k in range(factors):
            panels[at + k * WIDTH + lane] = np.float32(0)


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

    ``unit`` divides the items by their length, not the queries. The scores are those of every search, to the bit.
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


@jit(inline=True)
def score_tile(
    panels: Floats, panel: int, start: Lanes, queries: Floats, group: int, factors: int, tile: Floats
) -> None:
    """Write to ``tile`` (8, 16) the scores of eight interleaved queries for the sixteen items of a panel.

    ``start`` is added to the scores of each query: 0 for an item that may be given, -inf for one that may not.
    """
    a = b = c = d = e = f = g = h = start
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
