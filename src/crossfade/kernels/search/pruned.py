"""The k best items for each of many queries, exactly, with a look at most items in bytes or none at all.

Items pass in descending length, in the chunks of a `sketch.Sketch`:

1. In the first chunks all bounds are computed. Their items are dealt out to more than k heaps, and the k-th largest of
   the heaps' best lower bounds is a score that k items reach, so only items whose upper bound reaches it are scored.
2. In each chunk after them, only items whose upper bound reaches the query's k-th best score so far are scored.
3. A query ends at the first chunk whose longest item y has |q| |y| below that score; those that go on are put
   together in full groups.

An item that is scored is scored from the vectors themselves, by the chain of multiply-adds of `panels`,
and equal scores pass every bound and give way to the lower row, so rows and scores are those of `scan` to the bit.

O(queries · items · factors / 4) byte instructions at worst, and as many scores as items pass.

Teflioudi & Gemulla, "Exact and approximate maximum inner product search with LEMP", TODS 2016 (ending by length).
"""

import numpy as np
import numpy.typing as npt

from crossfade.core.ids import Rows
from crossfade.kernels.compile import jit
from crossfade.kernels.lanes import WIDTH, Floats
from crossfade.kernels.search.best import LOWEST, Keys, contains, keep_largest, key_of, lay_out, move_largest, room
from crossfade.kernels.search.byte_lanes import (
    FOUR,
    Bytes,
    Words,
    add_products,
    all_negative,
    at_least,
    both,
    chained,
    load_bytes,
    lowest,
    not_negative,
    spread_word,
    store_sums,
)
from crossfade.kernels.search.panels import GROUP, Lengths
from crossfade.kernels.search.sketch import (
    BEYOND,
    CHUNK,
    PAIR,
    Counts,
    Sketch,
    least_sum,
    rounding,
    sketch_queries,
    slack_of,
)

HEAPS = 2
"""Heaps of the first chunks for each item that is wanted, at least. More: a better first threshold, dearer found."""

HEAP = 16
"""Items of the first chunks in a heap, at least."""

NEVER = np.iinfo(np.int32).min
"""The sum of an item that may not be given."""


