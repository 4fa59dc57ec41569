"""Popularity, counted by hand; its published numbers are in tests/evaluate."""

import dataclasses

import numpy as np
import pytest

from crossfade.core.errors import InputError
from crossfade.core.interactions import Interactions
from crossfade.models.popularity import Popularity

DAY = 86_400


@pytest.fixture
def interactions():
    """Three users; times in days 0, 10 and 20 after the first."""
    played = Interactions.from_counts(
        ["ann", "ann", "bob", "bob", "cas"], ["abba", "beck", "abba", "cher", "cher"], [9, 1, 2, 5, 1]
    )
    times = 1_000_000_000 + DAY * np.array([0, 20, 0, 10, 20])
    return dataclasses.replace(played, last_played=times.astype(np.uint32))


def popularity(fitted):
    return dict(zip(fitted.item_ids, fitted.space.item_vectors[:, 0].tolist(), strict=True))


def test_listeners_or_weights_are_counted(interactions):
    assert popularity(Popularity().fit(interactions)) == {"abba": 2, "beck": 1, "cher": 2}
    assert popularity(Popularity(counted="weights").fit(interactions)) == {"abba": 11, "beck": 1, "cher": 6}


def test_what_was_played_long_ago_fades(interactions):
    # Half-life 10 days, the latest play on day 20: day 0 counts a quarter, day 10 a half.
    assert popularity(Popularity(half_life_days=10.0).fit(interactions)) == {"abba": 0.5, "beck": 1, "cher": 1.5}
    weighed = Popularity(half_life_days=10.0, counted="weights").fit(interactions)
    assert popularity(weighed) == {"abba": 11 / 4, "beck": 1, "cher": 3.5}


def test_a_pair_without_a_time_counts_as_the_oldest(interactions):
    times = interactions.last_played.copy()
    times[0] = 0  # was day 0, as is the oldest of the others
    fitted = Popularity(half_life_days=10.0).fit(dataclasses.replace(interactions, last_played=times))
    assert popularity(fitted)["abba"] == 0.5


def test_without_any_times_nothing_can_fade(interactions):
    timeless = dataclasses.replace(interactions, last_played=np.zeros(5, dtype=np.uint32))
    with pytest.raises(InputError, match="no times"):
        Popularity(half_life_days=10.0).fit(timeless)
    assert popularity(Popularity().fit(timeless))["abba"] == 2


def test_everybody_gets_the_same_but_what_they_played(interactions):
    fitted = Popularity().fit(interactions)
    assert fitted.recommend(["ann", "cas"], 3).rows.tolist() == [[0, 2, 1]] * 2
    for users in (["ann", "bob", "cas"], interactions):
        found = fitted.recommend(users, 3, exclude=interactions)
        assert found.listed(0, fitted.item_ids) == [("cher", 2)]
        assert found.listed(2, fitted.item_ids) == [("abba", 2), ("beck", 1)]
