"""Fitted models of vectors: lists, scores and profiles worked out by hand."""

import dataclasses

import numpy as np
import pytest

from crossfade.core.ids import Ids
from crossfade.core.interactions import Interactions
from crossfade.core.spaces import VectorSpace
from crossfade.models.factors import FittedItems
from crossfade.nearest.contract import IndexSettings

ITEMS = ["abba", "beck", "cher", "devo"]


@pytest.fixture
def space():
    return VectorSpace(
        model="als",
        kind="artist",
        metric="dot",
        item_ids=Ids.of(ITEMS),
        item_vectors=np.array([[1, 0], [2, 0], [0, 3], [1, 1]], dtype=np.float32),
        user_ids=Ids.of(["ann", "bob"]),
        user_vectors=np.array([[1, 0], [0, 1]], dtype=np.float32),
    )


def fitted_of(space):
    return FittedItems(space=space, support=np.full(len(space.item_ids), 3, dtype=np.int64))


@pytest.fixture
def fitted(space):
    return fitted_of(space)


def names(fitted, found):
    return [[name for name, _ in found.listed(query, fitted.item_ids)] for query in range(len(found))]


def test_users_get_the_items_with_the_largest_products(fitted):
    found = fitted.recommend(["bob", "ann", "bob"], 2)
    assert names(fitted, found) == [["cher", "devo"], ["beck", "abba"], ["cher", "devo"]]
    assert found.scores.tolist() == [[3, 1], [2, 1], [3, 1]]
    assert names(fitted, fitted.best(np.array([[0, -1]], dtype=np.float32), 2)) == [["abba", "beck"]]


def test_what_a_user_played_is_excluded_whatever_its_rows_are_elsewhere(fitted):
    # Other rows than in the space: "aha" comes before "beck" here, and the space has no "aha".
    played = Interactions.from_counts(["ann", "ann", "eve"], ["aha", "beck", "cher"], [1, 2, 3])
    found = fitted.recommend(["ann", "bob"], 4, exclude=played)
    assert names(fitted, found) == [["abba", "devo", "cher"], ["cher", "devo", "abba", "beck"]]
    same_rows = Interactions.from_counts(["bob"] * 4, ITEMS, [1] * 4)
    found = fitted.recommend(["ann", "bob"], 4, exclude=same_rows)
    assert names(fitted, found) == [["beck", "abba", "devo", "cher"], []]
    nobody = Interactions.from_counts([], [], [])
    assert names(fitted, fitted.recommend(["ann"], 1, exclude=nobody)) == [["beck"]]


def test_histories_of_several_lists_of_ids_may_be_asked_for_at_the_same_time(fitted):
    class Emptied(dict[Ids, object]):
        """As another thread leaves it, whose histories come with other ids."""

        def __setitem__(self, ids, rows):
            self.clear()

    vars(fitted)["_row_maps"] = Emptied()
    found = fitted.histories_of(Interactions.from_counts(["eve", "eve"], ["aha", "beck"], [1, 2]))
    assert found.indices.tolist() == [ITEMS.index("beck")]


def test_items_that_may_and_may_not_be_recommended(fitted):
    assert names(fitted, fitted.recommend(["ann"], 4, exclude_items=["beck", "nobody"])) == [["abba", "devo", "cher"]]
    assert names(fitted, fitted.recommend(["ann"], 4, allowed_items=["cher", "abba", "zoe"])) == [["abba", "cher"]]
    assert names(fitted, fitted.recommend(["ann"], 4, allowed_items=[])) == [[]]


def test_similar_items_by_cosine_without_the_item_itself(fitted):
    found = fitted.similar(["abba", "devo"], 4)
    # Angles: abba 0°, beck 0°, cher 90°, devo 45°. Abba, beck and cher are equally far from devo.
    assert names(fitted, found) == [["beck", "devo", "cher"], ["abba", "beck", "cher"]]
    np.testing.assert_allclose(found.scores[0, :3], [1, 0.5**0.5, 0], atol=1e-7)
    found = fitted.similar(["abba"], 4, exclude_items=["beck"], allowed_items=["beck", "cher"])
    assert names(fitted, found) == [["cher"]]


def test_an_item_index_scales_both_ends_and_ends_where_nothing_is_similar(fitted):
    index = fitted.item_index(np.array([1, 0.5, 1, 0.1], dtype=np.float32), IndexSettings())
    found = index.nearest(np.array([0, 3], dtype=np.int32), 3)
    assert names(fitted, found) == [["beck", "devo"], ["abba", "cher", "beck"]]
    root = 0.5**0.5
    np.testing.assert_allclose(found.scores[0, :2], [0.5, 0.1 * root], atol=1e-7)
    np.testing.assert_allclose(found.scores[1], [0.1 * root, 0.1 * root, 0.05 * root], atol=1e-7)


def test_a_bias_counts_for_users_and_not_among_items(space):
    biases = np.array([[0], [0], [9], [-5]], dtype=np.float32)
    biased = fitted_of(
        dataclasses.replace(
            space,
            biased=True,
            item_vectors=np.hstack([space.item_vectors, biases]),
            user_vectors=np.hstack([space.user_vectors, np.ones((2, 1), dtype=np.float32)]),
            space_id="",
        )
    )
    assert names(biased, biased.recommend(["ann"], 4)) == [["cher", "beck", "abba", "devo"]]
    users, items = biased.trained_profiles(np.array([1, 0], dtype=np.int32)), np.array([0, 2, 3, 3], dtype=np.int32)
    assert biased.scores(users, np.array([0, 3, 4]), items).tolist() == [0, 12, -4, -4]
    items = ["abba", "devo"]
    assert np.array_equal(biased.similar(items, 4).scores, fitted_of(space).similar(items, 4).scores)
    assert "2 users × 4 artists, 2 factors" in repr(biased)


def test_scores_by_cosine(space):
    turned = fitted_of(dataclasses.replace(space, metric="cosine", space_id=""))
    user = np.array([[3, 0]], dtype=np.float32)
    scores = turned.scores(user, np.array([0, 4]), np.arange(4, dtype=np.int32))
    np.testing.assert_allclose(scores, [1, 1, 0, 0.5**0.5], atol=1e-7)


def test_the_profile_of_a_history_without_trained_users_is_amid_its_items(fitted):
    # Weights e - 1 and e³ - 1 count as 1 and 3; beck and cher are at length one whatever their length.
    weights = [np.e - 1, np.e**3 - 1, 5.0, 1.0]
    histories = Interactions.from_counts(["ann", "ann", "eve", "zoe"], ["beck", "cher", "devo", "aha"], weights)
    expected = [[1 / 10**0.5, 3 / 10**0.5], [0.5**0.5, 0.5**0.5], [0, 0]]
    np.testing.assert_allclose(fitted.profiles(histories), expected, rtol=1e-6)
