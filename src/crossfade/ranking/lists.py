"""Ranked lists, one a key, and the groups of which a list has only so many."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from crossfade.core.csr import Starts, starts_of
from crossfade.core.ids import MISSING, Rows
from crossfade.ranking.aliases import Groups


@dataclass(frozen=True, eq=False)
class RankedLists:
    """The lists of n keys, best first, by catalogue rows; columns are those of `crossfade.core.tables.COLUMNS`."""

    indptr: Starts
    items: Rows
    columns: Mapping[str, npt.NDArray[Any]]


def joined(parts: Sequence[RankedLists]) -> RankedLists:
    """Return the lists of all ``parts``, at least one, in their order."""
    return RankedLists(
        starts_of(np.concatenate([np.diff(part.indptr) for part in parts])),
        np.concatenate([part.items for part in parts]),
        {name: np.concatenate([part.columns[name] for part in parts]) for name in parts[0].columns},
    )


class Grouping(NamedTuple):
    """At most so many items of one group in a list.

    groups   gives the groups of catalogue rows, of any shape
    cap      items of a group in one list, 1 or more
    own_cap  items of the key's own group in its list
    """

    groups: Callable[[Rows], Groups]
    cap: int
    own_cap: int


def allowed(rows: Rows, keys: Rows, groupings: Sequence[Grouping]) -> npt.NDArray[np.bool_]:
    """Return which places of the lists ``rows`` (lists, places) of the items ``keys`` (lists,) the groupings leave."""
    from crossfade.ranking.jitted import cap_groups

    kept: npt.NDArray[np.bool_] = rows != MISSING
    for grouping in groupings:
        groups = np.full(rows.shape, MISSING, dtype=np.int64)
        groups[kept] = grouping.groups(rows[kept])
        cap_groups(groups, grouping.groups(keys), grouping.cap, grouping.own_cap, kept)
    return kept
