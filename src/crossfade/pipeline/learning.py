"""Steps that fit models, compare their items, and build surfaces of them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from crossfade.core.artifacts import Draft, Identity, is_made_from
from crossfade.core.catalogue import Catalogue
from crossfade.core.errors import ArtifactError
from crossfade.core.home import Home
from crossfade.core.ids import MISSING, Ids
from crossfade.core.interactions import Interactions
from crossfade.core.sequences import Sequences
from crossfade.core.writings import Writings
from crossfade.models.contract import InputKind
from crossfade.models.registry import load_fitted, model_class
from crossfade.nearest.contract import IndexSettings
from crossfade.pipeline.steps import Context, Step, place_of
from crossfade.ranking.neighbourhood import Neighbourhood, NeighbourSettings
from crossfade.surfaces.contract import Listing, SurfaceInputs, build_table
from crossfade.surfaces.registry import registered

CATALOGUE = "catalogue"

INDEX = "index."
"""Begins the names of those settings of a step that say how vectors are indexed."""

START, WARM_FITS = "start", "warm_fits"
"""What the identity of a fit that starts from another has besides: an input and a setting."""

IMPORT = "import/"
"""Begins the names of those inputs of a fit that are the imports which it learned from, through its other input."""

LOADERS: Mapping[InputKind, Callable[..., Any]] = {
    "interactions": Interactions.load,
    "sequences": Sequences.load,
    "texts": Writings.load,
}
"""Opens what a model learns from."""


@dataclass(frozen=True, kw_only=True)
class OfModel(Step):
    """A step about a model of items of one kind."""

    copies: ClassVar[int] = 3
    model: str

    @property
    def fitted(self) -> str:
        """The name of the step that fits the model: "als-track"."""
        return f"{self.model}-{self.kind}"

    @property
    def words(self) -> dict[str, str]:
        return {**super().words, "model": model_class(self.model).__name__}


@dataclass(frozen=True, kw_only=True)
class FitModel(OfModel):
    """Fits a model.

    source     the name of the step that made what it learns from
    learned    the checksum of each import that this was made from, by name
    start      the fingerprint of the earlier fit that it starts from; "" for none
    warm_fits  how many fits in a row, with this one, started from the one before
    """

    action: ClassVar[str] = "fit"
    label: ClassVar[str] = "Fit {model} on {plural}"
    source: str
    learned: Mapping[str, str]
    start: str = ""
    warm_fits: int = 0

    @property
    def name(self) -> str:
        return self.fitted

    @property
    def takes_time(self) -> bool:
        return model_class(self.model).keeps != "never"

    @property
    def identity(self) -> Identity:
        identity = super().identity
        inputs = {**identity.inputs, **{f"{IMPORT}{name}": checksum for name, checksum in self.learned.items()}}
        if not self.start:
            return replace(identity, inputs=inputs)
        settings = {**identity.settings, WARM_FITS: self.warm_fits}
        return replace(identity, inputs={**inputs, START: self.start}, settings=settings)

    def memory(self, home: Home) -> int:
        items = len(Ids.load(self.inputs(home)[self.source] / "item_ids"))
        return super().memory(home) + model_class(self.model)(**self.settings).memory_bytes(items)

    def run(self, draft: Draft, context: Context) -> None:
        """Fit the model, from the last checkpoint if a fit was stopped."""
        model = model_class(self.model)
        start = {"start": load_fitted(place_of(context.home, self.name, self.start))} if self.start else {}
        fitted = model(**self.settings).fit(
            LOADERS[model.learns_from](self.inputs(context.home)[self.source], kind=self.kind),
            threads=context.threads,
            progress=context.progress,
            workspace=context.home.unfinished / self.name,
            **start,
        )
        fitted.save(draft.path)
        draft.rows.update(users=len(fitted.user_ids or ()), items=len(fitted.item_ids))


@dataclass(frozen=True, kw_only=True)
class KeepFit(OfModel):
    """Keeps an earlier fit, where little has come since.

    fitted_as  its fingerprint
    share      of what there is today that it learned from
    """

    action: ClassVar[str] = "keep"
    label: ClassVar[str] = "Fit {model} on {plural}"
    fitted_as: str
    share: float

    @property
    def name(self) -> str:
        return self.fitted

    @property
    def fingerprint(self) -> str:
        return self.fitted_as

    @property
    def why_kept(self) -> str:
        return f"it was fitted on {self.share:.1%} of what there is"

    def memory(self, home: Home) -> int:
        """Nothing, since it is there."""
        return 0

    def run(self, draft: Draft, context: Context) -> None:
        """Raise ArtifactError: the fit was there when the run was planned."""
        raise ArtifactError(f"{self.place(context.home)} was damaged during the run. Run again to fit it anew.")


class ComputeNeighbours(OfModel):
    """Computes the nearest neighbours of each item; settings that begin with `INDEX` are those of its index."""

    action = "neighbours"
    version = 2
    label = "Compute nearest neighbours: {model}, {plural}"

    @property
    def name(self) -> str:
        """The action and the model: "neighbours-als-track"."""
        return f"{self.action}-{self.fitted}"

    def memory(self, home: Home) -> int:
        items = len(Ids.load(self.inputs(home)[self.fitted] / "item_ids"))
        return super().memory(home) + 2 * 8 * items * int(self.settings["size"])

    def run(self, draft: Draft, context: Context) -> None:
        index = {name.removeprefix(INDEX): value for name, value in self.settings.items() if name.startswith(INDEX)}
        settings = {name: value for name, value in self.settings.items() if not name.startswith(INDEX)}
        model: Any = load_fitted(self.inputs(context.home)[self.fitted])
        neighbourhood = Neighbourhood.build(
            model,
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

    surface, key, kind, reason_kind   the `Listing`
    interactions, models, neighbours  the names of the steps that it reads, by the kind of their items
    """

    action: ClassVar[str] = "surface"
    label: ClassVar[str] = "Build {surface} ({plural})"
    copies: ClassVar[int] = 2
    surface: str
    key: str
    reason_kind: str | None
    interactions: Mapping[str, str]
    models: Mapping[str, str]
    neighbours: Mapping[str, str]

    @property
    def name(self) -> str:
        """The action and the table: "surface-radio-track"."""
        return f"{self.action}-{self.surface}-{self.kind}"

    @property
    def words(self) -> dict[str, str]:
        return {**super().words, "surface": registered(self.surface).title}

    def run(self, draft: Draft, context: Context) -> None:
        places = self.inputs(context.home)
        models: dict[str, Any] = {kind: load_fitted(places[step]) for kind, step in self.models.items()}
        both = self.models.keys() & self.interactions.keys()
        inputs = SurfaceInputs(
            catalogue=Catalogue.load(places[CATALOGUE]),
            interactions={kind: Interactions.load(places[step], kind=kind) for kind, step in self.interactions.items()},
            models={kind: [model] for kind, model in models.items()},
            later={
                kind for kind in both if not is_made_from(places[self.models[kind]], places[self.interactions[kind]])
            },
            neighbourhoods={
                kind: Neighbourhood.load(places[step], models[kind]) for kind, step in self.neighbours.items()
            },
            threads=context.threads,
        )
        surface = registered(self.surface).load()
        listing = Listing(self.surface, self.key, self.kind, self.reason_kind)
        prepared = surface.prepare(inputs, listing, surface.settings_class(**self.settings))
        table = build_table(prepared, listing, context.progress)
        table.save(draft.path)
        draft.rows.update(keys=len(table.keys), entries=len(table.items))
