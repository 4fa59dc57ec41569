"""Exact search with and without a sketch of the items: the same answers, and a sketch only where it pays."""

import dataclasses

import numpy as np
import pytest

from crossfade.core.ids import Ids
from crossfade.core.spaces import VectorSpace
from crossfade.kernels.search.sketch import CHUNK
from crossfade.nearest import exact
from crossfade.nearest.contract import Restriction
from crossfade.nearest.exact import ExactIndex


def space_of(vectors, users=None):
    return VectorSpace(
        model="als",
        kind="artist",
        metric="dot",
        item_ids=Ids.of(f"{row:05}" for row in range(len(vectors))),
        item_vectors=np.asarray(vectors, dtype=np.float32),
        user_ids=None if users is None else Ids.of(f"{row:05}" for row in range(len(users))),
        user_vectors=None if users is None else np.asarray(users, dtype=np.float32),
    )


def long_tailed(rng, items=5000, factors=20):
    return (rng.standard_normal((items, factors)) * rng.lognormal(0, 1, (items, 1))).astype(np.float32)


def both(space, metric):
    return [ExactIndex(space, metric, space.item_vectors, pruned=pruned) for pruned in (True, False)]


def assert_same(one, other):
    np.testing.assert_array_equal(one.rows, other.rows)
    np.testing.assert_array_equal(one.scores.view(np.int32), other.scores.view(np.int32))


@pytest.mark.parametrize("metric", ["dot", "cosine"])
@pytest.mark.parametrize("k", [1, 17, 600, 7000])
def test_a_sketch_changes_no_byte(rng, metric, k):
    space = space_of(long_tailed(rng))
    queries = rng.standard_normal((70, 20)).astype(np.float32)
    queries[3] = 0
    with_sketch, without = both(space, metric)
    lengths = rng.integers(0, 60, 70)
    own = Restriction(
        indptr=np.concatenate([[0], np.cumsum(lengths)]),
        indices=rng.integers(0, 5000, lengths.sum()).astype(np.int32),
        barred=np.arange(0, 5000, 7, dtype=np.int32),
    )
    few = Restriction(allowed=np.arange(0, 5000, 3, dtype=np.int32))
    for restriction in (Restriction(), own, few):
        expected = without.search(queries, k, restriction)
        for threads in (1, 2):
            assert_same(with_sketch.search(queries, k, restriction, threads=threads), expected)


def test_queries_that_are_given_up_are_answered_without_the_sketch(rng):
    # All items are alike in all but one coordinate: nothing can be told by bytes, nor by lengths.
    vectors = np.ones((4000, 8), dtype=np.float32)
    vectors[:, 0] += rng.random(4000).astype(np.float32) * 1e-4
    with_sketch, without = both(space_of(vectors), "dot")
    queries = np.concatenate([np.eye(8), rng.standard_normal((30, 8))]).astype(np.float32)
    lengths = rng.integers(0, 9, len(queries))
    restriction = Restriction(
        indptr=np.concatenate([[0], np.cumsum(lengths)]), indices=rng.integers(0, 4000, lengths.sum()).astype(np.int32)
    )
    assert with_sketch._packed is None
    assert_same(with_sketch.search(queries, 5, restriction), without.search(queries, 5, restriction))
    assert with_sketch._packed is not None


def test_a_sketch_is_made_where_it_pays(rng, monkeypatch):
    # As on a processor that multiplies bytes, whichever this one is.
    monkeypatch.setattr(exact, "BYTE_COST", 0.4)

    def has_sketch(vectors, users=None, metric="dot"):
        return ExactIndex.build(space_of(vectors, users), metric).pruned

    assert has_sketch(long_tailed(rng, 20_000))
    assert not has_sketch(long_tailed(rng, CHUNK))
    # Equal items cannot be told apart by any bound.
    assert not has_sketch(np.ones((20_000, 20)))
    assert not has_sketch(np.zeros((20_000, 20)))
    # What users ask decides, not what items would: here they ask along an axis on which all items are equal.
    vectors = long_tailed(rng, 20_000)
    vectors[:, 0] = 1
    assert has_sketch(vectors, rng.standard_normal((500, 20)))
    assert not has_sketch(vectors, np.eye(1, 20).repeat(500, axis=0))


def test_users_without_usable_vectors_do_not_spoil_the_items(rng):
    space = space_of(long_tailed(rng, 20_000), np.ones((70, 20)))
    broken = dataclasses.replace(space, user_vectors=np.full((70, 20), np.nan))  # with its id, as a loaded one has
    index = ExactIndex.build(broken, "dot")
    assert (index.search(np.ones((1, 20), dtype=np.float32), 3).rows >= 0).all()


def test_the_last_block_and_the_first_are_answered_alike(rng, monkeypatch):
    space = space_of(long_tailed(rng))
    queries = rng.standard_normal((45, 20)).astype(np.float32)
    expected = ExactIndex(space, "dot", space.item_vectors, pruned=True).search(queries, 9)
    monkeypatch.setattr(exact, "BLOCK", 8)
    for pruned in (True, False):
        assert_same(ExactIndex(space, "dot", space.item_vectors, pruned=pruned).search(queries, 9), expected)
