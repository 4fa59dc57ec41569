"""The k best items for each of many queries, exactly, without ever holding all scores.

    best_k { q · y_i : item i is open and not excluded for q }

O(queries · items · factors), of which one compare a score is not multiply-adds; memory is a table of some 2 k keys
(`best`) for each query.
"""

import numpy as np
import numpy.typing as npt

from crossfade.core.csr import Starts
from crossfade.core.ids import Rows
from crossfade.kernels.compile import jit
from crossfade.kernels.lanes import WIDTH, Floats, reaching, zero
from crossfade.kernels.search.best import LOWEST, Keys, contains, keep_largest, key_of, lay_out, room
from crossfade.kernels.search.byte_lanes import lowest
from crossfade.kernels.search.panels import GROUP, score_tile

CHUNK_BYTES = 256 * 1024
"""Panels that stay in the core's own cache while all queries of a block meet them; half of a common second level."""


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
    open_items  (items,) False for items that are returned for no query
    indptr, indices  the items excluded for each query, ascending in each

    A query with fewer than k items left ends in rows of -1 and scores of -inf.
    """
    factors, k, count = panels.shape[1], rows.shape[1], len(queries)
    groups = (count + GROUP - 1) // GROUP
    flat = panels.reshape(-1)
    interleaved = _interleaved(queries, groups)
    keys = np.empty((count, room(k)), dtype=np.int64)
    filled = np.zeros(count, dtype=np.int64)
    floors = np.empty(groups * GROUP, dtype=np.float32)
    floors[:count] = LOWEST
    floors[count:] = np.inf
    tile = np.empty(GROUP * WIDTH, dtype=np.float32)
    size = factors * WIDTH
    chunk = max(1, CHUNK_BYTES // (4 * size))
    for start in range(0, len(panels), chunk):
        end = min(start + chunk, len(panels))
        for group in range(groups):
            for panel in range(start, end):
                score_tile(flat, panel * size, zero(), interleaved, group * factors * GROUP, factors, tile)
                first = panel * WIDTH
                lanes = (1 << min(WIDTH, items - first)) - 1
                for member in range(GROUP):
                    query = group * GROUP + member
                    reached = reaching(tile, member * WIDTH, floors[query]) & lanes
                    if reached:
                        excluded = indices[indptr[query] : indptr[query + 1]]
                        filled[query] = _append(
                            keys[query], filled[query], tile, member * WIDTH, reached, first, open_items, excluded
                        )
                        if filled[query] > keys.shape[1] - WIDTH:
                            # Items come in ascending order, so those of equal scores are too late.
                            least = keep_largest(keys[query], filled[query], k)
                            floors[query], filled[query] = np.nextafter(least, np.float32(np.inf)), k
    for query in range(count):
        lay_out(keys[query], filled[query], k, indices[:0], rows[query], scores[query])


@jit(inline=True)
def _append(
    keys: Keys,
    filled: int,
    tile: Floats,
    at: int,
    reached: int,
    first: int,
    open_items: npt.NDArray[np.bool_],
    excluded: Rows,
) -> int:
    """Append the keys of the items whose bit in ``reached`` is set and that may be given; return how many there are."""
    while reached:
        lane = lowest(reached)
        item = first + lane
        if open_items[item] and not contains(excluded, item):
            keys[filled] = key_of(tile[at + lane], item)
            filled += 1
        reached &= reached - 1
    return filled


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
