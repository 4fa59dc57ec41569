"""Which fit a fit starts from: the last one of the same settings, unless what it learned from is no longer there."""

import pytest

from crossfade.core.home import Home
from crossfade.importing.imports import import_paths
from crossfade.pipeline import plan as planning
from crossfade.pipeline import warm
from crossfade.pipeline.forgetting import forget
from crossfade.pipeline.plan import make_plan
from crossfade.pipeline.run import run
from crossfade.pipeline.runner import UNWATCHED
from crossfade.pipeline.settings import Settings

SETTINGS = "[run]\nmodels = ['als']\n[models.als]\nfactors = 8\niterations = 2\n"


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setattr(planning, "LEAST_PLAYS", 1)
    made = Home(tmp_path / "home")
    import_day(made, "monday")
    made.settings_file.write_text(SETTINGS)
    return made


def import_day(home, name):
    lines = [f"u{user},{name}'s Band {(user + turn) % 6},{turn + 1}" for user in range(20) for turn in range(3)]
    path = home.path.parent / f"{name}.csv"
    path.write_text("user,artist,plays\n" + "\n".join(lines) + "\n")
    import_paths(home, [path])


def fit_of(home):
    return make_plan(home, Settings.of(home)).steps["als-artist"]


def test_a_day_after_starts_from_the_last_fit_and_stays_as_it_is(home):
    first = fit_of(home)
    assert (first.start, first.warm_fits) == ("", 0)
    run(home, UNWATCHED)
    assert fit_of(home) == first
    import_day(home, "tuesday")
    second = fit_of(home)
    assert (second.start, second.warm_fits) == (first.fingerprint, 1)
    assert second.identity.inputs["start"] == first.fingerprint
    result = run(home, UNWATCHED)
    assert result.published
    assert fit_of(home) == second
    assert not run(home, UNWATCHED).published
    import_day(home, "wednesday")
    assert (fit_of(home).start, fit_of(home).warm_fits) == (second.fingerprint, 2)


def test_every_so_often_a_fit_starts_from_nothing(home, monkeypatch):
    monkeypatch.setattr(warm, "MOST_WARM_FITS", 1)
    for day in ("tuesday", "wednesday", "thursday"):
        run(home, UNWATCHED)
        import_day(home, day)
    assert fit_of(home).warm_fits == 1
    run(home, UNWATCHED)
    import_day(home, "friday")
    assert fit_of(home).warm_fits == 0


def test_what_was_forgotten_is_no_start(home):
    import_day(home, "tuesday")
    run(home, UNWATCHED)
    forget(home, ["tuesday"])
    assert fit_of(home).start == ""


@pytest.mark.parametrize("more", ["factors = 9", "warm_iterations = 0", "[interactions]\nweight = 'log'"])
def test_other_settings_start_from_nothing(home, more):
    run(home, UNWATCHED)
    settings = SETTINGS.replace("factors = 8\n", "") if more.startswith("factors") else SETTINGS
    home.settings_file.write_text(settings + more + "\n")
    import_day(home, "tuesday")
    assert fit_of(home).start == ""


def test_a_small_library_always_starts_from_nothing(home, monkeypatch):
    run(home, UNWATCHED)
    monkeypatch.setattr(planning, "LEAST_PLAYS", warm.LEAST_PLAYS)
    import_day(home, "tuesday")
    assert fit_of(home).start == ""


def test_a_damaged_fit_is_no_start(home):
    run(home, UNWATCHED)
    (home.runs / "als-artist").joinpath(fit_of(home).fingerprint[:16], "space.json").write_text("{}")
    import_day(home, "tuesday")
    assert fit_of(home).start == ""
