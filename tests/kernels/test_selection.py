"""The k largest told apart, against sorting."""

import numpy as np
import pytest

from crossfade.kernels.selection import keep_largest, key_of, lay_out, score_of


@pytest.mark.parametrize("k", [1, 3, 50, 199, 200])
@pytest.mark.parametrize("kind", ["random", "equal", "few", "ascending", "descending"])
def test_the_best_come_out_best_first_and_ties_by_row(rng, kind, k):
    scores = {
        "random": rng.random(200),
        "equal": np.ones(200),
        "few": rng.integers(1, 4, 200) / 7,
        "ascending": np.arange(1, 201) / 9,
        "descending": np.arange(200, 0, -1) * 1e-30,
    }[kind].astype(np.float32)
    rows = rng.permutation(2**31 - 1 - np.arange(200))
    keys = np.array([key_of(score, row) for score, row in zip(scores, rows, strict=True)], dtype=np.uint64)
    order = np.lexsort((rows, -scores))[:k]
    found, best = np.empty(k, dtype=np.int32), np.empty(k, dtype=np.float32)
    if k < 200:
        kept = keys.copy()
        assert keep_largest(kept, 200, k) == scores[order[-1]]
        assert set(kept[:k]) == set(keys[order])
    lay_out(keys, 200, found, best)
    np.testing.assert_array_equal(found, rows[order])
    np.testing.assert_array_equal(best, scores[order])


def test_a_short_list_is_padded():
    keys = np.array([key_of(np.float32(0.5), 7), key_of(np.float32(0.25), 0), 0], dtype=np.uint64)
    rows, scores = np.zeros(4, dtype=np.int32), np.zeros(4, dtype=np.float32)
    lay_out(keys, 2, rows, scores)
    assert rows.tolist() == [7, 0, -1, -1]
    assert scores.tolist() == [0.5, 0.25, -np.inf, -np.inf]
    assert score_of(keys[0]) == 0.5
