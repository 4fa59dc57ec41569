"""Diversity: a page chosen one item at a time by maximal marginal relevance.

The next item is the one that maximises

    (1 - d) · score(i) - d · max_{j on the page} cos(y_i, y_j)        (the cosine counted as 0 where negative)

over the best remaining candidates. It is passed over if its maker has enough items on the page already, or if
there is no reason left for it. The value at which an item was chosen never rises from one to the next, so that
it serves as the page's score.

Cost for a page of n from a pool of p: O(n · p · factors).

Carbonell & Goldstein, "The use of MMR, diversity-based reranking for reordering documents and producing
summaries", SIGIR 1998.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from crossfade.core.ids import Rows
from crossfade.core.spaces import Vectors


def diverse_page(
    candidates: Rows,
    scores: npt.NDArray[np.floating],
    units: Vectors,
    accept: Callable[[int], bool],
    *,
    size: int,
    pool: int,
    diversity: float,
) -> tuple[list[int], list[float]]:
    """At most ``size`` of the ``candidates`` (n,), and the values at which they were chosen.

    ``scores`` (n,) are theirs, ``units`` (items, factors) the unit vectors of all items. ``accept(item)`` says
    whether a chosen item may stand on the page; it is asked once for each, in the order of choice. The
    ``pool`` best candidates that are left compete for each place; among equals the better score, then the
    earlier candidate, wins.
    """
    waiting = list(np.argsort(-scores, kind="stable"))
    held: list[int] = []
    page: list[int] = []
    values: list[float] = []
    while len(page) < size:
        held += [waiting.pop(0) for _ in range(min(pool - len(held), len(waiting)))]
        if not held:
            break
        likeness = np.maximum(units[candidates[held]] @ units[page].T, 0).max(axis=1, initial=0.0)
        marginal = (1 - diversity) * scores[held] - diversity * likeness
        best = int(np.argmax(marginal))
        item = int(candidates[held.pop(best)])
        if accept(item):
            page.append(item)
            values.append(min(float(marginal[best]), values[-1] if values else np.inf))
    return page, values
