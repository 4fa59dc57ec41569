"""A long-tailed users × items matrix to time models on.

Degrees of users are log-normal, popularity of items falls as a power of the rank, and three of four plays
stay within the listener's own taste group, so that there is something to learn. Rows are in random order: no
kernel gains from popular items that stand side by side, or loses by them.
"""

import numpy as np

from crossfade.core.ids import Ids
from crossfade.core.interactions import Interactions

GROUPS = 40
WITHIN = 0.75


def long_tailed(users: int, items: int, pairs: int, seed: int = 0) -> Interactions:
    """``pairs`` distinct (user, item) pairs with geometric counts of plays; a pure function of its arguments.

    A user has at least one pair where ``pairs`` allows. Raises ValueError if over half the matrix is asked for.
    """
    if pairs * 2 > users * items:
        raise ValueError(f"{pairs} pairs would fill over half of {users} × {items}")
    rng = np.random.default_rng(seed)
    appetite = rng.lognormal(0.0, 1.0, users)
    reach = np.cumsum(appetite / appetite.sum())
    popularity = (np.arange(items) + 1 + items * 0.0002) ** -0.95
    rng.shuffle(popularity)
    taste = rng.integers(GROUPS, size=users)
    genre = rng.integers(GROUPS, size=items)
    everything = np.cumsum(popularity / popularity.sum())
    by_genre = [np.flatnonzero(genre == group) for group in range(GROUPS)]
    within = [np.cumsum(popularity[members] / popularity[members].sum()) for members in by_genre]

    keys = np.arange(min(users, pairs), dtype=np.int64) * items
    keys += np.searchsorted(everything, rng.random(len(keys))).clip(max=items - 1)
    while len(keys) < pairs:
        drawn = 2 * (pairs - len(keys)) + 1000
        user = np.searchsorted(reach, rng.random(drawn)).clip(max=users - 1)
        item = np.searchsorted(everything, rng.random(drawn)).clip(max=items - 1)
        at_home = rng.random(drawn) < WITHIN
        for group in range(GROUPS):
            chosen = np.flatnonzero(at_home & (taste[user] == group))
            if len(by_genre[group]):
                place = np.searchsorted(within[group], rng.random(len(chosen)))
                item[chosen] = by_genre[group][place.clip(max=len(by_genre[group]) - 1)]
        keys = np.union1d(keys, user * np.int64(items) + item)
    # Every user keeps the first pair; the surplus goes at random.
    surplus = len(keys) - pairs
    if surplus:
        later = np.flatnonzero(np.diff(keys // items, prepend=-1) == 0)
        keys = np.delete(keys, rng.choice(later, surplus, replace=False))
    plays = rng.geometric(0.3, len(keys)).astype(np.int32)
    return Interactions(
        kind="artist",
        user_ids=_numbered("user", users),
        item_ids=_numbered("item", items),
        indptr=np.searchsorted(keys, np.arange(users + 1, dtype=np.int64) * items).astype(np.int64),
        indices=(keys % items).astype(np.int32),
        weights=plays.astype(np.float32),
        plays=plays,
        last_played=np.zeros(len(keys), dtype=np.uint32),
    )


def _numbered(what: str, count: int) -> Ids:
    digits = len(str(max(count - 1, 0)))
    return Ids.of(f"{what}-{number:0{digits}d}" for number in range(count))
