"""What a blend learns besides weights: trees, and chances."""

from dataclasses import replace

import numpy as np
import pytest

from crossfade.core.csr import starts_of
from crossfade.core.errors import MissingExtraError
from crossfade.core.interactions import Interactions
from crossfade.models.blend import Blend
from crossfade.models.blend_chances import Chances
from crossfade.models.blend_features import SHARED, extras, facts_of, table
from crossfade.models.blend_learning import learned
from crossfade.models.blend_weights import Evidence, Weights
from crossfade.models.registry import model_class

pytest.importorskip("lightgbm", reason="pip install 'crossfade[trees]'")

MODELS = ["one", "other"]
CANDIDATES = 30


def planted(users=250, *, popular=2.5, seed=1):
    """Hits by chance: log-odds from two models' scores, the length of the history, and whether the item is popular."""
    rng = np.random.default_rng(seed)
    rows = users * CANDIDATES
    columns = rng.standard_normal((rows, 2)).astype(np.float32)
    more = rng.random((rows, len(MODELS) + len(SHARED))).astype(np.float32)
    history = np.log1p(rng.integers(5, 500, users)).astype(np.float32)
    odds = columns @ [1.5, 0.7] + popular * (more[:, 2] > 0.8) + 0.6 * np.repeat(history, CANDIDATES) - 7
    hits = rng.random(rows) < 1 / (1 + np.exp(-odds))
    starts = starts_of(np.full(users, CANDIDATES))
    return Evidence(starts, columns, hits, hits.reshape(users, -1).sum(axis=1), history, more), odds


@pytest.fixture(scope="module")
def grown() -> Weights:
    return learned(planted()[0], MODELS, "trees", threads=1)


@pytest.fixture(scope="module")
def well_grown() -> Weights:
    return learned(planted(users=800)[0], MODELS, "trees", threads=1)


def test_trees_find_what_no_weighted_sum_can(grown):
    assert grown.trees.adds > 5 * grown.trees.error
    columns = np.zeros((2, 2), dtype=np.float32)
    more = np.full((2, 5), 0.5, dtype=np.float32)
    more[1, 2] = 0.9
    features = table(columns, more, np.arange(2))
    parts = grown.trees.parts(features)
    assert list(parts) == [*MODELS, "agreement", *SHARED]
    np.testing.assert_allclose(sum(parts.values()), grown.trees.scores(features), atol=1e-5)
    changes = {name: part[1] - part[0] for name, part in parts.items()}
    assert max(changes, key=changes.get) == "listeners"
    assert changes["listeners"] > 0.8 * sum(map(abs, changes.values()))


def test_trees_that_add_nothing_are_left_out():
    weights = learned(planted(popular=0)[0], MODELS, "trees", threads=1)
    assert weights.trees is None
    assert weights.weights[0] > weights.weights[1] > 0


def test_trees_are_the_same_on_any_number_of_processors_and_when_loaded(grown):
    assert learned(planted()[0], MODELS, "trees", threads=3).trees.text == grown.trees.text
    again = Weights.of(grown.described())
    assert again.described() == grown.described()
    some = table(planted()[0].columns, planted()[0].extras, np.arange(2))[:50]
    np.testing.assert_array_equal(again.trees.scores(some, 2), grown.trees.scores(some, 1))
    # A row alone has the score that it has among others.
    np.testing.assert_array_equal(again.trees.scores(some[7:8]), grown.trees.scores(some)[7:8])


def test_without_the_library_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "lightgbm", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'crossfade\[trees\]'"):
        learned(planted(users=3)[0], MODELS, "trees")
    assert learned(planted()[0], MODELS).trees is None
    asked = []
    monkeypatch.setattr(model_class("als"), "fit", lambda *_, **__: asked.append(1))
    with pytest.raises(MissingExtraError):
        Blend(models=("als", "popularity"), ranker="trees").fit(Interactions.from_counts(["a"], ["b"]))
    assert not asked


@pytest.mark.parametrize("ranker", ["linear", "trees"])
def test_of_what_has_a_chance_of_a_tenth_a_tenth_is_played(ranker, request):
    weights = request.getfixturevalue("well_grown") if ranker == "trees" else learned(planted(users=800)[0], MODELS)
    evidence, odds = planted(users=2000, seed=2)  # other users of the same world
    scores = weights.filled(evidence.columns) @ weights.weights
    if ranker == "trees":
        scores += weights.trees.scores(table(evidence.columns, evidence.extras, np.arange(2)))
    chances = weights.chances.of(scores, np.repeat(evidence.history, CANDIDATES))
    truth = 1 / (1 + np.exp(-odds))
    # By tenths of the chances, of the lengths of histories, and over all: the expected calibration error.
    for by in (chances, np.repeat(evidence.history, CANDIDATES)):
        tenths = np.array_split(np.argsort(by, kind="stable"), 10)
        assert np.mean([abs(chances[tenth].mean() - truth[tenth].mean()) for tenth in tenths]) < 0.02
    assert chances[scores > np.quantile(scores, 0.99)].mean() > 5 * truth.mean()


