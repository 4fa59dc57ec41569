"""What alternating least squares learns, and how newcomers are folded in."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from crossfade.core.errors import InputError, NotReadyError
from crossfade.core.interactions import Interactions
from crossfade.core.spaces import Vectors
from crossfade.kernels import als as kernels
from crossfade.kernels.als_halves import Half
from crossfade.kernels.lanes import Floats, aligned, padded
from crossfade.kernels.threads import processors
from crossfade.models.als_pairs import scaled_weights
from crossfade.models.als_problem import Loss, Problem
from crossfade.models.als_recent import blended
from crossfade.models.als_settings import ALSSettings
from crossfade.models.contract import FittedSpace


@dataclass(frozen=True, eq=False, kw_only=True)
class ALSSpace(FittedSpace):
    """Users and items in one space, by inner product; takes in newcomers without another fit.

    history  the loss after every half-iteration, if the fit was asked to track it; not saved
    """

    history: tuple[Loss, ...] = ()

    def fold_in_user(
        self, item_ids: Sequence[str], plays: npt.ArrayLike, recent: npt.ArrayLike | None = None
    ) -> Vectors:
        """The vector (factors,) float32 of a user who played ``item_ids`` (n) as often as ``plays`` (n) says.

        Plays are on the scale of the weights that the model learned from; an item that stands twice is
        summed. It is the vector that such a user has in this space, had they been there from the start.
        ``recent`` (n) is what the latest plays of each item weigh, 0 for none, and counts by the share of the settings;
        without it only the whole taste does. Raises UnknownIdError for an item that the space does not know, InputError
        for bad plays.
        """
        rows = self.item_ids.rows(item_ids)
        vector = self._fold_in(rows, plays, self.item_vectors, self._item_gram)
        share = self._problem.settings.recent_share
        if recent is None or not share:
            return vector
        weights = np.asarray(recent, dtype=np.float32)
        latest = self._fold_in(rows, weights, self.item_vectors, self._item_gram, kept=weights != 0)
        blended(share, vector[None], latest[None], np.array([np.any(weights)]))
        return vector

    def fold_in_item(self, user_ids: Sequence[str], plays: npt.ArrayLike) -> Vectors:
        """The vector (factors,) float32 of an item that ``user_ids`` (n) played as often as ``plays`` (n) says.

        Raises UnknownIdError for a user that the space does not know, InputError for bad plays.
        """
        if self.user_ids is None or self.user_vectors is None:
            raise NotReadyError("This space was saved without its users, so no item can be folded in.")
        return self._fold_in(self.user_ids.rows(user_ids), plays, self.user_vectors, self._user_gram)

    def loss(self, interactions: Interactions, *, threads: int | None = None) -> Loss:
        """The objective of these vectors, exactly, on ``interactions`` of the very users and items of this space.

        One pass over the pairs. Raises InputError if they are of others, NotReadyError for a space without users.
        """
        if self.user_ids is None or self.user_vectors is None:
            raise NotReadyError("This space was saved without its users, so its loss is not known.")
        if interactions.user_ids != self.user_ids or interactions.item_ids != self.item_ids:
            raise InputError("these interactions are not of the users and items of this space")
        scaled = scaled_weights(self._problem.settings, interactions.weights)
        return self._problem.loss(
            Half(interactions.indptr, interactions.indices, scaled),
            interactions.listeners(),
            _widened(self.user_vectors),
            _widened(self.item_vectors),
            processors() if threads is None else threads,
        )

    @cached_property
    def _problem(self) -> Problem:
        return Problem(ALSSettings(**self.settings))

    @cached_property
    def _item_gram(self) -> npt.NDArray[np.float64]:
        return kernels.gram_matrix(_widened(self.item_vectors), threads=1)

    @cached_property
    def _user_gram(self) -> npt.NDArray[np.float64]:
        if self.user_vectors is None:
            raise NotReadyError("This space was saved without its users.")
        return kernels.gram_matrix(_widened(self.user_vectors), threads=1)

    def _fold_in(
        self,
        rows: npt.NDArray[np.int32],
        plays: npt.ArrayLike,
        vectors: Vectors,
        gram: npt.NDArray[np.float64],
        kept: npt.NDArray[np.bool_] | None = None,
    ) -> Vectors:
        weights = np.asarray(plays, dtype=np.float32)
        if weights.shape != rows.shape:
            raise InputError(f"{len(rows)} ids do not fit plays of shape {weights.shape}")
        if not (np.isfinite(weights) & (weights >= 0)).all():
            raise InputError("plays must be finite numbers of at least 0")
        if kept is not None:
            rows, weights = rows[kept], weights[kept]
        distinct, places = np.unique(rows, return_inverse=True)
        summed = np.bincount(places, weights=weights, minlength=len(distinct)).astype(np.float32)
        half = Half(
            np.array([0, len(distinct)], dtype=np.int64),
            np.arange(len(distinct), dtype=np.int32),
            scaled_weights(self._problem.settings, summed),
        )
        solved = aligned(1, gram.shape[0])
        self._problem.solve_finally(half, _widened(vectors[distinct]), solved, gram, len(vectors), threads=1)
        return solved[0, : self.factors].copy()


def _widened(vectors: Vectors) -> Floats:
    """The vectors as kernels want them: contiguous, and padded with zeros to whole lanes."""
    width = padded(vectors.shape[1])
    if width == vectors.shape[1] and vectors.flags.c_contiguous:
        return vectors
    wide = aligned(len(vectors), width)
    wide[:, : vectors.shape[1]] = vectors
    return wide
