"""The neighbourhood of an item as a map that one can walk, and the way from one item to another.

A map has half of its nodes from the item's own closest others, and the rest from theirs. How close a node is to the
item is the largest product of closeness along a way there.

A way is a chain of items that goes from either end to one of the `WAYS` closest of the last item, until both meet. The
shortest by the sum of 1 - closeness is found by Dijkstra's search from both ends, which is exact unless it reaches
`MOST_EXPANDED` items first. Both read the neighbour table, which roots such as artists have.
"""

import heapq
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from crossfade.core.errors import NotReadyError, UnknownIdError
from crossfade.core.ids import MISSING
from crossfade.core.kinds import KINDS
from crossfade.ranking.neighbourhood import Neighbourhood
from crossfade.stores.contract import Named
from crossfade.surfaces.asking import OpenRelease
from crossfade.surfaces.tags import leading_term

DEPTHS = (12, 24, 48, 96, 192)
"""Closest others of each node that come onto a map: the first number, then more until it is full."""

LINKS = 4
"""Links that are drawn of each node at least, the strongest among those on the map."""

LOOKED_AT = 60
"""Closest others of a node that a link can lead to."""

WAYS = 40
"""Closest others of an item that a way can lead over."""

MOST_EXPANDED = 4_000
"""Items whose others are looked at for one way."""


@dataclass(frozen=True, kw_only=True)
class Node:
    """An item on a map.

    listeners  users that played it
    closeness  to the item in the middle, above 0; 1 for that item
    term       the word that says most about it, or about what it belongs to; None if nothing is known
    """

    item: Named
    listeners: int
    closeness: float
    term: str | None = None


@dataclass(frozen=True, kw_only=True)
class Link:
    """Two nodes by their places on the map, and how close they are, above 0 and at most 1."""

    source: int
    target: int
    closeness: float


@dataclass(frozen=True, kw_only=True)
class Map:
    """Nodes, the one in the middle first and then the closest first, and the links between them."""

    nodes: list[Node]
    links: list[Link]


@dataclass(frozen=True, kw_only=True)
class Stop:
    """An item on a way, and how close it is to the one before; None for the first."""

    node: Node
    closeness: float | None = None


