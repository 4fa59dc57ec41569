"""Radio: for each item the pool that its station draws from (`crossfade.surfaces.station`).

Tracks where the library knows tracks, else artists, by rel of `crossfade.ranking.popularity` like Related
Artists. A pool has each song in one version only, and so few tracks of one artist that a station can keep
them apart.
"""

from dataclasses import dataclass
from typing import ClassVar

from crossfade.core.catalogue import Artists, Tracks
from crossfade.core.errors import SettingsError
from crossfade.core.ids import ItemKind
from crossfade.core.progress import Progress, silent
from crossfade.core.tables import KeyKind, SurfaceTable
from crossfade.ranking.aliases import artist_groups, track_groups
from crossfade.ranking.lists import Grouping
from crossfade.ranking.nearest_lists import nearest_lists
from crossfade.surfaces.contract import Library, SurfaceInputs
from crossfade.surfaces.tables import listed_table


@dataclass(frozen=True, kw_only=True)
class RadioSettings:
    """What a station has to draw from."""

    size: int = 250  # items kept for each item, 1 to 1000
    per_artist: int = 10  # tracks of one artist in the pool of a track, 1 to 1000

    def __post_init__(self) -> None:
        if not 1 <= self.size <= 1000:
            raise SettingsError(f"radio.size must be 1 to 1000, not {self.size}")
        if not 1 <= self.per_artist <= 1000:
            raise SettingsError(f"radio.per_artist must be 1 to 1000 tracks, not {self.per_artist}")


class Radio:
    """The surface; see `crossfade.surfaces.contract.Surface`."""

    name: ClassVar[str] = "radio"
    settings_class: ClassVar[type[RadioSettings]] = RadioSettings

    def available(self, library: Library) -> bool:
        """Everywhere."""
        return library.tracks or library.artists

    def key(self, library: Library) -> KeyKind:
        """A track, or an artist in a library that knows only artists."""
        return "track" if library.tracks else "artist"

    def needs(self, library: Library) -> tuple[str, ...]:
        """Nothing else."""
        return ()

    def build(self, inputs: SurfaceInputs, settings: RadioSettings, progress: Progress = silent) -> SurfaceTable:
        """Lists of items for items of the same kind, with the column ``score``: rel, above 0 and at most 1."""
        kind: ItemKind
        items: Artists | Tracks
        artists, tracks = inputs.catalogue.artists, inputs.catalogue.tracks
        if inputs.library.tracks and tracks is not None:
            kind, items = "track", tracks
            groupings = [
                Grouping(groups=track_groups(tracks.titles, tracks.artist_rows), cap=1, own_cap=0),
                Grouping(groups=tracks.artist_rows, cap=settings.per_artist, own_cap=settings.per_artist),
            ]
        else:
            kind, items = "artist", artists
            groupings = [Grouping(groups=artist_groups(artists.names), cap=1, own_cap=0)]
        lists = nearest_lists(
            inputs.neighbourhood(kind), settings.size, groupings, threads=inputs.threads, progress=progress
        )
        return listed_table(self.name, kind, kind, items.ids, lists)
