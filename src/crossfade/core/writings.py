"""Writings: what people write about items, as tags, as titles of playlists, and as prose."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from crossfade.core.errors import ArtifactError
from crossfade.core.ids import Ids, Rows, load_array
from crossfade.core.texts import Texts

SOURCES = ("tag", "playlist", "prose")
"""Where a text is from: a tag on the item, the title of a playlist that has the item, a text about the item."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Writings:
    """n texts, each about one item.

    item_ids  row number ↔ id; the same as those of the interactions with these items
    names     (items,) what people call them, which says nothing about them
    sources   (n,) uint8 places in `SOURCES`
    items     (n,) int32 item rows
    counts    (n,) int64, >= 1: how many people wrote the text about the item
    texts     (n,)
    """

    kind: str
    item_ids: Ids
    names: Texts
    sources: npt.NDArray[np.uint8]
    items: Rows
    counts: npt.NDArray[np.int64]
    texts: Texts

    def __len__(self) -> int:
        return len(self.items)

    def save(self, directory: Path) -> None:
        """Write the parts into ``directory``."""
        self.item_ids.save(directory / "item_ids")
        self.names.save(directory / "names")
        self.texts.save(directory / "texts")
        for name in ("sources", "items", "counts"):
            np.save(directory / f"{name}.npy", getattr(self, name), allow_pickle=False)

    @classmethod
    def load(cls, directory: Path, *, kind: str) -> "Writings":
        """Memory-map what `save` wrote; ArtifactError if the parts do not fit each other."""
        loaded = cls(
            kind=kind,
            item_ids=Ids.load(directory / "item_ids"),
            names=Texts.load(directory / "names"),
            sources=load_array(directory / "sources.npy", dtype=np.uint8, ndim=1),
            items=load_array(directory / "items.npy", dtype=np.int32, ndim=1),
            counts=load_array(directory / "counts.npy", dtype=np.int64, ndim=1),
            texts=Texts.load(directory / "texts"),
        )
        if (
            len({len(loaded.sources), len(loaded.items), len(loaded.counts), len(loaded.texts)}) != 1
            or len(loaded.names) != len(loaded.item_ids)
            or (len(loaded) and not 0 <= int(loaded.items.min()) <= int(loaded.items.max()) < len(loaded.item_ids))
            or int(loaded.sources.max(initial=0)) >= len(SOURCES)
        ):
            raise ArtifactError(f"{directory}: the parts of these writings do not fit each other.")
        return loaded
