"""What is planted is found: the truth scores all there is, a model more than dice; held-out playlists stay unseen."""

import numpy as np
import pyarrow.parquet as pq
import pytest
from scipy.stats import spearmanr

from benchmarks import truth
from benchmarks.case import run_case
from benchmarks.libraries import catalog, fitted_vectors, learned
from benchmarks.record import Record
from crossfade.core.home import Home
from crossfade.core.ids import MISSING
from crossfade.demo.importing import import_demo
from crossfade.demo.settings import DemoSettings, truth_place
from crossfade.demo.truth import Truth
from crossfade.pipeline.settings import Settings


@pytest.mark.slow
def test_models_find_more_than_dice_and_the_truth_finds_all(tmp_path):
    words = "--listeners 100 --days 60 --sample 60 --models als popularity cultural --threads 1 --no-limits"
    run_case(
        truth.__doc__,
        truth.options,
        truth.measure,
        arguments=[*words.split(), "--output", str(tmp_path / "truth.json")],
    )
    record = Record.read(tmp_path / "truth.json")
    related = record.comparison("related artists, 100 listeners")
    assert related.side("the truth").figures["precision"] == [1, 1, 1]
    assert related.side("the truth").figures["rank correlation"] == pytest.approx([1, 1, 1])
    assert {side.name for side in related.sides} == {"random", "als", "cultural", "the truth"}
    recommended = record.comparison("recommended artists, 100 listeners")
    for comparison in (related, recommended):
        for name in ("als", "cultural"):
            assert comparison.side(name).figures["precision"][1] > comparison.side("random").figures["precision"][2]
            assert comparison.side(name).figures["rank correlation"][1] > 0
    # A tenth, but for rounding.
    assert recommended.side("random").figures["precision"][0] == pytest.approx(0.1, abs=0.01)
    tracks = record.comparison("tracks of one playlist, 100 listeners")
    most = tracks.side("the most that there is").figures["precision"]
    assert 0 < tracks.side("als").figures["precision"][0] < most[0] <= 1


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    home = Home(tmp_path_factory.mktemp("truth") / "home")
    import_demo(home, DemoSettings(listeners=60, artists=90, playlists=60, days=30))
    return home


def test_the_planted_taste_recommends_all_that_is_good(home):
    interactions = learned(home, "interactions", "artist", Settings({}))
    known = Truth.load(truth_place(home))
    asked = truth.Recommended(known, interactions, 40, np.random.default_rng(0))
    assert len(asked.users) == 40
    artists = known.artist_ids.rows(list(interactions.item_ids))
    people = known.user_ids.rows(list(interactions.user_ids))
    tastes = np.array([known.affinity(int(person), artists) for person in people], dtype=np.float32)
    model = fitted_vectors("truth", interactions, tastes, np.eye(len(artists), dtype=np.float32))
    found = asked.of_model(model)
    # The best that are open come first; more than a tenth of them fill up the list.
    tenth = [round((len(artists) - len(interactions.played(int(user)))) / 10) for user in asked.users]
    assert found["precision"] * truth.K == pytest.approx(tenth)
    assert found["rank correlation"] == pytest.approx(1.0, abs=1e-4)


def test_playlists_that_nobody_follows_are_held_out(home, tmp_path):
    settings = Settings({})
    interactions = learned(home, "interactions", "track", settings)
    mates, left = truth.held_out(home, tmp_path, interactions)
    everything = learned(home, "sequences", "track", settings)
    playlists = pq.read_table(catalog(home, settings) / "playlists.parquet").to_pylist()
    items = pq.read_table(catalog(home, settings) / "playlist_items.parquet").to_pylist()
    unknown = {one["playlist_id"] for one in playlists if one["followers"] == 0}
    assert unknown
    assert len(unknown) < len(playlists)
    played = set(interactions.item_ids)
    tracks = [{one["item_id"] for one in items if one["playlist_id"] == name} & played for name in sorted(unknown)]
    assert [set(interactions.item_ids.select(of)) for of in mates] == [of for of in tracks if len(of) > 1]
    # No sequence that is left is one of them, and the others are all there.
    rows = [frozenset(of.tolist()) for of in mates if len(of) >= 3]
    before = {frozenset(everything.of(one).tolist()) for one in range(len(everything))}
    after = {frozenset(left.of(one).tolist()) for one in range(len(left))}
    assert set(rows) <= before
    assert after == before - set(rows)


def test_correlations_are_spearmans_over_what_is_counted(rng):
    given, true = rng.integers(0, 5, (4, 30)).astype(float), rng.random((4, 30))
    counted = rng.random((4, 30)) < 0.7
    given[3] = 1.0
    expected = [spearmanr(given[row, counted[row]], true[row, counted[row]]).statistic for row in range(3)]
    assert truth.correlations(given, true, counted) == pytest.approx([*expected, 0.0])


def test_shares_count_empty_places_as_wrong():
    right = np.array([[True, False, True], [True, True, False]])
    assert truth.shares(np.array([[0, 2], [MISSING, 1]]), right).tolist() == [1.0, 0.5]


def test_best_takes_as_many_of_each_row_as_asked_for():
    scores = np.array([[0.1, 0.9, 0.5], [3.0, 1.0, 2.0]])
    assert truth.best(scores, np.array([1, 2])).tolist() == [[False, True, False], [True, False, True]]
    assert truth.best(scores, 1).sum() == 2


def test_only_tracks_of_the_same_playlist_are_mates():
    mates = [np.array([3, 5, 9]), np.array([5, 7])]
    asked = np.array([3, 5, 7, 9])
    lists = np.array([[5, 7], [9, 7], [5, MISSING], [3, 5]])
    first, second = truth.of_playlists(mates, asked, lists)
    assert first.tolist() == [[True, False], [True, False], [True, True]]
    assert second.tolist() == [[False, True], [True, False]]
