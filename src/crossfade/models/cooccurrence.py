"""Item to item by co-occurrence: items are similar if the same users have them.

With r, what a user's plays of an item count as, similarities of items i and j are sums over the users that have both:

    cosine   Σ_u r_ui r_uj / (‖r_i‖ ‖r_j‖)
    jaccard  users that have both / users that have either
    bm25     Σ_u b_ui b_uj,   b_ui = ln(1 + (I - d_u + ½) / (d_u + ½)) · 2.2 r / (r + 1.2 (¼ + ¾ L_i / L))
             for a user with d_u of the I items, and an item of L_i = Σ_u r_ui, L on average

each shrunk by the evidence, n_ij / (n_ij + k) for n_ij users in common. The largest of each item are kept. The first
two do not depend on popularity; by BM25 popular items score more, as they do with users.

Computed exactly, it costs Σ_u d_u² additions (`crossfade.kernels.cooccurrence`). A long history is sampled, and the
pairs of the sample represent all of its pairs. DIMSUM skips most pairs of popular items: a pair of cosine s among
items of many listeners is counted s · γ times on average, so that with γ = 1 / (s₀ ρ²) the standard error is at most
ρ s for all s from s₀ on.

Deshpande & Karypis, "Item-based top-N recommendation algorithms", TOIS 2004; Robertson & Zaragoza, "The probabilistic
relevance framework: BM25 and beyond", 2009; Zadeh & Carlsson, "Dimension independent matrix square using MapReduce",
2013.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

import numpy as np

from crossfade.core.csr import CSR, Starts, gathered, starts_of
from crossfade.core.ids import Rows
from crossfade.core.interactions import Interactions
from crossfade.core.progress import Progress, silent
from crossfade.core.settings import Range
from crossfade.kernels import cooccurrence as kernels
from crossfade.kernels.draws import draw_entries, streams
from crossfade.kernels.lanes import Floats
from crossfade.kernels.threads import balanced, each, threads_for
from crossfade.kernels.transposing import transposed
from crossfade.models.contract import Configured, InputKind, require_interactions
from crossfade.models.histories import Damping, damped, damped_histories
from crossfade.models.similarity import FittedSimilarity, SimilaritySettings, fitted

SATURATION, LENGTH_SHARE = 1.2, 0.75
"""BM25's k₁ and b, at their customary values."""

STRETCHES, ADDITIONS = 64, 1 << 28
"""The most parts of the work, after each of which progress is reported, and the additions that justify a part."""

ENTRIES = 1 << 22
"""Entries of lists in memory at a time, some 32 MB."""

HISTORIES, PIVOTS = 0, 1
"""The purposes of streams of random numbers."""


@dataclass(frozen=True, kw_only=True)
class CooccurrenceSettings(SimilaritySettings):
    """What `Cooccurrence` is fitted with."""

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


class Similar(NamedTuple):
    """The most similar items of each item, best first, and counts of the work.

    emitted  pairs of a user's items that were added up, each once
    pairs    all such pairs
    """

    lists: CSR
    emitted: int
    pairs: int


class Cooccurrence(Configured[CooccurrenceSettings]):
    """Similarities of items by the users that they share."""

    name: ClassVar[str] = "cooccurrence"
    learns_from: ClassVar[InputKind] = "interactions"
    settings_class: ClassVar[type[CooccurrenceSettings]] = CooccurrenceSettings
    fitted_class: ClassVar[type[FittedSimilarity]] = FittedSimilarity
    scoring_only: ClassVar[Mapping[str, Any]] = {"factors": 0}
    tuned: ClassVar[tuple[str, ...]] = ("measure", "damping", "neighbours", "shrinkage")

    def fit(
        self,
        interactions: Interactions,
        /,
        *,
        threads: int | None = None,
        progress: Progress = silent,
        workspace: Path | None = None,
    ) -> FittedSimilarity:
        """Fit the most similar items of each item of ``interactions``; see `Model.fit`.

        Keeps nothing in the ``workspace``. Raises InputError for interactions that nothing can be learned from.
        """
        threads = threads_for(threads)
        similar = nearest_items(interactions, self.settings, threads=threads, progress=progress)
        histories = damped_histories(interactions, self.settings.damping)
        return fitted(self.name, interactions, self.settings, histories, similar.lists, threads)


