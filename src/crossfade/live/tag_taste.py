"""A user's taste on the map of the library's tags: which tags and which artists or shows, how much, and where."""

from dataclasses import dataclass

import numpy as np

from crossfade.core.ids import MISSING
from crossfade.live.taste import tastes_of
from crossfade.stores.contract import Named
from crossfade.stores.live_contract import LiveState
from crossfade.surfaces.asking import OpenRelease
from crossfade.surfaces.tags import Tag, tag_map

MOST_ROOTS = 100
"""Artists or shows on the map of one user, the most played ones."""

LEAST_SHARE = 0.005
"""Of the plays, of a tag that is shown: most artists have some words of many others."""


@dataclass(frozen=True, kw_only=True)
class TasteTag:
    """A tag, and its share of the user's plays: of all shares the sum is at most 1."""

    tag: Tag
    share: float


@dataclass(frozen=True, kw_only=True)
class TasteRoot:
    """An artist or a show that the user plays; x and y are None if no tag of the map is known of it.

    share  of the user's plays
    """

    item: Named
    plays: int
    share: float
    x: float | None = None
    y: float | None = None


@dataclass(frozen=True, kw_only=True)
class TasteMap:
    """Tags and roots, the strongest first; empty for a user without a history."""

    tags: list[TasteTag]
    roots: list[TasteRoot]


def taste_map(opened: OpenRelease, live: LiveState, user: str) -> TasteMap:
    """Return where the taste of ``user`` lies, what came since the release counted; NotReadyError without tags.

    A play is divided among the tags of the map that its root has, by the squares of their weights.
    """
    known = tag_map(opened)
    played = sorted(tastes_of(opened, live).history(user)[known.kind].values(), key=lambda one: (-one.plays, one.id))
    if not played:
        return TasteMap(tags=[], roots=[])
    rows = known.words.item_ids.rows([one.id for one in played], missing="mark")
    said = np.zeros((len(played), len(known.tags)))
    said[rows != MISSING] = known.weights(rows[rows != MISSING])
    squares = said**2
    divided = squares / np.maximum(squares.sum(axis=1, keepdims=True), 1e-12)
    plays = np.array([one.plays for one in played])
    total = max(int(plays.sum()), 1)
    shares = plays @ divided / total
    items = opened.catalogue[known.kind]
    roots = []
    for one, place in zip(played[:MOST_ROOTS], known.placed(said[:MOST_ROOTS]), strict=True):
        x, y = place or (None, None)
        name = items.names[items.ids.row(one.id)]
        roots.append(
            TasteRoot(
                item=Named(kind=known.kind, id=one.id, name=name),
                plays=one.plays,
                share=one.plays / total,
                x=x,
                y=y,
            )
        )
    order = np.argsort(-shares, kind="stable").tolist()
    tags = [TasteTag(tag=known.tags[one], share=float(shares[one])) for one in order if shares[one] >= LEAST_SHARE]
    return TasteMap(tags=tags, roots=roots)
