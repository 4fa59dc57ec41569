"""Which earlier fit is kept, or is what a fit starts from: none whose imports are no longer there as they were."""

import shutil

import pytest

from crossfade.core.artifacts import writing
from crossfade.core.home import Home
from crossfade.importing.imports import import_paths
from crossfade.models.als import ALS
from crossfade.pipeline import earlier
from crossfade.pipeline.earlier import EarlierFits
from crossfade.pipeline.forgetting import forget
from crossfade.pipeline.gathering import CountInteractions
from crossfade.pipeline.learning import BuildSurface, FitModel, KeepFit
from crossfade.pipeline.plan import make_plan
from crossfade.pipeline.run import preview, run
from crossfade.pipeline.runner import UNWATCHED, Watch
from crossfade.pipeline.settings import Settings
from crossfade.pipeline.steps import needing
from crossfade.stores.registry import open_releases

SETTINGS = "[run]\nmodels = ['als']\n[models.als]\nfactors = 8\niterations = 2\n"


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setattr(earlier, "LEAST_PLAYS", 1)
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
    monkeypatch.setattr(earlier, "MOST_WARM_FITS", 1)
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


def test_a_fit_of_another_version_of_the_model_is_made_anew(home, monkeypatch):
    run(home, UNWATCHED)
    before = fit_of(home)
    monkeypatch.setattr(ALS, "version", 2)
    assert not fit_of(home).is_done(home)
    assert fit_of(home).why(home) == "its layout changed with this version of Crossfade"
    import_day(home, "tuesday")
    assert (before.start, fit_of(home).start) == ("", "")


def test_a_small_library_always_starts_from_nothing(home, monkeypatch):
    run(home, UNWATCHED)
    monkeypatch.setattr(earlier, "LEAST_PLAYS", 1_000_000)
    import_day(home, "tuesday")
    assert fit_of(home).start == ""


def test_a_damaged_fit_is_no_start(home):
    run(home, UNWATCHED)
    (home.runs / "als-artist").joinpath(fit_of(home).fingerprint[:16], "space.json").write_text("{}")
    import_day(home, "tuesday")
    assert fit_of(home).start == ""


MORE = "[run]\nmodels = ['als', 'cooccurrence', 'popularity', 'word2vec']\n[models.als]\nfactors = 8\niterations = 2\n"


def import_listens(home, name, rows):
    path = home.path.parent / f"{name}.csv"
    first = 1_700_000_000 + 1_000_000 * len([*home.listens.glob("*")])
    lines = [f"{user},{artist},{first + 600 * number}" for number, (user, artist) in enumerate(rows)]
    path.write_text("user,artist,timestamp\n" + "\n".join(lines) + "\n")
    import_paths(home, [path])


def taste(user, turn):
    return f"u{user}", f"Band {user % 3}-{(user + turn) % 7}"


@pytest.fixture(scope="module")
def after_a_run(tmp_path_factory):
    """The home of two hundred listens, after a run."""
    made = Home(tmp_path_factory.mktemp("library") / "home")
    import_listens(made, "past", [taste(user, turn) for user in range(40) for turn in range(5)])
    made.settings_file.write_text(MORE)
    run(made, UNWATCHED)
    return made


@pytest.fixture
def library(after_a_run, tmp_path):
    """A copy of `after_a_run`."""
    shutil.copytree(after_a_run.path, tmp_path / "library")
    return Home(tmp_path / "library")


def import_small_day(home, name="day"):
    """Four listens, one by a new listener, one of a new artist."""
    import_listens(
        home, name, [("u1", "Band 0-0"), ("u1", "Band 0-3"), (f"{name}'s", "Band 1-1"), ("u2", f"New {name}")]
    )


def kept_in(home, **how):
    return {name for name, step in make_plan(home, Settings.of(home), **how).steps.items() if isinstance(step, KeepFit)}


def test_a_small_day_keeps_the_fits_and_makes_pages_of_todays_histories(library):
    before = {name: step.fingerprint for name, step in make_plan(library, Settings.of(library)).steps.items()}
    import_small_day(library)
    told = {step.name: (why, step.why_kept) for step, why in preview(library)}
    assert told["als-artist"] == told["word2vec-artist"] == (None, "it was fitted on 98.0% of what there is")
    assert told["popularity-artist"][0] == "import/day is new; interactions-artist changed"
    assert "sequences-artist" not in told
    early = []
    result = run(library, Watch(published=early.append))
    assert early == [], "pages are complete as soon as nothing is left that takes time"
    built = {step.name for step in result.steps if step.built}
    assert built == {name for name, (why, _) in told.items() if why}
    assert built == {
        *("catalog", "interactions-artist", "catalogue", "popularity-artist"),
        *(f"surface-{surface}-artist" for surface in ("related", "radio", "popular", "discover")),
    }
    kept = ("als-artist", "cooccurrence-artist", "word2vec-artist")
    assert result.kept == dict.fromkeys(kept, pytest.approx(200 / 204))
    with open_releases(library).open() as release:
        assert {release.manifest.identity.inputs[name] for name in kept} == {before[name] for name in kept}
        assert release.tables.entries("discover-artist", "day's")
        assert release.tables.item("artist", "New day").listeners == 1
    assert not run(library, UNWATCHED).published


