"""Ranked lists, one an item, and the groups that thin them out.

At most so many items of one group stand in a list, so that it is not one album long, and none or one of a group
whose items are the same thing under two names.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from crossfade.core.csr import starts_of
from crossfade.core.ids import MISSING, Rows


@dataclass(frozen=True, eq=False, kw_only=True)
class Grouping:
    """At most so many items of one group in a list.

    groups   (items,) int32 from 0; MISSING for an item that is a group of its own
    cap      items of a group in one list, >= 1
    own_cap  items of the key's own group in its list, >= 0
    """

    groups: Rows
    cap: int
    own_cap: int


@dataclass(frozen=True, eq=False, kw_only=True)
class Lists:
    """A ranked list for each of n items, in compressed rows: indptr (n + 1,), rows and scores best first."""

    indptr: npt.NDArray[np.int64]
    rows: Rows
    scores: npt.NDArray[np.float32]

    def of(self, item: int) -> slice:
        """Where the list of ``item`` stands in rows and scores."""
        return slice(int(self.indptr[item]), int(self.indptr[item + 1]))

    def first(self, size: int) -> "Lists":
        """The same lists cut to their first ``size`` entries."""
        lengths = np.diff(self.indptr)
        kept = np.arange(len(self.rows)) - np.repeat(self.indptr[:-1], lengths) < size
        return Lists(indptr=starts_of(np.minimum(lengths, size)), rows=self.rows[kept], scores=self.scores[kept])


def thinned(rows: Rows, keys: Rows, groupings: Sequence[Grouping]) -> npt.NDArray[np.bool_]:
    """Which places of the lists ``rows`` (lists, places) of the items ``keys`` (lists,) the groupings leave."""
    from crossfade.kernels.ranked_lists import thin_lists

    kept: npt.NDArray[np.bool_] = rows != MISSING
    for grouping in groupings:
        thin_lists(rows, grouping.groups, grouping.groups[keys], grouping.cap, grouping.own_cap, kept)
    return kept
