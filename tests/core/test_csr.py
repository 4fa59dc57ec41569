"""Compressed rows, by hand."""

import numpy as np
import pytest

from crossfade.core.csr import CSR, distinct, gathered, starts_of


def test_lists_start_where_those_before_them_end():
    starts = starts_of([2, 0, 3])
    assert starts.tolist() == [0, 2, 2, 5]
    assert starts.dtype == np.int64
    assert starts_of([]).tolist() == [0]
    # Of what is kept, an indptr follows from how many were kept before each place.
    assert starts_of(np.array([True, False, False, True, True]))[starts].tolist() == [0, 1, 1, 3]


def test_lists_are_gathered_in_any_order_and_more_than_once():
    indptr = np.array([0, 2, 2, 5])
    starts, places = gathered(indptr, np.array([2, -1, 0, 1, 2], dtype=np.int32))
    assert starts.tolist() == [0, 3, 3, 5, 5, 8]
    assert places.tolist() == [2, 3, 4, 0, 1, 2, 3, 4]


def test_from_no_lists_only_missing_ones_can_be_gathered():
    starts, places = gathered(np.array([0]), np.array([-1, -1], dtype=np.int32))
    assert starts.tolist() == [0, 0, 0]
    assert places.tolist() == []


def test_rows_are_taken_and_cut():
    matrix = CSR(np.array([0, 2, 2, 5]), np.array([4, 1, 0, 2, 3], np.int32), np.array([9, 8, 7, 6, 5], np.float32))
    assert (matrix.rows, matrix.of(2)) == (3, slice(2, 5))
    taken = matrix.take(np.array([2, -1, 0], np.int32))
    assert [part.tolist() for part in taken] == [[0, 3, 3, 5], [0, 2, 3, 4, 1], [7, 6, 5, 9, 8]]
    assert [part.tolist() for part in matrix.first(1)] == [[0, 1, 1, 2], [4, 0], [9, 7]]
    assert [part.tolist() for part in matrix.first(3)] == [part.tolist() for part in matrix]


@pytest.mark.parametrize("columns", [5, 5000])
def test_distinct_indices_are_the_same_of_few_and_of_many(columns):
    used, places = distinct(np.array([4, 1, 1, 3], np.int32), columns)
    assert used.tolist() == [1, 3, 4]
    assert places.tolist() == [2, 0, 0, 1]
    assert used.dtype == places.dtype == np.int32
