"""The half-step of alternating least squares by every solver, against the readable oracle."""

import numpy as np
import pytest

from crossfade.core.csr import CSR, starts_of
from crossfade.kernels.als import oracle
from crossfade.kernels.als.axes import Axes, principal_axes, turn
from crossfade.kernels.als.half_step import FixedSide, gram_matrix, half_step, loss_of_entries
from crossfade.kernels.als.narrow import WIDEST
from crossfade.kernels.lanes import aligned, padded
from crossfade.kernels.transposing import transposed

# Each solver with the steps that the oracle has to take for it; None solves exactly.
SOLVERS = [("cholesky", None), ("cg", 3), ("cg", 1), ("pcg", 3), ("pcg", 1)]


def solve(rows, fixed, solved, *, gram, solver, frozen=-1, threads=1, **numbers):
    """`half_step` against all of ``fixed`` as it lies; for solver "pcg", ``gram`` is diagonal except for ``frozen``."""
    if solver == "pcg":
        narrow = frozen < 0 and fixed.shape[1] <= WIDEST
        side = FixedSide("pcg", fixed, gram, None, Axes.along(gram) if narrow else None, frozen)
    else:
        side = FixedSide.of(fixed, gram, solver, frozen=frozen, threads=threads)
    half_step(rows, side, solved, threads=threads, **numbers)


def rows_of(rows):
    """Compressed rows from lists of (index, weight)."""
    return CSR(
        starts_of([len(row) for row in rows]),
        np.array([index for row in rows for index, _ in row], dtype=np.int32),
        np.array([weight for row in rows for _, weight in row], dtype=np.float32),
    )


def random_rows(rng, rows, columns, longest):
    counts = rng.integers(longest, size=rows)
    return CSR(
        starts_of(counts),
        np.concatenate([np.sort(rng.choice(columns, count, False)) for count in counts]).astype(np.int32),
        rng.exponential(3.0, counts.sum()).astype(np.float32),
    )


def vectors(rng, rows, factors, reach=1.0):
    """Random vectors, padded as kernels want them, ``reach`` times as long along one axis as along another."""
    basis = np.linalg.qr(rng.normal(size=(factors, factors)))[0]
    made = aligned(rows, padded(factors))
    made[:, :factors] = rng.normal(size=(rows, factors)) * np.geomspace(1.0, 1 / reach, factors) @ basis
    made /= np.sqrt(factors)
    return made


def gram_for(solver, fixed, factors):
    """A Gram matrix that ``solver`` accepts, of a size that is like the vectors'."""
    gram = 0.7 * (fixed.astype(np.float64).T @ fixed)
    if solver == "pcg":
        gram[:] = 0.0
        gram[:factors, :factors] = np.diag(np.geomspace(10.0, 0.1, factors))
    return gram


def adversarial(rng, columns):
    """Rows that break careless kernels, with an entry too few and too many for a group, and duplicate ids."""
    return rows_of(
        [
            [],
            [(3, 2.0)],
            [(int(index), 1.0) for index in rng.integers(columns, size=1500)],
            [(5, 1.0), (5, 1.0), (5, 2.0)],
            [(2, 0.0)],
            [(1, 0.0), (4, 1.0), (6, 0.0)],
            [(index, 1e-6) for index in range(8)],
            [(index, 50.0) for index in range(9)],
            *([(index, 1.0) for index in range(count)] for count in (15, 16, 17, 33)),
            [],
        ]
    )


def assert_close(solved, expected, start=None):
    """Each row to 1e-4 of its length, or of that of its start where steps are taken from there."""
    scale = np.linalg.norm(expected, axis=1)
    if start is not None:
        scale = np.maximum(scale, np.linalg.norm(start, axis=1))
    assert np.all(np.linalg.norm(solved - expected, axis=1) <= 1e-4 * scale)


@pytest.mark.parametrize("factors", [8, 16, 40, 64, 112, 300])
@pytest.mark.parametrize(("solver", "steps"), SOLVERS)
@pytest.mark.parametrize(("alpha", "counted"), [(10.0, 0.0), (0.0, 0.0), (2.0, 1.0)])
def test_every_row_agrees_with_the_oracle(rng, factors, solver, steps, alpha, counted):
    fixed = vectors(rng, 200, factors)
    gram = gram_for(solver, fixed, factors)
    for rows in (random_rows(rng, 12, 200, 60), adversarial(rng, 200)):
        start = vectors(rng, rows.rows, factors)
        solved = start.copy()
        numbers = {"penalties": rng.uniform(0.5, 2.0, rows.rows), "alpha": alpha, "counted": counted}
        expected = oracle.solve_rows(
            rows, fixed, gram=gram, **numbers, steps=steps, start=start, conditioned=solver == "pcg"
        )
        solve(rows, fixed, solved, gram=gram, solver=solver, **numbers, steps=steps or 0)
        assert_close(solved, expected, None if steps is None else start)
        assert not solved[np.diff(rows.indptr) == 0].any()
        assert not solved[:, factors:].any()


