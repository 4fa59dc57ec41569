"""The best of those items that stand in the clusters that each query asks for.

    best { q · y_i : cluster(i) ∈ probes(q), item i is open }

Items stand cluster by cluster in panels of sixteen (`crossfade.kernels.topk.packed`), and a block of queries goes
through the clusters one by one: all queries that ask for a cluster meet its panels together, eight at a time, so
that the work is the same dense product as in exact search, and its scores are the same to the bit. The sums of
closed items begin at -inf instead of 0, and stay there.

A score that is high enough is appended to its query's table as one whole number that sorts as the score does, and
among equal scores by descending row. A full table is cut to its best, whose last is from then on the score to
reach: as many must come again before the next cut, so that an item costs O(1) instead of a heap's O(log k), and no
branch hangs on a single score.

Excluded items are kept too, beside as many others as are wanted, and left out in the end.

O(Σ_q items in probes(q) · factors); memory is 16 bytes and more for each item that a query keeps.
"""

import numpy as np
import numpy.typing as npt

from crossfade.core.ids import Rows
from crossfade.kernels.compile import jit
from crossfade.kernels.lanes import WIDTH, Floats, load, multiply_add, spread_from, store
from crossfade.kernels.topk import GROUP

Keys = npt.NDArray[np.int64]
Starts = npt.NDArray[np.int64]

NOTHING = np.iinfo(np.int64).min
"""The key of no item; less than that of any."""

LEAST_ROOM = 64
"""Items that a table takes beyond those it keeps before it is cut, at least."""

LAST_ROW = 0x7FFFFFFF
"""Row numbers are counted down from here, so that of equal scores the lower row has the larger key."""

LOWEST = np.float32(np.finfo(np.float32).min)
"""What any score reaches, but not that of a closed item."""


def room(keep: int) -> int:
    """Entries of the table of one query that is to keep ``keep``."""
    return keep + max(keep, LEAST_ROOM) + WIDTH


@jit
def probe(
    panels: Floats,
    starts: Starts,
    listed: Rows,
    closed: Floats,
    queries: Floats,
    probes: Rows,
    keep: int,
    keys: Keys,
    filled: Starts,
) -> None:
    """Fill the tables ``keys`` with the ``keep`` best items of the clusters ``probes`` of each query, and others.

    panels   (panels, factors, 16), those of cluster c being starts[c]:starts[c + 1]
    listed   (panels · 16,) the item in each lane
    closed   (panels · 16,) 0 for an item that may be given, -inf for one that may not and for an empty lane
    queries  (queries, factors)
    probes   (queries, any) the clusters that each query asks for, the most promising first, none twice
    keys     (queries, room(keep)), of which the first ``filled`` (queries,) count in the end
    """
    factors = panels.shape[1]
    flat, asked = panels.reshape(-1), queries.reshape(-1)
    order, ends, members = _visits(probes, len(starts) - 1)
    floors = np.full(len(queries), LOWEST, dtype=np.float32)
    interleaved = np.zeros(factors * GROUP, dtype=np.float32)
    tile = np.empty(GROUP * WIDTH, dtype=np.float32)
    bits = tile.view(np.int32)
    last = np.empty(1, dtype=np.float32)
    last_bits = last.view(np.int32)
    full = keys.shape[1] - WIDTH
    table = keys.reshape(-1)
    filled[:] = 0
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
                _score_tile(flat, panel * factors * WIDTH, closed, panel * WIDTH, interleaved, factors, tile)
                for member in range(together):
                    query, at = members[first + member], member * WIDTH
                    if _any_reaches(tile, at, floors[query]):
                        begun = query * keys.shape[1]
                        filled[query] = (
                            _append(table, begun + filled[query], tile, bits, at, floors[query], listed, panel * WIDTH)
                            - begun
                        )
                        if filled[query] > full:
                            last_bits[0] = _bits(_cut(keys[query], filled[query], keep))
                            filled[query], floors[query] = keep, last[0]
        begin = end


@jit
def settle(keys: Keys, filled: Starts, keep: int) -> None:
    """Cut every table to its ``keep`` best, in no order; behind them, and where there are fewer, stands NOTHING."""
    for query in range(len(keys)):
        if filled[query] > keep:
            _cut(keys[query], filled[query], keep)
            filled[query] = keep
        keys[query, filled[query] :] = NOTHING


