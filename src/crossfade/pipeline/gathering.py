"""Steps that turn a home's imports into what models learn from, and into the catalogue.

What aggregates tables spills to disk beyond its estimate of memory, so an estimate that is too low costs time only.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from crossfade.aggregation.interactions import InteractionSettings, build_interactions, build_playlist_interactions
from crossfade.aggregation.sequences import SequenceSettings, build_sequences
from crossfade.catalog.build import build_catalog
from crossfade.catalog.identity import CatalogSettings
from crossfade.catalog.names import release_catalogue
from crossfade.catalog.writings import build_writings
from crossfade.core.artifacts import Draft
from crossfade.core.home import Home
from crossfade.core.ids import Ids
from crossfade.core.interactions import Interactions
from crossfade.core.kinds import kind_named
from crossfade.importing.library import tables_of
from crossfade.pipeline.steps import FLOOR, Context, Step, size_of

CATALOG = "catalog"

UNPACKED = 8
"""How much larger the rows of a Parquet file are in memory."""


@dataclass(frozen=True, kw_only=True)
class Gathering(Step):
    """A step that aggregates the tables of its imports, or those that the catalog has of them."""

    label: ClassVar[str]  # its title; {plural} stands for the items of its kind

    def memory(self, home: Home) -> int:
        """`FLOOR`, and its inputs unpacked."""
        places = [*(home.listens / name for name in self.imports), *self.inputs(home).values()]
        return FLOOR + UNPACKED * sum(map(size_of, places))

    def tables(self, home: Home) -> dict[str, list[Path]]:
        """The Parquet files of its imports, by table."""
        return tables_of(home, self.imports)

    def fill(self, draft: Draft, context: Context, build: Callable[..., dict[str, int]], *arguments: Any) -> None:
        """Have ``build`` write into the draft, with the processors and the memory of the context."""
        limits = {"memory_limit": context.memory_bytes, "threads": context.threads}
        draft.rows.update(build(*arguments, progress=context.progress, **limits))


@dataclass(frozen=True, kw_only=True)
class OfAll(Gathering):
    """A step about the items of all kinds; there is one in a run."""

    @property
    def name(self) -> str:
        """The action."""
        return self.action

    @property
    def title(self) -> str:
        """Its label."""
        return self.label


@dataclass(frozen=True, kw_only=True)
class OfKind(Gathering):
    """A step about the items of one kind."""

    kind: str

    @property
    def name(self) -> str:
        """The action and the kind: "interactions-track"."""
        return f"{self.action}-{self.kind}"

    @property
    def title(self) -> str:
        """Its label about this kind."""
        return self.label.format(plural=kind_named(self.kind).plural)


@dataclass(frozen=True, kw_only=True)
class BuildCatalog(OfAll):
    """Merges names, tags and playlists of all imports, and finds which ids mean the same item."""

    action: ClassVar[str] = CATALOG
    label: ClassVar[str] = "Merge the catalogs of all imports"

    def run(self, draft: Draft, context: Context) -> None:
        """See `build_catalog`."""
        tables = self.tables(context.home)
        self.fill(draft, context, build_catalog, tables, draft.path, CatalogSettings(**self.settings))


@dataclass(frozen=True, kw_only=True)
class CountInteractions(OfKind):
    """Counts how often each user played each item."""

    action: ClassVar[str] = "interactions"
    label: ClassVar[str] = "Count plays of {plural}"

    def run(self, draft: Draft, context: Context) -> None:
        """See `build_interactions`."""
        tables, catalog = self.tables(context.home), self.inputs(context.home)[CATALOG]
        settings = InteractionSettings(**self.settings)
        self.fill(draft, context, build_interactions, tables, catalog, self.kind, draft.path, settings)


@dataclass(frozen=True, kw_only=True)
class CountPlaylists(OfKind):
    """Counts how often each playlist has each item, for models to learn from where there are no listens."""

    action: ClassVar[str] = "playlists"
    label: ClassVar[str] = "Count {plural} of playlists"

    def run(self, draft: Draft, context: Context) -> None:
        """See `build_playlist_interactions`."""
        catalog = self.inputs(context.home)[CATALOG]
        settings = InteractionSettings(**self.settings)
        self.fill(draft, context, build_playlist_interactions, catalog, self.kind, draft.path, settings)


@dataclass(frozen=True, kw_only=True)
class OrderSequences(OfKind):
    """Writes down in which order items were played, or stand in playlists; ``counted`` names the step of its items."""

    action: ClassVar[str] = "sequences"
    label: ClassVar[str] = "Order plays of {plural}"

    counted: str

    def run(self, draft: Draft, context: Context) -> None:
        """See `build_sequences`."""
        inputs = self.inputs(context.home)
        listens, item_ids = self.tables(context.home)["listens"], Ids.load(inputs[self.counted] / "item_ids")
        settings = SequenceSettings(**self.settings)
        self.fill(draft, context, build_sequences, listens, inputs[CATALOG], self.kind, item_ids, draft.path, settings)


@dataclass(frozen=True, kw_only=True)
class GatherTexts(OfKind):
    """Gathers what people write about items; ``counted`` names the step of its items."""

    action: ClassVar[str] = "texts"
    label: ClassVar[str] = "Gather texts about {plural}"

    counted: str

    def run(self, draft: Draft, context: Context) -> None:
        """See `build_writings`."""
        inputs = self.inputs(context.home)
        item_ids = Ids.load(inputs[self.counted] / "item_ids")
        self.fill(draft, context, build_writings, inputs[CATALOG], self.kind, item_ids, draft.path)


@dataclass(frozen=True, kw_only=True)
class NameItems(OfAll):
    """Gives every item a row, with its name and how often it was played; ``counted`` names a step for each kind."""

    action: ClassVar[str] = "catalogue"
    label: ClassVar[str] = "Name all items"

    counted: Mapping[str, str]

    def run(self, draft: Draft, context: Context) -> None:
        """See `release_catalogue`."""
        inputs = self.inputs(context.home)
        played = {kind: Interactions.load(inputs[step], kind=kind) for kind, step in self.counted.items()}
        catalogue = release_catalogue(played, inputs[CATALOG])
        catalogue.save(draft.path)
        draft.rows.update({kind_named(kind).plural: len(items) for kind, items in catalogue.items()})
