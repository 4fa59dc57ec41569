"""The blend of a run: what is hidden, what is made of it, and which pages come when."""

import json

import numpy as np
import pytest

from crossfade.core.home import Home
from crossfade.core.ids import MISSING
from crossfade.core.interactions import Interactions
from crossfade.core.progress import silent
from crossfade.importing.imports import import_paths
from crossfade.models.registry import load_fitted
from crossfade.pipeline import run as running
from crossfade.pipeline.blending import HIDDEN, MOMENT
from crossfade.pipeline.plan import make_plan
from crossfade.pipeline.run import run
from crossfade.pipeline.runner import UNWATCHED, Watch
from crossfade.pipeline.settings import Settings
from crossfade.stores.registry import open_releases

SETTINGS = """
[run]
models = ["blend", "als", "cooccurrence", "popularity"]
search = []
threads = 1
[models.als]
factors = 8
iterations = 2
"""
START, DAY = 1_700_000_000, 86_400
USERS, DAYS = 120, 60


def import_listens(home, name, days):
    """A hundred and twenty listeners of three tastes: each day most play one of the sixty artists of theirs."""
    rng = np.random.default_rng(days.start)
    lines = ["user,artist,track,timestamp"]
    for day in days:
        for user in np.flatnonzero(rng.random(USERS) < 0.7):
            artist = f"Band {user % 3}-{int(60 * rng.random())}"
            lines.append(f"u{user:03d},{artist},Song {int(3 * rng.random())},{START + day * DAY + int(user)}")
    path = home.path.parent / f"{name}.csv"
    path.write_text("\n".join(lines) + "\n")
    import_paths(home, [path])


@pytest.fixture
def home(tmp_path):
    made = Home(tmp_path / "home")
    import_listens(made, "first", range(DAYS))
    made.settings_file.write_text(SETTINGS)
    return made


def artifact(home, step):
    (place,) = (home.runs / step).iterdir()
    return place


def pairs(interactions):
    users = np.repeat(np.arange(len(interactions.user_ids)), np.diff(interactions.indptr))
    return {
        (interactions.user_ids[int(user)], interactions.item_ids[int(item)])
        for user, item in zip(users, interactions.indices, strict=True)
    }


def test_the_cut_hides_what_was_first_played_after_a_moment_and_the_blend_leads(home):
    run(home, UNWATCHED)
    cut = artifact(home, "cut-artist")
    whole, shown, hidden = (
        Interactions.load(place, kind="artist") for place in (artifact(home, "interactions-artist"), cut, cut / HIDDEN)
    )
    moment = json.loads((cut / MOMENT).read_text())
    # Fifteen of a hundred listens lie after it.
    assert moment / 1000 == pytest.approx(START + 0.85 * DAYS * DAY, abs=2 * DAY)
    assert shown.last_played.max() < moment / 1000
    assert not pairs(shown) & pairs(hidden)
    known = {pair for pair in pairs(whole) if shown.user_ids.find(pair[0]) != MISSING}
    assert pairs(hidden) == {pair for pair in known - pairs(shown) if shown.item_ids.find(pair[1]) != MISSING}
    assert (load_fitted(artifact(home, "cut-als-artist")).support == shown.listeners()).all()
    with open_releases(home).open() as release:
        blend = load_fitted(release.part("blend-artist"))
        assert release.manifest.identity.settings["run"]["models"][0] == "blend"
    assert list(blend.members) == ["als", "cooccurrence", "popularity"]
    assert blend.current == {"als", "cooccurrence", "popularity"}
    assert blend.weights.learned
    assert (blend.support == whole.listeners()).all()


def test_the_models_of_a_blend_take_no_room_twice(home):
    run(home, UNWATCHED)
    own, linked = artifact(home, "als-artist"), artifact(home, "blend-artist") / "members" / "als"
    name = "item_vectors.npy"
    assert (own / name).stat().st_ino == (linked / name).stat().st_ino


def test_counts_without_times_are_hidden_at_random(home):
    path = home.path.parent / "counts.csv"
    lines = [f"v{user},Act {(user + turn * turn) % 40},{turn + 1}" for user in range(150) for turn in range(16)]
    path.write_text("user,artist,plays\n" + "\n".join(lines) + "\n")
    counted = Home(home.path.parent / "counted")
    import_paths(counted, [path])
    counted.settings_file.write_text(SETTINGS)
    run(counted, UNWATCHED)
    cut = artifact(counted, "cut-artist")
    assert json.loads((cut / MOMENT).read_text()) is None
    whole, shown, hidden = (
        Interactions.load(place, kind="artist")
        for place in (artifact(counted, "interactions-artist"), cut, cut / HIDDEN)
    )
    assert pairs(shown) | pairs(hidden) == pairs(whole)
    assert not pairs(shown) & pairs(hidden)
    assert hidden.pairs / whole.pairs == pytest.approx(0.15, abs=0.04)


@pytest.mark.parametrize("long", [True, False])
def test_pages_of_one_model_come_first_only_in_a_large_library_without_a_release(home, monkeypatch, long):
    monkeypatch.setattr(running, "LONG", 1 if long else 10**9)
    published, seen = [], {}

    def begun(step):
        seen.setdefault(step.name, len(published))
        return silent

    result = run(home, Watch(begun=begun, published=published.append))
    assert len(published) == long
    assert seen["weights-artist"] == long
    assert ("neighbours-als-artist" in seen) == long
    assert open_releases(home).versions() == [result.release]
    import_listens(home, "second", range(DAYS, DAYS + 30))
    published.clear()
    run(home, Watch(published=published.append))
    assert published == []


def test_weights_are_kept_while_little_has_come_and_profiles_are_of_today(home):
    run(home, UNWATCHED)
    import_listens(home, "second", range(DAYS, DAYS + 1))
    plan = make_plan(home, Settings.of(home))
    assert {step.name for step in plan.kept()} == {"weights-artist", "weights-track", "als-artist", "als-track"} | {
        f"cooccurrence-{kind}" for kind in ("artist", "track")
    }
    assert "cut-artist" not in plan.steps
    run(home, UNWATCHED)
    with open_releases(home).open() as release:
        blend = load_fitted(release.part("blend-artist"))
    assert blend.current == {"popularity"}
    rows = np.arange(USERS, dtype=np.int32)
    trained = blend.best(blend.trained_profiles(rows), 5)
    folded = blend.best(blend.profiles(blend.trained), 5)
    np.testing.assert_array_equal(trained.rows, folded.rows)
    assert "cut-artist" in make_plan(home, Settings.of(home), full=True).steps


def test_one_model_is_no_blend(home):
    home.settings_file.write_text(SETTINGS.replace('"als", "cooccurrence", "popularity"', '"als"'))
    plan = make_plan(home, Settings.of(home))
    assert plan.skipped["blend-artist"] == "it takes two models or more"
    assert "neighbours-als-artist" in plan.steps
