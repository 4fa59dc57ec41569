"""Discover: for each listener new music, each item with a reason from the listener's own history.

What the items and the reasons are depends on what the library knows:

    artists and tracks   items are tracks    reasons are artists
    only artists         items are artists   reasons are artists
    only tracks          items are tracks    reasons are tracks

Candidates are found among artists (tracks, where there are no artists), as `crossfade.ranking.candidates`
says, and assembled into pages by `crossfade.ranking.pages`. A listener for whom there is nothing believable
is left out of the table, and gets what new listeners get.
"""

from typing import ClassVar

import numpy as np
import numpy.typing as npt

from crossfade.core.csr import gathered, starts_of
from crossfade.core.errors import ArtifactError
from crossfade.core.ids import MISSING, ItemKind, Rows
from crossfade.core.interactions import Interactions
from crossfade.core.progress import Progress, silent
from crossfade.core.spaces import Vectors, VectorSpace
from crossfade.core.tables import KeyKind, SurfaceTable
from crossfade.nearest.backends import build_index
from crossfade.nearest.contract import Index, Restriction
from crossfade.ranking.aliases import artist_groups, track_groups
from crossfade.ranking.lists import Lists
from crossfade.ranking.pages import CHUNK, DiscoverSettings, Listeners, Offer, pages
from crossfade.ranking.popularity import popularity_cost, units
from crossfade.ranking.reasons import near_threshold
from crossfade.surfaces.contract import Library, SurfaceInputs
from crossfade.surfaces.tables import listed_table, lists_of_table


class Discover:
    """The surface; see `crossfade.surfaces.contract.Surface`."""

    name: ClassVar[str] = "discover"
    settings_class: ClassVar[type[DiscoverSettings]] = DiscoverSettings

    def available(self, library: Library) -> bool:
        """Everywhere."""
        return library.tracks or library.artists

    def key(self, library: Library) -> KeyKind:
        """A user."""
        return "user"

    def needs(self, library: Library) -> tuple[str, ...]:
        """Related Artists; in a library of tracks alone Radio, which says there what is near to what."""
        return ("related",) if library.artists else ("radio",)

    def build(self, inputs: SurfaceInputs, settings: DiscoverSettings, progress: Progress = silent) -> SurfaceTable:
        """Lists of items for users, with the columns ``score``, ``reason`` and ``reason_plays``."""
        maker_kind: ItemKind = "artist" if inputs.library.artists else "track"
        item_kind = _item_kind(inputs)
        offer = _offer(inputs, maker_kind, item_kind, settings)
        played, heard = inputs.interactions(maker_kind), inputs.interactions(item_kind)
        liking, taste = inputs.space(maker_kind), inputs.space(item_kind)
        searched = settings.liked and liking.user_vectors is not None
        index = build_index(liking, liking.metric, inputs.index) if searched else None
        # Listeners of tracks are found by their ids among the listeners of artists.
        heard_rows = heard.user_ids.rows(list(played.user_ids), missing="mark") if heard is not played else None
        count = len(played.user_ids)
        lengths = np.zeros(count, dtype=np.int64)
        parts: list[tuple[npt.NDArray[np.generic], ...]] = []
        for first in range(0, count, CHUNK):
            users = np.arange(first, min(first + CHUNK, count))
            in_items = users if heard_rows is None else heard_rows[users]
            filled = pages(
                Listeners(
                    vectors=_vectors(taste, in_items),
                    played=_histories(played, users),
                    items=_histories(heard, in_items)[:2],
                    liked=_liked(index, liking, played, users, settings.liked, inputs.threads),
                ),
                offer,
                settings,
                threads=inputs.threads,
            )
            lengths[users] = filled.counts
            kept = np.arange(settings.size) < filled.counts[:, None]
            parts.append(tuple(column[kept] for column in (filled.items, filled.scores, filled.reasons, filled.plays)))
            progress(int(users[-1]) + 1, count, "listeners")
        items, scores, reasons, plays = (np.concatenate(column) for column in zip(*parts, strict=True))
        lists = Lists(indptr=starts_of(lengths), rows=items, scores=scores)
        columns = {"reason": reasons, "reason_plays": plays}
        return listed_table(self.name, "user", item_kind, played.user_ids, lists, columns)


def _item_kind(inputs: SurfaceInputs) -> ItemKind:
    """Tracks, unless the library has none, or knows the artists of none of them."""
    tracks = inputs.catalogue.tracks
    if not inputs.library.tracks or tracks is None:
        return "artist"
    return "track" if not inputs.library.artists or np.any(tracks.artist_rows != MISSING) else "artist"


