"""The steps of a run, from a home's imports to its surfaces, and which of them a release is made of.

    imports ─► catalog ─► interactions of each kind ─► a fit of each model ─► its neighbours ─┐
                  └─────► catalogue of all items ─────────────────────────────────────────────┴─► surfaces ─► release

Every kind of item that was played has steps of its own, and so has one that is only in playlists: models learn from
those then, as if a playlist was a user, but there are no users. Of one that only has tags, as in a folder of music
files, models of texts are fitted. A model whose input the library lacks has no steps. Of
models in ``[run] search``, settings that nobody has set are searched before the fit. Surfaces are built from the first
model of ``[run] models`` that compares items, by default the blend of all others (`crossfade.pipeline.blending`), and
only its neighbours are computed beforehand. The steps of the surfaces come first. Where little has come since a model
was fitted, that fit is kept (`crossfade.pipeline.earlier`).
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from crossfade.core.artifacts import MANIFEST, file_digest
from crossfade.core.errors import NotReadyError
from crossfade.core.home import Home
from crossfade.core.kinds import kind_named
from crossfade.evaluate.searching import LEAST_PAIRS
from crossfade.importing.library import imports, tables_of
from crossfade.models.contract import missing_extra
from crossfade.models.registry import compares_items, model_class
from crossfade.pipeline import blending, learning
from crossfade.pipeline.earlier import EarlierFits
from crossfade.pipeline.settings import Settings
from crossfade.pipeline.sources import Imports, Kinds, Sources, section
from crossfade.pipeline.steps import Step, needing, plain
from crossfade.surfaces.contract import Library, Listing
from crossfade.surfaces.registry import SURFACES, Registered


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a run does.

    steps    every step by its name, each after those it needs
    skipped  why a model is not fitted on a kind, by the name that its step would have
    plays    listens and counts of the library
    """

    steps: Mapping[str, Step]
    skipped: Mapping[str, str]
    plays: int

    def of(self, *actions: str) -> list[Step]:
        """Return the steps of these actions."""
        return [step for step in self.steps.values() if step.action in actions]

    def kept(self) -> list[learning.KeepFit]:
        """Return the earlier fits that are kept."""
        return [step for step in self.steps.values() if isinstance(step, learning.KeepFit)]

    @property
    def blends(self) -> bool:
        """Whether pages come from a blend, and therefore after the fits of all models."""
        return bool(self.of("join"))

    def pages(self) -> "Plan":
        """Return the part of the plan that the surfaces need."""
        needed = {step.name for step in self.of("surface")}
        for name in reversed([*self.steps]):
            if name in needed:
                needed.update(self.steps[name].needs)
        return Plan(
            steps={name: step for name, step in self.steps.items() if name in needed}, skipped={}, plays=self.plays
        )

    def by_urgency(self) -> list[Step]:
        """Return the steps in the order to begin them: first those that surfaces need, of these the longest chains.

        Of equal chains the last one planned comes first, since weights, Discover and tracks take longest.
        """
        pages, following = self.pages().steps, dict.fromkeys(self.steps, 0)
        steps = [*self.steps.values()][::-1]
        for step in steps:
            for name in step.needs:
                following[name] = max(following[name], following[step.name] + 1)
        return sorted(steps, key=lambda step: (step.name not in pages, -following[step.name]))


def make_plan(home: Home, settings: Settings, *, full: bool = False) -> Plan:
    """Return the plan for what ``home`` has today; NotReadyError if nothing has been imported.

    With ``full`` every model is fitted from nothing; else earlier fits may be kept, or started from.
    """
    return _Planning(home, settings, full=full).plan()


def first_plan(home: Home, settings: Settings, *, full: bool = False) -> Plan:
    """Return the plan for the first pages of a library: those of the first model alone that compares items."""
    models = [name for name in settings.run.models if not model_class(name).blends]
    leading = next((name for name in models if compares_items(name)), models[0])
    return make_plan(home, settings.fitting([leading]), full=full).pages()


