"""The blend: what standardized scores are, and what the weights are learned from."""

import numpy as np
import pytest

from crossfade.core.csr import starts_of
from crossfade.core.errors import SettingsError
from crossfade.core.ids import Ids
from crossfade.core.interactions import Interactions
from crossfade.models.blend import Blend
from crossfade.models.blend_fitted import FittedBlend
from crossfade.models.blend_weights import LEAST_HITS, LEAST_USERS, Evidence, fitted, learned_weights, ndcg

DEPTH = 10


def plays(seed=0, users=60, items=40):
    rng = np.random.default_rng(seed)
    by, what = np.nonzero(rng.random((users, items)) < np.linspace(0.6, 0.1, items))
    return Interactions.from_counts(
        [f"u{user:02d}" for user in by], [f"i{item:02d}" for item in what], np.ones(len(by))
    )


@pytest.fixture(scope="module")
def blend() -> FittedBlend:
    return Blend(models=("als", "popularity", "cooccurrence"), depth=DEPTH).fit(plays())


def evidence(columns, hits, candidates):
    users = len(hits) // candidates
    return Evidence(
        starts_of(np.full(users, candidates)),
        np.asarray(columns, dtype=np.float32),
        np.asarray(hits),
        np.asarray(hits).reshape(users, candidates).sum(axis=1),
        np.zeros(users, dtype=np.float32),
    )


def planted(users=400, candidates=30, *, strengths=(2.0, 1.0, 0.0), seed=1):
    """Hits by chance, with log-odds that are the ``strengths`` of the columns."""
    rng = np.random.default_rng(seed)
    columns = rng.standard_normal((users * candidates, len(strengths)))
    odds = columns @ np.array(strengths) - 3
    return evidence(columns, rng.random(len(odds)) < 1 / (1 + np.exp(-odds)), candidates)


def test_the_best_unplayed_item_of_a_model_has_one_and_the_last_of_its_list_zero(blend):
    history = plays()
    for place, (name, member) in enumerate(blend.members.items()):
        profiles = blend.trained_profiles(np.array([7], dtype=np.int32))
        found = member.recommend([history.user_ids[7]], DEPTH, exclude=history)
        columns = blend.columns(profiles, np.array([0, DEPTH]), found.rows[0])
        if blend.weights.weights[place]:
            assert columns[0, place] == 1, name
            assert columns[-1, place] == 0, name
            assert (np.diff(columns[:, place]) <= 0).all()
        else:
            assert np.isnan(columns[:, place]).all()


def test_its_score_is_the_weighted_sum(blend):
    profiles = blend.trained_profiles(np.array([3], dtype=np.int32))
    items = np.arange(len(blend.item_ids), dtype=np.int32)
    columns = blend.columns(profiles, np.array([0, len(items)]), items)
    expected = np.nan_to_num(columns.astype(np.float64)) @ blend.weights.weights
    np.testing.assert_allclose(blend.scores(profiles, np.array([0, len(items)]), items), expected, rtol=1e-5, atol=1e-5)
    parts = blend.parts(profiles, np.array([0, len(items)]), items)
    counted = [name for name, weight in zip(blend.members, blend.weights.weights, strict=True) if weight]
    assert list(parts) == counted
    np.testing.assert_allclose(sum(parts.values()), expected, rtol=1e-5, atol=1e-5)


def test_a_user_may_be_asked_about_twice_and_in_any_order(blend):
    rows = np.array([9, 2, 9], dtype=np.int32)
    found = blend.best(blend.trained_profiles(rows), 6)
    for place, row in enumerate(rows):
        alone = blend.best(blend.trained_profiles(np.array([row])), 6)
        np.testing.assert_array_equal(found.rows[place], alone.rows[0])
        np.testing.assert_array_equal(found.scores[place], alone.scores[0])


def test_too_little_to_learn_from_counts_all_models_the_same():
    few = Interactions.from_counts(["a", "a", "b", "b"], ["x", "y", "y", "z"], [1, 1, 1, 1])
    weights = Blend(models=("als", "popularity")).fit(few).weights
    assert not weights.learned
    assert weights.weights.tolist() == [0.5, 0.5]
    one = planted(users=LEAST_USERS - 1)
    assert not learned_weights(one, ["a", "b", "c"]).learned
    assert learned_weights(planted(users=3 * LEAST_USERS), ["a", "b", "c"]).learned
    assert planted(users=3 * LEAST_USERS).hits.sum() > LEAST_HITS


def test_weights_are_found_again_and_what_is_noise_is_left_out():
    found = learned_weights(planted(users=3000), ["strong", "weak", "noise"])
    assert found.weights[2] == 0
    assert found.weights[0] / found.weights[1] == pytest.approx(2, rel=0.15)
    assert found.report["strong"]["adds"] > found.report["weak"]["adds"] > 2 * found.report["weak"]["error"]
    assert found.report["noise"] == {"weight": 0.0}


def test_no_step_from_the_weights_gains_ndcg_and_their_scale_is_the_most_likely():
    some = planted(strengths=(2.0, 1.0))
    weights = fitted(some, [0, 1])
    best = ndcg(some, some.columns @ weights).mean()
    for step in (0.06 * weights.mean()) * np.array([(1, 0), (-1, 0), (0, 1), (0, -1)]):
        assert ndcg(some, some.columns @ (weights + step)).mean() <= best + 1e-6
    assert weights[0] / weights[1] == pytest.approx(2, rel=0.15)
    hits = [np.flatnonzero(one) for one in some.hits.reshape(-1, 30)]

    def likelihood(scores):
        chances = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
        return np.mean([chances[user, own].mean() for user, own in enumerate(hits) if own.size])

    scores = (some.columns @ weights).reshape(-1, 30)
    assert likelihood(scores) > max(likelihood(0.95 * scores), likelihood(1.05 * scores))


def test_what_a_model_does_not_know_counts_as_its_mean():
    one = planted(users=400, strengths=(2.0, 1.0))
    one.columns[::7, 1] = np.nan
    found = learned_weights(one, ["a", "b"])
    np.testing.assert_allclose(found.unknown, np.nanmean(one.columns, axis=0), rtol=1e-4, atol=1e-6)
    assert np.isfinite(found.weights).all()


def test_ndcg_is_that_of_the_definition():
    # Hits at the second and third of four places, three hidden: (1/log2 3 + 1/log2 4) / (1 + 1/log2 3 + 1/log2 4).
    some = Evidence(
        np.array([0, 4]), np.zeros((4, 1), np.float32), np.array([True, False, True, False]), np.array([3]), np.zeros(1)
    )
    gains = 1 / np.log2(np.array([2, 3, 4]))
    assert ndcg(some, np.array([3.0, 9.0, 2.0, 1.0])) == pytest.approx(gains[1:].sum() / gains.sum())


def test_models_that_cannot_be_blended_are_refused():
    for name in ("cultural", "word2vec", "blend"):
        with pytest.raises(SettingsError, match=f"cannot have '{name}'"):
            Blend(models=("als", name)).fit(plays())


def test_an_item_that_only_some_models_know_is_scored(blend):
    known = Ids.of([*blend.item_ids, "unheard"])
    assert blend.histories_of(plays()).rows == 60
    assert "unheard" in known
    found = blend.recommend(Interactions.from_counts(["new"], ["unheard"], [1]), 5)
    assert np.isfinite(found.scores).all()
