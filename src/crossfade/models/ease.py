"""EASE: the linear model that predicts each item of a user from all their others, solved in closed form.

    minimise ‖X - XB‖² + λ‖B‖²  with  diag B = 0        B = I - P · diag(1 / diag P),   P = (XᵀX + λI)⁻¹

X (users, items) is 1 where a user has an item, or the damped plays. A user's score for i is the row of X times column i
of B. O(items³), and memory for a matrix of all pairs of items. Beyond ``exact_items`` items the most popular ones are
solved together, and all others in blocks beside them (`crossfade.models.ease_blocks`).

The λ needed grows with the data: by chance alone the eigenvalues of XᵀX would reach up to about

    rms(x)² · (√(N / users) + √(N / items))²        for N pairs

(Marchenko & Pastur, "Distribution of eigenvalues for some sets of random matrices", 1967), and λ is ``noise`` times
that.

Steck, "Embarrassingly shallow autoencoders for sparse data", WWW 2019.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from crossfade.core.csr import CSR, gathered, starts_of
from crossfade.core.errors import InputError
from crossfade.core.interactions import Interactions
from crossfade.core.progress import Progress, silent
from crossfade.core.settings import Range
from crossfade.core.spaces import Vectors
from crossfade.kernels.inverse import invert
from crossfade.kernels.sparse_products import fill_products
from crossfade.kernels.threads import balanced, each, threads_for
from crossfade.kernels.transposing import transposed
from crossfade.models.contract import Configured, InputKind, require_interactions
from crossfade.models.ease_blocks import by_popularity, weights_in_blocks
from crossfade.models.histories import Damping, damped_histories
from crossfade.models.similarity import FittedSimilarity, SimilaritySettings, fitted

SINGLE = 1e4
"""Up to this condition of XᵀX + λI single precision leaves an error below a thousandth."""

ROWS = 512
"""Rows of the solution that are scaled at a time."""


@dataclass(frozen=True, kw_only=True)
class EASESettings(SimilaritySettings):
    """What `EASE` is fitted with."""

    # λ; unset: estimated from the noise in the data
    regularization: Annotated[float, Range(above=0, high=1e30)] | None = None
    # λ as a share of where noise alone would end; only where regularization is unset
    noise: Annotated[float, Range(above=0, high=10)] = 0.6
    damping: Damping = "binary"  # what plays count as: 1 ("binary"), ln(1 + plays) ("log") or themselves ("none")
    # items that are solved together, the most popular first; memory grows with their square, time with their cube
    exact_items: Annotated[int, Range(1)] = 10_000
    neighbours: Annotated[int, Range(1, 10_000)] = 500  # weights kept for each item, if there are more items than that
    # of the inverse: 4 bytes a pair of items, or 12; "auto" is double where rounding in single precision would show
    precision: Literal["auto", "single", "double"] = "auto"


class EASE(Configured[EASESettings]):
    """Each item of a user predicted from all the others."""

    name: ClassVar[str] = "ease"
    learns_from: ClassVar[InputKind] = "interactions"
    settings_class: ClassVar[type[EASESettings]] = EASESettings
    fitted_class: ClassVar[type[FittedSimilarity]] = FittedSimilarity
    scoring_only: ClassVar[Mapping[str, Any]] = {"factors": 0}
    tuned: ClassVar[tuple[str, ...]] = ("noise", "damping")

    def fit(
        self,
        interactions: Interactions,
        /,
        *,
        threads: int | None = None,
        progress: Progress = silent,
        workspace: Path | None = None,
    ) -> FittedSimilarity:
        """Fit the weights B between all items of ``interactions``; see `Model.fit`.

        Keeps nothing in the ``workspace``. Raises InputError for interactions that nothing can be learned from, and for
        a λ so small that the matrix cannot be inverted.
        """
        require_interactions(interactions, self.name)
        items, threads = len(interactions.item_ids), threads_for(threads)
        histories = damped_histories(interactions, self.settings.damping)
        regularization = self.settings.regularization or (
            self.settings.noise * noise_edge(histories.values, interactions.shape)
        )
        settings = replace(self.settings, regularization=regularization)
        similarities: CSR | Vectors
        if items <= settings.exact_items:
            similarities = _weights(_inverse(histories, items, settings, threads, progress))
        else:
            similarities = _in_blocks(histories, items, settings, threads, progress)
        return fitted(self.name, interactions, settings, histories, similarities, threads)

    def memory_bytes(self, items: int) -> int:
        """The matrix of the pairs that are solved together, lists for more, and vectors; see `Model.memory_bytes`."""
        together = min(items, self.settings.exact_items)
        lists = 24 * items * self.settings.neighbours if items > together else 0
        return super().memory_bytes(items) + (4 if self.settings.precision == "single" else 12) * together**2 + lists


def noise_edge(weights: npt.NDArray[np.float32], shape: tuple[int, int]) -> float:
    """Where the eigenvalues of XᵀX end by chance alone, for ``weights`` (n,) of (users, items)."""
    users, items = shape
    squares = float(np.sum(weights.astype(np.float64) ** 2))
    return float(squares * (users**-0.5 + items**-0.5) ** 2)


def _inverse(histories: CSR, items: int, settings: EASESettings, threads: int, progress: Progress) -> npt.NDArray[Any]:
    """P (items, items), float32 or float64."""
    by_item = transposed(histories, items)
    regularization = settings.regularization or 0.0
    precision = settings.precision
    if precision == "auto":
        precision = "single" if _largest(histories, items) <= (SINGLE - 1) * regularization else "double"
    inverse = np.zeros((items, items), dtype=np.float32 if precision == "single" else np.float64)
    each(lambda piece: fill_products(*piece, histories, by_item, inverse), balanced(by_item.indptr, 1), threads)
    inverse[np.diag_indices(items)] += regularization
    if not invert(inverse, threads, progress=progress):
        raise _not_invertible(regularization, precision)
    return inverse


def _not_invertible(regularization: float, precision: str) -> InputError:
    return InputError(
        f"With a regularization of {regularization:g} the matrix of EASE cannot be inverted in {precision} precision. "
        "Raise it, or leave it unset."
    )


def _weights(inverse: npt.NDArray[Any]) -> Vectors:
    """B (items, items) float32, in the place of an inverse of single precision."""
    scales = -1 / np.diag(inverse)
    solved: Vectors = inverse if inverse.dtype == np.float32 else np.empty(inverse.shape, dtype=np.float32)
    for first in range(0, len(inverse), ROWS):
        solved[first : first + ROWS] = inverse[first : first + ROWS] * scales
    solved[np.diag_indices(len(inverse))] = 0
    return solved


def _in_blocks(histories: CSR, items: int, settings: EASESettings, threads: int, progress: Progress) -> CSR:
    """B (items, items), the weights of the largest size of each item."""
    by_user, order = by_popularity(histories, items)
    popular = by_user.indices < settings.exact_items
    together = CSR(starts_of(popular)[by_user.indptr], by_user.indices[popular], by_user.values[popular])
    inverse = _inverse(together, settings.exact_items, settings, threads, silent)
    regularization, kept = settings.regularization or 0.0, settings.neighbours
    try:
        lists = weights_in_blocks(by_user, items, inverse, regularization, kept, threads, progress)
    except np.linalg.LinAlgError as error:
        raise _not_invertible(regularization, "double") from error
    indptr, places = gathered(lists.indptr, np.argsort(order))
    return CSR(indptr, order[lists.indices[places]], lists.values[places])


def _largest(histories: CSR, items: int) -> float:
    """A bound of the largest eigenvalue of XᵀX: the largest sum of a row, since no entry is negative."""
    sums = np.add.reduceat(np.append(histories.values, np.float32(0)), histories.indptr[:-1], dtype=np.float64)
    sums[np.diff(histories.indptr) == 0] = 0
    spread = histories.values * np.repeat(sums, np.diff(histories.indptr))
    return float(np.bincount(histories.indices, weights=spread, minlength=items).max())
