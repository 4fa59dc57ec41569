"""The axes of the Gram matrix, and the preconditioned steps along them, against the readable oracle."""

import numpy as np
import pytest

from crossfade.core.csr import CSR
from crossfade.kernels import als, als_axes, als_oracle
from crossfade.kernels.lanes import aligned, padded


def spread_vectors(rng, rows, factors, reach=30.0):
    """Random vectors that are ``reach`` times as long along one axis as along another, none of them a coordinate."""
    basis = np.linalg.qr(rng.normal(size=(factors, factors)))[0]
    made = aligned(rows, padded(factors))
    made[:, :factors] = rng.normal(size=(rows, factors)) * np.geomspace(1.0, 1 / reach, factors) @ basis
    return made


def random_half(rng, rows, columns, longest):
    counts = rng.integers(longest, size=rows)
    return CSR(
        np.cumsum([0, *counts]).astype(np.int64),
        np.concatenate([np.sort(rng.choice(columns, count, False)) for count in counts]).astype(np.int32),
        rng.exponential(3.0, counts.sum()).astype(np.float32),
    )


def adversarial(rng, columns):
    """Empty, one entry, 100,000 entries, equal ids, weights of zero, an entry too few and too many for a group."""
    rows = [
        np.zeros(0),
        [3],
        rng.integers(columns, size=100_000),
        [5, 5, 5],
        [2],
        [1, 4, 6],
        np.arange(15),
        np.arange(16),
        np.arange(17),
        np.zeros(0),
    ]
    weights = rng.exponential(3.0, sum(map(len, rows))).astype(np.float32)
    weights[100_004] = weights[100_005] = 0.0
    return CSR(np.cumsum([0, *map(len, rows)]).astype(np.int64), np.concatenate(rows).astype(np.int32), weights)


@pytest.mark.parametrize("factors", [8, 40, 130, 512])
def test_turning_makes_the_gram_matrix_diagonal_and_keeps_every_inner_product(rng, factors):
    left, right = spread_vectors(rng, 1100, factors), spread_vectors(rng, 75, factors)
    before = left[:75].astype(np.float64) @ right.T
    gram = als.gram_matrix(left, 1)
    diagonal, _ = als.turned_to_axes(gram, left, right, threads=2)
    exact = left.astype(np.float64).T @ left
    assert np.count_nonzero(diagonal - np.diag(np.diag(diagonal))) == 0
    np.testing.assert_allclose(diagonal, exact, atol=1e-6 * exact.max())
    np.testing.assert_allclose(left[:75].astype(np.float64) @ right.T, before, atol=2e-6 * np.abs(before).max())
    assert not left[:, factors:].any()
    assert np.all(np.diff(np.diag(diagonal)[:factors]) <= 0)


def test_a_column_of_zeros_stays_where_it_is(rng):
    vectors = spread_vectors(rng, 50, 32)
    vectors[:, 7] = 0.0
    axes, spectrum = als_axes.principal_axes(als.gram_matrix(vectors, 1))
    assert spectrum[7] == 0.0
    np.testing.assert_array_equal(axes[7], np.eye(32)[7])
    np.testing.assert_array_equal(axes[:, 7], np.eye(32)[7])


def test_fewer_vectors_than_factors_have_axes_too(rng):
    vectors = spread_vectors(rng, 5, 48)
    _, spectrum = als_axes.principal_axes(als.gram_matrix(vectors, 1))
    assert np.all(spectrum >= 0.0)
    assert np.count_nonzero(spectrum > 1e-6 * spectrum.max()) == 5


@pytest.mark.parametrize("factors", [8, 16, 40, 64, 300, 512])
@pytest.mark.parametrize(("steps", "alpha", "counted"), [(1, 10.0, 0.0), (3, 0.0, 0.0), (3, 2.0, 1.0)])
def test_every_row_agrees_with_the_oracle(rng, factors, steps, alpha, counted):
    fixed = spread_vectors(rng, 200, factors)
    diagonal = np.zeros((fixed.shape[1], fixed.shape[1]))
    diagonal[:factors, :factors] = np.diag(np.geomspace(100.0, 0.1, factors))
    halves = [random_half(rng, 12, 200, 60)]
    if factors == 40:
        halves.append(adversarial(rng, 200))
    for half in halves:
        strengths = {
            "gram": diagonal,
            "penalties": rng.uniform(0.5, 2.0, half.rows),
            "alpha": alpha,
            "counted": counted,
        }
        start = spread_vectors(rng, half.rows, factors)
        solved = start.copy()
        expected = als_oracle.solve_rows(half, fixed, **strengths, steps=steps, start=start, conditioned=True)
        als.solve_rows(half, fixed, solved, **strengths, solver="pcg", steps=steps)
        # Steps are taken from the start, so that its length is a scale of their rounding too.
        scale = np.maximum(np.linalg.norm(expected, axis=1), np.linalg.norm(start, axis=1))
        assert np.all(np.linalg.norm(solved - expected, axis=1) <= 1e-4 * scale)
        assert not solved[np.diff(half.indptr) == 0].any()
        assert not solved[:, factors:].any()


def test_the_widest_vectors_agree_with_the_oracle(rng):
    fixed, half = spread_vectors(rng, 60, 2048), random_half(rng, 3, 60, 40)
    strengths = {"gram": np.diag(np.geomspace(100.0, 0.1, 2048)), "penalties": np.ones(3), "alpha": 2.0, "counted": 1.0}
    solved = aligned(3, 2048)
    expected = als_oracle.solve_rows(half, fixed, **strengths, steps=3, conditioned=True)
    als.solve_rows(half, fixed, solved, **strengths, solver="pcg", steps=3)
    np.testing.assert_allclose(solved, expected, atol=1e-4 * np.abs(expected).max())


