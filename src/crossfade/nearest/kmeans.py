"""Partition points into clusters around their means.

    assign:  cluster(x) = argmin_c |x - μ_c|² = argmax_c x · μ_c - |μ_c|² / 2
    update:  μ_c = mean of the points of c

The means are learned from a sample; the product with one more coordinate, 1 for a point and -|μ|²/2 for a mean,
makes the assignment a search for the single best by inner product (`crossfade.kernels.search.scan`).

O(rounds · sample · clusters · factors), and once points · clusters · factors.

Lloyd, "Least squares quantization in PCM", IEEE Transactions on Information Theory, 1982.
"""

import numpy as np

from crossfade.core.csr import Starts, starts_of
from crossfade.core.ids import Rows
from crossfade.core.spaces import Vectors
from crossfade.kernels.search.panels import packed
from crossfade.kernels.search.scan import scan
from crossfade.kernels.threads import each

ROUNDS = 6
"""Updates of the means; later ones gain less than the difference between two samples."""

SAMPLE = 48
"""Points of the sample for each cluster."""

BLOCK = 512
"""Points that a thread assigns before it takes the next."""


def clustered(points: Vectors, clusters: int, rng: np.random.Generator, threads: int) -> tuple[Vectors, Rows]:
    """Return means (clusters, factors) float32 of ``points`` (n, factors), and (n,) the one nearest to each point.

    A cluster may end up without points. Equal for any number of ``threads``. 1 <= clusters <= n.
    """
    count = min(len(points), SAMPLE * clusters)
    sample = points if count == len(points) else points[np.sort(rng.choice(len(points), count, replace=False))]
    means = sample[np.sort(rng.choice(count, clusters, replace=False))]
    for _ in range(ROUNDS):
        means = _updated(sample, means, assigned(sample, means, threads))
    return means, assigned(points, means, threads)


def assigned(points: Vectors, means: Vectors, threads: int) -> Rows:
    """Return (n,) the nearest of the ``means`` for each of ``points`` (n, factors); of equal ones the lower row."""
    halves = np.einsum("cf,cf->c", means, means, dtype=np.float64) / -2
    targets = np.concatenate((means, halves[:, None]), axis=1).astype(np.float32)
    panels = packed(targets, np.arange(len(means), dtype=np.int32), unit=False)
    nearest = np.zeros((len(points), 1), dtype=np.int32)
    opened, nothing = np.ones(len(means), dtype=np.bool_), np.zeros(0, dtype=np.int32)

    def assign(first: int) -> None:
        part = points[first : first + BLOCK]
        asked = np.concatenate((part, np.ones((len(part), 1), dtype=np.float32)), axis=1)
        scores = np.empty((len(part), 1), dtype=np.float32)
        excluded = np.zeros(len(part) + 1, dtype=np.int64)
        scan(panels, len(means), asked, opened, excluded, nothing, nearest[first : first + BLOCK], scores)

    each(assign, range(0, len(points), BLOCK), threads)
    return nearest[:, 0]


def members_of(nearest: Rows, clusters: int) -> tuple[Starts, Rows]:
    """Return the points of each cluster, ascending, in compressed rows."""
    return starts_of(np.bincount(nearest, minlength=clusters)), np.argsort(nearest, kind="stable").astype(np.int32)


def _updated(points: Vectors, means: Vectors, nearest: Rows) -> Vectors:
    """The mean of each cluster; one without points restarts inside one of the largest clusters."""
    starts, members = members_of(nearest, len(means))
    sizes = np.diff(starts)
    filled = np.flatnonzero(sizes)
    sums = np.add.reduceat(points[members], starts[filled], axis=0, dtype=np.float64)
    updated = means.copy()
    updated[filled] = sums / sizes[filled, None]
    empty = np.flatnonzero(sizes == 0)[: len(filled)]
    largest = np.argsort(-sizes, kind="stable")[: len(empty)]
    updated[empty] = points[members[starts[largest] + sizes[largest] // 2]]
    return updated
