"""The kernels of alternating least squares against the readable oracle."""

import numpy as np
import pytest

from crossfade.core.csr import CSR
from crossfade.kernels import als, als_oracle
from crossfade.kernels.lanes import aligned, padded
from crossfade.kernels.transposing import transposed

# Each solver with what the oracle has to do for it.
SOLVERS = [("cholesky", None), ("cg", 3), ("cg", 1)]


def half_of(rows):
    """Compressed rows from lists of (index, weight)."""
    return CSR(
        np.cumsum([0, *(len(row) for row in rows)]).astype(np.int64),
        np.array([index for row in rows for index, _ in row], dtype=np.int32),
        np.array([weight for row in rows for _, weight in row], dtype=np.float32),
    )


def random_half(rng, rows, columns, longest):
    return half_of(
        [
            [(index, rng.exponential(3.0)) for index in np.sort(rng.choice(columns, rng.integers(longest), False))]
            for _ in range(rows)
        ]
    )


def vectors(rng, rows, factors):
    """Random vectors, padded as kernels want them."""
    made = aligned(rows, padded(factors))
    made[:, :factors] = rng.normal(0.0, 1 / np.sqrt(factors), (rows, factors))
    return made


def adversarial(rng, columns):
    """Rows that break careless kernels; the heaviest asks for its own vectors ahead of time."""
    return half_of(
        [
            [],
            [(3, 2.0)],
            [(int(index), 1.0) for index in rng.integers(columns, size=3000)],
            [(5, 1.0), (5, 1.0), (5, 2.0)],
            [(2, 0.0)],
            [(1, 0.0), (4, 1.0), (6, 0.0)],
            [(index, 1e-6) for index in range(8)],
            [(index, 50.0) for index in range(9)],
            [(index, 1.0) for index in range(33)],
            [],
        ]
    )


@pytest.mark.parametrize("factors", [8, 16, 40, 64, 112, 300])
@pytest.mark.parametrize(("solver", "steps"), SOLVERS)
@pytest.mark.parametrize(("alpha", "counted"), [(10.0, 0.0), (0.0, 0.0), (2.0, 1.0)])
def test_every_row_agrees_with_the_oracle(rng, factors, solver, steps, alpha, counted):
    fixed = vectors(rng, 200, factors)
    gram = 0.7 * (fixed.astype(np.float64).T @ fixed)
    for half in (random_half(rng, 12, 200, 60), adversarial(rng, 200)):
        penalties = rng.uniform(0.5, 2.0, half.rows)
        start = vectors(rng, half.rows, factors)
        solved = start.copy()
        strengths = {"gram": gram, "penalties": penalties, "alpha": alpha, "counted": counted}
        expected = als_oracle.solve_rows(half, fixed, **strengths, steps=steps, start=start)
        als.solve_rows(half, fixed, solved, **strengths, solver=solver, steps=steps or 0)
        # Steps are taken from the start, so that its length is a scale of their rounding too.
        scale = np.maximum(np.linalg.norm(expected, axis=1), np.linalg.norm(start, axis=1) * (steps is not None))
        assert np.all(np.linalg.norm(solved - expected, axis=1) <= 1e-4 * scale)


@pytest.mark.parametrize("solver", ["cg", "pcg", "cholesky"])
def test_a_row_of_a_hundred_thousand_entries_agrees_with_the_oracle(rng, solver):
    # Among short rows before and after it, and with entries that stand twice or weigh nothing.
    fixed = vectors(rng, 100_000, 40)
    gram = fixed.astype(np.float64).T @ fixed
    if solver == "pcg":
        gram, _ = als.turned_to_axes(gram, fixed, aligned(1, fixed.shape[1]), 1)
    heavy = [(index, float(index % 3)) for index in range(100_000)]
    half = half_of([[(4, 1.0)], [*heavy, (7, 1.0), (7, 1.0)], [(99_999, 2.0), (0, 1.0)]])
    start = vectors(rng, half.rows, 40)
    solved = start.copy()
    strengths = {"gram": gram, "penalties": np.ones(half.rows), "alpha": 2.0, "counted": 1.0}
    steps = None if solver == "cholesky" else 3
    expected = als_oracle.solve_rows(half, fixed, **strengths, steps=steps, start=start, conditioned=solver == "pcg")
    als.solve_rows(half, fixed, solved, **strengths, solver=solver, steps=steps or 0)
    scale = np.maximum(np.linalg.norm(expected, axis=1), np.linalg.norm(start, axis=1) * (steps is not None))
    assert np.all(np.linalg.norm(solved - expected, axis=1) <= 1e-4 * scale)


