"""EASE: the linear model that predicts each item of a user from all their others, solved in closed form.

    minimise ‖X - XB‖² + λ‖B‖²  with  diag B = 0        B = I - P · diag(1 / diag P),   P = (XᵀX + λI)⁻¹

X (users, items) has 1 where a user has an item, or what their plays count as. A user's score for i is the row of X
times column i of B. O(items³) once, and memory for a matrix of all pairs of items: for catalogues of some ten thousand.

What λ must be grows with the data: the eigenvalues of XᵀX that chance alone would bring about reach up to about

    rms(x)² · (√(N / users) + √(N / items))²        for N pairs

(Marchenko & Pastur, "Distribution of eigenvalues for some sets of random matrices", 1967), and λ is `NOISE` times that.

Steck, "Embarrassingly shallow autoencoders for sparse data", WWW 2019.
"""

from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from crossfade.core.csr import CSR
from crossfade.core.errors import InputError, SettingsError
from crossfade.core.interactions import Interactions
from crossfade.core.progress import Progress, silent
from crossfade.core.settings import as_table
from crossfade.core.spaces import Vectors
from crossfade.kernels.cooccurrence import fill_products
from crossfade.kernels.inverse import invert
from crossfade.kernels.threads import balanced, each, processors
from crossfade.kernels.transposing import transposed
from crossfade.models.contract import Configured, InputKind
from crossfade.models.similarity import Damping, SimilaritySpace, damped, require_interactions, vectors_of

NOISE = 0.6

SINGLE = 1e4
"""Up to this condition of XᵀX + λI single precision leaves an error below a thousandth."""

ROWS = 512
"""Rows of the solution that are made at a time."""


@dataclass(frozen=True, kw_only=True)
class EASESettings:
    """What `EASE` is fitted with."""

    regularization: float | None = None  # λ, above 0; unset is what the noise in the data asks for
    damping: Damping = "binary"  # what plays count as: 1 ("binary"), ln(1 + plays) ("log") or themselves ("none")
    most_items: int = 20_000  # more are refused, since memory grows with their square, 1 or more
    # of the inverse: 4 bytes a pair of items, or 12; "auto" is double where rounding in single precision would show
    precision: Literal["auto", "single", "double"] = "auto"
    factors: int = 64  # width of the vectors that come near to the similarities, 8 to 2048
    seed: int = 0  # of these vectors, 0 or more

    def __post_init__(self) -> None:
        """Refuse what cannot be fitted."""
        infinite = float("inf")
        if self.regularization is not None and not 0 < self.regularization < infinite:
            raise SettingsError(f"regularization must be above 0, not {self.regularization!r}")
        for name, low, high in (("most_items", 1, infinite), ("factors", 8, 2048), ("seed", 0, infinite)):
            # Written positively, so that NaN is refused too.
            if not (low <= getattr(self, name) <= high and getattr(self, name) < infinite):
                raise SettingsError(f"{name} must be from {low} to {high}, not {getattr(self, name)!r}")
        for name, choices in (("damping", ("binary", "log", "none")), ("precision", ("auto", "single", "double"))):
            if getattr(self, name) not in choices:
                raise SettingsError(f"{name} must be one of {', '.join(choices)}, not {getattr(self, name)!r}")


class EASE(Configured[EASESettings]):
    """Each item of a user predicted from all the others."""

    name: ClassVar[str] = "ease"
    learns_from: ClassVar[InputKind] = "interactions"
    settings_class: ClassVar[type[EASESettings]] = EASESettings
    space_class: ClassVar[type[SimilaritySpace]] = SimilaritySpace

    def fit(
        self, interactions: Interactions, /, *, threads: int | None = None, progress: Progress = silent
    ) -> SimilaritySpace:
        """The weights B between all items of ``interactions``, and its users' histories.

        Equal inputs and settings give equal bytes, whatever the number of ``threads`` (None: one a processor).
        Raises InputError if there are no interactions, or weights that are not finite numbers above 0, or more items
        than the settings allow, or a λ so small that the matrix cannot be inverted.
        """
        require_interactions(interactions, "EASE")
        items, threads = len(interactions.item_ids), processors() if threads is None else threads
        if items > self.settings.most_items:
            raise InputError(_too_many(items, self.settings.most_items))
        weights = damped(interactions.weights, self.settings.damping)
        histories = CSR(np.array(interactions.indptr), np.array(interactions.indices), weights)
        regularization = self.settings.regularization or default_regularization(weights, interactions.shape)
        settings = replace(self.settings, regularization=regularization)
        similarities = _solved(histories, items, settings, threads, progress)
        user_vectors, item_vectors = vectors_of(histories, similarities, settings.factors, settings.seed, threads)
        return SimilaritySpace(
            model=self.name,
            kind=interactions.kind,
            metric="dot",
            item_ids=interactions.item_ids,
            item_vectors=item_vectors,
            user_ids=interactions.user_ids,
            user_vectors=user_vectors,
            settings=as_table(settings),
            histories=histories,
            similarities=similarities,
        )


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
            f"with a regularization of {regularization:g} the products of the items cannot be inverted in {precision} "
            "precision; raise it, or leave it unset"
        )
    scales = -1 / np.diag(inverse)
    solved: Vectors = inverse if precision == "single" else np.empty((items, items), dtype=np.float32)

    def scale(first: int) -> None:
        solved[first : first + ROWS] = inverse[first : first + ROWS] * scales

    each(scale, range(0, items, ROWS), threads)
    solved[np.diag_indices(items)] = 0
    return solved


def _largest(histories: CSR, items: int) -> float:
    """A bound of the largest eigenvalue of XᵀX: the largest sum of one of its rows, which has no negative entry."""
    sums = np.add.reduceat(np.append(histories.values, np.float32(0)), histories.indptr[:-1], dtype=np.float64)
    sums[np.diff(histories.indptr) == 0] = 0
    spread = histories.values * np.repeat(sums, np.diff(histories.indptr))
    return float(np.bincount(histories.indices, weights=spread, minlength=items).max())


def _too_many(items: int, most: int) -> str:
    single, double = (4 * items**2 / 1e9, 12 * items**2 / 1e9)
    return (
        f"EASE holds a number for every pair of items: {items} items would take {single:.1f} to {double:.1f} GB, and "
        f"hours where there are many. Its limit is most_items = {most}. Raise it if the memory is there, leave out "
        "rare items (min_listeners in [interactions]), or use cooccurrence or als, which have no such limit."
    )
