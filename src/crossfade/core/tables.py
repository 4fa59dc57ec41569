"""Surface tables: what every surface builds, every store keeps, and people see."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from crossfade.core.errors import ArtifactError
from crossfade.core.ids import Ids, ItemKind, Rows, load_array

KeyKind = Literal["artist", "track", "user"]

COLUMNS: Mapping[str, Any] = {
    "score": np.float32,  # higher is better; comparable within one key only
    "reason": np.int32,  # the row, of `Catalogue.reason_kind`, of what in the user's own history makes it believable
    "reason_plays": np.int32,  # how often the user played that
}
"""Every column that a surface may have beside its items."""

EVERYONE = "*"
"""The only key of a table that is the same for all users, such as what new users get."""


@dataclass(frozen=True, eq=False, kw_only=True)
class SurfaceTable:
    """For each key a ranked list of items, best first, in compressed rows of n entries in all.

    name     of the surface
    key      what it is asked for by
    kind     what its items are; their rows are those of the `Catalogue`
    keys     the ids that have a list, sorted; `EVERYONE` alone where the list is the same for all users
    indptr   (keys + 1,) int64: the entries of key k are indptr[k]:indptr[k + 1]
    items    (n,) int32 item rows
    columns  (n,) each: some of `COLUMNS`
    """

    name: str
    key: KeyKind
    kind: ItemKind
    keys: Ids
    indptr: npt.NDArray[np.int64]
    items: Rows
    columns: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        lengths = {len(self.items), *(len(column) for column in self.columns.values()), int(self.indptr[-1])}
        if len(self.indptr) != len(self.keys) + 1 or len(lengths) != 1:
            raise ArtifactError(f"{self.name}: the arrays of this table do not fit each other.")
        for name, column in self.columns.items():
            if name not in COLUMNS or column.dtype != COLUMNS[name]:
                raise ArtifactError(f"{self.name}: there is no column {name!r} of {column.dtype} in a surface table.")

    def of_key(self, row: int) -> slice:
        """Where the entries of the key at ``row`` stand in items and columns."""
        return slice(int(self.indptr[row]), int(self.indptr[row + 1]))

    def save(self, directory: Path) -> None:
        """Write the arrays and a ``table.json`` into ``directory``."""
        self.keys.save(directory / "keys")
        arrays: dict[str, npt.NDArray[Any]] = {"indptr": self.indptr, "items": self.items, **self.columns}
        for name, array in arrays.items():
            np.save(directory / f"{name}.npy", array, allow_pickle=False)
        described = {"name": self.name, "key": self.key, "kind": self.kind, "columns": sorted(self.columns)}
        (directory / "table.json").write_text(json.dumps(described, sort_keys=True) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, directory: Path) -> "SurfaceTable":
        """Memory-map what `save` wrote; ArtifactError if a part is missing or does not fit."""
        try:
            described = dict(json.loads((directory / "table.json").read_text(encoding="utf-8")))
            columns = {name: COLUMNS[name] for name in described.pop("columns")}
            if described.keys() != {"name", "key", "kind"}:
                raise ValueError(f"it describes {sorted(described)}")
            if described["kind"] not in get_args(ItemKind) or described["key"] not in get_args(KeyKind):
                raise ValueError(f"there is no table of {described['kind']}s by {described['key']}")
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ArtifactError(f"{directory} holds no readable surface table: {error}") from error
        return cls(
            **described,
            keys=Ids.load(directory / "keys"),
            indptr=load_array(directory / "indptr.npy", dtype=np.int64, ndim=1),
            items=load_array(directory / "items.npy", dtype=np.int32, ndim=1),
            columns={
                name: load_array(directory / f"{name}.npy", dtype=dtype, ndim=1) for name, dtype in columns.items()
            },
        )
