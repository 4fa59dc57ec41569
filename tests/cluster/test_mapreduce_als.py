"""The mapper and the reducer of alternating least squares, joined by a sort as Hadoop joins them."""

import numpy as np
import pytest

from crossfade.cluster.mapreduce_als import CELL, Cell, HalfStep, cells_of, map_cells, reduce_sums, vectors_in
from crossfade.core.csr import CSR, starts_of
from crossfade.kernels.als.half_step import FixedSide, gram_matrix
from crossfade.kernels.lanes import aligned, padded
from crossfade.models.als_objective import Objective

OBJECTIVE = Objective(0.3, 2.0, 1.0, 0.1, 0.5)


def ratings_of(rng, rows, columns, longest):
    lengths = rng.integers(longest, size=rows)
    lengths[[0, 5]] = 0, columns
    indices = [np.sort(rng.choice(columns, length, False)) for length in lengths]
    return CSR(
        starts_of(lengths),
        np.concatenate(indices).astype(np.int32),
        rng.exponential(3.0, lengths.sum()).astype(np.float32),
    )


def test_a_cell_reads_as_it_was_packed_and_divides_into_chunks(rng):
    ratings = ratings_of(rng, 40, 30, 6)
    cells = {(block, source): cell for block, source, cell in cells_of(ratings, 3, 4)}
    dense = np.zeros((40, 30), np.float32)
    for (block, source), packed in ((key, cell.packed()) for key, cell in cells.items()):
        for chunk, part in Cell.unpacked(packed).chunks(5):
            assert set(part.rows // 5) == {chunk}
            assert np.diff(part.ratings.indptr).min() > 0
            of_entry = np.repeat(part.rows, np.diff(part.ratings.indptr))
            dense[of_entry * 3 + block, part.ratings.indices * 4 + source] = part.ratings.values
    expected = np.zeros_like(dense)
    expected[np.repeat(np.arange(40), np.diff(ratings.indptr)), ratings.indices] = ratings.values
    np.testing.assert_array_equal(dense, expected)


@pytest.mark.parametrize(
    ("solver", "steps", "frozen"), [("cholesky", 0, -1), ("pcg", 3, -1), ("pcg", 3, 7), ("cg", 3, -1)]
)
@pytest.mark.parametrize("grid", [(1, 1), (3, 5)])
def test_mapper_and_reducer_solve_as_a_half_step_does(rng, tmp_path, monkeypatch, grid, solver, steps, frozen):
    monkeypatch.setattr("crossfade.cluster.mapreduce_als.CHUNK_BYTES", 4 * 44 * 6)  # six rows
    factors, (blocks, fixed_blocks) = 8, grid
    ratings = ratings_of(rng, 60, 50, 12)
    vectors, before = (aligned(n, padded(factors)) for n in (50, 60))
    vectors[:, :factors], before[:, :factors] = rng.normal(size=(50, factors)), rng.normal(size=(60, factors))
    fixed = FixedSide.of(vectors, gram_matrix(vectors, 1), solver, shared=OBJECTIVE.shared, frozen=frozen)
    step = HalfStep(
        objective=OBJECTIVE, solver=solver, frozen=frozen, factors=factors, others=50, steps=steps, tolerance=0.0
    )
    step.save(tmp_path, fixed)
    for block in range(blocks):
        np.save(tmp_path / f"rows-{block}.npy", before[block::blocks])
    for block in range(fixed_blocks):
        np.save(tmp_path / f"fixed-{block}.npy", vectors[block::fixed_blocks])

    cells = [(CELL.pack(*key), cell.packed()) for *key, cell in cells_of(ratings, blocks, fixed_blocks)]
    records = sorted(map_cells(cells, tmp_path))
    solved = aligned(*before.shape)
    for record in reduce_sums(records, tmp_path):
        block, rows, part = vectors_in(record, step)
        solved[rows * blocks + block, :factors] = part

    expected = before.copy()
    OBJECTIVE.half_step(ratings, fixed, expected, others=50, steps=steps)
    known = np.diff(ratings.indptr) > 0
    np.testing.assert_allclose(solved[known], expected[known], rtol=1e-4, atol=1e-5)
    assert not solved[~known].any()
    assert len(records) > len(cells)  # several chunks each