@jit
def unpack(keys: Keys, indptr: Starts, indices: Rows, rows: Rows, scores: Floats) -> None:
    """Fill ``rows`` and ``scores`` (queries, k), best first, from ascending ``keys`` (queries, keep).

    indptr, indices  the items excluded for each query, ascending in each; no more than keep - k of them

    A query with fewer than k items left ends in rows of -1 and scores of -inf.
    """
    bits = scores.view(np.int32)
    for query in range(len(keys)):
        place = 0
        for key in keys[query, ::-1]:
            if key == NOTHING or place == rows.shape[1]:
                break
            row = LAST_ROW - (key & LAST_ROW)
            if not _contains(indices, indptr[query], indptr[query + 1], row):
                rows[query, place], bits[query, place] = row, _bits(key)
                place += 1
        rows[query, place:] = -1
        scores[query, place:] = -np.inf


@jit
def _visits(probes: Rows, clusters: int) -> tuple[Starts, Starts, Starts]:
    """The clusters that are asked for, where the queries that ask for each end, and these queries.

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
def _score_tile(
    panels: Floats, panel: int, closed: Floats, lanes: int, queries: Floats, factors: int, tile: Floats
) -> None:
    """The scores (8, 16) of eight interleaved queries for the sixteen items of a panel."""
    a = b = c = d = e = f = g = h = load(closed, lanes)
    for k in range(factors):
        items, at = load(panels, panel + k * WIDTH), k * GROUP
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


@jit(inline=True)
def _any_reaches(tile: Floats, at: int, floor: np.float32) -> bool:
    # Counting has no early way out, which lets LLVM compare all sixteen at once.
    reached = 0
    for lane in range(WIDTH):
        reached += 1 if tile[at + lane] >= floor else 0
    return reached > 0


@jit(inline=True)
def _append(
    keys: Keys,
    filled: int,
    tile: Floats,
    bits: Rows,
    at: int,
    floor: np.float32,
    listed: Rows,
    lanes: int,
) -> int:
    """Append the keys of those of sixteen scores that reach ``floor``; gives back how many keys there are now."""
    for lane in range(WIDTH):
        # Written always and counted where it reaches: half of all branches here would be guessed wrong.
        keys[filled] = _key(bits[at + lane], listed[lanes + lane])
        filled += 1 if tile[at + lane] >= floor else 0
    return filled


@jit
def _contains(indices: Rows, start: int, end: int, wanted: int) -> bool:
    while start < end:
        middle = (start + end) // 2
        if indices[middle] < wanted:
            start = middle + 1
        elif indices[middle] > wanted:
            end = middle
        else:
            return True
    return False


@jit(inline=True)
def _key(bits: np.int32, item: int) -> np.int64:
    """A number that sorts as the float32 with these ``bits``, then by descending item."""
    whole = np.int64(bits)
    # The only float that equals another one: minus zero.
    if whole == -0x80000000:
        whole = np.int64(0)
    # The larger a negative float's bits, the smaller it is.
    ordered = whole if whole >= 0 else whole ^ np.int64(LAST_ROW)
    return (ordered << 32) | np.int64(LAST_ROW - item)


@jit
def _bits(key: np.int64) -> np.int32:
    """The bits of the float32 that `_key` was given."""
    ordered = key >> 32
    return np.int32(ordered if ordered >= 0 else ordered ^ np.int64(LAST_ROW))


@jit
def _cut(keys: Keys, count: int, keep: int) -> np.int64:
    """Bring the ``keep`` largest of the first ``count`` keys to the front by quickselect; the least of them.

    No two keys are equal. O(count) on average.
    """
    left, right = 0, count - 1
    while left < right:
        middle = (left + right) // 2
        low, high = min(keys[left], keys[right]), max(keys[left], keys[right])
        pivot = min(max(low, keys[middle]), high)
        place = left if pivot == keys[left] else middle if pivot == keys[middle] else right
        keys[place], keys[right] = keys[right], pivot
        larger = left
        for at in range(left, right):
            key = keys[at]
            keys[at], keys[larger] = keys[larger], key
            larger += 1 if key > pivot else 0
        keys[right], keys[larger] = keys[larger], pivot
        if larger == keep - 1:
            break
        if larger < keep:
            left = larger + 1
        else:
            right = larger - 1
    least: np.int64 = keys[:keep].min()
    return least
