"""Ranking, compiled: one user at a time, in one thread. The readable forms are in `crossfade.ranking.oracle`.

Lists in compressed rows are tuples of their indptr and their entries. Rows that do not exist are -1. Arrays come in
through `frozen`.
"""

from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from crossfade.core.csr import CSR
from crossfade.kernels.compile import jit
from crossfade.kernels.search.best import contains, key_of, ranked, row_of
from crossfade.kernels.transposing import constant

Ints = npt.NDArray[np.int32]
Longs = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]
Flags = npt.NDArray[np.bool_]
Scratch = tuple[Floats, Flags, Flags]
Fates = npt.NDArray[np.int8]
Pages = tuple[Longs, Longs, Longs, Floats, Floats, Fates]
Value = TypeVar("Value")


# What became of a candidate.
LEFT_OUT = 0  # its score never was among those that compete for a place
COMPETED = 1  # it competed until the page was complete
SHOWN = 2
ROOT_FULL = 3  # the page had enough of its root
REASONS_USED = 4  # what makes it believable was the reason for enough other items
NO_REASON = 5  # nothing makes it believable


def frozen(value: Value) -> Value:
    """The same with read-only arrays, in tuples too: kernels compile once for memory-mapped arrays and others."""
    changed: Any = value
    if isinstance(value, np.ndarray):
        changed = constant(value)
    elif isinstance(value, tuple):
        parts = [frozen(part) for part in value]
        changed = type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)
    return changed  # type: ignore[no-any-return]


class Tables(NamedTuple):
    """By root: related and their scores (roots, length), children (roots, count), padded with -1; groups (roots,).

    ``variants`` are those of `crossfade.ranking.aliases.Aliases.groups`, ``last`` those of the last credited.
    """

    related: Ints
    related_scores: Floats
    children: Ints
    variants: Longs
    last: Longs


class Pairs(NamedTuple):
    """Candidates in compressed rows: scores, roots, the variants of these, and the points of items and of roots."""

    indptr: Longs
    scores: Floats
    roots: Ints
    variants: Longs
    points: Ints
    root_points: Ints


class Points(NamedTuple):
    """The first width columns of vectors (points, any) are compared by cosine; scales (points,) weigh the cosines."""

    vectors: Floats
    width: int
    scales: Floats


class Rules(NamedTuple):
    """The rules of a page.

    size        items on it
    pool        best candidates that compete for each place
    diversity   d of `crossfade.ranking.assembly`, from 0 to 1
    per_root    items of one root, in all its variants
    per_reason  items that one seed can be the reason for
    threshold   closeness above which a seed is a reason for a root that its list lacks
    """

    size: int
    pool: int
    diversity: float
    per_root: int
    per_reason: int
    threshold: float


@jit
def cap_groups(groups: Longs, own: Longs, cap: int, own_cap: int, kept: npt.NDArray[np.bool_]) -> None:
    """Clear kept[list, place] (lists, places) where the list has enough of that group already.

    A place counts if it is still kept and its group is not negative. A list may have ``cap`` of a group, and
    ``own_cap`` of the group own[list].
    """
    room = 2
    while room < 2 * groups.shape[1]:
        room *= 2
    # A hash table that belongs to the list whose number stands beside an entry.
    keys, counts, lists = np.empty(room, np.int64), np.zeros(room, np.int32), np.empty(room, np.int64)
    lists[:] = -1
    for listed in range(len(groups)):
        for place in range(groups.shape[1]):
            group = groups[listed, place]
            if not kept[listed, place] or group < 0:
                continue
            slot = (group ^ (group >> 31)) & (room - 1)
            while lists[slot] == listed and keys[slot] != group:
                slot = (slot + 1) & (room - 1)
            if lists[slot] != listed:
                lists[slot], keys[slot], counts[slot] = listed, group, 0
            if counts[slot] >= (own_cap if group == own[listed] else cap):
                kept[listed, place] = False
            else:
                counts[slot] += 1


