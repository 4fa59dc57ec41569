"""Seeds: the items of a history that can be the reason for a recommendation.

Of the seeds a that a user recognises, the reason for an item of root i is the one that maximises

    closeness(a, i) · (1 + ¼ · ln(1 + plays_a) / ln(1 + plays of the most played item))

so that closeness decides, and of seeds that are about as close the one that the user plays more. It is chosen among
those that i is close to: i is in the list of a, or closer to it than nearly all pairs of items are
(`crossfade.ranking.neighbourhood`). A seed serves for at most so many items of a page; an item without a reason is not
shown.

A user recognises what they played at least five times. A user, or a whole library, with few plays would then have no
reason at all, while people do know what they play most: so whatever was played as often as a user's third most played
item is recognised too.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from crossfade.core.csr import CSR, Starts, starts_of
from crossfade.core.ids import Rows

PLAYED_MORE = 0.25
"""How much less close a reason may be that the user plays most of all, before one that is hardly played."""

BARRED = 2**31 - 1
"""Plays of what is to be left out, whether or not it was played: more than of anything."""


class History(NamedTuple):
    """What n users played, in compressed rows: catalogue rows, and how often."""

    indptr: Starts
    rows: Rows
    plays: npt.NDArray[np.int32]

    @property
    def weights(self) -> npt.NDArray[np.float32]:
        """What each entry counts when it proposes items: ln(1 + plays)."""
        return np.log1p(self.plays.astype(np.float64)).astype(np.float32)

    @property
    def reason_weights(self) -> npt.NDArray[np.float32]:
        """What each entry counts as a reason, besides its closeness: from 1 to 1 + `PLAYED_MORE`."""
        counts = np.log1p(self.plays.astype(np.float64))
        lengths = np.diff(self.indptr)
        most = np.ones(len(lengths))
        if len(counts):
            most[lengths > 0] = np.maximum.reduceat(counts, self.indptr[:-1][lengths > 0])
        shares = counts / np.repeat(np.where(most > 0, most, 1.0), lengths)
        weights: npt.NDArray[np.float32] = (1.0 + PLAYED_MORE * shares).astype(np.float32)
        return weights

    def where(self, kept: npt.NDArray[np.bool_]) -> "History":
        """Those entries alone."""
        return History(starts_of(kept)[self.indptr], self.rows[kept], self.plays[kept])

    def without(self, others: CSR) -> "History":
        """Those entries that are not among the ``others`` of their user."""
        return self.where(~np.isin(_keys(self.indptr, self.rows), _keys(others.indptr, others.indices)))

    def joined(self, others: CSR) -> "History":
        """These entries and the ``others``, which count as ones that were played `BARRED` times."""
        keys = np.concatenate([_keys(others.indptr, others.indices), _keys(self.indptr, self.rows)])
        most = np.full(len(others.indices), BARRED, dtype=np.int32)
        distinct, first = np.unique(keys, return_index=True)
        return History(
            np.searchsorted(distinct >> 32, np.arange(len(self.indptr))).astype(np.int64),
            (distinct & 0xFFFFFFFF).astype(np.int32),
            np.concatenate([most, self.plays])[first],
        )


def _keys(indptr: Starts, rows: Rows) -> npt.NDArray[np.int64]:
    """(n,) a number for each user and row, in that order."""
    users: npt.NDArray[np.int64] = np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))
    return (users << 32) + rows


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
