"""Reasons: what in a listener's own history makes a recommendation believable.

Of the seeds a that the listener recognises, the reason for an item made by i is the one that maximises

    ln(1 + plays_a) · rel(a, i)

among those to which i is near: i stands in a's list of related makers, or rel(a, i) is above the 99.5th
percentile of all pairs. A seed serves for at most so many items of a page; an item without a reason is not
shown. Seeds are artists; in a library of tracks alone each track stands for itself.

Recognised is what was played at least five times. A listener, or a whole library, with few plays would then
have no reason at all, while people do know what they play most: so whatever was played as often as a
listener's third most played seed is recognised too.
"""

import numpy as np
import numpy.typing as npt

from crossfade.core.ids import Rows
from crossfade.core.spaces import Vectors
from crossfade.ranking.lists import Lists

PAIRS = 1_000_000
"""Pairs that the percentile is estimated from; its error is then below 0.01 percentage points."""


def recognised_seeds(
    seeds: Rows, plays: npt.NDArray[np.int32], *, most: int, recognised: int, most_played: int
) -> npt.NDArray[np.int64]:
    """Places in ``seeds`` (n,) of at most ``most`` that a listener recognises, most played first.

    Those are the ones played ``recognised`` times, or as often as the ``most_played``-th of them. Equal plays
    stand in the order of ``seeds``.
    """
    order = np.argsort(-plays.astype(np.int64), kind="stable")
    if not len(order):
        return order
    least = min(recognised, plays[order[min(most_played, len(order)) - 1]])
    chosen: npt.NDArray[np.int64] = order[plays[order] >= least][:most]
    return chosen


def near_threshold(points: Vectors, percentile: float) -> float:
    """The rel that ``percentile`` percent of all pairs of different ``points`` (n, width) do not exceed."""
    count = len(points)
    if count < 2:
        return float("inf")
    if count * (count - 1) // 2 <= PAIRS:
        first, second = np.triu_indices(count, k=1)
    else:
        # A fixed stream: the threshold is a property of the points alone.
        rng = np.random.default_rng(0)
        first = rng.integers(0, count, PAIRS)
        second = (first + rng.integers(1, count, PAIRS)) % count
    rels = np.empty(len(first), dtype=np.float32)
    for start in range(0, len(first), 65536):
        span = slice(start, start + 65536)
        rels[span] = np.einsum("pf,pf->p", points[first[span]], points[second[span]])
    return float(np.percentile(rels, percentile))


def believable_rel(related: Lists, points: Vectors, seed: int, maker: int, near: float) -> float:
    """rel(seed, maker) if ``maker`` is near ``seed``, else 0."""
    span = related.of(seed)
    listed = np.flatnonzero(related.rows[span] == maker)
    if listed.size:
        return float(related.scores[span][listed[0]])
    rel = float(points[seed] @ points[maker])
    return rel if rel > near else 0.0


def best_reason(
    related: Lists,
    points: Vectors,
    seeds: Rows,
    plays: npt.NDArray[np.int32],
    maker: int,
    near: float,
    spent: npt.NDArray[np.bool_],
) -> int:
    """The place in ``seeds`` (n,) of the reason for an item of ``maker``; -1 if there is none.

    ``spent`` (n,) marks the seeds that have served often enough. Among equals the first.
    """
    strengths = np.array(
        [
            0.0 if used else np.log1p(played) * believable_rel(related, points, int(seed), maker, near)
            for seed, played, used in zip(seeds, plays, spent, strict=True)
        ]
    )
    return int(np.argmax(strengths)) if np.any(strengths > 0) else -1
