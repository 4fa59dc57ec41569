"""What is close to what: for each item of a model the nearest others, as a table, and the index behind it.

Closeness is the model's similarity, shrunk by the evidence behind both ends and by how far each is close to everything
(`crossfade.ranking.popularity`). Lists
come from the table; where rules leave out so much that a list is short, the index is searched deeper. Whatever the
size of the table, two items also count as close if they are closer than nearly all pairs: above
`Neighbourhood.threshold`.

Cost: a search for each item, O(items² · factors) with an exact index; see `crossfade.nearest.backends` for the others.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Self

import numpy as np
import numpy.typing as npt

from crossfade.core.arrays import load_array
from crossfade.core.artifacts import translated_storage_errors
from crossfade.core.computed import row_map
from crossfade.core.csr import CSR, starts_of
from crossfade.core.errors import ArtifactError, InputError
from crossfade.core.ids import MISSING, Ids, Rows
from crossfade.core.progress import Progress, silent
from crossfade.core.settings import Checked, Range
from crossfade.core.spaces import Neighbours
from crossfade.models.contract import ComparesItems, Fitted, ItemIndex
from crossfade.nearest.backends import DEFAULT_SETTINGS
from crossfade.nearest.contract import IndexSettings
from crossfade.ranking.lists import Grouping, allowed
from crossfade.ranking.popularity import apart_from_all, evidence

ENTRIES = 4_000_000
"""Entries of lists that are searched or looked at together, some 32 MB."""

PAIRS = 250_000
"""Pairs that the percentile is estimated from; its standard error is then 0.014 percentage points."""

SIDE_BY_SIDE = 512
"""Pairs whose points are copied at a time: few enough for the core's own cache."""

EXACT = IndexSettings(backend="exact")

_DESCRIPTION, _INDEX = "neighbourhood.json", "index"
TABLE_FILES = _ROWS, _SCORES = "rows.npy", "scores.npy"
"""The files that have a row an item, its neighbours; the others are for searches."""

_SCALES = "scales.npy"


@dataclass(frozen=True, kw_only=True)
class NeighbourSettings(Checked):
    """What is kept of the nearest neighbours of an item."""

    size: Annotated[int, Range(1, 2000)] = 400  # neighbours kept for each item; Radio leaves many of them out
    shrinkage: Annotated[float, Range(0, 10_000)] = 2.0  # listeners (or texts) at which an item counts half
    # mean cosine to everything that is played at which an item counts half, so that what is close to everything doesn't
    # lead every list; 0: no such rule
    hubs: Annotated[float, Range(0, 100)] = 0.5
    close: Annotated[float, Range(50, 100)] = 99.5  # percentile of all pairs above which two items count as close


