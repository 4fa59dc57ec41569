"""Vectors whose inner products approximate the similarities of items, for whatever needs items as points.

The eigenvectors of the symmetric similarities (S + Sᵀ) / 2 with the largest eigenvalues, each times the root of its
eigenvalue: no other vectors of that width have inner products closer to them, if no eigenvalue is negative. They are
computed by subspace iteration from random vectors,

    V ← orthonormal basis of (S + Sᵀ) V / 2

and a final rotation of the basis to the eigenvectors. O(rounds · entries · width), in a fixed order.

Halko, Martinsson & Tropp, "Finding structure with randomness", SIAM Review 2011.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from crossfade.core.spaces import Vectors
from crossfade.kernels.threads import one_blas_thread

Product = Callable[[Vectors], Vectors]

ROUNDS = 6
SPARE = 16
"""Vectors beyond the width that is wanted, so that the last of these are accurate."""

SLIGHT = 1e-10
"""A direction whose share of the squared length is below this is rounding, and is left out of a basis."""


def sketched(product: Product, items: int, factors: int, seed: int) -> Vectors:
    """Return the vectors (items, factors) float32; ``product`` multiplies (S + Sᵀ) / 2 by float32 (items, any).

    Where there are fewer directions, the last columns are zero.
    """
    if not factors:
        return np.zeros((items, 0), dtype=np.float32)
    vectors = np.zeros((items, factors), dtype=np.float32)
    rng = np.random.default_rng(seed)
    width = min(items, factors + SPARE)
    basis = rng.standard_normal((items, width), dtype=np.float32)
    # With more threads BLAS would add in another order.
    with one_blas_thread():
        for _ in range(ROUNDS):
            basis = _orthonormal(product(basis))
        # Once more, which corrects the rounding of the first time.
        basis = _orthonormal(basis)
        if not basis.shape[1]:
            return vectors
        turned = _gram(basis, product(basis))
        values, directions = np.linalg.eigh((turned + turned.T) / 2)
        best = np.argsort(-values, kind="stable")[:factors]
        best = best[values[best] > 0]
        turn = directions[:, best] * np.sqrt(values[best])
        vectors[:, : len(best)] = _signed(basis @ turn.astype(np.float32))
    return vectors


def along_largest(points: Vectors, factors: int) -> Vectors:
    """Return vectors (items, factors) whose inner products are closest to those of ``points`` (items, any).

    These are the points along the eigenvectors of their columns' inner products with the largest eigenvalues: exactly,
    and in one pass.
    """
    vectors = np.zeros((len(points), factors), dtype=np.float32)
    # With more threads BLAS would add in another order.
    with one_blas_thread():
        values, directions = np.linalg.eigh(_gram(points, points))
        best = np.argsort(-values, kind="stable")[:factors]
        vectors[:, : len(best)] = points @ directions[:, best].astype(np.float32)
    return _signed(vectors)


def _orthonormal(vectors: Vectors) -> Vectors:
    """A basis of what the columns of ``vectors`` span, by the eigenvectors of their inner products."""
    values, directions = np.linalg.eigh(_gram(vectors, vectors))
    kept = (values > 0) & (values > SLIGHT * values.max(initial=0.0))
    turn: Vectors = (directions[:, kept] / np.sqrt(values[kept])).astype(np.float32)
    return vectors @ turn


def _gram(left: Vectors, right: Vectors, block: int = 65536) -> npt.NDArray[np.float64]:
    total = np.zeros((left.shape[1], right.shape[1]))
    for first in range(0, len(left), block):
        part = left[first : first + block].astype(np.float64)
        total += part.T @ (part if left is right else right[first : first + block])
    return total


def _signed(vectors: Vectors) -> Vectors:
    """With the largest entry of each column positive: an eigenvector has no sign of its own."""
    if not vectors.size:
        return vectors
    largest = vectors[np.argmax(np.abs(vectors), axis=0), np.arange(vectors.shape[1])]
    return vectors * np.where(largest < 0, np.float32(-1), np.float32(1))
