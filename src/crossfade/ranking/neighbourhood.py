"""What is near to what: for each item the nearest others by rel, as a table, and the index behind it.

rel is the cosine in a space, shrunk by the evidence behind both ends (`crossfade.ranking.popularity`). The table is
what surfaces draw their lists from; the index answers where a list needs more than the table has.

Cost: a search for each item, O(items² · factors) with an exact index; see `crossfade.nearest.backends` for the others.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt

from crossfade.core.errors import ArtifactError, SettingsError
from crossfade.core.ids import Rows, load_array
from crossfade.core.progress import Progress, silent
from crossfade.core.rows import starts_of
from crossfade.core.spaces import Neighbours, VectorSpace
from crossfade.nearest.backends import DEFAULT_SETTINGS, build_index, load_index
from crossfade.nearest.contract import Index, IndexSettings, Restriction
from crossfade.ranking.lists import Lists
from crossfade.ranking.popularity import evident_space

ENTRIES = 4_000_000
"""Entries of the lists that are searched at a time, some 32 MB."""

_SAID, _INDEX = "neighbourhood.json", "index"


@dataclass(frozen=True, kw_only=True)
class NeighbourSettings:
    """What is kept of the items near to an item."""

    size: int = 400  # neighbours kept for each item, 1 to 2000; Radio needs more than it plays, as it leaves many out
    shrinkage: float = 2.0  # listeners at which an item's vector is believed half, 0 to 10000

    def __post_init__(self) -> None:
        if not 1 <= self.size <= 2000:
            raise SettingsError(f"neighbours.size must be 1 to 2000, not {self.size}")
        if not 0 <= self.shrinkage <= 10000:
            raise SettingsError(f"neighbours.shrinkage must be 0 to 10000 listeners, not {self.shrinkage}")


DEFAULTS = NeighbourSettings()


class Neighbourhood:
    """The table of one space.

    points  the items as vectors whose inner products are rel
    lists   of each item the others with the largest rel above zero, at most as many as were kept
    """

    def __init__(self, points: VectorSpace, lists: Lists, size: int, open_index: Callable[[], Index]) -> None:
        self.points = points
        self.lists = lists
        self.size = size
        self._open_index = open_index
        self._index: Index | None = None

    @classmethod
    def build(
        cls,
        space: VectorSpace,
        listeners: npt.NDArray[np.int64],
        settings: NeighbourSettings = DEFAULTS,
        index: IndexSettings = DEFAULT_SETTINGS,
        *,
        threads: int | None = None,
        progress: Progress = silent,
    ) -> Self:
        """Search ``space``, whose items have ``listeners`` (items,) each; the same bytes for any number of threads."""
        points = evident_space(space, listeners, settings.shrinkage)
        built = build_index(points, "dot", index)
        items = len(points.item_ids)
        size = min(settings.size, max(items - 1, 1))
        lengths = np.zeros(items, dtype=np.int64)
        rows, scores = [np.zeros(0, dtype=np.int32)], [np.zeros(0, dtype=np.float32)]
        chunk = max(1, ENTRIES // size)
        for first in range(0, items, chunk):
            keys = np.arange(first, min(first + chunk, items), dtype=np.int32)
            found = _others(built, points, keys, size, threads)
            kept = found.scores > 0
            lengths[keys] = kept.sum(axis=1)
            rows.append(found.rows[kept])
            scores.append(found.scores[kept])
            progress(int(keys[-1]) + 1, items, "neighbours")
        lists = Lists(indptr=starts_of(lengths), rows=np.concatenate(rows), scores=np.concatenate(scores))
        return cls(points, lists, size, lambda: built)

    def deeper(self, keys: Rows, depth: int, threads: int | None = None) -> Neighbours:
        """The ``depth`` others of each of ``keys`` (n,) with the largest rel, whatever the table has."""
        if self._index is None:
            self._index = self._open_index()
        return _others(self._index, self.points, keys, depth, threads)

    def save(self, directory: Path) -> None:
        """Write the table and the index; the vectors stay in the space."""
        for name, array in (("indptr", self.lists.indptr), ("rows", self.lists.rows), ("scores", self.lists.scores)):
            np.save(directory / f"{name}.npy", array, allow_pickle=False)
        place = directory / _INDEX
        place.mkdir()
        self._open_index().save(place)
        said = {"points": self.points.space_id, "size": self.size}
        (directory / _SAID).write_text(json.dumps(said, indent=2, sort_keys=True) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, directory: Path, space: VectorSpace, listeners: npt.NDArray[np.int64], shrinkage: float) -> Self:
        """Memory-map what `save` wrote of ``space``; the index is opened once it is needed.

        Raises SpaceMismatchError if it is of another space, other listeners or another shrinkage, ArtifactError if a
        part is missing or does not fit.
        """
        points = evident_space(space, listeners, shrinkage)
        try:
            said = json.loads((directory / _SAID).read_text(encoding="utf-8"))
            made_from, size = str(said["points"]), int(said["size"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ArtifactError(f"{directory} holds no readable table of neighbours: {error}") from error
        points.require_same(made_from, f"The table of neighbours in {directory}")
        lists = Lists(
            indptr=load_array(directory / "indptr.npy", dtype=np.int64, ndim=1),
            rows=load_array(directory / "rows.npy", dtype=np.int32, ndim=1),
            scores=load_array(directory / "scores.npy", dtype=np.float32, ndim=1),
        )
        if len(lists.indptr) != len(points.item_ids) + 1 or not int(lists.indptr[-1]) == len(lists.rows) == len(
            lists.scores
        ):
            raise ArtifactError(f"{directory}: the parts of this table of neighbours do not fit each other.")
        return cls(points, lists, size, lambda: load_index(directory / _INDEX, points))


def _others(index: Index, points: VectorSpace, keys: Rows, depth: int, threads: int | None) -> Neighbours:
    itself = Restriction(indptr=np.arange(len(keys) + 1, dtype=np.int64), indices=keys)
    return index.search(points.item_vectors[keys], min(depth, len(points.item_ids)), itself, threads=threads)
