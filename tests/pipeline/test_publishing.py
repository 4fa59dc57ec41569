"""When a run publishes: pages first, the other models after them, and only these where some are named."""

import shutil
import threading

import pytest

from crossfade import ALS, Cooccurrence
from crossfade.core.errors import SettingsError
from crossfade.core.home import Home
from crossfade.core.progress import silent
from crossfade.importing.imports import import_paths
from crossfade.pipeline.run import preview, run
from crossfade.pipeline.runner import UNWATCHED, Watch
from crossfade.ranking.aliases import Aliases
from crossfade.stores.registry import open_releases
from crossfade.surfaces.asking import OpenRelease

SETTINGS = """
[run]
models = ["als", "cooccurrence", "popularity"]
threads = 1
[models.als]
factors = 8
iterations = 2
"""


def import_counts(home, name, plays):
    """Twelve artists of three tastes; each of forty listeners has played four of one taste."""
    lines = [f"u{user},Band {user % 3}-{(user + turn) % 6},{plays + turn}" for user in range(40) for turn in range(4)]
    path = home.path.parent / f"{name}.csv"
    path.write_text("user,artist,plays\n" + "\n".join(lines) + "\n")
    import_paths(home, [path])


@pytest.fixture
def home(tmp_path):
    made = Home(tmp_path / "home")
    import_counts(made, "first", 3)
    made.settings_file.write_text(SETTINGS)
    return made


@pytest.fixture
def watched(home):
    """Runs, and returns by step what readers had when it was built: the release, its parts and who is in Popular."""

    def run_watched(models=()):
        seen = {}

        def report(step):
            releases = open_releases(home)
            if releases.versions():
                with releases.open() as release:
                    plays = release.tables.item("artist", "Band 0-0").plays
                    seen[step.name] = release.version, release.parts, plays
            return silent

        return seen, run(home, Watch(begun=report), models)

    return run_watched


def test_the_names_of_a_catalogue_are_grouped_once_for_all_surfaces(home, monkeypatch):
    grouped, genuine = [], Aliases._groups
    monkeypatch.setattr(Aliases, "_groups", lambda self, rows: grouped.extend(rows.tolist()) or genuine(self, rows))
    run(home, UNWATCHED)
    assert sorted(grouped) == list(range(18))


def test_pages_are_published_before_the_other_models_are_fitted(home, watched):
    seen, result = watched()
    assert seen.keys() == {"cooccurrence-artist", "popularity-artist"}
    early, parts, _ = seen["popularity-artist"]
    assert parts == ("als-artist", "catalogue", "interactions-artist", "neighbours-als-artist")
    assert open_releases(home).versions() == [result.release] != [early]
    assert {step.name for step in result.steps if step.built} == {step.name for step in result.steps}
    with open_releases(home).open() as release:
        assert {"cooccurrence-artist", "popularity-artist"} < {*release.parts}
        opened = OpenRelease(release)
        assert opened.models == ["als", "cooccurrence", "popularity"]
        assert opened.entries("related", opened.release.tables.item("artist", "Band 0-0").id, model="cooccurrence")


def test_other_models_are_fitted_while_the_pages_are_being_made(home, monkeypatch):
    home.settings_file.write_text(SETTINGS.replace("threads = 1", "threads = 2"))
    together = threading.Barrier(2, timeout=60)
    for model in (ALS, Cooccurrence):

        def fit(self, *arguments, fitting=model.fit, **options):
            together.wait()
            return fitting(self, *arguments, **options)

        monkeypatch.setattr(model, "fit", fit)
    published = []
    run(home, Watch(published=published.append))
    assert len(published) == 1


def test_the_complete_release_does_not_depend_on_the_one_before_it(home, watched):
    _, result = watched()
    shutil.rmtree(home.releases)
    again, _ = watched()
    assert again == {}, "nothing was left to fit, so nothing came early"
    assert open_releases(home).versions()[0].partition("-")[2] == result.release.partition("-")[2]


def test_meanwhile_the_other_models_stay_as_they_were_released(home, watched):
    _, first = watched()
    import_counts(home, "second", 30)
    seen, second = watched()
    assert seen["interactions-artist"][::2] == (first.release, seen["als-artist"][2])
    early, parts, plays = seen["popularity-artist"]
    assert early not in (first.release, second.release)
    assert {"cooccurrence-artist", "popularity-artist"} < {*parts}
    assert plays > seen["als-artist"][2]
    assert open_releases(home).versions() == [first.release, second.release]


def test_nothing_comes_early_under_a_pin_or_where_pages_stay_the_same(home, watched):
    watched()
    home.settings_file.write_text(SETTINGS + "[models.cooccurrence]\nneighbours = 3\n")
    seen, second = watched()
    assert {step.name for step in second.steps if step.built} == {*seen} == {"cooccurrence-artist"}
    releases = open_releases(home)
    releases.activate(second.release)
    import_counts(home, "third", 9)
    seen, _ = watched()
    assert {version for version, _, _ in seen.values()} == {second.release}


def test_only_the_named_model_is_fitted_and_the_others_are_released_as_they_were(home, watched):
    _, alone = watched(["cooccurrence"])
    assert {step.name for step in alone.steps} & {"als-artist", "popularity-artist"} == set()
    with open_releases(home).open() as release:
        assert OpenRelease(release).models == ["cooccurrence"]
    watched()
    _, leading = watched(["cooccurrence"])
    assert leading.published
    with open_releases(home).open() as release:
        assert OpenRelease(release).models == ["cooccurrence", "als", "popularity"]
        entries = OpenRelease(release).entries("related", release.tables.item("artist", "Band 0-0").id)
    _, same = watched(["cooccurrence", "cooccurrence"])
    assert not same.published
    assert {entry.name[:6] for entry in entries} == {"Band 0"}
    assert {step.name: why for step, why in preview(home, ["als"])}["als-artist"] is None


def test_a_model_that_does_not_exist_is_refused(home):
    with pytest.raises(SettingsError, match="there is no model 'als2'"):
        run(home, Watch(), ["als2"])
