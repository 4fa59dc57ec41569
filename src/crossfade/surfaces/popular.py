"""Popular: what most people play, for a user of whom nothing is known yet.

By listeners, not by plays, since one listener's endless repeats say nothing about others; among equals by plays, then by
row. With few items of one parent.
"""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np

from crossfade.core.csr import starts_of
from crossfade.core.ids import Ids, Rows
from crossfade.core.settings import Checked, Range
from crossfade.core.tables import EVERYONE, USER
from crossfade.ranking.computed import row_map
from crossfade.ranking.lists import RankedLists, allowed
from crossfade.surfaces.contract import Library, Listing, SurfaceInputs


@dataclass(frozen=True, kw_only=True)
class PopularSettings(Checked):
    """What new users are shown."""

    size: Annotated[int, Range(1, 1000)] = 100  # items in the list
    per_parent: Annotated[int, Range(1, 1000)] = 2  # items of one parent (tracks of one artist) in the list


class PopularList:
    """The one list of a kind; see `crossfade.surfaces.contract.Prepared`."""

    keys = Ids.of([EVERYONE])

    def __init__(self, inputs: SurfaceInputs, kind: str, settings: PopularSettings) -> None:
        self._interactions = inputs.interactions[kind]
        self._groupings = inputs.groupings(kind, 1, settings.per_parent)
        self._to_catalogue = row_map(self._interactions.item_ids, inputs.catalogue[kind].ids)
        self._size = settings.size

    def lists(self, keys: Rows) -> RankedLists:
        """Return the list with the column ``score``: the share of all users who play the item."""
        listeners, plays = self._interactions.listeners(), self._interactions.item_plays()
        ranked = np.lexsort((-plays, -listeners)).astype(np.int32)
        ranked = ranked[listeners[ranked] > 0]
        depth = 2 * self._size
        while True:
            best = ranked[:depth]
            rows = self._to_catalogue(best)
            kept = np.flatnonzero(allowed(rows[None, :], rows[:1], self._groupings)[0])[: self._size]
            if len(kept) == self._size or depth >= len(ranked):
                break
            depth *= 4
        scores = listeners[best[kept]] / len(self._interactions.user_ids)
        return RankedLists(starts_of([len(kept)]), rows[kept], {"score": scores.astype(np.float32)})


class Popular:
    """The surface; see `crossfade.surfaces.contract.Surface`."""

    name: ClassVar[str] = "popular"
    settings_class: ClassVar[type[PopularSettings]] = PopularSettings

    def listings(self, library: Library) -> list[Listing]:
        """One list for everyone, of every kind that people play or put into playlists."""
        return [Listing(self.name, USER, kind) for kind in (*library.kinds, *library.playlists)]

    def prepare(self, inputs: SurfaceInputs, listing: Listing, settings: PopularSettings) -> PopularList:
        """Count the listeners of the kind."""
        return PopularList(inputs, listing.kind, settings)
