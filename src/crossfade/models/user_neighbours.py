"""Neighbourhoods of users: recommends what the most similar users play.

    score_i = Σ_v s_v^p r_vi / Σ_v s_v^p        over the k users v whose histories are most similar

s is the cosine of two histories, each item weighed by its rarity, ln(1 + users / users that have it), and by what plays
count as; r_vi is 1 where v has i. Nothing is trained: a fit stores the histories, and a new user is compared with them.
A history costs O(Σ_i users of its items i + users + its neighbours' histories), exactly.

Resnick et al., "GroupLens: an open architecture for collaborative filtering of netnews", CSCW 1994; Aiolli, "Efficient
top-N recommendation for very large scale binary rated datasets", RecSys 2013 (the power p).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np

from crossfade.core.csr import CSR
from crossfade.core.interactions import Interactions
from crossfade.core.progress import Progress, silent
from crossfade.core.settings import Range, as_table
from crossfade.core.spaces import Vectors, VectorSpace
from crossfade.kernels import user_neighbours as kernels
from crossfade.kernels.histories import multiplied
from crossfade.kernels.threads import threads_for
from crossfade.kernels.transposing import transposed
from crossfade.models.contract import Configured, InputKind, Keeping, require_interactions
from crossfade.models.histories import Damping, FittedHistories, Kernels, damped_histories, read_only
from crossfade.models.similarity import SimilaritySettings
from crossfade.models.sketch import sketched


@dataclass(frozen=True, kw_only=True)
class UserNeighboursSettings(SimilaritySettings):
    """What `UserNeighbours` is fitted with."""

    neighbours: Annotated[int, Range(1, 10_000)] = 100  # k, users that a history is completed from
    power: Annotated[float, Range(0, 100)] = 1.0  # p; the larger, the more the most similar users count
    damping: Damping = "binary"  # what plays count as: 1 ("binary"), ln(1 + plays) ("log") or themselves ("none")


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class FittedUserNeighbours(FittedHistories):
    """The histories of the trained users, to compare others with.

    An item that no neighbour has scores 0. With an index its space is searched, which only approximates the answers.
    """

    def _kernels(self, profiles: CSR) -> Kernels:
        asked, crowd = self._compared(profiles), self._crowd
        return Kernels(
            best_items=lambda first, last, *rest: kernels.best_items(first, last, asked, crowd, *rest),
            score_pairs=lambda first, last, *rest: kernels.score_pairs(first, last, asked, crowd, *rest),
        )

    def _compared(self, histories: CSR) -> CSR:
        """What ``histories`` are compared by: weighed by rarity, at length 1."""
        rarity = np.log1p(self.histories.rows / np.maximum(self.support, 1)).astype(np.float32)
        values = histories.values * rarity[histories.indices]
        users = np.repeat(np.arange(histories.rows), np.diff(histories.indptr))
        lengths = np.sqrt(np.bincount(users, weights=values.astype(np.float64) ** 2, minlength=histories.rows))
        return read_only(histories._replace(values=(values / lengths[users]).astype(np.float32)))

    @cached_property
    def _crowd(self) -> kernels.Crowd:
        by_item = transposed(self._compared(self.histories), len(self.item_ids))
        present = self.histories._replace(values=np.ones(len(self.histories.values), dtype=np.float32))
        neighbours = min(self.settings["neighbours"], self.histories.rows)
        return kernels.Crowd(read_only(by_item), read_only(present), neighbours, np.float32(self.settings["power"]))


class UserNeighbours(Configured[UserNeighboursSettings]):
    """Recommends what the most similar users play."""

    name: ClassVar[str] = "user_neighbours"
    learns_from: ClassVar[InputKind] = "interactions"
    settings_class: ClassVar[type[UserNeighboursSettings]] = UserNeighboursSettings
    fitted_class: ClassVar[type[FittedUserNeighbours]] = FittedUserNeighbours
    scoring_only: ClassVar[Mapping[str, Any]] = {"factors": 0}
    keeps: ClassVar[Keeping] = "unless leading"

    def fit(
        self,
        interactions: Interactions,
        /,
        *,
        threads: int | None = None,
        progress: Progress = silent,
        workspace: Path | None = None,
    ) -> FittedUserNeighbours:
        """Store the histories of ``interactions``, and vectors of the items; see `Model.fit`.

        Keeps nothing in the ``workspace``. Raises InputError for interactions that nothing can be learned from.
        """
        require_interactions(interactions, self.name)
        workers, items = threads_for(threads), len(interactions.item_ids)
        histories = damped_histories(interactions, self.settings.damping)
        lengths = np.diff(histories.indptr)
        # A user whom two items share says the less about them, the more that user has.
        by_user = histories._replace(values=np.repeat(1 / np.sqrt(np.maximum(lengths, 1)), lengths).astype(np.float32))
        by_item = transposed(by_user, items)

        def product(vectors: Vectors) -> Vectors:
            return multiplied(by_item, multiplied(by_user, vectors, workers), workers)

        item_vectors = sketched(product, items, self.settings.factors, self.settings.seed)
        progress(1, 1, "passes")
        return FittedUserNeighbours(
            space=VectorSpace(
                model=self.name,
                kind=interactions.kind,
                metric="dot",
                item_ids=interactions.item_ids,
                item_vectors=item_vectors,
                user_ids=interactions.user_ids,
                user_vectors=multiplied(histories, item_vectors, workers),
                settings=as_table(self.settings),
            ),
            support=interactions.listeners(),
            histories=histories,
        )
