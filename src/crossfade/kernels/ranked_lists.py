"""Kernels for ranked lists, one list a row."""

import numpy as np
import numpy.typing as npt

from crossfade.kernels.compile import jit

Rows = npt.NDArray[np.int32]


@jit
def thin_lists(rows: Rows, groups: Rows, own: Rows, cap: int, own_cap: int, kept: npt.NDArray[np.bool_]) -> None:
    """Clear kept[list, place] (lists, places) where the list has enough of that item's group already.

    A place counts if it is still kept and its row is not negative. A list may have ``cap`` of a group, and
    ``own_cap`` of the group own[list] (lists,). groups (items,): negative for an item that is its own group.
    """
    counts = np.zeros(max(groups.max(), own.max()) + 1 if len(groups) else 0, dtype=np.int32)
    for ranked in range(len(rows)):
        for place in range(rows.shape[1]):
            row = rows[ranked, place]
            if row < 0 or not kept[ranked, place] or groups[row] < 0:
                continue
            group = groups[row]
            if counts[group] == (own_cap if group == own[ranked] else cap):
                kept[ranked, place] = False
            else:
                counts[group] += 1
        for place in range(rows.shape[1]):
            row = rows[ranked, place]
            if row >= 0 and groups[row] >= 0:
                counts[groups[row]] = 0
