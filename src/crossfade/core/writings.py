"""Writings: what people write about items, as tags, as titles of playlists, and as prose."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from crossfade.core.csr import check_indices
from crossfade.core.errors import InputError
from crossfade.core.ids import Rows
from crossfade.core.texts import Texts
from crossfade.core.training import TrainingData

SOURCES = ("tag", "playlist", "prose")
"""Where a text is from: a tag on the item, the title of a playlist that has the item, a text about the item."""


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Writings(TrainingData):
    """n texts, each about one item.

    names    (items,) what people call them, which says nothing about them
    sources  (n,) uint8 places in `SOURCES`
    items    (n,) int32 item rows
    counts   (n,) int64, >= 1: how many people wrote the text about the item
    texts    (n,)
    """

    names: Texts
    sources: npt.NDArray[np.uint8]
    items: Rows
    counts: npt.NDArray[np.int64]
    texts: Texts

    def __len__(self) -> int:
        return len(self.items)

    def __repr__(self) -> str:
        return f"Writings({len(self):,} texts about {len(self.item_ids):,} {self.kind} ids)"

    def _check_lengths(self) -> None:
        if len({len(self.sources), len(self.items), len(self.counts), len(self.texts)}) != 1:
            raise InputError("sources, items, counts and texts must be of equal length")
        if len(self.names) != len(self.item_ids):
            raise InputError(f"{len(self.item_ids)} items cannot have {len(self.names)} names")

    def _check_content(self) -> None:
        check_indices(self.items, len(self.item_ids))
        if self.sources.max(initial=0) >= len(SOURCES) or self.counts.min(initial=1) < 1:
            raise InputError(f"sources must be below {len(SOURCES)}, and counts 1 or more")
