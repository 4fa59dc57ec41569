"""Spaces of models that say how similar items are, and score an item by a user's whole history.

    score_ui = Σ_j w_uj S_ji        over the items j that u played

Such a model has no vectors of its own. Its answers are exact all the same, from the similarities and the histories;
its vectors come near to them (`crossfade.models.sketch`), for whatever needs points: diversity, indexes, maps.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt

from crossfade.core.arrays import load_array
from crossfade.core.csr import CSR, gathered, starts_of
from crossfade.core.errors import ArtifactError, InputError
from crossfade.core.ids import MISSING, Ids, Rows
from crossfade.core.interactions import Interactions
from crossfade.core.spaces import Neighbours, Vectors
from crossfade.kernels import histories as kernels
from crossfade.kernels.threads import Range, balanced, each, processors
from crossfade.kernels.transposing import constant, transposed
from crossfade.models.contract import FittedSpace
from crossfade.models.sketch import sketched
from crossfade.nearest.contract import Index, Restriction
from crossfade.nearest.vectors import require_count

Damping = Literal["binary", "log", "none"]

ROW_COST = 2000
"""What a user or item costs beside its entries, in entries."""

BLOCK = 1024
"""Rows of dense similarities that are multiplied at a time."""


def damped(weights: npt.NDArray[np.float32], damping: Damping) -> npt.NDArray[np.float32]:
    """What weights (n,) count as: 1, ln(1 + weight), or themselves."""
    if damping == "binary":
        return np.ones(len(weights), dtype=np.float32)
    return np.log1p(weights) if damping == "log" else np.array(weights, dtype=np.float32)


def require_interactions(interactions: Interactions, model: str) -> None:
    """Raise InputError for interactions that ``model`` cannot learn from."""
    if not interactions.pairs:
        raise InputError(f"{model} cannot learn from no interactions: import listens first, or lower what drops them.")
    wrong = np.flatnonzero(~(np.isfinite(interactions.weights) & (interactions.weights > 0)))
    if wrong.size:
        raise InputError(
            f"weight {interactions.weights[wrong[0]]} at position {wrong[0]}: weights must be finite numbers above 0 "
            f"({wrong.size} of {interactions.pairs} are not)"
        )
    if interactions.indices.min() < 0 or interactions.indices.max() >= len(interactions.item_ids):
        raise InputError("the interactions name items beyond their own item ids; run `crossfade verify`")


@dataclass(frozen=True, eq=False, kw_only=True)
class SimilaritySpace(FittedSpace):
    """Similarities of items, and the histories of the users.

    histories     the users' rows: which items each played, ascending, and what each of them weighs
    similarities  the items' rows, sparse: the nearest items of each, best first; or all of them, (items, items) float32

    Recommendations, scores and similar items are those of the similarities, exactly, unless an index is handed in:
    that searches the vectors, which only come near. An item that no history leads to scores 0.
    """

    histories: CSR
    similarities: CSR | Vectors

    def __post_init__(self) -> None:
        users = 0 if self.user_ids is None else len(self.user_ids)
        items = len(self.item_ids)
        listed = self.similarities
        rows = listed.rows if isinstance(listed, CSR) else len(listed)
        if self.histories.rows != users or rows != items:
            raise ArtifactError(
                f"The histories of {self.histories.rows} users and the similarities of {rows} items do not fit a space "
                f"of {users} users and {items} items."
            )
        super().__post_init__()

    def only(self, user_id: str) -> Self:
        """The same space with one user, without a history if it does not know them; see `VectorSpace.only`."""
        if self.user_ids is None or self.user_vectors is None:
            return self
        row = self.user_ids.find(user_id)
        known = slice(0, 0) if row == MISSING else slice(*self.histories.indptr[row : row + 2])
        indices, weights = self.histories.indices[known], self.histories.values[known]
        vector = np.zeros(self.factors, dtype=np.float32) if row == MISSING else self.user_vectors[row]
        return replace(
            self,
            user_ids=Ids.of([user_id]),
            user_vectors=vector[None],
            histories=CSR(starts_of([len(indices)]), indices, weights),
        )

    def recommend(
        self,
        user_ids: Sequence[str],
        k: int,
        *,
        exclude: Interactions | None = None,
        exclude_items: Sequence[str] = (),
        allowed_items: Sequence[str] | None = None,
        index: Index | None = None,
        threads: int | None = None,
    ) -> Neighbours:
        """The ``k`` items that score best for each of the ``user_ids``; see `FittedSpace.recommend`."""
        asked: dict[str, Any] = {
            "exclude": exclude,
            "exclude_items": exclude_items,
            "allowed_items": allowed_items,
            "threads": threads,
        }
        if index is not None:
            return super().recommend(user_ids, k, index=index, **asked)
        known, _ = self._users()
        return self._best(known.rows(user_ids), self.histories, k, user_ids, **asked)

    def recommend_newcomers(
        self,
        histories: Interactions,
        k: int,
        *,
        exclude: Interactions | None = None,
        exclude_items: Sequence[str] = (),
        allowed_items: Sequence[str] | None = None,
        threads: int | None = None,
    ) -> Neighbours:
        """`recommend` for the users of ``histories``, row by row, whom the space need not know.

        They get what they would get had the similarities been learned without them. Items that the space does not
        know count for nothing; ``exclude=histories`` leaves out what they have played. Raises InputError for
        interactions with items of another kind.
        """
        if histories.kind != self.kind:
            raise InputError(f"a space of {self.kind}s cannot be asked with a history of {histories.kind}s")
        users = np.arange(len(histories.user_ids), dtype=np.int32)
        asked: dict[str, Any] = {
            "exclude": exclude,
            "exclude_items": exclude_items,
            "allowed_items": allowed_items,
            "threads": threads,
        }
        return self._best(users, self._history_of(histories), k, list(histories.user_ids), **asked)

    def recommend_items(
        self,
        item_ids: Sequence[str],
        plays: npt.ArrayLike,
        k: int,
        *,
        exclude_items: Sequence[str] = (),
        allowed_items: Sequence[str] | None = None,
        threads: int | None = None,
    ) -> Neighbours:
        """`recommend_newcomers` for one who played ``item_ids`` (n) as often as ``plays`` (n) says.

        ``exclude_items=item_ids`` leaves them out. Raises UnknownIdError for an item that the space does not know,
        InputError for plays that are not finite numbers above 0.
        """
        self.item_ids.rows(item_ids)
        one = Interactions.from_counts([""] * len(item_ids), item_ids, plays, kind=self.kind)
        if not one.pairs:
            raise InputError("nothing can be recommended to someone who played nothing; ask `popularity`")
        return self.recommend_newcomers(
            one, k, exclude_items=exclude_items, allowed_items=allowed_items, threads=threads
        )

    def scores(self, users: Rows) -> npt.NDArray[np.float32]:
        """(n, items) what each of the n ``users``, by row, scores for every item, played ones included."""
        self._users()
        scores = np.empty((len(users), len(self.item_ids)), dtype=np.float32)
        asked = np.ascontiguousarray(users, dtype=np.int32)
        if isinstance(self.similarities, CSR):
            kernels.score_by_lists(asked, _read(self.histories), _read(self.similarities), scores)
        else:
            kernels.score_by_matrix(asked, _read(self.histories), constant(self.similarities), scores)
        return scores

    def similar(
        self,
        item_ids: Sequence[str],
        k: int,
        *,
        exclude_items: Sequence[str] = (),
        allowed_items: Sequence[str] | None = None,
        index: Index | None = None,
        threads: int | None = None,
    ) -> Neighbours:
        """The ``k`` items that are most similar to each of the ``item_ids``, never the item itself.

        Sparse similarities know only the nearest of each, so that lists may be shorter. With an ``index`` by cosine
        it is the vectors that are searched. Raises UnknownIdError for an item that the space does not know.
        """
        if index is not None:
            return super().similar(
                item_ids, k, exclude_items=exclude_items, allowed_items=allowed_items, index=index, threads=threads
            )
        require_count(k)
        rows = self.item_ids.rows(item_ids)
        restriction = Restriction(
            barred=self._known_rows(exclude_items),
            allowed=None if allowed_items is None else self._known_rows(allowed_items),
        )
        opened = restriction.open_items(len(self.item_ids))
        found = np.full((len(rows), k), MISSING, dtype=np.int32)
        scores = np.full((len(rows), k), -np.inf, dtype=np.float32)
        if isinstance(self.similarities, CSR):
            indptr, places = gathered(self.similarities.indptr, rows)
            others = self.similarities.indices[places]
            ends = starts_of(opened[others])
            rank = ends[1:] - 1 - np.repeat(ends[indptr[:-1]], np.diff(indptr))
            kept = opened[others] & (rank < k)
            query = np.repeat(np.arange(len(rows)), np.diff(indptr))[kept]
            found[query, rank[kept]] = others[kept]
            scores[query, rank[kept]] = self.similarities.values[places][kept]
            return Neighbours(found, scores)
        itself = (np.arange(len(rows) + 1, dtype=np.int64), rows)
        matrix = self.similarities

        def search(query: int) -> None:
            row = np.array(matrix[rows[query]])
            kernels.keep_best(query, row, opened, itself, found[query], scores[query])

        each(search, range(len(rows)), threads or processors())
        return Neighbours(found, scores)

    def save(self, directory: Path) -> None:
        """Write it all into ``directory``."""
        super().save(directory)
        for name, array in self._arrays().items():
            np.save(directory / f"{name}.npy", array, allow_pickle=False)

    @classmethod
    def _load_more(cls, directory: Path) -> dict[str, Any]:
        dense = (directory / "similarities.npy").exists()
        return {
            "histories": _load_half(directory, "histories"),
            "similarities": load_array(directory / "similarities.npy", dtype=np.float32, ndim=2)
            if dense
            else _load_half(directory, "similarities"),
        }

    def _arrays(self) -> dict[str, npt.NDArray[Any]]:
        """What it has beyond vectors, by the names of their files."""
        arrays = {f"histories_{part}": array for part, array in self.histories._asdict().items()}
        if isinstance(self.similarities, CSR):
            return arrays | {f"similarities_{part}": array for part, array in self.similarities._asdict().items()}
        return arrays | {"similarities": self.similarities}

    def _digested(self) -> list[npt.NDArray[Any]]:
        return [*super()._digested(), *self._arrays().values()]

    def _history_of(self, interactions: Interactions) -> CSR:
        """The users of ``interactions`` with this space's items and weights."""
        weights = damped(interactions.weights, self.settings["damping"])
        if interactions.item_ids == self.item_ids:
            return CSR(interactions.indptr, interactions.indices, weights)
        indices = self.item_ids.rows(list(interactions.item_ids), missing="mark")[interactions.indices]
        known = indices != MISSING
        starts = starts_of(known)[interactions.indptr]
        return CSR(starts, indices[known], weights[known])

    def _best(
        self,
        users: Rows,
        histories: CSR,
        k: int,
        user_ids: Sequence[str],
        *,
        exclude: Interactions | None,
        exclude_items: Sequence[str],
        allowed_items: Sequence[str] | None,
        threads: int | None,
    ) -> Neighbours:
        require_count(k)
        indptr, indices = (None, np.zeros(0, dtype=np.int32)) if exclude is None else self._excluded(exclude, user_ids)
        restriction = Restriction(
            indptr=indptr,
            indices=indices,
            barred=self._known_rows(exclude_items),
            allowed=None if allowed_items is None else self._known_rows(allowed_items),
        )
        opened, excluded = restriction.open_items(len(self.item_ids)), restriction.of_queries(len(users))
        rows = np.full((len(users), k), MISSING, dtype=np.int32)
        scores = np.full((len(users), k), -np.inf, dtype=np.float32)
        asked, similarities = _read(histories), self.similarities

        def search(piece: Range) -> None:
            if isinstance(similarities, CSR):
                lists = _read(similarities)
                kernels.best_by_lists(*piece, users, asked, lists, opened, excluded, rows, scores)
            else:
                matrix = constant(similarities)
                kernels.best_by_matrix(*piece, users, asked, matrix, opened, excluded, rows, scores)

        each(search, balanced(starts_of(np.diff(histories.indptr)[users]), ROW_COST), threads or processors())
        return Neighbours(rows, scores)


