"""Fitted models whose users and items are vectors of one space, and what such models share.

FittedFactors     a score is the inner product or cosine of a user's vector and an item's
ComparedByCosine  any fitted model whose items are compared by cosine
SimilarByCosine   both
FittedItems       such a model that learned nothing of users: a profile is Σ ln(1 + w) · y/‖y‖ over the history,
                  w being the weight of an item, at length one
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Self

import numpy as np

from crossfade.core.csr import CSR, Starts, check_indices
from crossfade.core.errors import ArtifactError
from crossfade.core.ids import Id, Rows, listed_ids
from crossfade.core.interactions import Interactions
from crossfade.core.progress import Progress, silent
from crossfade.core.spaces import Metric, Neighbours, Vectors, VectorSpace
from crossfade.kernels.histories import multiplied
from crossfade.kernels.search.panels import unit_vectors
from crossfade.kernels.threads import threads_for
from crossfade.models.contract import Fitted, Floats, Profiles
from crossfade.nearest.backends import build_index, load_index
from crossfade.nearest.contract import EVERYTHING, Index, IndexSettings, Restriction, each_but
from crossfade.nearest.exact import ExactIndex
from crossfade.nearest.recall import measured_recall
from crossfade.nearest.vectors import checked_queries, pair_scores

_RECALL = "recall.json"


class Searched(Fitted[Profiles]):
    """A fitted model whose items are searched as points of its space."""

    def _searched(self, metric: Metric, index: Index | None) -> Index:
        """The index to search by ``metric``: the one handed in, if it fits, else exact search."""
        if index is None:
            return self._exact_by_dot if metric == "dot" else self._exact_by_cosine
        return self._require_index(index, metric)

    # Cached, because laying out the vectors for search costs as much as some hundred queries.
    @cached_property
    def _exact_by_dot(self) -> Index:
        return ExactIndex.build(self.space, "dot")

    @cached_property
    def _exact_by_cosine(self) -> Index:
        return ExactIndex.build(self.space, "cosine")


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class FittedFactors(Searched[Vectors]):
    """A fitted model whose profiles are vectors (n, factors) float32 of its space."""

    def trained_profiles(self, users: Rows) -> Vectors:
        """The vectors of trained users; see `Fitted.trained_profiles`."""
        check_indices(users, len(self._users()), "users")
        return np.asarray(self.space.user_vectors)[users]

    def best(
        self,
        profiles: Vectors,
        k: int,
        restriction: Restriction = EVERYTHING,
        *,
        index: Index | None = None,
        threads: int | None = None,
    ) -> Neighbours:
        """The ``k`` best items for each profile; see `Fitted.best`."""
        return self._searched(self.space.metric, index).search(profiles, k, restriction, threads=threads)

    def scores(self, profiles: Vectors, indptr: Starts, items: Rows, *, threads: int | None = None) -> Floats:
        """(n,) exact scores of pairs; see `Fitted.scores`."""
        queries = checked_queries(profiles, self.space.factors, self.space.metric)
        pairs = self._pairs(len(queries), indptr, items)
        return pair_scores(self.space.item_vectors, self.space.metric, queries, *pairs, threads)


class ComparedByCosine(Searched[Profiles]):
    """A fitted model with the capability `crossfade.models.contract.ComparesItems`, by the cosine of its points."""

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
        """The ``k`` items with the largest cosine to each of ``items``; see `ComparesItems.similar`."""
        names = listed_ids(items)
        rows = self.item_ids.rows(names)
        others = each_but(rows, self._restriction(exclude_items, allowed_items))
        found = self._searched("cosine", index).search(self.space.points[rows], k, others, threads=threads)
        return found.named(self.item_ids, names)

    def item_index(self, scales: Floats, settings: IndexSettings, *, progress: Progress = silent) -> "PointIndex":
        """Its items ready to be compared by cosine times ``scales``; see `ComparesItems.item_index`."""
        points = self._points(scales)
        return PointIndex.of(points, build_index(points, "dot", settings, progress=progress))

    def load_item_index(self, directory: Path, scales: Floats) -> "PointIndex":
        """Open what `PointIndex.save` wrote; see `ComparesItems.load_item_index`."""
        return PointIndex.load(directory, self._points(scales))

    def _points(self, scales: Floats) -> VectorSpace:
        """The items at the lengths ``scales`` (items,), so that their inner products are scaled cosines."""
        units = unit_vectors(np.ascontiguousarray(self.space.points))
        return VectorSpace(
            model=f"{self.name}, scaled",
            kind=self.kind,
            metric="dot",
            item_ids=self.item_ids,
            item_vectors=units * np.asarray(scales, dtype=np.float32)[:, None],
        )


class SimilarByCosine(ComparedByCosine[Vectors], FittedFactors):
    """Such a model of vectors that compares items."""


class FittedItems(SimilarByCosine):
    """A fitted model of items alone: a profile is the sum of a history's items, as the module says."""

    def profiles(self, histories: Interactions, *, threads: int | None = None) -> Vectors:
        """(n, factors) the directions of the items that the n users played; see `Fitted.profiles`."""
        rows = self.histories_of(histories)
        damped = CSR(rows.indptr, rows.indices, np.log1p(rows.values))
        return unit_vectors(multiplied(damped, self._units, threads_for(threads)))

    @cached_property
    def _units(self) -> Vectors:
        return unit_vectors(np.ascontiguousarray(self.space.points))


@dataclass(frozen=True, eq=False, kw_only=True)
class PointIndex:
    """Items as points whose inner products are compared; see `crossfade.models.contract.ItemIndex`."""

    points: VectorSpace
    index: Index
    recall: float

    @classmethod
    def of(cls, points: VectorSpace, index: Index) -> Self:
        """``index`` of ``points``, with its recall measured."""
        return cls(points=points, index=index, recall=measured_recall(index, points))

    def nearest(self, rows: Rows, k: int, *, threads: int | None = None) -> Neighbours:
        """The ``k`` best others of each of ``rows``; see `ItemIndex.nearest`."""
        return self.index.search(self.points.item_vectors[rows], k, each_but(rows), threads=threads).above(0)

    def save(self, directory: Path) -> None:
        """Write the index and its recall; the points follow from the model."""
        self.index.save(directory)
        (directory / _RECALL).write_text(json.dumps(self.recall) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, directory: Path, points: VectorSpace) -> Self:
        """Open what `save` wrote for the same ``points``; the errors are those of `Index.load`."""
        index = load_index(directory, points)
        try:
            recall = float(json.loads((directory / _RECALL).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError) as error:
            raise ArtifactError(f"{directory / _RECALL} cannot be read: {error}. Build the index again.") from error
        return cls(points=points, index=index, recall=recall)
