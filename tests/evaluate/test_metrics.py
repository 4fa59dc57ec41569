"""Metrics compared with fractions worked out by hand, and with what another library says of the same lists."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from crossfade.core.csr import CSR, starts_of
from crossfade.core.ids import MISSING
from crossfade.evaluate.metrics import (
    GROUPS,
    accuracy,
    beyond_accuracy,
    coverage,
    diversity,
    exposure_by_group,
    gini,
    miscalibration,
    popularity_groups,
    recall_by_group,
)

LOG3 = 1 / np.log2(3)


def lists(*rows):
    """The CSR of these lists of items."""
    return CSR(
        starts_of([len(row) for row in rows]),
        np.array([item for row in rows for item in row], np.int32),
        np.ones(sum(map(len, rows)), np.float32),
    )


@pytest.fixture
def hidden():
    """Of user 0 items 1, 3 and one that the model does not know; of user 1 item 0."""
    return lists([1, 3, MISSING], [0])


def test_accuracy_by_hand(hidden):
    found = accuracy(np.array([[3, 2, 1], [2, 0, MISSING]], np.int32), hidden, 3)
    # User 0: hits at ranks 1 and 3 of three possible; user 1: at rank 2 of one.
    expected = {
        "recall@3": [2 / 3, 1],
        "capped_recall@3": [2 / 3, 1],
        "precision@3": [2 / 3, 1 / 3],
        "ndcg@3": [(1 + 1 / 2) / (1 + LOG3 + 1 / 2), LOG3],
        "map@3": [(1 + 2 / 3) / 3, 1 / 2],
        "mrr@3": [1, 1 / 2],
        "hit_rate@3": [1, 1],
    }
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        assert found[name] == pytest.approx(values), name


def test_a_list_shorter_than_the_test_items_can_be_perfect(hidden):
    found = accuracy(np.array([[1], [0]], np.int32), hidden, 1)
    assert found.pop("recall@1") == pytest.approx([1 / 3, 1])
    assert all(values == pytest.approx([1, 1]) for values in found.values())


def test_lists_without_a_hit_score_nothing(hidden):
    found = accuracy(np.array([[2, 0], [MISSING, MISSING]], np.int32), hidden, 2)
    assert all(values.tolist() == [0, 0] for values in found.values())


RANX = {
    "recall": 0.24664141414141413,
    "precision": 0.26833333333333337,
    "ndcg": 0.2725589613741948,
    "map": 0.10916709971025447,
    "mrr": 0.45126984126984127,
    "hit_rate": 0.9833333333333333,
}
"""What ranx 0.3.21 says of the lists below."""


def test_another_library_says_the_same():
    users, k, items = 60, 10, range(40)

    def place(user, item):
        return (user * 31 + item * 17 + item * item * 7) % 101, item

    ranked = np.array([sorted(items, key=lambda item, user=user: place(user, item))[:k] for user in range(users)])
    hidden = lists(*([item for item in items if (user * 13 + item * 29) % 11 < 2 + user % 3] for user in range(users)))
    found = accuracy(ranked.astype(np.int32), hidden, k)
    counts = np.diff(hidden.indptr)
    assert set(counts) >= {6, 15}
    # Its average precision is divided by all test items, ours by those that a list has room for.
    found[f"map@{k}"] = found[f"map@{k}"] * np.minimum(counts, k) / counts
    for name, value in RANX.items():
        assert found[f"{name}@{k}"].mean() == pytest.approx(value, abs=1e-12), name


def test_whole_lists_by_hand():
    ranked = np.array([[0, 1], [0, MISSING]], np.int32)
    assert coverage(ranked, 4) == 0.5
    # Places 0, 0, 1, 2: Σ (2i - n - 1) x_i / (n Σ x) = (1 · 1 + 3 · 2) / (4 · 3).
    assert gini(ranked, 4) == pytest.approx(7 / 12)
    assert gini(np.array([[0], [1], [2]], np.int32), 3) == pytest.approx(0)


def test_beyond_accuracy_by_hand():
    # Of eight listeners two play item 0, those two and two more item 1, nobody item 2.
    listeners = csr_array(([1.0] * 6, ([0, 0, 1, 1, 1, 1], [0, 1, 0, 1, 2, 3])), shape=(3, 8))
    ranked = np.array([[0, 1], [0, 2], [2, MISSING], [MISSING, MISSING]], np.int32)
    found = beyond_accuracy(ranked, 2, listeners, lists([0], [0], [0], [0]))
    # 1/4, 1/2, and what nobody plays counts as played by one of eight.
    assert found["novelty@2"] == pytest.approx([(2 + 1) / 2, (2 + 3) / 2, 3, np.nan], nan_ok=True)
    assert found["arp@2"] == pytest.approx([(1 / 4 + 1 / 2) / 2, 1 / 8, 0, np.nan], nan_ok=True)
    # The cosine of items 0 and 1 is 2 / √(2 · 4).
    expected = [1 - 1 / np.sqrt(2), 1, np.nan, np.nan]
    assert found["diversity@2"] == pytest.approx(expected, nan_ok=True)


def test_diversity_is_that_of_the_pairs(rng):
    played = csr_array((rng.random((30, 50)) < 0.2).astype(float))
    ranked = np.stack([rng.permutation(30)[:6] for _ in range(20)]).astype(np.int32)
    dense = played.toarray() / np.linalg.norm(played.toarray(), axis=1, keepdims=True)
    expected = []
    for row in ranked:
        cosines = dense[row] @ dense[row].T
        expected.append(1 - (cosines.sum() - np.trace(cosines)) / (6 * 5))
    assert diversity(ranked, played) == pytest.approx(expected)


def test_diversity_of_many_users_is_that_of_every_so_manieth(monkeypatch, rng):
    played = csr_array((rng.random((30, 50)) < 0.2).astype(float))
    ranked = np.stack([rng.permutation(30)[:6] for _ in range(20)]).astype(np.int32)
    every = diversity(ranked, played)
    monkeypatch.setattr("crossfade.evaluate.metrics.DIVERSITY_USERS", 7)
    some = diversity(ranked, played)
    assert np.flatnonzero(np.isfinite(some)).tolist() == [0, 3, 6, 9, 12, 15, 18]
    assert some[::3] == pytest.approx(every[::3])


def test_each_group_has_a_tenth_of_the_plays():
    # Of 20 pairs an item has 10, ten others one each: the middle of the first is at 15, so it is in group 7.
    groups = popularity_groups(np.array([10] + [1] * 10))
    assert groups.tolist() == [7, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    assert popularity_groups(np.zeros(3, int)).tolist() == [0, 0, 0]


def test_calibration_by_hand():
    groups = np.array([0, 0, 9, 9], np.int8)
    history = lists([0, 2], [0, 1], [2], [])
    ranked = np.array([[1, 3], [2, 3], [2, 0], [1, 2]], np.int32)
    # Equal; nothing in common; (0, 1) against (1/2, 1/2), whose middle is (1/4, 3/4); no history.
    third = (np.log2(1 / (3 / 4)) + (1 / 2 * np.log2((1 / 2) / (1 / 4)) + 1 / 2 * np.log2((1 / 2) / (3 / 4)))) / 2
    assert miscalibration(ranked, groups, history) == pytest.approx([0, 1, third, np.nan], nan_ok=True)


def test_recall_and_exposure_of_groups_by_hand():
    groups = np.array([0, 0, 9, 9], np.int8)
    ranked = np.array([[0, 2], [3, MISSING]], np.int32)
    recalls = recall_by_group(ranked, lists([0, 1, MISSING, 2], [2]), groups)
    assert recalls.shape == (2, GROUPS)
    assert recalls[:, 0] == pytest.approx([1 / 3, np.nan], nan_ok=True)  # an unknown item is one that nobody plays
    assert recalls[:, 9].tolist() == [1, 0]
    assert np.isnan(recalls[:, 1:9]).all()
    assert exposure_by_group(ranked, groups)[[0, 9]] == pytest.approx([1 / 3, 2 / 3])
