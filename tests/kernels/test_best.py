"""The k best told apart, against sorting."""

import itertools

import numpy as np
import pytest

from crossfade.kernels.search.best import LEAST_ROOM, contains, gained, keep_largest, key_of, lay_out, room, score_of

NOTHING = np.zeros(0, dtype=np.int32)


def keys_of(scores, rows):
    return np.array([key_of(np.float32(score), row) for score, row in zip(scores, rows, strict=True)], dtype=np.int64)


@pytest.mark.parametrize("k", [1, 3, 50, 199, 200])
@pytest.mark.parametrize("kind", ["random", "signed", "equal", "few", "ascending", "descending"])
def test_the_best_come_out_best_first_and_ties_by_row(rng, kind, k):
    scores = {
        "random": rng.random(200),
        "signed": rng.normal(size=200) * 10.0 ** rng.integers(-30, 30, 200),
        "equal": np.ones(200),
        "few": rng.integers(-3, 4, 200) / 7,
        "ascending": np.arange(1, 201) / 9,
        "descending": np.arange(200, 0, -1) * 1e-30,
    }[kind].astype(np.float32)
    rows = rng.permutation(2**31 - 1 - np.arange(200))
    keys = keys_of(scores, rows)
    order = np.lexsort((rows, -scores))[:k]
    found, best = np.empty(k, dtype=np.int32), np.empty(k, dtype=np.float32)
    kept = keys.copy()
    assert keep_largest(kept, 200, k) == scores[order[-1]]
    assert set(kept[:k]) == set(keys[order])
    lay_out(keys, 200, k, NOTHING, found, best)
    np.testing.assert_array_equal(found, rows[order])
    np.testing.assert_array_equal(best, scores[order])


def test_hits_gain_by_their_places(rng):
    lengths = rng.integers(0, 40, 50)
    indptr = np.concatenate([[0], np.cumsum(lengths)])
    scores = rng.integers(0, 9, indptr[-1]).astype(np.float32)
    hits = rng.random(len(scores)) < 0.2
    gains = rng.random(7)
    wanted = []
    for first, last in itertools.pairwise(indptr):
        order = np.argsort(-scores[first:last], kind="stable")[: len(gains)]
        wanted.append(gains[: len(order)] @ hits[first:last][order])
    np.testing.assert_allclose(gained(indptr, scores, hits, gains), wanted)


def test_keys_order_as_scores_do_across_zero():
    scores = [-np.inf, -1e30, -2.0, -1e-44, 0.0, 1e-44, 1.0, 1e30]
    keys = keys_of(scores, [3] * len(scores))
    assert list(keys) == sorted(set(keys))
    assert [score_of(key) for key in keys] == [np.float32(score) for score in scores]
    # Minus zero equals zero, so the lower row comes first.
    assert keys_of([-0.0], [1])[0] > keys_of([0.0], [2])[0] > keys_of([-0.0], [3])[0]


def test_excluded_items_are_left_out_and_a_short_list_is_padded():
    keys = keys_of([0.5, 0.25, 0.75, 0.125], [7, 0, 4, 9])
    rows, scores = np.zeros(3, dtype=np.int32), np.zeros(3, dtype=np.float32)
    lay_out(keys, 4, 5, np.array([1, 4], dtype=np.int32), rows, scores)
    assert rows.tolist() == [7, 0, 9]
    lay_out(keys, 2, 3, NOTHING, rows, scores)
    assert rows.tolist() == [7, 0, -1]
    assert scores.tolist() == [0.5, 0.25, -np.inf]


def test_a_table_has_room_for_sixteen_more_before_it_is_cut():
    assert room(7) == 7 + LEAST_ROOM + 16
    assert room(200) == 200 + 200 + 16


def test_membership_is_that_of_a_set(rng):
    rows = np.unique(rng.integers(100, size=40)).astype(np.int32)
    assert [row for row in range(-1, 101) if contains(rows, row)] == rows.tolist()
    assert not contains(NOTHING, 0)
