"""Items in the order of their clusters, in memory and in files, and the search among them.

A cluster begins with a new panel of sixteen items (`crossfade.kernels.search.panels`); the last lanes of its last panel
may be empty. All of it is in memory-mapped files, so that processes share one copy and a search needs nothing else.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt

from crossfade.core.arrays import load_array
from crossfade.core.artifacts import translated_storage_errors
from crossfade.core.csr import Starts, starts_of
from crossfade.core.ids import MISSING, Rows
from crossfade.core.spaces import Neighbours, Vectors
from crossfade.kernels.lanes import WIDTH, aligned
from crossfade.kernels.search.panels import pack_panels
from crossfade.kernels.search.probing import probe
from crossfade.nearest.contract import EVERYTHING, Restriction
from crossfade.nearest.kmeans import members_of

PANELS, STARTS, LISTED, MEANS = LAYOUT_FILES = ("panels.npy", "starts.npy", "listed.npy", "means.npy")


@dataclass(frozen=True, eq=False, kw_only=True)
class Layout:
    """Items in clusters.

    panels  (panels, factors, 16) float32, the items' vectors by lane
    starts  (clusters + 1,) int64, the panels of cluster c being starts[c]:starts[c + 1]
    listed  (panels · 16,) int32, the item in each lane; MISSING for none
    means   (clusters, factors) float32
    """

    panels: Vectors
    starts: Starts
    listed: Rows
    means: Vectors

    @cached_property
    def closed(self) -> Vectors:
        """(panels · 16,) float32: -inf for the lanes without an item, else 0."""
        return np.where(self.listed == MISSING, -np.inf, 0).astype(np.float32)

    def closed_but(self, opened: npt.NDArray[np.bool_]) -> Vectors:
        """`closed`, with -inf for the items that are not ``opened`` (items,) as well."""
        return self.closed if opened.all() else np.where(opened[self.listed], self.closed, np.float32(-np.inf))

    def clusters_of_items(self) -> Rows:
        """(items,) the cluster of each item."""
        present = self.listed != MISSING
        of_lanes = np.repeat(np.arange(len(self.means), dtype=np.int32), np.diff(self.starts) * WIDTH)
        clusters = np.empty(int(present.sum()), dtype=np.int32)
        clusters[self.listed[present]] = of_lanes[present]
        return clusters

    def fits(self, items: int, factors: int) -> bool:
        """Whether these are ``items`` with ``factors``, each once, and no number points outside the arrays."""
        panels, clusters = len(self.panels), len(self.means)
        return (
            self.panels.shape == (panels, factors, WIDTH)
            and self.means.shape == (clusters, factors)
            and self.starts.shape == (clusters + 1,)
            and self.listed.shape == (panels * WIDTH,)
            and bool(self.starts[0] == 0 and self.starts[-1] == panels and np.all(np.diff(self.starts) >= 0))
            and np.array_equal(np.sort(self.listed[self.listed != MISSING]), np.arange(items))
        )

    def save(self, directory: Path) -> None:
        """Write LAYOUT_FILES into an existing ``directory``."""
        with translated_storage_errors(directory):
            np.save(directory / PANELS, self.panels, allow_pickle=False)
            np.save(directory / STARTS, self.starts, allow_pickle=False)
            np.save(directory / LISTED, self.listed, allow_pickle=False)
            np.save(directory / MEANS, self.means, allow_pickle=False)

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Memory-map what `save` wrote; ArtifactError for arrays of another type."""
        return cls(
            panels=load_array(directory / PANELS, dtype=np.float32, ndim=3),
            starts=load_array(directory / STARTS, dtype=np.int64, ndim=1),
            listed=load_array(directory / LISTED, dtype=np.int32, ndim=1),
            means=load_array(directory / MEANS, dtype=np.float32, ndim=2),
        )


def laid_out(points: Vectors, means: Vectors, nearest: Rows) -> Layout:
    """Lay out ``points`` (items, factors) in the clusters ``nearest`` (items,) around ``means`` (clusters, factors)."""
    starts, members = members_of(nearest, len(means))
    sizes = np.diff(starts)
    first_panels = starts_of(-(-sizes // WIDTH))
    listed = np.full(first_panels[-1] * WIDTH, MISSING, dtype=np.int32)
    listed[np.arange(len(points)) + np.repeat(first_panels[:-1] * WIDTH - starts[:-1], sizes)] = members
    panels = aligned(int(first_panels[-1]), points.shape[1], WIDTH)
    for cluster in range(len(means)):
        rows = members[starts[cluster] : starts[cluster + 1]]
        pack_panels(points, rows, False, panels[first_panels[cluster] : first_panels[cluster + 1]].reshape(-1))
    for array in (panels, first_panels, listed):
        array.flags.writeable = False  # as after loading, so that `probe` is compiled once
    return Layout(panels=panels, starts=first_panels, listed=listed, means=means)


def best_of(
    layout: Layout,
    queries: Vectors,
    probes: Rows,
    k: int,
    excluded: Restriction = EVERYTHING,
    closed: Vectors | None = None,
) -> Neighbours:
    """Return the best ``k`` of the items in the clusters ``probes`` (n, any) of each of ``queries`` (n, factors).

    Of ``excluded`` only what each query excludes counts; ``closed`` is from `Layout.closed_but`, None: all are open.
    """
    indptr, indices = excluded.of_queries(len(queries))
    rows, scores = np.empty((len(queries), k), dtype=np.int32), np.empty((len(queries), k), dtype=np.float32)
    probe(
        layout.panels,
        layout.starts,
        layout.listed,
        layout.closed if closed is None else closed,
        queries,
        probes,
        indptr,
        indices,
        rows,
        scores,
    )
    return Neighbours(rows, scores)
