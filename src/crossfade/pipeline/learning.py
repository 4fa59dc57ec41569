"""Steps that fit models, compare their items, and build surfaces of them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from crossfade.core.artifacts import Draft
from crossfade.core.catalogue import Catalogue
from crossfade.core.home import Home
from crossfade.core.ids import MISSING, Ids
from crossfade.core.interactions import Interactions
from crossfade.core.kinds import kind_named
from crossfade.core.sequences import Sequences
from crossfade.core.writings import Writings
from crossfade.models.contract import InputKind
from crossfade.models.registry import load_fitted, model_class
from crossfade.nearest.contract import IndexSettings
from crossfade.pipeline.steps import FLOOR, Context, Step, size_of
from crossfade.ranking.neighbourhood import Neighbourhood, NeighbourSettings
from crossfade.surfaces.contract import Listing, SurfaceInputs, build_table
from crossfade.surfaces.registry import registered

CATALOGUE = "catalogue"

INDEX = "index."
"""Begins the names of those settings of a step that say how vectors are indexed."""

LOADERS: Mapping[InputKind, Callable[..., Any]] = {
    "interactions": Interactions.load,
    "sequences": Sequences.load,
    "texts": Writings.load,
}
"""Opens what a model learns from."""


@dataclass(frozen=True, kw_only=True)
class OfModel(Step):
    """A step about a model of items of one kind."""

    model: str
    kind: str

    @property
    def fitted(self) -> str:
        """The name of the step that fits the model: "als-track"."""
        return f"{self.model}-{self.kind}"

    @property
    def called(self) -> tuple[str, str]:
        """What people call the model and its items: ("ALS", "tracks")."""
        return model_class(self.model).__name__, kind_named(self.kind).plural


@dataclass(frozen=True, kw_only=True)
class FitModel(OfModel):
    """Fits a model; ``source`` names the step that made what it learns from."""

    action: ClassVar[str] = "fit"

    source: str

    @property
    def name(self) -> str:
        """The model and the kind: "als-track"."""
        return self.fitted

    @property
    def title(self) -> str:
        """What it does, for people."""
        return "Fit {} on {}".format(*self.called)

    def memory(self, home: Home) -> int:
        """`FLOOR`, three times its input, and what the model takes for so many items."""
        source = self.inputs(home)[self.source]
        items = len(Ids.load(source / "item_ids"))
        return FLOOR + 3 * size_of(source) + model_class(self.model)(**self.settings).memory_bytes(items)

    def run(self, draft: Draft, context: Context) -> None:
        """Fit, from the last checkpoint of a fit that was stopped."""
        model = model_class(self.model)
        fitted = model(**self.settings).fit(
            LOADERS[model.learns_from](self.inputs(context.home)[self.source], kind=self.kind),
            threads=context.threads,
            progress=context.progress,
            workspace=context.home.unfinished / self.name,
        )
        fitted.save(draft.path)
        draft.rows.update(users=len(fitted.user_ids or ()), items=len(fitted.item_ids))


@dataclass(frozen=True, kw_only=True)
class ComputeNeighbours(OfModel):
    """Computes the nearest neighbours of each item; settings that begin with `INDEX` are those of its index."""

    action: ClassVar[str] = "neighbours"

    @property
    def name(self) -> str:
        """The action and the model with its kind: "neighbours-als-track"."""
        return f"{self.action}-{self.fitted}"

    @property
    def title(self) -> str:
        """What it does, for people."""
        return "Compute nearest neighbours: {}, {}".format(*self.called)

    def memory(self, home: Home) -> int:
        """`FLOOR`, the model three times, and the table twice."""
        place = self.inputs(home)[self.fitted]
        entries = len(Ids.load(place / "item_ids")) * int(self.settings["size"])
        return FLOOR + 3 * size_of(place) + 2 * 8 * entries

    def run(self, draft: Draft, context: Context) -> None:
        """See `Neighbourhood.build`."""
        index = {name.removeprefix(INDEX): value for name, value in self.settings.items() if name.startswith(INDEX)}
        settings = {name: value for name, value in self.settings.items() if not name.startswith(INDEX)}
        neighbourhood = Neighbourhood.build(
            load_fitted(self.inputs(context.home)[self.fitted]),
            NeighbourSettings(**settings),
            IndexSettings(**index),
            directory=draft.path,
            threads=context.threads,
            progress=context.progress,
        )
        neighbourhood.save(draft.path)
        rows = neighbourhood.table.rows
        draft.rows.update(items=len(rows), neighbours=int(np.count_nonzero(rows != MISSING)))


@dataclass(frozen=True, kw_only=True)
class BuildSurface(Step):
    """Builds one table of a surface, with the lists of all keys.

    surface, key, kind, reason_kind             the `Listing`
    interactions, playlists, models, neighbours the names of the steps that it reads, by the kind of their items
    """

    action: ClassVar[str] = "surface"

    surface: str
    key: str
    kind: str
    reason_kind: str | None
    interactions: Mapping[str, str]
    playlists: Mapping[str, str]
    models: Mapping[str, str]
    neighbours: Mapping[str, str]

    @property
    def listing(self) -> Listing:
        """What is listed for what."""
        return Listing(self.surface, self.key, self.kind, self.reason_kind)

    @property
    def name(self) -> str:
        """The action and the table: "surface-radio-track"."""
        return f"{self.action}-{self.listing.name}"

    @property
    def title(self) -> str:
        """What it does, for people."""
        return f"Build {registered(self.surface).title} ({kind_named(self.kind).plural})"

    def memory(self, home: Home) -> int:
        """`FLOOR`, and its inputs twice."""
        return FLOOR + 2 * sum(map(size_of, self.inputs(home).values()))

    def run(self, draft: Draft, context: Context) -> None:
        """See `build_table`."""
        places = self.inputs(context.home)
        counted = {**self.interactions, **self.playlists}
        models = {kind: load_fitted(places[step]) for kind, step in self.models.items()}
        inputs = SurfaceInputs(
            catalogue=Catalogue.load(places[CATALOGUE]),
            interactions={kind: Interactions.load(places[step], kind=kind) for kind, step in counted.items()},
            models={kind: [model] for kind, model in models.items()},
            neighbourhoods={
                kind: Neighbourhood.load(places[step], models[kind]) for kind, step in self.neighbours.items()
            },
            playlists=tuple(self.playlists),
            threads=context.threads,
        )
        surface = registered(self.surface).load()
        prepared = surface.prepare(inputs, self.listing, surface.settings_class(**self.settings))
        table = build_table(prepared, self.listing, context.progress)
        table.save(draft.path)
        draft.rows.update(keys=len(table.keys), entries=len(table.items))
