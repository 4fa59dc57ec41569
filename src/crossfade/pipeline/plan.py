"""The steps of a run, from a home's imports to its surfaces, and what each is made from.

    imports ─► catalog ─► interactions of artists ─► a space of each model ─► its neighbours ─┐
                  │  └──► interactions of tracks  ─► a space of each model ─► its neighbours ─┼─► surfaces ─► release
                  └─────► names of all that was played ───────────────────────────────────────┘

A library that knows only artists has no steps for tracks, and the other way round; a model whose input the library
lacks has none either. Surfaces are built from the first model.
"""

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from crossfade.catalog.build import build_catalog
from crossfade.catalog.names import release_catalogue
from crossfade.core.artifacts import MANIFEST, Draft, file_digest
from crossfade.core.catalogue import Catalogue
from crossfade.core.errors import NotReadyError
from crossfade.core.home import Home
from crossfade.core.ids import ItemKind
from crossfade.core.interactions import Interactions
from crossfade.core.progress import Progress
from crossfade.core.settings import as_table
from crossfade.core.tables import SurfaceTable
from crossfade.listens.interactions import build_interactions
from crossfade.listens.library import imports_of, tables_of
from crossfade.models.contract import InputKind, ResumableModel
from crossfade.models.registry import load_space, model_class
from crossfade.nearest.contract import IndexSettings
from crossfade.pipeline.settings import Settings
from crossfade.pipeline.steps import Step, Work, in_order, make_step
from crossfade.ranking.neighbourhood import Neighbourhood, NeighbourSettings
from crossfade.surfaces.contract import Library, Surface, SurfaceInputs
from crossfade.surfaces.registry import available

CATALOG, NAMES = "catalog", "names"


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
    tables = tables_of(home)
    library = _knows(tables)
    if not (library.artists or library.tracks):
        raise NotReadyError(
            f"There is no listening history in {home.path}. Bring some with `crossfade import PATH`, or try "
            "`crossfade demo`."
        )
    # What an import holds depends on what was there before it, so its content names it, not its origin.
    imported = {place.name: file_digest(place / MANIFEST) for place in imports_of(home)}
    catalog = _catalog_step(settings, tables, imported)
    known: dict[ItemKind, bool] = {"artist": library.artists, "track": library.tracks}
    kinds = [kind for kind in known if known[kind]]
    interactions = {kind: _interactions_step(settings, kind, tables, imported, catalog) for kind in kinds}
    names = make_step(
        NAMES,
        "Name what was played",
        _name_items,
        kind="catalogue",
        needs=(catalog, *interactions.values()),
    )
    learned: dict[InputKind, Mapping[ItemKind, Step]] = {"interactions": interactions}
    spaces: dict[str, Step] = {}
    skipped: dict[str, str] = {}
    for model in settings.run.models:
        source = model_class(model).learns_from
        for kind in kinds:
            name = space_name(model, kind)
            if kind in learned.get(source, {}):
                spaces[name] = _space_step(home, settings, model, kind, learned[source][kind], interactions[kind])
            else:
                skipped[name] = f"it learns from {source}, and this library has none of {kind}s"
    neighbours = {
        space_name(model, kind): _neighbours_step(settings, spaces[space_name(model, kind)], kind, interactions[kind])
        for model in settings.run.models
        for kind in kinds
        if space_name(model, kind) in spaces
    }
    return Plan(
        names=names,
        spaces=spaces,
        neighbours=neighbours,
        surfaces=_surface_steps(settings, library, names, interactions, spaces, neighbours),
        skipped=skipped,
    )


def space_name(model: str, kind: ItemKind) -> str:
    """The name of the space of items of ``kind`` that ``model`` learned, in a plan and in a release."""
    return f"{model}-{kind}"


def neighbours_name(space: str) -> str:
    """The name of the step that finds what is near to what in the space named so."""
    return f"neighbours-{space}"


def _knows(tables: Mapping[str, Sequence[Path]]) -> Library:
    """Which kinds of items the listening history names, from the statistics of its files alone."""

    def named(column: str) -> bool:
        for path in [*tables.get("listens", ()), *tables.get("counts", ())]:
            metadata = pq.read_metadata(path)
            position = metadata.schema.names.index(column)
            for group in range(metadata.num_row_groups):
                statistics = metadata.row_group(group).column(position).statistics
                if statistics is None or statistics.null_count < metadata.row_group(group).num_rows:
                    return True
        return False

    return Library(artists=named("artist_id"), tracks=named("track_id"))


