"""Splits: nothing is lost, nothing stands on both sides, and users keep what they need."""

from dataclasses import replace

import numpy as np
import pytest

from crossfade.core.errors import InputError
from crossfade.core.interactions import Interactions
from crossfade.evaluate.splits import random_holdout, strong_generalisation, temporal


@pytest.fixture
def interactions(rng):
    """40 users with 1 to 12 of 30 items, each pair with its own count and time."""
    pairs = [(u, int(i)) for u in range(40) for i in rng.choice(30, 1 + u % 12, replace=False)]
    made = Interactions.from_counts(
        [f"u{user:02d}" for user, _ in pairs], [f"i{item:02d}" for _, item in pairs], rng.integers(1, 99, len(pairs))
    )
    return replace(made, last_played=rng.permutation(len(pairs)).astype(np.uint32) + 1)


def pairs_of(interactions):
    users = np.repeat(np.arange(len(interactions.user_ids)), np.diff(interactions.indptr))
    columns = (users, interactions.indices, interactions.weights, interactions.plays, interactions.last_played)
    return set(zip(*(column.tolist() for column in columns), strict=True))


def assert_divides(whole, *parts):
    assert set.union(*(pairs_of(part) for part in parts)) == pairs_of(whole)
    assert sum(part.pairs for part in parts) == whole.pairs
    for part in parts:
        assert part.user_ids == whole.user_ids
        assert part.item_ids == whole.item_ids


def test_a_fifth_of_each_users_items_is_hidden(interactions, rng):
    split = random_holdout(interactions, 0.2, rng)
    assert_divides(interactions, split.train, split.test)
    # 1 and 2 items give none, 3 to 7 one, 8 to 12 two.
    expected = [[0, 0, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2][user % 12] for user in range(40)]
    assert np.diff(split.test.indptr).tolist() == expected


def test_every_user_keeps_something(interactions, rng):
    split = random_holdout(interactions, 0.99, rng)
    assert np.diff(split.train.indptr).tolist() == [1] * 40


def test_which_items_are_hidden_is_random_and_follows_from_the_seed(interactions):
    first, again, other = (
        pairs_of(random_holdout(interactions, 0.5, np.random.default_rng(seed)).test) for seed in (1, 1, 2)
    )
    assert first == again != other


def test_the_future_is_hidden(interactions):
    split = temporal(interactions, 100)
    assert_divides(interactions, split.train, split.test)
    assert split.train.last_played.max() == 99
    assert split.test.last_played.min() == 100


def test_without_times_there_is_no_future(interactions):
    with pytest.raises(InputError, match="no times"):
        temporal(replace(interactions, last_played=np.zeros(interactions.pairs, np.uint32)), 100)


def test_whole_users_are_hidden(interactions, rng):
    split = strong_generalisation(interactions, 10, 0.2, rng)
    assert_divides(interactions, split.train, split.shown, split.test)
    asked = np.flatnonzero(np.diff(split.shown.indptr))
    assert len(asked) == 10
    assert not np.diff(split.train.indptr)[asked].any()
    assert np.all(np.diff(split.train.indptr) + np.diff(split.shown.indptr) > 0)


@pytest.mark.parametrize("fraction", [0.0, 1.0, -0.5, float("nan")])
def test_other_fractions_are_refused(interactions, rng, fraction):
    with pytest.raises(InputError, match="fraction"):
        random_holdout(interactions, fraction, rng)


@pytest.mark.parametrize("users", [0, 40])
def test_some_users_must_be_left(interactions, rng, users):
    with pytest.raises(InputError, match="1 to 39"):
        strong_generalisation(interactions, users, 0.2, rng)
