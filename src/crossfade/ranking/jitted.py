"""Ranking, compiled: one user at a time, in one thread. The readable forms are in `crossfade.ranking.oracle`.

Rows that do not exist are -1. Arrays come in through `frozen`.
"""

from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from crossfade.kernels.compile import jit
from crossfade.kernels.transposing import constant

Ints = npt.NDArray[np.int32]
Longs = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]
Arrays = TypeVar("Arrays", bound=tuple[Any, ...])


def frozen(arrays: Arrays) -> Arrays:
    """The same named tuple with read-only arrays, so that kernels compile once for memory-mapped arrays and others."""
    return type(arrays)(*(constant(array) if isinstance(array, np.ndarray) else array for array in arrays))


class Asked(NamedTuple):
    """What n users' candidates follow from, in compressed rows: the seeds that each recognises and their weights; best
    (n, any), the roots that the model proposes; familiar, the ascending variants of roots that the user is familiar
    with; and the items that each played.
    """

    seed_indptr: Longs
    seeds: Ints
    weights: Floats
    best: Ints
    familiar_indptr: Longs
    familiar: Longs
    played_indptr: Longs
    played: Ints


class Tables(NamedTuple):
    """By root: related and their scores (roots, length), children (roots, count), padded with -1; variants (roots,)."""

    related: Ints
    related_scores: Floats
    children: Ints
    variants: Longs


class Proposed(NamedTuple):
    """Room for candidates: those of a user begin at room[user], and are counts[user] many."""

    counts: Longs
    items: Ints
    roots: Ints
    closeness: Floats


class Scratch(NamedTuple):
    """Zeros that a user's candidates are marked in, and that are zeros again afterwards: (roots,) twice, (items,)."""

    closeness: Floats
    proposed: npt.NDArray[np.bool_]
    played: npt.NDArray[np.bool_]


def scratch(roots: int, items: int) -> Scratch:
    """New scratch space for so many roots and items."""
    return Scratch(np.zeros(roots, np.float32), np.zeros(roots, np.bool_), np.zeros(items, np.bool_))


class Pairs(NamedTuple):
    """Candidates in compressed rows: their scores; roots; groups, equal for variants of one root; and their rows among
    the points of items and among those of roots.
    """

    indptr: Longs
    items: Ints
    scores: Floats
    roots: Ints
    groups: Longs
    points: Ints
    root_points: Ints


class Seeds(NamedTuple):
    """The seeds that users recognise in compressed rows: roots, plays, weights, and rows among the points of roots."""

    indptr: Longs
    rows: Ints
    plays: Ints
    weights: Floats
    points: Ints


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


class Pages(NamedTuple):
    """What comes out, (users, size) each, of which the first counts[user] entries are filled."""

    counts: Longs
    items: Ints
    scores: Floats
    reasons: Ints
    plays: Ints


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
    keys, counts, lists = np.empty(room, np.int64), np.zeros(room, np.int32), np.full(room, -1, np.int64)
    for ranked in range(len(groups)):
        for place in range(groups.shape[1]):
            group = groups[ranked, place]
            if not kept[ranked, place] or group < 0:
                continue
            slot = (group ^ (group >> 31)) & (room - 1)
            while lists[slot] == ranked and keys[slot] != group:
                slot = (slot + 1) & (room - 1)
            if lists[slot] != ranked:
                lists[slot], keys[slot], counts[slot] = ranked, group, 0
            if counts[slot] >= (own_cap if group == own[ranked] else cap):
                kept[ranked, place] = False
            else:
                counts[slot] += 1