@dataclass(frozen=True, eq=False)
class Neighbourhood:
    """The nearest others of each item of one fitted model, by the model's rows.

    model       that compares the items; the closeness of any two is estimated from the points of its space
    scales      (items,) what each item counts: its evidence, and less if it is close to everything
    table       rows and scores (items, size): the closest others, padded with MISSING
    threshold   the closeness above which two items are close, even if neither is in the other's list
    recall      share of the true neighbours that the table has, on average of a sample
    open_index  opens the index behind the table
    """

    model: Fitted[Any]
    scales: npt.NDArray[np.float32]
    table: Neighbours
    threshold: float
    recall: float
    open_index: Callable[[], ItemIndex]

    @cached_property
    def index(self) -> ItemIndex:
        """The index behind the table."""
        return self.open_index()

    @classmethod
    def build(
        cls,
        model: Fitted[Any],
        settings: NeighbourSettings = NeighbourSettings(),
        index: IndexSettings = DEFAULT_SETTINGS,
        *,
        directory: Path | None = None,
        threads: int | None = None,
        progress: Progress = silent,
    ) -> Self:
        """Search the neighbours of all items of ``model``; InputError unless it compares items.

        The table has the same bytes for any number of ``threads``.

        With a ``directory`` the table is written there while it is made; `save` writes the rest.
        """
        hood = cls.without_table(model, settings, index)
        keys = np.arange(len(model.item_ids), dtype=np.int32)
        found = hood.searched(keys, hood.columns(settings), threads=threads)
        return hood.filled(found, hood.columns(settings), directory=directory, progress=progress)

    @classmethod
    def without_table(cls, model: Fitted[Any], settings: NeighbourSettings, index: IndexSettings = EXACT) -> Self:
        """Return a neighbourhood of ``model`` that searches what it is asked for; its table has no columns."""
        scales = _scales(model, settings)
        rows = np.empty((len(model.item_ids), 0), dtype=np.int32)
        searched = comparing(model).item_index(scales, index)
        threshold = percentile_of_pairs(model.space.points, scales, settings.close)
        table = Neighbours(rows, rows.astype(np.float32))
        return cls(model, scales, table, threshold, searched.recall, lambda: searched)

    def columns(self, settings: NeighbourSettings) -> int:
        """Return how many neighbours of an item a table has by ``settings``."""
        return min(settings.size, max(len(self.model.item_ids) - 1, 1))

    def searched(self, keys: Rows, size: int, *, threads: int | None = None) -> Iterator[tuple[Rows, Neighbours]]:
        """Yield the ``size`` closest others of ``keys`` (n,), some keys at a time.

        Those of a key do not depend on which others are asked for.
        """
        for some in _chunks(keys, size):
            yield some, self.index.nearest(some, size, threads=threads)

    def filled(
        self,
        found: Iterable[tuple[Rows, Neighbours]],
        size: int,
        *,
        directory: Path | None = None,
        progress: Progress = silent,
    ) -> Self:
        """Return the same with a table of ``size`` columns of what was ``found`` of all items, in their order.

        With a ``directory`` the table is written there while it is made.
        """
        items = len(self.model.item_ids)
        with translated_storage_errors(directory or Path()):
            table = Neighbours(
                _room(directory, _ROWS, (items, size), np.int32), _room(directory, _SCORES, (items, size), np.float32)
            )
            for keys, nearest in found:
                table.rows[keys], table.scores[keys] = nearest.rows, nearest.scores
                progress(int(keys[-1]) + 1, items, "items")
        return replace(self, table=table)

    def nearest(self, keys: Rows, depth: int, threads: int | None = None) -> Neighbours:
        """Return the ``depth`` closest others of each of ``keys`` (n,): from the table as far as it goes."""
        if depth <= self.table.rows.shape[1]:
            return Neighbours(self.table.rows[keys, :depth], self.table.scores[keys, :depth])
        return self.index.nearest(keys, depth, threads=threads)

    def save(self, directory: Path) -> None:
        """Write the table, unless it is there, and the index; the vectors stay with the model."""
        for name, array in ((_ROWS, self.table.rows), (_SCORES, self.table.scores)):
            if isinstance(array, np.memmap):
                array.flush()
            else:
                np.save(directory / name, array, allow_pickle=False)
        np.save(directory / _SCALES, self.scales, allow_pickle=False)
        (directory / _INDEX).mkdir()
        self.index.save(directory / _INDEX)
        described = {
            "space_id": self.model.space.space_id,
            "threshold": self.threshold,
            "recall": self.recall,
        }
        text = json.dumps(described, indent=2, sort_keys=True) + "\n"
        (directory / _DESCRIPTION).write_text(text, encoding="utf-8")

    @classmethod
    def load(cls, directory: Path, model: Fitted[Any]) -> Self:
        """Memory-map what `save` wrote for ``model``; the index is opened when it is needed.

        Raises SpaceMismatchError for another model, ArtifactError if a part is missing or does not fit.
        """
        rows = load_array(directory / _ROWS, dtype=np.int32, ndim=2)
        scores = load_array(directory / _SCORES, dtype=np.float32, ndim=2)
        scales = load_array(directory / _SCALES, dtype=np.float32, ndim=1)
        try:
            described = json.loads((directory / _DESCRIPTION).read_text(encoding="utf-8"))
            space_id = str(described["space_id"])
            threshold, recall = (float(described[name]) for name in ("threshold", "recall"))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ArtifactError(f"{directory} has no readable neighbour table: {error}. Build it again.") from error
        model.space.require_same(space_id, f"The neighbour table in {directory}")
        if not (len(rows) == len(scales) == len(model.item_ids) and rows.shape == scores.shape):
            raise ArtifactError(f"The neighbour table in {directory} does not fit {len(model.item_ids)} items.")
        compared, place = comparing(model), directory / _INDEX
        table = Neighbours(rows, scores)
        return cls(model, scales, table, threshold, recall, lambda: compared.load_item_index(place, scales))


