"""Pages of new music, one listener at a time: candidates, scores, and a page with reasons.

The readable form of each part is in `crossfade.ranking.candidates`, `.reasons` and `.diversity`, which say
what is computed and why. Arrays are those of `Listeners` and `Offer`; rows that do not exist are -1.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from crossfade.kernels.compile import jit

Ints = npt.NDArray[np.int32]
Longs = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]


class Listeners(NamedTuple):
    """vectors (users, factors), or (0, factors) for none; what each user played, in compressed rows, by seed (an
    artist, or what stands for it) and by item; liked (users, n): makers that the user's vector found, or -1.
    """

    vectors: Floats
    seed_indptr: Longs
    seeds: Ints
    plays: Ints
    item_indptr: Longs
    items: Ints
    liked: Ints


class Offer(NamedTuple):
    """vectors and units (items, factors); makers (items,): who made an item, by the rows of seeds; costs (items,) of
    popularity; offered: the items proposed for each maker, in compressed rows; things (makers,): the same number
    for makers that are the same to a listener; related: lists of makers for makers, in compressed rows; points
    (makers, width), whose inner products are rel.
    """

    vectors: Floats
    units: Floats
    makers: Ints
    costs: Floats
    offered_indptr: Longs
    offered: Ints
    things: Ints
    related_indptr: Longs
    related: Ints
    related_scores: Floats
    points: Floats


class Rules(NamedTuple):
    """The numbers of `DiscoverSettings`, and the rel above which any two makers are near."""

    size: int
    pool: int
    seeds: int
    recognised: int
    most_played: int
    known: int
    taste: float
    diversity: float
    per_maker: int
    per_reason: int
    near: float


class Pages(NamedTuple):
    """What comes out, (users, size) each, of which the first counts[user] entries are filled."""

    counts: Longs
    items: Ints
    scores: Floats
    reasons: Ints
    plays: Ints


@jit(fastmath=True)
def inner(first: Floats, second: Floats) -> np.float32:
    """Their inner product."""
    total = np.float32(0)
    for position in range(len(first)):
        total += first[position] * second[position]
    return total


@jit
def recognised_seeds(seeds: Ints, plays: Ints, most: int, recognised: int, most_played: int) -> Longs:
    """Places of at most ``most`` seeds that the user recognises, most played first, lower rows first among equals."""
    order = np.argsort(-plays.astype(np.int64), kind="mergesort")
    if len(order) == 0:
        return order
    least = min(recognised, plays[order[min(most_played, len(order)) - 1]])
    number = 0
    while number < min(most, len(order)) and plays[order[number]] >= least:
        number += 1
    return order[:number]


@jit
def rel_of(offer: Offer, seed: int, maker: int, near: float) -> np.float32:
    """rel(seed, maker) if that is believable, else 0."""
    for place in range(offer.related_indptr[seed], offer.related_indptr[seed + 1]):
        if offer.related[place] == maker:
            listed: np.float32 = offer.related_scores[place]
            return listed
    rel: np.float32 = inner(offer.points[seed], offer.points[maker])
    return rel if rel > near else np.float32(0)


@jit
def offer_items(maker: int, mark: int, offer: Offer, played: Ints, known: Ints, found: Ints, number: int) -> int:
    """Add what is offered of a maker, and new to the user, to the ``number`` items found; the new number."""
    if known[offer.things[maker]] == mark:
        return number
    for place in range(offer.offered_indptr[maker], offer.offered_indptr[maker + 1]):
        item = offer.offered[place]
        if played[item] != mark:
            played[item] = mark
            found[number] = item
            number += 1
    return number


@jit
def gather_candidates(
    user: int,
    listeners: Listeners,
    offer: Offer,
    rules: Rules,
    seeds: Ints,
    weights: Floats,
    played: Ints,
    known: Ints,
    closeness: Floats,
    found: Ints,
) -> int:
    """Fill ``found`` with the user's candidates, each once, and ``closeness`` (makers,) for the makers it reaches.

    ``played`` (items,) and ``known`` (things,) hold user + 1 where the user, or this search, has been.
    """
    mark = user + 1
    for place in range(listeners.item_indptr[user], listeners.item_indptr[user + 1]):
        played[listeners.items[place]] = mark
    for place in range(listeners.seed_indptr[user], listeners.seed_indptr[user + 1]):
        if listeners.plays[place] >= rules.known:
            known[offer.things[listeners.seeds[place]]] = mark
    number = 0
    for position in range(len(seeds)):
        seed = seeds[position]
        for place in range(offer.related_indptr[seed], offer.related_indptr[seed + 1]):
            maker = offer.related[place]
            closeness[maker] += weights[position] * offer.related_scores[place]
            number = offer_items(maker, mark, offer, played, known, found, number)
    for place in range(listeners.liked.shape[1]):
        if listeners.liked[user, place] >= 0:
            number = offer_items(listeners.liked[user, place], mark, offer, played, known, found, number)
    return number


@jit
def score_candidates(candidates: Ints, taste: Floats, closeness: Floats, offer: Offer, taste_share: float) -> Floats:
    """The blended score of each candidate from its ``taste`` (n,) and the ``closeness`` (makers,) of its maker."""
    most_taste = np.float32(0)
    most_close = np.float32(0)
    for position in range(len(candidates)):
        most_taste = max(most_taste, taste[position])
        most_close = max(most_close, closeness[offer.makers[candidates[position]]])
    scores = np.empty(len(candidates), dtype=np.float32)
    for position in range(len(candidates)):
        item = candidates[position]
        blended = -offer.costs[item]
        if most_taste > 0:
            blended += np.float32(taste_share) * max(taste[position], np.float32(0)) / most_taste
        if most_close > 0:
            blended += np.float32(1 - taste_share) * closeness[offer.makers[item]] / most_close
        scores[position] = blended
    return scores


@jit
def assemble_page(
    user: int,
    candidates: Ints,
    scores: Floats,
    listeners: Listeners,
    offer: Offer,
    rules: Rules,
    seeds: Ints,
    plays: Ints,
    weights: Floats,
    pages: Pages,
) -> None:
    """Fill row ``user`` of ``pages`` by maximal marginal relevance, as far as reasons go."""
    ranked = np.argsort(-scores, kind="mergesort")
    uses = np.zeros(len(seeds), dtype=np.int64)
    pool = np.empty(rules.pool, dtype=np.int32)
    base = np.empty(rules.pool, dtype=np.float32)
    likeness = np.empty(rules.pool, dtype=np.float32)
    held, upcoming, chosen = 0, 0, 0
    lowest = np.float32(np.inf)
    keep = np.float32(1 - rules.diversity)
    avoid = np.float32(rules.diversity)
    while chosen < rules.size:
        while held < rules.pool and upcoming < len(ranked):
            item = candidates[ranked[upcoming]]
            pool[held] = item
            base[held] = scores[ranked[upcoming]]
            likeness[held] = 0
            for place in range(chosen):
                likeness[held] = max(likeness[held], inner(offer.units[item], offer.units[pages.items[user, place]]))
            held += 1
            upcoming += 1
        if held == 0:
            break
        best = 0
        best_value = keep * base[0] - avoid * likeness[0]
        for place in range(1, held):
            value = keep * base[place] - avoid * likeness[place]
            if value > best_value:
                best, best_value = place, value
        item = pool[best]
        # Shifted, not swapped: places stay in the order of scores, which settles ties.
        for place in range(best, held - 1):
            pool[place] = pool[place + 1]
            base[place] = base[place + 1]
            likeness[place] = likeness[place + 1]
        held -= 1
        maker = offer.makers[item]
        same = 0
        for place in range(chosen):
            if offer.things[offer.makers[pages.items[user, place]]] == offer.things[maker]:
                same += 1
        if same >= rules.per_maker:
            continue
        reason = -1
        strongest = np.float32(0)
        for position in range(len(seeds)):
            if uses[position] < rules.per_reason:
                strength = weights[position] * rel_of(offer, seeds[position], maker, rules.near)
                if strength > strongest:
                    reason, strongest = position, strength
        if reason < 0:
            continue
        uses[reason] += 1
        lowest = min(lowest, best_value)
        pages.items[user, chosen] = item
        pages.scores[user, chosen] = lowest
        pages.reasons[user, chosen] = seeds[reason]
        pages.plays[user, chosen] = plays[reason]
        chosen += 1
        for place in range(held):
            likeness[place] = max(likeness[place], inner(offer.units[pool[place]], offer.units[item]))
    pages.counts[user] = chosen


@jit
def fill_pages(first: int, last: int, listeners: Listeners, offer: Offer, rules: Rules, pages: Pages) -> None:
    """The pages of the users from ``first`` to before ``last``."""
    items, makers = len(offer.makers), len(offer.points)
    played = np.zeros(items, dtype=np.int32)
    known = np.zeros(makers, dtype=np.int32)
    closeness = np.zeros(makers, dtype=np.float32)
    found = np.empty(items, dtype=np.int32)
    for user in range(first, last):
        span = slice(listeners.seed_indptr[user], listeners.seed_indptr[user + 1])
        places = recognised_seeds(
            listeners.seeds[span], listeners.plays[span], rules.seeds, rules.recognised, rules.most_played
        )
        seeds = listeners.seeds[span][places]
        plays = listeners.plays[span][places]
        weights = np.log1p(plays.astype(np.float64)).astype(np.float32)
        number = gather_candidates(user, listeners, offer, rules, seeds, weights, played, known, closeness, found)
        candidates = np.sort(found[:number])
        taste = np.zeros(number, dtype=np.float32)
        if len(listeners.vectors):
            for position in range(number):
                taste[position] = inner(listeners.vectors[user], offer.vectors[candidates[position]])
        scores = score_candidates(candidates, taste, closeness, offer, rules.taste)
        assemble_page(user, candidates, scores, listeners, offer, rules, seeds, plays, weights, pages)
        for position in range(len(seeds)):
            for place in range(offer.related_indptr[seeds[position]], offer.related_indptr[seeds[position] + 1]):
                closeness[offer.related[place]] = 0
