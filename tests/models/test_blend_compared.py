"""How much each model counts where items are compared: equal by inputs, learned within them."""

from dataclasses import replace

import numpy as np
import pytest

from crossfade.core.holdout import part_of
from crossfade.core.ids import Ids
from crossfade.core.interactions import Interactions
from crossfade.core.spaces import VectorSpace
from crossfade.models import blend_compared
from crossfade.models.blend import Blend
from crossfade.models.blend_compared import even, learned, mean_cosines, unit_points
from crossfade.models.blend_weights import Weights
from crossfade.models.cooccurrence import Cooccurrence
from crossfade.models.factors import FittedItems

USERS, ITEMS, TASTES = 300, 240, 12
IDS = Ids.of(f"i{item:03d}" for item in range(ITEMS))


def fitted(name, points):
    space = VectorSpace(model=name, kind="artist", metric="cosine", item_ids=IDS, item_vectors=points)
    return FittedItems(space=space, support=np.ones(ITEMS, dtype=np.int64))


@pytest.fixture
def data(rng):
    """What users of twelve tastes play, what is hidden of it, and points that know the tastes, and that do not."""
    taste = np.arange(ITEMS) % TASTES
    plays = rng.random((USERS, ITEMS)) < np.where(np.arange(USERS)[:, None] % TASTES == taste, 0.6, 0.01)
    hidden = plays & (rng.random(plays.shape) < 0.3)
    user_ids = Ids.of(f"u{user:03d}" for user in range(USERS))

    def of(chosen):
        users, items = np.nonzero(chosen)
        return Interactions.from_rows(user_ids, IDS, users, items, np.ones(len(users)))

    right = np.eye(TASTES, dtype=np.float32)[taste] + rng.normal(0, 0.1, (ITEMS, TASTES)).astype(np.float32)
    wrong = rng.normal(size=(ITEMS, TASTES)).astype(np.float32)
    return of(plays & ~hidden), of(hidden), right, wrong


def test_inputs_count_the_same_and_similarities_only_where_there_is_nothing_else(data):
    shown, _, right, wrong = data
    similarities = Cooccurrence(factors=8).fit(shown)
    als, logistic, cultural = fitted("als", right), fitted("logistic", wrong), fitted("cultural", wrong)
    assert even([als, similarities, logistic, cultural]).tolist() == [0.25, 0, 0.25, 0.5]
    assert even([similarities, cultural]).tolist() == [0.5, 0.5]


def test_who_was_hidden_together_decides_within_an_input(data):
    shown, hidden, right, wrong = data
    models = [fitted("als", wrong), fitted("logistic", right), fitted("cultural", wrong)]
    found = learned(models, shown, hidden)
    assert found[1] > 0.45
    assert found.tolist() == pytest.approx([0.5 - found[1], found[1], 0.5])


def test_equal_weights_stay_where_no_others_are_better(data):
    shown, hidden, right, wrong = data
    assert learned([fitted("als", right), fitted("cultural", wrong)], shown, hidden) is None
    assert learned([fitted("als", right), fitted("logistic", right)], shown, hidden) is None
    few = part_of(hidden, np.arange(hidden.pairs) < 20)
    assert learned([fitted("als", wrong), fitted("logistic", right)], shown, few) is None


@pytest.mark.parametrize("least", ["LEAST_GAIN", "LEAST_USERS"])
def test_equal_weights_stay_where_too_little_tells_better_ones(data, monkeypatch, least):
    shown, hidden, right, wrong = data
    monkeypatch.setattr(blend_compared, least, 1e6)
    assert learned([fitted("als", wrong), fitted("logistic", right)], shown, hidden) is None


