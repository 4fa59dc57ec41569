"""Tuning: what is tried, that it goes on where it stopped, and that only what holds on another cut is recommended."""

import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from crossfade.core.errors import InputError, SettingsError, StorageError
from crossfade.core.interactions import Interactions
from crossfade.evaluate import tuning
from crossfade.evaluate.tuning import tried_range, tune, tuned_settings
from crossfade.evaluate.tuning_plot import plot
from crossfade.models.registry import MODELS, model_class

pytest.importorskip("optuna", reason="crossfade tune needs Optuna")


@pytest.fixture
def interactions():
    rng = np.random.default_rng(0)
    users = np.repeat(np.arange(60), 10)
    items = (users % 6) * 12 + rng.integers(0, 12, len(users))
    return Interactions.from_counts([f"u{user}" for user in users], [f"i{item}" for item in items])


@pytest.fixture
def formula(monkeypatch):
    """Fits replaced by a formula whose best noise is 0.2, and what was fitted."""
    fitted = []

    def ndcg(name, settings, cut, threads):
        fitted.append(settings)
        return 0.3 - 0.01 * abs(np.log(settings["noise"] / 0.2)) - 0.05 * (settings["confidence"] == "linear")

    monkeypatch.setattr(tuning, "ndcg_of", ndcg)
    return fitted


def settings_of(name):
    return {one.name: one for one in tuned_settings(name, {})}


def test_numbers_are_tried_around_their_defaults_and_narrow_ranges_as_a_whole():
    als = settings_of("als")
    assert tried_range(als["factors"]) == (16, 256)
    assert tried_range(als["noise"]) == (0.45 / 4, 0.45 * 4)
    assert tried_range(als["frequency_exponent"]) == (0, 2)
    assert als["confidence"].choices == ("linear", "log")
    assert tried_range(settings_of("word2vec")["negative_exponent"]) == (-2, 2)


@pytest.mark.parametrize("name", [name for name in MODELS if model_class(name).tuned])
def test_every_range_is_accepted_by_its_setting(name):
    made = model_class(name).settings_class
    for one in tuned_settings(name, {}):
        for value in one.choices or tried_range(one):
            made(**{one.name: value})
        if not one.choices:
            low, high = tried_range(one)
            assert low <= one.default <= high
            assert low < high


def test_tuning_finds_what_is_better_ends_poor_trials_and_says_what_mattered(interactions, formula, tmp_path):
    told = []
    tuned = tune("als", interactions, {"factors": 8}, tmp_path, trials=14, progress=lambda *now: told.append(now))
    assert tuned.settings["noise"] == pytest.approx(0.2, abs=0.12)
    assert "factors" not in tuned.settings
    assert tuned.best > tuned.default
    assert {fit["factors"] for fit in formula} == {8}
    assert tuned.trials[0].settings["noise"] == 0.45
    assert len(tuned.trials) == 14
    assert sum(tuned.importance.values()) == pytest.approx(1)
    assert told[-1] == (14, 14, "trials")
    # A trial that is poor with few iterations ends there; the others were fitted twice where they have more.
    assert any(trial.pruned for trial in tuned.trials)
    long = sum(trial.settings["iterations"] > 5 for trial in tuned.trials if not trial.pruned)
    assert len(formula) == len(tuned.trials) + long + 2
    texts = [text.text for text in ElementTree.fromstring(plot(tuned)).iter() if text.text]
    assert {"noise", "unplayed", "confidence", "iterations"} <= {*texts}


def test_tuning_goes_on_where_it_stopped(interactions, formula, tmp_path):
    first = tune("als", interactions, {}, tmp_path, trials=2)
    again = tune("als", interactions, {}, tmp_path, trials=3)
    assert again.trials[:2] == first.trials
    assert len(again.trials) == 3
    assert len(tune("als", interactions, {"factors": 16}, tmp_path, trials=1).trials) == 1


def test_nothing_is_recommended_that_is_no_better_on_another_cut(interactions, monkeypatch, tmp_path):
    rng = np.random.default_rng(0)
    chance = iter([*(0.2 + 0.05 * rng.random(4)), 0.2, 0.2])
    monkeypatch.setattr(tuning, "ndcg_of", lambda *asked: next(chance))
    tuned = tune("cooccurrence", interactions, {}, tmp_path, trials=4)
    assert (tuned.settings, tuned.best, tuned.default) == ({}, 0.2, 0.2)


def test_a_fit_that_diverges_is_a_poor_trial(interactions, monkeypatch, tmp_path):
    def ndcg(name, settings, cut, threads):
        if settings["noise"] > 0.45:
            raise InputError("the item vectors must be finite")
        return settings["noise"]

    monkeypatch.setattr(tuning, "ndcg_of", ndcg)
    found = tune("als", interactions, {"factors": 8}, tmp_path, trials=8)
    assert any(trial.ndcg == 0 for trial in found.trials)
    assert found.best > 0


def test_a_damaged_study_says_how_to_begin_again(interactions, formula, tmp_path):
    (tmp_path / "study.sqlite").write_bytes(b"no database" * 100)
    with pytest.raises(StorageError, match=r"study.sqlite cannot be read: .* Remove it"):
        tune("als", interactions, {}, tmp_path, trials=1)


def test_a_real_fit_is_tuned(interactions, tmp_path):
    tuned = tune("cooccurrence", interactions, {}, tmp_path, trials=1)
    assert 0 < tuned.default <= tuned.best <= 1


def test_what_cannot_be_tuned_is_refused(interactions, tmp_path):
    with pytest.raises(SettingsError, match="no settings to tune"):
        tune("popularity", interactions, {}, tmp_path)
    with pytest.raises(InputError, match="texts"):
        tune("cultural", interactions, {}, tmp_path)
    short = Interactions.from_counts(["a", "b"], ["x", "y"])
    with pytest.raises(InputError, match="five or more"):
        tune("als", short, {}, tmp_path)