def around(opened: OpenRelease, kind: str, item_id: str, size: int) -> Map:
    """Return the map of up to ``size`` items around the one of the id ``item_id``.

    An item that the model does not know is alone on its map. Raises UnknownIdError for an item that is not in the
    catalogue, NotReadyError if no model compares such items.
    """
    hood = _table(opened, kind)
    middle = hood.model.item_ids.find(item_id)
    if middle == MISSING:
        return Map(nodes=[_node(opened, kind, item_id, 1.0)], links=[])
    reached, before, chosen = {middle: 1.0}, dict[int, int](), [middle]
    for depth in [0, *DEPTHS]:
        if depth > DEPTHS[0] and len(chosen) == size:
            break
        for row, others in zip(chosen, _near(hood, chosen, depth or size // 2), strict=True):
            for other, closeness in others:
                if reached[row] * closeness > reached.get(other, 0.0):
                    reached[other], before[other] = reached[row] * closeness, row
        chosen = sorted(reached, key=lambda row: (-reached[row], row))[:size]
    places = {row: place for place, row in enumerate(chosen)}
    nodes = [_node(opened, kind, hood.model.item_ids[row], reached[row]) for row in chosen]
    return Map(nodes=nodes, links=_links(hood, places, before))


def way(opened: OpenRelease, kind: str, first: str, last: str) -> list[Stop]:
    """Return the shortest way from the item ``first`` to the item ``last``, both by id.

    Raises NotReadyError if there is none within the limits, or no model compares such items.
    """
    hood = _table(opened, kind)
    ends = [hood.model.item_ids.find(one) for one in (first, last)]
    rows = [] if MISSING in ends else _shortest(hood, *ends)
    if not rows:
        names = " and ".join(opened.release.tables.item(kind, one).name for one in (first, last))
        raise NotReadyError(f"No chain of related {KINDS[kind].plural} joins {names}.")
    stops, total = [], 1.0
    for row, closeness in rows:
        total *= 1.0 if closeness is None else closeness
        node = _node(opened, kind, hood.model.item_ids[row], total)
        stops.append(Stop(node=node, closeness=closeness))
    return stops


def _table(opened: OpenRelease, kind: str) -> Neighbourhood:
    hood = opened.neighbourhood(kind)
    if not hood.table.rows.shape[1]:
        raise NotReadyError(f"Release {opened.version} has no neighbour table of {KINDS[kind].plural}.")
    return hood


def _near(hood: Neighbourhood, rows: list[int], depth: int) -> list[list[tuple[int, float]]]:
    """The ``depth`` closest others of each of ``rows``, with their closeness, above 0 and at most 1."""
    found = hood.nearest(np.array(rows, dtype=np.int32), min(depth, hood.table.rows.shape[1]))
    lists = zip(found.rows.tolist(), found.scores.tolist(), strict=True)
    return [
        [(other, min(score, 1.0)) for other, score in zip(*pair, strict=True) if other != MISSING and score > 0]
        for pair in lists
    ]


def _links(hood: Neighbourhood, places: dict[int, int], before: dict[int, int]) -> list[Link]:
    """The strongest links of each node, and the one by which it came onto the map."""
    rows = list(places)
    closest: dict[tuple[int, int], float] = {}
    kept = {_pair(places[row], places[before[row]]) for row in rows if row in before}
    for row, others in zip(rows, _near(hood, rows, LOOKED_AT), strict=True):
        drawn = 0
        for other, closeness in others:
            if other in places:
                pair = _pair(places[row], places[other])
                closest[pair] = max(closeness, closest.get(pair, 0.0))
                if drawn < LINKS:
                    kept.add(pair)
                    drawn += 1
    return [
        Link(source=source, target=target, closeness=closest[source, target])
        for source, target in sorted(kept)
        if (source, target) in closest
    ]


def _pair(one: int, other: int) -> tuple[int, int]:
    return (one, other) if one < other else (other, one)


def _shortest(hood: Neighbourhood, first: int, last: int) -> list[tuple[int, float | None]]:
    """The rows of the shortest way, each with its closeness to the one before; empty if there is none."""
    if first == last:
        return [(first, None)]
    costs: tuple[dict[int, float], dict[int, float]] = ({first: 0.0}, {last: 0.0})
    before: tuple[dict[int, int], dict[int, int]] = ({}, {})
    done: tuple[set[int], set[int]] = (set(), set())
    waiting = ([(0.0, first)], [(0.0, last)])
    best, meeting = float("inf"), MISSING
    for _ in range(MOST_EXPANDED):
        if not (waiting[0] and waiting[1]) or waiting[0][0][0] + waiting[1][0][0] >= best:
            break
        side = 0 if waiting[0][0] <= waiting[1][0] else 1
        cost, row = heapq.heappop(waiting[side])
        if row in done[side]:
            continue
        done[side].add(row)
        for other, closeness in _near(hood, [row], WAYS)[0]:
            there = cost + 1.0 - closeness
            if there < costs[side].get(other, float("inf")):
                costs[side][other], before[side][other] = there, row
                heapq.heappush(waiting[side], (there, other))
                if there + costs[1 - side].get(other, float("inf")) < best:
                    best, meeting = there + costs[1 - side][other], other
    if meeting == MISSING:
        return []
    forth, back = _chain(before[0], meeting)[::-1], _chain(before[1], meeting)
    steps = [1.0 - costs[0][row] + costs[0][past] for past, row in pairwise(forth)]
    steps += [1.0 - costs[1][past] + costs[1][row] for past, row in pairwise(back)]
    return [(first, None), *zip([*forth, *back[1:]][1:], steps, strict=True)]


def _chain(before: dict[int, int], row: int) -> list[int]:
    """``row``, the one before it, and so on."""
    rows = [row]
    while rows[-1] in before:
        rows.append(before[rows[-1]])
    return rows


def _node(opened: OpenRelease, kind: str, item_id: str, closeness: float) -> Node:
    items = opened.catalogue[kind]
    row = items.ids.find(item_id)
    if row == MISSING:
        raise UnknownIdError(f"There is no {kind} {item_id!r}.")
    return Node(
        item=Named(kind=kind, id=item_id, name=items.names[row]),
        listeners=int(items.listeners[row]),
        closeness=closeness,
        term=leading_term(opened, kind, row),
    )
