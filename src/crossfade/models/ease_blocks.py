"""EASE for large catalogues: the most popular items together, all others in blocks beside them.

With P = (G + λI)⁻¹ of the N most popular items, G = XᵀX, and a block Q of other items, the inverse for both follows
from Schur's complement:

    V = G_QN P        S = (G_QQ + λI - V G_NQ)⁻¹        (P + VᵀSV   -VᵀS)
                                                         (  -SV        S  )

and with it the weights of EASE for N and Q, exactly. Between two blocks there are none, so a block takes items that
have the same strongest companion. The weights of the largest size of each item are kept. O(N³ + items · N²), and memory
for P and what is kept.

Steck, "Markov random fields for collaborative filtering", NeurIPS 2019, has sparse inverses by other means.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from crossfade.core.csr import CSR, gathered, starts_of
from crossfade.core.ids import Rows
from crossfade.core.progress import Progress
from crossfade.kernels.histories import best_of_rows
from crossfade.kernels.sparse_products import add_product_rows
from crossfade.kernels.threads import each, one_blas_thread
from crossfade.kernels.transposing import transposed
from crossfade.models.contract import Floats
from crossfade.models.histories import read_only
from crossfade.models.similarity import stacked
from crossfade.nearest.contract import NO_ROWS

BLOCK = 512
"""Items that are solved beside the popular ones at a time."""

PIECE = 32
"""Rows that a thread computes or sorts at a time."""

FEW = 0.5
"""Up to this share of the popular items, only those that a piece shares listeners with are multiplied."""


def by_popularity(histories: CSR, items: int) -> tuple[CSR, Rows]:
    """Return ``histories`` (users, items) with items by falling popularity, ascending in each; and these items."""
    order = np.argsort(-np.bincount(histories.indices, minlength=items), kind="stable").astype(np.int32)
    numbers = np.argsort(order).astype(np.int32)
    turned = transposed(CSR(histories.indptr, numbers[histories.indices], histories.values), items)
    return transposed(turned, histories.rows), order


def weights_in_blocks(
    by_user: CSR,
    items: int,
    inverse: npt.NDArray[Any],
    regularization: float,
    kept: int,
    threads: int,
    progress: Progress,
) -> CSR:
    """Return the ``kept`` weights of the largest size of each item (items, items), the largest weight first.

    by_user  (users, items), items by falling popularity, ascending in each
    inverse  (N, N) P of the first N

    Raises LinAlgError where ``regularization`` is too small for a block to be inverted.
    """
    by_user, by_item = read_only(by_user), read_only(transposed(by_user, items))
    popular, together = len(inverse), inverse.astype(np.float32, copy=False)
    inverted_diagonal = np.diag(together).copy()
    best = _Best(popular, min(kept, items - 1))
    with one_blas_thread():
        for first in range(0, popular, BLOCK):
            columns = np.arange(first, min(first + BLOCK, popular), dtype=np.int32)
            block = together[:, columns] / -inverted_diagonal[columns]
            block[columns, columns - first] = 0
            best.merge(block, columns, threads)
        others = _grouped(by_user, by_item, popular, threads)
        parts, numbers = [], []
        for first in range(0, len(others), BLOCK):
            chosen = others[first : first + BLOCK]
            shared = _product_rows(by_user, by_item, chosen, threads)
            apart, within = shared[:, :popular], shared[:, chosen].astype(np.float64)
            reached = np.empty_like(apart)

            def reach(start: int, apart: Floats = apart, reached: Floats = reached) -> None:
                part = apart[start : start + PIECE]
                # Few listeners share few of the popular items with others.
                used = np.flatnonzero(part.any(axis=0))
                some = used.size < FEW * popular
                reached[start : start + PIECE] = part[:, used] @ together[used] if some else part @ together

            each(reach, range(0, len(chosen), PIECE), threads)
            within -= reached @ apart.T
            within[np.diag_indices(len(chosen))] += regularization
            schur = np.linalg.inv((within + within.T) / 2).astype(np.float32)
            own, crossed = np.diag(schur), schur @ reached
            if not own.min() > 0:  # rounding has made it indefinite
                raise np.linalg.LinAlgError
            best.merge(crossed.T / own, chosen, threads)
            to_popular = crossed / (inverted_diagonal + np.einsum("qn,qn->n", reached, crossed))
            to_others = -schur / own
            np.fill_diagonal(to_others, 0)
            lists = _Best(len(chosen), min(kept, items - 1))
            lists.merge(to_popular, np.arange(popular, dtype=np.int32), threads)
            lists.merge(to_others, chosen, threads)
            parts.append(lists.ranked())
            numbers.append(chosen)
            progress(min(first + BLOCK, len(others)), len(others), "items")
    found = stacked([best.ranked(), *parts])
    indptr, places = gathered(found.indptr, np.argsort(np.concatenate([np.arange(popular), *numbers])))
    return CSR(indptr, found.indices[places], found.values[places])


class _Best:
    """The weights of the largest size of each of n items so far, of ``kept`` at most."""

    def __init__(self, items: int, kept: int) -> None:
        self.columns = np.zeros((items, kept), dtype=np.int32)
        self.values = np.zeros((items, kept), dtype=np.float32)

    def merge(self, block: Floats, columns: Rows, threads: int) -> None:
        """Take in the weights ``block`` (n, m) of these ``columns`` (m,)."""

        def take(start: int) -> None:
            part = slice(start, start + PIECE)
            values = np.hstack([self.values[part], block[part]])
            names = np.hstack([self.columns[part], np.broadcast_to(columns, block[part].shape)])
            places = np.empty(self.values[part].shape, dtype=np.int32)
            nothing = np.zeros(len(values) + 1, dtype=np.int64), NO_ROWS
            everything = np.ones(values.shape[1], dtype=np.bool_)
            best_of_rows(np.abs(values), everything, nothing, places, np.empty(places.shape, dtype=np.float32))
            self.columns[part] = np.take_along_axis(names, places, axis=1)
            self.values[part] = np.take_along_axis(values, places, axis=1)

        each(take, range(0, len(self.values), PIECE), threads)

    def ranked(self) -> CSR:
        """All that are not 0, the largest first."""
        order = np.argsort(-self.values, axis=1, kind="stable")
        columns, values = (np.take_along_axis(array, order, axis=1) for array in (self.columns, self.values))
        some = values != 0
        return CSR(starts_of(some.sum(axis=1)), columns[some], values[some])


def _grouped(by_user: CSR, by_item: CSR, popular: int, threads: int) -> Rows:
    """The items beyond the ``popular`` ones, those with the same strongest companion side by side."""
    others = np.arange(popular, by_item.rows, dtype=np.int32)
    companions = np.zeros(len(others), dtype=np.int64)
    fame = np.sqrt(np.maximum(np.diff(by_item.indptr[: popular + 1]), 1)).astype(np.float32)
    for start in range(0, len(others), BLOCK):
        chosen = others[start : start + BLOCK]
        companions[start : start + BLOCK] = np.argmax(
            _product_rows(by_user, by_item, chosen, threads)[:, :popular] / fame, axis=1
        )
    return others[np.argsort(companions, kind="stable")]


def _product_rows(by_user: CSR, by_item: CSR, chosen: Rows, threads: int) -> Floats:
    """The rows of XᵀX of the ``chosen`` items (n,): (n, items) float32."""
    products = np.zeros((len(chosen), by_item.rows), dtype=np.float32)
    each(
        lambda start: add_product_rows(
            chosen[start : start + PIECE], by_user, by_item, products[start : start + PIECE]
        ),
        range(0, len(chosen), PIECE),
        threads,
    )
    return products