class _Planning:
    def __init__(self, home: Home, settings: Settings, *, full: bool) -> None:
        found = imports(home)
        self._settings, self._full = settings, full
        self._kinds = Kinds.of(tables_of(home))
        if not any(self._kinds):
            raise NotReadyError(
                f"There are no plays, playlists or tags in {home.path}. Import some by `crossfade import PATH`, or try "
                "`crossfade demo`."
            )
        # What an import has depends on what was there before it, so its content names it, not its origin.
        self._imports = {one.name: file_digest(one.path / MANIFEST) for one in found}
        rows = {one.name: one.manifest.rows for one in found}
        self._earlier = EarlierFits(home=home, imports=self._imports, rows=rows)
        self._sources: dict[frozenset[str], Sources] = {}
        self._today = self._of(self._imports)
        self._steps = dict(self._today.steps)

    def _of(self, some: Imports) -> Sources:
        """What is gathered of some imports."""
        names = frozenset(some)
        if names not in self._sources:
            self._sources[names] = Sources(self._settings, self._kinds, some)
        return self._sources[names]

    def plan(self) -> Plan:
        skipped = self._fit()
        models: dict[str, Step] = {}
        neighbours: dict[str, Step] = {}
        for name, kind in [(name, kind) for name in self._settings.run.models for kind in self._today.learned]:
            fit = self._steps.get(f"{name}-{kind}")
            if isinstance(fit, learning.OfModel):
                models.setdefault(kind, fit)
                if kind not in neighbours and compares_items(name):
                    models[kind], neighbours[kind] = fit, self._compare(fit)
        inputs = {"interactions": self._today.users, "models": models, "neighbours": neighbours}
        library = Library(kinds=[*self._today.users], compared=[*neighbours])
        for surface in SURFACES.values():
            for listing in surface.load().listings(library):
                self._add(self._surface(surface, listing, inputs))
        plan = Plan(steps=self._steps, skipped=skipped, plays=self._earlier.plays)
        return replace(plan, steps={**plan.pages().steps, **self._steps})

    def _add(self, step: Step) -> Step:
        return self._steps.setdefault(step.name, step)

    def _fit(self) -> dict[str, str]:
        """Add the steps that fit models, or keep fits; why others are left out, by name."""
        skipped: dict[str, str] = {}
        blends = [name for name in self._settings.run.models if model_class(name).blends]
        led = {*self._today.learned} if blends[:1] == [*self._settings.run.models[:1]] else set()
        for name in self._settings.run.models:
            model = model_class(name)
            if name in blends:
                continue
            extra = missing_extra(model)
            for kind in self._today.learned:
                source = None if extra else self._today.source(model.learns_from, kind)
                if source is None:
                    reason = f"no {model.learns_from} of {kind_named(kind).plural} in this library"
                    skipped[f"{name}-{kind}"] = f"pip install 'crossfade[{extra}]'" if extra else reason
                    continue
                leads = kind not in led and compares_items(name)
                led.update([kind] if leads else [])
                search = self._search(name, kind, source)
                fit = self._fitted(name, kind, source, search, leads=leads)
                if isinstance(fit, learning.FitModel):
                    self._add(source)
                    if search is not None:
                        self._add(search)
                self._add(fit)
        for name, kind in [(name, kind) for name in blends for kind in self._today.learned]:
            if why := self._blend(name, kind):
                skipped[f"{name}-{kind}"] = why
        return skipped

    def _search(self, name: str, kind: str, source: Step) -> learning.SearchSettings | None:
        """The step that searches those settings of a model that nobody has set; None if there are none."""
        given, plays = self._settings.given(name, kind), self._earlier.plays
        settled = all({*names} & given.keys() for names in model_class(name).searched)
        if settled or name not in self._settings.run.search or plays < LEAST_PAIRS:
            return None
        search = learning.SearchSettings(
            model=name,
            kind=kind,
            source=source.name,
            plays=plays,
            imports=self._imports,
            needs=needing(source),
            settings={
                **section(self._settings, "catalog", "catalog."),
                **section(self._settings, "interactions", "interactions."),
                **{f"{learning.GIVEN}{key}": value for key, value in given.items()},
            },
        )
        return search if self._full else self._earlier.search_instead_of(search)

    def _blend(self, name: str, kind: str) -> str | None:
        """Add the steps that blend the models of ``kind``; or return why there is no blend."""
        if kind not in self._today.users:
            return f"nobody has played {kind_named(kind).plural}"
        members = {
            one: self._steps[f"{one}-{kind}"]
            for one in self._settings.run.models
            if not model_class(one).blends and f"{one}-{kind}" in self._steps
        }
        if len(members) < 2:
            return "it takes two models or more"
        settings = section(self._settings, f"models.{name}")
        blending.require_ranker(settings)
        cut = self._today.cut(kind, settings)
        steps = {one: self._on_cut(one, kind, cut, whole) for one, whole in members.items()}
        fits = {one: chain[-1] for one, chain in steps.items()}
        used = {f"models.{one}": plain(self._settings.model(one, kind)) for one in members}
        weigh = blending.WeighModels(
            model=name,
            kind=kind,
            source=cut.name,
            cut={one: step.name for one, step in fits.items()},
            learned=self._imports,
            needs=needing(cut, *fits.values()),
            settings={**settings, **used},
        )
        weights = self._earlier.instead_of(
            weigh,
            lambda some: self._of(some).cut(kind, settings),
            least_share=math.inf if self._full else 1 - self._settings.run.refit_percent / 100,
            warm=False,
        )
        if isinstance(weights, blending.WeighModels):
            for step in (cut, *(step for chain in steps.values() for step in chain)):
                self._add(step)
        self._add(weights)
        played = self._today.users[kind]
        self._add(
            blending.BlendModels(
                model=name,
                kind=kind,
                interactions=played.name,
                weights=weights.name,
                members={one: step.name for one, step in members.items()},
                needs=needing(played, weights, *members.values()),
                settings=settings,
            )
        )
        return None

    def _on_cut(self, name: str, kind: str, cut: Step, whole: Step) -> list[Step]:
        """The steps that fit a model without what is hidden, the fit itself last.

        Texts do not tell what is hidden; a model of them is that of the run.
        """
        model = model_class(name)
        if model.learns_from == "texts":
            return [whole]
        source = self._today.of_cut(model.learns_from, kind, cut)
        search = self._search(name, kind, self._today.counted[kind]) if model.learns_from == "interactions" else None
        searched = [] if search is None else [search]
        fit = blending.FitOnCut(
            model=name,
            kind=kind,
            source=source.name,
            searched=search is not None,
            learned=self._imports,
            needs=needing(source, *searched),
            settings=plain(self._settings.model(name, kind)),
        )
        return [source, *searched, fit]

    def _fitted(
        self, name: str, kind: str, source: Step, search: learning.SearchSettings | None, *, leads: bool
    ) -> learning.OfModel:
        """The step that fits a model, or keeps an earlier fit of it."""
        model, settings = model_class(name), plain(self._settings.model(name, kind))
        fit = learning.FitModel(
            model=name,
            kind=kind,
            source=source.name,
            searched=search is not None,
            learned=self._imports,
            needs=needing(source, *([] if search is None else [search])),
            settings=settings,
        )
        if self._full:
            return fit
        keeps = model.keeps == "always" or (model.keeps == "unless leading" and not leads)
        return self._earlier.instead_of(
            fit,
            lambda some: self._of(some).source(model.learns_from, kind),
            least_share=1 - self._settings.run.refit_percent / 100 if keeps else math.inf,
            warm=model.starts_warm and bool(settings["warm_iterations"]),
        )

    def _compare(self, fit: learning.OfModel) -> Step:
        """Add the step that computes the neighbours of the items of a model."""
        settings = {**section(self._settings, "neighbours"), **section(self._settings, "index", learning.INDEX)}
        about: dict[str, Any] = {"model": fit.model, "kind": fit.kind}
        return self._add(learning.ComputeNeighbours(**about, needs=needing(fit), settings=settings))

    def _surface(self, surface: Registered, listing: Listing, inputs: Mapping[str, Mapping[str, Step]]) -> Step:
        """The step of one table, from what the library has of the kinds that it lists and gives as reasons."""
        kinds = {listing.kind, listing.reason_kind}
        counts_alone = listing.kind in self._kinds.played and not surface.learned
        read = {
            name: {
                kind: steps[kind] for kind in steps if kind in kinds and (name == "interactions" or not counts_alone)
            }
            for name, steps in inputs.items()
        }
        names: dict[str, Any] = {name: {kind: step.name for kind, step in read[name].items()} for name in read}
        needs = needing(self._today.catalogue, *(step for steps in read.values() for step in steps.values()))
        settings = section(self._settings, f"surfaces.{surface.name}")
        return learning.BuildSurface(**asdict(listing), **names, needs=needs, settings=settings)
