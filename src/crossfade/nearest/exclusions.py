"""The exclusions of a batch of queries, ready to be looked up."""

import numpy as np
import numpy.typing as npt

from crossfade.core.csr import Starts, gathered, starts_of
from crossfade.core.ids import Rows
from crossfade.nearest.contract import Restriction

Places = npt.NDArray[np.int64]


class Exclusions:
    """Which items each of n queries may not get.

    opened  (items,) whether any query may get the item
    left    (n,) how many items remain for each query
    """

    def __init__(self, restriction: Restriction, queries: int, items: int) -> None:
        self._restriction = restriction
        self.opened = restriction.open_items(items)
        indptr, indices = restriction.of_queries(queries)
        # One ascending number for each excluded (query, row), so that one search looks up all.
        self._keys = np.unique(np.repeat(np.arange(queries), np.diff(indptr)) * items + indices)
        query, rows = np.divmod(self._keys, max(items, 1))
        self._rows = rows.astype(np.int32)
        self._starts = np.searchsorted(query, np.arange(queries + 1))
        closed = np.bincount(query[self.opened[self._rows]], minlength=queries)
        self.left: Places = int(self.opened.sum()) - closed

    def counts(self) -> Places:
        """(n,) how many items are excluded for each query alone."""
        return np.diff(self._starts)

    def hit(self, queries: Places, rows: Rows) -> npt.NDArray[np.bool_]:
        """Whether each of ``rows`` (queries, candidates) is excluded for its query; rows must exist."""
        hits = ~self.opened[rows]
        if len(self._keys):
            keys = queries[:, None] * len(self.opened) + rows
            places = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
            hits |= self._keys[places] == keys
        return hits

    def of(self, queries: Places) -> Restriction:
        """The restriction of some of the queries."""
        indptr, places = gathered(self._starts, queries)
        barred, allowed = self._restriction.barred, self._restriction.allowed
        return Restriction(indptr=indptr, indices=self._rows[places], barred=barred, allowed=allowed)

    def among(self, queries: Places, rows: Rows) -> Restriction:
        """The restriction of some of the queries in a search of ``rows`` (ascending) alone, by place in ``rows``."""
        indptr, places = gathered(self._starts, queries)
        indptr, indices = among(rows, indptr, self._rows[places])
        barred = np.flatnonzero(~self.opened[rows]).astype(np.int32)
        return Restriction(indptr=indptr, indices=indices, barred=barred)


def among(rows: Rows, indptr: Starts, indices: Rows) -> tuple[Starts, Rows]:
    """Exclusions by place in ``rows`` (n,), ascending and at least one, without those that are not there."""
    places = np.searchsorted(rows, indices)
    inside = rows[np.minimum(places, len(rows) - 1)] == indices
    return starts_of(inside)[indptr], places[inside].astype(np.int32)
