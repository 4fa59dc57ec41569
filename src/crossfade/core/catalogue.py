"""The catalogue behind a release: every item that the library knows, played or not, by kind and row number."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from crossfade.core.errors import ArtifactError
from crossfade.core.ids import Ids, Rows, load_array
from crossfade.core.kinds import KINDS, kind_named
from crossfade.core.texts import Texts


@dataclass(frozen=True, eq=False, kw_only=True)
class Items:
    """All n items of one kind, by row.

    names      (n,) what people call them; the id where the source gave no name
    listeners  (n,) int64 users that played them, 0 for an item that nobody has played yet
    plays      (n,) int64 how often they were played
    parents    (n,) int32 rows among the items of the parent's kind, MISSING where unknown; None for a root
    fields     the kind's own columns by name: texts ("" where unknown), or int32 numbers (0 where unknown)
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
        self.ids.save(directory / "ids")
        columns: dict[str, Any] = {"names": self.names, "listeners": self.listeners, "plays": self.plays, **self.fields}
        if self.parents is not None:
            columns["parents"] = self.parents
        for name, column in columns.items():
            if isinstance(column, np.ndarray):
                np.save(directory / f"{name}.npy", column, allow_pickle=False)
            else:
                (column if isinstance(column, Texts) else Texts.of(column)).save(directory / name)

    @classmethod
    def load(cls, directory: Path, kind: str) -> "Items":
        """Memory-map what `save` wrote; ArtifactError if a part is missing or does not fit."""
        known = kind_named(kind)
        return cls(
            kind=kind,
            ids=Ids.load(directory / "ids"),
            names=Texts.load(directory / "names"),
            listeners=load_array(directory / "listeners.npy", dtype=np.int64, ndim=1),
            plays=load_array(directory / "plays.npy", dtype=np.int64, ndim=1),
            parents=load_array(directory / "parents.npy", dtype=np.int32, ndim=1) if known.parent else None,
            fields={
                field.name: Texts.load(directory / field.name)
                if field.type == "text"
                else load_array(directory / f"{field.name}.npy", dtype=np.int32, ndim=1)
                for field in known.fields
            },
        )


class Catalogue(Mapping[str, Items]):
    """The items of a library by kind, in the order of `KINDS`; a kind without items is left out."""

    def __init__(self, items: Sequence[Items]) -> None:
        by_kind = {some.kind: some for some in items if len(some)}
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
