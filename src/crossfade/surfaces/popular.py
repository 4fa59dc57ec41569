"""Popular: what most listeners play, for a listener of whom nothing is known yet.

By listeners, not by plays, since one listener's endless repeats say nothing about others; among equals by
plays, then by row. Tracks where the library knows tracks, with few of one artist, else artists.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from crossfade.core.errors import SettingsError
from crossfade.core.ids import Ids, ItemKind
from crossfade.core.progress import Progress, silent
from crossfade.core.tables import EVERYONE, KeyKind, SurfaceTable
from crossfade.ranking.aliases import artist_groups, track_groups
from crossfade.ranking.lists import Grouping, Lists, thinned
from crossfade.surfaces.contract import Library, SurfaceInputs
from crossfade.surfaces.tables import listed_table


@dataclass(frozen=True, kw_only=True)
class PopularSettings:
    """What new listeners are shown."""

    size: int = 100  # items in the list, 1 to 1000
    per_artist: int = 2  # tracks of one artist in the list, 1 to 1000

    def __post_init__(self) -> None:
        if not 1 <= self.size <= 1000:
            raise SettingsError(f"popular.size must be 1 to 1000, not {self.size}")
        if not 1 <= self.per_artist <= 1000:
            raise SettingsError(f"popular.per_artist must be 1 to 1000 tracks, not {self.per_artist}")


class Popular:
    """The surface; see `crossfade.surfaces.contract.Surface`."""

    name: ClassVar[str] = "popular"
    settings_class: ClassVar[type[PopularSettings]] = PopularSettings

    def available(self, library: Library) -> bool:
        """Everywhere."""
        return library.tracks or library.artists

    def key(self, library: Library) -> KeyKind:
        """A user, whoever it is: the only key is `EVERYONE`."""
        return "user"

    def needs(self, library: Library) -> tuple[str, ...]:
        """Nothing else."""
        return ()

    def build(self, inputs: SurfaceInputs, settings: PopularSettings, progress: Progress = silent) -> SurfaceTable:
        """One list of items, with the column ``score``: the share of all users who play the item."""
        catalogue = inputs.catalogue
        kind: ItemKind = "track" if inputs.library.tracks else "artist"
        if kind == "track" and catalogue.tracks is not None:
            listeners, plays = catalogue.tracks.listeners, catalogue.tracks.plays
            groupings = [
                Grouping(groups=track_groups(catalogue.tracks.titles, catalogue.tracks.artist_rows), cap=1, own_cap=1),
                Grouping(groups=catalogue.tracks.artist_rows, cap=settings.per_artist, own_cap=settings.per_artist),
            ]
        else:
            listeners, plays = catalogue.artists.listeners, catalogue.artists.plays
            groupings = [Grouping(groups=artist_groups(catalogue.artists.names), cap=1, own_cap=1)]
        ranked = np.lexsort((-plays, -listeners)).astype(np.int32)
        ranked = ranked[listeners[ranked] > 0][None, :]
        rows = ranked[thinned(ranked, ranked[0, :1], groupings)][: settings.size]
        users = len(inputs.interactions(kind).user_ids)
        lists = Lists(
            indptr=np.array([0, len(rows)], dtype=np.int64),
            rows=rows,
            scores=(listeners[rows] / users).astype(np.float32),
        )
        progress(1, 1, "lists")
        return listed_table(self.name, "user", kind, Ids.of([EVERYONE]), lists)
