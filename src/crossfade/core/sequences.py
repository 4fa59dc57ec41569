"""Sequences: items in the order in which somebody heard them or put them together."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from crossfade.core.errors import ArtifactError
from crossfade.core.ids import Ids, Rows, load_array


@dataclass(frozen=True, eq=False, kw_only=True)
class Sequences:
    """n sequences in compressed rows; an item never follows itself.

    item_ids  row number ↔ id; the same as those of the interactions with these items
    indptr    (n + 1,) int64: sequence s is indptr[s]:indptr[s + 1]
    indices   (items of all sequences,) int32 item rows
    """

    kind: str
    item_ids: Ids
    indptr: npt.NDArray[np.int64]
    indices: Rows

    def __len__(self) -> int:
        return len(self.indptr) - 1

    def of(self, sequence: int) -> Rows:
        """The item rows of one sequence, in order."""
        return self.indices[int(self.indptr[sequence]) : int(self.indptr[sequence + 1])]

    def save(self, directory: Path) -> None:
        """Write the arrays as ``.npy`` files into ``directory``."""
        self.item_ids.save(directory / "item_ids")
        np.save(directory / "indptr.npy", self.indptr, allow_pickle=False)
        np.save(directory / "indices.npy", self.indices, allow_pickle=False)

    @classmethod
    def load(cls, directory: Path, *, kind: str) -> "Sequences":
        """Memory-map what `save` wrote; ArtifactError if the arrays do not fit each other."""
        loaded = cls(
            kind=kind,
            item_ids=Ids.load(directory / "item_ids"),
            indptr=load_array(directory / "indptr.npy", dtype=np.int64, ndim=1),
            indices=load_array(directory / "indices.npy", dtype=np.int32, ndim=1),
        )
        indices = loaded.indices
        if (
            not len(loaded.indptr)
            or int(loaded.indptr[-1]) != len(indices)
            or (len(indices) and not 0 <= int(indices.min()) <= int(indices.max()) < len(loaded.item_ids))
        ):
            raise ArtifactError(f"{directory}: the arrays of these sequences do not fit each other.")
        return loaded
