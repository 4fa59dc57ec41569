"""Popularity: counted by hand, and the published numbers of a published split."""

import dataclasses

import numpy as np
import pytest

from crossfade.core.errors import InputError, SettingsError
from crossfade.core.interactions import Interactions
from crossfade.evaluate.recommendation import evaluate_space
from crossfade.models.popularity import Popularity, PopularitySettings, PopularitySpace
from crossfade.models.registry import load_space

DAY = 86_400


@pytest.fixture
def interactions():
    """Three users; times in days 0, 10 and 20 after the first."""
    played = Interactions.from_counts(
        ["ann", "ann", "bob", "bob", "cas"], ["abba", "beck", "abba", "cher", "cher"], [9, 1, 2, 5, 1]
    )
    times = 1_000_000_000 + DAY * np.array([0, 20, 0, 10, 20])
    return dataclasses.replace(played, last_played=times.astype(np.uint32))


def popularity(space):
    return dict(zip(space.item_ids, space.item_vectors[:, 0].tolist(), strict=True))


def test_listeners_or_weights_are_counted(interactions):
    assert popularity(Popularity().fit(interactions)) == {"abba": 2, "beck": 1, "cher": 2}
    assert popularity(Popularity(counted="weights").fit(interactions)) == {"abba": 11, "beck": 1, "cher": 6}


def test_what_was_played_long_ago_fades(interactions):
    # CSR-life 10 days, the latest play on day 20: day 0 counts a quarter, day 10 a half.
    assert popularity(Popularity(half_life_days=10.0).fit(interactions)) == {"abba": 0.5, "beck": 1, "cher": 1.5}
    weighed = Popularity(half_life_days=10.0, counted="weights").fit(interactions)
    assert popularity(weighed) == {"abba": 11 / 4, "beck": 1, "cher": 3.5}


def test_a_pair_without_a_time_counts_as_the_oldest(interactions):
    times = interactions.last_played.copy()
    times[0] = 0  # was day 0, as is the oldest of the others
    space = Popularity(half_life_days=10.0).fit(dataclasses.replace(interactions, last_played=times))
    assert popularity(space)["abba"] == 0.5


def test_without_any_times_nothing_can_fade(interactions):
    timeless = dataclasses.replace(interactions, last_played=np.zeros(5, dtype=np.uint32))
    with pytest.raises(InputError, match="no times"):
        Popularity(half_life_days=10.0).fit(timeless)
    assert popularity(Popularity().fit(timeless))["abba"] == 2


def test_everybody_gets_the_same_but_what_they_know(interactions, tmp_path):
    fit = Popularity().fit(interactions)
    fit.save(tmp_path)
    for space in (fit, load_space(tmp_path)):
        assert isinstance(space, PopularitySpace)
        found = space.recommend(["ann", "cas"], 3)
        assert found.rows.tolist() == [[0, 2, 1]] * 2
        found = space.recommend(["ann", "cas"], 3, exclude=interactions)
        assert found.listed(0, space.item_ids) == [("cher", 2)]
        assert found.listed(1, space.item_ids) == [("abba", 2), ("beck", 1)]


def test_it_knows_no_similar_items(interactions):
    with pytest.raises(InputError, match="no similar items"):
        Popularity().fit(interactions).similar(["abba"], 1)


@pytest.mark.parametrize("wrong", [{"counted": "likes"}, {"half_life_days": -1.0}, {"half_life_days": float("nan")}])
def test_settings_that_mean_nothing_are_refused(wrong):
    (name,) = wrong
    with pytest.raises(SettingsError, match=name):
        PopularitySettings(**wrong)


def test_the_model_is_made_from_settings_or_keywords(interactions):
    assert Popularity(half_life_days=3.0).settings == Popularity(PopularitySettings(half_life_days=3.0)).settings
    with pytest.raises(SettingsError, match="no such setting"):
        Popularity(half_life=3.0)
    with pytest.raises(SettingsError, match="not from both"):
        Popularity(PopularitySettings(), half_life_days=3.0)
    empty = Interactions.from_counts([], [], [])
    with pytest.raises(InputError, match="no interactions"):
        Popularity().fit(empty)


def test_the_published_numbers_of_a_published_split(shared_data):
    def read(name):
        rows = [line.split() for line in (shared_data / "movielens1m-m1" / name).read_text().splitlines()]
        users = [row[0] for row in rows for _ in row[1:]]
        items = [item for row in rows for item in row[1:]]
        return Interactions.from_counts(users, items, np.ones(len(users)))

    train, test = read("train.txt"), read("test.txt")
    report = evaluate_space(Popularity().fit(train), train, test, 20)
    assert report.estimates["recall@20"].value == pytest.approx(0.1161, abs=5e-5)
    assert report.estimates["ndcg@20"].value == pytest.approx(0.1176, abs=5e-5)