@pytest.mark.slow
def test_the_widest_vectors_agree_with_the_oracle(rng):
    fixed, rows = vectors(rng, 60, 2048, 30.0), random_rows(rng, 3, 60, 40)
    numbers = {"gram": np.diag(np.geomspace(100.0, 0.1, 2048)), "penalties": np.ones(3), "alpha": 2.0, "counted": 1.0}
    solved = aligned(3, 2048)
    expected = oracle.solve_rows(rows, fixed, **numbers, steps=3, conditioned=True)
    solve(rows, fixed, solved, **numbers, solver="pcg", steps=3)
    assert_close(solved, expected)


@pytest.mark.parametrize("solver", ["cg", "pcg", "cholesky"])
def test_a_row_of_a_hundred_thousand_entries_agrees_with_the_oracle(rng, solver):
    # Among short rows before and after it, and with entries that are listed twice or weigh nothing.
    fixed = vectors(rng, 100_000, 40)
    gram = gram_for(solver, fixed, 40)
    heavy = [(index, float(index % 3)) for index in range(100_000)]
    rows = rows_of([[(4, 1.0)], [*heavy, (7, 1.0), (7, 1.0)], [(99_999, 2.0), (0, 1.0)]])
    start = vectors(rng, rows.rows, 40)
    solved = start.copy()
    numbers = {"gram": gram, "penalties": np.ones(rows.rows), "alpha": 2.0, "counted": 1.0}
    steps = None if solver == "cholesky" else 3
    expected = oracle.solve_rows(rows, fixed, **numbers, steps=steps, start=start, conditioned=solver == "pcg")
    solve(rows, fixed, solved, **numbers, solver=solver, steps=steps or 0)
    assert_close(solved, expected, None if steps is None else start)


@pytest.mark.parametrize(("solver", "steps"), [("cholesky", None), ("pcg", 1), ("pcg", 4)])
@pytest.mark.parametrize(("factors", "frozen"), [(40, 3), (40, 39), (64, 0), (200, 137)])
def test_a_frozen_coordinate_stays_and_the_others_are_solved_beside_it(rng, factors, frozen, solver, steps):
    fixed, rows = vectors(rng, 200, factors, 30.0), random_rows(rng, 12, 200, 60)
    gram = 0.1 * (fixed.astype(np.float64).T @ fixed)
    if solver == "pcg":
        rest = np.arange(len(gram)) != frozen
        gram[np.ix_(rest, rest)] = np.diag(np.diag(gram)[rest])
    # Penalties above one too: the pivot of a frozen coordinate must not fall below them.
    numbers = {"gram": gram, "penalties": np.geomspace(0.5, 8.0, 12), "alpha": 2.0, "counted": 1.0}
    start = vectors(rng, 12, factors)
    start[:, frozen] = rng.normal(size=12)
    solved = start.copy()
    expected = oracle.solve_rows(rows, fixed, **numbers, steps=steps, start=start, conditioned=True, frozen=frozen)
    solve(rows, fixed, solved, **numbers, solver=solver, steps=steps or 0, frozen=frozen)
    assert_close(solved, expected, start)
    np.testing.assert_array_equal(solved[:, frozen], start[:, frozen])


def test_as_many_steps_as_factors_solve_exactly(rng):
    fixed, rows = vectors(rng, 300, 16), random_rows(rng, 40, 300, 60)
    numbers = {"gram": gram_matrix(fixed, 1), "penalties": np.ones(rows.rows), "alpha": 1.0, "counted": 0.0}
    solved = aligned(rows.rows, 16)
    solve(rows, fixed, solved, **numbers, solver="cg", steps=16)
    assert_close(solved, oracle.solve_rows(rows, fixed, **numbers))


