"""Logistic matrix factorization against its definition over all pairs."""

import dataclasses

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import expit

from crossfade.core.csr import CSR
from crossfade.core.ids import Ids
from crossfade.core.interactions import Interactions
from crossfade.kernels.lanes import aligned
from crossfade.kernels.likelihood.half_pass import sample_of, solve_rows
from crossfade.models.logistic import Logistic


def from_dense(plays):
    """Interactions of a matrix (users, items) of plays, whose ids are in the order of its rows and columns."""
    users, items = np.nonzero(plays)
    return Interactions(
        kind="artist",
        user_ids=Ids.of(f"u{user:04d}" for user in range(plays.shape[0])),
        item_ids=Ids.of(f"i{item:04d}" for item in range(plays.shape[1])),
        indptr=np.searchsorted(users, np.arange(len(plays) + 1)).astype(np.int64),
        indices=items.astype(np.int32),
        weights=plays[users, items].astype(np.float32),
        plays=np.ones(len(users), dtype=np.int32),
        last_played=np.zeros(len(users), dtype=np.uint32),
    )


def world(rng, users, items, factors=3, odds=-2.0):
    """The chances of planted vectors and biases, and a draw of who plays what."""
    x, y = rng.normal(0, 1, (users, factors)), rng.normal(0, 1, (items, factors))
    z = x @ y.T + rng.normal(0, 0.5, (users, 1)) + rng.normal(odds, 0.7, items)
    return z, (rng.random((users, items)) < expit(z)).astype(np.float64)


def row_likelihood(flat, y, offsets, successes, penalty):
    """Of one row: Σ n z - (1 + n) ln(1 + e^z) - λ/2 |x|², over every column; x, then the intercept."""
    z = y @ flat[:-1] + flat[-1] + offsets
    return successes @ z - (1 + successes) @ np.logaddexp(0, z) - 0.5 * penalty * flat[:-1] @ flat[:-1]


@pytest.mark.parametrize("row", range(4))
def test_a_row_is_a_weighted_logistic_regression(rng, row):
    y, offsets = rng.normal(0, 1, (60, 5)), rng.normal(-1, 0.5, 60)
    successes = np.where(rng.random(60) < 0.3, rng.exponential(2.0, 60), 0.0)
    fixed = aligned(60, 16)
    fixed[:, :5] = y
    played = np.flatnonzero(successes)
    half = CSR(np.array([0, len(played)]), played.astype(np.int32), successes[played].astype(np.float32))
    solved, intercept = aligned(1, 16), np.zeros(1, dtype=np.float32)
    solve_rows(
        half, fixed, offsets.astype(np.float32), solved, intercept, penalties=np.full(1, 0.5 + row),
        sample=sample_of(np.ones(60), 60, rng), link="logistic", steps=20, cg_steps=8,
    )  # fmt: skip
    best = minimize(lambda flat: -row_likelihood(flat, y, offsets, successes, 0.5 + row), np.zeros(6), method="BFGS")
    np.testing.assert_allclose(np.append(solved[0, :5], intercept), best.x, atol=2e-3)


def test_the_negatives_of_a_row_count_once_each_also_when_they_are_sampled(rng):
    # What a sample of 64 of 2000 columns leads to is, on average, what all of them lead to. Negatives that are too few
    # (as many as factors) or drawn by popularity without a weight for it would move the intercept by whole units.
    columns, factors = 2000, 4
    fixed = aligned(columns, 16)
    fixed[:, :factors] = rng.normal(0, 1, (columns, factors))
    masses = 1 / (1 + rng.permutation(columns))
    offsets = np.log(masses).astype(np.float32)
    chances = expit(fixed[:, :factors] @ np.array([1.0, -1.0, 0.5, 0.0]) + offsets + 3)
    played = np.flatnonzero(rng.random(columns) < chances).astype(np.int32)
    half = CSR(np.array([0, len(played)]), played, np.ones(len(played), dtype=np.float32))

    def solved(sample):
        vector, intercept = aligned(1, 16), np.zeros(1, dtype=np.float32)
        solve_rows(
            half, fixed, offsets, vector, intercept, penalties=np.ones(1), sample=sample, link="logistic", steps=15,
            cg_steps=8,
        )  # fmt: skip
        return np.append(vector[0, :factors], intercept)

    exact = solved(sample_of(np.ones(columns), columns, rng))
    found = np.array([solved(sample_of(masses**0.75, 64, rng)) for _ in range(100)])
    np.testing.assert_allclose(found.mean(0), exact, atol=0.12)