def test_a_row_without_entries_becomes_zero(rng):
    fixed = vectors(rng, 20, 16)
    for solver in ("cg", "cholesky"):
        solved = vectors(rng, 2, 16)
        als.solve_rows(
            half_of([[], [(0, 1.0)]]),
            fixed,
            solved,
            gram=np.eye(16),
            penalties=np.ones(2),
            alpha=1.0,
            counted=0.0,
            solver=solver,
            steps=3,
        )
        assert not solved[0].any()
        assert solved[1].any()


def test_padding_stays_zero(rng):
    fixed, half = vectors(rng, 200, 40), random_half(rng, 30, 200, 40)
    gram = als.gram_matrix(fixed, 1)
    for solver in ("cg", "cholesky"):
        solved = vectors(rng, half.rows, 40)
        als.solve_rows(
            half, fixed, solved, gram=gram, penalties=np.ones(half.rows), alpha=1.0, counted=0.0, solver=solver, steps=3
        )
        assert not solved[:, 40:].any()


def test_as_many_steps_as_factors_solve_exactly(rng):
    fixed, half = vectors(rng, 300, 16), random_half(rng, 40, 300, 60)
    results = []
    for solver in ("cg", "cholesky"):
        solved = aligned(half.rows, 16)
        als.solve_rows(
            half,
            fixed,
            solved,
            gram=fixed.astype(np.float64).T @ fixed,
            penalties=np.ones(half.rows),
            alpha=1.0,
            counted=0.0,
            solver=solver,
            steps=16,
        )
        results.append(solved)
    np.testing.assert_allclose(results[0], results[1], atol=1e-4 * np.abs(results[1]).max())


def test_a_tolerance_ends_a_row_early(rng):
    fixed, half = vectors(rng, 300, 64), random_half(rng, 20, 300, 60)
    gram = fixed.astype(np.float64).T @ fixed
    strengths = {"gram": gram, "penalties": np.ones(half.rows), "alpha": 5.0, "counted": 0.0}
    solved = {}
    for tolerance, steps in ((0.0, 1), (1.0, 64), (1e-6, 64)):
        solved[tolerance] = aligned(half.rows, 64)
        als.solve_rows(half, fixed, solved[tolerance], **strengths, solver="cg", steps=steps, tolerance=tolerance)
    exact = als_oracle.solve_rows(half, fixed, **strengths)
    # A tolerance of one is met after the first step that shortens the residual at all.
    assert np.abs(solved[1e-6] - exact).max() < 1e-4
    assert np.abs(solved[1.0] - exact).max() > 1e-2


@pytest.mark.parametrize("solver", ["cg", "cholesky"])
def test_threads_do_not_change_a_byte(rng, solver):
    fixed, half = vectors(rng, 400, 40), random_half(rng, 700, 400, 80)
    results = []
    for threads in (1, 2, 5):
        solved = aligned(half.rows, 48)
        als.solve_rows(
            half,
            fixed,
            solved,
            gram=als.gram_matrix(fixed, threads),
            penalties=np.ones(half.rows),
            alpha=10.0,
            counted=0.0,
            solver=solver,
            steps=3,
            threads=threads,
        )
        results.append(solved.tobytes())
    assert len(set(results)) == 1


