"""The nearest others of every item of a space, as one table.

Every item asks the index that its catalogue gets (`crossfade.nearest.backends`): exact search for small ones, clusters
for large ones, where questions of one region are answered together. How many of the true neighbours the table has is
then measured on a sample, by exact search.

O(items · what the index looks at · factors); memory is the table, or where it is written to files, a part of it.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from crossfade.core.arrays import load_array
from crossfade.core.artifacts import translated_storage_errors
from crossfade.core.errors import ArtifactError
from crossfade.core.ids import MISSING
from crossfade.core.progress import Progress, silent
from crossfade.core.spaces import Metric, Neighbours, VectorSpace
from crossfade.kernels.topk import lengths_of
from crossfade.nearest.backends import DEFAULT_SETTINGS, build_index
from crossfade.nearest.contract import Index, IndexSettings, Restriction
from crossfade.nearest.exact import ExactIndex
from crossfade.nearest.vectors import compared, require_count

ENTRIES = 4_000_000
"""Entries of the table that are searched at a time, some 32 MB."""

SAMPLE = 256
"""Items whose lists are held against exact search; their mean recall is then known to some half a hundredth."""

SEED = 1914
"""Of the sample."""

ROWS, SCORES = "rows.npy", "scores.npy"


@dataclass(frozen=True, eq=False, kw_only=True)
class NeighbourTable:
    """What is nearest to each item.

    neighbours  rows and scores (items, k) of the others, best first; memory-mapped where they were written to files
    index       what found them
    recall      share of the true neighbours that the lists hold, on average of a sample; 1 for exact search
    """

    neighbours: Neighbours
    index: Index
    recall: float


def neighbour_table(
    space: VectorSpace,
    k: int,
    settings: IndexSettings = DEFAULT_SETTINGS,
    *,
    metric: Metric = "cosine",
    directory: Path | None = None,
    threads: int | None = None,
    progress: Progress = silent,
) -> NeighbourTable:
    """The ``k`` nearest others of every item of ``space``, never itself; in files below ``directory`` if one is given.

    Scores are exact, equal ones stand in ascending row order, and the table is the same for any number of ``threads``
    (None: one for each processor). An item whose vector is zero is near to nothing: by cosine its list is of the
    first rows, with scores of 0. Raises InputError for k below 1 and for vectors that are not finite.
    """
    require_count(k)
    index = build_index(space, metric, settings)
    items = len(space.item_ids)
    vectors = compared(space, metric)
    with translated_storage_errors(directory or Path()):
        rows = _table(directory, ROWS, (items, k), np.int32)
        scores = _table(directory, SCORES, (items, k), np.float32)
        chunk = max(1, ENTRIES // k)
        for first in range(0, items, chunk):
            part = slice(first, min(first + chunk, items))
            keys = np.arange(part.start, part.stop, dtype=np.int32)
            found = index.search(vectors[part], k, _itself(keys), threads=threads)
            rows[part], scores[part] = found.rows, found.scores
            progress(part.stop, items, "items")
        if isinstance(rows, np.memmap) and isinstance(scores, np.memmap):
            rows.flush()
            scores.flush()
    table = Neighbours(rows, scores)
    return NeighbourTable(neighbours=table, index=index, recall=_recall(index, space, metric, table, threads))


def load_table(directory: Path, items: int) -> Neighbours:
    """Memory-map what `neighbour_table` wrote for ``items``; ArtifactError if it is missing or does not fit."""
    rows = load_array(directory / ROWS, dtype=np.int32, ndim=2)
    scores = load_array(directory / SCORES, dtype=np.float32, ndim=2)
    if not (len(rows) == items and rows.shape == scores.shape):
        raise ArtifactError(f"The table of neighbours in {directory} does not fit {items} items. Make it again.")
    return Neighbours(rows, scores)


def _itself(keys: npt.NDArray[np.int32]) -> Restriction:
    return Restriction(indptr=np.arange(len(keys) + 1, dtype=np.int64), indices=keys)


def _table(directory: Path | None, name: str, shape: tuple[int, int], dtype: Any) -> npt.NDArray[Any]:
    """Room for a table, in memory or in a file."""
    # A file without any numbers cannot be mapped.
    if directory is None or 0 in shape:
        room = np.empty(shape, dtype=dtype)
        if directory is not None:
            np.save(directory / name, room, allow_pickle=False)
        return room
    return np.lib.format.open_memmap(directory / name, mode="w+", dtype=dtype, shape=shape)


def _recall(index: Index, space: VectorSpace, metric: Metric, table: Neighbours, threads: int | None) -> float:
    """The share of found items that are no worse than the last of the true ones, over a sample of lists."""
    vectors = compared(space, metric)
    items = len(vectors)
    rng = np.random.default_rng(SEED)
    sample = np.sort(rng.choice(items, min(SAMPLE, items), replace=False)).astype(np.int32)
    sample = sample[lengths_of(np.ascontiguousarray(vectors[sample])) > 0]
    if index.backend == "exact" or items < 2 or not sample.size:
        return 1.0
    exact = ExactIndex.build(space, metric).search(
        vectors[sample], table.rows.shape[1], _itself(sample), threads=threads
    )
    wanted = exact.rows != MISSING
    least = np.where(wanted, exact.scores, np.inf).min(axis=1)
    held = (table.scores[sample] >= least[:, None]) & (table.rows[sample] != MISSING)
    return float(np.mean(np.minimum(held.sum(axis=1) / wanted.sum(axis=1), 1.0)))
