"""Fitted models whose profile of a user is the history itself, its weights damped."""

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from crossfade.core.csr import CSR, Starts, check_indices, check_indptr
from crossfade.core.errors import ArtifactError, InputError
from crossfade.core.ids import Rows
from crossfade.core.interactions import Interactions
from crossfade.core.spaces import Neighbours, VectorSpace
from crossfade.core.training import converted
from crossfade.kernels.histories import multiplied
from crossfade.kernels.threads import balanced, each, threads_for
from crossfade.kernels.transposing import constant
from crossfade.models.contract import Fitted, Floats
from crossfade.nearest.contract import EVERYTHING, Index, Restriction
from crossfade.nearest.vectors import require_count

Damping = Literal["binary", "log", "none"]


ROW_COST = 2000
"""What a history or item costs besides its entries, in entries."""


class Kernels(NamedTuple):
    """What answers for some profiles, of which each call takes the numbers of the first and of the one after the last.

    best_items   (…, open items, excluded, rows, scores), of which it writes the last two
    score_pairs  (…, starts, rows, scores), of which it writes the last
    """

    best_items: Callable[..., None]
    score_pairs: Callable[..., None]


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class FittedHistories(Fitted[CSR]):
    """A fitted model that answers from histories, with those of the trained users.

    Answers are exact; with an index the vectors of its space are searched, which only approximate them.

    histories  (users, items), damped as the setting ``damping`` says, items ascending
    """

    histories: CSR

    def __post_init__(self) -> None:
        super().__post_init__()
        users = len(self.user_ids or ())
        if self.histories.rows != users:
            raise ArtifactError(f"Histories of {self.histories.rows} users do not fit a space of {users} users.")

    def profiles(self, histories: Interactions, *, threads: int | None = None) -> CSR:
        """The damped histories (n, items) themselves; see `Fitted.profiles`."""
        rows = self.histories_of(histories)
        return rows._replace(values=damped(rows.values, self.settings["damping"]))

    def trained_profiles(self, users: Rows) -> CSR:
        """The damped histories of trained users; see `Fitted.trained_profiles`."""
        check_indices(users, len(self._users()), "users")
        return self.histories.take(users)

    def best(
        self,
        profiles: CSR,
        k: int,
        restriction: Restriction = EVERYTHING,
        *,
        index: Index | None = None,
        threads: int | None = None,
    ) -> Neighbours:
        """The ``k`` best items for each profile; see `Fitted.best`."""
        require_count(k)
        profiles, workers = self._checked(profiles), threads_for(threads)
        if index is not None:
            self._require_index(index, "dot")
            vectors = multiplied(profiles, self.space.item_vectors, workers)
            return index.search(vectors, k, restriction, threads=threads)
        opened = restriction.open_items(len(self.item_ids))
        excluded = restriction.of_queries(profiles.rows)
        found, search = Neighbours.none(profiles.rows, k), self._kernels(profiles).best_items
        each(
            lambda piece: search(*piece, opened, excluded, found.rows, found.scores),
            balanced(profiles.indptr, ROW_COST),
            workers,
        )
        return found

    def scores(self, profiles: CSR, indptr: Starts, items: Rows, *, threads: int | None = None) -> Floats:
        """(n,) exact scores of pairs; see `Fitted.scores`. A profile costs as much for one pair as for all."""
        profiles = self._checked(profiles)
        indptr, items = self._pairs(profiles.rows, indptr, items)
        starts, rows = constant(indptr), constant(items)
        scores, score = np.empty(len(rows), dtype=np.float32), self._kernels(profiles).score_pairs
        each(
            lambda piece: score(*piece, starts, rows, scores),
            balanced(profiles.indptr, ROW_COST),
            threads_for(threads),
        )
        return scores

    @abstractmethod
    def _kernels(self, profiles: CSR) -> Kernels:
        """Return the kernels that answer for these checked ``profiles``."""

    def _checked(self, profiles: CSR) -> CSR:
        """Return ``profiles`` in the types that kernels want; InputError unless they are histories of its items."""
        if not isinstance(profiles, CSR):
            raise InputError(
                f"profiles of {self.name} are those that its profiles() gave, not a {type(profiles).__name__}"
            )
        types = zip(CSR._fields, (np.int64, np.int32, np.float32), strict=True)
        checked = CSR(*(converted(name, getattr(profiles, name), dtype) for name, dtype in types))
        check_indptr(checked.indptr, len(checked.indices))
        check_indices(checked.indices, len(self.item_ids))
        if len(checked.values) != len(checked.indices):
            raise InputError(f"{len(checked.indices)} indices do not fit {len(checked.values)} values")
        return checked

    def _save_more(self, directory: Path) -> None:
        self.histories.save(directory, "histories")

    @classmethod
    def _load_more(cls, directory: Path, space: VectorSpace) -> dict[str, Any]:
        return {"histories": CSR.load(directory, "histories")}


def damped(weights: npt.NDArray[np.float32], damping: Damping) -> npt.NDArray[np.float32]:
    """What weights (n,) count as: 1, ln(1 + weight), or themselves."""
    if damping == "binary":
        return np.ones(len(weights), dtype=np.float32)
    return np.log1p(weights) if damping == "log" else np.array(weights, dtype=np.float32)


def damped_histories(interactions: Interactions, damping: Damping) -> CSR:
    """The histories (users, items) of ``interactions``, in memory of their own."""
    weights = damped(interactions.weights, damping)
    return CSR(np.array(interactions.indptr), np.array(interactions.indices), weights)


def read_only(matrix: CSR) -> CSR:
    """Views of ``matrix`` for kernels, which compile once for memory-mapped arrays and others."""
    return CSR(constant(matrix.indptr), constant(matrix.indices), constant(matrix.values))
