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
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np

from crossfade.core.csr import CSR, Starts, starts_of
from crossfade.core.ids import Rows
from crossfade.core.interactions import Interactions
from crossfade.core.progress import Progress, silent
from crossfade.kernels import cooccurrence as kernels
from crossfade.kernels.lanes import Floats
from crossfade.kernels.threads import balanced, each, threads_for
from crossfade.models.contract import Configured, InputKind, require_interactions
from crossfade.models.cooccurrence_columns import CooccurrenceSettings, columns_of, matrix_of, pivots_of
from crossfade.models.histories import damped_histories
from crossfade.models.similarity import FittedSimilarity, fitted

STRETCHES, ADDITIONS = 64, 1 << 28
"""The most parts of the work, after each of which progress is reported, and the additions that justify a part."""

ENTRIES = 1 << 22
"""Entries of lists in memory at a time, some 32 MB."""


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
    version: ClassVar[int] = 2
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
    columns = columns_of(interactions, settings)
    order, measure = columns.order, columns.measure(settings)
    matrix = matrix_of(interactions, 0, len(interactions.user_ids), columns, settings)
    pivots = pivots_of(matrix, 0, columns, settings) if settings.sampling == "dimsum" else None
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
    return Similar(ranked.take(columns.numbers), pairs if pivots is None else int(emitted.sum()), pairs)


def _stretches(work: Starts, width: int) -> list[tuple[int, int]]:
    """Ranges of items, each with a part of the work and few enough lists for memory."""
    items = len(work) - 1
    stretches = min(STRETCHES, 1 + int(work[-1]) // ADDITIONS)
    bounds = np.searchsorted(work, work[-1] * np.arange(1, stretches) / stretches)
    evenly = np.arange(0, items, max(1, ENTRIES // width))
    return [(int(first), int(last)) for first, last in pairwise(np.unique([0, *bounds, *evenly, items]))]
