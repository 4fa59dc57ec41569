"""Vector-Exp against the exact softmax."""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax

from crossfade.core.csr import CSR
from crossfade.core.ids import Ids
from crossfade.core.interactions import Interactions
from crossfade.evaluate.splits import random_holdout
from crossfade.kernels.lanes import aligned
from crossfade.kernels.likelihood.half_pass import sample_of, solve_rows
from crossfade.models.vector_exp import VectorExp


def from_dense(counts):
    """Interactions of a matrix (users, items) of counts, whose ids are in the order of its rows and columns."""
    users, items = np.nonzero(counts)
    return Interactions(
        kind="artist",
        user_ids=Ids.of(f"u{user:04d}" for user in range(counts.shape[0])),
        item_ids=Ids.of(f"i{item:04d}" for item in range(counts.shape[1])),
        indptr=np.searchsorted(users, np.arange(len(counts) + 1)).astype(np.int64),
        indices=items.astype(np.int32),
        weights=counts[users, items].astype(np.float32),
        plays=np.ones(len(users), dtype=np.int32),
        last_played=np.zeros(len(users), dtype=np.uint32),
    )


def world(rng, users, items, plays, factors=4):
    """The P of planted vectors with Zipf biases, and counts of as many ``plays`` a user."""
    x, y = rng.normal(0, 1.2, (users, factors)), rng.normal(0, 1, (items, factors))
    chances = softmax(x @ y.T - np.log(1 + rng.permutation(items)), axis=1)
    return chances, np.array([rng.multinomial(plays, row) for row in chances])


def objective(counts, regularization, exponent, x, y, biases):
    """What is maximised, as it is written."""
    held = (counts.sum(1) ** exponent) @ (x**2).sum(1) + (counts.sum(0) ** exponent) @ (y**2).sum(1)
    return (counts * log_softmax(x @ y.T + biases, axis=1)).sum() - 0.5 * regularization * held


def parts(fitted):
    """x, y and the biases."""
    space = fitted.space
    vectors = space.user_vectors.astype(np.float64), space.item_vectors.astype(np.float64)
    return vectors[0][:, :-1], vectors[1][:, :-1], vectors[1][:, -1]


@pytest.fixture
def counts(rng):
    return world(rng, 120, 80, 25)[1]


def test_the_gradient_of_the_exact_objective_is_zero_at_every_user(counts):
    fitted = VectorExp(factors=10, counts="linear", passes=5).fit(from_dense(counts))
    x, y, biases = parts(fitted)
    settings = fitted.settings
    held = settings["regularization"] * counts.sum(1) ** settings["frequency_exponent"]
    expected = counts.sum(1)[:, None] * softmax(x @ y.T + biases, axis=1)
    np.testing.assert_allclose((counts - expected) @ y, held[:, None] * x, atol=0.02)


def test_finite_differences_of_the_objective_vanish_there_too(counts):
    fitted = VectorExp(factors=8, counts="linear", passes=5).fit(from_dense(counts))
    x, y, biases = parts(fitted)
    known = fitted.settings["regularization"], fitted.settings["frequency_exponent"]
    at_best = objective(counts, *known, x, y, biases)
    for user, factor in ((0, 0), (57, 3), (119, 7)):
        moved = []
        for sign in (1, -1):
            x[user, factor] += sign * 1e-3
            moved.append(objective(counts, *known, x, y, biases))
            x[user, factor] -= sign * 1e-3
        curvature = (2 * at_best - moved[0] - moved[1]) / 1e-6
        assert abs(moved[0] - moved[1]) / 2e-3 < 2e-3 * curvature


