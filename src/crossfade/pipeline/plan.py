"""The steps of a run, from a home's imports to its surfaces, and which of them a release is made of.

    imports ─► catalog ─► interactions of each kind ─► a fit of each model ─► its neighbours ─┐
                  └─────► catalogue of all items ─────────────────────────────────────────────┴─► surfaces ─► release

Every kind of item that was played has steps of its own, and so has one that is only in playlists: models learn from
those then, as if a playlist was a user, but there are no users. A model whose input the library lacks has no steps.
Surfaces are built from the first model of ``[run] models`` that compares items.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import pyarrow.parquet as pq

from crossfade.core.artifacts import MANIFEST, file_digest
from crossfade.core.errors import NotReadyError
from crossfade.core.home import Home
from crossfade.core.kinds import KINDS, kind_named
from crossfade.importing.library import imports, tables_of
from crossfade.models.contract import ComparesItems, InputKind, missing_extra
from crossfade.models.registry import model_class
from crossfade.pipeline.gathering import (
    BuildCatalog,
    CountInteractions,
    CountPlaylists,
    GatherTexts,
    NameItems,
    OfKind,
    OrderSequences,
)
from crossfade.pipeline.learning import INDEX, BuildSurface, ComputeNeighbours, FitModel
from crossfade.pipeline.settings import Settings
from crossfade.pipeline.steps import Step, needing, plain
from crossfade.surfaces.contract import Library, Listing
from crossfade.surfaces.registry import SURFACES, Registered

AnyStep = TypeVar("AnyStep", bound=Step)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a run does.

    steps    every step by its name, each after those it needs
    fits     the names of those that fit models
    parts    the names of those whose artifacts a release keeps, to be opened as models
    tables   the names of those that build a table of a surface
    skipped  why a model is not fitted on a kind, by the name that its step would have
    """

    steps: Mapping[str, Step]
    fits: Sequence[str]
    parts: Sequence[str]
    tables: Sequence[str]
    skipped: Mapping[str, str]


def make_plan(home: Home, settings: Settings) -> Plan:
    """Return the plan for what ``home`` has today; NotReadyError if nothing has been imported."""
    return _Planning(home, settings).plan()


def kinds_in(paths: Sequence[Path]) -> list[str]:
    """Return the kinds of the rows of Parquet files, and of the parents that they name; mostly from statistics."""
    found: set[str] = set()
    for path in paths:
        with pq.ParquetFile(path) as file:
            for group in range(file.num_row_groups):
                found.update(_kinds_of_group(file, group))
    return [kind for kind in KINDS if kind in found]


