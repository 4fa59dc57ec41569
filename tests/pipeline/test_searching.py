"""The search of settings in a run: when there is one, what is fitted then, and how long its result serves."""

import json

import pytest

from crossfade.core.errors import NotReadyError, SettingsError
from crossfade.core.home import Home
from crossfade.evaluate.searching import Found
from crossfade.importing.imports import import_paths
from crossfade.models.registry import load_fitted
from crossfade.pipeline import learning
from crossfade.pipeline import plan as planning
from crossfade.pipeline.forgetting import forget
from crossfade.pipeline.plan import make_plan
from crossfade.pipeline.run import run
from crossfade.pipeline.runner import UNWATCHED
from crossfade.pipeline.settings import Settings
from crossfade.pipeline.tuned import interactions_of, write_tuned

SETTINGS = "[run]\nmodels = ['als']\n[models.als]\niterations = 1\n"


@pytest.fixture
def searches(monkeypatch):
    """What each search was given; each finds the same."""
    given = []

    def search(model, interactions, settings, **options):
        given.append(settings)
        return Found(settings={"factors": 16, "noise": 0.2}, tried=())

    monkeypatch.setattr(learning, "search_settings", search)
    return given


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setattr(planning, "LEAST_PAIRS", 1)
    made = Home(tmp_path / "home")
    import_day(made, "monday", 30)
    made.settings_file.write_text(SETTINGS)
    return made


def import_day(home, name, users, turns=3):
    lines = [f"u{user},{name}'s Band {(user + turn) % 9},{turn + 1}" for user in range(users) for turn in range(turns)]
    path = home.path.parent / f"{name}.csv"
    path.write_text("user,artist,plays\n" + "\n".join(lines) + "\n")
    import_paths(home, [path])


def steps_of(home):
    return make_plan(home, Settings.of(home)).steps


def fitted(home):
    run(home, UNWATCHED)
    return load_fitted(steps_of(home)["als-artist"].place(home)).settings


def test_a_fit_has_the_settings_that_were_found_and_those_that_were_given(home, searches):
    settings = fitted(home)
    assert (settings["factors"], settings["noise"], settings["iterations"]) == (16, 0.2, 1)
    assert searches == [{"iterations": 1}]


def test_what_a_user_sets_wins_and_may_leave_nothing_to_search(home, searches):
    home.settings_file.write_text(SETTINGS + "factors = 8\n")
    fitted(home)
    assert searches == [{"factors": 8, "iterations": 1}]
    home.settings_file.write_text(SETTINGS + "factors = 8\nregularization = 0.1\n")
    assert "search-als-artist" not in steps_of(home)
    home.settings_file.write_text(SETTINGS.replace("[models", "search = []\n[models"))
    assert "search-als-artist" not in steps_of(home)
    assert fitted(home)["factors"] == 64


def test_a_small_library_is_not_searched(home, monkeypatch):
    monkeypatch.setattr(planning, "LEAST_PAIRS", 91)
    assert "search-als-artist" not in steps_of(home)


def test_a_result_serves_while_little_is_new(home, searches):
    fitted(home)
    first = steps_of(home)["search-als-artist"]
    import_day(home, "tuesday", 7)  # 21 plays after 90
    assert steps_of(home)["search-als-artist"].fingerprint == first.fingerprint
    assert fitted(home)["factors"] == 16
    import_day(home, "wednesday", 2)
    assert steps_of(home)["search-als-artist"].fingerprint != first.fingerprint
    fitted(home)
    assert len(searches) == 2


def test_a_result_does_not_outlive_what_it_was_searched_on(home, searches):
    import_day(home, "tuesday", 3)
    fitted(home)
    forget(home, ["tuesday"])
    assert not [*(home.runs / "search-als-artist").glob("*/found.json")]
    fitted(home)
    assert len(searches) == 2


def test_tuned_settings_come_after_those_of_the_user_and_before_a_search(home, searches):
    home.tuned_file.write_text("[als-artist]\nfactors = 24\nnoise = 0.3\niterations = 2\n[als-track]\nfactors = 9\n")
    settings = fitted(home)
    assert (settings["factors"], settings["noise"], settings["iterations"]) == (24, 0.3, 1)
    assert searches == []
    home.tuned_file.write_text("[als-artist]\nfactor = 24\n")
    with pytest.raises(SettingsError, match=r"tuned.toml: \[als-artist\].*'factors'"):
        steps_of(home)
    home.tuned_file.unlink()
    assert fitted(home)["factors"] == 16


def test_a_search_writes_what_it_tried(home, monkeypatch):
    monkeypatch.setattr("crossfade.evaluate.searching.LEAST_PAIRS", 1)
    monkeypatch.setattr("crossfade.evaluate.searching.LEAST_USERS", 1)
    monkeypatch.setattr("crossfade.evaluate.searching.MOST", 64)
    import_day(home, "tuesday", 30, turns=6)
    fitted(home)
    (place,) = (home.runs / "search-als-artist").glob("*/found.json")
    assert len(json.loads(place.read_text())["tried"]) >= 3


def test_tuning_writes_what_the_next_run_takes(home, searches):
    with pytest.raises(NotReadyError, match="crossfade run"):
        interactions_of(home, Settings.of(home), None)
    fitted(home)
    counted = interactions_of(home, Settings.of(home), "artist")
    assert (counted.kind, counted.pairs) == ("artist", 90)
    write_tuned(home, "als", "artist", {"factors": 24, "noise": 0.25, "confidence": "linear"})
    write_tuned(home, "logistic", "artist", {"factors": 128})
    settings = fitted(home)
    assert (settings["noise"], settings["confidence"]) == (0.25, "linear")
    # Without settings its table goes, and the others stay.
    write_tuned(home, "als", "artist", {})
    assert dict(Settings.of(home).tuned) == {"logistic-artist": {"factors": 128}}
    assert fitted(home)["confidence"] == "log"
