"""Filters on the graph of items, applied to histories by sparse products alone.

With R̃ = D_U^-½ R D_I^-½ (users, items), D the sums of rows and of columns, L = I - R̃ᵀR̃ has eigenvalues λ in [0, 1].
A filter h keeps what is smooth on the graph, small λ, and is a polynomial of degree K:

    h(L) = Σₖ cₖ Tₖ(2L - I)        Tₖ₊₁ = 2 (2L - I) Tₖ - Tₖ₋₁

Two sparse products a term for each signal, and no matrix of all pairs of items. c interpolates h at the zeros of Tₖ₊₁.

Shuman, Vandergheynst & Frossard, "Chebyshev polynomial approximation for distributed signal processing", 2011.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from crossfade.core.csr import CSR
from crossfade.core.ids import Rows
from crossfade.core.spaces import Vectors
from crossfade.kernels.chebyshev import add_polynomials
from crossfade.kernels.histories import multiplied
from crossfade.kernels.sparse_products import add_product_rows
from crossfade.kernels.transposing import constant, transposed
from crossfade.models.histories import read_only
from crossfade.models.sketch import sketched

Spectrum = npt.NDArray[np.float64]
Coefficients = npt.NDArray[np.float64]


class Smoothest(NamedTuple):
    """The smoothest signals on a graph.

    vectors  (items, n) leading eigenvectors of R̃ᵀR̃, those of L with the smallest eigenvalues; beyond its rank zeros
    shares   (n,) their eigenvalues 1 - λ, falling
    """

    vectors: Vectors
    shares: Spectrum


class Graph(NamedTuple):
    """The graph of items.

    by_user, by_item  R̃ (users, items) and its transpose
    listeners         (items,) float32: the users that have each item, at least 1
    """

    by_user: CSR
    by_item: CSR
    listeners: npt.NDArray[np.float32]

    @classmethod
    def of(cls, histories: CSR, items: int) -> "Graph":
        """Return the graph of ``histories`` (users, items), whose values are above zero."""
        users = np.repeat(np.arange(histories.rows), np.diff(histories.indptr))
        lengths = np.bincount(users, weights=histories.values, minlength=histories.rows)
        degrees = np.bincount(histories.indices, weights=histories.values, minlength=items)
        # An entry exists only where both sums are above zero.
        values = histories.values / np.sqrt(lengths[users] * degrees[histories.indices])
        by_user = CSR(histories.indptr, histories.indices, values.astype(np.float32))
        by_item = transposed(by_user, items)
        listeners = np.maximum(np.diff(by_item.indptr), 1).astype(np.float32)
        return cls(read_only(by_user), read_only(by_item), listeners)

    def popularity(self, power: float) -> Vectors:
        """(items, 1) the listeners of each item to this ``power``."""
        powers: Vectors = (self.listeners ** np.float32(power))[:, None]
        return powers

    def filtered(self, coefficients: Sequence[Coefficients], signals: Vectors) -> npt.NDArray[np.float32]:
        """h(L) times ``signals`` (items, n) for the ``coefficients`` (degree + 1,) of each h, on one thread.

        Returns float32 (filters, items, n).
        """
        sums = np.zeros((len(coefficients), *signals.shape), dtype=np.float32)
        together = np.array(coefficients, dtype=np.float32)
        add_polynomials(self.by_user, self.by_item, constant(together), constant(signals), sums)
        return sums

    def shared(self, items: Rows) -> Vectors:
        """The rows of R̃ᵀR̃ of ``items`` (n,): (n, items), on one thread."""
        rows = np.zeros((len(items), len(self.listeners)), dtype=np.float32)
        add_product_rows(items, self.by_user, self.by_item, rows)
        return rows

    def smoothest(self, count: int, seed: int, threads: int) -> Smoothest:
        """The ``count`` leading eigenvectors of R̃ᵀR̃."""

        def product(vectors: Vectors) -> Vectors:
            return multiplied(self.by_item, multiplied(self.by_user, vectors, threads), threads)

        scaled = sketched(product, len(self.listeners), count, seed)
        lengths: Spectrum = np.linalg.norm(scaled, axis=0).astype(np.float64)
        divisors: Vectors = np.where(lengths > 0, lengths, 1.0).astype(np.float32)
        return Smoothest(scaled / divisors, np.minimum(lengths**2, 1.0))


def interpolated(response: Callable[[Spectrum], Spectrum], degree: int) -> Coefficients:
    """Return c (degree + 1,) of the polynomial that equals ``response`` of λ at the Chebyshev nodes of [0, 1]."""
    angles = np.pi * (np.arange(degree + 1) + 0.5) / (degree + 1)
    values = response((np.cos(angles) + 1) / 2)
    coefficients: Coefficients = 2 / (degree + 1) * np.cos(np.outer(np.arange(degree + 1), angles)) @ values
    coefficients[0] /= 2
    return coefficients


def plateau(sharpness: float) -> Callable[[Spectrum], Spectrum]:
    """Return h(λ): 1 at λ = 0, 0 at λ = 1, and flat at ½ between, the flatter the larger ``sharpness`` is."""

    def response(eigenvalues: Spectrum) -> Spectrum:
        turned = 2 * eigenvalues - 1
        return 0.5 * (1 - np.sign(turned) * np.abs(turned) ** sharpness)

    return response


def linear(eigenvalues: Spectrum) -> Spectrum:
    """h(λ) = 1 - λ, for which h(L) is R̃ᵀR̃."""
    return 1 - eigenvalues
