"""Surface tables from ranked lists."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from crossfade.core.csr import starts_of
from crossfade.core.ids import Ids, ItemKind
from crossfade.core.tables import KeyKind, SurfaceTable
from crossfade.ranking.lists import Lists


def listed_table(
    name: str,
    key: KeyKind,
    kind: ItemKind,
    ids: Ids,
    lists: Lists,
    columns: Mapping[str, npt.NDArray[Any]] | None = None,
) -> SurfaceTable:
    """The table of the ``lists`` of ``ids`` (n of each) with ``score`` and further ``columns``.

    An id whose list is empty is no key of it.
    """
    lengths = np.diff(lists.indptr)
    listed = lengths > 0
    return SurfaceTable(
        name=name,
        key=key,
        kind=kind,
        keys=ids if listed.all() else Ids.of(ids.select(np.flatnonzero(listed))),
        indptr=starts_of(lengths[listed]),
        items=lists.rows,
        columns={"score": lists.scores, **(columns or {})},
    )


def lists_of_table(table: SurfaceTable, ids: Ids) -> Lists:
    """The ranked lists of a table, by the rows of ``ids``: what `listed_table` was given."""
    lengths = np.zeros(len(ids), dtype=np.int64)
    # Both are sorted, so the keys' lists stand in the order of their rows.
    lengths[ids.rows(list(table.keys))] = np.diff(table.indptr)
    return Lists(indptr=starts_of(lengths), rows=table.items, scores=table.columns["score"])