@pytest.mark.parametrize("samples", [500, 64])
def test_training_ends_near_an_optimum_of_the_exact_softmax(rng, samples):
    _, counts = world(rng, 200, 500, 30)
    counts[rng.integers(200, size=500), np.arange(500)] += 1
    fitted = VectorExp(factors=8, counts="linear", samples=samples, passes=40).fit(from_dense(counts))
    x, y, biases = parts(fitted)
    known = fitted.settings["regularization"], fitted.settings["frequency_exponent"]
    pulls = [known[0] * counts.sum(axis) ** known[1] for axis in (1, 0)]
    shapes = x.size, x.size + y.size

    def cost(flat):
        x, y, biases = flat[: shapes[0]].reshape(-1, 8), flat[shapes[0] : shapes[1]].reshape(-1, 8), flat[shapes[1] :]
        rest = counts - counts.sum(1)[:, None] * softmax(x @ y.T + biases, axis=1)
        gradient = (rest @ y - pulls[0][:, None] * x, rest.T @ x - pulls[1][:, None] * y, rest.sum(0))
        return -objective(counts, *known, x, y, biases), -np.concatenate([part.ravel() for part in gradient])

    start = np.concatenate((x.ravel(), y.ravel(), biases))
    best = minimize(cost, start, jac=True, method="L-BFGS-B", options={"maxiter": 300})
    unigram = counts.sum(0) @ np.log(counts.sum(0) / counts.sum())
    # Of the way from the unigram model to the optimum, what is left; exact, and by an eighth of the items.
    left = (-best.fun - objective(counts, *known, x, y, biases)) / (-best.fun - unigram)
    assert left < (0.01 if samples == 500 else 0.06)


def test_only_the_correction_by_log_q_leads_to_the_exact_softmax(rng):
    items, factors = 500, 8
    fixed = aligned(items, 16)
    fixed[:, :factors] = rng.normal(0, 1, (items, factors))
    # Without biases, popularity is a direction of the vectors, and here not the direction of the user's taste.
    popularity = np.exp(2.0 * fixed[:, 0].astype(np.float64))
    offsets = np.zeros(items, dtype=np.float32)
    chances = softmax(fixed[:, :factors] @ (rng.normal(0, 1, factors) * (np.arange(factors) > 0)))
    played = np.flatnonzero(rng.multinomial(30, chances))
    half = CSR(np.array([0, len(played)]), played.astype(np.int32), np.full(len(played), 2.0, dtype=np.float32))

    def solved(sample):
        found = aligned(1, 16)
        solve_rows(
            half, fixed, offsets, found, np.zeros(1, np.float32), penalties=np.ones(1), sample=sample, link="poisson",
            steps=15, cg_steps=8,
        )  # fmt: skip
        return found[0, :factors]

    exact = solved(sample_of(np.ones(items), items, rng))
    wrong = {}
    for size in (100, 400):
        drawn = [sample_of(popularity**0.75, size, rng) for _ in range(100)]
        naive = [sample._replace(weights=np.ones_like(sample.weights)) for sample in drawn]
        for name, samples in (("corrected", drawn), ("naive", naive)):
            found = np.mean([solved(sample) for sample in samples], axis=0)
            wrong[name, size] = np.linalg.norm(found - exact) / np.linalg.norm(exact)
    # One errs by what a small sample leaves, which vanishes; the other stays wrong.
    assert wrong["corrected", 100] < 0.2
    assert wrong["corrected", 400] < 0.03
    assert wrong["naive", 400] > 3 * wrong["corrected", 400]


@pytest.mark.parametrize("samples", [1024, 64])
def test_planted_vectors_are_found_again_through_what_they_predict(rng, samples):
    chances, counts = world(rng, 400, 150, 400)
    fitted = VectorExp(
        factors=8, counts="linear", largest_count=1e6, samples=samples, regularization=0.05, passes=30
    ).fit(from_dense(counts))
    found = fitted.probabilities(fitted.space.user_vectors)
    unigram = counts.sum(0) / counts.sum()
    divergence = (chances * np.log(chances / found)).sum(1).mean()
    of_unigram = (chances * np.log(chances / unigram)).sum(1).mean()
    assert divergence < 0.03 * of_unigram