def test_a_row_does_not_depend_on_its_neighbours(rng):
    fixed, half = vectors(rng, 400, 64), random_half(rng, 60, 400, 80)
    strengths = {"gram": als.gram_matrix(fixed, 1), "alpha": 10.0, "counted": 0.0, "steps": 3}
    together = aligned(half.rows, 64)
    als.solve_rows(half, fixed, together, penalties=np.ones(half.rows), solver="cg", **strengths)
    for row in (0, 31, 59):
        span = slice(half.indptr[row], half.indptr[row + 1])
        single = CSR(np.array([0, span.stop - span.start]), half.indices[span], half.values[span])
        alone = aligned(1, 64)
        als.solve_rows(single, fixed, alone, penalties=np.ones(1), solver="cg", **strengths)
        assert alone[0].tobytes() == together[row].tobytes()


def test_an_indefinite_remainder_does_not_become_nan(rng):
    # Sixteen vectors that are all but one, so that float32 loses every pivot after the first.
    fixed = aligned(64, 16)
    fixed[:] = 1.0
    half, solved = half_of([[(index, 1e6) for index in range(64)]]), aligned(1, 16)
    als.solve_rows(
        half,
        fixed,
        solved,
        gram=np.zeros((16, 16)),
        penalties=np.array([1e-9]),
        alpha=1.0,
        counted=0.0,
        solver="cholesky",
        steps=0,
    )
    assert np.isfinite(solved).all()


@pytest.mark.parametrize(("rows", "factors"), [(0, 16), (1, 16), (5000, 40), (9001, 64)])
def test_the_gram_matrix_is_that_of_numpy_on_any_number_of_threads(rng, rows, factors):
    made = vectors(rng, rows, factors)
    gram = als.gram_matrix(made, 1)
    exact = made.astype(np.float64)
    np.testing.assert_allclose(gram, exact.T @ exact, rtol=0, atol=1e-5 * max(1.0, rows / factors))
    assert gram.tobytes() == als.gram_matrix(made, 3).tobytes()
    np.testing.assert_array_equal(gram, gram.T)


def test_the_loss_of_the_entries_is_their_sum_by_hand(rng):
    rows, columns = vectors(rng, 9, 24), vectors(rng, 40, 24)
    half = random_half(rng, 9, 40, 12)
    half.values[::5] = 0.0
    expected = 0.0
    for row in range(9):
        for entry in range(half.indptr[row], half.indptr[row + 1]):
            if half.values[entry] > 0:
                score = float(rows[row].astype(np.float64) @ columns[half.indices[entry]])
                confidence = 1 + 3.0 * float(half.values[entry])
                # Played pairs cost c (1 - s)²; the sum over all pairs has already charged s².
                expected += confidence * (1 - score) ** 2 - score**2
    measured = als.loss_of_entries(half, rows, columns, alpha=3.0, counted=0.0, threads=2)
    assert measured == pytest.approx(expected, rel=1e-5)


def test_transposing_is_what_scipy_does(rng):
    from scipy.sparse import csr_array

    half = random_half(rng, 30, 50, 20)
    other = transposed(half, 50)
    expected = csr_array((half.values, half.indices, half.indptr), shape=(30, 50)).T.tocsr()
    expected.sort_indices()
    np.testing.assert_array_equal(other.indptr, expected.indptr)
    np.testing.assert_array_equal(other.indices, expected.indices)
    np.testing.assert_array_equal(other.values, expected.data)


def test_what_is_memory_mapped_can_be_solved(rng, tmp_path):
    half, fixed = random_half(rng, 10, 30, 12), vectors(rng, 30, 16)
    mapped = []
    for name, array in zip(CSR._fields, half, strict=True):
        np.save(tmp_path / f"{name}.npy", array)
        mapped.append(np.load(tmp_path / f"{name}.npy", mmap_mode="r"))
    results = []
    for rows in (half, CSR(*mapped)):
        solved = aligned(10, 16)
        als.solve_rows(
            rows, fixed, solved, gram=np.eye(16), penalties=np.ones(10), alpha=1.0, counted=0.0, solver="cg", steps=3
        )
        results.append((solved.tobytes(), transposed(rows, 30).values.tobytes()))
    assert results[0] == results[1]
