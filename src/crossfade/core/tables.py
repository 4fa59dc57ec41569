"""Surface tables: the lists that surfaces build, stores keep, and people see."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from crossfade.core.errors import ArtifactError
from crossfade.core.ids import Ids, Rows
from crossfade.core.kinds import KINDS
from crossfade.core.texts import load_parts, save_parts

USER = "user"
"""The key of a table whose keys are users; every other key is a kind of item."""

COLUMNS: Mapping[str, Any] = {
    "score": np.float32,  # higher is better; comparable within one key only
    "reason": np.int32,  # catalogue row, of `SurfaceTable.reason_kind`, of an item in the user's own history
    "reason_plays": np.int32,  # how often the user played it
}
"""Every column that a surface may have besides its items."""

EVERYONE = "*"
"""The only key of a table that is the same for all users, such as what new users get."""


@dataclass(frozen=True, eq=False, kw_only=True)
class SurfaceTable:
    """A ranked list of items for each key, best first, in compressed rows of n entries in all.

    surface      the name of the surface
    key          what its keys are: `USER`, or a kind of item
    kind         the kind of its items
    keys         the ids that have a list, sorted; `EVERYONE` alone if the list is the same for all users
    indptr       (keys + 1,) int64: the entries of key k are indptr[k]:indptr[k + 1]
    items        (n,) int32 catalogue rows
    columns      (n,) each: some of `COLUMNS`
    reason_kind  the kind of the column ``reason``; None without that column
    """

    surface: str
    key: str
    kind: str
    keys: Ids
    indptr: npt.NDArray[np.int64]
    items: Rows
    columns: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict)
    reason_kind: str | None = None

    @property
    def name(self) -> str:
        """The table's name in a release, such as "radio-track"."""
        return f"{self.surface}-{self.kind}"

    def __post_init__(self) -> None:
        lengths = {len(self.items), *(len(column) for column in self.columns.values()), int(self.indptr[-1])}
        if len(self.indptr) != len(self.keys) + 1 or len(lengths) != 1:
            raise ArtifactError(f"{self.name}: the arrays of this table do not fit each other.")
        for name, column in self.columns.items():
            if name not in COLUMNS or column.dtype != COLUMNS[name]:
                raise ArtifactError(f"{self.name}: a surface table has no column {name!r} of {column.dtype}.")

    def of_key(self, row: int) -> slice:
        """The slice of items and columns that has the entries of the key at ``row``."""
        return slice(int(self.indptr[row]), int(self.indptr[row + 1]))

    def save(self, directory: Path) -> None:
        """Write the arrays and a ``table.json`` into ``directory``."""
        save_parts(directory, {"keys": self.keys, "indptr": self.indptr, "items": self.items, **self.columns})
        described = {
            "surface": self.surface,
            "key": self.key,
            "kind": self.kind,
            "reason_kind": self.reason_kind,
            "columns": sorted(self.columns),
        }
        (directory / "table.json").write_text(json.dumps(described, sort_keys=True) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, directory: Path) -> "SurfaceTable":
        """Memory-map what `save` wrote; ArtifactError if a part is missing or does not fit."""
        try:
            described = dict(json.loads((directory / "table.json").read_text(encoding="utf-8")))
            columns = {name: COLUMNS[name] for name in described.pop("columns")}
            if described.keys() != {"surface", "key", "kind", "reason_kind"}:
                raise ValueError(f"it describes {sorted(described)}")
            if unknown := {described["kind"], described["key"]} - {USER, *KINDS}:
                raise ValueError(f"there is no kind {min(unknown)!r} in this version")
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ArtifactError(f"{directory} has no readable surface table: {error}") from error
        parts = load_parts(directory, {"keys": Ids, "indptr": np.int64, "items": np.int32})
        return cls(**described, **parts, columns=load_parts(directory, columns))