def test_probabilities_are_those_of_the_softmax_and_sum_to_one(counts):
    fitted = VectorExp(factors=8, passes=3).fit(from_dense(counts))
    users = np.array([3, 0, 119], dtype=np.int32)
    found = fitted.probabilities(fitted.trained_profiles(users))
    np.testing.assert_allclose(found.sum(1), 1, atol=1e-5)
    x, y, biases = parts(fitted)
    np.testing.assert_allclose(found, softmax(x[users] @ y.T + biases, axis=1), rtol=1e-4)


def test_without_factors_to_speak_of_it_is_the_unigram_model(counts):
    fitted = VectorExp(factors=8, counts="linear", regularization=1e6, passes=3).fit(from_dense(counts))
    expected = counts.sum(0) / counts.sum()
    played = expected > 0
    found = fitted.probabilities(fitted.space.user_vectors[:1])[0]
    np.testing.assert_allclose(found[played] / found[played].sum(), expected[played], rtol=1e-3)


def test_held_out_plays_surprise_it_less_than_the_unigram_model(rng):
    _, counts = world(rng, 300, 200, 40)
    split = random_holdout(from_dense(counts), 0.2, rng)
    fitted = VectorExp(factors=8).fit(split.train)
    users = np.repeat(np.arange(300), np.diff(split.test.indptr))
    chances = fitted.probabilities(fitted.space.user_vectors)[users, split.test.indices]
    totals = np.bincount(split.train.indices, weights=np.log1p(split.train.weights), minlength=200)
    totals = np.maximum(totals, totals[totals > 0].min())
    unigram = (totals / totals.sum())[split.test.indices]
    assert np.exp(-np.log(chances).mean()) < 0.75 * np.exp(-np.log(unigram).mean())


def test_the_history_says_how_training_stood(counts):
    interactions = from_dense(counts)
    fitted = VectorExp(factors=8, passes=12).fit(interactions)
    assert len(fitted.history) == 12
    damped = np.log1p(counts)
    norms, popularity = np.linalg.norm(fitted.space.points, axis=1), np.log1p(damped.sum(0))
    assert fitted.history[-1].norm_popularity == pytest.approx(np.corrcoef(norms, popularity)[0, 1], abs=1e-4)
    chances = fitted.probabilities(fitted.space.user_vectors)
    perplexity = np.exp(-(damped * np.log(chances)).sum() / damped.sum())
    assert fitted.history[-1].perplexity == pytest.approx(perplexity, rel=0.02)
    assert fitted.history[0].perplexity > 1.1 * fitted.history[-1].perplexity
    # It begins with the unigram model.
    shares = damped.sum(0) / damped.sum()
    assert fitted.history[0].perplexity < np.exp(-(damped.sum(0) @ np.log(shares)) / damped.sum())


def test_without_biases_popularity_fits_into_the_vectors(counts):
    fitted = VectorExp(factors=8, item_biases=False).fit(from_dense(counts))
    assert not fitted.space.biased
    assert fitted.space.factors == 8
    found = fitted.probabilities(fitted.space.user_vectors).mean(0)
    assert np.corrcoef(found, counts.sum(0) / counts.sum())[0, 1] > 0.9


def test_counts_are_damped_and_capped(counts):
    same = [
        VectorExp(factors=8, passes=1, **fields).fit(from_dense(given))
        for given, fields in (
            (counts, {"counts": "log", "epsilon": 2.0}),
            (np.log1p(counts / 2), {"counts": "linear"}),
            (np.minimum(counts, 3), {"counts": "linear"}),
            (counts, {"counts": "linear", "largest_count": 3.0}),
        )
    ]
    np.testing.assert_allclose(same[0].space.item_vectors, same[1].space.item_vectors, atol=1e-3)
    np.testing.assert_array_equal(same[2].space.item_vectors, same[3].space.item_vectors)
