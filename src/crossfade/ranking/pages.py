"""Discover pages for many listeners: candidates, scores, diversity and reasons together.

`page` is the readable form for one listener; `pages` runs the kernel for all, by chunks of listeners and
threads. Both give the same pages.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import numpy.typing as npt

from crossfade.core.errors import SettingsError
from crossfade.core.ids import MISSING, Rows
from crossfade.core.spaces import Vectors
from crossfade.ranking.candidates import blended, candidate_makers, closeness_of
from crossfade.ranking.diversity import diverse_page
from crossfade.ranking.lists import Lists
from crossfade.ranking.reasons import best_reason, recognised_seeds

if TYPE_CHECKING:
    from crossfade.kernels.discover import Pages

CHUNK = 8192
"""Listeners whose pages are made at a time."""

ROW_COST = 20
"""What a page costs besides the listener's history, in entries of that; for dividing the work evenly."""

Scalar = TypeVar("Scalar", bound=np.generic)


@dataclass(frozen=True, kw_only=True)
class DiscoverSettings:
    """What a page of new music is made of."""

    size: int = 50  # items on a listener's page, 1 to 500
    liked: int = 200  # candidates from the listener's vector, 0 to 5000
    seeds: int = 100  # recognised artists, most played first, whose related artists are candidates, 1 to 1000
    recognised: int = 5  # plays from which on a listener recognises an artist as a reason, 1 to 1000
    most_played: int = 3  # artists that a listener recognises however seldom they were played, 1 to 100
    known: int = 2  # plays from which on an artist is no news to a listener, 1 to 1000
    near: float = 99.5  # percentile of all similarities above which a reason counts without a list, 50 to 100
    related: int = 20  # length of the lists of related artists in which reasons are found, 1 to 200
    taste: float = 0.7  # share of the listener's vector in the score, against the related artists, 0 to 1
    popularity_cost: float = 0.1  # what the best known item loses of its score, of about 1, 0 to 1
    diversity: float = 0.2  # weight of being unlike the rest of the page, 0 (none) to 1 (nothing else)
    pool: int = 300  # best candidates that compete for each place, 1 to 5000
    per_artist: int = 2  # items of one artist on a page, 1 to 500
    per_reason: int = 3  # items of a page that one artist can be the reason for, 1 to 500
    offered: int = 5  # tracks proposed for each candidate artist, the most popular ones, 1 to 100

    def __post_init__(self) -> None:
        for name, (least, most) in _RANGES.items():
            # Written positively, so that NaN is refused too.
            if not least <= getattr(self, name) <= most:
                raise SettingsError(f"discover.{name} must be {least} to {most}, not {getattr(self, name)}")


_RANGES: dict[str, tuple[float, float]] = {
    "size": (1, 500),
    "liked": (0, 5000),
    "seeds": (1, 1000),
    "recognised": (1, 1000),
    "most_played": (1, 100),
    "known": (1, 1000),
    "near": (50, 100),
    "related": (1, 200),
    "taste": (0, 1),
    "popularity_cost": (0, 1),
    "diversity": (0, 1),
    "pool": (1, 5000),
    "per_artist": (1, 500),
    "per_reason": (1, 500),
    "offered": (1, 100),
}


@dataclass(frozen=True, eq=False, kw_only=True)
class Offer:
    """What can be shown, and what is near to what. Makers are artists; tracks in a library of tracks alone.

    vectors  (items, factors) float32: a listener's vector times these is their taste
    units    (items, factors) the same at length 1
    makers   (items,) int32: who made each item
    costs    (items,) float32 what popularity costs each item
    offered  the items that are proposed for each maker, in compressed rows (makers + 1,), (n,)
    things   (makers,) int32 from 0 to makers: the same number for makers that are the same to a listener
    related  the lists of related makers of each maker
    points   (makers, width) float32 whose inner products are rel
    near     rel above which a maker is near another that does not list it
    """

    vectors: Vectors
    units: Vectors
    makers: Rows
    costs: npt.NDArray[np.float32]
    offered: tuple[npt.NDArray[np.int64], Rows]
    things: Rows
    related: Lists
    points: Vectors
    near: float


@dataclass(frozen=True, eq=False, kw_only=True)
class Listeners:
    """n listeners. What they played is in compressed rows.

    vectors  (n, factors) float32 in the space of `Offer.vectors`; None where the model has no users
    played   (indptr, rows, plays): the makers that each played and how often
    items    (indptr, rows): the items that each played
    liked    (n, any) int32: the makers that each one's vector found, padded with MISSING
    """

    vectors: Vectors | None
    played: tuple[npt.NDArray[np.int64], Rows, npt.NDArray[np.int32]]
    items: tuple[npt.NDArray[np.int64], Rows]
    liked: Rows

    def __len__(self) -> int:
        return len(self.played[0]) - 1


