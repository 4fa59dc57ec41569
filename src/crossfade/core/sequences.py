"""Sequences: items in the order in which somebody heard them or put them together."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt

from crossfade.core.columns import ids_and_rows
from crossfade.core.csr import check_indices, check_indptr, starts_of
from crossfade.core.ids import MISSING, Rows, listed_ids
from crossfade.core.kinds import FIRST_KIND
from crossfade.core.training import TrainingData


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Sequences(TrainingData):
    """n sequences in compressed rows; an item never follows itself.

    indptr   (n + 1,) int64: sequence s is indptr[s]:indptr[s + 1]
    indices  (items of all sequences,) int32 item rows
    """

    indptr: npt.NDArray[np.int64]
    indices: Rows

    @classmethod
    def from_lists(cls, lists: Iterable[Iterable[Any]], *, kind: str = FIRST_KIND) -> "Sequences":
        """Make sequences from lists of ids, which are text or whole numbers; repetitions in a row count once."""
        listed = [listed_ids(one) for one in lists]
        item_ids, rows = ids_and_rows("items", list(chain.from_iterable(listed)))
        starts = starts_of([len(one) for one in listed])
        kept = np.diff(rows, prepend=MISSING) != 0
        kept[starts[starts < len(rows)]] = True
        return cls(kind=kind, item_ids=item_ids, indptr=starts_of(kept)[starts], indices=rows[kept])

    def __len__(self) -> int:
        return len(self.indptr) - 1

    def __repr__(self) -> str:
        return f"Sequences({len(self):,} of {len(self.item_ids):,} {self.kind} ids)"

    def of(self, sequence: int) -> Rows:
        """The item rows of one sequence, in order."""
        return self.indices[int(self.indptr[sequence]) : int(self.indptr[sequence + 1])]

    def _check_lengths(self) -> None:
        check_indptr(self.indptr, len(self.indices))

    def _check_content(self) -> None:
        check_indices(self.indices, len(self.item_ids))
