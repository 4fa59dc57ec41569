"""Where the parts of one table of a surface lie, so that any process which sees them can make its lists."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any

from crossfade.core.catalogue import Catalogue
from crossfade.core.interactions import Interactions
from crossfade.models.registry import load_fitted
from crossfade.ranking.aliases import Aliases, aliases_of
from crossfade.ranking.neighbourhood import Neighbourhood
from crossfade.surfaces.contract import Listing, Prepared, SurfaceInputs
from crossfade.surfaces.registry import registered

_naming = Lock()


@lru_cache(maxsize=1)
def _named(place: Path) -> tuple[Catalogue, Mapping[str, Aliases]]:
    """Open a catalogue, whose names are grouped once for all surfaces of a run."""
    catalogue = Catalogue.load(place)
    return catalogue, aliases_of(catalogue)


@dataclass(frozen=True, kw_only=True)
class TableSources:
    """The artifacts that one table is made of, by kind of item, and what it is.

    later     the kinds of which the interactions are later than those that the models were fitted on
    settings  those of the surface, by name; the others have their defaults
    """

    listing: Listing
    settings: Mapping[str, Any]
    catalogue: Path
    interactions: Mapping[str, Path]
    models: Mapping[str, Path]
    neighbours: Mapping[str, Path]
    later: tuple[str, ...] = ()

    def prepared(self, threads: int | None = None) -> Prepared:
        """Return the surface, ready to be asked; ArtifactError for a part that is missing or damaged."""
        models: dict[str, Any] = {kind: load_fitted(place) for kind, place in self.models.items()}
        with _naming:
            catalogue, aliases = _named(self.catalogue)
        inputs = SurfaceInputs(
            catalogue=catalogue,
            aliases=aliases,
            interactions={kind: Interactions.load(place, kind=kind) for kind, place in self.interactions.items()},
            models={kind: [model] for kind, model in models.items()},
            later=self.later,
            neighbourhoods={kind: Neighbourhood.load(place, models[kind]) for kind, place in self.neighbours.items()},
            threads=threads,
        )
        surface = registered(self.listing.surface).load()
        return surface.prepare(inputs, self.listing, surface.settings_class(**self.settings))