def test_the_gradient_of_the_objective_over_all_pairs_is_zero_at_every_user(rng):
    _, plays = world(rng, 90, 70)
    plays *= rng.geometric(0.3, plays.shape)
    space = Logistic(factors=8, passes=5).fit(from_dense(plays)).space
    x, y, biases = space.user_vectors[:, :-1], space.points.astype(np.float64), space.item_vectors[:, -1]
    successes = space.settings["alpha"] * np.log1p(plays)
    held = space.settings["regularization"] * successes.sum(1) ** space.settings["frequency_exponent"]
    for user in range(90):
        z = y @ x[user] + biases
        # The user's bias is not kept: it is what makes the expected successes sum to those there were.
        low, high = -20.0, 20.0
        for _ in range(60):
            middle = (low + high) / 2
            short = ((1 + successes[user]) * expit(z + middle)).sum() < successes[user].sum()
            low, high = (middle, high) if short else (low, middle)
        rest = successes[user] - (1 + successes[user]) * expit(z + low)
        np.testing.assert_allclose(rest @ y, held[user] * x[user], atol=0.01)
        # And by finite differences of the objective as it is written.
        flat = np.append(x[user], low).astype(np.float64)
        for factor in (0, 7):
            ahead, behind = flat.copy(), flat.copy()
            ahead[factor] += 1e-4
            behind[factor] -= 1e-4
            rise = row_likelihood(ahead, y, biases, successes[user], held[user]) - row_likelihood(
                behind, y, biases, successes[user], held[user]
            )
            assert abs(rise / 2e-4) < 0.01


@pytest.mark.parametrize("samples", [1024, 128])
def test_planted_odds_are_found_again(rng, samples):
    z, plays = world(rng, 500, 400)
    space = Logistic(factors=8, alpha=1 / np.log(2), samples=samples, passes=20).fit(from_dense(plays)).space
    found = space.user_vectors @ space.item_vectors.T
    # A pair that is played counts as one success and one failure, so that its odds are those of n / (1 + n) chances;
    # what is left of a score once rows and columns are centred is the inner product that was planted.
    centred = [part - part.mean(0) - part.mean(1)[:, None] + part.mean() for part in (found, z)]
    assert np.corrcoef(centred[0].ravel(), centred[1].ravel())[0, 1] > 0.93
    assert np.corrcoef(space.item_vectors[:, -1], z.mean(0))[0, 1] > 0.9


def test_biases_alone_are_a_regression_on_who_and_what(rng):
    # With vectors held at nothing what is left is z = b_u + b_i, whose gradient is zero for every user and item.
    _, plays = world(rng, 40, 30)
    space = Logistic(factors=8, regularization=1e6, passes=300).fit(from_dense(plays)).space
    items = space.item_vectors[:, -1].astype(np.float64)

    def gradient(users, items):
        z = users[:, None] + items
        return plays - (1 + plays) * expit(z), (1 + plays) * expit(z) * expit(-z)

    users = np.zeros(40)
    for _ in range(200):
        rest, curvature = gradient(users, items)
        users += np.clip(rest.sum(1) / curvature.sum(1), -1, 1)
    played = plays.sum(0) > 0
    rest, curvature = gradient(users, items)
    assert np.all(np.abs(rest.sum(0) / curvature.sum(0))[played] < 0.01)
    assert played.sum() > 25


def test_alpha_is_one_over_the_mean_unless_it_is_said(rng):
    _, plays = world(rng, 40, 30)
    plays *= rng.geometric(0.2, plays.shape)
    interactions = from_dense(plays)
    fit = Logistic(factors=8, passes=1).fit(interactions)
    assert fit.settings["alpha"] == pytest.approx(1 / np.log1p(interactions.weights).mean(), rel=1e-5)
    linear = Logistic(factors=8, passes=1, counts="linear").fit(interactions)
    assert linear.settings["alpha"] == pytest.approx(1 / interactions.weights.mean(), rel=1e-5)
    # The unit of the weights then does not matter.
    doubled = dataclasses.replace(interactions, weights=interactions.weights * 2)
    np.testing.assert_allclose(
        Logistic(factors=8, passes=1, counts="linear").fit(doubled).space.item_vectors,
        linear.space.item_vectors,
        atol=1e-4,
    )
    assert Logistic(factors=8, passes=1, alpha=0.5).fit(interactions).settings["alpha"] == 0.5
