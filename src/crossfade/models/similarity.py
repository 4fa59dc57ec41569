"""Fitted models that know how similar items are, and score an item by a user's whole history.

    score_ui = Σ_j w_uj S_ji        over the items j that u played

A profile is the history itself, its weights damped. Such a model has no vectors of its own: its answers come from the
similarities, exactly, and the vectors of its space only approximate them (`crossfade.models.sketch`), for whatever
needs points: diversity, indexes, maps.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

import numpy as np

from crossfade.core.csr import CSR, starts_of
from crossfade.core.errors import ArtifactError, InputError, SpaceMismatchError
from crossfade.core.ids import Id, Rows, listed_ids, load_array
from crossfade.core.interactions import Interactions
from crossfade.core.progress import Progress, silent
from crossfade.core.settings import Checked, Range, as_table
from crossfade.core.spaces import Neighbours, Vectors, VectorSpace
from crossfade.kernels import histories as kernels
from crossfade.kernels.histories import Similarities, multiplied
from crossfade.kernels.threads import each, threads_for
from crossfade.kernels.transposing import constant
from crossfade.models.contract import Floats
from crossfade.models.histories import FittedHistories, Kernels, read_only
from crossfade.models.sketch import sketched
from crossfade.nearest.contract import EVERYTHING, Index, IndexSettings, Restriction, each_but
from crossfade.nearest.vectors import require_count

BLOCK = 1024
"""Rows of dense similarities that are multiplied at a time."""

_INDEX = "similarities.json"


@dataclass(frozen=True, kw_only=True)
class SimilaritySettings(Checked):
    """What models of similarities are fitted with."""

    # width of the vectors that approximate the similarities; 0: none, for a fit whose items are never points
    factors: Annotated[int, Range(8, 2048, also=(0,))] = 64
    seed: Annotated[int, Range(0)] = 0  # of all that is drawn


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class FittedSimilarity(FittedHistories):
    """Similarities of items, and the damped histories of the trained users.

    similarities  (items, items): the nearest of each item, best first; or all of them, float32

    Answers are those of the similarities, exactly, unless an index is handed in: that searches the vectors, which only
    approximate them. An item that no history leads to scores 0.
    """

    similarities: CSR | Vectors

    def __post_init__(self) -> None:
        super().__post_init__()
        items, similarities = len(self.item_ids), self.similarities
        shape = (similarities.rows, items) if isinstance(similarities, CSR) else similarities.shape
        if shape != (items, items):
            raise ArtifactError(f"Similarities of {shape[0]} items do not fit a space of {items} items.")

    def _kernels(self, profiles: CSR) -> Kernels:
        asked, similarities, count = read_only(profiles), self._kernel_form, len(self.item_ids)
        return Kernels(
            best_items=lambda first, last, *rest: kernels.best_items(first, last, asked, similarities, *rest),
            score_pairs=lambda first, last, *rest: kernels.score_pairs(first, last, asked, similarities, count, *rest),
        )

    def similar(
        self,
        items: Iterable[Id],
        k: int = 10,
        *,
        exclude_items: Iterable[Id] = (),
        allowed_items: Iterable[Id] | None = None,
        index: Index | None = None,
        threads: int | None = None,
    ) -> Neighbours:
        """The ``k`` items that are most similar to each of ``items``; see `ComparesItems.similar`.

        Lists of the nearest end early where ``k`` is larger. With an ``index`` by cosine the vectors are searched.
        """
        names = listed_ids(items)
        rows, restriction = self.item_ids.rows(names), self._restriction(exclude_items, allowed_items)
        if index is not None:
            self._require_index(index, "cosine")
            found = index.search(self.space.points[rows], k, each_but(rows, restriction), threads=threads)
        else:
            scales = np.ones(len(self.item_ids), dtype=np.float32)
            found = self.scaled(rows, k, scales, restriction, threads=threads)
        return found.named(self.item_ids, names)

    def scaled(
        self,
        rows: Rows,
        k: int,
        scales: Floats,
        restriction: Restriction = EVERYTHING,
        *,
        threads: int | None = None,
    ) -> Neighbours:
        """The ``k`` others of each of ``rows`` (n,) with the largest similarity times the ``scales`` of both ends."""
        require_count(k)
        opened, found = restriction.open_items(len(self.item_ids)), Neighbours.none(len(rows), k)
        if isinstance(self.similarities, CSR):
            lists = self.similarities.take(rows)
            query = np.repeat(np.arange(len(rows)), np.diff(lists.indptr))
            scores = lists.values * scales[rows][query] * scales[lists.indices]
            order = np.lexsort((lists.indices, -scores, query))
            order = order[opened[lists.indices[order]]]
            query = query[order]
            rank = np.arange(len(query)) - np.searchsorted(query, query)
            query, rank, order = query[rank < k], rank[rank < k], order[rank < k]
            found.rows[query, rank], found.scores[query, rank] = lists.indices[order], scores[order]
            return found
        matrix, itself = self.similarities, each_but(rows).of_queries(len(rows))

        def search(query: int) -> None:
            scores = matrix[rows[query]] * scales[rows[query]] * scales
            kernels.keep_best(query, scores, opened, itself, found.rows[query], found.scores[query])

        each(search, range(len(rows)), threads_for(threads))
        return found

    def item_index(self, scales: Floats, settings: IndexSettings, *, progress: Progress = silent) -> "SimilarityIndex":
        """Its similarities, scaled; see `ComparesItems.item_index`. They need no index, whatever the ``settings``."""
        return SimilarityIndex(model=self, scales=np.asarray(scales, dtype=np.float32))

    def load_item_index(self, directory: Path, scales: Floats) -> "SimilarityIndex":
        """Open what `SimilarityIndex.save` wrote; see `ComparesItems.load_item_index`."""
        index = SimilarityIndex(model=self, scales=np.asarray(scales, dtype=np.float32))
        try:
            written = json.loads((directory / _INDEX).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ArtifactError(f"{directory / _INDEX} cannot be read: {error}. Build the index again.") from error
        if written != index.made_from:
            raise SpaceMismatchError(f"The index in {directory} is of another model or other scales. Build it again.")
        return index

    def _save_more(self, directory: Path) -> None:
        super()._save_more(directory)
        if isinstance(self.similarities, CSR):
            self.similarities.save(directory, "similarities")
        else:
            np.save(directory / "similarities.npy", self.similarities, allow_pickle=False)

    @classmethod
    def _load_more(cls, directory: Path, space: VectorSpace) -> dict[str, Any]:
        dense = directory / "similarities.npy"
        return super()._load_more(directory, space) | {
            "similarities": load_array(dense, dtype=np.float32, ndim=2)
            if dense.exists()
            else CSR.load(directory, "similarities"),
        }

    @cached_property
    def _kernel_form(self) -> Similarities:
        if isinstance(self.similarities, CSR):
            return Similarities(read_only(self.similarities), constant(np.zeros((0, 0), dtype=np.float32)))
        nothing = CSR(np.zeros(1, np.int64), np.zeros(0, np.int32), np.zeros(0, np.float32))
        return Similarities(read_only(nothing), constant(self.similarities))


@dataclass(frozen=True, eq=False, kw_only=True)
class SimilarityIndex:
    """The similarities of one model, scaled; see `crossfade.models.contract.ItemIndex`."""

    model: FittedSimilarity
    scales: Floats
    recall: float = 1.0

    @property
    def made_from(self) -> dict[str, str]:
        """What tells one such index from another."""
        return {"space": self.model.space.space_id, "scales": hashlib.sha256(self.scales.tobytes()).hexdigest()}

    def nearest(self, rows: Rows, k: int, *, threads: int | None = None) -> Neighbours:
        """The ``k`` best others of each of ``rows``; see `ItemIndex.nearest`."""
        return self.model.scaled(rows, k, self.scales, threads=threads).above(0)

    def save(self, directory: Path) -> None:
        """Write what it was made from; the similarities stay in the model."""
        (directory / _INDEX).write_text(json.dumps(self.made_from, sort_keys=True) + "\n", encoding="utf-8")


def fitted(
    name: str,
    interactions: Interactions,
    settings: SimilaritySettings,
    histories: CSR,
    similarities: CSR | Vectors,
    threads: int,
    fitted_class: type[FittedSimilarity] = FittedSimilarity,
) -> FittedSimilarity:
    """The model ``name`` fitted on ``interactions``, whose damped ``histories`` (users, items) are its profiles.

    Raises InputError for similarities that are not finite.
    """
    if not np.isfinite(similarities.values if isinstance(similarities, CSR) else similarities).all():
        raise InputError(
            f"{name} has similarities that are not finite numbers: its settings or weights are too extreme"
        )
    if isinstance(similarities, CSR):
        product = _sparse_product(similarities, threads)
    else:
        product = _dense_product(similarities, threads)
    item_vectors = sketched(product, len(interactions.item_ids), settings.factors, settings.seed)
    return fitted_class(
        space=VectorSpace(
            model=name,
            kind=interactions.kind,
            metric="dot",
            item_ids=interactions.item_ids,
            item_vectors=item_vectors,
            user_ids=interactions.user_ids,
            user_vectors=multiplied(histories, item_vectors, threads),
            settings=as_table(settings),
        ),
        support=interactions.listeners(),
        histories=histories,
        similarities=similarities,
    )


def largest(scores: Floats, k: int) -> CSR:
    """The ``k`` largest entries above 0 of each row of ``scores`` (n, items), best first, ties by column."""
    queries, items = scores.shape
    found, nothing = Neighbours.none(queries, min(k, items)), EVERYTHING.of_queries(queries)
    everything = np.ones(items, dtype=np.bool_)
    kernels.best_of_rows(np.array(scores, order="C"), everything, nothing, found.rows, found.scores)
    kept = found.scores > 0
    return CSR(starts_of(kept.sum(axis=1)), found.rows[kept], found.scores[kept])


def stacked(parts: Sequence[CSR]) -> CSR:
    """The rows of all ``parts``, one after the other."""
    lengths = np.concatenate([np.diff(part.indptr) for part in parts])
    indices, values = (np.concatenate([part[place] for part in parts]) for place in (1, 2))
    return CSR(starts_of(lengths), indices, values)


def _sparse_product(lists: CSR, threads: int) -> Callable[[Vectors], Vectors]:
    """The product of the symmetric part of ``lists`` with vectors (items, width)."""
    from scipy.sparse import csr_array

    matrix = csr_array((lists.values, lists.indices, lists.indptr), shape=(lists.rows, lists.rows))
    both = ((matrix + matrix.T) * np.float32(0.5)).tocsr()
    symmetric = CSR(both.indptr.astype(np.int64), both.indices.astype(np.int32), both.data)
    return lambda vectors: multiplied(symmetric, vectors, threads)


def _dense_product(matrix: Vectors, threads: int) -> Callable[[Vectors], Vectors]:
    """The product of the symmetric part of ``matrix`` with vectors (items, width)."""
    items = len(matrix)

    def product(vectors: Vectors) -> Vectors:
        sums = np.empty((items, vectors.shape[1]), dtype=np.float32)

        def fill(first: int) -> None:
            part = slice(first, first + BLOCK)
            sums[part] = matrix[part] @ vectors + matrix[:, part].T @ vectors

        each(fill, range(0, items, BLOCK), threads)
        return sums * np.float32(0.5)

    return product
