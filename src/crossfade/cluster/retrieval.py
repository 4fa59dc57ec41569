"""Retrieval on many machines: neighbour tables of all items, and the lists of surfaces for all keys.

What every task searches (the index, the vectors of items, the names) is copied to each machine once, and memory-mapped
by its tasks. What has a row for each key (the histories and vectors of users, the neighbour table that Radio lists) is
read from the shared folder, by each task its own rows. A task computes a slice of keys by the code of the single
machine; the lists of a key do not depend on the others, so the artifact has the same bytes.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from crossfade.cluster.copies import local_artifact
from crossfade.cluster.engine import Engine
from crossfade.cluster.slices import Arrays, computed_in_slices, kept_open
from crossfade.core.artifacts import Identity, is_whole, read_manifest, writing
from crossfade.core.ids import Rows
from crossfade.core.progress import Progress, silent
from crossfade.core.spaces import Neighbours
from crossfade.core.tables import USER, SurfaceTable
from crossfade.models.contract import OF_MEMBERS, OF_USERS
from crossfade.models.registry import load_fitted
from crossfade.nearest.contract import IndexSettings
from crossfade.ranking.lists import RankedLists, joined
from crossfade.ranking.neighbourhood import TABLE_FILES, Neighbourhood, NeighbourSettings
from crossfade.surfaces.contract import Prepared, build_table, lists_of, table_of
from crossfade.surfaces.sources import TableSources

LEAST = 512
"""Keys of a slice: a block of the search."""


def compute_neighbours(
    engine: Engine,
    model: Path,
    settings: NeighbourSettings,
    index: IndexSettings,
    *,
    directory: Path,
    workspace: Path,
    threads: int = 1,
    progress: Progress = silent,
) -> Neighbourhood:
    """Return the neighbourhood of all items of the fitted model at ``model``; the table is written into ``directory``.

    It has the bytes of `Neighbourhood.build`. The index is built here.

    workspace  a directory of this step on the shared folder; what is complete there is used again
    threads    of a task
    """
    fitted = load_fitted(model)
    identity = Identity(
        kind="prepared-neighbours",
        version=1,
        inputs={"model": read_manifest(model).fingerprint},
        settings={"table": repr(settings), "index": repr(index)},
    )
    prepared = workspace / identity.fingerprint[:16]
    if not is_whole(prepared, identity.fingerprint):
        with writing(prepared, identity) as draft:
            Neighbourhood.without_table(fitted, settings, index).save(draft.path)
    hood = Neighbourhood.load(prepared, fitted)
    size, items = hood.columns(settings), len(fitted.item_ids)
    slices = computed_in_slices(
        engine,
        _NearestItems(model, prepared, size, threads),
        items,
        workspace / f"{identity.fingerprint[:16]}-{size}",
        least=LEAST,
        progress=progress,
    )
    return hood.filled(_in_order(slices), size, directory=directory)


@dataclass(frozen=True)
class _NearestItems:
    """Searches the ``size`` closest others of a slice of items, with the index in ``prepared``."""

    model: Path
    prepared: Path
    size: int
    threads: int

    def __call__(self, first: int, last: int) -> Arrays:
        hood = kept_open(f"{self.model} {self.prepared}", self._open)
        keys = np.arange(first, last, dtype=np.int32)
        found = [nearest for _, nearest in hood.searched(keys, self.size, threads=self.threads)]
        return {name: np.concatenate([getattr(one, name) for one in found]) for name in ("rows", "scores")}

    def _open(self) -> Neighbourhood:
        model = load_fitted(local_artifact(self.model, (*OF_USERS, *OF_MEMBERS)))
        hood = Neighbourhood.load(local_artifact(self.prepared), model)
        hood.index  # noqa: B018  # opened once, before several threads ask for it
        return hood


def _in_order(slices: Iterator[Arrays]) -> Iterator[tuple[Rows, Neighbours]]:
    done = 0
    for one in slices:
        rows = one["rows"]
        yield np.arange(done, done + len(rows), dtype=np.int32), Neighbours(rows, one["scores"])
        done += len(rows)


def build_table_in_slices(
    engine: Engine,
    sources: TableSources,
    *,
    workspace: Path,
    threads: int = 1,
    progress: Progress = silent,
) -> SurfaceTable:
    """Return the table of a surface with the lists of all keys, as `crossfade.surfaces.contract.build_table` does.

    The arguments are those of `compute_neighbours`. So few keys that they are one slice are asked for here.
    """
    prepared = sources.prepared(threads)
    if len(prepared.keys) <= LEAST:
        return build_table(prepared, sources.listing, progress)
    identity = Identity(
        kind="table-in-slices",
        version=1,
        inputs={str(place): read_manifest(place).fingerprint for place in _places(sources)},
        settings={"listing": repr(sources.listing), "settings": dict(sources.settings), "later": list(sources.later)},
    )
    compute = _ListsOfKeys(sources, identity.fingerprint, threads)
    place = workspace / identity.fingerprint[:16]
    slices = computed_in_slices(engine, compute, len(prepared.keys), place, least=LEAST, progress=progress)
    return table_of(prepared.keys, sources.listing, map(_ranked, slices))


@dataclass(frozen=True)
class _ListsOfKeys:
    """Makes the lists of a slice of keys."""

    sources: TableSources
    fingerprint: str
    threads: int

    def __call__(self, first: int, last: int) -> Arrays:
        prepared = kept_open(self.fingerprint, self._open)
        lists = joined(list(lists_of(prepared, first, last)))
        return {INDPTR: lists.indptr, ITEMS: lists.items, **lists.columns}

    def _open(self) -> Prepared:
        return local_sources(self.sources).prepared(self.threads)


INDPTR, ITEMS = "indptr", "items"


def _ranked(arrays: Arrays) -> RankedLists:
    columns = {name: array for name, array in arrays.items() if name not in (INDPTR, ITEMS)}
    return RankedLists(arrays[INDPTR], arrays[ITEMS], columns)


def local_sources(sources: TableSources) -> TableSources:
    """Return the ``sources`` with copies on this machine of what is not read by the rows of the keys."""

    def local(places: Mapping[str, Path], *shared: str) -> dict[str, Path]:
        return {kind: local_artifact(place, shared) for kind, place in places.items()}

    # A list of items for an item begins with the row of the table that is the item's.
    tables = () if sources.listing.key == USER else TABLE_FILES
    return replace(
        sources,
        catalogue=local_artifact(sources.catalogue),
        models=local(sources.models, *OF_USERS),
        neighbours=local(sources.neighbours, *tables),
    )


def _places(sources: TableSources) -> list[Path]:
    by_kind: list[Mapping[str, Any]] = [sources.interactions, sources.models, sources.neighbours]
    return [sources.catalogue, *(place for places in by_kind for place in places.values())]