def test_pages_by_a_kept_fit_are_as_good_as_those_of_a_new_one(library):
    import_small_day(library)

    def found():
        """The share of places one and two of pages that have the two bands of a listener's taste that are left."""
        with open_releases(library).open() as release:
            pages = {user: release.tables.entries("discover-artist", f"u{user}", limit=2) for user in range(3, 40)}
        return sum(one.name.startswith(f"Band {user % 3}") for user, page in pages.items() for one in page) / 74

    assert run(library, UNWATCHED).kept
    by_kept = found()
    assert run(library, UNWATCHED, full=True).kept == {}
    assert by_kept >= found() - 0.05 > 0.8
    assert kept_in(library) == set(), "the full fits are there and of today"
    assert not run(library, UNWATCHED).published


def test_days_add_up_until_all_is_fitted_again(library):
    kept = []
    for day in ("monday", "tuesday", "wednesday"):
        import_small_day(library, day)
        kept.append(len(run(library, UNWATCHED).kept))
    assert kept == [3, 3, 0]  # 200 of 204, of 208, of 212


@pytest.mark.parametrize("percent", [0, 1.9])
def test_the_setting_says_how_much_may_have_come(library, percent):
    import_small_day(library)
    library.settings_file.write_text(MORE.replace("[run]", f"[run]\nrefit_percent = {percent}"))
    assert kept_in(library) == set()


@pytest.mark.parametrize(
    ("changed", "stays"),
    [
        ("[interactions]\nhalf_life_days = 30.0", set()),
        ("[catalog]\njoin_names = false", set()),
        ("[models.cooccurrence]\nneighbours = 3", {"als-artist", "word2vec-artist"}),
    ],
)
def test_a_fit_by_other_settings_is_not_kept(library, changed, stays):
    import_small_day(library)
    library.settings_file.write_text(f"{MORE}{changed}\n")
    assert kept_in(library) == stays


def test_a_full_run_keeps_nothing(library):
    import_small_day(library)
    assert len(kept_in(library)) == 3
    assert kept_in(library, full=True) == set()


def test_an_import_that_was_replaced_or_forgotten_is_in_no_kept_fit(library):
    import_small_day(library)
    run(library, UNWATCHED)
    fits = [step.place(library) for step in make_plan(library, Settings.of(library)).kept()]
    forget(library, users=["u3"])
    assert kept_in(library) == set()
    assert len(fits) == 3
    assert not any(place.exists() for place in fits)
    run(library, UNWATCHED)
    import_listens(library, "past", [taste(user, turn) for user in range(40) for turn in range(4)])
    assert kept_in(library) == set()


def test_a_damaged_fit_is_not_kept(library):
    import_small_day(library)
    (place,) = (step.place(library) for step in make_plan(library, Settings.of(library)).kept() if step.model == "als")
    (place / "space.json").write_text("{}")
    assert kept_in(library) == {"cooccurrence-artist", "word2vec-artist"}


def test_a_run_that_was_stopped_ends_as_one_that_was_not(library, tmp_path, monkeypatch):
    import_small_day(library)
    other = Home(tmp_path / "other")
    shutil.copytree(library.path, other.path)

    def stopped(self, draft, context):
        raise InterruptedError

    with monkeypatch.context() as patched:
        patched.setattr(BuildSurface, "run", stopped)
        with pytest.raises(InterruptedError):
            run(library, UNWATCHED)
    releases = [run(home, UNWATCHED).release.partition("-")[2] for home in (library, other)]
    assert releases[0] == releases[1]


@pytest.mark.parametrize(
    ("models", "kept"),
    [(["logistic", "als"], {"als-artist"}), (["als", "logistic"], {"als-artist", "logistic-artist"})],
)
def test_a_model_whose_profiles_take_long_is_not_kept_as_the_leading_one(tmp_path, models, kept):
    home = Home(tmp_path / "home")
    home.path.mkdir()
    home.settings_file.write_text(f"[run]\nmodels = {models}\n")
    import_listens(home, "past", [taste(user, turn) for user in range(40) for turn in range(5)])
    for step in make_plan(home, Settings.of(home)).of("fit"):
        with writing(step.place(home), step.identity):
            pass
    import_small_day(home)
    assert kept_in(home) == kept


@pytest.mark.parametrize(
    ("day", "share"),
    [
        ({"listens": 4, "artists": 90}, 100 / 104),
        ({"listens": 4, "tags": 1}, None),  # ten of eleven tags
        ({"counts": 1}, None),
        ({"friends": 9}, 1.0),
    ],
)
def test_the_table_that_grew_most_decides(home, day, share):
    def source(imports):
        return CountInteractions(kind="artist", imports=imports)

    def fit(imports):
        about = {"model": "als", "kind": "artist", "source": "interactions-artist"}
        return FitModel(**about, learned=imports, needs=needing(source(imports)))

    past, today = {"past": "a" * 64}, {"past": "a" * 64, "day": "b" * 64}
    with writing(fit(past).place(home), fit(past).identity):
        pass
    fits = EarlierFits(home=home, imports=today, rows={"past": {"listens": 100, "tags": 10, "artists": 5}, "day": day})
    chosen = fits.instead_of(fit(today), source, least_share=0.95, warm=False)
    assert (chosen.share if isinstance(chosen, KeepFit) else None) == share