def test_each_half_judges_what_the_other_taught(data, monkeypatch):
    shown, hidden, right, wrong = data
    asked, halves, judged = [], [], []
    evidence, ndcg = blend_compared._evidence, blend_compared.ndcg
    monkeypatch.setattr(
        blend_compared, "_evidence", lambda points, items, of: asked.append(items) or evidence(points, items, of)
    )
    # One half teaches that the first model counts alone, the other that the second does.
    monkeypatch.setattr(
        blend_compared, "fitted", lambda half, models: halves.append(half) or np.eye(2)[len(halves) - 1]
    )
    monkeypatch.setattr(
        blend_compared, "ndcg", lambda half, scores: judged.append((half, scores)) or ndcg(half, scores)
    )
    learned([fitted("als", wrong), fitted("logistic", right)], shown, hidden)
    assert not np.intersect1d(*asked).size
    for half, taught in zip(halves, (1, 0), strict=True):
        scores = next(scores for one, scores in judged if one is half)
        np.testing.assert_array_equal(scores, half.columns[:, taught])


def test_candidates_are_the_nearest_others_and_hits_share_a_hidden_listener(data):
    _, hidden, right, _ = data
    items = np.arange(0, ITEMS, 2, dtype=np.int32)
    points = unit_points(fitted("als", right), IDS, items)
    found = blend_compared._evidence([points], items, hidden)
    matrix = hidden.matrix()[:, items].toarray() > 0
    together = (matrix.T.astype(int) @ matrix.astype(int)) > 0
    np.fill_diagonal(together, False)
    assert found.hidden.tolist() == together.sum(axis=1).tolist()
    cosines = points @ points.T
    np.fill_diagonal(cosines, -1)
    nearest = np.sort(np.argsort(-cosines, axis=1)[:, : blend_compared.DEPTH], axis=1)
    assert np.diff(found.indptr).tolist() == [blend_compared.DEPTH] * len(items)
    np.testing.assert_allclose(found.columns[:, 0], np.take_along_axis(cosines, nearest, axis=1).ravel(), atol=1e-6)
    assert found.hits.tolist() == np.take_along_axis(together, nearest, axis=1).ravel().tolist()


def test_vectors_have_the_mean_cosines(data):
    _, _, right, wrong = data
    models, weights = [fitted("als", right), fitted("cultural", wrong)], np.array([0.7, 0.3], dtype=np.float32)
    vectors = mean_cosines(models, weights, IDS, 2 * TASTES)
    one, other = (points / np.linalg.norm(points, axis=1, keepdims=True) for points in (right, wrong))
    np.testing.assert_allclose(vectors @ vectors.T, 0.7 * one @ one.T + 0.3 * other @ other.T, atol=1e-5)
    more = Ids.of(["i005", "unknown"])
    found = unit_points(models[0], more, np.array([1, 0, 1], dtype=np.int32))
    np.testing.assert_allclose(found, [np.zeros(TASTES), one[5], np.zeros(TASTES)], atol=1e-6)


def test_a_blend_compares_items_by_what_was_learned(data):
    shown, hidden, right, wrong = data
    members = {"als": fitted("als", wrong), "logistic": fitted("logistic", right)}
    blend = Blend(factors=2 * TASTES)
    weights = blend.weigh(members, shown, hidden)
    assert weights.compared.tolist() == learned([*members.values()], shown, hidden).tolist()
    for known, share in ((weights, weights.compared), (replace(weights, compared=None), (0.5, 0.5))):
        vectors = blend.join(members, Weights.of(known.described()), shown).space.item_vectors
        expected = mean_cosines([*members.values()], np.array(share, dtype=np.float32), IDS, 2 * TASTES)
        np.testing.assert_allclose(vectors @ vectors.T, expected @ expected.T, atol=1e-5)


def test_what_an_older_version_did_not_learn_is_not_missed():
    described = Weights.even(["als", "logistic"]).described()
    del described["compared"]
    assert Weights.of(described).compared is None


def test_as_many_weights_as_models_are_read():
    described = Weights.even(["als", "logistic"]).described()
    with pytest.raises(ValueError, match="2 models have 1 weights where items are compared"):
        Weights.of(described | {"compared": [1.0]})
