"""Rows solved from sums over their entries, against the kernels that have all entries at once."""

import numpy as np
import pytest

from crossfade.core.csr import CSR, starts_of
from crossfade.kernels.als.half_step import FixedSide, add_to_sums, gram_matrix, half_step, half_step_of_sums
from crossfade.kernels.als.sums import length_of
from crossfade.kernels.lanes import aligned, padded

ALPHA = {"alpha": 2.0, "counted": 1.0}


def vectors(rng, rows, factors):
    made = aligned(rows, padded(factors))
    made[:, :factors] = rng.normal(size=(rows, factors)) / np.sqrt(factors)
    return made


def random_rows(rng, rows, columns, longest):
    counts = rng.integers(longest, size=rows)
    counts[0] = 0
    indices = [np.sort(rng.choice(columns, count, False)) for count in counts]
    return CSR(
        starts_of(counts),
        np.concatenate(indices).astype(np.int32),
        rng.exponential(3.0, counts.sum()).astype(np.float32),
    )


def part_of(rows, first, last):
    """The entries of ``rows`` in the columns ``first`` to ``last``."""
    kept = (rows.indices >= first) & (rows.indices < last)
    lengths = np.add.reduceat(np.append(kept, False), rows.indptr[:-1]) * (np.diff(rows.indptr) > 0)
    return CSR(starts_of(lengths), rows.indices[kept] - np.int32(first), rows.values[kept])


@pytest.mark.parametrize(
    ("solver", "steps", "frozen"),
    [
        ("cg", 3, False),
        ("pcg", 1, False),
        ("pcg", 3, False),
        ("pcg", 3, True),
        ("cholesky", 0, False),
        ("cholesky", 0, True),
    ],
)
@pytest.mark.parametrize("factors", [8, 40, 64])
def test_rows_are_those_of_all_entries_at_once(rng, factors, solver, steps, frozen):
    ice = factors - 1 if frozen else -1
    whole, rows, start = vectors(rng, 300, factors), random_rows(rng, 40, 300, 60), vectors(rng, 40, factors)
    gram, penalties = gram_matrix(whole, 1), rng.uniform(0.5, 2.0, rows.rows)

    expected, turned = start.copy(), whole.copy()
    fixed = FixedSide.of(turned, gram, solver, shared=0.3, frozen=ice)
    half_step(rows, fixed, expected, penalties=penalties, steps=steps, **ALPHA)

    sums, solved = aligned(rows.rows, length_of(factors)), start.copy()
    for first, last in ((0, 100), (100, 101), (101, 300)):
        part = whole[first:last].copy()
        side = FixedSide.of(part, gram, solver, shared=0.3, frozen=ice)
        add_to_sums(part_of(rows, first, last), part, sums, factors=factors, **ALPHA)
    half_step_of_sums(sums, side, solved, penalties=penalties, factors=factors, steps=steps)

    np.testing.assert_allclose(solved, expected, rtol=1e-4, atol=1e-5)
    assert np.abs(solved).max() > 0.01
    if not frozen:
        assert not solved[0].any()
    assert not solved[:, factors:].any()


def test_steps_end_at_the_tolerance(rng):
    whole, rows, start = vectors(rng, 300, 16), random_rows(rng, 40, 300, 60), vectors(rng, 40, 16)
    gram, penalties = gram_matrix(whole, 1), np.ones(rows.rows)
    sums = aligned(rows.rows, length_of(16))
    fixed = FixedSide.of(whole, gram, "pcg")
    add_to_sums(rows, whole, sums, factors=16, **ALPHA)
    settings = {"penalties": penalties, "factors": 16, "steps": 100}
    close, far = start.copy(), start.copy()
    half_step_of_sums(sums, fixed, close, **settings)
    half_step_of_sums(sums, fixed, far, tolerance=0.1, **settings)
    apart = np.linalg.norm(far - close, axis=1)
    assert 1e-4 < apart.max() < 0.5
