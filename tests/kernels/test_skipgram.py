"""Skip-gram: pairs by hand, a step by its equation."""

import numpy as np
import pytest

from crossfade.kernels.lanes import aligned
from crossfade.kernels.skipgram import Corpus, Draws, place_pairs, train_block


def corpus(lists, parts, size, chances=None):
    return Corpus(
        indptr=np.cumsum([0, *map(len, lists)]).astype(np.int64),
        items=np.concatenate(lists).astype(np.int32),
        chances=np.full(parts * size, 2.0, dtype=np.float32) if chances is None else chances,
        drawn=np.arange(parts * size, dtype=np.int32).reshape(parts, size),
    )


def placed(corpus, draws, size, blocks):
    """The pairs by block, by a pass that counts and one that writes."""
    counts, nothing = np.zeros(blocks, dtype=np.int64), np.empty((0, 2), dtype=np.int32)
    arguments = 0, len(corpus.indptr) - 1, corpus, draws, size, np.uint64(7)
    place_pairs(*arguments, counts, nothing)
    pairs, starts = np.empty((counts.sum(), 2), dtype=np.int32), np.cumsum(counts) - counts
    place_pairs(*arguments, starts.copy(), pairs)
    return [
        list(map(tuple, pairs[start : start + count].tolist())) for start, count in zip(starts, counts, strict=True)
    ]


def test_pairs_lie_in_the_block_of_their_parts_in_their_order():
    found = placed(corpus([[0, 2, 1], [3, 0]], 2, 2), Draws(1, False, 1), 2, 4)
    # Items 0 and 1 are the first part, 2 and 3 the second; neighbours only.
    assert found == [[], [(0, 2), (1, 2), (0, 3)], [(2, 0), (2, 1), (3, 0)], []]


def test_what_is_passed_over_lets_those_around_it_meet():
    chances = np.array([2, 0, 2], dtype=np.float32)
    assert placed(corpus([[0, 1, 2]], 1, 3, chances), Draws(1, False, 1), 3, 1) == [[(0, 2), (2, 0)]]


def test_shrunk_windows_are_from_one_to_the_window():
    found = placed(corpus([np.arange(500)], 1, 500), Draws(4, True, 1), 500, 1)[0]
    apart = np.bincount([abs(one - other) for one, other in found])
    # At distance d are the pairs of windows d to 4: 1, 3/4, 1/2 and 1/4 of 1,000.
    assert len(apart) == 5
    np.testing.assert_allclose(apart[1:] / 1000, [1, 0.75, 0.5, 0.25], atol=0.06)


@pytest.mark.parametrize("negative", [0, 1])
def test_a_step_follows_its_equation(rng, negative):
    vectors, outputs = aligned(3, 16), aligned(3, 16)
    vectors[:], outputs[:] = rng.normal(size=(2, 3, 16))
    v, w = vectors[0].astype(float), outputs.astype(float)
    pairs, rate = np.array([[0, 1]], dtype=np.int32), np.float32(0.1)
    # The only item that is drawn is number 2.
    drawn = np.array([2], dtype=np.int32)
    train_block(0, 1, pairs, vectors.reshape(-1), outputs.reshape(-1), 16, drawn, negative, rate, np.uint64(1))
    toward, away = 0.1 * (1 - 1 / (1 + np.exp(-v @ w[1]))), -0.1 / (1 + np.exp(-v @ w[2])) * negative
    np.testing.assert_allclose(vectors[0], v + toward * w[1] + away * w[2], rtol=1e-5)
    np.testing.assert_allclose(outputs, w + np.outer([0, toward, away], v), rtol=1e-5)
