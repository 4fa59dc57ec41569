"""Interactions: what every model learns from, (user, item, weight) as a sparse matrix with its ids."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from crossfade.core.errors import ArtifactError, InputError
from crossfade.core.ids import MISSING, Ids, Rows, load_array

if TYPE_CHECKING:
    from scipy.sparse import csr_array


_BLOCK = 1 << 24  # pairs


@dataclass(frozen=True, eq=False, kw_only=True)
class Interactions:
    """A users × items matrix in compressed rows, n pairs in all; each pair stands once, items ascending.

    indptr       (users + 1,) int64: the pairs of user u are indptr[u]:indptr[u + 1]
    indices      (n,) int32: the pair's item row
    weights      (n,) float32, > 0: what models learn from (count, log count or decayed count)
    plays        (n,) int32, >= 1: how often the user played the item; for reasons and "already played"
    last_played  (n,) uint32: seconds since 1970 of the latest play, 0 where the source has no times
    recent       (n,) float32, >= 0: what the latest plays alone weigh, 0 where there are none; None: not counted
    """

    kind: str
    user_ids: Ids
    item_ids: Ids
    indptr: npt.NDArray[np.int64]
    indices: npt.NDArray[np.int32]
    weights: npt.NDArray[np.float32]
    plays: npt.NDArray[np.int32]
    last_played: npt.NDArray[np.uint32]
    recent: npt.NDArray[np.float32] | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """(users, items)"""
        return len(self.user_ids), len(self.item_ids)

    @property
    def pairs(self) -> int:
        """How many (user, item) pairs there are."""
        return len(self.indices)

    @classmethod
    def from_counts(
        cls, users: Sequence[str], items: Sequence[str], plays: npt.ArrayLike, *, kind: str = "artist"
    ) -> "Interactions":
        """Interactions from three columns of equal length; a pair that stands twice is summed.

        A weight is the count itself. Raises InputError for columns of unequal length and for a count that
        is not a finite number > 0.
        """
        counts = np.asarray(plays, dtype=np.float64)
        if not len(users) == len(items) == len(counts):
            raise InputError(f"columns of unequal length: {len(users)} users, {len(items)} items, {len(counts)} plays")
        if not (np.all(np.isfinite(counts)) and np.all(counts > 0)):
            raise InputError("every count of plays must be a finite number above zero")
        user_ids, item_ids = Ids.of(users), Ids.of(items)
        return cls.from_rows(user_ids, item_ids, user_ids.rows(users), item_ids.rows(items), counts, kind=kind)

    @classmethod
    def from_rows(
        cls,
        user_ids: Ids,
        item_ids: Ids,
        user_rows: Rows,
        item_rows: Rows,
        counts: npt.NDArray[np.float64],
        *,
        kind: str = "artist",
    ) -> "Interactions":
        """`from_counts` of n pairs by row, such as those of a split that keeps the ids of the whole."""
        keys = user_rows.astype(np.int64) * max(len(item_ids), 1) + item_rows
        pairs, inverse = np.unique(keys, return_inverse=True)
        totals = np.bincount(inverse, weights=counts, minlength=len(pairs))
        degrees = np.bincount(pairs // max(len(item_ids), 1), minlength=len(user_ids))
        return cls(
            kind=kind,
            user_ids=user_ids,
            item_ids=item_ids,
            indptr=np.concatenate(([0], np.cumsum(degrees))).astype(np.int64),
            indices=(pairs % max(len(item_ids), 1)).astype(np.int32),
            weights=totals.astype(np.float32),
            plays=np.clip(np.rint(totals), 1, np.iinfo(np.int32).max).astype(np.int32),
            last_played=np.zeros(len(pairs), dtype=np.uint32),
        )

    def of_user(self, user: int) -> slice:
        """Where the pairs of row ``user`` stand in indices, weights, plays and last_played."""
        return slice(int(self.indptr[user]), int(self.indptr[user + 1]))

    def played(self, user: int) -> Rows:
        """The item rows that ``user`` has played, ascending."""
        return self.indices[self.of_user(user)]

    def only(self, user_id: str) -> "Interactions":
        """The pairs of one user, who need not be known; items keep their rows."""
        row = self.user_ids.find(user_id)
        span = slice(0, 0) if row == MISSING else self.of_user(row)
        return replace(
            self,
            user_ids=Ids.of([user_id]),
            indptr=np.array([0, span.stop - span.start], dtype=np.int64),
            **{name: getattr(self, name)[span] for name in _ARRAYS if name != "indptr"},
            recent=None if self.recent is None else self.recent[span],
        )

    def listeners(self) -> npt.NDArray[np.int64]:
        """(items,) how many users have played each item."""
        counted = np.zeros(len(self.item_ids), dtype=np.int64)
        # In blocks, since NumPy counts in a copy of 64 bits.
        for first in range(0, self.pairs, _BLOCK):
            counted += np.bincount(self.indices[first : first + _BLOCK], minlength=len(self.item_ids))
        return counted

    def item_plays(self) -> npt.NDArray[np.int64]:
        """(items,) how many plays each item has."""
        return np.bincount(self.indices, weights=self.plays, minlength=len(self.item_ids)).astype(np.int64)

    def matrix(self) -> "csr_array":
        """The weights as a SciPy matrix (users, items) that shares this memory."""
        from scipy.sparse import csr_array

        return csr_array((self.weights, self.indices, self.indptr), shape=self.shape)

    def save(self, directory: Path) -> None:
        """Write the arrays as ``.npy`` files into ``directory``."""
        self.user_ids.save(directory / "user_ids")
        self.item_ids.save(directory / "item_ids")
        for name in _ARRAYS:
            np.save(directory / f"{name}.npy", getattr(self, name), allow_pickle=False)
        if self.recent is not None:
            np.save(directory / _RECENT, self.recent, allow_pickle=False)

    @classmethod
    def load(cls, directory: Path, *, kind: str) -> "Interactions":
        """Memory-map what `save` wrote; ArtifactError if the arrays do not fit each other."""
        recent = directory / _RECENT
        arrays = {name: load_array(directory / f"{name}.npy", dtype=dtype, ndim=1) for name, dtype in _ARRAYS.items()}
        loaded = cls(
            kind=kind,
            user_ids=Ids.load(directory / "user_ids"),
            item_ids=Ids.load(directory / "item_ids"),
            recent=load_array(recent, dtype=np.float32, ndim=1) if recent.exists() else None,
            **arrays,
        )
        lengths = {len(arrays[name]) for name in _ARRAYS if name != "indptr"}
        if loaded.recent is not None:
            lengths.add(len(loaded.recent))
        if len(loaded.indptr) != len(loaded.user_ids) + 1 or lengths != {int(loaded.indptr[-1])}:
            raise ArtifactError(f"{directory}: the arrays of these interactions do not fit each other.")
        return loaded


_RECENT = "recent.npy"

_ARRAYS: dict[str, Any] = {
    "indptr": np.int64,
    "indices": np.int32,
    "weights": np.float32,
    "plays": np.int32,
    "last_played": np.uint32,
}
