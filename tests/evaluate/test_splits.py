"""Splits: nothing is lost, nothing stands on both sides, and users keep what they need."""

from dataclasses import replace

import numpy as np
import pytest

from crossfade.core.errors import InputError
from crossfade.core.interactions import Interactions
from crossfade.evaluate.splits import k_fold, random_holdout, strong_generalisation, temporal, temporal_listens


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


PLAYS = (
    ["ann", "ann", "ann", "bob", "ann", "bob", "cy"],
    ["x", "x", "y", "x", "x", "z", "x"],
    [1, 2, 3, 3, 7, 8, 9],
)


def named(interactions):
    users = np.repeat([*interactions.user_ids], np.diff(interactions.indptr))
    items = np.array([*interactions.item_ids])[interactions.indices]
    return dict(zip(zip(users.tolist(), items.tolist(), strict=True), interactions.plays.tolist(), strict=True))


def test_later_plays_are_hidden_and_repeats_are_apart():
    split = temporal_listens(*PLAYS, 7)
    assert named(split.train) == {("ann", "x"): 2, ("ann", "y"): 1, ("bob", "x"): 1}
    assert named(split.test) == {("bob", "z"): 1, ("cy", "x"): 1}
    assert named(split.repeats) == {("ann", "x"): 1}


def test_plays_have_dates_too():
    users, items, seconds = PLAYS
    dates = np.array(seconds, dtype="datetime64[s]")
    split = temporal_listens(users, items, dates, "1970-01-01T00:00:07")
    assert named(split.train) == named(temporal_listens(*PLAYS, 7).train)


@pytest.mark.parametrize(("moment", "told"), [(0, "fitted on"), (10, "asked for")])
def test_both_parts_have_plays(moment, told):
    with pytest.raises(InputError, match=told):
        temporal_listens(*PLAYS, moment)
    with pytest.raises(InputError, match="unequal"):
        temporal_listens(["ann"], ["x", "y"], [1, 2], 2)


def test_each_pair_is_hidden_in_one_fold(interactions, rng):
    folds = k_fold(interactions, 3, rng)
    lengths = np.diff(interactions.indptr)
    for split in folds:
        assert_divides(interactions, split.train, split.test)
        assert np.all(np.diff(split.train.indptr) >= 1)
        assert np.all(np.abs(np.diff(split.test.indptr) - lengths / 3) < 1)
    hidden = [pairs_of(split.test) for split in folds]
    assert sum(map(len, hidden)) == len(set.union(*hidden)) == interactions.pairs - np.count_nonzero(lengths == 1)
    with pytest.raises(InputError, match="2 folds"):
        k_fold(interactions, 1, rng)


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