def test_chances_are_those_of_a_logistic_regression():
    rng = np.random.default_rng(0)
    scores, history = rng.normal(3, 40, 20_000), rng.uniform(0, 9, 20_000)
    odds = (0.05 - 0.003 * history) * scores - 0.3 * history + 1
    found = Chances.fitted(scores, history, rng.random(20_000) < 1 / (1 + np.exp(-odds)))
    assert (found.score, found.history, found.both, found.level) == pytest.approx((0.05, -0.3, -0.003, 1), rel=0.15)
    assert Chances.described_by(found.described()) == found
    # A higher score is never a lower chance, not even for a history longer than any.
    assert (np.diff(found.of(np.arange(9.0), np.full(9, 30.0))) == 0).all()
    # Nothing or everything played is no reason to fail.
    for hits in (np.zeros(100, bool), np.ones(100, bool), scores[:100] > 3):
        assert np.isfinite(Chances.fitted(scores[:100], history[:100], hits).of(scores[:100], history[:100])).all()


@pytest.fixture(scope="module")
def plays() -> Interactions:
    rng = np.random.default_rng(5)
    by, what = np.nonzero(rng.random((60, 40)) < np.linspace(0.6, 0.1, 40))
    some = Interactions.from_counts([f"u{user:02d}" for user in by], [f"i{item:02d}" for item in what])
    return replace(some, last_played=(1_700_000_000 - 86_400 * (some.indices % 7)).astype(np.uint32))


def test_what_trees_see_is_what_it_is_said_to_be(plays):
    blend = Blend(models=("als", "popularity"), depth=10).fit(plays)
    users, items = np.array([4, 9], dtype=np.int32), np.arange(40, dtype=np.int32)
    ((_, part),) = blend.trained_profiles(users).parts(None)
    indptr = np.array([0, 40, 80])
    columns = part.columns(indptr, np.tile(items, 2))
    found = extras(part, indptr, np.tile(items, 2), columns, facts_of(plays)).reshape(2, 40, -1)
    for user, row in enumerate(users):
        played = plays.indices[plays.indptr[row] : plays.indptr[row + 1]]
        for place, (name, model) in enumerate(blend.members.items()):
            listed = model.recommend([plays.user_ids[row]], 10, exclude=plays)
            for item in set(range(40)) - set(played.tolist()):
                score = columns.reshape(2, 40, 2)[user, item, place]
                better = (columns.reshape(2, 40, 2)[user, listed.rows[0], place] > score).sum()
                assert found[user, item, place] == pytest.approx((better + 1) / 10), name
        np.testing.assert_allclose(found[user, :, -1], np.log(1 + len(played)), rtol=1e-6)
        np.testing.assert_allclose(found[user, :, -2], items % 7, atol=1e-4)
        np.testing.assert_allclose(np.exp(found[user, :, -3]), (plays.listeners() + 1) / 61, rtol=1e-5)
    listed_by = table(columns, found.reshape(80, -1), np.arange(2))[:, 4]
    np.testing.assert_array_equal(listed_by, (found.reshape(80, -1)[:, :2] <= 1).sum(axis=1))
    # Without times nobody knows when an item was last played.
    assert np.isnan(facts_of(replace(plays, last_played=np.zeros(plays.pairs, np.uint32)))[:, 1]).all()


def test_what_is_hidden_does_not_show_in_what_trees_see(plays, monkeypatch):
    """Equal cuts give equal features, whatever is hidden; only the hits tell of it."""
    seen = []
    even = lambda evidence, models, *_: seen.append(evidence) or Weights.even(models)  # noqa: E731
    monkeypatch.setattr("crossfade.models.blend.learned", even)
    blend = Blend(models=("als", "popularity"), depth=10, ranker="trees")
    members = {name: model_class(name)().fit(plays) for name in ("als", "popularity")}
    for places in (0, 1):
        hidden = replace(plays, indices=np.roll(plays.indices, places), trusted=True) if places else plays
        blend.weigh(members, plays, hidden)
    one, other = seen
    np.testing.assert_array_equal(one.extras, other.extras)
    np.testing.assert_array_equal(one.columns, other.columns)
