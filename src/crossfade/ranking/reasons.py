"""Seeds: the items of a history that can be the reason for a recommendation.

Of the seeds a that a user recognises, the reason for an item of root i is the one that maximises

    ln(1 + plays_a) · closeness(a, i)

among those that i is close to: i is in the list of a, or closer to it than nearly all pairs of items are
(`crossfade.ranking.neighbourhood`). A seed serves for at most so many items of a page; an item without a reason is not
shown.

A user recognises what they played at least five times. A user, or a whole library, with few plays would then have no
reason at all, while people do know what they play most: so whatever was played as often as a user's third most played
item is recognised too.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from crossfade.core.csr import Starts, starts_of
from crossfade.core.ids import Rows


class History(NamedTuple):
    """What n users played, in compressed rows: catalogue rows, and how often."""

    indptr: Starts
    rows: Rows
    plays: npt.NDArray[np.int32]

    @property
    def weights(self) -> npt.NDArray[np.float32]:
        """What each entry counts as a seed: ln(1 + plays)."""
        return np.log1p(self.plays.astype(np.float64)).astype(np.float32)

    def where(self, kept: npt.NDArray[np.bool_]) -> "History":
        """Those entries alone."""
        return History(starts_of(kept)[self.indptr], self.rows[kept], self.plays[kept])


def recognised_seeds(history: History, *, most: int, recognised: int, most_played: int) -> History:
    """Return at most ``most`` items of each user that the user recognises, most played first, then by row.

    Those are the ones played ``recognised`` times, or as often as the ``most_played``-th of them.
    """
    lengths = np.diff(history.indptr)
    order = np.lexsort((history.rows, -history.plays.astype(np.int64), np.repeat(np.arange(len(lengths)), lengths)))
    ranked = History(history.indptr, history.rows[order], history.plays[order])
    played = lengths > 0
    lasts = history.indptr[:-1][played] + np.minimum(most_played, lengths[played]) - 1
    least = np.repeat(np.minimum(recognised, ranked.plays[lasts]), lengths[played])
    place = np.arange(len(order)) - np.repeat(history.indptr[:-1], lengths)
    return ranked.where((ranked.plays >= least) & (place < most))
