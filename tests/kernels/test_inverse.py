"""The inverse by sweeping, against LAPACK's."""

import numpy as np
import pytest

from crossfade.kernels.inverse import invert


@pytest.mark.parametrize("block", [1, 7, 16, 50, 64])
@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-11), (np.float32, 2e-4)])
def test_the_inverse_is_that_of_numpy_and_symmetric(rng, block, dtype, tolerance):
    factor = rng.standard_normal((50, 80))
    matrix = factor @ factor.T + 5 * np.eye(50)
    swept = np.tril(matrix).astype(dtype)  # what stands above the diagonal is not read
    assert invert(swept, 2, block=block)
    np.testing.assert_allclose(swept, np.linalg.inv(matrix), atol=tolerance * np.abs(np.linalg.inv(matrix)).max())
    np.testing.assert_array_equal(swept, swept.T)


def test_threads_do_not_change_a_byte(rng):
    factor = rng.standard_normal((300, 320)).astype(np.float32)
    found = [factor @ factor.T + np.eye(300, dtype=np.float32) for _ in range(2)]
    for matrix, threads in zip(found, (1, 3), strict=True):
        assert invert(matrix, threads, block=64)
    assert found[0].tobytes() == found[1].tobytes()


def test_what_is_not_positive_definite_is_told():
    assert not invert(np.array([[1.0, 2.0], [2.0, 1.0]]), 1)
    assert not invert(np.diag([1.0, 1.0, -1.0]), 1, block=2)


def test_progress_is_told_block_by_block(rng):
    told = []
    invert(np.eye(10), 1, block=4, progress=lambda done, total, unit: told.append((done, total, unit)))
    assert told == [(1, 3, "blocks"), (2, 3, "blocks"), (3, 3, "blocks")]
