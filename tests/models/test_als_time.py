"""Listens that lose weight with age, on a history in which taste moves."""

import numpy as np

from crossfade.core.interactions import Interactions
from crossfade.models.als import ALS

TASTES, ITEMS, LISTENERS = 4, 12, 120


def history(rng):
    """Listens (user, item, days ago), and the new taste of every third listener, whose items they have yet to play.

    Everyone plays eight items of one taste for five months; every third listener plays five items of another taste in
    the last week.
    """
    listens, moved = [], {}
    for user in range(LISTENERS):
        taste = user % TASTES
        played = rng.permutation(ITEMS)[:8]
        listens += [(user, f"{taste}-{item:02d}", rng.integers(10, 150)) for item in played for _ in range(3)]
        if user % 3 == 0:
            taste = moved[f"u{user}"] = (taste + rng.integers(1, TASTES)) % TASTES
            played = rng.permutation(ITEMS)[:5]
            listens += [(user, f"{taste}-{item:02d}", rng.integers(1, 7)) for item in played for _ in range(2)]
    return listens, moved


def test_listens_that_age_foresee_more_where_taste_moves(rng):
    listens, moved = history(rng)
    users, items, days = zip(*listens, strict=True)
    foreseen = {}
    for half_life in (np.inf, 7.0):
        train = Interactions.from_counts([f"u{user}" for user in users], items, 0.5 ** (np.array(days) / half_life))
        fitted = ALS(factors=16).fit(train)
        best = fitted.recommend(list(moved), 4, exclude=train)
        foreseen[half_life] = np.mean(
            [
                item.startswith(f"{taste}-")
                for row, taste in enumerate(moved.values())
                for item, _ in best.listed(row, fitted.item_ids)
            ]
        )
    assert foreseen[7.0] > foreseen[np.inf] + 0.1
