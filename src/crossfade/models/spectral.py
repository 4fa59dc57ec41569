"""Spectral filters on the graph of items: they keep what is smooth in a history, without training.

    score(x) = D^β (h(L) + α VVᵀ) D^-β x

x is a history (items,), L the Laplacian of the graph of items (`crossfade.models.graph_filter`), D the users of each
item, so that β weighs popularity, V the η smoothest eigenvectors of L: the ideal low pass. h is a plateau: exact on V,
and a straight line beyond; or everywhere a polynomial of degree K. With ``filter = "gf-cf"`` h(L) is R̃ᵀR̃, and β applies
to the ideal part alone.

The matrix in between is computed in blocks of its columns, of which the largest entries are kept. With a straight line
that costs O(Σ d² + items² η) for histories of length d, as co-occurrence does; by a polynomial O(items · K · pairs).
Memory for some blocks, V, and what is kept.

Kim, Yang, Kim & Yoon, "Graph spectral filtering with Chebyshev interpolation for recommendation", SIGIR 2025;
Shen et al., "How powerful is graph convolution for recommendation?", CIKM 2021 (GF-CF).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import numpy as np

from crossfade.core.csr import CSR
from crossfade.core.ids import Rows
from crossfade.core.interactions import Interactions
from crossfade.core.progress import Progress, silent
from crossfade.core.settings import Range
from crossfade.core.spaces import Neighbours, Vectors
from crossfade.kernels.threads import each, one_blas_thread, threads_for
from crossfade.models.contract import Configured, Floats, InputKind, require_interactions
from crossfade.models.graph_filter import Graph
from crossfade.models.histories import Damping, damped_histories
from crossfade.models.similarity import FittedSimilarity, SimilaritySettings, fitted, largest, stacked
from crossfade.models.spectral_choice import BLOCK, FLATNESS, IDEAL, Filter, best_filter, grid
from crossfade.nearest.contract import EVERYTHING, Restriction

ALL_OF = 5000
"""Up to so many items all entries are kept, which takes at most 100 MB."""

KEPT = 500

AT_A_TIME = 8
"""Blocks of columns in memory at the same time, at most."""


@dataclass(frozen=True, kw_only=True)
class SpectralSettings(SimilaritySettings):
    """What `Spectral` is fitted with."""

    filter: Literal["plateau", "gf-cf"] = "plateau"  # h: a plateau by a polynomial, or R̃ᵀR̃ itself
    # K, of the polynomial; time grows with it. 0: exact on the ideal's eigenvectors, and a straight line beyond
    degree: Annotated[int, Range(0, 64)] = 0
    # φ, flatness of the plateau; unset: chosen on a part of the data that is hidden meanwhile, as the next three
    flatness: Annotated[float, Range(above=0, high=1000)] | None = None
    ideal: Annotated[int, Range(1, 2048)] | None = None  # η, eigenvectors of the ideal low pass
    ideal_weight: Annotated[float, Range(0, 1000)] | None = None  # α, weight of the ideal low pass
    popularity_weight: Annotated[float, Range(-1, 1)] | None = None  # β, how much popularity counts
    damping: Damping = "binary"  # what plays count as: 1 ("binary"), ln(1 + plays) ("log") or themselves ("none")
    # entries above zero kept for each item, 0 for all of any sign; unset: all of up to 5,000 items, 500 each of more
    neighbours: Annotated[int, Range(1, also=(0,))] | None = None


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class FittedSpectral(FittedSimilarity):
    """The filter as similarities; items are compared by the filter without the weight of popularity."""

    def scaled(
        self,
        rows: Rows,
        k: int,
        scales: Floats,
        restriction: Restriction = EVERYTHING,
        *,
        threads: int | None = None,
    ) -> Neighbours:
        """The ``k`` others of each of ``rows`` (n,) with the largest entries of h(L) + α VVᵀ, scaled by both ends."""
        popularity = self.settings["popularity_weight"] if self.settings["filter"] == "plateau" else 0.0
        plain = np.maximum(self.support, 1).astype(np.float32) ** np.float32(-popularity)
        found = super().scaled(rows, k, scales * plain, restriction, threads=threads)
        return replace(found, scores=found.scores / (plain[rows] ** 2)[:, None])


class Spectral(Configured[SpectralSettings]):
    """A spectral filter of histories on the graph of items."""

    name: ClassVar[str] = "spectral"
    learns_from: ClassVar[InputKind] = "interactions"
    settings_class: ClassVar[type[SpectralSettings]] = SpectralSettings
    fitted_class: ClassVar[type[FittedSimilarity]] = FittedSpectral
    scoring_only: ClassVar[Mapping[str, Any]] = {"factors": 0}
    tuned: ClassVar[tuple[str, ...]] = ("filter", "damping")

    def fit(
        self,
        interactions: Interactions,
        /,
        *,
        threads: int | None = None,
        progress: Progress = silent,
        workspace: Path | None = None,
    ) -> FittedSimilarity:
        """Fit the filter of ``interactions``; see `Model.fit`.

        Keeps nothing in the ``workspace``. Raises InputError for interactions that nothing can be learned from.
        """
        require_interactions(interactions, self.name)
        threads, items, given = threads_for(threads), len(interactions.item_ids), self.settings
        histories = damped_histories(interactions, given.damping)
        flatness = [None] if given.filter == "gf-cf" else FLATNESS if given.flatness is None else [given.flatness]
        filters = grid(flatness, given.degree, given.ideal, given.ideal_weight, given.popularity_weight)
        best = best_filter(filters, histories, items, given.seed, threads)
        settings = replace(
            given,
            flatness=best.flatness or given.flatness or FLATNESS[0],
            ideal=best.ideal,
            ideal_weight=best.ideal_weight,
            popularity_weight=best.popularity,
            neighbours=self._neighbours(items),
        )
        similarities = _similarities(histories, items, best, settings, threads, progress)
        return fitted(self.name, interactions, settings, histories, similarities, threads, fitted_class=FittedSpectral)

    def memory_bytes(self, items: int) -> int:
        """What is kept of each item, the eigenvectors of a search, and a block; see `Model.memory_bytes`."""
        kept = min(self._neighbours(items) or items, items)
        return super().memory_bytes(items) + 4 * items * (
            4 * kept + 3 * (self.settings.ideal or max(IDEAL)) + 8 * BLOCK
        )

    def _neighbours(self, items: int) -> int:
        """The entries to keep for each of so many items, 0 for all."""
        if self.settings.neighbours is not None:
            return self.settings.neighbours
        return 0 if items <= ALL_OF else KEPT


def _similarities(
    histories: CSR, items: int, best: Filter, settings: SpectralSettings, threads: int, progress: Progress
) -> CSR | Vectors:
    """The largest entries of each row of D^-β (h(L) + α VVᵀ) D^β, or all of them, (items, items); the diagonal is 0."""
    graph = Graph.of(histories, items)
    smoothest = graph.smoothest(min(best.ideal, items), settings.seed, threads)
    coefficients = best.polynomial(smoothest.shares)
    weights = (best.ideal_weight + best.beyond_polynomial(smoothest.shares)).astype(np.float32)
    of_polynomial = graph.popularity(best.popularity_of_polynomial)
    of_ideal = graph.popularity(best.popularity)
    width, blocks = settings.neighbours or items, range(0, items, BLOCK)
    dense = np.empty((items, items), dtype=np.float32) if width >= items - 1 else None
    parts: dict[int, CSR] = {}

    def fill(first: int) -> None:
        rows = np.arange(first, min(first + BLOCK, items), dtype=np.int32)
        if len(coefficients) == 2:
            # c₀ + c₁ (I - 2 R̃ᵀR̃), of which the diagonal does not count.
            block = np.float32(-2 * coefficients[1]) * graph.shared(rows)
        else:
            signals = np.zeros((items, len(rows)), dtype=np.float32)
            signals[rows, rows - first] = 1
            # The matrix in between is symmetric, hence its columns are its rows.
            block = graph.filtered([coefficients], signals)[0].T
        block = block * of_polynomial.T / of_polynomial[rows]
        block += (smoothest.vectors[rows] * weights / of_ideal[rows]) @ (smoothest.vectors * of_ideal).T
        block[rows - first, rows] = 0
        if dense is None:
            parts[first] = largest(block, width)
        else:
            dense[rows] = block

    with one_blas_thread():
        for done in range(0, len(blocks), AT_A_TIME):
            some = blocks[done : done + AT_A_TIME]
            each(fill, some, threads)
            progress(min(done + AT_A_TIME, len(blocks)), len(blocks), "blocks")
    return stacked([parts[first] for first in blocks]) if dense is None else dense
