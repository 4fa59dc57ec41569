"""Which of the sums of an item become its list: similarities, and the best of them."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from crossfade.core.ids import Rows
from crossfade.kernels.compile import jit
from crossfade.kernels.lanes import Floats
from crossfade.kernels.search.best import Keys, keep_largest, key_of, lay_out

Sums = npt.NDArray[np.float64]

TILE = 64
"""Scores that are compared with the worst of the best at once."""

NEARLY = np.float32(1.00001)
"""More than rounding can add to a score."""


class Measure(NamedTuple):
    """How sums become a similarity.

        jaccard  together / (listeners_i + listeners_j - together), else total · scale_i · scale_j
        shrunk   times together / (together + shrinkage)

    counted  whether `together` is needed beside the total; if it is not, the total stands for it
    """

    jaccard: bool
    counted: bool
    shrinkage: np.float32
    scales: Floats
    listeners: Floats


@jit(inline=True)
def _similarity(item: int, other: int, total: np.float64, shared: np.float64, measure: Measure) -> np.float32:
    if measure.jaccard:
        found = shared / (measure.listeners[item] + measure.listeners[other] - shared)
    else:
        found = total * (measure.scales[item] * measure.scales[other])
    return np.float32(found * (shared / (shared + measure.shrinkage)))


@jit
def keep_best(
    item: int,
    everywhere: bool,
    touched: Rows,
    totals: Sums,
    together: Sums,
    measure: Measure,
    order: Rows,
    keys: Keys,
    best: Rows,
    best_scores: Floats,
) -> None:
    """Write the list of ``item`` from all sums, or from the ``touched`` ones, and set them to 0."""
    shares = together if measure.counted else totals
    totals[item] = 0
    count, worst, k = 0, np.float32(0), len(best)
    if everywhere:
        for start in range(0, len(totals), TILE):
            end = min(start + TILE, len(totals))
            if _any_above(item, start, end, totals, worst, measure):
                for other in range(start, end):
                    if totals[other] > 0:
                        found = _similarity(item, other, totals[other], shares[other], measure)
                        if found >= worst and found > 0:
                            keys[count] = key_of(found, order[other])
                            count += 1
                            if count == len(keys):
                                worst, count = keep_largest(keys, count, k), k
        totals[:] = 0
        together[:] = 0
    else:
        for place in range(len(touched)):
            other = touched[place]
            if totals[other] > 0:
                found = _similarity(item, other, totals[other], shares[other], measure)
                if found >= worst and found > 0:
                    keys[count] = key_of(found, order[other])
                    count += 1
                    if count == len(keys):
                        worst, count = keep_largest(keys, count, k), k
            totals[other] = 0
            if measure.counted:
                together[other] = 0
    if measure.counted:
        together[item] = 0
    lay_out(keys, count, k, best[:0], best, best_scores)


@jit(inline=True)
def _any_above(item: int, start: int, end: int, totals: Sums, worst: np.float32, measure: Measure) -> bool:
    """Whether one of the items ``start`` to ``end`` may reach ``worst``: by a bound that costs no division."""
    above, sums = 0, totals[start:end]
    # Counting has no early way out, which lets LLVM compare many at once.
    if measure.jaccard:
        slack, own = np.float32(1 + worst) * NEARLY, measure.listeners[item]
        listeners = measure.listeners[start:end]
        for place in range(len(sums)):
            above += 1 if sums[place] * slack > worst * (own + listeners[place]) else 0
    else:
        bar, scales = worst / (measure.scales[item] * NEARLY), measure.scales[start:end]
        for place in range(len(sums)):
            above += 1 if sums[place] * scales[place] > bar else 0
    return above > 0
