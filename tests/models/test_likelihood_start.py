"""Where likelihood models start, against singular vectors of the dense matrix."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from crossfade.core.csr import CSR
from crossfade.kernels.lanes import aligned
from crossfade.models.likelihood_start import SHARE, start_vectors


def compressed(dense):
    found = csr_array(dense)
    return CSR(found.indptr.astype(np.int64), found.indices.astype(np.int32), found.data.astype(np.float32))


def started(rng, counts, strength, factors=8, threads=1):
    """The vectors of both sides, and the λ of users and items."""
    totals = counts.sum(1), counts.sum(0)
    penalties = tuple(strength * np.where(total > 0, total, 1) ** 0.5 for total in totals)
    users, items = aligned(counts.shape[0], 16), aligned(counts.shape[1], 16)
    items[:, :factors] = np.random.default_rng(0).normal(0, 0.01, (counts.shape[1], factors))
    start_vectors((compressed(counts), compressed(counts.T)), totals, penalties, users, items, threads)
    return users, items, penalties


@pytest.fixture
def counts(rng):
    """Three tastes of 40 users and 20 items each, an item that nobody played, and a user without counts."""
    played = rng.random((121, 61)) < np.pad(np.kron(np.eye(3), np.full((40, 20), 0.5)), ((0, 1), (0, 1)))
    return np.where(played, rng.geometric(0.5, played.shape), 0).astype(np.float64)


def test_a_factor_starts_near_the_best_point_along_its_singular_vectors(rng, counts):
    users, items, penalties = started(rng, counts, 4.0)
    expected = np.outer(counts.sum(1), counts.sum(0)) / counts.sum()
    scales = [1 / np.sqrt(penalty) for penalty in penalties]
    left, lengths, right = np.linalg.svd(scales[0][:, None] * (counts - expected) * scales[1])
    assert (lengths > 1).sum() == 2
    best = np.zeros(counts.shape)
    for k in range(2):
        direction = np.outer(scales[0] * left[:, k], scales[1] * right[k])
        best += (lengths[k] - 1) / (expected * direction**2).sum() * direction
    np.testing.assert_allclose(users @ items.T, SHARE * best + users[:, 2:] @ items[:, 2:].T, atol=0.02 * SHARE)
    # Both sides get the root of it, before the penalties.
    balance = [(penalty @ side[:, :2] ** 2) for penalty, side in zip(penalties, (users, items), strict=True)]
    np.testing.assert_allclose(balance[0], balance[1], rtol=1e-3)


def test_factors_of_noise_start_from_random_item_vectors(rng, counts):
    users, items, _ = started(rng, counts, 4.0)
    random = np.random.default_rng(0).normal(0, 0.01, (61, 8))
    assert not users[:, 2:].any()
    np.testing.assert_allclose(items[:, 2:8], random[:, 2:], atol=1e-7)
    users, items, _ = started(rng, counts, 1e6)
    assert not users.any()
    np.testing.assert_allclose(items[:, :8], random, atol=1e-7)


def test_rows_without_counts_start_at_zero_and_padding_stays_zero(rng, counts):
    users, items, _ = started(rng, counts, 4.0)
    assert not users[120].any()
    assert not items[60, :2].any()
    assert not users[:, 8:].any()
    assert not items[:, 8:].any()


def test_threads_do_not_change_a_byte_of_the_start(rng, counts):
    alone, several = started(rng, counts, 4.0), started(rng, counts, 4.0, threads=3)
    assert alone[0].tobytes() + alone[1].tobytes() == several[0].tobytes() + several[1].tobytes()
