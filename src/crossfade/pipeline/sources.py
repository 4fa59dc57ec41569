"""The steps that make what models learn from, of all imports or of some.

Every kind of item that was played has interactions of its own, and so has one that is only in playlists: models learn
from those then, as if a playlist was a user.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

import pyarrow.parquet as pq

from crossfade.core.kinds import KINDS, kind_named
from crossfade.models.contract import InputKind
from crossfade.pipeline import blending, gathering
from crossfade.pipeline.settings import Settings
from crossfade.pipeline.steps import Step, needing, plain

Imports = Mapping[str, str]
"""The checksum of each import, by name."""


class Kinds(NamedTuple):
    """The kinds of a home's rows: played, in playlists, in an order, and those that somebody wrote about."""

    played: Collection[str]
    listed: Collection[str]
    ordered: Collection[str]
    described: Collection[str]

    @classmethod
    def of(cls, tables: Mapping[str, Sequence[Path]]) -> Self:
        listed = kinds_in(tables["playlist_items"])
        return cls(
            played=kinds_in([*tables["listens"], *tables["counts"]]),
            listed=listed,
            ordered={*kinds_in(tables["listens"]), *listed},
            described={*kinds_in([*tables["tags"], *tables["texts"]]), *listed},
        )


class Sources:
    """The steps that make what models learn from, of some imports.

    steps    those that every run needs, by name
    counted  the interactions by kind: of users, or of playlists with what nobody played
    users    those of users
    learned  the kinds that there is anything to learn of: also those that were only written about
    """

    def __init__(self, settings: Settings, kinds: Kinds, imports: Imports) -> None:
        self._settings, self._kinds, self._imports = settings, kinds, imports
        self._catalog = gathering.BuildCatalog(imports=imports, settings=section(settings, "catalog"))
        self.counted = {kind: self._count(kind) for kind in KINDS if kind in {*kinds.played, *kinds.listed}}
        self.users = {kind: step for kind, step in self.counted.items() if kind in kinds.played}
        self.learned = [kind for kind in KINDS if kind in {*self.counted, *kinds.described}]
        names = {kind: step.name for kind, step in self.users.items()}
        needs = needing(self._catalog, *self.users.values())
        self.catalogue = gathering.NameItems(needs=needs, counted=names)
        self.steps = {step.name: step for step in (self._catalog, *self.counted.values(), self.catalogue)}

    def _count(self, kind: str) -> Step:
        """The step of the users' interactions with items of ``kind``, or if nobody played any, of the playlists'."""
        about: dict[str, Any] = {
            "kind": kind,
            "needs": needing(self._catalog),
            "settings": section(self._settings, "interactions"),
        }
        if kind in self._kinds.played:
            return gathering.CountInteractions(**about, imports=self._imports)
        return gathering.CountPlaylists(**about)

    def source(self, learns_from: InputKind, kind: str) -> Step | None:
        """Return the step that makes what a model learns from; None if there is nothing of it."""
        counted = self.catalogue if learns_from == "texts" else self.counted.get(kind)
        if counted is None:
            return None
        about: dict[str, Any] = {"kind": kind, "counted": counted.name, "needs": needing(self._catalog, counted)}
        if learns_from == "sequences" and kind in self._kinds.ordered:
            settings = section(self._settings, "sequences")
            return gathering.OrderSequences(**about, imports=self._imports, settings=settings)
        if learns_from == "texts" and kind in self._kinds.described:
            return gathering.GatherTexts(**about)
        return counted if learns_from == "interactions" else None

    def cut(self, kind: str, blend: Mapping[str, Any]) -> Step:
        """Return the step that leaves out some plays, for a blend of these settings to learn from."""
        settings = {**section(self._settings, "interactions"), "hidden": blend["hidden"], "seed": blend["seed"]}
        counted = self.counted[kind]
        return blending.CutPlays(
            kind=kind,
            counted=counted.name,
            needs=needing(self._catalog, counted),
            imports=self._imports,
            settings=settings,
        )

    def of_cut(self, learns_from: InputKind, kind: str, cut: Step) -> Step:
        """Return the step that makes what a model of interactions or sequences learns from, of the ``cut``."""
        if learns_from == "interactions":
            return cut
        return blending.CutSequences(
            kind=kind,
            counted=cut.name,
            needs=needing(self._catalog, cut),
            imports=self._imports,
            settings=section(self._settings, "sequences"),
        )


def kinds_in(paths: Sequence[Path]) -> list[str]:
    """Return the kinds of the rows of Parquet files, and of the parents that they name; mostly from statistics."""
    found: set[str] = set()
    for path in paths:
        with pq.ParquetFile(path) as file:
            for group in range(file.num_row_groups):
                found.update(_kinds_of_group(file, group))
    return [kind for kind in KINDS if kind in found]


def section(settings: Settings, name: str, prefix: str = "") -> dict[str, Any]:
    """Return the settings of one table as a step has them."""
    return {f"{prefix}{key}": value for key, value in plain(settings.section(name)).items()}


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