def _catalog_step(settings: Settings, tables: Mapping[str, Sequence[Path]], imported: Mapping[str, str]) -> Step:
    chosen = settings.section("catalog")
    run = settings.run

    def work(draft: Draft, inputs: Mapping[str, Path], progress: Progress) -> None:
        draft.rows.update(
            build_catalog(
                tables,
                draft.path,
                chosen,
                progress=progress,
                memory_limit=run.memory_bytes,
                threads=run.processors,
            )
        )

    return make_step(
        CATALOG,
        "Merge names, tags and playlists of all imports",
        work,
        kind="catalog",
        inputs=imported,
        settings=as_table(chosen),
    )


def _interactions_step(
    settings: Settings,
    kind: ItemKind,
    tables: Mapping[str, Sequence[Path]],
    imported: Mapping[str, str],
    catalog: Step,
) -> Step:
    chosen = settings.section("interactions")
    run = settings.run

    def work(draft: Draft, inputs: Mapping[str, Path], progress: Progress) -> None:
        draft.rows.update(
            build_interactions(
                tables,
                inputs[CATALOG],
                kind,
                draft.path,
                chosen,
                progress=progress,
                memory_limit=run.memory_bytes,
                threads=run.processors,
            )
        )

    return make_step(
        f"interactions-{kind}",
        f"Count who played which {kind}",
        work,
        kind="interactions",
        needs=(catalog,),
        inputs=imported,
        settings=as_table(chosen),
    )


def _name_items(draft: Draft, inputs: Mapping[str, Path], progress: Progress) -> None:
    catalogue = release_catalogue(
        artist_interactions=_load_interactions(inputs, "artist"),
        track_interactions=_load_interactions(inputs, "track"),
        catalog=inputs[CATALOG],
    )
    catalogue.save(draft.path)
    draft.rows["artists"] = len(catalogue.artists.ids)
    draft.rows["tracks"] = len(catalogue.tracks.ids) if catalogue.tracks is not None else 0


def _space_step(home: Home, settings: Settings, model: str, kind: ItemKind, learned: Step, interactions: Step) -> Step:
    section = settings.section(f"models.{model}")
    processors = settings.run.processors
    chosen = model_class(model)

    def work(draft: Draft, inputs: Mapping[str, Path], progress: Progress) -> None:
        played = Interactions.load(inputs[interactions.name], kind=kind)
        given = _LOADERS[chosen.learns_from](inputs[learned.name], kind)
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
            load_space(inputs[space.name]), listeners, chosen, index, threads=processors, progress=progress
        )
        near.save(draft.path)
        draft.rows.update(items=len(near.lists.indptr) - 1, neighbours=len(near.lists.rows))

    return make_step(
        neighbours_name(space.name),
        f"Find what is near to what: {space.name.replace('-', ' on ')}s",
        work,
        kind="neighbours",
        needs=(space, interactions),
        settings={**as_table(chosen), **{f"index.{name}": value for name, value in as_table(index).items()}},
    )


def _surface_steps(
    settings: Settings,
    library: Library,
    names: Step,
    interactions: Mapping[ItemKind, Step],
    spaces: Mapping[str, Step],
    neighbours: Mapping[str, Step],
) -> dict[str, Step]:
    """One step a surface. Surfaces are built from the spaces of the first model that has one of their kind."""
    index: IndexSettings = settings.section("index")
    chosen = {kind: leading_space(kind, settings.run.models, spaces) for kind in interactions}
    learned = [step for name in chosen.values() for step in (spaces[name], neighbours[name])]
    steps: dict[str, Step] = {}
    for line in available(library):
        surface = line.load()
        section = settings.section(f"surfaces.{line.name}")
        before = tuple(steps[name] for name in surface.needs(library))
        steps[line.name] = make_step(
            f"surface-{line.name}",
            f"Build {line.title}",
            _surface_work(surface, section, chosen, before, settings),
            kind="surface",
            needs=(names, *interactions.values(), *learned, *before),
            settings={**as_table(section), **{f"index.{name}": value for name, value in as_table(index).items()}},
        )
    return steps


def leading_space(kind: ItemKind, models: Sequence[str], spaces: Container[str]) -> str:
    """The name of the space of ``kind`` of the first of ``models`` that has one; NotReadyError if none has."""
    for model in models:
        if space_name(model, kind) in spaces:
            return space_name(model, kind)
    raise NotReadyError(
        f"None of the models {', '.join(models)} can learn from what this library knows of {kind}s. Name another in "
        "[run] models, such as als."
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


def _load_interactions(inputs: Mapping[str, Path], kind: ItemKind) -> Interactions | None:
    place = inputs.get(f"interactions-{kind}")
    return Interactions.load(place, kind=kind) if place is not None else None


_LOADERS: dict[InputKind, Callable[[Path, ItemKind], Any]] = {
    "interactions": lambda place, kind: Interactions.load(place, kind=kind),
}
