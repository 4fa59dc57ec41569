"""The catalogue of a release: every item of the library, played or not, by kind and row number."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from crossfade.core.errors import ArtifactError
from crossfade.core.ids import Ids, Rows
from crossfade.core.kinds import KINDS, kind_named
from crossfade.core.texts import Texts, load_parts, save_parts


@dataclass(frozen=True, eq=False, kw_only=True)
class Items:
    """All n items of one kind, by row.

    names      (n,) the id if the source has no name
    listeners  (n,) int64 users who played the item, 0 if nobody did
    plays      (n,) int64 how often it was played
    parents    (n,) int32 rows of the parents in their kind, MISSING if unknown; None for a root
    fields     the kind's own columns by name: texts ("" if unknown), or int32 numbers (0 if unknown)
    """

    kind: str
    ids: Ids
    names: Sequence[str]
    listeners: npt.NDArray[np.int64]
    plays: npt.NDArray[np.int64]
    parents: Rows | None = None
    fields: Mapping[str, Sequence[str] | npt.NDArray[np.int32]]

    def __post_init__(self) -> None:
        kind = kind_named(self.kind)
        columns = [self.names, self.listeners, self.plays, *self.fields.values()]
        if (self.parents is None) != (kind.parent is None):
            raise ArtifactError(f"Catalogue: {kind.plural} {'need' if kind.parent else 'cannot have'} a parent column.")
        if self.parents is not None:
            columns.append(self.parents)
        if {len(column) for column in columns} != {len(self.ids)}:
            raise ArtifactError(f"Catalogue: the columns of {kind.plural} are of unequal length.")
        if self.fields.keys() != {field.name for field in kind.fields}:
            raise ArtifactError(
                f"Catalogue: {kind.plural} have the fields {sorted(self.fields)}, not those of their kind."
            )

    def __len__(self) -> int:
        return len(self.ids)

    def save(self, directory: Path) -> None:
        """Write the columns into ``directory``."""
        parents = {} if self.parents is None else {"parents": self.parents}
        columns = {"names": self.names, "listeners": self.listeners, "plays": self.plays}
        save_parts(directory, {"ids": self.ids, **columns, **parents, **self.fields})

    @classmethod
    def load(cls, directory: Path, kind: str) -> "Items":
        """Memory-map what `save` wrote; ArtifactError if a part is missing or does not fit."""
        declared = kind_named(kind)
        types = {"ids": Ids, "names": Texts, "listeners": np.int64, "plays": np.int64}
        parents = {"parents": np.int32} if declared.parent else {}
        fields = {field.name: Texts if field.type == "text" else np.int32 for field in declared.fields}
        return cls(kind=kind, **load_parts(directory, {**types, **parents}), fields=load_parts(directory, fields))


class Catalogue(Mapping[str, Items]):
    """The items of a library by kind, in the order of `KINDS`; a kind without items is left out."""

    def __init__(self, items: Sequence[Items]) -> None:
        by_kind = {each.kind: each for each in items if len(each)}
        self._items = {kind: by_kind[kind] for kind in KINDS if kind in by_kind}

    def __getitem__(self, kind: str) -> Items:
        if kind not in self._items:
            raise ArtifactError(f"This library has no {kind_named(kind).plural}.")
        return self._items[kind]

    def __contains__(self, kind: object) -> bool:
        return kind in self._items

    def __iter__(self) -> Any:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def save(self, directory: Path) -> None:
        """Write one directory a kind, called by its plural."""
        for kind, items in self._items.items():
            place = directory / KINDS[kind].plural
            place.mkdir()
            items.save(place)

    @classmethod
    def load(cls, directory: Path) -> "Catalogue":
        """Memory-map what `save` wrote; ArtifactError if a part is missing or does not fit."""
        places = {name: directory / kind.plural for name, kind in KINDS.items()}
        return cls([Items.load(place, name) for name, place in places.items() if place.is_dir()])
