"""What co-occurrence multiplies: the histories of some users, for which everything about the items is known.

A user's weights depend on the user's history and on a few numbers of each item, the *columns*, which two passes over
the interactions give. So the histories of any range of users can be prepared on their own, by any machine.

Weights are rounded so that sums do not depend on their order. Let ‖c_i‖ be the norm of item i's weights. By Cauchy and
Schwarz no sum of products with item j is above ‖c_i‖ ‖c_j‖. With weights of item i that are multiples of

    2⁻ᵉ,   e = ⌊25.5 - log₂ ‖c_i‖⌋,

each product is a multiple of 2^-(e_i + e_j), and each sum less than 2⁵³ of them: exact in double precision. A weight is
off by at most 2⁻²⁵ of the norm.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from crossfade.core.csr import CSR, Starts, starts_of
from crossfade.core.ids import Rows
from crossfade.core.interactions import Interactions
from crossfade.core.settings import Range
from crossfade.kernels import cooccurrence as kernels
from crossfade.kernels.cooccurrence_lists import Measure
from crossfade.kernels.draws import draw_entries, streams
from crossfade.kernels.lanes import Floats
from crossfade.kernels.transposing import transposed
from crossfade.models.histories import Damping, damped
from crossfade.models.similarity import SimilaritySettings

SATURATION, LENGTH_SHARE = 1.2, 0.75
"""BM25's k₁ and b, at their customary values."""

EXACT_BITS = 51
"""Sums stay below 2⁵¹ steps, since rounding can make a norm somewhat larger and double precision has 53 bits."""

BLOCK = 1 << 24
"""Pairs that are prepared at a time while columns are computed, to bound memory."""

HISTORIES, PIVOTS = 0, 1
"""The purposes of streams of random numbers."""


@dataclass(frozen=True, kw_only=True)
class CooccurrenceSettings(SimilaritySettings):
    """What `crossfade.models.cooccurrence.Cooccurrence` is fitted with."""

    measure: Literal["cosine", "jaccard", "bm25"] = "bm25"  # how similar two items are that users have in common
    damping: Damping = "log"  # what plays count as: 1 ("binary"), ln(1 + plays) ("log") or themselves ("none")
    neighbours: Annotated[int, Range(1, 10_000)] = 200  # items kept for each item
    shrinkage: Annotated[float, Range(0, 10_000)] = 10.0  # users in common at which a similarity counts half
    least_listeners: Annotated[int, Range(1)] = 1  # items with fewer are similar to none
    longest_history: Annotated[int, Range(2, also=(0,))] = 1000  # items drawn of a user who has more; 0 for all
    sampling: Literal["exact", "dimsum"] = "exact"  # all pairs, or those that DIMSUM draws
    # s₀, cosine of who has what, without weights, from which on relative_error holds; only for "dimsum"
    threshold: Annotated[float, Range(above=0, high=1)] = 0.1
    # ρ, standard error of a similarity, as a share of it; only for "dimsum"
    relative_error: Annotated[float, Range(above=0, high=1)] = 0.2

    @property
    def has_ones(self) -> bool:
        """Whether every weight is 1, so that sums of products count the users in common."""
        return self.measure == "jaccard" or (self.measure == "cosine" and self.damping == "binary")


class Columns(NamedTuple):
    """What preparing histories and scoring sums needs of the items. A number is an item's place by popularity.

    order      (items,) int32 the row of each number
    numbers    (items,) int32 the number of each row
    kept       (items,) bool, by row: has enough listeners
    lengths    (items,) float32, by row: BM25's k₁ (1 - b + b L_i / L)
    steps      (items,) float32, by row: weights are multiples of it
    chances    (items,) float32, by number: p of DIMSUM, 1 for all where nothing is drawn
    scales     (items,) float32, by number; see `Measure`
    listeners  (items,) float32, by number
    step       (1,) float32: how many users a history stands for is a multiple of it
    """

    order: Rows
    numbers: Rows
    kept: npt.NDArray[np.bool_]
    lengths: Floats
    steps: Floats
    chances: Floats
    scales: Floats
    listeners: Floats
    step: Floats

    def measure(self, settings: CooccurrenceSettings) -> Measure:
        """What makes similarities of sums."""
        return Measure(
            jaccard=settings.measure == "jaccard",
            counted=settings.shrinkage > 0 and not settings.has_ones,
            shrinkage=np.float32(settings.shrinkage),
            scales=self.scales,
            listeners=self.listeners,
        )


def columns_of(interactions: Interactions, settings: CooccurrenceSettings) -> Columns:
    """Return the columns of all items; takes two passes over the interactions, in blocks."""
    items, listeners = len(interactions.item_ids), interactions.listeners()
    order = np.argsort(-listeners, kind="stable").astype(np.int32)
    nothing = np.ones(items, dtype=np.float32)
    columns = Columns(
        order=order,
        numbers=np.argsort(order).astype(np.int32),
        kept=listeners >= settings.least_listeners,
        lengths=_lengths(interactions, settings) if settings.measure == "bm25" else nothing,
        steps=nothing,
        chances=nothing,
        scales=nothing,
        listeners=listeners[order].astype(np.float32),
        step=nothing[:1],
    )
    squares, drawn_squares, drawn_listeners = np.zeros((3, items))
    represented = 0.0
    for first, last in _blocks(interactions.indptr):
        pairs = slice(int(interactions.indptr[first]), int(interactions.indptr[last]))
        if settings.measure == "cosine":
            weights = damped(interactions.weights[pairs], settings.damping).astype(np.float64)
            squares += np.bincount(interactions.indices[pairs], weights=weights**2, minlength=items)
        histories, stands = _histories(interactions, first, last, columns, settings)
        weights = histories.values.astype(np.float64)
        drawn_squares += np.bincount(histories.indices, weights=weights**2, minlength=items)
        drawn_listeners += np.bincount(histories.indices, minlength=items)
        represented += float(stands.sum(dtype=np.float64))
    if settings.measure == "cosine":
        columns = columns._replace(scales=(1 / np.sqrt(np.where(squares > 0, squares, 1)))[order].astype(np.float32))
    if settings.sampling == "dimsum":
        # p = min(1, √γ / ‖c‖) for the columns c of who has what, of ones.
        gamma = 1 / (settings.threshold * settings.relative_error**2)
        columns = columns._replace(
            chances=np.sqrt(gamma / np.maximum(drawn_listeners[order], gamma)).astype(np.float32)
        )
    return columns._replace(
        steps=_step(np.sqrt(drawn_squares), EXACT_BITS / 2), step=_step(np.array([represented]), EXACT_BITS)
    )


