"""Popular: what most people play, for a user of whom nothing is known yet.

By listeners, not by plays, since one listener's endless repeats say nothing about others; among equals by plays, then
by row. Items that nobody plays are counted by what the leading model learned from, such as playlists. A list has few
items of one parent.
"""

from dataclasses import dataclass
from typing import Annotated, ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt

from crossfade.core.computed import row_map
from crossfade.core.csr import starts_of
from crossfade.core.ids import Ids, Rows
from crossfade.core.settings import Checked, Range
from crossfade.core.tables import EVERYONE, USER
from crossfade.ranking.lists import RankedLists, allowed
from crossfade.surfaces.contract import Library, Listing, SurfaceInputs

Counts = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class PopularSettings(Checked):
    """What new users are shown."""

    size: Annotated[int, Range(1, 1000)] = 100  # items in the list
    per_parent: Annotated[int, Range(1, 1000)] = 2  # items of one parent (tracks of one artist) in the list


class PopularList(NamedTuple):
    """The one list of a kind; see `crossfade.surfaces.contract.Prepared`."""

    keys: Ids
    inputs: SurfaceInputs
    kind: str
    settings: PopularSettings

    def lists(self, keys: Rows) -> RankedLists:
        """Return the list with the column ``score``: the share of all users (or playlists) that have the item."""
        ids, counts, plays, users = self._counted()
        size, groupings = self.settings.size, self.inputs.groupings(self.kind, 1, self.settings.per_parent)
        to_catalogue = row_map(ids, self.inputs.catalogue[self.kind].ids)
        ranked = np.lexsort((-plays, -counts)).astype(np.int32)
        ranked = ranked[counts[ranked] > 0]
        depth = 2 * size
        while True:
            best = ranked[:depth]
            rows = to_catalogue(best)
            kept = np.flatnonzero(allowed(rows[None, :], rows[:1], groupings)[0])[:size]
            if len(kept) == size or depth >= len(ranked):
                break
            depth *= 4
        scores = counts[best[kept]] / users
        return RankedLists(starts_of([len(kept)]), rows[kept], {"score": scores.astype(np.float32)})

    def _counted(self) -> tuple[Ids, Counts, Counts, int]:
        """The items, the users and the plays of each, and how many users there are."""
        played = self.inputs.interactions.get(self.kind)
        if played is not None:
            return played.item_ids, played.listeners(), played.item_plays(), len(played.user_ids)
        model = self.inputs.models[self.kind][0]
        users = len(model.user_ids) if model.user_ids is not None else int(model.support.max(initial=1))
        return model.item_ids, model.support, model.support, users


class Popular:
    """The surface; see `crossfade.surfaces.contract.Surface`."""

    name: ClassVar[str] = "popular"
    settings_class: ClassVar[type[PopularSettings]] = PopularSettings

    def listings(self, library: Library) -> list[Listing]:
        """One list for everyone, of every kind that people play or a model compares."""
        return [Listing(self.name, USER, kind) for kind in dict.fromkeys([*library.kinds, *library.compared])]

    def prepare(self, inputs: SurfaceInputs, listing: Listing, settings: PopularSettings) -> PopularList:
        """Count the listeners of the kind."""
        return PopularList(Ids.of([EVERYONE]), inputs, listing.kind, settings)
