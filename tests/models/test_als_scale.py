"""What ALS chooses where nobody says: by hand on small numbers, and by what it must do at any size."""

import numpy as np
import pytest

from crossfade.core.csr import CSR
from crossfade.core.interactions import Interactions
from crossfade.models import als_objective
from crossfade.models.als import ALS, ALSSettings
from crossfade.models.als_objective import resolved


def three_of_each(confidence):
    """4 users and 16 items with 16 pairs of one weight, four a user and one an item, such that c = ``confidence``."""
    weights = np.full(16, confidence - 1, dtype=np.float32)
    by_user = CSR(np.arange(0, 17, 4), np.arange(16, dtype=np.int32), weights)
    return by_user, CSR(np.arange(17), np.repeat(np.arange(4), 4).astype(np.int32), weights)


def test_unplayed_pairs_weigh_eight_times_the_played_ones():
    # The played pairs weigh 16 · 3 = 48, so all 64 pairs weigh 384 at 6 each.
    assert resolved(ALSSettings(), *three_of_each(3.0)).unobserved_weight == 6.0


def test_the_regularization_is_a_share_of_the_edge_of_noise():
    # 16 pairs of confidence 3 on 4 users and 16 items: the edge is 3 (√4 + √1) = 9. With α₀ = 1 the penalties are λ
    # times 4 + 16 = 20 for users and 1 + 4 = 5 for items, whose geometric mean of 10 λ is to be .45 of the edge.
    wanted = ALSSettings(unobserved_weight=1.0)
    assert resolved(wanted, *three_of_each(3.0)).regularization == pytest.approx(0.45 * 9 / 10)
    # "hkv" has the penalty λ for every row.
    wanted = ALSSettings(objective="hkv", alpha=1.0)
    assert resolved(wanted, *three_of_each(3.0)).regularization == pytest.approx(0.45 * 9)


def test_defaults_do_not_depend_on_blocks(rng, monkeypatch):
    by_user, by_item = three_of_each(3.0)
    weights = rng.exponential(1.0, 16).astype(np.float32)
    rows = by_user._replace(values=weights), by_item._replace(values=weights)
    whole = resolved(ALSSettings(), *rows)
    monkeypatch.setattr(als_objective, "BLOCK", 7)
    blocks = resolved(ALSSettings(), *rows)
    assert blocks.regularization == pytest.approx(whole.regularization)
    assert blocks.unobserved_weight == pytest.approx(whole.unobserved_weight)
    assert whole.unobserved_weight == pytest.approx(8 * (1 + weights.astype(float)).sum() / 64)


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
