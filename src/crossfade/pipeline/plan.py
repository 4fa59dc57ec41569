"""The steps of a run, from a home's imports to its surfaces, and what each is made from.

    imports ─► catalog ─► interactions of artists ─► a space of each model ─► its neighbours ─┐
                  │  └──► interactions of tracks  ─► a space of each model ─► its neighbours ─┼─► surfaces ─► release
                  └─────► names of all that was played ───────────────────────────────────────┘

A library that knows only artists has no steps for tracks, and the other way round; a model whose input the library
lacks has none either. Surfaces are built from the first model.
"""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from crossfade.core.artifacts import Draft
from crossfade.core.catalogue import Catalogue
from crossfade.core.errors import NotReadyError
from crossfade.core.home import Home
from crossfade.core.ids import MISSING, ItemKind
from crossfade.core.interactions import Interactions
from crossfade.core.progress import Progress
from crossfade.core.settings import as_table
from crossfade.core.tables import SurfaceTable
from crossfade.models.contract import ResumableModel, missing_extra
from crossfade.models.registry import load_space, model_class
from crossfade.nearest.contract import IndexSettings
from crossfade.pipeline.settings import Settings
from crossfade.pipeline.sources import NAMES, Learnable, learnable, load_learned
from crossfade.pipeline.steps import Step, Work, in_order, make_step
from crossfade.ranking.neighbourhood import Neighbourhood, NeighbourSettings
from crossfade.surfaces.contract import Surface, SurfaceInputs
from crossfade.surfaces.registry import available


@dataclass(frozen=True, kw_only=True)
class Plan:
    """All steps of a run in order, and which of them a release is made of.

    spaces      the step of each vector space, by its name in the release ("als-artist")
    neighbours  the step of what is near to what in each space, by the same names
    surfaces    the step of each surface, by its name
    skipped     why a model has no space of a kind, by the name that it would have
    """

    names: Step
    spaces: Mapping[str, Step]
    neighbours: Mapping[str, Step]
    surfaces: Mapping[str, Step]
    skipped: Mapping[str, str]

    @property
    def steps(self) -> list[Step]:
        """Every step, each after those it needs."""
        return in_order(*self.spaces.values(), self.names, *self.surfaces.values(), *self.neighbours.values())

    @property
    def released(self) -> Mapping[str, str]:
        """The fingerprint of each step, so that a release can be asked what it was made from."""
        return {step.name: step.identity.fingerprint for step in self.steps}


def make_plan(home: Home, settings: Settings) -> Plan:
    """The plan for what ``home`` holds today; NotReadyError if nothing has been imported."""
    given = learnable(home, settings)
    spaces: dict[str, Step] = {}
    neighbours: dict[str, Step] = {}
    skipped: dict[str, str] = {}
    for model in settings.run.models:
        chosen = model_class(model)
        source, missing = chosen.learns_from, missing_extra(chosen)
        for kind, interactions in given.interactions.items():
            name = space_name(model, kind)
            if missing:
                skipped[name] = f"it needs a part that is not installed: pip install 'crossfade[{missing}]'"
            elif kind not in given.learned.get(source, {}):
                skipped[name] = f"it learns from {source}, and this library has none of {kind}s"
            else:
                spaces[name] = _space_step(home, settings, model, kind, given.learned[source][kind], interactions)
                if chosen.space_class.compares_items:
                    neighbours[name] = _neighbours_step(settings, spaces[name], kind, interactions)
    return Plan(
        names=given.names,
        spaces=spaces,
        neighbours=neighbours,
        surfaces=_surface_steps(settings, given, spaces, neighbours),
        skipped=skipped,
    )


def space_name(model: str, kind: ItemKind) -> str:
    """The name of the space of items of ``kind`` that ``model`` learned, in a plan and in a release."""
    return f"{model}-{kind}"


def neighbours_name(space: str) -> str:
    """The name of the step that finds what is near to what in the space named so."""
    return f"neighbours-{space}"


def _space_step(home: Home, settings: Settings, model: str, kind: ItemKind, learned: Step, interactions: Step) -> Step:
    section = settings.section(f"models.{model}")
    processors = settings.run.processors
    chosen = model_class(model)

    def work(draft: Draft, inputs: Mapping[str, Path], progress: Progress) -> None:
        played = Interactions.load(inputs[interactions.name], kind=kind)
        given = load_learned(chosen.learns_from, inputs[learned.name], kind)
        learner = chosen(section)
        if isinstance(learner, ResumableModel):
            workspace = home.unfinished / space_name(model, kind)
            space = learner.fit(given, threads=processors, progress=progress, workspace=workspace)
        else:
            space = learner.fit(given, threads=processors, progress=progress)
        if space.user_ids is None:
            space = space.with_users(played)
        space.save(draft.path)
        draft.rows.update(users=len(space.user_ids or ()), items=len(space.item_ids))

    return make_step(
        space_name(model, kind),
        f"Learn taste: {model} on {kind}s",
        work,
        kind="space",
        needs=(learned,) if learned is interactions else (learned, interactions),
        settings=as_table(section),
        seed=getattr(section, "seed", 0),
    )


