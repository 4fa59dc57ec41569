"""Steps that fit models, compare their items, and build surfaces of them."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from crossfade.core.artifacts import Draft, Identity, is_made_from, read_manifest
from crossfade.core.errors import ArtifactError
from crossfade.core.home import Home
from crossfade.core.ids import MISSING, Ids
from crossfade.core.interactions import Interactions
from crossfade.core.sequences import Sequences
from crossfade.core.tables import SurfaceTable
from crossfade.core.writings import Writings
from crossfade.evaluate.searching import search_settings
from crossfade.models.contract import Fitted, InputKind, Model
from crossfade.models.registry import load_fitted, model_class
from crossfade.nearest.contract import IndexSettings
from crossfade.pipeline.steps import FLOOR, Context, Step, place_of
from crossfade.ranking.neighbourhood import Neighbourhood, NeighbourSettings
from crossfade.surfaces.contract import Listing, build_table
from crossfade.surfaces.registry import registered
from crossfade.surfaces.sources import TableSources

CATALOGUE = "catalogue"

INDEX = "index."
"""Begins the names of those settings of a step that say how vectors are indexed."""

START, WARM_FITS = "start", "warm_fits"
"""What the identity of a fit that starts from another has besides: an input and a setting."""

IMPORT = "import/"
"""Begins the names of those inputs of a fit that are the imports which it learned from, through its other input."""

GIVEN = "given."
"""Begins the names of those settings of a search that somebody has set."""

FOUND = "found.json"

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
    def search(self) -> str:
        """The name of the step that searches its settings: "search-als-track"."""
        return f"search-{self.fitted}"

    @property
    def words(self) -> dict[str, str]:
        return {**super().words, "model": model_class(self.model).__name__}


@dataclass(frozen=True, kw_only=True)
class SearchSettings(OfModel):
    """Searches the settings of a model that nobody has set, on a part of the interactions.

    Its artifact follows from the imports and from how they are counted, so that it can serve while a library grows.

    source   the name of the step that made the interactions
    plays    listens and counts of the library
    """

    action: ClassVar[str] = "search"
    label: ClassVar[str] = "Search settings: {model}, {plural}"
    source: str
    plays: int

    @property
    def name(self) -> str:
        return self.search

    @property
    def identity(self) -> Identity:
        return replace(super().identity, inputs=self.imports)

    def memory(self, home: Home) -> int:
        return FLOOR + self.copies * sum(size for size, _ in read_manifest(self._read(home)).files.values())

    def run(self, draft: Draft, context: Context) -> None:
        given = {name.removeprefix(GIVEN): value for name, value in self.settings.items() if name.startswith(GIVEN)}
        interactions = Interactions.load(self._read(context.home), kind=self.kind)
        found = search_settings(self.model, interactions, given, threads=context.threads, progress=context.progress)
        content = {"settings": dict(found.settings), "tried": [asdict(one) for one in found.tried]}
        (draft.path / FOUND).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
        draft.rows.update(plays=self.plays)

    def _read(self, home: Home) -> Path:
        return self.inputs(home)[self.source]


def found_settings(place: Path) -> dict[str, Any]:
    """Return the settings, by name, that a search has found; ArtifactError if its artifact cannot be read."""
    try:
        found: dict[str, Any] = json.loads((place / FOUND).read_text(encoding="utf-8"))["settings"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ArtifactError(f"{place / FOUND} cannot be read: {error}") from error
    return found


@dataclass(frozen=True, kw_only=True)
class FitModel(OfModel):
    """Fits a model.

    source     the name of the step that made what it learns from
    learned    the checksum of each import that this was made from, by name
    searched   whether settings come from a `SearchSettings`
    start      the fingerprint of the earlier fit that it starts from; "" for none
    warm_fits  how many fits in a row, with this one, started from the one before
    """

    action: ClassVar[str] = "fit"
    label: ClassVar[str] = "Fit {model} on {plural}"
    source: str
    learned: Mapping[str, str]
    searched: bool = False
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
        identity = replace(super().identity, version=max(self.version, model_class(self.model).version))
        inputs = {**identity.inputs, **{f"{IMPORT}{name}": checksum for name, checksum in self.learned.items()}}
        if not self.start:
            return replace(identity, inputs=inputs)
        settings = {**identity.settings, WARM_FITS: self.warm_fits}
        return replace(identity, inputs={**inputs, START: self.start}, settings=settings)

    def memory(self, home: Home) -> int:
        items = len(Ids.load(self.inputs(home)[self.source] / "item_ids"))
        return super().memory(home) + self.chosen(home).memory_bytes(items)

    def run(self, draft: Draft, context: Context) -> None:
        """Fit the model, from the last checkpoint if a fit was stopped."""
        self.save(self.fit(context), draft)

    def fit(self, context: Context, **others: Any) -> Fitted[Any]:
        """Return the fitted model; ``others`` are further arguments of `Model.fit`."""
        model = self.chosen(context.home)
        return model.fit(
            LOADERS[model.learns_from](self.inputs(context.home)[self.source], kind=self.kind),
            threads=context.threads,
            progress=context.progress,
            workspace=context.home.unfinished / self.name,
            **self.starting(context.home),
            **others,
        )

    def save(self, fitted: Fitted[Any], draft: Draft) -> None:
        """Fill the draft with a fitted model."""
        fitted.save(draft.path)
        draft.rows.update(users=len(fitted.user_ids or ()), items=len(fitted.item_ids))

    def starting(self, home: Home) -> dict[str, Any]:
        """Return the earlier fit that it starts from, as an argument of `Model.fit`; none if it starts from nothing."""
        return {"start": load_fitted(place_of(home, self.name, self.start))} if self.start else {}

    @property
    def instead(self) -> Mapping[str, Any]:
        """Settings of this fit, whatever is set."""
        return {}

    def chosen(self, home: Home) -> Model[Any]:
        """Return the model with the settings of this fit."""
        found = found_settings(self.inputs(home)[self.search]) if self.searched else {}
        return model_class(self.model)(**{**self.settings, **found, **self.instead})


@dataclass(frozen=True, kw_only=True)
class KeepFit(OfModel):
    """Keeps an earlier fit, where little has come since.

    step       the name of the step that made it
    fitted_as  its fingerprint
    share      of what there is today that it learned from
    """

    action: ClassVar[str] = "keep"
    label: ClassVar[str] = "Fit {model} on {plural}"
    step: str
    fitted_as: str
    share: float

    @property
    def name(self) -> str:
        return self.step

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

    @property
    def table_settings(self) -> tuple[NeighbourSettings, IndexSettings]:
        """Its settings, and those of its index."""
        index = {name.removeprefix(INDEX): value for name, value in self.settings.items() if name.startswith(INDEX)}
        settings = {name: value for name, value in self.settings.items() if not name.startswith(INDEX)}
        return NeighbourSettings(**settings), IndexSettings(**index)

    def run(self, draft: Draft, context: Context) -> None:
        model = load_fitted(self.inputs(context.home)[self.fitted])
        settings, index = self.table_settings
        neighbourhood = Neighbourhood.build(
            model, settings, index, directory=draft.path, threads=context.threads, progress=context.progress
        )
        self.save(neighbourhood, draft)

    def save(self, neighbourhood: Neighbourhood, draft: Draft) -> None:
        """Write what of the ``neighbourhood`` is not in the draft yet."""
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

    def sources(self, home: Home) -> TableSources:
        """Return where the parts of the table lie."""
        places = self.inputs(home)
        models, interactions, neighbours = (
            {kind: places[step] for kind, step in steps.items()}
            for steps in (self.models, self.interactions, self.neighbours)
        )
        both = models.keys() & interactions.keys()
        return TableSources(
            listing=Listing(self.surface, self.key, self.kind, self.reason_kind),
            settings=self.settings,
            catalogue=places[CATALOGUE],
            interactions=interactions,
            models=models,
            neighbours=neighbours,
            later=tuple(sorted(kind for kind in both if not is_made_from(models[kind], interactions[kind]))),
        )

    def run(self, draft: Draft, context: Context) -> None:
        sources = self.sources(context.home)
        self.save(build_table(sources.prepared(context.threads), sources.listing, context.progress), draft)

    def save(self, table: SurfaceTable, draft: Draft) -> None:
        """Write the ``table`` into the draft."""
        table.save(draft.path)
        draft.rows.update(keys=len(table.keys), entries=len(table.items))
