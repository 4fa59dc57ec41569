"""How strongly ALS holds back where nobody says: as the size and the noise of the data ask for.

What one library needs is far too much or too little for another, since what a regularization of a given number
does grows with the catalogue. Two quantities do transfer, and the settings that are left unset follow from them.

*Weight of what was not played.* All pairs together weigh α₀ · users · items; that is made `UNPLAYED` times what the
N played pairs weigh together, Σ c.

*Regularization.* While all vectors are small, a factor lowers the loss if and only if its singular value in the
matrix of confidences, its rows divided by √λᵤ and its columns by √λᵢ, is above 1. A matrix with as many entries of
that size in random places, which nobody's taste has put there, has singular values up to about

    rms(c) · (√(N / users) + √(N / items))

(Marchenko & Pastur, "Distribution of eigenvalues for some sets of random matrices", 1967). λ is chosen so that the
geometric mean of the two sides' mean penalties is `NOISE` times that edge. Published settings that were tuned
for MovieLens-20M, the Million Song Data Set and others lie at .2 to .5 of it, and at an `UNPLAYED` of 3 to 30 (Rendle,
Krichene, Zhang & Koren, "Revisiting the Performance of iALS on Item Recommendation Benchmarks", RecSys 2022, for
the settings). Ours were chosen on validation cuts of HetRec Last.fm and MovieLens-1M.

Cost: one pass over the interactions.
"""

import math
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

UNPLAYED = 8.0
NOISE = 0.45


def moments(confidence: Iterable[npt.NDArray[np.float32]]) -> tuple[float, float]:
    """Σ c and Σ c² over blocks of the played pairs."""
    total = squares = 0.0
    for block in confidence:
        exact = block.astype(np.float64)
        total += float(np.sum(exact))
        squares += float(np.sum(exact * exact))
    return total, squares


def unobserved_weight(total: float, shape: tuple[int, int]) -> float:
    """α₀ where the confidence of the played pairs of (users, items) is ``total`` together."""
    users, items = shape
    return UNPLAYED * total / (users * items)


def regularization(
    squares: float, pairs: int, user_pulls: npt.NDArray[np.float64], item_pulls: npt.NDArray[np.float64]
) -> float:
    """λ where the squared confidence of ``pairs`` is ``squares`` together, and row u is held by λ · user_pulls[u]."""
    edge = math.sqrt(squares / pairs) * (math.sqrt(pairs / len(user_pulls)) + math.sqrt(pairs / len(item_pulls)))
    return NOISE * edge / math.sqrt(float(np.mean(user_pulls)) * float(np.mean(item_pulls)))