def nearest_items(
    interactions: Interactions,
    settings: CooccurrenceSettings,
    *,
    threads: int,
    progress: Progress = silent,
) -> Similar:
    """Return the most similar items of each item; the errors are those of `Cooccurrence.fit`."""
    require_interactions(interactions, Cooccurrence.name)
    order = np.argsort(-interactions.listeners(), kind="stable").astype(np.int32)
    matrix, measure = _prepared(interactions, settings, order)
    pivots = _pivots(matrix, settings, order) if settings.sampling == "dimsum" else None
    work = starts_of(kernels.work_of(matrix))
    items, width = len(order), min(settings.neighbours, len(order))
    emitted = np.zeros(items, dtype=np.int64)
    lengths, rows, scores = [], [], []
    for first, last in _stretches(work, width):
        lists = np.empty((last - first, width), dtype=np.int32)
        best = np.empty((last - first, width), dtype=np.float32)

        def search(piece: tuple[int, int], first: int = first, lists: Rows = lists, best: Floats = best) -> None:
            span, part = (first + piece[0], first + piece[1]), slice(*piece)
            if pivots is None:
                kernels.nearest_items(*span, matrix, measure, order, lists[part], best[part])
            else:
                kernels.nearest_by_sample(*span, matrix, pivots, measure, order, lists[part], best[part], emitted)

        each(search, balanced(work[first : last + 1], items // 16), threads)
        kept = lists >= 0
        lengths.append(kept.sum(axis=1))
        rows.append(lists[kept])
        scores.append(best[kept])
        progress(last, items, "items")
    # Of n items of a user there are n (n - 1) / 2 pairs, each of which is met from both sides.
    pairs = (int(work[-1]) - len(matrix.items)) // 2
    ranked = CSR(starts_of(np.concatenate(lengths)), np.concatenate(rows), np.concatenate(scores))
    indptr, places = gathered(ranked.indptr, np.argsort(order))
    lists_by_row = CSR(indptr, ranked.indices[places], ranked.values[places])
    return Similar(lists_by_row, pairs if pivots is None else int(emitted.sum()), pairs)


def _stretches(work: Starts, width: int) -> list[tuple[int, int]]:
    """Ranges of items, each with a part of the work and few enough lists for memory."""
    items = len(work) - 1
    stretches = min(STRETCHES, 1 + int(work[-1]) // ADDITIONS)
    bounds = np.searchsorted(work, work[-1] * np.arange(1, stretches) / stretches)
    evenly = np.arange(0, items, max(1, ENTRIES // width))
    return [(int(first), int(last)) for first, last in pairwise(np.unique([0, *bounds, *evenly, items]))]


def _prepared(
    interactions: Interactions, settings: CooccurrenceSettings, order: Rows
) -> tuple[kernels.Matrix, kernels.Measure]:
    """The weights that are multiplied, items by popularity, and the measure that makes similarities of their sums."""
    users, items = interactions.shape
    listeners, lengths = interactions.listeners(), np.diff(interactions.indptr)
    weights = damped(interactions.weights, "binary" if settings.measure == "jaccard" else settings.damping)
    scales = np.ones(items)
    if settings.measure == "bm25":
        weights = _bm25(weights, interactions.indices, lengths, items)
    if settings.measure == "cosine":
        squares = np.bincount(interactions.indices, weights=weights.astype(np.float64) ** 2, minlength=items)
        scales = 1 / np.sqrt(np.where(squares > 0, squares, 1))
    kept = (listeners >= settings.least_listeners)[interactions.indices]
    indptr, indices, weights = starts_of(kept)[interactions.indptr], interactions.indices[kept], weights[kept]
    stands = np.ones(users)
    longest = settings.longest_history
    if longest:
        lengths = np.diff(indptr)
        drawn = np.ones(len(indices), dtype=np.bool_)
        draw_entries(indptr, indices, longest, streams(settings.seed, HISTORIES, users), drawn)
        shortened = lengths > longest
        # Of the pairs of n items, this share are among the items that were drawn.
        stands[shortened] = lengths[shortened] * (lengths[shortened] - 1.0) / (longest * (longest - 1.0))
        indptr, indices, weights = starts_of(drawn)[indptr], indices[drawn], weights[drawn]
        weights = weights * np.repeat(np.sqrt(stands), np.diff(indptr)).astype(np.float32)
    by_item = transposed(CSR(indptr, np.argsort(order).astype(np.int32)[indices], weights), items)
    # Turned twice, the items of each user are in ascending order.
    by_user = transposed(by_item, users)
    measure = kernels.Measure(
        jaccard=settings.measure == "jaccard",
        # Where every weight is 1, the sums are the users in common.
        counted=settings.shrinkage > 0
        and not (settings.measure == "jaccard" or (settings.measure == "cosine" and settings.damping == "binary")),
        shrinkage=np.float32(settings.shrinkage),
        scales=scales[order].astype(np.float32),
        listeners=listeners[order].astype(np.float32),
    )
    return kernels.Matrix(*by_user, *by_item, stands.astype(np.float32)), measure


def _bm25(weights: Floats, indices: Rows, lengths: Starts, items: int) -> Floats:
    """BM25's values for the ``weights`` of users with ``lengths`` items."""
    totals = np.bincount(indices, weights=weights, minlength=items)
    share = (1 - LENGTH_SHARE) + LENGTH_SHARE * totals / np.mean(totals)
    rarity = np.log1p((items - lengths + 0.5) / (lengths + 0.5)).astype(np.float32)
    saturated = weights * np.float32(SATURATION + 1)
    saturated /= weights + (SATURATION * share).astype(np.float32)[indices]
    values: Floats = saturated * np.repeat(rarity, lengths)
    return values


def _pivots(matrix: kernels.Matrix, settings: CooccurrenceSettings, order: Rows) -> kernels.Pivots:
    """The sample of DIMSUM, with p = min(1, √γ / ‖c‖) for the columns c of who has what, of ones."""
    gamma = 1 / (settings.threshold * settings.relative_error**2)
    chances = np.sqrt(gamma / np.maximum(np.diff(matrix.item_indptr), gamma)).astype(np.float32)
    users = streams(settings.seed, PIVOTS, len(matrix.stands))
    return kernels.draw_pivots(matrix, chances, users, order)
