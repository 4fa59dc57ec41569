"""Related: for each root (an artist, a show) the closest others, as `crossfade.ranking.neighbourhood` says.

Another spelling of the item that is asked for is left out, and of several spellings of another only the best is
listed. An item without any related ones is left out of the table.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, ClassVar, NamedTuple

from crossfade.core.csr import CSR
from crossfade.core.ids import Ids, Rows
from crossfade.core.kinds import KINDS
from crossfade.core.settings import Checked, Range
from crossfade.ranking.lists import RankedLists
from crossfade.ranking.neighbourhood import nearest_lists
from crossfade.surfaces.contract import Library, Listing, SurfaceInputs


@dataclass(frozen=True, kw_only=True)
class RelatedSettings(Checked):
    """How many related items there are."""

    size: Annotated[int, Range(1, 200)] = 20  # related items kept for each item


class Nearest(NamedTuple):
    """The lists of the closest others of each item; see `crossfade.surfaces.contract.Prepared`."""

    keys: Ids
    nearest: Callable[[Rows], CSR]

    def lists(self, keys: Rows) -> RankedLists:
        """Return lists with the column ``score``: the closeness, above 0 and at most 1."""
        indptr, items, scores = self.nearest(keys)
        return RankedLists(indptr, items, {"score": scores})


class Related:
    """The surface; see `crossfade.surfaces.contract.Surface`."""

    name: ClassVar[str] = "related"
    settings_class: ClassVar[type[RelatedSettings]] = RelatedSettings

    def listings(self, library: Library) -> list[Listing]:
        """Roots for roots, of every kind that a model compares, whether or not it has listeners."""
        return [Listing(self.name, kind, kind) for kind in library.compared if KINDS[kind].parent is None]

    def prepare(self, inputs: SurfaceInputs, listing: Listing, settings: RelatedSettings) -> Nearest:
        """Draw on the neighbourhood of the kind."""
        return nearest_of(inputs, listing.kind, settings.size)


def nearest_of(inputs: SurfaceInputs, kind: str, size: int, per_parent: int = 1) -> Nearest:
    """Return lists of ``size`` items of ``kind``, without variants and with at most ``per_parent`` of one parent."""
    ids = inputs.catalogue[kind].ids
    groupings = inputs.groupings(kind, 0, per_parent)
    return Nearest(ids, nearest_lists(inputs.neighbourhood(kind), ids, size, groupings, inputs.threads))
