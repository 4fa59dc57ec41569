"""The steps of a run, from a home's imports to its surfaces, and which of them a release is made of.

    imports ─► catalog ─► interactions of each kind ─► a fit of each model ─► its neighbours ─┐
                  └─────► catalogue of all items ─────────────────────────────────────────────┴─► surfaces ─► release

Every kind of item that was played has steps of its own, and so has one that is only in playlists: models learn from
those then, as if a playlist was a user, but there are no users. A model whose input the library lacks has no steps.
Surfaces are built from the first model of ``[run] models`` that compares items, and only its neighbours are computed
beforehand. The steps of the surfaces come first, so that pages can be published before the other models are fitted.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from crossfade.core.artifacts import MANIFEST, file_digest
from crossfade.core.errors import NotReadyError
from crossfade.core.home import Home
from crossfade.core.kinds import KINDS, kind_named
from crossfade.importing.library import imports, tables_of
from crossfade.models.contract import InputKind, missing_extra
from crossfade.models.registry import compares_items, model_class
from crossfade.pipeline import gathering, learning
from crossfade.pipeline.settings import Settings
from crossfade.pipeline.steps import Step, needing, plain
from crossfade.pipeline.warm import LEAST_PLAYS, warmed
from crossfade.surfaces.contract import Library, Listing
from crossfade.surfaces.registry import SURFACES, Registered


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

    def pages(self) -> "Plan":
        """Return the part of the plan that the surfaces need."""
        needed = {step.name for step in self.of("surface")}
        for name in reversed([*self.steps]):
            if name in needed:
                needed.update(self.steps[name].needs)
        return Plan(steps={name: step for name, step in self.steps.items() if name in needed}, skipped={})


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
        self._home, self._settings = home, settings
        self._steps: dict[str, Step] = {}
        # What an import has depends on what was there before it, so its content names it, not its origin.
        self._imports = {one.name: file_digest(one.path / MANIFEST) for one in imports(home)}
        self._plays = sum(one.manifest.rows.get(table, 0) for one in imports(home) for table in ("listens", "counts"))
        self._played = kinds_in([*tables["listens"], *tables["counts"]])
        listed = kinds_in(tables["playlist_items"])
        self._ordered = {*kinds_in(tables["listens"]), *listed}
        self._described = {*kinds_in([*tables["tags"], *tables["texts"]]), *listed}
        if not self._played and not listed:
            raise NotReadyError(
                f"There is no listening history in {home.path}. Import some with `crossfade import PATH`, or try "
                "`crossfade demo`."
            )
        self._catalog = self._add(gathering.BuildCatalog(imports=self._imports, settings=self._section("catalog")))
        self._counted = {kind: self._count(kind) for kind in KINDS if kind in {*self._played, *listed}}
        self._users = {kind: step for kind, step in self._counted.items() if kind in self._played}
        names = {kind: step.name for kind, step in self._users.items()}
        needs = needing(self._catalog, *self._users.values())
        self._catalogue = self._add(gathering.NameItems(needs=needs, counted=names))

    def plan(self) -> Plan:
        skipped = self._fit()
        models: dict[str, Step] = {}
        neighbours: dict[str, Step] = {}
        for fit in [step for step in self._steps.values() if isinstance(step, learning.FitModel)]:
            models.setdefault(fit.kind, fit)
            if fit.kind not in neighbours and compares_items(fit.model):
                models[fit.kind], neighbours[fit.kind] = fit, self._compare(fit)
        inputs = {"interactions": self._users, "models": models, "neighbours": neighbours}
        library = Library(kinds=[*self._users], compared=[*neighbours])
        for surface in SURFACES.values():
            for listing in surface.load().listings(library):
                self._add(self._surface(surface, listing, inputs))
        plan = Plan(steps=self._steps, skipped=skipped)
        return Plan(steps={**plan.pages().steps, **self._steps}, skipped=skipped)

    def _add(self, step: Step) -> Step:
        return self._steps.setdefault(step.name, step)

    def _section(self, name: str, prefix: str = "") -> dict[str, Any]:
        return {f"{prefix}{key}": value for key, value in plain(self._settings.section(name)).items()}

    def _count(self, kind: str) -> Step:
        """The step of the users' interactions with items of ``kind``, or if nobody played any, of the playlists'."""
        about: dict[str, Any] = {
            "kind": kind,
            "needs": needing(self._catalog),
            "settings": self._section("interactions"),
        }
        if kind in self._played:
            return self._add(gathering.CountInteractions(**about, imports=self._imports))
        return self._add(gathering.CountPlaylists(**about))

    def _fit(self) -> dict[str, str]:
        """Add the steps that fit models; why others are left out, by name."""
        skipped: dict[str, str] = {}
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
                fit = learning.FitModel(**about, source=source.name, needs=needing(source), settings=settings)
                warm = model.starts_warm and self._plays >= LEAST_PLAYS and settings["warm_iterations"]
                self._add(warmed(self._home, fit, source) if warm else fit)
        return skipped

    def _compare(self, fit: learning.FitModel) -> Step:
        """Add the step that computes the neighbours of the items of a model."""
        settings = {**self._section("neighbours"), **self._section("index", learning.INDEX)}
        about: dict[str, Any] = {"model": fit.model, "kind": fit.kind}
        return self._add(learning.ComputeNeighbours(**about, needs=needing(fit), settings=settings))

    def _source(self, learns_from: InputKind, kind: str) -> Step | None:
        """The step that makes what a model learns from; None if the library has nothing of it."""
        counted = self._catalogue if learns_from == "texts" else self._counted[kind]
        about: dict[str, Any] = {"kind": kind, "counted": counted.name, "needs": needing(self._catalog, counted)}
        if learns_from == "sequences" and kind in self._ordered:
            settings = self._section("sequences")
            return self._add(gathering.OrderSequences(**about, imports=self._imports, settings=settings))
        if learns_from == "texts" and kind in self._described:
            return self._add(gathering.GatherTexts(**about))
        return counted if learns_from == "interactions" else None

    def _surface(self, surface: Registered, listing: Listing, inputs: Mapping[str, Mapping[str, Step]]) -> Step:
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
        needs = needing(self._catalogue, *(step for steps in read.values() for step in steps.values()))
        settings = self._section(f"surfaces.{surface.name}")
        return learning.BuildSurface(**asdict(listing), **names, needs=needs, settings=settings)


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
