"""Neighbourhoods of users: the kernels against dense arithmetic."""

import numpy as np
import pytest

from crossfade.core.interactions import Interactions
from crossfade.evaluate.recommendation import evaluate
from crossfade.evaluate.splits import random_holdout
from crossfade.models.contract import ComparesItems
from crossfade.models.user_neighbours import UserNeighbours
from crossfade.nearest.exact import ExactIndex


@pytest.fixture
def interactions(rng):
    """60 users of three tastes, 90 items, 8 items each."""
    rows = [(user, item) for user in range(60) for item in (user % 3) * 30 + rng.choice(30, 8, replace=False)]
    return Interactions.from_counts(
        [f"u{user:02d}" for user, _ in rows], [f"i{item:02d}" for _, item in rows], rng.geometric(0.3, len(rows))
    )


def expected_scores(interactions, asked, neighbours, power, damp):
    """(asked users, items) by the formula, in double precision."""
    plays = interactions.matrix().toarray().astype(np.float64)
    has = plays > 0
    compared = damp(plays) * np.log1p(len(plays) / has.sum(axis=0))
    compared /= np.linalg.norm(compared, axis=1, keepdims=True)
    scores = np.zeros((len(asked), plays.shape[1]))
    for place, similarities in enumerate(compared[asked] @ compared.T):
        nearest = np.lexsort((np.arange(len(plays)), -similarities))[:neighbours]
        nearest = nearest[similarities[nearest] > 0]
        weights = similarities[nearest] ** power
        scores[place] = weights @ has[nearest] / weights.sum()
    return scores


@pytest.mark.parametrize(
    ("settings", "damp"),
    [
        ({"neighbours": 7, "power": 1.0, "damping": "binary"}, lambda plays: plays > 0),
        ({"neighbours": 7, "power": 2.5, "damping": "log"}, np.log1p),
        ({"neighbours": 1000, "power": 0.0, "damping": "none"}, lambda plays: plays),
    ],
)
def test_scores_are_weighted_shares_of_the_nearest_users(interactions, settings, damp):
    model = UserNeighbours(factors=8, **settings).fit(interactions)
    asked = np.array([5, 0, 59, 5], dtype=np.int32)
    items = len(interactions.item_ids)
    indptr, rows = np.arange(5, dtype=np.int64) * items, np.tile(np.arange(items, dtype=np.int32), 4)
    found = model.scores(model.trained_profiles(asked), indptr, rows).reshape(4, items)
    neighbours = min(settings["neighbours"], 60)
    expected = expected_scores(interactions, asked, neighbours, settings["power"], damp)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    # The same for a history that is handed in.
    folded = model.profiles(interactions.histories(["u05"]))
    np.testing.assert_array_equal(model.scores(folded, indptr[:2], rows[:items]), found[0])


def test_recommendations_leave_out_what_is_excluded(interactions):
    model = UserNeighbours(factors=8).fit(interactions)
    found = model.recommend(["u03", "u40"], 10, exclude=interactions)
    everything = model.recommend(["u03", "u40"], len(interactions.item_ids))
    for query, user in enumerate((3, 40)):
        played = set(interactions.played(user).tolist())
        kept = [row for row in everything.rows[query].tolist() if row not in played]
        assert found.rows[query].tolist() == kept[:10]


def test_it_finds_the_rest_of_a_taste(interactions, rng):
    split = random_holdout(interactions, 0.25, rng)
    model = UserNeighbours(factors=8).fit(split.train)
    # Of a taste of 30 items, six are known, so that the other 24 are the best; by chance recall were 24 / 84.
    report = evaluate(model, split.train, split.test, 24)
    assert report.estimates["recall@24"].value > 0.9


def test_items_are_not_compared_and_vectors_serve_an_index(interactions):
    model = UserNeighbours(factors=8).fit(interactions)
    assert not isinstance(model, ComparesItems)
    found = model.recommend(["u03"], 5, index=ExactIndex.build(model.space, "dot"))
    products = model.space.user_vectors[3] @ model.space.item_vectors.T
    np.testing.assert_allclose(found.scores[0], np.sort(products)[::-1][:5], rtol=1e-5)
    # Items of one taste are close to each other, and those of two are not.
    vectors = model.space.item_vectors / np.linalg.norm(model.space.item_vectors, axis=1, keepdims=True)
    tastes = np.array([int(name[1:]) // 30 for name in interactions.item_ids])
    cosines = vectors @ vectors.T
    same = tastes[:, None] == tastes
    assert cosines[same].mean() > cosines[~same].mean() + 0.3
