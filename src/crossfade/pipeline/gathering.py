"""Steps that turn a home's imports into what models learn from, and into the catalogue.

What aggregates tables spills to disk beyond its estimate of memory, so an estimate that is too low costs time only.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from crossfade.aggregation.interactions import InteractionSettings, build_interactions, build_playlist_interactions
from crossfade.aggregation.plays import Plays
from crossfade.aggregation.sequences import SequenceSettings, build_sequences
from crossfade.catalog.build import build_catalog
from crossfade.catalog.identity import CatalogSettings
from crossfade.catalog.names import release_catalogue
from crossfade.catalog.writings import build_writings
from crossfade.core.artifacts import Draft
from crossfade.core.catalogue import Catalogue
from crossfade.core.ids import Ids
from crossfade.core.interactions import Interactions
from crossfade.core.kinds import kind_named
from crossfade.importing.library import tables_of
from crossfade.pipeline.steps import Context, Step

CATALOG = "catalog"


@dataclass(frozen=True, kw_only=True)
class Gathering(Step):
    """A step that aggregates the tables of imports, or what the catalog made of them.

    counted  the name of the step that it has its items from
    """

    copies: ClassVar[int] = 8  # rows of Parquet files are larger in memory
    counted: str = ""

    def tables(self, context: Context) -> dict[str, list[Path]]:
        """Return the Parquet files of its imports, by table."""
        return tables_of(context.home, self.imports)

    def catalog(self, context: Context) -> Path:
        """Return where the catalog is."""
        return self.inputs(context.home)[CATALOG]

    def item_ids(self, context: Context) -> Ids:
        """Return the ids of its items."""
        return Ids.load(self.inputs(context.home)[self.counted] / "item_ids")

    def fill(self, draft: Draft, context: Context, build: Callable[..., dict[str, int]], *arguments: Any) -> None:
        """Have ``build`` write into the draft, with the processors and the memory of the context."""
        limits = {"memory_limit": context.memory_bytes, "threads": context.threads}
        draft.rows.update(build(*arguments, progress=context.progress, **limits))


class BuildCatalog(Gathering):
    """Merges names, tags and playlists of all imports, and finds which ids mean the same item."""

    action = CATALOG
    label = "Merge the catalogs of all imports"

    def run(self, draft: Draft, context: Context) -> None:
        settings = CatalogSettings(**self.settings)
        self.fill(draft, context, build_catalog, self.tables(context), draft.path, settings)


class CountInteractions(Gathering):
    """Counts how often each user played each item."""

    action = "interactions"
    label = "Count plays of {plural}"

    def plays(self, context: Context) -> Plays:
        """Return the plays that it counts."""
        return Plays.of(self.tables(context), self.catalog(context), self.kind, None)

    def run(self, draft: Draft, context: Context) -> None:
        inputs = self.tables(context), self.catalog(context)
        settings = InteractionSettings(**self.settings)
        self.fill(draft, context, build_interactions, *inputs, self.kind, draft.path, settings)


class CountPlaylists(Gathering):
    """Counts how often each playlist has each item, for models to learn from if nobody played any."""

    action = "playlists"
    label = "Count {plural} in playlists"

    def plays(self, context: Context) -> Plays:
        """Return the entries of playlists that it counts."""
        return Plays.of_playlists(self.catalog(context), self.kind)

    def run(self, draft: Draft, context: Context) -> None:
        settings = InteractionSettings(**self.settings)
        self.fill(draft, context, build_playlist_interactions, self.catalog(context), self.kind, draft.path, settings)


class OrderSequences(Gathering):
    """Writes down in which order items were played, and are in playlists."""

    action = "sequences"
    label = "Order plays of {plural}"

    def run(self, draft: Draft, context: Context) -> None:
        inputs = self.tables(context)["listens"], self.catalog(context), self.kind, self.item_ids(context)
        self.fill(draft, context, build_sequences, *inputs, draft.path, SequenceSettings(**self.settings))


class GatherTexts(Gathering):
    """Gathers what people write about items of the catalogue, whether or not anybody played them."""

    action = "texts"
    label = "Gather texts about {plural}"

    def run(self, draft: Draft, context: Context) -> None:
        items = Catalogue.load(self.inputs(context.home)[self.counted])[self.kind]
        inputs = self.catalog(context), self.kind, items.ids
        self.fill(draft, context, build_writings, *inputs, draft.path)


@dataclass(frozen=True, kw_only=True)
class NameItems(Step):
    """Gives every item a row, with its name and how often it was played; ``counted`` names a step for each kind."""

    action: ClassVar[str] = "catalogue"
    label: ClassVar[str] = "Name all items"
    copies: ClassVar[int] = 4
    counted: Mapping[str, str]

    def run(self, draft: Draft, context: Context) -> None:
        inputs = self.inputs(context.home)
        played = {kind: Interactions.load(inputs[step], kind=kind) for kind, step in self.counted.items()}
        catalogue = release_catalogue(played, inputs[CATALOG])
        catalogue.save(draft.path)
        draft.rows.update({kind_named(kind).plural: len(items) for kind, items in catalogue.items()})
