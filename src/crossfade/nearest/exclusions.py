"""A restriction spelt out for a batch of queries, to be looked up."""

import numpy as np
import numpy.typing as npt

from crossfade.core.csr import gathered, starts_of
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
        # One ascending number for each excluded (query, row), so that one search answers for all.
        keys = np.unique(np.repeat(np.arange(queries), np.diff(indptr)) * items + indices)
        query, self._rows = np.divmod(keys, max(items, 1))
        self._keys = keys
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
        """The restriction of some of the queries alone."""
        indptr, places = gathered(self._starts, queries)
        return Restriction(
            indptr=indptr,
            indices=self._rows[places].astype(np.int32),
            barred=self._restriction.barred,
            allowed=self._restriction.allowed,
        )

    def among(self, queries: Places, rows: Rows) -> Restriction:
        """The restriction of some of the queries in a search of ``rows`` (ascending) alone, by place in ``rows``."""
        alone = self.of(queries)
        places = np.searchsorted(rows, alone.indices)
        inside = rows[np.minimum(places, len(rows) - 1)] == alone.indices
        return Restriction(
            indptr=starts_of(inside)[alone.indptr],
            indices=places[inside].astype(np.int32),
            barred=np.flatnonzero(~self.opened[rows]).astype(np.int32),
        )
