"""Evidence behind an item, whether it is close to everything, and its popularity.

Evidence. A vector that three listeners made says little: whatever those three also played looks like a twin. So every
similarity is shrunk by the evidence behind both of its ends:

    closeness(a, b) = similarity(a, b) · e_a · e_b        with  e_i = m_i / (m_i + k)

m_i being the support of i: its listeners, or the texts about it. The factors separate, so that a search by inner
product still finds the closest items exactly.

Hubs. What nearly everybody plays is fairly close to everything, and would lead lists that it says nothing about. So
an item counts by its mean cosine to all items, weighted by their support:

    1 / (1 + max(0, mean cosine of i) / h)

which is half at a mean of h. It separates as well. See Suzuki et al., "Centering similarity measures to reduce
hubs", EMNLP 2013, for the idea.

Popularity. ln(1 + m_i) / ln(1 + max m), which is 1 for the item with the most listeners and 0 for one without.
"""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]


def evidence(support: npt.NDArray[np.int64], shrinkage: float) -> Floats:
    """Return how much each item counts, float32 in [0, 1]: m / (m + ``shrinkage``) for the ``support`` m."""
    counts = support.astype(np.float64)
    return np.divide(counts, counts + shrinkage, out=np.zeros(len(counts)), where=counts > 0).astype(np.float32)


def apart_from_all(points: Floats, support: npt.NDArray[np.int64], half: float) -> Floats:
    """Return how much each of ``points`` (items, factors) counts, float32 in (0, 1]: half at a mean cosine of ``half``.

    The mean is over all points, weighted by their ``support``; with a ``half`` of 0 all count 1.
    """
    if not half:
        return np.ones(len(points), dtype=np.float32)
    points = np.asarray(points)
    lengths = np.sqrt(np.einsum("if,if->i", points, points, dtype=np.float64))
    lengths[lengths == 0] = 1.0
    # Sums without a BLAS, so that they do not depend on the number of threads.
    mean = np.einsum("if,i->f", points, support / lengths) / max(int(support.sum()), 1)
    cosines = np.einsum("if,f->i", points, mean) / lengths
    counted: Floats = (1.0 / (1.0 + np.maximum(cosines, 0.0) / half)).astype(np.float32)
    return counted


def popularity(listeners: npt.NDArray[np.int64]) -> Floats:
    """Return the popularity of each item, float32 in [0, 1], from its number of ``listeners``."""
    logarithms = np.log1p(listeners.astype(np.float64))
    highest = logarithms.max(initial=0.0)
    return (logarithms / highest if highest > 0 else logarithms).astype(np.float32)
