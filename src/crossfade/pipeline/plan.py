"""The steps of a run, from a home's imports to its surfaces, and what each is made from.

    imports ─► catalog ─► interactions of artists ─► a space of each model ─┐
                  │  └──► interactions of tracks  ─► a space of each model ─┼─► surfaces ─► release
                  └─────► names of all that was played ─────────────────────┘

A library that knows only artists has no steps for tracks, and the other way round.
"""

from collections.abc import Mapping, Sequence
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
from crossfade.models.registry import load_space, model_class
from crossfade.nearest.contract import IndexSettings
from crossfade.pipeline.settings import Settings
from crossfade.pipeline.steps import Step, Work, in_order, make_step
from crossfade.surfaces.contract import Library, Surface, SurfaceInputs
from crossfade.surfaces.registry import available

CATALOG, NAMES = "catalog", "names"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """All steps of a run in order, and which of them a release is made of.

    spaces    the step of each vector space, by its name in the release ("als-artist")
    surfaces  the step of each surface, by its name
    """

    names: Step
    spaces: Mapping[str, Step]
    surfaces: Mapping[str, Step]

    @property
    def steps(self) -> list[Step]:
        """Every step, each after those it needs."""
        return in_order(*self.spaces.values(), self.names, *self.surfaces.values())

    @property
    def released(self) -> Mapping[str, str]:
        """The fingerprint of each step whose artifact goes into the release."""
        parts = [self.names, *self.spaces.values(), *self.surfaces.values()]
        return {step.name: step.identity.fingerprint for step in parts}


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
    spaces = {
        f"{model}-{kind}": _space_step(settings, model, kind, interactions[kind])
        for model in settings.run.models
        for kind in kinds
    }
    return Plan(names=names, spaces=spaces, surfaces=_surface_steps(settings, library, names, interactions, spaces))


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


def _space_step(settings: Settings, model: str, kind: ItemKind, interactions: Step) -> Step:
    section = settings.section(f"models.{model}")
    processors = settings.run.processors

    def work(draft: Draft, inputs: Mapping[str, Path], progress: Progress) -> None:
        learned = Interactions.load(inputs[interactions.name], kind=kind)
        space = model_class(model)(section).fit(learned, threads=processors, progress=progress)
        space.save(draft.path)
        draft.rows.update(users=len(space.user_ids or ()), items=len(space.item_ids))

    return make_step(
        f"{model}-{kind}",
        f"Learn taste: {model} on {kind}s",
        work,
        kind="space",
        needs=(interactions,),
        settings=as_table(section),
        seed=getattr(section, "seed", 0),
    )


def _surface_steps(
    settings: Settings,
    library: Library,
    names: Step,
    interactions: Mapping[ItemKind, Step],
    spaces: Mapping[str, Step],
) -> dict[str, Step]:
    """One step a surface. Surfaces are built from the spaces of the first model."""
    run, index = settings.run, settings.section("index")
    model = run.models[0]
    first = {kind: spaces[f"{model}-{kind}"] for kind in interactions}
    steps: dict[str, Step] = {}
    for line in available(library):
        surface = line.load()
        section = settings.section(f"surfaces.{line.name}")
        before = tuple(steps[name] for name in surface.needs(library))
        steps[line.name] = make_step(
            f"surface-{line.name}",
            f"Build {line.title}",
            _surface_work(
                surface, section, {kind: step.name for kind, step in first.items()}, before, index, run.processors
            ),
            kind="surface",
            needs=(names, *interactions.values(), *first.values(), *before),
            settings={**as_table(section), **{f"index.{name}": value for name, value in as_table(index).items()}},
        )
    return steps


def _surface_work(
    surface: Surface,
    section: Any,
    spaces: Mapping[ItemKind, str],
    before: Sequence[Step],
    index: IndexSettings,
    processors: int,
) -> Work:
    def work(draft: Draft, inputs: Mapping[str, Path], progress: Progress) -> None:
        given = SurfaceInputs(
            catalogue=Catalogue.load(inputs[NAMES]),
            artist_interactions=_load_interactions(inputs, "artist"),
            artist_space=load_space(inputs[spaces["artist"]]) if "artist" in spaces else None,
            track_interactions=_load_interactions(inputs, "track"),
            track_space=load_space(inputs[spaces["track"]]) if "track" in spaces else None,
            built={step.name.removeprefix("surface-"): SurfaceTable.load(inputs[step.name]) for step in before},
            index=index,
            threads=processors,
        )
        table = surface.build(given, section, progress)
        table.save(draft.path)
        draft.rows.update(keys=len(table.keys), entries=len(table.items))

    return work


def _load_interactions(inputs: Mapping[str, Path], kind: ItemKind) -> Interactions | None:
    place = inputs.get(f"interactions-{kind}")
    return Interactions.load(place, kind=kind) if place is not None else None
