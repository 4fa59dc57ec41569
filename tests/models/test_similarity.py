"""Models of similarities: their answers against dense arithmetic."""

import dataclasses

import numpy as np
import pytest

from crossfade.core.csr import CSR
from crossfade.core.errors import ArtifactError
from crossfade.core.ids import MISSING, Ids
from crossfade.core.interactions import Interactions
from crossfade.evaluate.recommendation import evaluate
from crossfade.evaluate.splits import random_holdout
from crossfade.models.cooccurrence import Cooccurrence
from crossfade.models.ease import EASE
from crossfade.models.registry import load_fitted
from crossfade.nearest.contract import IndexSettings
from crossfade.nearest.exact import ExactIndex


@pytest.fixture
def interactions(rng):
    """50 users of three tastes, 5,000 items so that scores fall into more than one stretch; most are never played."""
    rows = [(user, item) for user in range(50) for item in (user % 3) * 20 + rng.choice(20, 8, replace=False)]
    played = Interactions.from_counts(
        [f"u{user:02d}" for user, _ in rows], [f"i{item:04d}" for _, item in rows], rng.geometric(0.3, len(rows))
    )
    item_ids = Ids.of([*played.item_ids, *(f"j{number:04d}" for number in range(4940))])
    return dataclasses.replace(played, item_ids=item_ids)


@pytest.fixture(params=["sparse", "dense"])
def model(request, rng, interactions):
    """A model with lists of ten items, or with a number for all pairs."""
    sparse = Cooccurrence(neighbours=10, factors=8).fit(interactions)
    if request.param == "sparse":
        return sparse
    dense = (rng.standard_normal((5000, 5000)) * (rng.random((5000, 5000)) < 0.3)).astype(np.float32)
    np.fill_diagonal(dense, 0)
    return dataclasses.replace(sparse, similarities=dense)


def similarities(model):
    listed = model.similarities
    if not isinstance(listed, CSR):
        return np.asarray(listed, dtype=np.float64)
    dense = np.zeros((len(model.item_ids),) * 2)
    dense[np.repeat(np.arange(len(dense)), np.diff(listed.indptr)), listed.indices] = listed.values
    return dense


def every_score(model, users):
    items = len(model.item_ids)
    pairs = np.arange(len(users) + 1, dtype=np.int64) * items
    rows = np.tile(np.arange(items, dtype=np.int32), len(users))
    return model.scores(model.trained_profiles(users), pairs, rows).reshape(-1, items)


def expected_lists(scores, k):
    order = np.lexsort((np.broadcast_to(np.arange(scores.shape[1]), scores.shape), -scores))[:, :k]
    return order, np.take_along_axis(scores, order, axis=1)


def test_scores_are_sums_over_the_history(model, interactions):
    users = np.array([7, 0, 49, 7], dtype=np.int32)
    expected = np.log1p(interactions.matrix().toarray().astype(np.float64)) @ similarities(model)
    np.testing.assert_allclose(every_score(model, users), expected[users], rtol=1e-4, atol=1e-4)


def test_recommendations_are_the_best_scores_and_ties_by_row(model, interactions):
    names = ["u03", "u40", "u03"]
    order, best = expected_lists(every_score(model, interactions.user_ids.rows(names)), 30)
    found = model.recommend(names, 30)
    # Where few items score at all, the rest of the list is made of those that score nothing, by row.
    np.testing.assert_array_equal(found.rows, order)
    np.testing.assert_array_equal(found.scores, best)


def test_what_is_excluded_is_left_out_of_the_best(model, interactions):
    scores = every_score(model, np.arange(50, dtype=np.int32))
    scores[interactions.matrix().toarray() > 0] = -np.inf
    users = list(model.user_ids)
    found = model.recommend(users, 25, exclude=interactions)
    order, best = expected_lists(scores, 25)
    np.testing.assert_array_equal(found.rows, order)
    np.testing.assert_array_equal(found.scores, best)
    barred = [model.item_ids[int(row)] for row in order[0][:3]]
    without = model.recommend(users[:1], 22, exclude=interactions, exclude_items=[*barred, "nothing"])
    np.testing.assert_array_equal(without.rows[0], order[0][3:])


