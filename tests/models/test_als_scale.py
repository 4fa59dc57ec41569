"""What ALS chooses where nobody says: by hand on small numbers, and by what it must do at any size."""

import numpy as np
import pytest

from crossfade.core.interactions import Interactions
from crossfade.models import als_scale
from crossfade.models.als import ALS


def test_moments_are_sums_whatever_the_blocks(rng):
    confidence = (1 + rng.random(1000)).astype(np.float32)
    for block in (1, 7, 1000):
        total, squares = als_scale.moments(confidence[first : first + block] for first in range(0, 1000, block))
        assert total == pytest.approx(confidence.sum(dtype=np.float64))
        assert squares == pytest.approx((confidence.astype(np.float64) ** 2).sum())


def test_what_was_not_played_weighs_eight_times_what_was():
    # 4 users x 5 items; the played pairs weigh 10 together, so all 20 pairs weigh 80 at 4 each.
    assert als_scale.unobserved_weight(10.0, (4, 5)) == 4.0


def test_the_regularization_is_a_share_of_the_edge_of_noise():
    # 16 pairs of confidence 3 on 4 users and 16 items: the edge is 3 (sqrt(4) + sqrt(1)) = 9. Penalties of lambda
    # times 2 and 8 have the geometric mean 4 lambda, which is to be .45 of the edge.
    assert als_scale.regularization(16 * 9.0, 16, np.full(4, 2.0), np.full(16, 8.0)) == pytest.approx(0.45 * 9 / 4)


def planted(rng, tastes, strangers):
    """Three users' worth of tastes with ten items each, and items that one user each has played once."""
    users, items = [], []
    for taste in range(tastes):
        for user in range(30):
            chosen = rng.choice(10, 6, replace=False)
            users += [f"u{taste}-{user:02d}"] * 6
            items += [f"i{taste}-{item}" for item in chosen]
    for stranger in range(strangers):
        users.append(f"u{stranger % tastes}-{stranger % 30:02d}")
        items.append(f"x{stranger}")
    return Interactions.from_counts(users, items, np.ones(len(users)))


@pytest.mark.parametrize("objective", ["hkv", "ials"])
@pytest.mark.parametrize("strangers", [0, 5000])
def test_the_defaults_learn_the_tastes_however_large_the_catalogue(rng, objective, strangers):
    interactions = planted(rng, 8, strangers)
    space = ALS(factors=16, objective=objective).fit(interactions)
    found = space.recommend(list(space.user_ids), 4, exclude=interactions)
    for row, user in enumerate(space.user_ids):
        taste = user.split("-")[0][1:]
        # The four items of their taste that they have not played come before everything else.
        assert {item.split("-")[0] for item, _ in found.listed(row, space.item_ids)} == {f"i{taste}"}


def test_a_regularization_that_is_said_is_taken(rng):
    interactions = planted(rng, 3, 0)
    said = ALS(factors=8, regularization=0.5, unobserved_weight=0.25).fit(interactions).settings
    assert (said["regularization"], said["unobserved_weight"]) == (0.5, 0.25)
