"""Which spectral filter suits the data: of a small grid, the one that finds most of what is hidden.

A fifth of the items of some users is hidden, every filter ranks all items for a part of them, the best ones for the
others too, and the largest mean NDCG@20 wins. The filters share the sparse products of a history and its products with
V, which are computed once for each β.
"""

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from crossfade.core.csr import CSR, gathered, starts_of
from crossfade.core.spaces import Vectors
from crossfade.kernels.histories import best_of_rows
from crossfade.kernels.threads import each, one_blas_thread
from crossfade.models.contract import Floats
from crossfade.models.graph_filter import Coefficients, Graph, Smoothest, Spectrum, interpolated, linear, plateau

USERS = 1000
"""Users of whom a part is hidden, at most."""

EVERY, LEFT = 5, 12
"""All filters are tried on every fifth of these users, and so many of the best on the others."""

FEWEST = 30
"""With fewer users to hide a part of, the first filter of the grid is taken."""

HIDDEN = 0.2
SHOWN = 20

BLOCK = 64
"""Users, or columns of the matrix, that are filtered at a time: 256 bytes of each row that a sparse product reads."""

AT_A_TIME = 4
"""Blocks of users in memory at the same time, at most."""

FLATNESS = (3.0, 1.5, 10.0, 30.0)
IDEAL = (64, 256)
IDEAL_WEIGHT = (0.1, 0.0, 0.3, 1.0)
POPULARITY = (0.2, 0.0, 0.4)
"""The grid where nothing is set; its first filter is the one for too little data."""


LEAST = 1e-6
"""Below this share of an eigenvector there is nothing left beyond it."""


@dataclass(frozen=True, kw_only=True)
class Filter:
    """D^β (h(L) + α VVᵀ) D^-β.

    flatness      φ of the plateau; None for h(L) = R̃ᵀR̃, which β leaves alone
    degree        K; 0 for the plateau itself on V, and a straight line beyond
    ideal         η, the columns of V
    ideal_weight  α
    popularity    β
    """

    flatness: float | None
    degree: int
    ideal: int
    ideal_weight: float
    popularity: float

    @property
    def popularity_of_polynomial(self) -> float:
        """β for h(L)."""
        return 0.0 if self.flatness is None else self.popularity

    def polynomial(self, shares: Spectrum) -> Coefficients:
        """Return the coefficients of the polynomial, for the ``shares`` 1 - λ of V."""
        if self.flatness is None:
            return interpolated(linear, 1)
        if self.degree:
            return interpolated(plateau(self.flatness), self.degree)
        return self._slope(shares) * interpolated(linear, 1)

    def beyond_polynomial(self, shares: Spectrum) -> Spectrum:
        """Return what h adds to the polynomial on each column of V (η,), without α."""
        own = shares[: self.ideal]
        if self.flatness is None or self.degree:
            return np.zeros(len(own))
        return plateau(self.flatness)(1 - own) - self._slope(shares) * own

    def _slope(self, shares: Spectrum) -> float:
        """How steeply h rises with the share, from 0 to that of the last column of V: through two Chebyshev nodes."""
        edge = shares[: self.ideal][-1]
        if self.flatness is None or edge < LEAST:
            return 0.0
        nodes = edge * (0.5 + np.array([-0.5, 0.5]) * np.sqrt(0.5))
        low, high = plateau(self.flatness)(1 - nodes)
        return float((high - low) / (nodes[1] - nodes[0]))


def grid(
    flatness: Iterable[float | None],
    degree: int,
    ideal: int | None,
    ideal_weight: float | None,
    popularity: float | None,
) -> list[Filter]:
    """Return all filters of these settings, of which None leaves one open."""
    settings = itertools.product(
        POPULARITY if popularity is None else [popularity],
        flatness,
        IDEAL_WEIGHT if ideal_weight is None else [ideal_weight],
        IDEAL if ideal is None else [ideal],
    )
    return [
        Filter(flatness=flat, degree=degree, ideal=eta, ideal_weight=weight, popularity=beta)
        for beta, flat, weight, eta in settings
    ]


def best_filter(filters: list[Filter], histories: CSR, items: int, seed: int, threads: int) -> Filter:
    """Return the one of ``filters`` that finds most of what is hidden of ``histories`` (users, items)."""
    rng = np.random.default_rng(seed)
    lengths = np.diff(histories.indptr)
    users = np.sort(rng.permutation(np.flatnonzero(lengths * HIDDEN >= 0.5))[:USERS])
    if len(filters) == 1 or len(users) < FEWEST:
        return filters[0]
    hidden = _hidden(histories.indptr, users, rng)
    train = CSR(starts_of(~hidden)[histories.indptr], histories.indices[~hidden], histories.values[~hidden])
    asked = CSR(starts_of(hidden)[histories.indptr], histories.indices[hidden], histories.values[hidden])
    graph = Graph.of(train, items)
    smoothest = graph.smoothest(min(items, max(one.ideal for one in filters)), seed, threads)
    first = np.arange(len(users)) % EVERY == 0
    with one_blas_thread():
        few = _gains(filters, graph, smoothest, train.take(users[first]), asked.take(users[first]), threads)
        left = np.argsort(-few, kind="stable")[:LEFT]
        some: list[Filter] = [filters[place] for place in left.tolist()]
        more = _gains(some, graph, smoothest, train.take(users[~first]), asked.take(users[~first]), threads)
    return some[int(np.argmax(few[left] + more))]