def test_a_history_gets_exactly_what_the_trained_user_gets(model, interactions):
    trained = model.recommend(list(model.user_ids), 12, exclude=interactions)
    new = model.recommend(interactions, 12, exclude=interactions)
    np.testing.assert_array_equal(trained.rows, new.rows)
    np.testing.assert_array_equal(trained.scores, new.scores)


def test_similar_items_are_the_largest_similarities(model):
    dense = similarities(model)
    names = ["i0030", "i0005", "i0030"]
    rows = model.item_ids.rows(names)
    scores = np.where(np.arange(5000) == rows[:, None], -np.inf, dense[rows])
    order, best = expected_lists(scores, 6)
    found = model.similar(names, 6)
    np.testing.assert_array_equal(found.rows, order)
    np.testing.assert_array_equal(found.scores, best.astype(np.float32))
    barred = [model.item_ids[int(row)] for row in order[1][:2]]
    some = model.similar(names[1:2], 4, exclude_items=barred)
    np.testing.assert_array_equal(some.rows[0], order[1][2:])
    among = model.similar(names[1:2], 3, allowed_items=[*barred, "i0005"])
    assert among.rows[0].tolist() == [*order[1][:2], MISSING]


def test_an_item_index_orders_by_the_scaled_similarities(model, rng):
    scales = rng.random(5000).astype(np.float32)
    scales[::7] = 0
    rows = np.array([30, 5], dtype=np.int32)
    found = model.item_index(scales, IndexSettings()).nearest(rows, 4000)
    expected = similarities(model)[rows].astype(np.float32) * scales[rows][:, None] * scales
    order, best = expected_lists(np.where(expected > 0, expected, -np.inf), 4000)
    np.testing.assert_array_equal(found.rows, np.where(best > 0, order, MISSING))
    np.testing.assert_array_equal(found.scores, best)


def test_lists_that_end_early_are_padded(interactions):
    model = Cooccurrence(neighbours=3, factors=8).fit(interactions)
    found = model.similar(["i0001", "j0001"], 5)
    assert found.rows[0, 3:].tolist() == [MISSING, MISSING]
    assert found.rows[1].tolist() == [MISSING] * 5
    assert np.all(found.scores[1] == -np.inf)


def test_an_index_searches_the_vectors(model):
    found = model.recommend(["u03"], 5, index=ExactIndex.build(model.space, "dot"))
    products = model.space.user_vectors[3] @ model.space.item_vectors.T
    np.testing.assert_allclose(found.scores[0], np.sort(products)[::-1][:5], rtol=1e-5)


def test_what_does_not_fit_is_refused(model, tmp_path):
    model.save(tmp_path)
    np.save(tmp_path / "histories_indices.npy", np.zeros(3, dtype=np.int32))
    with pytest.raises(ArtifactError, match="histories"):
        load_fitted(tmp_path)
    for wrong in (np.zeros((3, 3), dtype=np.float32), np.zeros((5000, 3), dtype=np.float32)):
        with pytest.raises(ArtifactError, match="do not fit"):
            dataclasses.replace(model, similarities=wrong)


def test_the_rest_of_a_taste_is_found(rng, interactions):
    kept = interactions.item_ids.select(np.arange(60))
    split = random_holdout(dataclasses.replace(interactions, item_ids=Ids.of(kept)), 0.25, rng)
    for model in (Cooccurrence(factors=8).fit(split.train), EASE(factors=8).fit(split.train)):
        report = evaluate(model, split.train, split.test, 14)
        # Users have a taste of 20 items, of which the 14 that they do not have are the best.
        assert report.estimates["recall@14"].value > 0.8
        assert report.estimates["percentile_rank"].value < 0.25
