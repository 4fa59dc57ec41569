"""Sequences: items in the order in which somebody heard them or put them together."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from crossfade.core.csr import check_indices, check_indptr
from crossfade.core.ids import Rows
from crossfade.core.training import TrainingData


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Sequences(TrainingData):
    """n sequences in compressed rows; an item never follows itself.

    indptr   (n + 1,) int64: sequence s is indptr[s]:indptr[s + 1]
    indices  (items of all sequences,) int32 item rows
    """

    indptr: npt.NDArray[np.int64]
    indices: Rows

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
