"""How many of the true neighbours an index finds, measured on a sample of items by exact search."""

import numpy as np

from crossfade.core.ids import MISSING
from crossfade.core.spaces import VectorSpace
from crossfade.kernels.search.panels import lengths_of
from crossfade.nearest.contract import Index, each_but
from crossfade.nearest.exact import ExactIndex
from crossfade.nearest.vectors import compared

SAMPLE = 256
"""Items whose lists are compared with exact search; their mean recall is then known to some half a hundredth."""

SIZE = 100
"""Length of these lists."""

SEED = 1914
"""Of the sample."""


def measured_recall(index: Index, space: VectorSpace, k: int = SIZE, *, threads: int | None = None) -> float:
    """Return the share of the true ``k`` nearest others of an item that ``index`` finds, on average of a sample."""
    vectors = compared(space, index.metric)
    rng = np.random.default_rng(SEED)
    sample = np.sort(rng.choice(len(vectors), min(SAMPLE, len(vectors)), replace=False)).astype(np.int32)
    # Everything is equally near to a zero vector.
    sample = sample[lengths_of(np.ascontiguousarray(vectors[sample])) > 0]
    if index.backend == "exact" or len(vectors) < 2 or not len(sample):
        return 1.0
    others, exact = each_but(sample), ExactIndex.build(space, index.metric)
    listed, true = (one.search(vectors[sample], k, others, threads=threads) for one in (index, exact))
    # An item that is as good as the last of the true ones is as true.
    last = np.where(true.rows == MISSING, np.inf, true.scores).min(axis=1)
    hits = (listed.rows != MISSING) & (listed.scores >= last[:, None])
    return float(np.mean(np.minimum(hits.sum(axis=1) / (true.rows != MISSING).sum(axis=1), 1.0)))
