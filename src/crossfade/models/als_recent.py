"""What a listener is into just now, beside their whole taste, in one space.

The items stay where the whole history has put them. A user is solved against them twice, once over all that they have
played and once over what they have played of late alone, with the weights of those plays, and the two are blended:

    x = (1 - s) x(all) + s x(recent)

A user who has played nothing of late keeps the vector of all. The second solution costs as much as folding these users
in, O(recent pairs · f² + users · f³).
"""

import numpy as np
import numpy.typing as npt

from crossfade.core.csr import CSR
from crossfade.kernels import als as kernels
from crossfade.kernels.lanes import Floats, aligned
from crossfade.models.als_problem import Problem

USERS = 1 << 16
"""Users that are solved together, so that the second vectors of all need not be held."""


def blend_recent(problem: Problem, recent: CSR, item_vectors: Floats, user_vectors: Floats, threads: int) -> None:
    """Blend into ``user_vectors`` (users, width) what the ``recent`` pairs of the same users say."""
    gram = kernels.gram_matrix(item_vectors, threads)
    for first in range(0, recent.rows, USERS):
        starts = recent.indptr[first : first + USERS + 1]
        span = slice(int(starts[0]), int(starts[-1]))
        part = CSR(starts - starts[0], recent.indices[span], recent.values[span])
        solved = aligned(part.rows, item_vectors.shape[1])
        problem.solve_finally(part, item_vectors, solved, gram, len(item_vectors), problem.held[0], threads)
        has_any = np.diff(starts) > 0
        blended(problem.settings.recent_share, user_vectors[first : first + USERS], solved, has_any)


def blended(share: float, whole: Floats, recent: Floats, has_any: npt.NDArray[np.bool_]) -> None:
    """Make of ``whole`` (n, width) the blend with ``recent`` (n, width) in the rows that ``has_any`` marks."""
    step = np.float32(share) * has_any.astype(np.float32)[:, None]
    whole += step * (recent - whole)
