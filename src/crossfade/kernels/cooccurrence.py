"""For each item the k items that share most users with it, without ever holding all pairs.

    total_ij = Σ_u a_ui a_uj / (p_i p_j)        together_ij = Σ_u s_u / (p_i p_j)        over users u that have both

One item i at a time, the histories of its users are added up in an array of one sum for each item, from which the
best are kept: Σ_u d_u² additions for histories of length d_u, and memory for one array a thread. Items are numbered
by falling popularity, so that most additions fall into the few sums that the core's first cache holds. Where an
item's users have little in common with the catalogue, the sums they touch are listed, and only those are looked at.

Weights are multiples of a power of two so large that sums of their products are exact in double precision
(`crossfade.models.cooccurrence_columns`). Hence sums don't depend on their order, and those over parts of the users
add up to those over all.

Sampled (DIMSUM), a user's pair (i, j), i the more popular, counts only if i is drawn as a pivot, with probability
p_i, once for the whole history, and j after it, with probability p_j; 1 / (p_i p_j) makes up for that. Draws are
functions of user and items, hence item i meets the same ones as j. Pairs of j with pivots before it come from a list
of the pivots that were drawn, which is what is saved: an item costs the pairs that are drawn, not all.

Zadeh & Carlsson, "Dimension independent matrix square using MapReduce", 2013 (DIMSUM).
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from crossfade.core.ids import Rows
from crossfade.kernels.compile import jit
from crossfade.kernels.cooccurrence_lists import Measure, Sums, keep_best
from crossfade.kernels.draws import BITS, SHIFT, STEP, drawn, fraction, mixed
from crossfade.kernels.lanes import WIDTH, Floats, prefetch
from crossfade.kernels.search.best import room

Starts = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint64]

AHEAD = 8
"""Users whose histories are on their way while that of one is added up: they lie all over memory."""

LISTED = 4
"""Sums are listed as they are touched if at most one in this many can be."""


class Matrix(NamedTuple):
    """Who has what, from both sides; items are numbered by falling popularity.

    indptr, items, weights         by user: (users + 1,), (n,) ascending in each user, (n,) a
    item_indptr, users, item_weights  the same by item, users ascending in each
    stands                         (users,) float32 s, how many users each represents
    """

    indptr: Starts
    items: Rows
    weights: Floats
    item_indptr: Starts
    users: Rows
    item_weights: Floats
    stands: Floats


class Pivots(NamedTuple):
    """The pivots that were drawn, by user, and what draws are made with.

    indptr, items, weights  (users + 1,), (n,) ascending in each user, (n,)
    places, draws           (n,) where each stands in the histories, and its draw
    before                  for each entry of `Matrix.users`: the first of its user's pivots that is not before it
    chances                 (items,) float32 p
    sampled                 items from this number on have p = 1
    keys, limits            (items,) what is added to a stream for a draw; draws of `BITS` below the limit are hits
    """

    indptr: Starts
    items: Rows
    weights: Floats
    places: Starts
    draws: Words
    before: Starts
    chances: Floats
    sampled: int
    keys: Words
    limits: Words


@jit
def work_of(matrix: Matrix) -> Starts:
    """(items,) how many additions each item costs without sampling."""
    work = np.zeros(len(matrix.item_indptr) - 1, dtype=np.int64)
    for item in range(len(work)):
        for entry in range(matrix.item_indptr[item], matrix.item_indptr[item + 1]):
            user = matrix.users[entry]
            work[item] += matrix.indptr[user + 1] - matrix.indptr[user]
    return work


@jit
def draw_pivots(matrix: Matrix, chances: Floats, users: npt.NDArray[np.uint64], rows: Rows) -> Pivots:
    """The pivots of every user, from the streams ``users`` (users,)."""
    count = 0
    for user in range(len(users)):
        for entry in range(matrix.indptr[user], matrix.indptr[user + 1]):
            item = matrix.items[entry]
            if fraction(drawn(users[user], rows[item])) < chances[item]:
                count += 1
    indptr = np.zeros(len(users) + 1, dtype=np.int64)
    items = np.empty(count, dtype=np.int32)
    places = np.empty(count, dtype=np.int64)
    draws = np.empty(count, dtype=np.uint64)
    before = np.empty(len(matrix.users), dtype=np.int64)
    keys, limits = np.empty(len(chances), dtype=np.uint64), np.empty(len(chances), dtype=np.uint64)
    sampled = 0
    for item in range(len(chances)):
        keys[item] = STEP * np.uint64(rows[item] + 1)
        limits[item] = np.uint64(np.ceil(min(np.float64(chances[item]), 1.0) * 2.0**BITS))
        if chances[item] < 1:
            sampled = item + 1
    count, next_entry = 0, matrix.item_indptr[:-1].copy()
    for user in range(len(users)):
        for entry in range(matrix.indptr[user], matrix.indptr[user + 1]):
            item = matrix.items[entry]
            before[next_entry[item]] = count
            next_entry[item] += 1
            draw = drawn(users[user], rows[item])
            if fraction(draw) < chances[item]:
                items[count], places[count], draws[count] = item, entry, draw
                count += 1
        indptr[user + 1] = count
    weights = matrix.weights[places]
    return Pivots(indptr, items, weights, places, draws, before, chances, sampled, keys, limits)


@jit
def nearest_items(
    first: int, last: int, matrix: Matrix, measure: Measure, order: Rows, lists: Rows, scores: Floats
) -> None:
    """Fill the rows of ``lists`` and ``scores`` (last - first, k) with the best for the items ``first`` to ``last``.

    Lists hold order[item] (items,) in place of an item's number; best first, padded with -1 and -inf.
    """
    items = len(order)
    totals, together = np.zeros(items), np.zeros(items if measure.counted else 0)
    touched = np.empty(items // LISTED + 1, dtype=np.int32)
    keys = np.empty(room(lists.shape[1]), dtype=np.int64)
    for item in range(first, last):
        listing, count, after = _can_be_listed(item, matrix, items), 0, matrix.item_indptr[item + 1]
        for entry in range(matrix.item_indptr[item], after):
            user = matrix.users[entry]
            if entry + AHEAD < after:
                coming = matrix.users[entry + AHEAD]
                _fetch(matrix.items, matrix.weights, matrix.indptr[coming], matrix.indptr[coming + 1])
            start, end = matrix.indptr[user], matrix.indptr[user + 1]
            weight, stands = matrix.item_weights[entry], matrix.stands[user]
            count = _add_up(
                matrix.items[start:end],
                matrix.weights[start:end],
                weight,
                stands,
                listing,
                totals,
                together,
                touched,
                count,
            )
        at = item - first
        listed = touched[:count]
        keep_best(item, not listing, listed, totals, together, measure, order, keys, lists[at], scores[at])


@jit
def nearest_by_sample(
    first: int,
    last: int,
    matrix: Matrix,
    pivots: Pivots,
    measure: Measure,
    order: Rows,
    lists: Rows,
    scores: Floats,
    emitted: Starts,
) -> None:
    """`nearest_items` by DIMSUM; emitted[item] (items,) becomes how many pairs were drawn with it as their pivot."""
    items = len(order)
    totals, together = np.zeros(items), np.zeros(items if measure.counted else 0)
    touched, drew = np.empty(items // LISTED + 1, dtype=np.int32), np.empty(items, dtype=np.int32)
    weighs = np.empty(items, dtype=np.float32)
    keys = np.empty(room(lists.shape[1]), dtype=np.int64)
    for item in range(first, last):
        chance, listing = pivots.chances[item], _can_be_listed(item, matrix, items)
        count, hits = _add_drawn(item, matrix, pivots, listing, totals, together, touched, drew, weighs)
        emitted[item] = hits
        listed = touched[:count]
        _make_up(chance, not listing, listed, pivots.chances, totals)
        if measure.counted:
            _make_up(chance, not listing, listed, pivots.chances, together)
        at = item - first
        keep_best(item, not listing, listed, totals, together, measure, order, keys, lists[at], scores[at])


@jit
def partial_sums(
    first: int,
    last: int,
    matrix: Matrix,
    pivots: Pivots,
    counted: bool,
    lengths: Starts,
    others: Rows,
    sums: Sums,
    shared: Sums,
) -> int:
    """The sums that `nearest_by_sample` makes lists of, for `nearest_of_parts`; returns how many pairs were drawn.

    lengths       (last - first,) becomes how many others each of the items ``first`` to ``last`` is summed with
    others, sums  their numbers and totals, one item after the other; room for all that `work_of` says, or all items
    shared        the sums of ``stands``, where they are ``counted``
    """
    items = len(pivots.chances)
    totals, together = np.zeros(items), np.zeros(items if counted else 0)
    touched, drew = np.empty(items, dtype=np.int32), np.empty(items, dtype=np.int32)
    weighs = np.empty(items, dtype=np.float32)
    written, drawn_pairs = 0, 0
    for item in range(first, last):
        count, hits = _add_drawn(item, matrix, pivots, True, totals, together, touched, drew, weighs)
        for place in range(count):
            other = touched[place]
            others[written + place], sums[written + place] = other, totals[other]
            totals[other] = 0
            if counted:
                shared[written + place] = together[other]
                together[other] = 0
        lengths[item - first] = count
        written += count
        drawn_pairs += hits
    return drawn_pairs


@jit
def nearest_of_parts(
    first: int,
    starts: npt.NDArray[np.int64],
    others: Rows,
    sums: Sums,
    shared: Sums,
    chances: Floats,
    measure: Measure,
    order: Rows,
    lists: Rows,
    scores: Floats,
) -> None:
    """`nearest_items` of n items from ``first`` on, from the partial sums over the parts of all users.

    starts  (parts, n + 1) where in ``others``, ``sums`` and ``shared`` the sums of each item are
    """
    items = len(order)
    totals, together = np.zeros(items), np.zeros(items if measure.counted else 0)
    touched = np.empty(items, dtype=np.int32)
    keys = np.empty(room(lists.shape[1]), dtype=np.int64)
    for at in range(len(lists)):
        item, count = first + at, 0
        for part in range(len(starts)):
            for entry in range(starts[part, at], starts[part, at + 1]):
                other = others[entry]
                if totals[other] == 0:
                    touched[count] = other
                    count += 1
                totals[other] += sums[entry]
                if measure.counted:
                    together[other] += shared[entry]
        listed = touched[:count]
        _make_up(chances[item], False, listed, chances, totals)
        if measure.counted:
            _make_up(chances[item], False, listed, chances, together)
        keep_best(item, False, listed, totals, together, measure, order, keys, lists[at], scores[at])


@jit(inline=True)
def _add_drawn(
    item: int,
    matrix: Matrix,
    pivots: Pivots,
    listing: bool,
    totals: Sums,
    together: Sums,
    touched: Rows,
    drew: Rows,
    weighs: Floats,
) -> tuple[int, int]:
    """Add up the pairs of ``item`` that are drawn; gives how many sums are listed, and pairs with it as their pivot.

    drew, weighs  (items,) room for the pairs that one user draws, which are written down without a branch: a processor
                  cannot foresee them
    """
    count, hits, key, limit = 0, 0, pivots.keys[item], pivots.limits[item]
    draws, after = pivots.draws.view(np.float32), matrix.item_indptr[item + 1]
    for entry in range(matrix.item_indptr[item], after):
        if entry + 2 * AHEAD < after:
            begun, at = pivots.indptr[matrix.users[entry + 2 * AHEAD]], pivots.before[entry + 2 * AHEAD]
            _fetch(pivots.items, pivots.weights, begun, at + 1)
            for place in range(2 * begun, 2 * at + 2, WIDTH):
                prefetch(draws, place)
        if entry + AHEAD < after:
            coming, at = matrix.users[entry + AHEAD], pivots.before[entry + AHEAD]
            if at < pivots.indptr[coming + 1] and pivots.items[at] == item:
                _fetch(matrix.items, matrix.weights, pivots.places[at] + 1, matrix.indptr[coming + 1])
        user = matrix.users[entry]
        weight, stands = matrix.item_weights[entry], matrix.stands[user]
        begun, at = pivots.indptr[user], pivots.before[entry]
        # With the pivots before it.
        others, weights = pivots.items[begun:at], pivots.weights[begun:at]
        if item >= pivots.sampled:
            count = _add_up(others, weights, weight, stands, listing, totals, together, touched, count)
        else:
            found = 0
            for place in range(len(others)):
                drew[found], weighs[found] = others[place], weights[place]
                found += (mixed(pivots.draws[begun + place] + key) >> SHIFT) < limit
            count = _add_up(drew[:found], weighs[:found], weight, stands, listing, totals, together, touched, count)
        if at == pivots.indptr[user + 1] or pivots.items[at] != item:
            continue
        # As a pivot, with what comes after it.
        start, end, stream = pivots.places[at] + 1, matrix.indptr[user + 1], pivots.draws[at]
        others, weights = matrix.items[start:end], matrix.weights[start:end]
        sampled, found = 0, 0
        while sampled < len(others) and others[sampled] < pivots.sampled:
            other = others[sampled]
            drew[found], weighs[found] = other, weights[sampled]
            found += (mixed(stream + pivots.keys[other]) >> SHIFT) < pivots.limits[other]
            sampled += 1
        count = _add_up(drew[:found], weighs[:found], weight, stands, listing, totals, together, touched, count)
        others, weights = others[sampled:], weights[sampled:]
        count = _add_up(others, weights, weight, stands, listing, totals, together, touched, count)
        hits += found + len(others)
    return count, hits


@jit(inline=True)
def _fetch(items: Rows, weights: Floats, start: int, end: int) -> None:
    """Have entries brought into the cache."""
    for place in range(start, end, WIDTH):
        prefetch(items.view(np.float32), place)
        prefetch(weights, place)


@jit(inline=True)
def _can_be_listed(item: int, matrix: Matrix, items: int) -> bool:
    """Whether the histories of the users of ``item`` are short enough for a list of all that they touch."""
    most = 0
    for entry in range(matrix.item_indptr[item], matrix.item_indptr[item + 1]):
        user = matrix.users[entry]
        most += matrix.indptr[user + 1] - matrix.indptr[user]
    return most * LISTED <= items


@jit(inline=True)
def _add_up(
    others: Rows,
    weights: Floats,
    weight: np.float32,
    stands: np.float32,
    listing: bool,
    totals: Sums,
    together: Sums,
    touched: Rows,
    count: int,
) -> int:
    """Add the products of ``weights`` (n,) with ``weight`` to the sums of ``others``; gives how many are listed."""
    # A signed index costs a look at its sign.
    numbers, factor = others.view(np.uint32), np.float64(weight)
    if listing:
        for place in range(len(numbers)):
            if totals[numbers[place]] == 0:
                touched[count] = numbers[place]
                count += 1
            totals[numbers[place]] += factor * weights[place]
            if len(together):
                together[numbers[place]] += stands
    elif len(together):
        for place in range(len(numbers)):
            totals[numbers[place]] += factor * weights[place]
            together[numbers[place]] += stands
    else:
        for place in range(len(numbers)):
            totals[numbers[place]] += factor * weights[place]
    return count


@jit(inline=True)
def _make_up(chance: np.float32, everywhere: bool, touched: Rows, chances: Floats, sums: Sums) -> None:
    """Divide the sums by the chances that the pairs had."""
    if everywhere:
        for other in range(len(sums)):
            sums[other] *= np.float32(1) / (chance * chances[other])
    else:
        for place in range(len(touched)):
            sums[touched[place]] *= np.float32(1) / (chance * chances[touched[place]])
