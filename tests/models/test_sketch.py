"""Vectors that approximate similarities."""

import numpy as np

from crossfade.models.sketch import sketched


def symmetric(rng, values):
    basis, _ = np.linalg.qr(rng.standard_normal((60, len(values))))
    return (basis * values) @ basis.T


def test_products_are_the_best_that_such_vectors_have(rng):
    matrix = symmetric(rng, [50, 30, 20, 10, 5, 2, 0.5, -8])
    vectors = sketched(lambda vectors: (matrix @ vectors).astype(np.float32), 60, 4, seed=0)
    values, directions = np.linalg.eigh(matrix)
    best = (directions[:, -4:] * values[-4:]) @ directions[:, -4:].T
    np.testing.assert_allclose(vectors @ vectors.T, best, atol=1e-3)
    assert vectors.shape == (60, 4)
    assert vectors.dtype == np.float32


def test_directions_that_are_not_there_are_zero(rng):
    matrix = symmetric(rng, [9, 4, -3])
    vectors = sketched(lambda vectors: (matrix @ vectors).astype(np.float32), 60, 8, seed=0)
    np.testing.assert_allclose(vectors @ vectors.T, symmetric_part(matrix), atol=1e-4)
    assert not vectors[:, 2:].any()
    assert not sketched(np.zeros_like, 10, 8, seed=0).any()
    assert sketched(np.zeros_like, 3, 8, seed=0).shape == (3, 8)


def symmetric_part(matrix):
    values, directions = np.linalg.eigh(matrix)
    return (directions * np.maximum(values, 0)) @ directions.T


def test_the_seed_does_not_matter_for_what_is_found(rng):
    matrix = symmetric(rng, [50, 30, 20, 10])
    one, other = (sketched(lambda vectors: (matrix @ vectors).astype(np.float32), 60, 4, seed=seed) for seed in (0, 1))
    np.testing.assert_allclose(one, other, atol=1e-3)
    assert np.all(one[np.argmax(np.abs(one), axis=0), np.arange(4)] > 0)
