"""EASE: the closed form against the least-squares problem that it solves."""

import dataclasses

import numpy as np
import pytest

from crossfade.core.errors import InputError
from crossfade.core.interactions import Interactions
from crossfade.kernels.inverse import invert
from crossfade.models.ease import EASE, default_regularization


@pytest.fixture
def interactions(rng):
    """80 users, 40 items, 900 pairs."""
    keys = rng.choice(80 * 40, 900, replace=False)
    return Interactions.from_counts(
        [f"u{key // 40:02d}" for key in keys], [f"i{key % 40:02d}" for key in keys], rng.geometric(0.3, 900)
    )


@pytest.mark.parametrize("damping", ["binary", "log", "none"])
@pytest.mark.parametrize("precision", ["single", "double"])
def test_the_solution_is_the_optimum_with_a_diagonal_of_zeros(interactions, damping, precision):
    model = EASE(regularization=3.0, damping=damping, precision=precision, factors=8).fit(interactions)
    solved = model.similarities.astype(np.float64)
    plays = interactions.matrix().toarray().astype(np.float64)
    known = {"binary": (plays > 0).astype(float), "log": np.log(1 + plays), "none": plays}[damping]
    gradient = known.T @ (known @ solved - known) + 3.0 * solved
    off = ~np.eye(40, dtype=bool)
    assert np.abs(gradient[off]).max() < 1e-5 * np.abs(known.T @ known).max()
    assert np.all(np.diag(solved) == 0)
    # The same by least squares, one item at a time: rows of √λ stand for the penalty.
    for item in (0, 17, 39):
        others = np.delete(np.arange(40), item)
        rows = np.vstack([known[:, others], np.sqrt(3.0) * np.eye(39)])
        wanted = np.concatenate([known[:, item], np.zeros(39)])
        np.testing.assert_allclose(solved[others, item], np.linalg.lstsq(rows, wanted, rcond=None)[0], atol=2e-5)


def test_lambda_follows_the_noise_of_the_data(interactions):
    # 900 ones on 80 users and 40 items: 0.6 · (√(900 / 80) + √(900 / 40))² = 0.6 · 900 · (80^-½ + 40^-½)².
    expected = 0.6 * (np.sqrt(900 / 80) + np.sqrt(900 / 40)) ** 2
    assert default_regularization(np.ones(900, dtype=np.float32), (80, 40)) == pytest.approx(expected)
    model = EASE(factors=8).fit(interactions)
    assert model.settings["regularization"] == pytest.approx(expected)
    given = EASE(factors=8, regularization=expected).fit(interactions)
    np.testing.assert_allclose(given.similarities, model.similarities, atol=1e-6)


def test_precision_follows_the_condition(interactions, monkeypatch):
    used = []

    def noted(matrix, threads, **how):
        used.append(matrix.dtype)
        return invert(matrix, threads, **how)

    monkeypatch.setattr("crossfade.models.ease.invert", noted)
    EASE(factors=8, regularization=3.0).fit(interactions)
    EASE(factors=8, regularization=1e-3).fit(interactions)
    assert used == [np.float32, np.float64]


def test_what_cannot_be_inverted_is_said(interactions):
    # Two items that the same users have: without any penalty their columns are one and the same.
    users = [f"u{user}" for user in range(40)] * 2
    twins = Interactions.from_counts(users, ["a"] * 40 + ["b"] * 40, np.ones(80))
    with pytest.raises(InputError, match="Raise it"):
        EASE(regularization=1e-30, precision="single").fit(twins)


def test_too_large_a_catalogue_is_refused_with_what_it_would_take(interactions):
    with pytest.raises(InputError, match=r"40 items would take 0\.0 to 0\.0 GB.*most_items = 39.*cooccurrence or als"):
        EASE(most_items=39).fit(interactions)
    wide = Interactions.from_counts(["u"] * 30_000, [f"{item:05d}" for item in range(30_000)], np.ones(30_000))
    with pytest.raises(InputError, match=r"3\.6 to 10\.8 GB"):
        EASE().fit(wide)


def test_its_memory_grows_with_the_square_of_the_items():
    # Four bytes for every pair, and twelve where the inverse may be of double precision; 64 factors thrice.
    assert EASE(precision="single").memory_bytes(1000) == 4 * 1000**2 + 3 * 4 * 64 * 1000
    assert EASE().memory_bytes(1000) == 12 * 1000**2 + 3 * 4 * 64 * 1000


def test_items_that_nobody_has_are_related_to_none(interactions):
    item_ids = type(interactions.item_ids).of([*interactions.item_ids, "z"])
    model = EASE(factors=8).fit(dataclasses.replace(interactions, item_ids=item_ids))
    assert not model.similarities[40].any()
    assert not model.similarities[:, 40].any()