@jit
def propose(
    first: int,
    last: int,
    seeds: CSR,
    best: Ints,
    familiar: tuple[Longs, Longs],
    played: tuple[Longs, Ints],
    tables: Tables,
    room: Longs,
    found: tuple[Longs, Ints, Ints, Floats],
    scratch: Scratch,
) -> None:
    """Find the candidates of the users from ``first`` to before ``last``.

    seeds     what each recognises, with their weights
    best      (users, any) the roots that the model proposes
    familiar  the variants of roots that the user is familiar with, ascending
    played    the items that the user played
    room      (users + 1,) where the candidates of each user begin in ``found``: counts (users,), items, roots,
    closeness
    scratch   zeros (roots,), (roots,) and (items,), which are zeros again afterwards
    """
    counts, items, item_roots, item_closeness = found
    closeness, proposed, heard = scratch
    length, count = tables.related.shape[1], tables.children.shape[1]
    for user in range(first, last):
        history = played[1][played[0][user] : played[0][user + 1]]
        known = familiar[1][familiar[0][user] : familiar[0][user + 1]]
        for item in history:
            heard[item] = True
        roots = np.empty((room[user + 1] - room[user]) // count, dtype=np.int32)
        number = 0
        for seed in range(seeds.indptr[user], seeds.indptr[user + 1]):
            row, weight = seeds.indices[seed], seeds.values[seed]
            for place in range(length):
                root = tables.related[row, place]
                if root < 0:
                    break
                closeness[root] += weight * tables.related_scores[row, place]
                if not proposed[root]:
                    proposed[root] = True
                    roots[number] = root
                    number += 1
        for place in range(best.shape[1]):
            root = best[user, place]
            if root >= 0 and not proposed[root]:
                roots[number] = root
                number += 1
        free = room[user]
        for root in roots[:number]:
            if not contains(known, tables.variants[root]) and not contains(known, tables.last[root]):
                for child in range(count):
                    item = tables.children[root, child]
                    if item >= 0 and not heard[item]:
                        items[free], item_roots[free], item_closeness[free] = item, root, closeness[root]
                        free += 1
            closeness[root] = 0
            proposed[root] = False
        counts[user] = free - room[user]
        for item in history:
            heard[item] = False


@jit(inline=True, fastmath=True)
def inner(vectors: Floats, row: int, others: Floats, other: int) -> np.float32:
    """The inner product of two rows of matrices of the same width."""
    total = np.float32(0)
    for column in range(vectors.shape[1]):
        total += vectors[row, column] * others[other, column]
    return total


@jit
def lay_out(point: int, points: Points, units: Floats, row: int) -> None:
    """Write a point at the length of its scale to ``row`` of ``units``; zeros for one that does not exist."""
    for column in range(points.width):
        units[row, column] = points.vectors[point, column] if point >= 0 else np.float32(0)
    if point >= 0:
        length = np.sqrt(inner(units, row, units, row))
        factor = points.scales[point] / length if length > 0 else np.float32(0)
        for column in range(points.width):
            units[row, column] *= factor


@jit(inline=True)
def copy_row(vectors: Floats, row: int, others: Floats, other: int) -> None:
    """Write a row of ``vectors`` to a row of ``others``, which are as wide."""
    for column in range(vectors.shape[1]):
        others[other, column] = vectors[row, column]


@jit
def ranked_places(scores: Floats) -> Longs:
    """Places of ``scores`` (n,), best first, earlier ones first among equals."""
    keys = np.empty(len(scores), dtype=np.int64)
    for place in range(len(scores)):
        keys[place] = key_of(scores[place], place)
    places = ranked(keys)
    for rank in range(len(places)):
        places[rank] = row_of(places[rank])
    return places


@jit
def assemble(
    first: int,
    last: int,
    pairs: Pairs,
    seeds: CSR,
    seed_points: Ints,
    tables: Tables,
    items: Points,
    roots: Points,
    rules: Rules,
    pages: Pages,
) -> None:
    """Fill the pages of the users from ``first`` to before ``last``.

    seeds        what each user recognises, with their weights, and their points
    pages        counts (users,), and of each page of (users, size) that many places: in ``pairs``, in ``seeds``,
    values, and the closeness of the seed; zeros (pairs,) for what becomes of each candidate
    """
    counts, page_pairs, page_seeds, page_values, page_closeness, fates = pages
    length = tables.related.shape[1]
    keep, avoid = np.float32(1 - rules.diversity), np.float32(rules.diversity)
    # The pool in any order: the rank of each candidate among all, its score, its likeness to the page, its unit vector.
    ranks = np.empty(rules.pool, dtype=np.int64)
    scores, likeness = np.empty((2, rules.pool), dtype=np.float32)
    units = np.empty((rules.pool, items.width), dtype=np.float32)
    page_units = np.empty((rules.size, items.width), dtype=np.float32)
    root_unit = np.empty((1, roots.width), dtype=np.float32)
    for user in range(first, last):
        order = ranked_places(pairs.scores[pairs.indptr[user] : pairs.indptr[user + 1]]) + pairs.indptr[user]
        first_seed, last_seed = seeds.indptr[user], seeds.indptr[user + 1]
        uses = np.zeros(last_seed - first_seed, dtype=np.int64)
        seed_units = np.empty((len(uses), roots.width), dtype=np.float32)
        for seed in range(first_seed, last_seed):
            lay_out(seed_points[seed], roots, seed_units, seed - first_seed)
        pooled, upcoming, chosen = 0, 0, 0
        lowest = np.float32(np.inf)
        while chosen < rules.size:
            while pooled < rules.pool and upcoming < len(order):
                ranks[pooled], scores[pooled], likeness[pooled] = upcoming, pairs.scores[order[upcoming]], 0
                fates[order[upcoming]] = COMPETED
                lay_out(pairs.points[order[upcoming]], items, units, pooled)
                for place in range(chosen):
                    likeness[pooled] = max(likeness[pooled], inner(units, pooled, page_units, place))
                pooled += 1
                upcoming += 1
            if pooled == 0:
                break
            best, best_value = -1, np.float32(0)
            for place in range(pooled):
                value = keep * scores[place] - avoid * likeness[place]
                if best < 0 or value > best_value or (value == best_value and ranks[place] < ranks[best]):
                    best, best_value = place, value
            pair = order[ranks[best]]
            copy_row(units, best, page_units, chosen)
            pooled -= 1
            ranks[best], scores[best], likeness[best] = ranks[pooled], scores[pooled], likeness[pooled]
            copy_row(units, pooled, units, best)
            same = 0
            for place in range(chosen):
                same += pairs.variants[page_pairs[user, place]] == pairs.variants[pair]
            if same >= rules.per_root:
                fates[pair] = ROOT_FULL
                continue
            lay_out(pairs.root_points[pair], roots, root_unit, 0)
            reason, strongest, reason_closeness = -1, np.float32(0), np.float32(0)
            fates[pair] = NO_REASON
            for seed in range(first_seed, last_seed):
                place = 0
                while place < length and tables.related[seeds.indices[seed], place] != pairs.roots[pair]:
                    place += 1
                if place < length:
                    closeness = tables.related_scores[seeds.indices[seed], place]
                else:
                    closeness = inner(seed_units, seed - first_seed, root_unit, 0)
                    if not closeness > rules.threshold:
                        continue
                if uses[seed - first_seed] >= rules.per_reason:
                    fates[pair] = REASONS_USED
                elif seeds.values[seed] * closeness > strongest:
                    reason, strongest, reason_closeness = seed, seeds.values[seed] * closeness, closeness
            if reason < 0:
                continue
            fates[pair] = SHOWN
            uses[reason - first_seed] += 1
            lowest = min(lowest, best_value)
            page_pairs[user, chosen], page_seeds[user, chosen], page_values[user, chosen] = pair, reason, lowest
            page_closeness[user, chosen] = reason_closeness
            for place in range(pooled):
                likeness[place] = max(likeness[place], inner(units, place, page_units, chosen))
            chosen += 1
        counts[user] = chosen
