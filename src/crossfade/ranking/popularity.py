"""Evidence behind an item, and its popularity.

Evidence. A vector that three listeners made says little: whatever those three also played looks like a twin. So every
similarity is shrunk by the evidence behind both of its ends:

    closeness(a, b) = similarity(a, b) · e_a · e_b        with  e_i = m_i / (m_i + k)

m_i being the support of i: its listeners, or the texts about it. The factors separate, so that a search by inner
product still finds the closest items exactly.

Popularity. ln(1 + m_i) / ln(1 + max m), which is 1 for the item with the most listeners and 0 for one without.
"""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]


def evidence(support: npt.NDArray[np.int64], shrinkage: float) -> Floats:
    """Return how much each item counts, float32 in [0, 1]: m / (m + ``shrinkage``) for the ``support`` m."""
    counts = support.astype(np.float64)
    return np.divide(counts, counts + shrinkage, out=np.zeros(len(counts)), where=counts > 0).astype(np.float32)


def popularity(listeners: npt.NDArray[np.int64]) -> Floats:
    """Return the popularity of each item, float32 in [0, 1], from its number of ``listeners``."""
    logarithms = np.log1p(listeners.astype(np.float64))
    highest = logarithms.max(initial=0.0)
    return (logarithms / highest if highest > 0 else logarithms).astype(np.float32)
