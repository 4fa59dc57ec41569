"""The search of settings: where it goes, what it leaves alone, and that a library gains by it."""

import numpy as np
import pytest

from crossfade.core.interactions import Interactions
from crossfade.core.settings import Range
from crossfade.evaluate import searching
from crossfade.evaluate.searching import NOTHING_FOUND, _Search, search_settings, validation_cut


@pytest.fixture
def fine():
    """900 users of 150 tastes of twelve items each: more tastes than factors, with some plays by chance."""
    rng = np.random.default_rng(0)
    users = np.repeat(np.arange(900), 10)
    tastes = (users % 150) * 12 + rng.integers(0, 12, len(users))
    items = np.where(rng.random(len(users)) < 0.8, tastes, rng.integers(0, 1800, len(users)))
    return Interactions.from_counts([f"u{user}" for user in users], [f"i{item}" for item in items])


@pytest.fixture
def small_enough(monkeypatch):
    monkeypatch.setattr(searching, "LEAST_PAIRS", 1000)


def searching_by(monkeypatch, ndcg):
    """A search whose fits are replaced by a formula."""
    search = object.__new__(_Search)
    search.tried, search._cost = [], ((1000, 1000), 20_000)
    search._limits = {"noise": Range(above=0, high=10)}
    monkeypatch.setattr(_Search, "_ndcg", lambda self, settings: ndcg(settings))
    return search


@pytest.mark.parametrize(("best", "found"), [(0.2, 0.2), (0.3, 0.3), (0.45, 0.45), (0.675, 0.675)])
def test_a_free_number_goes_where_ndcg_grows(monkeypatch, best, found):
    search = searching_by(monkeypatch, lambda settings: 1 - abs(np.log(settings["noise"] / best)))
    assert search.moved({"noise": 0.45}, "noise")["noise"] == pytest.approx(found)


@pytest.mark.parametrize(("power", "found"), [(1, 7.69), (-1, 1e-6)])
def test_a_number_stays_within_what_its_setting_accepts(monkeypatch, power, found):
    search = searching_by(monkeypatch, lambda settings: settings["noise"] ** power)
    assert search.moved({"noise": 0.45}, "noise")["noise"] == pytest.approx(found, rel=1e-3)


def test_a_gain_that_may_be_chance_is_no_gain(monkeypatch):
    search = searching_by(monkeypatch, lambda settings: 0.2 + 0.0009 * (settings["noise"] < 0.45))
    assert search.moved({"noise": 0.45}, "noise") == {"noise": 0.45}


@pytest.mark.parametrize(("gain", "found"), [(1.02, 64), (1.04, 256)])
def test_a_size_is_doubled_where_that_pays_and_no_further_than_the_most(monkeypatch, gain, found):
    search = searching_by(monkeypatch, lambda settings: gain ** np.log2(settings["factors"] / 64))
    assert search.doubled({"factors": 64}, "factors") == {"factors": found}


def test_a_size_is_not_tried_where_a_fit_would_take_long(monkeypatch):
    search = searching_by(monkeypatch, lambda settings: settings["factors"])
    search._cost = (1_000_000, 300_000), 100_000_000
    assert search.doubled({"factors": 64}, "factors") == {"factors": 64}


def test_fine_tastes_are_held_back_less_and_the_same_again(fine, small_enough):
    given = {"factors": 64, "iterations": 4}
    found = search_settings("als", fine, given)
    assert found.settings["noise"] < 0.45
    assert max(one.ndcg for one in found.tried) > 1.03 * found.tried[0].ndcg
    assert search_settings("als", fine, given, threads=1) == found


def test_what_somebody_has_set_is_left_alone_with_what_it_replaces(fine, small_enough):
    assert search_settings("als", fine, {"factors": 16, "regularization": 0.1}) == NOTHING_FOUND
    assert {*search_settings("als", fine, {"factors": 8, "iterations": 1}).settings} <= {"noise"}


def test_little_data_and_models_without_such_settings_keep_their_defaults(fine, small_enough, monkeypatch):
    assert search_settings("popularity", fine, {}) == NOTHING_FOUND
    monkeypatch.setattr(searching, "LEAST_PAIRS", fine.pairs + 1)
    assert search_settings("als", fine, {}) == NOTHING_FOUND


def test_histories_too_short_to_hide_something_keep_the_defaults(monkeypatch):
    monkeypatch.setattr(searching, "LEAST_PAIRS", 1)
    users = np.repeat(np.arange(1000), 4)
    items = np.arange(4000) * 7 % 60
    short = Interactions.from_counts([f"u{user}" for user in users], [f"i{item}" for item in items])
    assert search_settings("als", short, {}) == NOTHING_FOUND


def test_the_cut_bounds_pairs_and_users(fine, monkeypatch):
    monkeypatch.setattr(searching, "MOST_PAIRS", 3000)
    monkeypatch.setattr(searching, "MOST_ASKED", 50)
    cut = validation_cut(fine, np.random.default_rng(0))
    assert 2500 < cut.train.pairs + cut.test.pairs <= 3000
    assert np.count_nonzero(np.diff(cut.test.indptr)) == 50
    assert cut.train.shape == fine.shape