@dataclass(frozen=True)
class Entry:
    """One item of a page, with the row and the plays of its reason."""

    item: int
    score: float
    reason: int
    plays: int


def page(listener: int, listeners: Listeners, offer: Offer, settings: DiscoverSettings) -> list[Entry]:
    """The page of one of the ``listeners``, in plain NumPy."""
    span = slice(*listeners.played[0][listener : listener + 2])
    makers, plays = listeners.played[1][span], listeners.played[2][span]
    places = recognised_seeds(
        makers,
        plays,
        most=settings.seeds,
        recognised=settings.recognised,
        most_played=settings.most_played,
    )
    seeds, seed_plays = makers[places], plays[places]
    known = makers[plays >= settings.known]
    proposed = candidate_makers(offer.related, seeds, listeners.liked[listener], known, offer.things)
    indptr, items = offer.offered
    offered = [items[indptr[maker] : indptr[maker + 1]] for maker in proposed]
    played = listeners.items[1][slice(*listeners.items[0][listener : listener + 2])]
    candidates = np.setdiff1d(np.concatenate([np.zeros(0, np.int32), *offered]), played)
    taste = np.zeros(len(candidates))
    if listeners.vectors is not None:
        taste = offer.vectors[candidates] @ listeners.vectors[listener]
    closeness = closeness_of(offer.related, seeds, seed_plays)[offer.makers[candidates]]
    scores = blended(taste, closeness, offer.costs[candidates], settings.taste)
    uses = np.zeros(len(seeds), dtype=np.int64)
    shown: list[int] = []
    reasons: list[int] = []

    def accept(item: int) -> bool:
        maker = int(offer.makers[item])
        if shown.count(int(offer.things[maker])) >= settings.per_artist:
            return False
        spent = uses >= settings.per_reason
        reason = best_reason(offer.related, offer.points, seeds, seed_plays, maker, offer.near, spent)
        if reason < 0:
            return False
        uses[reason] += 1
        shown.append(int(offer.things[maker]))
        reasons.append(reason)
        return True

    chosen, values = diverse_page(
        candidates,
        scores,
        offer.units,
        accept,
        size=settings.size,
        pool=settings.pool,
        diversity=settings.diversity,
    )
    return [
        Entry(item, value, int(seeds[reason]), int(seed_plays[reason]))
        for item, value, reason in zip(chosen, values, reasons, strict=True)
    ]


def pages(listeners: Listeners, offer: Offer, settings: DiscoverSettings, *, threads: int | None = None) -> "Pages":
    """The pages of all ``listeners``, as arrays (n, size): counts say how much of each row is filled.

    They are made on ``threads`` processors (None: all).
    """
    from crossfade.kernels import discover
    from crossfade.kernels.threads import Range, balanced, each, processors

    count, size = len(listeners), settings.size
    filled = discover.Pages(
        counts=np.zeros(count, dtype=np.int64),
        items=np.full((count, size), MISSING, dtype=np.int32),
        scores=np.zeros((count, size), dtype=np.float32),
        reasons=np.full((count, size), MISSING, dtype=np.int32),
        plays=np.zeros((count, size), dtype=np.int32),
    )
    vectors = listeners.vectors
    who = discover.Listeners(
        vectors=_plain(np.zeros((0, offer.vectors.shape[1]), dtype=np.float32) if vectors is None else vectors),
        seed_indptr=_plain(listeners.played[0]),
        seeds=_plain(listeners.played[1]),
        plays=_plain(listeners.played[2]),
        item_indptr=_plain(listeners.items[0]),
        items=_plain(listeners.items[1]),
        liked=_plain(listeners.liked),
    )
    what = discover.Offer(
        vectors=_plain(offer.vectors),
        units=_plain(offer.units),
        makers=_plain(offer.makers),
        costs=_plain(offer.costs),
        offered_indptr=_plain(offer.offered[0]),
        offered=_plain(offer.offered[1]),
        things=_plain(offer.things),
        related_indptr=_plain(offer.related.indptr),
        related=_plain(offer.related.rows),
        related_scores=_plain(offer.related.scores),
        points=_plain(offer.points),
    )
    rules = discover.Rules(
        size=size,
        pool=settings.pool,
        seeds=settings.seeds,
        recognised=settings.recognised,
        most_played=settings.most_played,
        known=settings.known,
        taste=settings.taste,
        diversity=settings.diversity,
        per_maker=settings.per_artist,
        per_reason=settings.per_reason,
        near=offer.near,
    )

    def fill(piece: Range) -> None:
        discover.fill_pages(*piece, who, what, rules, filled)

    each(fill, balanced(who.seed_indptr, ROW_COST), threads or processors())
    return filled


def _plain(array: npt.NDArray[Scalar]) -> npt.NDArray[Scalar]:
    """The array as the kernel was compiled for: contiguous, and writable, which a memory-mapped one is not."""
    return np.require(array, requirements=["C", "W"])
