"""The kernels of factor models by maximum likelihood against the readable oracle, and samples against sums."""

import itertools

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import logsumexp

from crossfade.core.csr import CSR
from crossfade.kernels.lanes import aligned, padded
from crossfade.kernels.likelihood import half_pass, newton, oracle
from crossfade.kernels.likelihood.half_pass import Sample, sample_of

LINKS = [("poisson", True), ("poisson", False), ("logistic", True), ("logistic", False)]


def half_of(rows):
    """Compressed rows from lists of (index, count)."""
    return CSR(
        np.cumsum([0, *(len(row) for row in rows)]).astype(np.int64),
        np.array([index for row in rows for index, _ in row], dtype=np.int32),
        np.array([count for row in rows for _, count in row], dtype=np.float32),
    )


def random_half(rng, rows, columns, longest):
    return half_of(
        [
            [(index, rng.exponential(2.0)) for index in np.sort(rng.choice(columns, rng.integers(longest), False))]
            for _ in range(rows)
        ]
    )


def vectors(rng, rows, factors):
    """Random vectors, padded as kernels want them."""
    made = aligned(rows, padded(factors))
    made[:, :factors] = rng.normal(0.0, 1 / np.sqrt(factors), (rows, factors))
    return made


def both(rng, half, columns, factors, sample, link, free, **steps):
    """What the kernel and the oracle give: vectors, intercepts and gains."""
    fixed, start = vectors(rng, columns, factors), vectors(rng, half.rows, factors)
    offsets = rng.normal(-1.0, 1.0, columns).astype(np.float32)
    intercepts = rng.normal(0.0, 0.5, half.rows).astype(np.float32)
    penalties = rng.uniform(0.5, 2.0, half.rows)
    solved, biases = aligned(*start.shape), intercepts.copy()
    solved[:] = start
    gains = half_pass.solve_rows(
        half, fixed, offsets, solved, biases, penalties=penalties, sample=sample, link=link, free=free, **steps
    )
    count = len(sample.columns)
    room = padded(count)
    part = min(count, max(newton.LEAST_CURVED, padded(room // newton.CURVED)))
    expected = oracle.solve_rows(
        half,
        fixed,
        offsets,
        start,
        intercepts,
        penalties=penalties,
        columns=sample.columns,
        weights=sample.weights,
        part=part,
        link=link,
        free=free,
        **steps,
    )
    return (solved, biases, gains), expected, start


def assert_agree(found, expected, start):
    scale = np.linalg.norm(expected[0], axis=1) + np.linalg.norm(start, axis=1)
    assert np.all(np.linalg.norm(found[0] - expected[0], axis=1) <= 1e-4 * np.maximum(scale, 1.0))
    np.testing.assert_allclose(found[1], expected[1], atol=2e-4)
    np.testing.assert_allclose(found[2], expected[2], rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("factors", [8, 40, 100])
@pytest.mark.parametrize(("link", "free"), LINKS)
@pytest.mark.parametrize(("samples", "steps"), [(2000, 1), (600, 1), (600, 3), (20, 2)])
def test_every_row_agrees_with_the_oracle(rng, factors, link, free, samples, steps):
    half = random_half(rng, 6, 1500, 70)
    sample = sample_of(rng.random(1500), samples, rng)
    assert_agree(*both(rng, half, 1500, factors, sample, link, free, steps=steps, cg_steps=3, stride=0.7))


@pytest.mark.parametrize(("link", "free"), LINKS)
def test_rows_that_break_careless_kernels(rng, link, free):
    half = half_of(
        [
            [],
            [(3, 2.0)],
            [(column, 1.0) for column in range(400)],
            [(5, 0.0), (9, 0.0)],
            [(1, 0.0), (4, 1.0), (6, 0.0)],
            [(column, 1e-6) for column in range(8)],
            [(column, 50.0) for column in range(16)],
            [(column, 1.0) for column in range(17)],
            [],
        ]
    )
    sample = sample_of(np.ones(400), 100, rng)
    found, expected, start = both(rng, half, 400, 12, sample, link, free, steps=2, cg_steps=4)
    assert_agree(found, expected, start)
    assert not found[0][[0, 3, 8]].any()
    assert not found[0][:, 12:].any()


@pytest.mark.parametrize(("link", "free"), LINKS)
def test_a_row_with_few_entries_uses_the_first_part_of_the_sample(rng, link, free):
    half = half_of([[(int(column), 1.5) for column in np.sort(rng.choice(1500, 20, False))] for _ in range(4)])
    fixed, offsets = vectors(rng, 1500, 24), rng.normal(-1.0, 1.0, 1500).astype(np.float32)
    whole = sample_of(rng.random(1500), 600, rng)
    used = newton.LEAST_SEEN + 64
    part = Sample(whole.columns[:used], whole.weights[:used] * np.float32(len(whole.columns) / used))
    found = []
    for sample, per_entry in ((whole, used // 20), (part, None), (whole, None)):
        solved, intercepts = aligned(4, 32), np.zeros(4, dtype=np.float32)
        half_pass.solve_rows(
            half,
            fixed,
            offsets,
            solved,
            intercepts,
            penalties=np.full(4, 0.5),
            sample=sample,
            link=link,
            free=free,
            per_entry=per_entry,
        )
        found.append((solved, intercepts))
    np.testing.assert_allclose(found[0][0], found[1][0], atol=1e-5)
    np.testing.assert_allclose(found[0][1], found[1][1], atol=1e-5)
    assert np.abs(found[0][0] - found[2][0]).max() > 1e-3


@pytest.mark.parametrize(("link", "free"), LINKS)
def test_steps_lead_to_where_the_gradient_is_zero(rng, link, free):
    half, columns = random_half(rng, 20, 300, 50), 300
    fixed, offsets = vectors(rng, columns, 16), rng.normal(-1.0, 1.0, columns).astype(np.float32)
    solved, intercepts = aligned(20, 16), np.zeros(20, dtype=np.float32)
    everything = sample_of(np.ones(columns), columns, rng)
    half_pass.solve_rows(
        half,
        fixed,
        offsets,
        solved,
        intercepts,
        penalties=np.full(20, 0.3),
        sample=everything,
        link=link,
        free=free,
        steps=30,
        cg_steps=16,
    )
    for row in range(20):
        span = slice(half.indptr[row], half.indptr[row + 1])
        if span.start == span.stop:
            continue
        counts = np.zeros(columns)
        counts[half.indices[span]] = half.values[span]
        z = fixed.astype(np.float64) @ solved[row] + offsets + intercepts[row]
        expected = np.exp(z) if link == "poisson" else (counts + 1) / (1 + np.exp(-z))
        rest = counts - expected
        np.testing.assert_allclose(fixed.T @ rest, 0.3 * solved[row], atol=1e-3 * counts.sum())
        if free:
            assert rest.sum() == pytest.approx(0.0, abs=1e-3 * counts.sum())


def test_threads_do_not_change_a_byte(rng):
    half, fixed = random_half(rng, 300, 500, 60), vectors(rng, 500, 24)
    sample = sample_of(np.ones(500), 200, rng)
    results = []
    for threads in (1, 2, 3):
        solved, intercepts = aligned(300, 32), np.zeros(300, dtype=np.float32)
        gains = half_pass.solve_rows(
            half,
            fixed,
            np.zeros(500, dtype=np.float32),
            solved,
            intercepts,
            penalties=np.ones(300),
            sample=sample,
            link="poisson",
            steps=2,
            threads=threads,
        )
        results.append((solved.tobytes(), intercepts.tobytes(), gains.tobytes()))
    assert results[0] == results[1] == results[2]


def test_a_step_much_too_long_is_shortened(rng):
    # From even scores, the parabola that Newton's step trusts is wrong by far: the one count has to win over 249.
    half, everything = half_of([[(0, 1.0)]]), sample_of(np.ones(250), 250, rng)
    fixed = vectors(rng, 250, 16) * np.float32(3)
    gains = []
    for steps in range(12):
        solved, intercepts = aligned(1, 16), np.zeros(1, dtype=np.float32)
        gained = half_pass.solve_rows(
            half,
            fixed,
            np.zeros(250, dtype=np.float32),
            solved,
            intercepts,
            penalties=np.full(1, 0.01),
            sample=everything,
            link="poisson",
            steps=steps,
            cg_steps=16,
        )
        gains.append(gained[0] - 0.005 * (solved.astype(np.float64) ** 2).sum())
    assert gains[0] == pytest.approx(np.log(1 / 250), abs=1e-4)
    assert all(later >= earlier - 1e-4 for earlier, later in itertools.pairwise(gains))

    def cost(x):
        z = fixed[:, :16].astype(np.float64) @ x
        return logsumexp(z) - z[0] + 0.005 * x @ x

    assert gains[-1] == pytest.approx(-minimize(cost, np.zeros(16)).fun, abs=1e-3)


def test_a_sample_of_everything_is_everything(rng):
    columns, weights = sample_of(np.array([3.0, 0.0, 1.0]), 3, rng)
    assert (sorted(columns.tolist()), weights.tolist()) == ([0, 1, 2], [1, 1, 1])


def test_sums_over_a_sample_are_unbiased(rng):
    masses = (1 + np.arange(300)) ** -0.9
    values = rng.random(300) * masses
    drawn = [sample_of(masses, 40, rng) for _ in range(3000)]
    assert all(len(set(sample.columns.tolist())) == 40 for sample in drawn)
    # Of mass .37 in a chance of 40 / Σ, the first columns are certain, and weigh one.
    assert all(0 in sample.columns for sample in drawn)
    estimates = np.array([sample.weights @ values[sample.columns] for sample in drawn])
    error = estimates.std() / np.sqrt(len(estimates))
    assert estimates.mean() == pytest.approx(values.sum(), abs=4 * error)
    assert error < 0.01 * values.sum()


def test_a_column_in_the_sample_and_in_the_row_counts_once(rng):
    # All columns are entries, so whatever the sample holds and weighs must not matter.
    half = half_of([[(column, 1.0 + column) for column in range(20)]])
    fixed, found = vectors(rng, 20, 8), []
    for weights in (1.0, 50.0):
        solved, intercepts = aligned(1, 16), np.zeros(1, dtype=np.float32)
        sample = Sample(np.array([3, 7, 11], dtype=np.int32), np.full(3, weights, dtype=np.float32))
        half_pass.solve_rows(
            half,
            fixed,
            np.zeros(20, dtype=np.float32),
            solved,
            intercepts,
            penalties=np.ones(1),
            sample=sample,
            link="poisson",
        )
        found.append(solved.tobytes() + intercepts.tobytes())
    assert found[0] == found[1]