def test_as_many_steps_as_entries_solve_exactly(rng):
    # But for four entries the matrix is the one that the steps are preconditioned by.
    fixed, solved = spread_vectors(rng, 300, 128), aligned(40, 128)
    half = CSR(np.arange(0, 161, 4), rng.integers(300, size=160).astype(np.int32), np.ones(160, dtype=np.float32))
    strengths = {"gram": np.diag(np.geomspace(1e3, 0.1, 128)), "penalties": np.geomspace(0.01, 1.0, 40)}
    als.solve_rows(half, fixed, solved, **strengths, alpha=2.0, counted=1.0, solver="pcg", steps=4)
    exact = als_oracle.solve_rows(half, fixed, **strengths, alpha=2.0, counted=1.0)
    np.testing.assert_allclose(solved, exact, atol=1e-4 * np.abs(exact).max())


def test_turned_rows_solve_the_equations_they_had_before(rng):
    fixed, half = spread_vectors(rng, 400, 96), random_half(rng, 40, 400, 60)
    gram, strengths = als.gram_matrix(fixed, 1), {"penalties": np.ones(40), "alpha": 4.0, "counted": 1.0}
    scores = fixed @ als_oracle.solve_rows(half, fixed, gram=gram, **strengths).T
    solved = aligned(40, 96)
    diagonal, _ = als.turned_to_axes(gram, fixed, solved, threads=1)
    als.solve_rows(half, fixed, solved, gram=diagonal, **strengths, solver="pcg", steps=200, tolerance=1e-6)
    np.testing.assert_allclose(fixed @ solved.T, scores, atol=1e-4 * np.abs(scores).max())


@pytest.mark.parametrize(("solver", "steps"), [("cholesky", None), ("pcg", 1), ("pcg", 4)])
@pytest.mark.parametrize(("factors", "held"), [(40, 3), (40, 39), (64, 0), (200, 137)])
def test_a_held_coordinate_stays_and_the_others_are_solved_beside_it(rng, factors, held, solver, steps):
    fixed, half = spread_vectors(rng, 200, factors), random_half(rng, 12, 200, 60)
    gram = 0.1 * (fixed.astype(np.float64).T @ fixed)
    if solver == "pcg":
        rest = np.arange(len(gram)) != held
        gram[np.ix_(rest, rest)] = np.diag(np.diag(gram)[rest])
    # A penalty above one too: the pivot of a held coordinate must not fall below it.
    strengths = {"gram": gram, "penalties": np.geomspace(0.5, 8.0, 12), "alpha": 2.0, "counted": 1.0}
    start = spread_vectors(rng, 12, factors)
    start[:, held] = rng.normal(size=12)
    solved = start.copy()
    expected = als_oracle.solve_rows(half, fixed, **strengths, steps=steps, start=start, conditioned=True, held=held)
    als.solve_rows(half, fixed, solved, **strengths, solver=solver, steps=steps or 0, held=held)
    scale = np.maximum(np.linalg.norm(expected, axis=1), np.linalg.norm(start, axis=1))
    assert np.all(np.linalg.norm(solved - expected, axis=1) <= 1e-4 * scale)
    np.testing.assert_allclose(solved[:, held], start[:, held], rtol=1e-6)


def test_turning_leaves_a_held_coordinate_and_can_be_undone(rng):
    left, right = spread_vectors(rng, 300, 24), spread_vectors(rng, 20, 24)
    before, gram = left.copy(), als.gram_matrix(left, 1)
    turned, axes = als.turned_to_axes(gram, left, right, threads=1, held=5)
    np.testing.assert_array_equal(left[:, 5], before[:, 5])
    np.testing.assert_allclose(turned, left.astype(np.float64).T @ left, atol=1e-5 * gram.max())
    als.turned_back(axes, left, right, threads=1)
    np.testing.assert_allclose(left, before, atol=1e-5 * np.abs(before).max())


def test_a_tolerance_ends_a_row_early(rng):
    fixed, half = spread_vectors(rng, 300, 64), random_half(rng, 20, 300, 60)
    strengths = {"gram": np.diag(np.geomspace(10, 0.1, 64)), "penalties": np.ones(20), "alpha": 5.0, "counted": 0.0}
    exact = als_oracle.solve_rows(half, fixed, **strengths)
    errors = []
    for tolerance in (1.0, 1e-6):
        solved = aligned(20, 64)
        als.solve_rows(half, fixed, solved, **strengths, solver="pcg", steps=64, tolerance=tolerance)
        errors.append(np.abs(solved - exact).max() / np.abs(exact).max())
    # A tolerance of one is met after the first step that shortens the residual at all.
    assert errors[0] > 1e-2
    assert errors[1] < 1e-3


def test_threads_do_not_change_a_byte(rng):
    half, results = random_half(rng, 700, 2500, 80), []
    start = spread_vectors(rng, 2500, 40)
    for threads in (1, 2, 5):
        fixed, solved = start.copy(), aligned(700, 48)
        diagonal, _ = als.turned_to_axes(als.gram_matrix(fixed, threads), fixed, solved, threads)
        als.solve_rows(
            half,
            fixed,
            solved,
            gram=diagonal,
            penalties=np.ones(700),
            alpha=10.0,
            counted=0.0,
            solver="pcg",
            steps=3,
            threads=threads,
        )
        results.append(fixed.tobytes() + solved.tobytes())
    assert len(set(results)) == 1