def _hidden(
    indptr: npt.NDArray[np.int64], users: npt.NDArray[np.int64], rng: np.random.Generator
) -> npt.NDArray[np.bool_]:
    """(pairs,) a random share of the items of each of ``users``."""
    hidden = np.zeros(indptr[-1], dtype=np.bool_)
    starts, places = gathered(indptr, users)
    lengths = np.diff(starts)
    order = np.lexsort((rng.random(len(places)), np.repeat(users, lengths)))
    rank = np.arange(len(places)) - np.repeat(starts[:-1], lengths)
    hidden[places[order]] = rank < np.repeat(np.floor(lengths * HIDDEN + 0.5), lengths)
    return hidden


def _gains(
    filters: list[Filter], graph: Graph, smoothest: Smoothest, shown: CSR, hidden: CSR, threads: int
) -> npt.NDArray[np.float64]:
    """(filters,) the sum over users of NDCG@20, for the histories ``shown`` and the ``hidden`` ones."""
    starts = range(0, shown.rows, BLOCK)
    found = np.zeros((len(starts), len(filters)))

    def measure(block: int) -> None:
        some = np.arange(starts[block], min(starts[block] + BLOCK, shown.rows))
        found[block] = _gains_of_block(filters, graph, smoothest, shown.take(some), hidden.take(some))

    each(measure, range(len(starts)), min(threads, AT_A_TIME))
    gains: npt.NDArray[np.float64] = found.sum(axis=0)
    return gains


def _gains_of_block(
    filters: list[Filter], graph: Graph, smoothest: Smoothest, shown: CSR, hidden: CSR
) -> npt.NDArray[np.float64]:
    """What `_gains` returns, of few users."""
    users, items = shown.rows, len(graph.listeners)
    signals = np.zeros((items, users), dtype=np.float32)
    signals[shown.indices, np.repeat(np.arange(users), np.diff(shown.indptr))] = shown.values
    hits = np.zeros((users, items), dtype=np.bool_)
    hits[np.repeat(np.arange(users), np.diff(hidden.indptr)), hidden.indices] = True
    gains = 1 / np.log2(np.arange(2, SHOWN + 2))
    most = np.cumsum(gains)[np.minimum(np.diff(hidden.indptr), SHOWN) - 1]
    everything, excluded = np.ones(items, dtype=np.bool_), (shown.indptr, shown.indices)
    rows = np.empty((users, SHOWN), dtype=np.int32)
    best = np.empty((users, SHOWN), dtype=np.float32)
    found = np.zeros(len(filters))
    for place, scores in _scores(filters, graph, smoothest, signals):
        best_of_rows(scores, everything, excluded, rows, best)
        found[place] = ((np.take_along_axis(hits, np.maximum(rows, 0), axis=1) & (rows >= 0)) @ gains / most).sum()
    return found


def _scores(
    filters: list[Filter], graph: Graph, smoothest: Smoothest, signals: Vectors
) -> Iterator[tuple[int, Floats]]:
    """The scores (users, items) of ``signals`` (items, users) by each filter, with its place; β by β, for memory."""
    for beta in dict.fromkeys(one.popularity for one in filters):
        same = [(place, one) for place, one in enumerate(filters) if one.popularity == beta]
        popularity = graph.popularity(beta)
        projected = np.asarray((signals / popularity).T @ smoothest.vectors, dtype=np.float32)

        def on_smoothest(
            weights: Spectrum, projected: Vectors = projected, popularity: Vectors = popularity
        ) -> Vectors:
            width = len(weights)
            turned = (projected[:, :width] * weights.astype(np.float32)) @ smoothest.vectors[:, :width].T
            scaled: Vectors = turned * popularity.T
            return scaled

        ideals = {one.ideal: on_smoothest(np.ones(min(one.ideal, projected.shape[1]))) for _, one in same}
        popularity = graph.popularity(same[0][1].popularity_of_polynomial)
        # Of all filters of the same h, computed once.
        distinct = {(one.flatness, one.degree or -one.ideal): one for _, one in same}
        polynomials = [one.polynomial(smoothest.shares) for one in distinct.values()]
        filtered = (graph.filtered(polynomials, signals / popularity) * popularity).transpose(0, 2, 1)
        of_h = {
            key: part + on_smoothest(one.beyond_polynomial(smoothest.shares))
            for (key, one), part in zip(distinct.items(), filtered, strict=True)
        }
        for place, one in same:
            scores = of_h[one.flatness, one.degree or -one.ideal] + np.float32(one.ideal_weight) * ideals[one.ideal]
            yield place, np.ascontiguousarray(scores)
