"""What is known about an item, and how far being known should carry it.

Evidence. A vector that three listeners made says little: whoever those three also played comes out as a twin.
So every similarity is shrunk by the evidence behind both of its ends:

    rel(a, b) = cos(a, b) · e_a · e_b        with  e_i = m_i / (m_i + k)

m_i being the listeners of i. The factors separate, so that rel is the inner product of two vectors, a unit
vector times its evidence, and any search by inner product finds the best ones exactly.

Popularity. A score can be lowered by β · ln(1 + m_i) / ln(1 + max m), which costs the most popular item β and
an unknown one nothing.
"""

import numpy as np
import numpy.typing as npt

from crossfade.core.spaces import Vectors, VectorSpace

Floats = npt.NDArray[np.float32]


def evidence(listeners: npt.NDArray[np.int64], shrinkage: float) -> Floats:
    """How far each item is believed, float32 in [0, 1]: m / (m + ``shrinkage``) for m ``listeners``; 0 for none.

    ``shrinkage``, >= 0, is the number of listeners at which a vector is believed half.
    """
    counted = listeners.astype(np.float64)
    return np.divide(counted, counted + shrinkage, out=np.zeros(len(counted)), where=counted > 0).astype(np.float32)


def units(vectors: Vectors) -> Vectors:
    """The rows of ``vectors`` (items, factors) at length 1; a row of zeros stays one."""
    lengths = np.sqrt(np.einsum("if,if->i", vectors, vectors, dtype=np.float64))
    return (vectors / np.where(lengths > 0, lengths, 1.0)[:, None]).astype(np.float32)


def evident_space(space: VectorSpace, listeners: npt.NDArray[np.int64], shrinkage: float) -> VectorSpace:
    """The items of ``space`` with vectors whose inner products are the shrunk similarities rel."""
    return VectorSpace(
        model=f"{space.model} by evidence",
        kind=space.kind,
        metric="dot",
        item_ids=space.item_ids,
        item_vectors=units(space.points) * evidence(listeners, shrinkage)[:, None],
    )


def popularity_cost(listeners: npt.NDArray[np.int64], beta: float) -> Floats:
    """What popularity costs each item's score, float32 from 0 (nobody knows it) to ``beta`` (the best known)."""
    known = np.log1p(listeners.astype(np.float64))
    highest = known.max(initial=0.0)
    return (beta * known / highest if highest > 0 else known).astype(np.float32)