def _offer(inputs: SurfaceInputs, maker_kind: ItemKind, item_kind: ItemKind, settings: DiscoverSettings) -> Offer:
    catalogue = inputs.catalogue
    makers = catalogue.artists if maker_kind == "artist" else catalogue.tracks
    items = catalogue.artists if item_kind == "artist" else catalogue.tracks
    if makers is None or items is None:
        raise ArtifactError("The catalogue lacks the tracks that its interactions have.")
    made_by = np.arange(len(items.ids), dtype=np.int32)
    things = made_by
    versions = np.full(len(items.ids), MISSING, dtype=np.int32)
    if maker_kind == "artist":
        versions = artist_groups(catalogue.artists.names)
        things = _things(versions)
    if item_kind != maker_kind and catalogue.tracks is not None:
        made_by = catalogue.tracks.artist_rows
        versions = track_groups(catalogue.tracks.titles, made_by)
    space = inputs.space(item_kind)
    points = inputs.neighbourhood(maker_kind).points.item_vectors
    table = inputs.table("related" if maker_kind == "artist" else "radio")
    return Offer(
        vectors=_by_metric(space, space.item_vectors),
        units=units(space.points),
        makers=made_by,
        costs=popularity_cost(items.listeners, settings.popularity_cost),
        offered=_offered(made_by, len(makers.ids), items.listeners, items.plays, versions, settings.offered),
        things=things,
        related=lists_of_table(table, makers.ids).first(settings.related),
        points=points,
        near=near_threshold(points, settings.near),
    )


def _offered(
    makers: Rows,
    count: int,
    listeners: npt.NDArray[np.int64],
    plays: npt.NDArray[np.int64],
    versions: Rows,
    most: int,
) -> tuple[npt.NDArray[np.int64], Rows]:
    """For each of ``count`` makers its ``most`` most popular items, in compressed rows.

    Of several ``versions`` (items,) of one thing only the most popular is offered.
    """
    ranked = np.lexsort((-plays, -listeners)).astype(np.int32)
    first = np.unique(_things(versions)[ranked], return_index=True)[1]
    ranked = ranked[np.sort(first)]
    ranked = ranked[makers[ranked] != MISSING]
    ranked = ranked[np.argsort(makers[ranked], kind="stable")]
    totals = np.bincount(makers[ranked], minlength=count)
    place = np.arange(len(ranked)) - np.repeat(np.cumsum(totals) - totals, totals)
    return starts_of(np.minimum(totals, most)), ranked[place < most]


def _things(groups: Rows) -> Rows:
    """``groups`` numbered by their first member, so that an item without a group has a number of its own."""
    numbers = np.arange(len(groups), dtype=np.int32)
    grouped = groups != MISSING
    _, first, inverse = np.unique(groups[grouped], return_index=True, return_inverse=True)
    numbers[grouped] = numbers[grouped][first][inverse]
    return numbers


def _histories(
    interactions: Interactions, users: npt.NDArray[np.integer]
) -> tuple[npt.NDArray[np.int64], Rows, npt.NDArray[np.int32]]:
    """(indptr, items, plays) of the rows ``users`` (n,); a MISSING user has played nothing."""
    indptr, places = gathered(interactions.indptr, users)
    return indptr, interactions.indices[places], interactions.plays[places]


def _vectors(space: VectorSpace, users: npt.NDArray[np.integer]) -> Vectors | None:
    """The vectors of the rows ``users`` (n,), ready for an inner product; zeros for a MISSING user."""
    if space.user_vectors is None:
        return None
    vectors = np.where((users == MISSING)[:, None], np.float32(0), space.user_vectors[users])
    return _by_metric(space, vectors)


def _by_metric(space: VectorSpace, vectors: Vectors) -> Vectors:
    return units(vectors) if space.metric == "cosine" else vectors


def _liked(
    index: Index | None,
    space: VectorSpace,
    played: Interactions,
    users: npt.NDArray[np.integer],
    most: int,
    threads: int | None,
) -> Rows:
    """(n, any) the best makers for the vectors of the rows ``users`` (n,), without those that they played."""
    if index is None or space.user_vectors is None:
        return np.zeros((len(users), 0), dtype=np.int32)
    indptr, rows, _ = _histories(played, users)
    found = index.search(
        space.user_vectors[users],
        min(most, len(space.item_ids)),
        Restriction(indptr=indptr, indices=rows),
        threads=threads,
    )
    # A score that is not above zero is no liking.
    return np.where(found.scores > 0, found.rows, MISSING).astype(np.int32)
