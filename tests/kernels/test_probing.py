"""The search of chosen clusters against the readable oracle of top-k, and against what can be said by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossfade.kernels.search.oracle import all_scores, top_k
from crossfade.nearest.contract import Restriction
from crossfade.nearest.layout import best_of, laid_out


def floats(rng, *shape):
    return rng.standard_normal(shape).astype(np.float32)


def layout_of(items, nearest, clusters):
    return laid_out(items, np.zeros((clusters, items.shape[1]), np.float32), np.asarray(nearest, np.int32))


def excluding(lists):
    indptr = np.cumsum([0, *map(len, lists)]).astype(np.int64)
    return Restriction(indptr=indptr, indices=np.array([row for rows in lists for row in rows], dtype=np.int32))


def oracle(items, nearest, queries, probes, k, opened, excluded):
    """Exact search in which the items of other clusters are excluded too."""
    scores = all_scores(items, queries)
    elsewhere = [np.flatnonzero(~np.isin(nearest, asked)).tolist() for asked in probes]
    return top_k(scores, k, opened, [[*one, *other] for one, other in zip(excluded, elsewhere, strict=True)])


def test_a_case_by_hand():
    items = np.array([[1, 0], [3, 0], [0, 5], [3, 9], [-1, 0]], dtype=np.float32)
    layout = layout_of(items, [0, 1, 0, 1, 2], 3)
    asked = np.array([[1, 0], [0, 1]], dtype=np.float32)
    found = best_of(layout, asked, np.array([[1, 2], [0, 1]], np.int32), 3)
    # Along the first axis the items of clusters 1 and 2 score 3, 3 and -1; along the second those of 0 and 1 score
    # 0, 0, 5, 9. Equal scores by ascending row.
    assert found.rows.tolist() == [[1, 3, 4], [3, 2, 0]]
    assert found.scores.tolist() == [[3, 3, -1], [9, 5, 0]]


@settings(max_examples=60, deadline=None)
@given(data=st.data(), seed=st.integers(0, 2**32 - 1))
def test_it_agrees_with_the_oracle_on_ties_exclusions_and_closed_items(data, seed):
    rng = np.random.default_rng(seed)
    count, clusters = data.draw(st.integers(1, 300), "items"), data.draw(st.integers(1, 9), "clusters")
    k, factors = data.draw(st.sampled_from([1, 3, 20, 80]), "k"), data.draw(st.integers(1, 5), "factors")
    # Small whole numbers: every sum is exact, and most scores are shared by several items.
    items = rng.integers(-2, 3, (count, factors)).astype(np.float32)
    queries = rng.integers(-2, 3, (data.draw(st.integers(1, 20), "queries"), factors)).astype(np.float32)
    nearest = rng.integers(clusters, size=count)
    taken = data.draw(st.integers(1, clusters), "taken")
    probes = rng.permuted(np.tile(np.arange(clusters, dtype=np.int32), (len(queries), 1)), axis=1)[:, :taken]
    opened = rng.random(count) < data.draw(st.sampled_from([0.0, 0.5, 1.0]), "share open")
    excluded = [np.flatnonzero(rng.random(count) < 0.2).tolist() for _ in queries]
    layout = layout_of(items, nearest, clusters)
    found = best_of(layout, queries, probes, k, excluding(excluded), layout.closed_but(opened))
    truth = oracle(items, nearest, queries, probes, k, opened, excluded)
    np.testing.assert_array_equal(found.rows, truth[0])
    np.testing.assert_array_equal(found.scores, truth[1])


@pytest.mark.parametrize("k", [1, 30, 200])
def test_tables_that_are_cut_many_times_keep_the_best(rng, k):
    items, queries = floats(rng, 4000, 17), floats(rng, 37, 17)
    # Ever better items: every one of them reaches, so that tables fill up as often as they can.
    items[:, 0] = np.linspace(-8, 8, 4000)
    queries[::2, 0] = 4
    nearest = np.arange(4000) // 500
    probes = np.tile(np.arange(8, dtype=np.int32), (37, 1))
    found = best_of(layout_of(items, nearest, 8), queries, probes, k)
    truth = top_k(all_scores(items, queries), k, np.ones(4000, bool), [[]] * 37)
    np.testing.assert_array_equal(found.rows, truth[0])
    np.testing.assert_array_equal(found.scores, truth[1])


def test_scores_of_every_size_and_sign_are_ordered():
    """Keys must sort as numbers do: across zero, where minus zero equals zero, and down to the smallest."""
    column = np.array([-1e30, -2, -1, -1e-44, -0.0, 0.0, 1e-44, 1, 2, 1e30], dtype=np.float32)[:, None]
    found = best_of(layout_of(column, np.zeros(10), 1), np.ones((1, 1), np.float32), np.zeros((1, 1), np.int32), 10)
    assert found.rows.tolist() == [[9, 8, 7, 6, 4, 5, 3, 2, 1, 0]]
    np.testing.assert_array_equal(found.scores[0], column[found.rows[0], 0])
    # A product too small for a float32 is minus zero here, and no worse than zero.
    tiny = best_of(
        layout_of(np.array([[0], [-1e-30], [0]], np.float32), np.zeros(3), 1),
        np.full((1, 1), 1e-30, np.float32),
        np.zeros((1, 1), np.int32),
        3,
    )
    assert tiny.rows.tolist() == [[0, 1, 2]]


def test_the_answer_does_not_depend_on_what_is_asked_beside_it(rng):
    items, queries = floats(rng, 3000, 48), floats(rng, 21, 48)
    layout, probes = layout_of(items, rng.integers(30, size=3000), 30), np.tile(np.arange(12, dtype=np.int32), (21, 1))
    together = best_of(layout, queries, probes, 30)
    for query in range(21):
        alone = best_of(layout, queries[query : query + 1], probes[:1], 30)
        np.testing.assert_array_equal(together.rows[query], alone.rows[0])
        np.testing.assert_array_equal(together.scores[query], alone.scores[0])


def test_a_list_has_nothing_behind_the_items_of_its_clusters(rng):
    items = floats(rng, 5, 3)
    found = best_of(layout_of(items, np.zeros(5), 2), items[:1], np.array([[1, 0]], np.int32), 7)
    assert sorted(found.rows[0, :5].tolist()) == [0, 1, 2, 3, 4]
    assert found.rows[0, 5:].tolist() == [-1, -1]
    assert np.isneginf(found.scores[0, 5:]).all()
