"""What alternating least squares learns, and how newcomers are folded in."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Self, TypeAlias

import numpy as np
import numpy.typing as npt

from crossfade.core.csr import CSR
from crossfade.core.errors import ArtifactError, InputError, NotReadyError
from crossfade.core.ids import Rows, load_array
from crossfade.core.interactions import Interactions
from crossfade.core.spaces import Vectors
from crossfade.kernels import als as kernels
from crossfade.kernels.lanes import Floats, aligned, padded
from crossfade.kernels.threads import processors
from crossfade.models.als_pairs import scaled_weights
from crossfade.models.als_problem import Loss, Problem
from crossfade.models.als_settings import ALSSettings
from crossfade.models.contract import FittedSpace

Places: TypeAlias = "Rows | slice"


@dataclass(frozen=True, eq=False, kw_only=True)
class ALSSpace(FittedSpace):
    """Users and items in one space, by inner product; takes in newcomers without another fit.

    history      the loss after every half-iteration, if the fit was asked to track it; not saved
    user_biases  (users,) float32 in a space with biases: what every item's score has for a user. It changes no ranking,
                 so inner products leave it out; with it they say what the model expects of a pair
    """

    history: tuple[Loss, ...] = ()
    user_biases: Vectors | None = None

    def save(self, directory: Path) -> None:
        """Write what every space has, and the biases of users."""
        super().save(directory)
        if self.user_biases is not None:
            np.save(directory / "user_biases.npy", self.user_biases, allow_pickle=False)

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Memory-map what `save` wrote; ArtifactError if a part is missing or does not fit."""
        space = super().load(directory)
        if not space.biased or space.user_ids is None:
            return space
        biases = load_array(directory / "user_biases.npy", dtype=np.float32, ndim=1)
        if len(biases) != len(space.user_ids):
            raise ArtifactError(f"{directory}: {len(space.user_ids)} users do not fit {len(biases)} biases.")
        return replace(space, user_biases=biases)

    def fold_in_user(self, item_ids: Sequence[str], plays: npt.ArrayLike) -> Vectors:
        """The vector (factors,) float32 of a user who played ``item_ids`` (n) as often as ``plays`` (n) says.

        Plays are on the scale of the weights that the model learned from; an item that stands twice is
        summed. It is the vector that such a user has in this space, had they been there from the start.
        Raises UnknownIdError for an item that the space does not know, InputError for bad plays.
        """
        rows, held, others = self.item_ids.rows(item_ids), self._problem.held[0], len(self.item_ids)
        return self._fold_in(rows, plays, self._item_columns, others, self._item_gram, held)

    def fold_in_item(self, user_ids: Sequence[str], plays: npt.ArrayLike) -> Vectors:
        """The vector (factors,) float32 of an item that ``user_ids`` (n) played as often as ``plays`` (n) says.

        Raises UnknownIdError for a user that the space does not know, InputError for bad plays.
        """
        if self.user_ids is None:
            raise NotReadyError("This space was saved without its users, so no item can be folded in.")
        rows, problem = self.user_ids.rows(user_ids), self._problem
        return self._fold_in(rows, plays, self._user_columns, len(self.user_ids), self._user_gram, problem.held[1])

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
            CSR(interactions.indptr, interactions.indices, scaled),
            interactions.listeners(),
            self._user_columns(slice(None)),
            self._item_columns(slice(None)),
            processors() if threads is None else threads,
        )

    @cached_property
    def _problem(self) -> Problem:
        return Problem(ALSSettings(**self.settings))

    @cached_property
    def _item_gram(self) -> npt.NDArray[np.float64]:
        return kernels.gram_matrix(self._item_columns(slice(None)), threads=1)

    @cached_property
    def _user_gram(self) -> npt.NDArray[np.float64]:
        return kernels.gram_matrix(self._user_columns(slice(None)), threads=1)

    def _item_columns(self, rows: Places) -> Floats:
        """The vectors of some items as they were learned."""
        return self._laid_out(self.item_vectors[rows], None)

    def _user_columns(self, rows: Places) -> Floats:
        if self.user_vectors is None:
            raise NotReadyError("This space was saved without its users.")
        return self._laid_out(self.user_vectors[rows], None if self.user_biases is None else self.user_biases[rows])

    def _laid_out(self, vectors: Vectors, biases: Vectors | None) -> Floats:
        """As kernels want them: with all columns of `Problem`, contiguous, and padded with zeros to whole lanes.

        ``biases`` is the column that a space leaves out; None: ones, or none at all in a space without biases
        """
        width = padded(self._problem.columns)
        if width == vectors.shape[1] and vectors.flags.c_contiguous:
            return vectors
        wide, factors = aligned(len(vectors), width), self._problem.settings.factors
        wide[:, :factors] = vectors[:, :factors]
        if self.biased:
            wide[:, factors] = 1.0 if biases is None else biases
            wide[:, factors + 1] = vectors[:, factors]
        return wide

    def _fold_in(
        self,
        rows: Rows,
        plays: npt.ArrayLike,
        laid_out: Callable[[Rows], Floats],
        others: int,
        gram: npt.NDArray[np.float64],
        held: int,
    ) -> Vectors:
        weights = np.asarray(plays, dtype=np.float32)
        if weights.shape != rows.shape:
            raise InputError(f"{len(rows)} ids do not fit plays of shape {weights.shape}")
        if not (np.isfinite(weights) & (weights >= 0)).all():
            raise InputError("plays must be finite numbers of at least 0")
        distinct, places = np.unique(rows, return_inverse=True)
        summed = np.bincount(places, weights=weights, minlength=len(distinct)).astype(np.float32)
        half = CSR(
            np.array([0, len(distinct)], dtype=np.int64),
            np.arange(len(distinct), dtype=np.int32),
            scaled_weights(self._problem.settings, summed),
        )
        solved, factors = aligned(1, gram.shape[0]), self._problem.settings.factors
        self._problem.solve_finally(half, laid_out(distinct), solved, gram, others, held, threads=1)
        # With biases, the last column of a space is the last that was learned; the one before is left out.
        last = [factors + 1] if self.biased else []
        return solved[0, [*range(factors), *last]]