def vectors_of(
    histories: CSR, similarities: CSR | Vectors, factors: int, seed: int, threads: int
) -> tuple[Vectors, Vectors]:
    """(users, factors) and (items, factors) float32 that come near to the ``similarities`` and their scores."""
    if isinstance(similarities, CSR):
        items = similarities.rows
        product = _sparse_product(similarities, threads)
    else:
        items = len(similarities)
        product = _dense_product(similarities, threads)
    item_vectors = sketched(product, items, factors, seed)
    return multiplied(histories, item_vectors, threads), item_vectors


def multiplied(half: CSR, vectors: Vectors, threads: int) -> Vectors:
    """``half`` (rows, n) times ``vectors`` (n, width), each row in one order: (rows, width) float32."""
    product = np.zeros((half.rows, vectors.shape[1]), dtype=np.float32)
    _add_products(half, vectors, product, threads)
    return product


def _add_products(half: CSR, vectors: Vectors, sums: Vectors, threads: int) -> None:
    read, factors = _read(half), constant(vectors)
    each(lambda piece: kernels.add_products(*piece, read, factors, sums), balanced(half.indptr, 10), threads)


def _sparse_product(lists: CSR, threads: int) -> Callable[[Vectors], Vectors]:
    turned = transposed(lists, lists.rows)

    def product(vectors: Vectors) -> Vectors:
        sums = np.zeros((lists.rows, vectors.shape[1]), dtype=np.float32)
        _add_products(lists, vectors, sums, threads)
        _add_products(turned, vectors, sums, threads)
        return sums * np.float32(0.5)

    return product


def _dense_product(matrix: Vectors, threads: int) -> Callable[[Vectors], Vectors]:
    items = len(matrix)

    def product(vectors: Vectors) -> Vectors:
        sums = np.empty((items, vectors.shape[1]), dtype=np.float32)

        def fill(first: int) -> None:
            part = slice(first, first + BLOCK)
            sums[part] = matrix[part] @ vectors + matrix[:, part].T @ vectors

        each(fill, range(0, items, BLOCK), threads)
        return sums * np.float32(0.5)

    return product


def _read(half: CSR) -> CSR:
    return CSR(constant(half.indptr), constant(half.indices), constant(half.values))


def _load_half(directory: Path, name: str) -> CSR:
    half = CSR(
        load_array(directory / f"{name}_indptr.npy", dtype=np.int64, ndim=1),
        load_array(directory / f"{name}_indices.npy", dtype=np.int32, ndim=1),
        load_array(directory / f"{name}_weights.npy", dtype=np.float32, ndim=1),
    )
    if not len(half.indptr) or len(half.indices) != half.indptr[-1] or len(half.indices) != len(half.values):
        raise ArtifactError(f"{directory}: the arrays of {name} do not fit each other.")
    return half