class _Planning:
    def __init__(self, home: Home, settings: Settings) -> None:
        tables = tables_of(home)
        self._settings = settings
        self._steps: dict[str, Step] = {}
        # What an import has depends on what was there before it, so its content names it, not its origin.
        self._imports = {one.name: file_digest(one.path / MANIFEST) for one in imports(home)}
        self._played = kinds_in([*tables["listens"], *tables["counts"]])
        listed = kinds_in(tables["playlist_items"])
        self._ordered = {*kinds_in(tables["listens"]), *listed}
        self._described = {*kinds_in([*tables["tags"], *tables["texts"]]), *listed}
        if not self._played and not listed:
            raise NotReadyError(
                f"There is no listening history in {home.path}. Import some with `crossfade import PATH`, or try "
                "`crossfade demo`."
            )
        self._catalog = self._add(BuildCatalog(imports=self._imports, settings=self._section("catalog")))
        self._counted = {kind: self._count(kind) for kind in KINDS if kind in {*self._played, *listed}}

    def plan(self) -> Plan:
        played = {kind: step for kind, step in self._counted.items() if kind in self._played}
        catalogue = self._add(NameItems(needs=needing(self._catalog, *played.values()), counted=_names(played)))
        fits, neighbours, skipped = self._fits()
        leading: dict[str, Step] = {}
        for fit in sorted(fits, key=lambda one: one.name not in neighbours):
            leading.setdefault(fit.kind, fit)
        inputs: dict[str, Mapping[str, Step]] = {
            "interactions": played,
            "playlists": {kind: step for kind, step in self._counted.items() if kind not in self._played},
            "models": leading,
            "neighbours": {kind: neighbours[fit.name] for kind, fit in leading.items() if fit.name in neighbours},
        }
        library = Library(
            kinds=tuple(played), playlists=tuple(inputs["playlists"]), compared=tuple(inputs["neighbours"])
        )
        surfaces = [
            self._surface(surface, listing, catalogue, inputs)
            for surface in SURFACES.values()
            for listing in surface.load().listings(library)
        ]
        parts = (catalogue, *self._counted.values(), *fits, *neighbours.values())
        return Plan(
            steps=self._steps,
            fits=[step.name for step in fits],
            parts=[step.name for step in parts],
            tables=[step.name for step in surfaces],
            skipped=skipped,
        )

    def _add(self, step: AnyStep) -> AnyStep:
        self._steps.setdefault(step.name, step)
        return step

    def _section(self, name: str) -> dict[str, Any]:
        return plain(self._settings.section(name))

    def _count(self, kind: str) -> OfKind:
        """The step of the users' interactions with items of ``kind``, or if nobody played any, of the playlists'."""
        needs, settings = needing(self._catalog), self._section("interactions")
        if kind in self._played:
            return self._add(CountInteractions(kind=kind, needs=needs, imports=self._imports, settings=settings))
        return self._add(CountPlaylists(kind=kind, needs=needs, settings=settings))

    def _fits(self) -> tuple[list[FitModel], dict[str, ComputeNeighbours], dict[str, str]]:
        """The steps that fit models, those of their neighbours by the name of the fit, and why a fit is left out."""
        fits: list[FitModel] = []
        neighbours: dict[str, ComputeNeighbours] = {}
        skipped: dict[str, str] = {}
        comparing = {**self._section("neighbours"), **_prefixed(INDEX, self._section("index"))}
        for name in self._settings.run.models:
            model, settings = model_class(name), self._section(f"models.{name}")
            for kind in self._counted:
                source = self._source(model.learns_from, kind)
                if extra := missing_extra(model):
                    skipped[f"{name}-{kind}"] = f"install it with: pip install 'crossfade[{extra}]'"
                elif source is None:
                    skipped[f"{name}-{kind}"] = f"no {model.learns_from} of {kind_named(kind).plural} in this library"
                else:
                    needs = needing(source)
                    fit = FitModel(model=name, kind=kind, source=source.name, needs=needs, settings=settings)
                    fits.append(self._add(fit))
                    if issubclass(model.fitted_class, ComparesItems):
                        compare = ComputeNeighbours(model=name, kind=kind, needs=needing(fit), settings=comparing)
                        neighbours[fit.name] = self._add(compare)
        return fits, neighbours, skipped

    def _source(self, learns_from: InputKind, kind: str) -> OfKind | None:
        """The step that makes what a model learns from; None where the library has nothing of it."""
        counted = self._counted[kind]
        needs = needing(self._catalog, counted)
        if learns_from == "interactions":
            return counted
        if learns_from == "sequences" and kind in self._ordered:
            settings = self._section("sequences")
            return self._add(
                OrderSequences(kind=kind, counted=counted.name, needs=needs, imports=self._imports, settings=settings)
            )
        if learns_from == "texts" and kind in self._described:
            return self._add(GatherTexts(kind=kind, counted=counted.name, needs=needs))
        return None

    def _surface(
        self, surface: Registered, listing: Listing, catalogue: Step, inputs: Mapping[str, Mapping[str, Step]]
    ) -> BuildSurface:
        """The step of one table, from what the library has about the family of the items that it lists."""
        root = KINDS[listing.kind].root
        read = {
            name: {kind: step for kind, step in steps.items() if KINDS[kind].root == root}
            for name, steps in inputs.items()
            if surface.learned or name in ("interactions", "playlists")
        }
        return self._add(
            BuildSurface(
                **asdict(listing),
                **{name: _names(read.get(name, {})) for name in inputs},
                needs=needing(catalogue, *(step for steps in read.values() for step in steps.values())),
                settings=self._section(f"surfaces.{surface.name}"),
            )
        )


def _names(steps: Mapping[str, Step]) -> dict[str, str]:
    return {kind: step.name for kind, step in steps.items()}


def _prefixed(prefix: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    return {f"{prefix}{name}": value for name, value in settings.items()}


def _kinds_of_group(file: pq.ParquetFile, group: int) -> Iterator[str]:
    columns = [name for name in ("kind", "parent_id") if name in file.schema_arrow.names]
    metadata = file.metadata.row_group(group)
    statistics = [metadata.column(file.schema_arrow.names.index(name)).statistics for name in columns]
    # Compared by identity, since pyarrow's own comparison with None crashes.
    known = not any(one is None for one in statistics) and statistics[0].has_min_max
    if known and statistics[0].min == statistics[0].max:
        has_parents = any(column.null_count < metadata.num_rows for column in statistics[1:])
        found = {statistics[0].min: has_parents}
    else:
        table = file.read_row_group(group, columns).group_by("kind").aggregate([(columns[-1], "count")])
        found = {row["kind"]: row.get("parent_id_count", 0) > 0 for row in table.to_pylist()}
    for kind, has_parents in found.items():
        yield kind
        parent = kind_named(kind).parent
        if has_parents and parent:
            yield parent