@jit
def propose(
    first: int, last: int, asked: Asked, tables: Tables, room: Longs, proposed: Proposed, scratch: Scratch
) -> None:
    """Fill in the candidates of the users from ``first`` to before ``last``."""
    length, count = tables.related.shape[1], tables.children.shape[1]
    for user in range(first, last):
        played = asked.played[asked.played_indptr[user] : asked.played_indptr[user + 1]]
        familiar = asked.familiar[asked.familiar_indptr[user] : asked.familiar_indptr[user + 1]]
        for item in played:
            scratch.played[item] = True
        roots = np.empty((room[user + 1] - room[user]) // count, dtype=np.int32)
        number = 0
        for seed in range(asked.seed_indptr[user], asked.seed_indptr[user + 1]):
            row, weight = asked.seeds[seed], asked.weights[seed]
            for place in range(length):
                root = tables.related[row, place]
                if root < 0:
                    break
                scratch.closeness[root] += weight * tables.related_scores[row, place]
                if not scratch.proposed[root]:
                    scratch.proposed[root] = True
                    roots[number] = root
                    number += 1
        for place in range(asked.best.shape[1]):
            root = asked.best[user, place]
            if root >= 0 and not scratch.proposed[root]:
                roots[number] = root
                number += 1
        free = room[user]
        for root in roots[:number]:
            variant = tables.variants[root]
            place = np.searchsorted(familiar, variant)
            if place == len(familiar) or familiar[place] != variant:
                for child in range(count):
                    item = tables.children[root, child]
                    if item >= 0 and not scratch.played[item]:
                        proposed.items[free] = item
                        proposed.roots[free] = root
                        proposed.closeness[free] = scratch.closeness[root]
                        free += 1
            scratch.closeness[root] = 0
            scratch.proposed[root] = False
        proposed.counts[user] = free - room[user]
        for item in played:
            scratch.played[item] = False


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
    units[row] = 0
    if point >= 0:
        units[row] = points.vectors[point, : points.width]
        length = np.sqrt(inner(units, row, units, row))
        units[row] *= points.scales[point] / length if length > 0 else np.float32(0)


@jit
def ranked_places(scores: Floats) -> Longs:
    """Places of ``scores`` (n,), best first, earlier ones first among equals."""
    keys = np.empty(len(scores), dtype=np.uint64)
    for place in range(len(scores)):
        bits = np.uint64(np.float32(scores[place]).view(np.uint32))
        # Floats order as their bits do once those of negative ones are turned round.
        ordered = np.uint64(0xFFFFFFFF) - bits if bits >> np.uint64(31) else bits | np.uint64(0x80000000)
        keys[place] = (ordered << np.uint64(32)) | np.uint64(0xFFFFFFFF - place)
    keys = np.sort(keys)[::-1]
    return (np.uint64(0xFFFFFFFF) - (keys & np.uint64(0xFFFFFFFF))).astype(np.int64)


@jit
def assemble(
    first: int,
    last: int,
    pairs: Pairs,
    seeds: Seeds,
    tables: Tables,
    items: Points,
    roots: Points,
    rules: Rules,
    pages: Pages,
) -> None:
    """The pages of the users from ``first`` to before ``last``."""
    length = tables.related.shape[1]
    keep, avoid = np.float32(1 - rules.diversity), np.float32(rules.diversity)
    # The pool in any order: the rank of each candidate among all, its score, its likeness to the page, its unit vector.
    ranks = np.empty(rules.pool, dtype=np.int64)
    scores, likeness = np.empty((2, rules.pool), dtype=np.float32)
    units = np.empty((rules.pool, items.width), dtype=np.float32)
    page_units = np.empty((rules.size, items.width), dtype=np.float32)
    groups = np.empty(rules.size, dtype=np.int64)
    root_unit = np.empty((1, roots.width), dtype=np.float32)
    for user in range(first, last):
        begin, end = pairs.indptr[user], pairs.indptr[user + 1]
        seeds_begin, seeds_end = seeds.indptr[user], seeds.indptr[user + 1]
        ranked = ranked_places(pairs.scores[begin:end]) + begin
        uses = np.zeros(seeds_end - seeds_begin, dtype=np.int64)
        seed_units = np.empty((len(uses), roots.width), dtype=np.float32)
        for seed in range(seeds_begin, seeds_end):
            lay_out(seeds.points[seed], roots, seed_units, seed - seeds_begin)
        pooled, upcoming, chosen = 0, 0, 0
        lowest = np.float32(np.inf)
        while chosen < rules.size:
            while pooled < rules.pool and upcoming < len(ranked):
                ranks[pooled] = upcoming
                scores[pooled] = pairs.scores[ranked[upcoming]]
                lay_out(pairs.points[ranked[upcoming]], items, units, pooled)
                likeness[pooled] = 0
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
            pair = ranked[ranks[best]]
            page_units[chosen] = units[best]
            pooled -= 1
            ranks[best], scores[best], likeness[best] = ranks[pooled], scores[pooled], likeness[pooled]
            units[best] = units[pooled]
            same = 0
            for place in range(chosen):
                same += groups[place] == pairs.groups[pair]
            if same >= rules.per_root:
                continue
            lay_out(pairs.root_points[pair], roots, root_unit, 0)
            reason, strongest = -1, np.float32(0)
            for seed in range(len(uses)):
                if uses[seed] >= rules.per_reason:
                    continue
                row, place = seeds.rows[seeds_begin + seed], 0
                while place < length and tables.related[row, place] != pairs.roots[pair]:
                    place += 1
                if place < length:
                    closeness = tables.related_scores[row, place]
                else:
                    closeness = inner(seed_units, seed, root_unit, 0)
                    if not closeness > rules.threshold:
                        continue
                if seeds.weights[seeds_begin + seed] * closeness > strongest:
                    reason, strongest = seed, seeds.weights[seeds_begin + seed] * closeness
            if reason < 0:
                continue
            uses[reason] += 1
            lowest = min(lowest, best_value)
            groups[chosen] = pairs.groups[pair]
            pages.items[user, chosen] = pairs.items[pair]
            pages.scores[user, chosen] = lowest
            pages.reasons[user, chosen] = seeds.rows[seeds_begin + reason]
            pages.plays[user, chosen] = seeds.plays[seeds_begin + reason]
            for place in range(pooled):
                likeness[place] = max(likeness[place], inner(units, place, page_units, chosen))
            chosen += 1
        pages.counts[user] = chosen
