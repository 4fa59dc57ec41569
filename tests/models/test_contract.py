"""Spaces that answer for themselves, and the registry of models."""

import json

import numpy as np
import pytest

from crossfade.core.errors import (
    ArtifactError,
    InputError,
    NotReadyError,
    SettingsError,
    SpaceMismatchError,
    UnknownIdError,
)
from crossfade.core.ids import Ids
from crossfade.core.interactions import Interactions
from crossfade.models.contract import FittedSpace
from crossfade.models.registry import MODELS, load_space, model_class
from crossfade.nearest.exact import ExactIndex

ITEMS = ["abba", "beck", "cher", "devo"]


@pytest.fixture
def space():
    return FittedSpace(
        model="als",
        kind="artist",
        metric="dot",
        item_ids=Ids.of(ITEMS),
        item_vectors=np.array([[1, 0], [2, 0], [0, 3], [1, 1]], dtype=np.float32),
        user_ids=Ids.of(["ann", "bob"]),
        user_vectors=np.array([[1, 0], [0, 1]], dtype=np.float32),
    )


def names(space, found):
    return [[name for name, _ in found.listed(query, space.item_ids)] for query in range(len(found))]


def test_users_get_the_items_with_the_largest_products(space):
    found = space.recommend(["bob", "ann", "bob"], 2)
    assert names(space, found) == [["cher", "devo"], ["beck", "abba"], ["cher", "devo"]]
    assert found.scores.tolist() == [[3, 1], [2, 1], [3, 1]]


def test_what_a_user_played_is_left_out_whatever_its_rows_are_elsewhere(space):
    # Other rows than in the space: "aha" comes before "beck" here, and the space has no "aha".
    played = Interactions.from_counts(["ann", "ann", "eve"], ["aha", "beck", "cher"], [1, 2, 3])
    found = space.recommend(["ann", "bob"], 4, exclude=played)
    assert names(space, found) == [["abba", "devo", "cher"], ["cher", "devo", "abba", "beck"]]
    same_rows = Interactions.from_counts(["bob"] * 4, ITEMS, [1] * 4)
    found = space.recommend(["ann", "bob"], 4, exclude=same_rows)
    assert names(space, found) == [["beck", "abba", "devo", "cher"], []]
    nobody = Interactions.from_counts([], [], [])
    assert names(space, space.recommend(["ann"], 1, exclude=nobody)) == [["beck"]]


def test_lists_of_items_that_may_and_may_not_be_given(space):
    assert names(space, space.recommend(["ann"], 4, exclude_items=["beck", "nobody"])) == [["abba", "devo", "cher"]]
    assert names(space, space.recommend(["ann"], 4, allowed_items=["cher", "abba", "nobody"])) == [["abba", "cher"]]
    assert names(space, space.recommend(["ann"], 4, allowed_items=[])) == [[]]


def test_similar_items_by_cosine_without_the_item_itself(space):
    found = space.similar(["abba", "devo"], 4)
    # Angles: abba 0°, beck 0°, cher 90°, devo 45°. Abba, beck and cher are equally far from devo.
    assert names(space, found) == [["beck", "devo", "cher"], ["abba", "beck", "cher"]]
    np.testing.assert_allclose(found.scores[0, :3], [1, 0.5**0.5, 0], atol=1e-7)
    assert names(space, space.similar(["abba"], 4, exclude_items=["beck"], allowed_items=["beck", "cher"])) == [
        ["cher"]
    ]


def test_a_bias_counts_for_users_and_not_among_items(space):
    biases = np.array([[0], [0], [9], [-5]], dtype=np.float32)
    biased = FittedSpace(
        model="als",
        kind="artist",
        metric="dot",
        biased=True,
        item_ids=space.item_ids,
        item_vectors=np.hstack([space.item_vectors, biases]),
        user_ids=space.user_ids,
        user_vectors=np.hstack([space.user_vectors, np.ones((2, 1), dtype=np.float32)]),
    )
    assert names(biased, biased.recommend(["ann"], 4)) == [["cher", "beck", "abba", "devo"]]
    assert biased.scores(np.array([1, 0], dtype=np.int32)).tolist() == [[0, 0, 12, -4], [1, 2, 9, -4]]
    items = ["abba", "devo"]
    assert np.array_equal(biased.similar(items, 4).scores, space.similar(items, 4).scores)


def test_scores_by_cosine(space):
    turned = FittedSpace(**{**vars(space), "metric": "cosine", "space_id": ""})
    expected = [[1, 1, 0, 0.5**0.5]]
    np.testing.assert_allclose(turned.scores(np.array([0], dtype=np.int32)), expected, atol=1e-7)


def test_vectors_of_ones_own(space):
    vectors = np.array([[0, -1]], dtype=np.float32)
    assert names(space, space.recommend_vectors(vectors, 2)) == [["abba", "beck"]]
    played = Interactions.from_counts(["new"], ["abba"], [1])
    assert names(space, space.recommend_vectors(vectors, 2, user_ids=["new"], exclude=played)) == [["beck", "devo"]]
    with pytest.raises(InputError, match="0 user ids do not fit 1 vectors"):
        space.recommend_vectors(vectors, 2, exclude=played)


def test_an_index_is_used_if_it_fits_and_refused_if_not(space):
    index = ExactIndex.build(space, "dot")
    assert names(space, space.recommend(["ann"], 1, index=index)) == [["beck"]]
    with pytest.raises(InputError, match="by cosine, the index by dot"):
        space.similar(["abba"], 1, index=index)
    other = FittedSpace(
        model="als", kind="artist", metric="dot", item_ids=space.item_ids, item_vectors=space.item_vectors[::-1]
    )
    with pytest.raises(SpaceMismatchError):
        space.recommend(["ann"], 1, index=ExactIndex.build(other, "dot"))
    with pytest.raises(NotReadyError, match="items only"):
        other.recommend(["ann"], 1)


def test_what_is_not_known_is_said(space):
    with pytest.raises(UnknownIdError, match="'zoe'"):
        space.recommend(["ann", "zoe"], 1)
    with pytest.raises(UnknownIdError, match="'nobody'"):
        space.similar(["nobody"], 1)
    tracks = Interactions.from_counts(["ann"], ["abba"], [1], kind="track")
    with pytest.raises(InputError, match="about tracks"):
        space.recommend(["ann"], 1, exclude=tracks)


@pytest.mark.parametrize("name", sorted(MODELS))
def test_every_registered_model_keeps_the_contract(name):
    model = model_class(name)
    assert model.name == name
    assert issubclass(model.space_class, FittedSpace)
    assert model(model.settings_class()) is not None


def test_a_saved_space_is_loaded_as_its_model_s_class(space, tmp_path):
    space.save(tmp_path)
    loaded = load_space(tmp_path)
    assert type(loaded) is model_class("als").space_class
    assert names(loaded, loaded.recommend(["ann"], 2)) == [["beck", "abba"]]
    path = tmp_path / "space.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "model": "tarot"}))
    with pytest.raises(ArtifactError, match="tarot"):
        load_space(tmp_path)
    path.write_text("[]")
    with pytest.raises(ArtifactError, match="no readable"):
        load_space(tmp_path)
    with pytest.raises(SettingsError, match=f"known: {', '.join(sorted(MODELS))}"):
        model_class("tarot")