def test_as_many_preconditioned_steps_as_entries_solve_exactly(rng):
    # Except for four entries, the matrix is the one that the steps are preconditioned by.
    fixed, solved = vectors(rng, 300, 128, 30.0), aligned(40, 128)
    rows = CSR(np.arange(0, 161, 4), rng.integers(300, size=160).astype(np.int32), np.ones(160, dtype=np.float32))
    numbers = {"gram": np.diag(np.geomspace(1e3, 0.1, 128)), "penalties": np.geomspace(0.01, 1.0, 40)}
    solve(rows, fixed, solved, **numbers, alpha=2.0, counted=1.0, solver="pcg", steps=4)
    assert_close(solved, oracle.solve_rows(rows, fixed, **numbers, alpha=2.0, counted=1.0))


@pytest.mark.parametrize("solver", ["cg", "pcg"])
def test_a_tolerance_ends_a_row_early(rng, solver):
    fixed, rows = vectors(rng, 300, 64), random_rows(rng, 20, 300, 60)
    numbers = {"gram": gram_for(solver, fixed, 64), "penalties": np.ones(20), "alpha": 5.0, "counted": 0.0}
    exact = oracle.solve_rows(rows, fixed, **numbers)
    errors = []
    for tolerance in (1.0, 1e-6):
        solved = aligned(20, 64)
        solve(rows, fixed, solved, **numbers, solver=solver, steps=64, tolerance=tolerance)
        errors.append(np.abs(solved - exact).max() / np.abs(exact).max())
    # A tolerance of one is reached after the first step that shortens the residual at all.
    assert errors[0] > 1e-2
    assert errors[1] < 1e-4


@pytest.mark.parametrize("solver", ["cg", "pcg", "cholesky"])
@pytest.mark.parametrize("factors", [40, 140])
def test_threads_and_blocks_do_not_change_a_byte(rng, solver, factors):
    old, rows, results = vectors(rng, 400, factors), random_rows(rng, 700, 400, 80), []
    start = vectors(rng, 700, factors)
    numbers = {"alpha": 10.0, "counted": 0.0, "steps": 3}
    for threads, ends in ((1, [700]), (2, [700]), (5, [1, 40, 700])):
        fixed, solved = old.copy(), start.copy()
        side = FixedSide.of(fixed, gram_matrix(fixed, threads), solver, shared=0.3, threads=threads)
        for first, last in zip([0, *ends], ends, strict=False):
            block = rows.take(np.arange(first, last))
            half_step(block, side, solved[first:last], penalties=np.ones(last - first), threads=threads, **numbers)
        results.append(side.vectors.tobytes() + solved.tobytes())
    assert len(set(results)) == 1


def test_an_indefinite_remainder_does_not_become_nan(rng):
    # Sixteen vectors that are nearly one, so that float32 loses every pivot after the first.
    fixed = aligned(64, 16)
    fixed[:] = 1.0
    rows, solved = rows_of([[(index, 1e6) for index in range(64)]]), aligned(1, 16)
    numbers = {"gram": np.zeros((16, 16)), "penalties": np.array([1e-9]), "alpha": 1.0, "counted": 0.0}
    solve(rows, fixed, solved, **numbers, solver="cholesky")
    assert np.isfinite(solved).all()


@pytest.mark.parametrize(("rows", "factors"), [(0, 16), (1, 16), (5000, 40), (9001, 64)])
def test_the_gram_matrix_is_that_of_numpy_on_any_number_of_threads(rng, rows, factors):
    made = vectors(rng, rows, factors)
    gram = gram_matrix(made, 1)
    exact = made.astype(np.float64)
    np.testing.assert_allclose(gram, exact.T @ exact, rtol=0, atol=1e-5 * max(1.0, rows / factors))
    assert gram.tobytes() == gram_matrix(made, 3).tobytes()
    np.testing.assert_array_equal(gram, gram.T)


def test_the_loss_of_the_entries_is_their_sum_by_hand(rng):
    left, right = vectors(rng, 9, 24), vectors(rng, 40, 24)
    rows = random_rows(rng, 9, 40, 12)
    rows.values[::5] = 0.0
    expected = 0.0
    for row in range(9):
        for entry in range(rows.indptr[row], rows.indptr[row + 1]):
            if rows.values[entry] > 0:
                score = float(left[row].astype(np.float64) @ right[rows.indices[entry]])
                confidence = 1 + 3.0 * float(rows.values[entry])
                # Played pairs cost c (1 - s)²; the sum over all pairs has already charged s².
                expected += confidence * (1 - score) ** 2 - score**2
    measured = loss_of_entries(rows, left, right, alpha=3.0, counted=0.0, threads=2)
    assert measured == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("factors", [8, 40, 130, 512])
