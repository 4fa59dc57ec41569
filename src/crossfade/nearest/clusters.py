"""Approximate search in clusters: only the items of the clusters nearest to a query are scored.

The items (at length one for cosine) are partitioned by `crossfade.nearest.kmeans`. A query takes the clusters in the
order of its product with their means μ_c,

    q · μ_c = mean of q · y over the items y of c

which serves dot products and cosines alike: long items make clusters of their own, with long means. Within its
clusters every item is scored. How many clusters a query takes is measured when the index is built: for a sample of
queries the true neighbours are found by exact search, and for several lengths of lists the smallest number of clusters
is kept that contains the share of them set by `IndexSettings.recall`.

Queries of one call that take the same clusters are searched together, so this is at its best for many queries at once,
as for a table of the neighbours of every item.

O(clusters + items of the clusters taken) · factors a query, read in order; the measured share is a few hundredths.

Sivic & Zisserman, "Video Google: a text retrieval approach to object matching in videos", ICCV 2003.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt

from crossfade.core.errors import ArtifactError
from crossfade.core.ids import MISSING, Rows
from crossfade.core.progress import Progress, silent
from crossfade.core.spaces import Metric, Neighbours, Vectors, VectorSpace
from crossfade.kernels.search.best import room
from crossfade.kernels.search.panels import lengths_of, unit_vectors
from crossfade.kernels.threads import each, processors, threads_for
from crossfade.nearest.contract import DEFAULT_SETTINGS, EVERYTHING, IndexSettings, Restriction, each_but
from crossfade.nearest.exclusions import Exclusions, Places
from crossfade.nearest.files import read_description, write_description
from crossfade.nearest.kmeans import clustered
from crossfade.nearest.layout import LAYOUT_FILES, Layout, best_of, laid_out
from crossfade.nearest.vectors import checked_items, checked_queries, compared, require_count

CLUSTERS = 2.0
"""Clusters, in roots of the number of items: a query then compares itself with about as many means as items."""

LEAST_MEMBERS = 32
"""Items of a cluster on average, at least: two panels of sixteen."""

SAMPLE = 512
"""Queries that measure how many clusters are needed; the standard error of their mean recall is some 0.003."""

SHORTEST_LIST, LONGEST_LIST = 8, 1024
"""Lengths of lists that are measured, doubling in between; longer lists take clusters in proportion."""

LEAST_SHARE = 8
"""Lists of more than one in this many items are not measured: they need nearly all clusters."""

DEVIATIONS = 2.0
"""By how many standard errors of the sample the measured recall must exceed the setting."""

BLOCK = 512
"""Queries that are compared with the panels of a cluster together, at most."""

TABLE_ENTRIES = 1 << 18
"""Entries of the tables of a block, 8 bytes each: they should stay in the core's cache."""

LISTED = 1 << 24
"""Clusters listed at a time, over all queries of a piece: 64 MB."""

SEED = 1914
"""Of the samples; equal spaces are indexed alike."""


@dataclass(frozen=True, kw_only=True)
class Depth:
    """How many clusters lists of some length need.

    size      length of the lists
    clusters  that contain the wanted share of the true neighbours
    recall    the share that they contain, on average of the sample
    """

    size: int
    clusters: int
    recall: float


