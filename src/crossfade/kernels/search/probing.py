"""The best of those items that lie in the clusters that each query takes.

    best { q · y_i : cluster(i) ∈ probes(q), item i is open }

Items lie cluster by cluster in panels of sixteen (`panels`), and a block of queries goes through the clusters one by
one: all queries that take a cluster meet its panels together, eight at a time, so that the work is the same dense
product as in exact search, and its scores are the same to the bit. The sums of closed items begin at -inf instead of 0,
and stay there. The best are kept by `best`, and excluded items beside them, which are left out in the end.

O(Σ_q items in probes(q) · factors); memory is 16 bytes and more for each item that a query keeps.
"""

import numpy as np

from crossfade.core.csr import Starts
from crossfade.core.ids import Rows
from crossfade.kernels.compile import jit
from crossfade.kernels.lanes import WIDTH, Floats, load, reaching
from crossfade.kernels.search.best import LOWEST, Keys, keep_largest, key_of, lay_out, room
from crossfade.kernels.search.byte_lanes import lowest
from crossfade.kernels.search.panels import GROUP, score_tile


@jit
def probe(
    panels: Floats,
    starts: Starts,
    listed: Rows,
    closed: Floats,
    queries: Floats,
    probes: Rows,
    indptr: Starts,
    indices: Rows,
    rows: Rows,
    scores: Floats,
) -> None:
    """Fill ``rows`` and ``scores`` (queries, k) with the best items of the clusters ``probes`` of each query.

    panels   (panels, factors, 16), those of cluster c being starts[c]:starts[c + 1]
    listed   (panels · 16,) the item in each lane
    closed   (panels · 16,) 0 for an item that may be given, -inf for one that may not and for an empty lane
    queries  (queries, factors)
    probes   (queries, any) the clusters that each query takes, the most promising first, none twice
    indptr, indices  the items excluded for each query, ascending in each

    Best first; a query with fewer than k items left ends in rows of -1 and scores of -inf.
    """
    factors = panels.shape[1]
    flat, asked = panels.reshape(-1), queries.reshape(-1)
    order, ends, members = _visits(probes, len(starts) - 1)
    floors = np.full(len(queries), LOWEST, dtype=np.float32)
    interleaved = np.zeros(factors * GROUP, dtype=np.float32)
    tile = np.empty(GROUP * WIDTH, dtype=np.float32)
    # Excluded items are kept too, and left out in the end.
    keep = rows.shape[1] + (np.diff(indptr).max() if len(queries) else 0)
    keys, filled = np.empty((len(queries), room(keep)), dtype=np.int64), np.zeros(len(queries), dtype=np.int64)
    begin = 0
    for visit in range(len(order)):
        cluster, end = order[visit], ends[visit]
        for first in range(begin, end, GROUP):
            together = min(GROUP, end - first)
            for member in range(together):
                at = members[first + member] * factors
                for factor in range(factors):
                    interleaved[factor * GROUP + member] = asked[at + factor]
            for panel in range(starts[cluster], starts[cluster + 1]):
                start = load(closed, panel * WIDTH)
                score_tile(flat, panel * factors * WIDTH, start, interleaved, 0, factors, tile)
                for member in range(together):
                    query, at = members[first + member], member * WIDTH
                    reached = reaching(tile, at, floors[query])
                    if reached:
                        filled[query] = _append(keys[query], filled[query], tile, at, reached, listed, panel * WIDTH)
                        if filled[query] > keys.shape[1] - WIDTH:
                            floors[query] = keep_largest(keys[query], filled[query], keep)
                            filled[query] = keep
        begin = end
    for query in range(len(queries)):
        excluded = indices[indptr[query] : indptr[query + 1]]
        lay_out(keys[query], filled[query], keep, excluded, rows[query], scores[query])


@jit
def _visits(probes: Rows, clusters: int) -> tuple[Starts, Starts, Starts]:
    """The clusters that are taken, where the queries that take each end, and these queries.

    What is promising comes first, since early good scores spare later work.
    """
    wanted = np.zeros(clusters, dtype=np.int64)
    for rank in range(probes.shape[1]):
        for query in range(len(probes)):
            wanted[probes[query, rank]] += 1
    asked = 0
    for cluster in range(clusters):
        asked += wanted[cluster] > 0
    order, ends = np.empty(asked, dtype=np.int64), np.empty(asked, dtype=np.int64)
    members = np.empty(probes.size, dtype=np.int64)
    places = np.full(clusters, -1, dtype=np.int64)
    visits, end = 0, 0
    for rank in range(probes.shape[1]):
        for query in range(len(probes)):
            cluster = probes[query, rank]
            if places[cluster] < 0:
                places[cluster] = end
                end += wanted[cluster]
                order[visits], ends[visits] = cluster, end
                visits += 1
            members[places[cluster]] = query
            places[cluster] += 1
    return order, ends, members


@jit(inline=True)
def _append(
    keys: Keys,
    filled: int,
    tile: Floats,
    at: int,
    reached: int,
    listed: Rows,
    lanes: int,
) -> int:
    """Append the keys of the scores whose bit in ``reached`` is set; return how many keys there are now."""
    while reached:
        lane = lowest(reached)
        keys[filled] = key_of(tile[at + lane], listed[lanes + lane])
        filled += 1
        reached &= reached - 1
    return filled