def test_turning_makes_the_gram_matrix_diagonal_and_keeps_every_inner_product(rng, factors):
    left, right = vectors(rng, 1100, factors, 30.0), vectors(rng, 75, factors, 30.0)
    before = left[:75].astype(np.float64) @ right.T
    side = FixedSide.of(left, gram_matrix(left, 1), "pcg", threads=2)
    turn(right, side.turn, 2)
    exact = left.astype(np.float64).T @ left
    assert side.vectors is left
    assert np.count_nonzero(side.gram - np.diag(np.diag(side.gram))) == 0
    np.testing.assert_allclose(side.gram, exact, atol=1e-6 * exact.max())
    np.testing.assert_allclose(left[:75].astype(np.float64) @ right.T, before, atol=2e-6 * np.abs(before).max())
    assert not left[:, factors:].any()
    assert np.all(np.diff(np.diag(side.gram)[:factors]) <= 0)


def test_turning_leaves_a_frozen_coordinate_and_can_be_undone(rng):
    left = vectors(rng, 300, 24, 30.0)
    before, gram = left.copy(), gram_matrix(left, 1)
    side = FixedSide.of(left, gram, "pcg", frozen=5)
    np.testing.assert_array_equal(left[:, 5], before[:, 5])
    np.testing.assert_allclose(side.gram, left.astype(np.float64).T @ left, atol=1e-5 * gram.max())
    side.turn_back(1)
    np.testing.assert_allclose(left, before, atol=1e-5 * np.abs(before).max())


@pytest.mark.parametrize("factors", [96, 200])
def test_turned_rows_solve_the_equations_they_had_before(rng, factors):
    fixed, rows = vectors(rng, 400, factors, 30.0), random_rows(rng, 40, 400, 60)
    gram, numbers = gram_matrix(fixed, 1), {"penalties": np.ones(40), "alpha": 4.0, "counted": 1.0}
    scores = fixed @ oracle.solve_rows(rows, fixed, gram=2 * gram, **numbers).T
    start = vectors(rng, 40, factors)
    for along_axes in (False, True):
        # The second time they lie along their axes already, and need no turning.
        side = FixedSide.of(fixed, gram_matrix(fixed, 1), "pcg", shared=2.0, along_axes=along_axes)
        assert (side.turn is None) == along_axes
        solved = start.copy()
        half_step(rows, side, solved, **numbers, steps=200, tolerance=1e-6)
        np.testing.assert_allclose(fixed @ solved.T, scores, atol=1e-4 * np.abs(scores).max())


def test_a_column_of_zeros_stays_where_it_is(rng):
    made = vectors(rng, 50, 32)
    made[:, 7] = 0.0
    axes, spectrum = principal_axes(gram_matrix(made, 1))
    assert spectrum[7] == 0.0
    np.testing.assert_array_equal(axes[7], np.eye(32)[7])
    np.testing.assert_array_equal(axes[:, 7], np.eye(32)[7])


def test_fewer_vectors_than_factors_have_axes_too(rng):
    _, spectrum = principal_axes(gram_matrix(vectors(rng, 5, 48), 1))
    assert np.all(spectrum >= 0.0)
    assert np.count_nonzero(spectrum > 1e-6 * spectrum.max()) == 5


def test_transposing_is_what_scipy_does(rng):
    from scipy.sparse import csr_array

    rows = random_rows(rng, 30, 50, 20)
    other = transposed(rows, 50)
    expected = csr_array((rows.values, rows.indices, rows.indptr), shape=(30, 50)).T.tocsr()
    expected.sort_indices()
    np.testing.assert_array_equal(other.indptr, expected.indptr)
    np.testing.assert_array_equal(other.indices, expected.indices)
    np.testing.assert_array_equal(other.values, expected.data)


def test_memory_mapped_rows_can_be_solved(rng, tmp_path):
    rows, fixed = random_rows(rng, 10, 30, 12), vectors(rng, 30, 16)
    mapped = []
    for name, array in zip(CSR._fields, rows, strict=True):
        np.save(tmp_path / f"{name}.npy", array)
        mapped.append(np.load(tmp_path / f"{name}.npy", mmap_mode="r"))
    numbers = {"gram": np.eye(16), "penalties": np.ones(10), "alpha": 1.0, "counted": 0.0, "steps": 3}
    results = []
    for given in (rows, CSR(*mapped)):
        solved = aligned(10, 16)
        solve(given, fixed, solved, **numbers, solver="cg")
        results.append((solved.tobytes(), transposed(given, 30).values.tobytes()))
    assert results[0] == results[1]