def nearest_lists(
    neighbourhood: Neighbourhood,
    ids: Ids,
    size: int,
    groupings: Sequence[Grouping] = (),
    threads: int | None = None,
) -> Callable[[Rows], CSR]:
    """Return what gives the lists of the closest others of catalogue items, whose rows are those of ``ids``.

    Each is as long as the ``groupings`` allow, up to ``size``; that of an item that the model does not know is empty.
    What the groupings leave out is not known beforehand, so a list that comes out short is searched again, four times
    as deep.
    """
    model_ids, table = neighbourhood.model.item_ids, neighbourhood.table.rows.shape[1]
    to_model, to_catalogue = row_map(ids, model_ids), row_map(model_ids, ids)

    def lists_of(keys: Rows) -> CSR:
        rows = np.full((len(keys), size), MISSING, dtype=np.int32)
        scores = np.zeros((len(keys), size), dtype=np.float32)
        model_rows = to_model(keys)
        places = np.flatnonzero(model_rows != MISSING)
        depth = min(2 * size, table or len(model_ids))
        while places.size:
            short = []
            for some in _chunks(places, depth):
                best = neighbourhood.nearest(model_rows[some], depth, threads)
                others = to_catalogue(best.rows)
                kept = allowed(others, keys[some], groupings)
                order = np.cumsum(kept, axis=1) - 1
                kept &= order < size
                counts = kept.sum(axis=1)
                at = np.repeat(some * size, counts) + order[kept]
                # What an approximate index finds in a deeper search need not include all that it found before.
                rows[some] = MISSING
                rows.ravel()[at], scores.ravel()[at] = others[kept], best.scores[kept]
                short.append(some[(counts < size) & (best.rows[:, -1] != MISSING)])
            places = np.concatenate(short)
            # At most one more than there are others, so that the last search finds the end of a list.
            depth = min(4 * depth, table if depth < table else len(model_ids))
        listed = rows != MISSING
        return CSR(starts_of(listed.sum(axis=1)), rows[listed], scores[listed])

    return lists_of


def comparing(model: Fitted[Any]) -> ComparesItems:
    """Return ``model`` as one that compares items; InputError if it does not."""
    if not isinstance(model, ComparesItems):
        raise InputError(f"{model.name} doesn't compare items, so it has no neighbours")
    return model


def percentile_of_pairs(points: npt.NDArray[np.float32], scales: npt.NDArray[np.float32], percentile: float) -> float:
    """Return the closeness that ``percentile`` percent of all pairs of items do not exceed.

    That of a pair is the cosine of its ``points`` (items, width) times its ``scales`` (items,). Infinite for one item.
    """
    count = len(points)
    if count < 2:
        return float("inf")
    if count * (count - 1) // 2 <= PAIRS:
        first, second = np.triu_indices(count, k=1)
    else:
        # A fixed stream: the threshold is a property of the points alone.
        rng = np.random.default_rng(0)
        first = rng.integers(0, count, PAIRS)
        second = (first + rng.integers(1, count, PAIRS)) % count
    points = np.asarray(points)  # a part of a memory map takes longer
    lengths = np.sqrt(np.einsum("if,if->i", points, points, dtype=np.float64))
    factors = scales / np.where(lengths > 0, lengths, 1.0)
    closeness = np.empty(len(first), dtype=np.float32)
    for start in range(0, len(first), SIDE_BY_SIDE):
        span = slice(start, start + SIDE_BY_SIDE)
        one, other = first[span], second[span]
        closeness[span] = np.einsum("pf,pf->p", points[one], points[other]) * factors[one] * factors[other]
    return float(np.percentile(closeness, percentile))


def _scales(model: Fitted[Any], settings: NeighbourSettings) -> npt.NDArray[np.float32]:
    counted = apart_from_all(model.space.points, model.support, settings.hubs)
    return evidence(model.support, settings.shrinkage) * counted


def _chunks(rows: npt.NDArray[Any], width: int) -> list[npt.NDArray[Any]]:
    """``rows`` in parts whose lists of ``width`` entries have `ENTRIES` in all."""
    return np.array_split(rows, max(1, -(-rows.size * width // ENTRIES))) if rows.size else []


def _room(directory: Path | None, name: str, shape: tuple[int, int], dtype: Any) -> npt.NDArray[Any]:
    """Room for a table, in memory or in a file."""
    # A file without any numbers cannot be mapped.
    if directory is None or 0 in shape:
        return np.empty(shape, dtype=dtype)
    return np.lib.format.open_memmap(directory / name, mode="w+", dtype=dtype, shape=shape)