@jit
def scan_pruned(
    sketch: Sketch,
    queries: Floats,
    open_items: npt.NDArray[np.bool_],
    all_open: bool,
    indptr: Counts,
    indices: Rows,
    patience: int,
    rows: Rows,
    scores: Floats,
    passed: Counts,
    met: Counts,
) -> None:
    """Fill ``rows`` and ``scores`` (queries, k) with the best items of each query, as `scan.scan` does.

    sketch      of items with WIDEST factors at most
    all_open    whether all of ``open_items`` are, which spares a look at them
    patience    a query for which more items pass than this is given up: its rows are to be found otherwise
    passed      (queries,) out: how many items were scored; more than ``patience`` for queries that were given up
    met         (queries,) out: how many items were met in bytes

    The others as in `scan.scan`.
    """
    items, factors = sketch.vectors.shape
    count, k = len(queries), rows.shape[1]
    steps = (factors + FOUR - 1) // FOUR
    words = np.zeros((count, steps), dtype=np.int32)
    shapes = np.zeros((count, 3), dtype=np.float64)
    shifts = np.zeros(count, dtype=np.int64)
    sketch_queries(queries, words, shapes, shifts)
    chunks = len(sketch.scales)
    heaps = WIDTH
    while heaps < HEAPS * k:
        heaps *= 2
    head = min(chunks, (heaps * HEAP + CHUNK - 1) // CHUNK)
    bounds = np.empty(heaps, dtype=np.float64)
    stride = head * CHUNK
    keys, filled = np.empty((count, room(k)), dtype=np.int64), np.zeros(count, dtype=np.int64)
    floors = np.empty(count, dtype=np.float32)
    floors[:] = LOWEST
    passed[:] = 0
    met[:] = min(items, stride)
    group = np.zeros(steps * GROUP, dtype=np.int32)
    starts = np.zeros(GROUP, dtype=np.int32)
    reached = np.zeros(GROUP, dtype=np.int64)
    sums = np.zeros(GROUP * stride, dtype=np.int32)
    candidates = np.zeros((max(head, 1) * CHUNK * GROUP, 2), dtype=np.int32)
    live = np.empty(count, dtype=np.int64)
    for query in range(count):
        live[query] = query
    for first in range(0, count, GROUP):
        members = min(GROUP, count - first)
        _group(words, live, first, members, group)
        starts[:] = 0
        for pair in range((min(items, stride) + PAIR - 1) // PAIR):
            at = pair * steps * PAIR * FOUR
            _meet(sketch.bytes, at, group, steps, starts, True, sums, pair * PAIR, stride, reached)
        found = 0
        for query in range(first, first + members):
            own = sums[(query - first) * stride : (query - first + 1) * stride]
            _close(own, sketch, open_items, all_open, indices[indptr[query] : indptr[query + 1]])
            reach = _first_threshold(own, sketch, shapes[query], shifts[query], factors, k, bounds)
            before = found
            for chunk in range(head):
                least = least_sum(reach, sketch, chunk, shapes[query], shifts[query], factors)
                for place in range(chunk * CHUNK, (chunk + 1) * CHUNK, WIDTH):
                    bits = at_least(own, place, least)
                    while bits:
                        candidates[found, 0], candidates[found, 1] = query, place + lowest(bits)
                        found += 1
                        bits &= bits - 1
            passed[query] = found - before
        _score(sketch, queries, candidates, found, k, keys, filled, floors)
    remaining = count
    for chunk in range(head, chunks):
        remaining = _going_on(
            sketch, chunk, shapes, factors, k, keys, filled, floors, passed, patience, live, remaining
        )
        if remaining == 0:
            break
        begin, end = chunk * CHUNK, min((chunk + 1) * CHUNK, items)
        for first in range(0, remaining, GROUP):
            members = min(GROUP, remaining - first)
            _group(words, live, first, members, group)
            starts[:] = -BEYOND
            for member in range(members):
                query = live[first + member]
                met[query] += end - begin
                floor = np.float64(floors[query])
                starts[member] = -least_sum(floor, sketch, chunk, shapes[query], shifts[query], factors)
            found = 0
            for pair in range(begin // PAIR, (end + PAIR - 1) // PAIR):
                at = pair * steps * PAIR * FOUR
                if _meet(sketch.bytes, at, group, steps, starts, False, sums, 0, 0, reached):
                    for member in range(members):
                        bits, query = reached[member], live[first + member]
                        while bits:
                            candidates[found, 0], candidates[found, 1] = query, pair * PAIR + lowest(bits)
                            found += 1
                            bits &= bits - 1
            found = _allowed(candidates, found, sketch.order, open_items, indptr, indices, patience, passed)
            _score(sketch, queries, candidates, found, k, keys, filled, floors)
    for query in range(count):
        lay_out(keys[query], filled[query], k, indices[:0], rows[query], scores[query])


@jit
def _going_on(
    sketch: Sketch,
    chunk: int,
    shapes: Lengths,
    factors: int,
    k: int,
    keys: Keys,
    filled: Counts,
    floors: Floats,
    passed: Counts,
    patience: int,
    live: Counts,
    remaining: int,
) -> int:
    """Keep of live[:remaining] the queries for which an item of ``chunk`` or later may be among the best."""
    going = 0
    for place in range(remaining):
        query = live[place]
        if filled[query] > k or (filled[query] == k and floors[query] == LOWEST):
            floors[query], filled[query] = keep_largest(keys[query], filled[query], k), k
        reach = shapes[query, 1] * sketch.lengths[chunk]
        if reach + rounding(reach, factors) >= floors[query] and passed[query] <= patience:
            live[going] = query
            going += 1
    return going


@jit
def _group(words: Words, live: Counts, first: int, members: int, group: Words) -> None:
    """Lay the words of live[first : first + members] side by side, flat (steps, 8)."""
    for member in range(members):
        for step in range(words.shape[1]):
            group[step * GROUP + member] = words[live[first + member], step]


@jit(inline=True)
def _meet(
    items: Bytes,
    at: int,
    queries: Words,
    steps: int,
    starts: Words,
    all_sums: bool,
    sums: Words,
    to: int,
    stride: int,
    reached: Counts,
) -> bool:
    """Add the products of eight queries and thirty-two items to ``starts`` (8,).

    ``all_sums`` writes them, those of query m to sums[to + m · stride] and on. Else only whether one is not negative
    is given back, and if so, ``reached`` (8,) is filled with a bit for each of a query's thirty-two.
    """
    a0 = a1 = spread_word(starts, 0)
    b0 = b1 = spread_word(starts, 1)
    c0 = c1 = spread_word(starts, 2)
    d0 = d1 = spread_word(starts, 3)
    e0 = e1 = spread_word(starts, 4)
    f0 = f1 = spread_word(starts, 5)
    g0 = g1 = spread_word(starts, 6)
    h0 = h1 = spread_word(starts, 7)
    for step in range(steps):
        place, of = at + step * PAIR * FOUR, step * GROUP
        one, other = load_bytes(items, place), load_bytes(items, place + WIDTH * FOUR)
        query = spread_word(queries, of)
        a0, a1 = add_products(one, query, a0), add_products(other, query, a1)
        query = spread_word(queries, of + 1)
        b0, b1 = add_products(one, query, b0), add_products(other, query, b1)
        query = spread_word(queries, of + 2)
        c0, c1 = add_products(one, query, c0), add_products(other, query, c1)
        query = spread_word(queries, of + 3)
        d0, d1 = add_products(one, query, d0), add_products(other, query, d1)
        query = spread_word(queries, of + 4)
        e0, e1 = add_products(one, query, e0), add_products(other, query, e1)
        query = spread_word(queries, of + 5)
        f0, f1 = add_products(one, query, f0), add_products(other, query, f1)
        query = spread_word(queries, of + 6)
        g0, g1 = add_products(one, query, g0), add_products(other, query, g1)
        query = spread_word(queries, of + 7)
        h0, h1 = add_products(one, query, h0), add_products(other, query, h1)
    if all_sums:
        store_sums(sums, to, a0)
        store_sums(sums, to + WIDTH, a1)
        store_sums(sums, to + stride, b0)
        store_sums(sums, to + stride + WIDTH, b1)
        store_sums(sums, to + 2 * stride, c0)
        store_sums(sums, to + 2 * stride + WIDTH, c1)
        store_sums(sums, to + 3 * stride, d0)
        store_sums(sums, to + 3 * stride + WIDTH, d1)
        store_sums(sums, to + 4 * stride, e0)
        store_sums(sums, to + 4 * stride + WIDTH, e1)
        store_sums(sums, to + 5 * stride, f0)
        store_sums(sums, to + 5 * stride + WIDTH, f1)
        store_sums(sums, to + 6 * stride, g0)
        store_sums(sums, to + 6 * stride + WIDTH, g1)
        store_sums(sums, to + 7 * stride, h0)
        store_sums(sums, to + 7 * stride + WIDTH, h1)
        return True
    firsts = both(both(both(a0, b0), both(c0, d0)), both(both(e0, f0), both(g0, h0)))
    seconds = both(both(both(a1, b1), both(c1, d1)), both(both(e1, f1), both(g1, h1)))
    if all_negative(both(firsts, seconds)):
        return False
    reached[0], reached[1] = not_negative(a0, a1), not_negative(b0, b1)
    reached[2], reached[3] = not_negative(c0, c1), not_negative(d0, d1)
    reached[4], reached[5] = not_negative(e0, e1), not_negative(f0, f1)
    reached[6], reached[7] = not_negative(g0, g1), not_negative(h0, h1)
    return True


@jit
def _allowed(
    candidates: Rows,
    found: int,
    order: Rows,
    open_items: npt.NDArray[np.bool_],
    indptr: Counts,
    indices: Rows,
    patience: int,
    passed: Counts,
) -> int:
    """Keep only the candidates that their query may get and has the patience for; return how many."""
    kept = 0
    for number in range(found):
        query, place = candidates[number]
        if place < len(order):
            row = order[place]
            if open_items[row] and not contains(indices[indptr[query] : indptr[query + 1]], row):
                passed[query] += 1
                if passed[query] <= patience:
                    candidates[kept, 0], candidates[kept, 1] = query, place
                    kept += 1
    return kept


@jit
def _close(sums: Words, sketch: Sketch, open_items: npt.NDArray[np.bool_], all_open: bool, excluded: Rows) -> None:
    """Give the items of the head that a query may not get, and the padding, a sum that never counts."""
    items = len(sketch.order)
    for place in range(items, len(sums)):
        sums[place] = NEVER
    if not all_open:
        for place in range(min(items, len(sums))):
            if not open_items[sketch.order[place]]:
                sums[place] = NEVER
    for row in excluded:
        if sketch.places[row] < len(sums):
            sums[sketch.places[row]] = NEVER


@jit
def _first_threshold(
    sums: Words, sketch: Sketch, shape: Lengths, shift: int, factors: int, k: int, bounds: Lengths
) -> float:
    """A score that k items of the first chunks reach, -inf if there are not as many; ``bounds`` (heaps,) is scratch.

    Items that stand side by side are alike in length, so they go to different heaps.
    """
    heaps = len(bounds)
    run = min(heaps, CHUNK)
    best = np.empty(run, dtype=np.int32)
    bounds[:] = -np.inf
    for first in range(0, len(sums), CHUNK):
        unit, slack = shape[0] * sketch.scales[first // CHUNK], slack_of(sketch, first // CHUNK, shape, factors)
        best[:] = NEVER
        for start in range(first, first + CHUNK, run):
            for place in range(run):
                best[place] = max(best[place], sums[start + place])
        for place in range(run):
            bound = unit * (best[place] - shift) - slack if best[place] != NEVER else -np.inf
            bounds[(first + place) % heaps] = max(bounds[(first + place) % heaps], bound)
    return _kth_largest(bounds, k)


@jit
def _kth_largest(numbers: Lengths, k: int) -> float:
    """The ``k``-th largest of ``numbers``, which are spoilt."""
    bits, magnitude = numbers.view(np.int64), np.int64(0x7FFFFFFFFFFFFFFF)
    # Among negative numbers, the larger the bits the smaller the number.
    for place in range(len(bits)):
        bits[place] = bits[place] if bits[place] >= 0 else bits[place] ^ magnitude
    least = move_largest(bits, len(bits), k)
    numbers.view(np.int64)[0] = least if least >= 0 else least ^ magnitude
    return float(numbers[0])


@jit
def _score(
    sketch: Sketch,
    queries: Floats,
    candidates: Rows,
    found: int,
    k: int,
    keys: Keys,
    filled: Counts,
    floors: Floats,
) -> None:
    """Add the candidates (found, 2), each a query and the place of an item, with their scores to the best so far."""
    items, asked = sketch.vectors.reshape(-1), queries.reshape(-1)
    factors = queries.shape[1]
    ours = np.zeros(GROUP, dtype=np.int64)
    theirs = np.zeros(GROUP, dtype=np.int64)
    exact = np.empty(GROUP, dtype=np.float32)
    for first in range(0, found, GROUP):
        count = min(GROUP, found - first)
        for number in range(count):
            ours[number] = np.int64(candidates[first + number, 0]) * factors
            theirs[number] = np.int64(candidates[first + number, 1]) * factors
        _chain(asked, ours, items, theirs, factors, exact)
        for number in range(count):
            query, place = candidates[first + number]
            if exact[number] >= floors[query]:
                keys[query, filled[query]] = key_of(exact[number], sketch.order[place])
                filled[query] += 1
                if filled[query] == keys.shape[1]:
                    floors[query], filled[query] = keep_largest(keys[query], filled[query], k), k


@jit
def _chain(asked: Floats, ours: Counts, items: Floats, theirs: Counts, factors: int, exact: Floats) -> None:
    """exact[n] = the score of the vectors that start at ours[n] and theirs[n].

    Eight chains side by side, since each waits for its own last step.
    """
    a = b = c = d = e = f = g = h = np.float32(0)
    for k in range(factors):
        a = chained(items, theirs[0] + k, asked, ours[0] + k, a)
        b = chained(items, theirs[1] + k, asked, ours[1] + k, b)
        c = chained(items, theirs[2] + k, asked, ours[2] + k, c)
        d = chained(items, theirs[3] + k, asked, ours[3] + k, d)
        e = chained(items, theirs[4] + k, asked, ours[4] + k, e)
        f = chained(items, theirs[5] + k, asked, ours[5] + k, f)
        g = chained(items, theirs[6] + k, asked, ours[6] + k, g)
        h = chained(items, theirs[7] + k, asked, ours[7] + k, h)
    exact[0], exact[1], exact[2], exact[3], exact[4], exact[5], exact[6], exact[7] = a, b, c, d, e, f, g, h
