"""Radio: for each item the pool that its station draws from (`crossfade.surfaces.station`), by closeness like Related.

A pool has each song in one version only, and so few tracks of one artist that a station can keep them apart.
"""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from crossfade.core.settings import Checked, Range
from crossfade.surfaces.contract import Library, Listing, SurfaceInputs
from crossfade.surfaces.related import Nearest, nearest_of


@dataclass(frozen=True, kw_only=True)
class RadioSettings(Checked):
    """What a station has to draw from."""

    size: Annotated[int, Range(1, 1000)] = 250  # items in the pool of each item
    per_parent: Annotated[int, Range(1, 1000)] = 10  # items of one parent (tracks of one artist) in a pool


class Radio:
    """The surface; see `crossfade.surfaces.contract.Surface`."""

    name: ClassVar[str] = "radio"
    settings_class: ClassVar[type[RadioSettings]] = RadioSettings

    def listings(self, library: Library) -> list[Listing]:
        """Items for items of the same kind, of every kind that a model compares."""
        return [Listing(self.name, kind, kind) for kind in library.compared]

    def prepare(self, inputs: SurfaceInputs, listing: Listing, settings: RadioSettings) -> Nearest:
        """Draw on the neighbourhood of the kind."""
        return nearest_of(inputs, listing.kind, settings.size, settings.per_parent)