class ClusterIndex:
    """The items of one space in clusters; see `crossfade.nearest.contract.Index`.

    depths  what was measured, by ascending size; empty where all clusters are always searched
    """

    backend: ClassVar[str] = "clusters"

    def __init__(self, space_id: str, metric: Metric, items: int, layout: Layout, depths: tuple[Depth, ...]) -> None:
        self.space_id = space_id
        self.metric: Metric = metric
        self.depths = depths
        self._items = items
        self._layout = layout
        # The means are searched as the only cluster of a layout of their own.
        self._of_means = laid_out(layout.means, layout.means[:1], np.zeros(len(layout.means), dtype=np.int32))

    @classmethod
    def build(
        cls,
        space: VectorSpace,
        metric: Metric,
        settings: IndexSettings = DEFAULT_SETTINGS,
        *,
        progress: Progress = silent,
    ) -> Self:
        """Partition the items of ``space``, and measure how many clusters a search must take.

        Equal for any number of processors. Raises InputError for vectors that are not finite.
        """
        items = checked_items(space, metric)
        points = unit_vectors(items) if metric == "cosine" else items
        rng = np.random.default_rng(SEED)
        layout = _partitioned(points, rng)
        index = cls(space.space_id, metric, len(items), layout, ())
        users = space.user_vectors if metric == "dot" else None
        index.depths = index._measured(points, users, settings.recall, rng)
        progress(len(items), len(items), "items")
        return index

    def save(self, directory: Path) -> None:
        """Write the clusters with their checksums, and which space and metric they are for."""
        self._layout.save(directory)
        measured = [[depth.size, depth.clusters, depth.recall] for depth in self.depths]
        write_description(directory, self, {"depths": measured}, *LAYOUT_FILES)

    @classmethod
    def load(cls, directory: Path, space: VectorSpace) -> Self:
        """Memory-map what `save` wrote, after checking its checksums; see `Index.load`."""
        described = read_description(directory, cls.backend, space)
        again = "Build the index again."
        layout = Layout.load(directory)
        items = len(space.item_ids)
        factors = compared(space, described.metric).shape[1]
        try:
            depths = tuple(
                Depth(size=int(size), clusters=int(clusters), recall=float(recall))
                for size, clusters, recall in described.details["depths"]
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ArtifactError(f"{directory} has no readable depths: {error!r}. {again}") from error
        if not layout.fits(items, factors) or any(depth.size < 1 or depth.clusters < 1 for depth in depths):
            raise ArtifactError(f"The clusters in {directory} do not fit their space. {again}")
        return cls(space.space_id, described.metric, items, layout, depths)

    def search(
        self,
        queries: Vectors,
        k: int,
        restriction: Restriction = EVERYTHING,
        *,
        threads: int | None = None,
    ) -> Neighbours:
        """About the best ``k`` items for each query; see `Index.search`.

        Where exclusions leave too few in the clusters taken, more are taken, in the end all.
        """
        require_count(k)
        ready = checked_queries(queries, self._layout.panels.shape[1], self.metric)
        exclusions, found = Exclusions(restriction, len(ready), self._items), Neighbours.none(len(ready), k)
        width = min(k, int(exclusions.left.max(initial=0)))
        if not width:
            return found
        closed = self._layout.closed_but(exclusions.opened)
        taken, sizes = self._taken(k, exclusions), np.ceil(np.log2(exclusions.counts() + 1)).astype(np.int64)

        def search_block(asked: Places, order: Rows) -> None:
            best = self._nearest(ready[asked], order, width, exclusions, asked, closed)
            found.rows[asked, :width], found.scores[asked, :width] = best.rows, best.scores

        # Queries that take as many clusters, and exclude about as many items, are searched together.
        for count, size in np.unique(np.stack((taken, sizes)), axis=1).T.tolist():
            alike = np.flatnonzero((taken == count) & (sizes == size))
            block = min(BLOCK, max(1, TABLE_ENTRIES // room(width + 2**size)))
            for some in np.array_split(alike, -(-len(alike) * count // LISTED)):
                self._search(ready, some, count, block, search_block, threads_for(threads))
        return found

    def _search(
        self,
        queries: Vectors,
        some: Places,
        taken: int,
        block: int,
        search_block: Callable[[Places, Rows], None],
        threads: int,
    ) -> None:
        """Call ``search_block`` with ``some`` of the queries, in blocks of one region, and their clusters."""
        order = self._order(queries[some], taken, threads)
        together = np.argsort(order[:, 0], kind="stable")

        def search(first: int) -> None:
            chosen = together[first : first + block]
            search_block(some[chosen], order[chosen])

        each(search, range(0, len(some), block), threads)

    def _taken(self, k: int, exclusions: Exclusions) -> Places:
        """How many clusters each query takes: as for a list that is long enough to contain k items not excluded."""
        clusters = len(self._layout.means)
        if not self.depths:
            return np.full(len(exclusions.left), clusters)
        share_open = max(int(exclusions.opened.sum()), 1) / max(self._items, 1)
        wanted = (k + exclusions.counts()) / share_open
        measured = np.interp(wanted, [depth.size for depth in self.depths], [depth.clusters for depth in self.depths])
        deepest = self.depths[-1]
        needed = np.ceil(measured * np.maximum(wanted / deepest.size, 1.0))
        return np.where(wanted * LEAST_SHARE > self._items, clusters, np.minimum(needed, clusters)).astype(np.int64)

    def _nearest(
        self, queries: Vectors, order: Rows, k: int, exclusions: Exclusions, asked: Places, closed: Vectors
    ) -> Neighbours:
        """The best ``k`` of the items in the clusters ``order`` (n, taken), or in twice as many where these are few."""
        best = best_of(self._layout, queries, order, k, exclusions.of(asked), closed)
        clusters, taken = len(self._layout.means), order.shape[1]
        enough = np.minimum(k, exclusions.left[asked])
        short = np.flatnonzero(np.count_nonzero(best.rows != MISSING, axis=1) < enough)
        if short.size and taken < clusters:
            deeper = self._order(queries[short], min(2 * taken, clusters), 1)
            again = self._nearest(queries[short], deeper, k, exclusions, asked[short], closed)
            best.rows[short], best.scores[short] = again.rows, again.scores
        return best

    def _order(self, queries: Vectors, taken: int, threads: int) -> Rows:
        """(n, taken) the clusters of largest mean product for each query, best first."""
        order = np.empty((len(queries), taken), dtype=np.int32)

        def order_block(first: int) -> None:
            some = queries[first : first + BLOCK]
            all_means = np.zeros((len(some), 1), dtype=np.int32)
            order[first : first + BLOCK] = best_of(self._of_means, some, all_means, taken).rows

        each(order_block, range(0, len(queries), BLOCK), threads)
        return order

    def _measured(
        self, points: Vectors, users: Vectors | None, recall: float, rng: np.random.Generator
    ) -> tuple[Depth, ...]:
        """How many clusters contain ``recall`` of the true neighbours, for lists of several sizes.

        The sample is of ``users`` where there are any, else of the items, each of which searches for the others.
        """
        clusters, longest = len(self._layout.means), min(LONGEST_LIST, len(points) // LEAST_SHARE)
        if clusters < 2 or longest < SHORTEST_LIST:
            return ()
        asking = points if users is None else np.ascontiguousarray(users, dtype=np.float32)
        chosen = np.sort(rng.choice(len(asking), min(SAMPLE, len(asking)), replace=False))
        # All items are equally close to a zero vector.
        chosen = chosen[lengths_of(asking[chosen]) > 0]
        queries = asking[chosen]
        others = each_but(chosen.astype(np.int32)) if users is None else EVERYTHING
        truth = self.search(queries, longest, others).rows
        order = self._order(queries, clusters, processors())
        of_clusters = np.empty_like(order)
        np.put_along_axis(of_clusters, order, np.arange(clusters, dtype=np.int32)[None], axis=1)
        ranks = np.take_along_axis(of_clusters, self._layout.clusters_of_items()[truth], axis=1)
        sizes = [size for size in 2 ** np.arange(31) if SHORTEST_LIST <= size <= longest]
        return tuple(_depth(ranks[:, :size], clusters, recall) for size in sizes) if len(queries) else ()


def _partitioned(points: Vectors, rng: np.random.Generator) -> Layout:
    """``points`` (items, factors) in clusters."""
    if not len(points):
        return laid_out(points, points, np.zeros(0, dtype=np.int32))
    clusters = max(1, min(round(CLUSTERS * len(points) ** 0.5), len(points) // LEAST_MEMBERS))
    means, nearest = clustered(points, clusters, rng, processors())
    return laid_out(points, means, nearest)


def _depth(ranks: npt.NDArray[np.int32], clusters: int, recall: float) -> Depth:
    """The fewest clusters that contain ``recall`` of neighbours whose clusters have these ``ranks`` (queries, size)."""
    queries, size = ranks.shape
    within = np.zeros((queries, clusters))
    np.add.at(within, (np.arange(queries)[:, None], ranks), 1.0 / size)
    shares = np.cumsum(within, axis=1)
    means = shares.mean(axis=0)
    lowest = means - DEVIATIONS * shares.std(axis=0) / np.sqrt(queries)
    # The sum of shares may miss 1 by its rounding.
    count = min(int(np.searchsorted(lowest, recall - 1e-9)) + 1, clusters)
    return Depth(size=size, clusters=count, recall=float(means[count - 1]))