def matrix_of(
    interactions: Interactions, first: int, last: int, columns: Columns, settings: CooccurrenceSettings
) -> kernels.Matrix:
    """Return the histories of the users ``first`` to ``last``, by user and by item."""
    histories, stands = _histories(interactions, first, last, columns, settings)
    weights = _rounded(histories.values, columns.steps[histories.indices])
    numbered = CSR(histories.indptr, columns.numbers[histories.indices], weights)
    by_item = transposed(numbered, len(columns.order))
    # Turned twice, the items of each user are in ascending order.
    return kernels.Matrix(*transposed(by_item, last - first), *by_item, _rounded(stands, columns.step))


def pivots_of(matrix: kernels.Matrix, first: int, columns: Columns, settings: CooccurrenceSettings) -> kernels.Pivots:
    """Return the sample of DIMSUM from the ``matrix`` of the users from ``first`` on; everything where p is 1."""
    users = streams(settings.seed, PIVOTS, first + len(matrix.stands))[first:]
    return kernels.draw_pivots(matrix, columns.chances, users, columns.order)


def _histories(
    interactions: Interactions, first: int, last: int, columns: Columns, settings: CooccurrenceSettings
) -> tuple[CSR, Floats]:
    """The items (by row) and weights of users that count, and how many users each history stands for (users,)."""
    starts = interactions.indptr[first : last + 1]
    pairs = slice(int(starts[0]), int(starts[-1]))
    indptr, indices = starts - starts[0], interactions.indices[pairs]
    weights = damped(interactions.weights[pairs], "binary" if settings.measure == "jaccard" else settings.damping)
    if settings.measure == "bm25":
        weights = _bm25(weights, indices, np.diff(indptr), columns.lengths)
    kept = columns.kept[indices]
    indptr, indices, weights = starts_of(kept)[indptr], indices[kept], weights[kept]
    stands, longest = np.ones(last - first, dtype=np.float32), settings.longest_history
    counts = np.diff(indptr)
    shortened = counts > longest
    if longest and shortened.any():
        drawn = np.ones(len(indices), dtype=np.bool_)
        users = streams(settings.seed, HISTORIES, last)[first:]
        draw_entries(indptr, indices, longest, users, drawn)
        # Of the pairs of n items, this share are among the items that were drawn.
        stands[shortened] = counts[shortened] * (counts[shortened] - 1.0) / (longest * (longest - 1.0))
        indptr, indices, weights = starts_of(drawn)[indptr], indices[drawn], weights[drawn]
        weights *= np.repeat(np.sqrt(stands), np.diff(indptr))
    return CSR(indptr, indices, weights), stands


def _bm25(weights: Floats, indices: Rows, counts: Starts, lengths: Floats) -> Floats:
    """BM25's values for the ``weights`` of users with so many items (users,)."""
    rarity = np.log1p((len(lengths) - counts + 0.5) / (counts + 0.5)).astype(np.float32)
    values = weights * np.float32(SATURATION + 1)
    values /= weights + lengths[indices]
    values *= np.repeat(rarity, counts)
    return values


def _lengths(interactions: Interactions, settings: CooccurrenceSettings) -> Floats:
    """(items,) what BM25 adds to a weight in its denominator."""
    totals = np.zeros(len(interactions.item_ids))
    for first, last in _blocks(interactions.indptr):
        pairs = slice(int(interactions.indptr[first]), int(interactions.indptr[last]))
        weights = damped(interactions.weights[pairs], settings.damping)
        totals += np.bincount(interactions.indices[pairs], weights=weights, minlength=len(totals))
    share = (1 - LENGTH_SHARE) + LENGTH_SHARE * totals / np.mean(totals)
    lengths: Floats = (SATURATION * share).astype(np.float32)
    return lengths


def _blocks(indptr: Starts) -> Iterator[tuple[int, int]]:
    """Ranges of users with about `BLOCK` pairs each; they depend on nothing else, since so do the sums over them."""
    bounds = np.searchsorted(indptr, np.arange(0, indptr[-1], BLOCK))
    ends = np.unique([0, *bounds, len(indptr) - 1]).tolist()
    return itertools.pairwise(ends)


def _step(most: npt.NDArray[np.float64], bits: float) -> Floats:
    """The power of two of which ``most`` (n,) is less than 2**bits."""
    exponents = np.ceil(np.log2(np.where(most > 0, most, 1)) - bits)
    step: Floats = np.exp2(exponents).astype(np.float32)
    return step


def _rounded(values: Floats, steps: Floats) -> Floats:
    """The nearest multiples of ``steps``, at least one of them each: a sum of 0 means that there was nothing to add."""
    multiples: Floats = np.maximum(np.rint(values / steps), np.float32(1)) * steps
    return multiples
