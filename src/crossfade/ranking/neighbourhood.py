"""What is near to what: for each item the nearest others by rel, as a table, and the index behind it.

rel is the cosine in a space, shrunk by the evidence behind both ends (`crossfade.ranking.popularity`). The table is
what surfaces draw their lists from; the index answers where a list needs more than the table has.

Cost: a search for each item, O(items² · factors) with an exact index; see `crossfade.nearest.backends` for the others.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
import numpy.typing as npt

from crossfade.core.errors import ArtifactError, SettingsError
from crossfade.core.ids import MISSING, Rows
from crossfade.core.progress import Progress, silent
from crossfade.core.spaces import Neighbours, VectorSpace
from crossfade.nearest.backends import DEFAULT_SETTINGS, load_index
from crossfade.nearest.contract import Index, IndexSettings, Restriction
from crossfade.ranking.popularity import evidence, evident_space

if TYPE_CHECKING:
    from crossfade.models.similarity import SimilaritySpace

BLOCK = 8192
"""Items whose lists are looked through at a time."""

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

    points  the items as vectors whose inner products are rel; of a model of similarities they only come near
    table   rows and scores (items, size): the others with the largest rel above zero, padded with MISSING
    recall  share of the true neighbours that the table has, on average of a sample
    """

    def __init__(
        self, points: VectorSpace, table: Neighbours, recall: float, open_index: Callable[[], Index] | None
    ) -> None:
        self.points = points
        self.table = table
        self.recall = recall
        self._open_index = open_index
        self._index: Index | None = None

    @property
    def size(self) -> int:
        """How many neighbours an item can have in the table."""
        return int(self.table.rows.shape[1])

    @classmethod
    def build(
        cls,
        space: VectorSpace,
        listeners: npt.NDArray[np.int64],
        settings: NeighbourSettings = DEFAULTS,
        index: IndexSettings = DEFAULT_SETTINGS,
        *,
        directory: Path | None = None,
        threads: int | None = None,
        progress: Progress = silent,
    ) -> Self:
        """Search ``space``, whose items have ``listeners`` (items,) each; the same bytes for any number of threads.

        With a ``directory`` a table that is searched for is written there while it is made; `save` writes the rest.
        """
        # Imported here, because those who only name surfaces need no kernels.
        from crossfade.models.similarity import SimilaritySpace
        from crossfade.nearest.tables import neighbour_table

        points = evident_space(space, listeners, settings.shrinkage)
        size = min(settings.size, max(len(points.item_ids) - 1, 1))
        if isinstance(space, SimilaritySpace):
            held = evidence(listeners, settings.shrinkage)
            return cls(points, _by_similarity(space, held, size, threads, progress), 1.0, None)
        made = neighbour_table(
            points, size, index, metric="dot", directory=directory, threads=threads, progress=progress
        )
        rows, scores = made.neighbours.rows, made.neighbours.scores
        for first in range(0, len(rows), BLOCK):
            part = slice(first, first + BLOCK)
            none = ~(scores[part] > 0)
            rows[part][none], scores[part][none] = MISSING, -np.inf
        return cls(points, made.neighbours, made.recall, lambda: made.index)

    def deeper(self, keys: Rows, depth: int, threads: int | None = None) -> Neighbours:
        """The ``depth`` others of each of ``keys`` (n,) with the largest rel, whatever the table has.

        A model of similarities knows no more than the table.
        """
        if self._open_index is None:
            known = min(depth, self.size)
            rows = np.full((len(keys), depth), MISSING, dtype=np.int32)
            scores = np.full((len(keys), depth), -np.inf, dtype=np.float32)
            rows[:, :known], scores[:, :known] = self.table.rows[keys, :known], self.table.scores[keys, :known]
            return Neighbours(rows, scores)
        if self._index is None:
            self._index = self._open_index()
        itself = Restriction(indptr=np.arange(len(keys) + 1, dtype=np.int64), indices=keys)
        depth = min(depth, len(self.points.item_ids))
        return self._index.search(self.points.item_vectors[keys], depth, itself, threads=threads)

    def save(self, directory: Path) -> None:
        """Write the table, unless it is there, and the index; the vectors stay in the space."""
        from crossfade.nearest.tables import ROWS, SCORES

        for name, array in ((ROWS, self.table.rows), (SCORES, self.table.scores)):
            if isinstance(array, np.memmap):
                array.flush()
            else:
                np.save(directory / name, array, allow_pickle=False)
        if self._open_index is not None:
            place = directory / _INDEX
            place.mkdir()
            self._open_index().save(place)
        said = {"points": self.points.space_id, "recall": self.recall, "index": self._open_index is not None}
        (directory / _SAID).write_text(json.dumps(said, indent=2, sort_keys=True) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, directory: Path, space: VectorSpace, listeners: npt.NDArray[np.int64], shrinkage: float) -> Self:
        """Memory-map what `save` wrote of ``space``; the index is opened once it is needed.

        Raises SpaceMismatchError if it is of another space, other listeners or another shrinkage, ArtifactError if a
        part is missing or does not fit.
        """
        from crossfade.nearest.tables import load_table

        points = evident_space(space, listeners, shrinkage)
        try:
            said = json.loads((directory / _SAID).read_text(encoding="utf-8"))
            made_from, recall, indexed = str(said["points"]), float(said["recall"]), bool(said["index"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ArtifactError(f"{directory} holds no readable table of neighbours: {error}") from error
        points.require_same(made_from, f"The table of neighbours in {directory}")
        table = load_table(directory, len(points.item_ids))
        return cls(points, table, recall, (lambda: load_index(directory / _INDEX, points)) if indexed else None)


def _by_similarity(
    space: "SimilaritySpace",
    held: npt.NDArray[np.float32],
    size: int,
    threads: int | None,
    progress: Progress,
) -> Neighbours:
    """The table of a model that lists what is similar: its similarities, shrunk by the evidence and put in order."""
    items = len(space.item_ids)
    table = Neighbours(
        np.full((items, size), MISSING, dtype=np.int32), np.full((items, size), -np.inf, dtype=np.float32)
    )
    for first in range(0, items, BLOCK):
        keys = np.arange(first, min(first + BLOCK, items), dtype=np.int32)
        found = space.similar(space.item_ids.select(keys), size, threads=threads)
        scores = np.where(found.rows == MISSING, -np.inf, found.scores * held[keys][:, None] * held[found.rows])
        scores[~(scores > 0)] = -np.inf
        rows = np.where(scores > 0, found.rows, MISSING)
        order = np.lexsort((rows, -scores), axis=1)
        table.rows[keys] = np.take_along_axis(rows, order, axis=1)
        table.scores[keys] = np.take_along_axis(scores, order, axis=1)
        progress(int(keys[-1]) + 1, items, "items")
    return table
