"""Exact top-k against its readable oracle, and against what can be said by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossfade.kernels.search.oracle import all_scores, top_k, units
from crossfade.kernels.search.panels import lengths_of, packed, score_pairs, unit_vectors
from crossfade.kernels.search.scan import scan


def found(items, queries, k, *, unit=False, opened=None, excluded=None):
    """(rows, scores) of the kernel for lists of excluded rows."""
    excluded = excluded or [[] for _ in queries]
    indptr = np.cumsum([0, *map(len, excluded)]).astype(np.int64)
    indices = np.array([row for rows in excluded for row in sorted(rows)], dtype=np.int32)
    rows = np.full((len(queries), k), 99, dtype=np.int32)
    scores = np.full((len(queries), k), 99, dtype=np.float32)
    panels = packed(items, np.arange(len(items), dtype=np.int32), unit=unit)
    opened = np.ones(len(items), dtype=bool) if opened is None else opened
    scan(panels, len(items), queries, opened, indptr, indices, rows, scores)
    return rows, scores


def floats(rng, *shape):
    return rng.standard_normal(shape).astype(np.float32)


def test_a_case_by_hand():
    items = np.array([[1, 0], [3, 0], [0, 5], [3, 9], [-1, 0]], dtype=np.float32)
    rows, scores = found(items, np.array([[1, 0], [0, 1]], dtype=np.float32), 4)
    # Along the first axis 1, 3, 0, 3, -1; along the second 0, 0, 5, 9, 0. Equal scores by ascending row.
    assert rows.tolist() == [[1, 3, 0, 2], [3, 2, 0, 1]]
    assert scores.tolist() == [[3, 3, 1, 0], [9, 5, 0, 0]]


@pytest.mark.parametrize("unit", [False, True])
@pytest.mark.parametrize(
    ("items", "queries", "factors", "k"), [(1, 1, 1, 1), (16, 8, 3, 5), (17, 9, 16, 17), (700, 37, 40, 20)]
)
def test_the_kernel_agrees_with_the_oracle(rng, unit, items, queries, factors, k):
    vectors, asked = floats(rng, items, factors), floats(rng, queries, factors)
    rows, scores = found(vectors, asked, k, unit=unit)
    expected = top_k(all_scores(units(vectors) if unit else vectors, asked), k, np.ones(items, bool), [[]] * queries)
    np.testing.assert_array_equal(rows, expected[0])
    np.testing.assert_array_equal(scores, expected[1])


@settings(max_examples=60, deadline=None)
@given(data=st.data(), seed=st.integers(0, 2**32 - 1))
def test_ties_exclusions_and_closed_items_as_in_the_oracle(data, seed):
    rng = np.random.default_rng(seed)
    items, queries = data.draw(st.integers(1, 70), "items"), data.draw(st.integers(1, 20), "queries")
    k, factors = data.draw(st.integers(1, 75), "k"), data.draw(st.integers(1, 5), "factors")
    # Small whole numbers: every sum is exact, and most scores are shared by several items.
    vectors = rng.integers(-2, 3, (items, factors)).astype(np.float32)
    asked = rng.integers(-2, 3, (queries, factors)).astype(np.float32)
    opened = rng.random(items) < data.draw(st.sampled_from([0.0, 0.5, 1.0]), "share open")
    excluded = [np.flatnonzero(rng.random(items) < 0.3).tolist() for _ in range(queries)]
    k = min(k, items)
    rows, scores = found(vectors, asked, k, opened=opened, excluded=excluded)
    expected = top_k(asked @ vectors.T, k, opened, excluded)
    np.testing.assert_array_equal(rows, expected[0])
    np.testing.assert_array_equal(scores, expected[1])


def test_all_equal_scores_give_the_first_rows():
    rows, scores = found(np.zeros((100, 4), np.float32), np.ones((3, 4), np.float32), 7, excluded=[[0], [], [1, 2]])
    assert rows.tolist() == [[1, 2, 3, 4, 5, 6, 7], [0, 1, 2, 3, 4, 5, 6], [0, 3, 4, 5, 6, 7, 8]]
    assert not scores.any()


def test_the_last_panel_s_padding_is_never_given():
    rows, _ = found(np.full((17, 2), -1, np.float32), np.ones((1, 2), np.float32), 17)
    assert rows.tolist() == [list(range(17))]


def test_the_answer_does_not_depend_on_what_is_asked_beside_it(rng):
    items, asked = floats(rng, 3000, 48), floats(rng, 21, 48)
    together = found(items, asked, 30)
    for query in range(len(asked)):
        alone = found(items, asked[query : query + 1], 30)
        np.testing.assert_array_equal(together[0][query], alone[0][0])
        np.testing.assert_array_equal(together[1][query], alone[1][0])


def test_chunks_that_do_not_fit_the_cache_change_nothing(rng):
    # 1,100 items of 2,048 factors are 9 MB of panels: each chunk is two panels.
    items, asked = floats(rng, 1100, 2048), floats(rng, 9, 2048)
    rows, scores = found(items, asked, 10)
    expected = top_k(all_scores(items, asked), 10, np.ones(1100, bool), [[]] * 9)
    np.testing.assert_array_equal(rows, expected[0])
    np.testing.assert_array_equal(scores, expected[1])


@pytest.mark.parametrize("unit", [False, True])
def test_listed_items_have_the_scores_of_a_scan(rng, unit):
    items, asked = floats(rng, 90, 24), floats(rng, 5, 24)
    rows, scores = found(items, asked, 40, unit=unit)
    # Lists of 40, 17, 16, 1 and 0 items: whole panels, parts of one, and none.
    kept = np.arange(40) < np.array([[40], [17], [16], [1], [0]])
    indptr = np.concatenate(([0], np.cumsum(kept.sum(axis=1))))
    listed = np.full(int(kept.sum()), 7, dtype=np.float32)
    score_pairs(0, 2, items, unit, asked, indptr, rows[kept], listed)
    assert (listed[57:] == 7).all()
    score_pairs(2, 5, items, unit, asked, indptr, rows[kept], listed)
    np.testing.assert_array_equal(listed, scores[kept])


def test_packing_lays_the_chosen_rows_side_by_side():
    vectors = np.array([[1, 2], [3, 4], [0, 0]], dtype=np.float32)
    panels = packed(vectors, np.array([2, 1], dtype=np.int32), unit=True)
    assert panels.shape == (1, 2, 16)
    np.testing.assert_allclose(panels[0, :, :3], [[0, 0.6, 0], [0, 0.8, 0]], rtol=1e-7)


def test_lengths_and_units(rng):
    vectors = floats(rng, 20, 33)
    vectors[4] = 0
    np.testing.assert_allclose(lengths_of(vectors), np.linalg.norm(vectors.astype(np.float64), axis=1), rtol=1e-14)
    np.testing.assert_array_equal(unit_vectors(vectors), units(vectors))
    assert not unit_vectors(vectors)[4].any()
    assert np.isnan(lengths_of(np.array([[1, np.nan]], dtype=np.float32)))[0]
