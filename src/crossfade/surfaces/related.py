"""Related Artists: for each artist those whose listeners have the same taste.

By rel of `crossfade.ranking.popularity`: the cosine in the space of artists, shrunk by the evidence behind
both. The same artist under another spelling is left out, and of several spellings of another only the best
stands. Artists without any are left out of the table.
"""

from dataclasses import dataclass
from typing import ClassVar

from crossfade.core.errors import SettingsError
from crossfade.core.progress import Progress, silent
from crossfade.core.tables import KeyKind, SurfaceTable
from crossfade.ranking.aliases import artist_groups
from crossfade.ranking.lists import Grouping
from crossfade.ranking.nearest_lists import nearest_lists
from crossfade.surfaces.contract import Library, SurfaceInputs
from crossfade.surfaces.tables import listed_table


@dataclass(frozen=True, kw_only=True)
class RelatedSettings:
    """How artists come to be related."""

    size: int = 20  # artists kept for each artist, 1 to 200

    def __post_init__(self) -> None:
        if not 1 <= self.size <= 200:
            raise SettingsError(f"related.size must be 1 to 200, not {self.size}")


class Related:
    """The surface; see `crossfade.surfaces.contract.Surface`."""

    name: ClassVar[str] = "related"
    settings_class: ClassVar[type[RelatedSettings]] = RelatedSettings

    def available(self, library: Library) -> bool:
        """Wherever artists are known."""
        return library.artists

    def key(self, library: Library) -> KeyKind:
        """An artist."""
        return "artist"

    def needs(self, library: Library) -> tuple[str, ...]:
        """Nothing else."""
        return ()

    def build(self, inputs: SurfaceInputs, settings: RelatedSettings, progress: Progress = silent) -> SurfaceTable:
        """Lists of artists for artists, with the column ``score``: rel, above 0 and at most 1."""
        artists = inputs.catalogue.artists
        spellings = Grouping(groups=artist_groups(artists.names), cap=1, own_cap=0)
        lists = nearest_lists(
            inputs.neighbourhood("artist"), settings.size, [spellings], threads=inputs.threads, progress=progress
        )
        return listed_table(self.name, "artist", "artist", artists.ids, lists)
