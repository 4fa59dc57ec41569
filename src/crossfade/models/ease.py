"""EASE: the linear model that predicts each item of a user from all their others, solved in closed form.

    minimise ‖X - XB‖² + λ‖B‖²  with  diag B = 0        B = I - P · diag(1 / diag P),   P = (XᵀX + λI)⁻¹

X (users, items) is 1 where a user has an item, or the damped plays. A user's score for i is the row of X times column i
of B. O(items³), and memory for a matrix of all pairs of items: for catalogues of some ten thousand.

The λ needed grows with the data: by chance alone the eigenvalues of XᵀX would reach up to about

    rms(x)² · (√(N / users) + √(N / items))²        for N pairs

(Marchenko & Pastur, "Distribution of eigenvalues for some sets of random matrices", 1967), and λ is `NOISE` times that.

Steck, "Embarrassingly shallow autoencoders for sparse data", WWW 2019.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from crossfade.core.csr import CSR
from crossfade.core.errors import InputError
from crossfade.core.interactions import Interactions
from crossfade.core.progress import Progress, silent
from crossfade.core.settings import Range
from crossfade.core.spaces import Vectors
from crossfade.kernels.cooccurrence import fill_products
from crossfade.kernels.inverse import invert
from crossfade.kernels.threads import balanced, each, threads_for
from crossfade.kernels.transposing import transposed
from crossfade.models.contract import Configured, InputKind, require_interactions
from crossfade.models.similarity import Damping, FittedSimilarity, SimilaritySettings, damped_histories, fitted

NOISE = 0.6

SINGLE = 1e4
"""Up to this condition of XᵀX + λI single precision leaves an error below a thousandth."""

ROWS = 512
"""Rows of the solution that are scaled at a time."""


@dataclass(frozen=True, kw_only=True)
class EASESettings(SimilaritySettings):
    """What `EASE` is fitted with."""

    # λ; unset: estimated from the noise in the data
    regularization: Annotated[float, Range(above=0, high=1e30)] | None = None
    damping: Damping = "binary"  # what plays count as: 1 ("binary"), ln(1 + plays) ("log") or themselves ("none")
    most_items: Annotated[int, Range(1)] = 20_000  # more are refused, since memory grows with their square
    # of the inverse: 4 bytes a pair of items, or 12; "auto" is double where rounding in single precision would show
    precision: Literal["auto", "single", "double"] = "auto"


class EASE(Configured[EASESettings]):
    """Each item of a user predicted from all the others."""

    name: ClassVar[str] = "ease"
    learns_from: ClassVar[InputKind] = "interactions"
    settings_class: ClassVar[type[EASESettings]] = EASESettings
    fitted_class: ClassVar[type[FittedSimilarity]] = FittedSimilarity

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

        Keeps nothing in the ``workspace``. Raises InputError for interactions that nothing can be learned from, for
        more items than the settings allow, and for a λ so small that the matrix cannot be inverted.
        """
        require_interactions(interactions, self.name)
        items, threads = len(interactions.item_ids), threads_for(threads)
        if items > self.settings.most_items:
            raise InputError(_too_many(items, self.settings.most_items))
        histories = damped_histories(interactions, self.settings.damping)
        regularization = self.settings.regularization or default_regularization(histories.values, interactions.shape)
        settings = replace(self.settings, regularization=regularization)
        similarities = _solved(histories, items, settings, threads, progress)
        return fitted(self.name, interactions, settings, histories, similarities, threads)

    def memory_bytes(self, items: int) -> int:
        """The matrix of all pairs of items, and the vectors; see `Model.memory_bytes`."""
        return super().memory_bytes(items) + (4 if self.settings.precision == "single" else 12) * items**2


def default_regularization(weights: npt.NDArray[np.float32], shape: tuple[int, int]) -> float:
    """λ for ``weights`` (n,) of (users, items)."""
    users, items = shape
    squares = float(np.sum(weights.astype(np.float64) ** 2))
    edge = float(squares * (users**-0.5 + items**-0.5) ** 2)
    return NOISE * edge


def _solved(histories: CSR, items: int, settings: EASESettings, threads: int, progress: Progress) -> Vectors:
    """B (items, items) float32."""
    by_item = transposed(histories, items)
    regularization = settings.regularization or 0.0

    def products(dtype: npt.DTypeLike) -> npt.NDArray[Any]:
        filled = np.zeros((items, items), dtype=dtype)
        each(lambda piece: fill_products(*piece, histories, by_item, filled), balanced(by_item.indptr, 1), threads)
        filled[np.diag_indices(items)] += regularization
        return filled

    precision = settings.precision
    if precision == "auto":
        precision = "single" if _largest(histories, items) <= (SINGLE - 1) * regularization else "double"
    inverse = products(np.float32 if precision == "single" else np.float64)
    if not invert(inverse, threads, progress=progress):
        raise InputError(
            f"With a regularization of {regularization:g} the matrix of EASE cannot be inverted in {precision} "
            "precision. Raise it, or leave it unset."
        )
    scales = -1 / np.diag(inverse)
    solved: Vectors = inverse if precision == "single" else np.empty((items, items), dtype=np.float32)

    def scale(first: int) -> None:
        solved[first : first + ROWS] = inverse[first : first + ROWS] * scales

    each(scale, range(0, items, ROWS), threads)
    solved[np.diag_indices(items)] = 0
    return solved


def _largest(histories: CSR, items: int) -> float:
    """A bound of the largest eigenvalue of XᵀX: the largest sum of a row, since no entry is negative."""
    sums = np.add.reduceat(np.append(histories.values, np.float32(0)), histories.indptr[:-1], dtype=np.float64)
    sums[np.diff(histories.indptr) == 0] = 0
    spread = histories.values * np.repeat(sums, np.diff(histories.indptr))
    return float(np.bincount(histories.indices, weights=spread, minlength=items).max())


def _too_many(items: int, most: int) -> str:
    single, double = (4 * items**2 / 1e9, 12 * items**2 / 1e9)
    return (
        f"EASE stores a number for every pair of items: {items} items would take {single:.1f} to {double:.1f} GB, and "
        f"hours if there are many. Its limit is most_items = {most}. Raise it if there is enough memory, leave out "
        "rare items (min_listeners in [interactions]), or use cooccurrence or als, which have no such limit."
    )