def _neighbours_step(settings: Settings, space: Step, kind: ItemKind, interactions: Step) -> Step:
    chosen: NeighbourSettings = settings.section("neighbours")
    index: IndexSettings = settings.section("index")
    processors = settings.run.processors

    def work(draft: Draft, inputs: Mapping[str, Path], progress: Progress) -> None:
        listeners = Interactions.load(inputs[interactions.name], kind=kind).listeners()
        near = Neighbourhood.build(
            load_space(inputs[space.name]),
            listeners,
            chosen,
            index,
            directory=draft.path,
            threads=processors,
            progress=progress,
        )
        near.save(draft.path)
        draft.rows.update(items=len(near.table), neighbours=int(np.count_nonzero(near.table.rows != MISSING)))

    return make_step(
        neighbours_name(space.name),
        f"Find what is near to what: {space.name.replace('-', ' on ')}s",
        work,
        kind="neighbours",
        needs=(space, interactions),
        settings={**as_table(chosen), **{f"index.{name}": value for name, value in as_table(index).items()}},
    )


def _surface_steps(
    settings: Settings, given: Learnable, spaces: Mapping[str, Step], neighbours: Mapping[str, Step]
) -> dict[str, Step]:
    """One step a surface. Surfaces are built from the spaces of the first model that has one of their kind."""
    index: IndexSettings = settings.section("index")
    chosen = {kind: leading_space(kind, settings.run.models, neighbours) for kind in given.interactions}
    learned = [step for name in chosen.values() for step in (spaces[name], neighbours[name])]
    steps: dict[str, Step] = {}
    for line in available(given.library):
        surface = line.load()
        section = settings.section(f"surfaces.{line.name}")
        before = tuple(steps[name] for name in surface.needs(given.library))
        steps[line.name] = make_step(
            f"surface-{line.name}",
            f"Build {line.title}",
            _surface_work(surface, section, chosen, before, settings),
            kind="surface",
            needs=(given.names, *given.interactions.values(), *learned, *before),
            settings={**as_table(section), **{f"index.{name}": value for name, value in as_table(index).items()}},
        )
    return steps


def leading_space(kind: ItemKind, models: Sequence[str], spaces: Container[str]) -> str:
    """The name of the first of ``spaces`` of ``kind``, in the order of ``models``; NotReadyError if there is none."""
    for model in models:
        if space_name(model, kind) in spaces:
            return space_name(model, kind)
    raise NotReadyError(
        f"None of the models {', '.join(models)} can tell from this library which {kind}s are near to which. Name "
        "another in [run] models, such as als."
    )


def _surface_work(
    surface: Surface, section: Any, spaces: Mapping[ItemKind, str], before: Sequence[Step], settings: Settings
) -> Work:
    def work(draft: Draft, inputs: Mapping[str, Path], progress: Progress) -> None:
        built = {step.name.removeprefix("surface-"): SurfaceTable.load(inputs[step.name]) for step in before}
        table = surface.build(surface_inputs(inputs, spaces, settings, built), section, progress)
        table.save(draft.path)
        draft.rows.update(keys=len(table.keys), entries=len(table.items))

    return work


def surface_inputs(
    places: Mapping[str, Path],
    spaces: Mapping[ItemKind, str],
    settings: Settings,
    built: Mapping[str, SurfaceTable] | None = None,
) -> SurfaceInputs:
    """What surfaces are built from, out of the finished artifacts of steps, by their names.

    spaces  which space to use for each kind of items that was played, by name
    built   the tables of the surfaces that were built before
    """
    shrinkage = settings.section("neighbours").shrinkage
    played = {kind: Interactions.load(places[f"interactions-{kind}"], kind=kind) for kind in spaces}
    learned = {kind: load_space(places[name]) for kind, name in spaces.items()}
    return SurfaceInputs(
        catalogue=Catalogue.load(places[NAMES]),
        artist_interactions=played.get("artist"),
        artist_space=learned.get("artist"),
        track_interactions=played.get("track"),
        track_space=learned.get("track"),
        neighbourhoods={
            kind: Neighbourhood.load(places[neighbours_name(name)], learned[kind], played[kind].listeners(), shrinkage)
            for kind, name in spaces.items()
        },
        built=built or {},
        index=settings.section("index"),
        threads=settings.run.processors,
    )
