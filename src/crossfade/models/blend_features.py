"""What boosted trees see of a user and an item besides the standardized scores (`crossfade.models.blend_trees`).

    place       by model, the item's place in the user's list of d items, divided by d; (d + 1) / d if it isn't listed
    agreement   how many models list it
    listeners   log of the share of users who played it
    recency     days from its last play by anybody to the last play of all, missing where there are no times
    history     log of how many items the user has played

Each follows from the user and the item alone, not from what else is scored, and shares and days are the same for a cut
of the plays and for all of them, so that what is learned from one holds for the other.
"""

import numpy as np
import numpy.typing as npt

from crossfade.core.csr import Starts
from crossfade.core.ids import Rows
from crossfade.core.interactions import Interactions
from crossfade.models.blend_part import Part
from crossfade.models.blend_weights import Matrix

AGREEMENT, SHARED = "agreement", ("listeners", "recency", "history")
"""Names of what belongs to no model."""

_DAY = 86_400.0


def facts_of(interactions: Interactions) -> Matrix:
    """Return the popularity and the recency (items, 2) of all items."""
    users, items = interactions.shape
    popularity = np.log((interactions.listeners() + 1) / (users + 1))
    last = np.zeros(items, dtype=np.int64)
    np.maximum.at(last, interactions.indices, interactions.last_played.astype(np.int64))
    recency = np.where(last > 0, (last.max(initial=0) - last) / _DAY, np.nan)
    return np.column_stack([popularity, recency]).astype(np.float32)


def extras(part: Part, indptr: Starts, items: Rows, columns: Matrix, facts: Matrix) -> Matrix:
    """Return the places and the shared features (n, models + 3) of pairs, whose standardized scores are ``columns``."""
    lengths = np.diff(indptr)
    users = np.repeat(np.arange(len(part)), lengths)
    found = np.full((len(items), columns.shape[1] + len(SHARED)), np.nan, dtype=np.float32)
    for model in part.members:
        better = _better(part.listed(model), users, columns[:, model])
        known = ~np.isnan(columns[:, model])
        found[known, model] = (better[known] + 1) / np.float32(part.depth)
    found[:, -3:-1] = facts[items]
    found[:, -1] = part.history[users]
    return found


def table(columns: Matrix, more: Matrix, models: npt.NDArray[np.intp]) -> Matrix:
    """Return what trees read (n, 2 · models + 4): scores and places in these ``models``, agreement, what is shared."""
    places = more[:, models]
    agreement = (places <= 1).sum(axis=1, dtype=np.float32)
    return np.ascontiguousarray(np.column_stack([columns[:, models], places, agreement, more[:, -len(SHARED) :]]))


def _better(lists: Matrix, users: npt.NDArray[np.intp], scores: npt.NDArray[np.float32]) -> npt.NDArray[np.int64]:
    """(n,) how many of each one's list, descending in the rows of ``lists``, have more than its score."""
    low, high = np.zeros(len(users), dtype=np.int64), np.full(len(users), lists.shape[1], dtype=np.int64)
    for _ in range(lists.shape[1].bit_length()):
        middle = (low + high) // 2
        more = lists[users, np.minimum(middle, lists.shape[1] - 1)] > scores
        open_ = low < high
        low, high = np.where(open_ & more, middle + 1, low), np.where(open_ & ~more, middle, high)
    return low
