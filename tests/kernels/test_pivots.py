"""Sixteen steps of a factorization against NumPy's in double precision."""

import numpy as np
import pytest

from crossfade.kernels.als.pivots import PANEL_FLOATS, eliminate_beside, factor_corner, solve_corner
from crossfade.kernels.compile import jit

WIDTH = 48


@jit
def _step(matrix, top, least, right, panel, answer):
    factor_corner(matrix, top * WIDTH + top, WIDTH, least, right, top, panel, answer)
    for left in range(top + 16, WIDTH, 16):
        eliminate_beside(matrix, top * WIDTH + left, WIDTH, panel, right, left)


@jit
def _solve(matrix, top, known, answer, x):
    solve_corner(matrix, top * WIDTH + top, WIDTH, known, answer, x, top)


def stepped(exact, right, least, top=0):
    """What a step leaves of a matrix, its right-hand side and the answer."""
    matrix, rest = exact.astype(np.float32), right.astype(np.float32)
    # Nothing may be read from below the diagonal, or from the rows above.
    matrix[np.tri(WIDTH, k=-1, dtype=bool)] = matrix[:top] = np.nan
    answer = np.full(WIDTH, 7.0, dtype=np.float32)
    bounds, panel = np.full(WIDTH, least, dtype=np.float32), np.zeros(PANEL_FLOATS, dtype=np.float32)
    _step(matrix, top, bounds, rest, panel, answer)
    return matrix, rest, answer


def definite(rng):
    vectors = rng.normal(size=(60, WIDTH))
    return vectors.T @ vectors + np.eye(WIDTH)


@pytest.mark.parametrize("top", [0, 16, 32])
def test_a_step_is_sixteen_rows_of_the_factorization(rng, top):
    exact, right = definite(rng), rng.normal(size=WIDTH)
    own, end = slice(top, WIDTH), top + 16
    upper = np.linalg.cholesky(exact[own, own]).T
    z = np.linalg.solve(upper.T, right[own])
    matrix, rest, answer = stepped(exact, right, 1e-3, top)
    corner = matrix[top:end, top:end]
    np.testing.assert_allclose(np.triu(corner, 1), np.triu(upper[:16, :16], 1), atol=2e-5)
    np.testing.assert_allclose(np.diag(corner), 1 / np.diag(upper)[:16], rtol=2e-5)
    np.testing.assert_allclose(matrix[top:end, end:], upper[:16, 16:], atol=2e-5)
    np.testing.assert_allclose(answer[top:end], z[:16], atol=2e-5)
    np.testing.assert_allclose(rest[end:], right[end:] - upper[:16, 16:].T @ z[:16], atol=2e-5)
    assert np.all(np.delete(answer, np.arange(top, end)) == 7.0)
    np.testing.assert_array_equal(np.triu(matrix[end:, end:]), np.triu(exact[end:, end:].astype(np.float32)))


def test_a_pivot_that_is_lost_leaves_all_else_alone(rng):
    exact, right = definite(rng), rng.normal(size=WIDTH)
    lost = 5
    # The row without what the rows above account for: nothing but rounding, here below zero.
    above = np.linalg.solve(exact[:lost, :lost], exact[:lost, lost])
    exact[lost, lost] = exact[:lost, lost] @ above - 1e-3
    matrix, rest, answer = stepped(exact, right, 0.25)
    others = np.delete(np.arange(WIDTH), lost)
    upper = np.linalg.cholesky(exact[np.ix_(others, others)]).T
    z = np.linalg.solve(upper.T, right[others])
    assert matrix[lost, lost] == 2.0  # 1 / √0.25
    assert not matrix[lost, lost + 1 :].any()
    np.testing.assert_allclose(answer[:16][others[:15]], z[:15], atol=5e-5)
    np.testing.assert_allclose(matrix[others[:15], 16:], upper[:15, 15:], atol=5e-5)
    # Its own right-hand side is met as if it stood alone, and those behind it never hear of it.
    np.testing.assert_allclose(rest[16:], right[16:] - upper[:15, 15:].T @ z[:15], atol=5e-5)


@pytest.mark.parametrize("top", [0, 32])
def test_back_substitution_solves_the_corner(rng, top):
    upper = np.triu(rng.normal(size=(16, 16)) / 4) + 2 * np.eye(16)
    expected, known = rng.normal(size=16), rng.normal(size=16)
    matrix, x = np.full((WIDTH, WIDTH), np.nan, dtype=np.float32), np.full(WIDTH, 7.0, dtype=np.float32)
    # The diagonal holds reciprocals; what is below it is not for reading.
    corner = np.where(np.tri(16, k=-1, dtype=bool), np.nan, upper)
    np.fill_diagonal(corner, 1 / np.diag(upper))
    matrix[top : top + 16, top : top + 16] = corner
    answer = np.full(WIDTH, np.nan, dtype=np.float32)
    answer[top : top + 16] = upper @ expected + known
    _solve(matrix, top, known.astype(np.float32), answer, x)
    np.testing.assert_allclose(x[top : top + 16], expected, atol=1e-5)
    assert np.all(np.delete(x, np.arange(top, top + 16)) == 7.0)
