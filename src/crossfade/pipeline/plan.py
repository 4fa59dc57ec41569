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
    skipped  why a model is not fitted on a kind, by the name that its step would have
    """

    steps: Mapping[str, Step]
    skipped: Mapping[str, str]

    def of(self, *actions: str) -> list[Step]:
        """Return the steps of these actions."""
        return [step for step in self.steps.values() if step.action in actions]


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
        names = {kind: step.name for kind, step in played.items()}
        catalogue = self._add(NameItems(needs=needing(self._catalog, *played.values()), counted=names))
        fits, neighbours, skipped = self._fits()
        leading: dict[str, Step] = {}
        for fit in sorted(fits, key=lambda one: one.name not in neighbours):
            leading.setdefault(fit.kind, fit)
        inputs: dict[str, dict[str, Step]] = {
            "interactions": played,
            "models": leading,
            "neighbours": {kind: neighbours[fit.name] for kind, fit in leading.items() if fit.name in neighbours},
        }
        library = Library(kinds=[*played], compared=[*inputs["neighbours"]])
        for surface in SURFACES.values():
            for listing in surface.load().listings(library):
                self._add(self._surface(surface, listing, catalogue, inputs))
        return Plan(steps=self._steps, skipped=skipped)

    def _add(self, step: AnyStep) -> AnyStep:
        self._steps.setdefault(step.name, step)
        return step

    def _section(self, name: str, prefix: str = "") -> dict[str, Any]:
        return {f"{prefix}{key}": value for key, value in plain(self._settings.section(name)).items()}

    def _count(self, kind: str) -> Step:
        """The step of the users' interactions with items of ``kind``, or if nobody played any, of the playlists'."""
        needs, settings = needing(self._catalog), self._section("interactions")
        if kind in self._played:
            return self._add(CountInteractions(kind=kind, needs=needs, imports=self._imports, settings=settings))
        return self._add(CountPlaylists(kind=kind, needs=needs, settings=settings))

    def _fits(self) -> tuple[list[Step], dict[str, Step], dict[str, str]]:
        """The steps that fit models, those of their neighbours by the name of the fit, and why a fit is left out."""
        fits: list[Step] = []
        neighbours: dict[str, Step] = {}
        skipped: dict[str, str] = {}
        comparing = {**self._section("neighbours"), **self._section("index", INDEX)}
        for name in self._settings.run.models:
            model, settings = model_class(name), self._section(f"models.{name}")
            extra = missing_extra(model)
            for kind in self._counted:
                source = None if extra else self._source(model.learns_from, kind)
                if source is None:
                    reason = f"no {model.learns_from} of {kind_named(kind).plural} in this library"
                    skipped[f"{name}-{kind}"] = f"pip install 'crossfade[{extra}]'" if extra else reason
                    continue
                about: dict[str, Any] = {"model": name, "kind": kind}
                fit = self._add(FitModel(**about, source=source.name, needs=needing(source), settings=settings))
                fits.append(fit)
                if issubclass(model.fitted_class, ComparesItems):
                    compare = ComputeNeighbours(**about, needs=needing(fit), settings=comparing)
                    neighbours[fit.name] = self._add(compare)
        return fits, neighbours, skipped

    def _source(self, learns_from: InputKind, kind: str) -> Step | None:
        """The step that makes what a model learns from; None if the library has nothing of it."""
        counted = self._counted[kind]
        needs = needing(self._catalog, counted)
        if learns_from == "sequences" and kind in self._ordered:
            settings, listens = self._section("sequences"), self._imports
            return self._add(
                OrderSequences(kind=kind, counted=counted.name, needs=needs, imports=listens, settings=settings)
            )
        if learns_from == "texts" and kind in self._described:
            return self._add(GatherTexts(kind=kind, counted=counted.name, needs=needs))
        return counted if learns_from == "interactions" else None

    def _surface(
        self, surface: Registered, listing: Listing, catalogue: Step, inputs: Mapping[str, Mapping[str, Step]]
    ) -> Step:
        """The step of one table, from what the library has of the kinds that it lists and gives as reasons."""
        kinds = {listing.kind, listing.reason_kind}
        counts_alone = listing.kind in self._played and not surface.learned
        read = {
            name: {
                kind: steps[kind] for kind in steps if kind in kinds and (name == "interactions" or not counts_alone)
            }
            for name, steps in inputs.items()
        }
        names: dict[str, Any] = {name: {kind: step.name for kind, step in read[name].items()} for name in read}
        needs = needing(catalogue, *(step for steps in read.values() for step in steps.values()))
        settings = self._section(f"surfaces.{surface.name}")
        return BuildSurface(**asdict(listing), **names, needs=needs, settings=settings)


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
