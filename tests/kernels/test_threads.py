"""Work on several threads."""

import contextlib
import sys

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from crossfade.kernels import threads
from crossfade.kernels.threads import balanced, each, one_blas_thread


@pytest.mark.parametrize("threads", [1, 2, 7])
def test_every_piece_is_done_once(threads):
    done = []
    each(done.append, range(100), threads)
    assert sorted(done) == list(range(100))


@pytest.mark.parametrize("threads", [1, 3])
def test_an_error_in_a_thread_is_raised_and_ends_the_work(threads):
    done = []

    def work(piece):
        if piece == 5:
            raise ValueError("five")
        done.append(piece)

    with pytest.raises(ValueError, match="five"):
        each(work, range(10_000), threads)
    assert len(done) < 10_000


def test_ranges_cover_all_rows_and_cost_alike(rng):
    lengths = rng.integers(0, 40, 10_000)
    lengths[[7, 5000]] = 30_000
    indptr = np.concatenate(([0], np.cumsum(lengths)))
    ranges = balanced(indptr, 10)
    assert sorted(row for first, last in ranges for row in range(first, last)) == list(range(10_000))
    costs = [indptr[last] - indptr[first] + 10 * (last - first) for first, last in ranges]
    # The two heavy rows stand alone and come first; nothing else is as dear as an even share and one row more.
    assert sorted(ranges[:2]) == [(7, 8), (5000, 5001)]
    assert max(costs[2:]) <= (indptr[-1] + 10 * 10_000) / 256 + 50
    assert costs == sorted(costs, reverse=True)


def test_no_rows_are_no_work():
    assert balanced(np.zeros(1, dtype=np.int64), 10) == []


def test_blas_has_one_thread_until_all_who_asked_for_it_have_ended():
    def limits():
        return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}

    with threadpool_limits(3, user_api="blas"):
        with contextlib.ExitStack() as first, contextlib.ExitStack() as second:
            first.enter_context(one_blas_thread())
            second.enter_context(one_blas_thread())
            first.close()
            assert limits() == {1}
        assert limits() == {3}


def test_libraries_of_blas_are_looked_for_again_after_an_import(monkeypatch):
    looks = []
    monkeypatch.setattr(threads, "threadpool_limits", lambda *_, **options: looks.append(1) or threadpool_limits(1))
    with one_blas_thread(), one_blas_thread():
        assert len(looks) == 1
        monkeypatch.setitem(sys.modules, "just_imported", sys)
        with one_blas_thread():
            assert len(looks) == 2
    with one_blas_thread():
        assert len(looks) == 3
