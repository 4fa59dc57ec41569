"""The matrices that models are timed on: what is promised of them, whatever the size."""

import numpy as np
import pytest

from benchmarks import generate
from benchmarks.generate import GROUPS, Size, long_tailed, written
from crossfade.core.interactions import Interactions


@pytest.mark.parametrize(("users", "items", "pairs"), [(300, 200, 9000), (50, 7, 150), (20, 30, 13), (41, 3, 61)])
def test_there_are_as_many_pairs_as_asked_for_each_once(users, items, pairs):
    made = long_tailed(users, items, pairs)
    assert (made.shape, made.pairs) == ((users, items), pairs)
    keys = np.repeat(np.arange(users), np.diff(made.indptr)) * items + made.indices
    assert np.all(np.diff(keys) > 0)
    assert np.all((made.indices >= 0) & (made.indices < items))
    assert np.diff(made.indptr).min() >= (1 if pairs >= users else 0)
    assert list(made.user_ids) == sorted(made.user_ids)
    assert made.user_ids[users - 1] == f"user-{users - 1}"


def test_over_half_of_a_matrix_is_refused():
    with pytest.raises(ValueError, match="over half"):
        long_tailed(10, 10, 51)


def test_the_matrix_on_disk_is_the_same_in_any_blocks(tmp_path, monkeypatch):
    made = long_tailed(400, 300, 12_000, seed=3)
    monkeypatch.setattr(generate, "BLOCK", 1000)
    monkeypatch.setattr(generate, "processors", lambda: 1)
    size = Size(users=400, items=300, pairs=12_000, seed=3)
    place, was_made = written(tmp_path, size)
    loaded = Interactions.load(place, kind="artist")
    for name in ("indptr", "indices", "weights", "plays", "last_played"):
        np.testing.assert_array_equal(getattr(loaded, name), getattr(made, name))
    assert (loaded.user_ids, loaded.item_ids) == (made.user_ids, made.item_ids)
    assert was_made
    assert written(tmp_path, size) == (place, False)


def test_popularity_tastes_and_plays_are_as_they_are_said_to_be(tmp_path):
    users, items, pairs = 50_000, 20_000, 400_000
    place, _ = written(tmp_path, Size(users=users, items=items, pairs=pairs))
    made = Interactions.load(place, kind="artist")
    tastes, genres = np.load(place / "tastes.npy"), np.load(place / "genres.npy")
    owners = np.repeat(np.arange(users), np.diff(made.indptr))
    # Three of four at home, of the rest one in forty by chance; that nothing is drawn twice takes a little from home.
    at_home = (genres[made.indices] == tastes[owners]).mean()
    assert 0.70 < at_home < 0.75 + 0.25 / GROUPS + 0.01
    # Items fall as a power of their rank, the popular ones a little less, since nobody can have the first twice.
    listeners = np.sort(made.listeners())[::-1]
    assert 0.7 * (1004 / 104) ** 0.95 < listeners[99] / listeners[999] < (1004 / 104) ** 0.95
    # Degrees beyond the first are log-normal with a sigma of 1: one sigma above the median is e times as many.
    median, above = np.quantile(np.diff(made.indptr), [0.5, 0.8413]) - 1
    assert above / median == pytest.approx(np.e, rel=0.15)
    # Plays stop after each with a chance of .3.
    assert made.plays.mean() == pytest.approx(1 / 0.3, rel=0.01)
    assert (made.plays == 1).mean() == pytest.approx(0.3, abs=0.005)


def test_an_alias_table_gives_each_place_its_share():
    weights = np.array([5.0, 1.0, 0.0, 3.0, 1.0])
    accept, alias = generate._alias_table(weights)
    shares = accept / 5
    np.add.at(shares, alias, (1 - accept) / 5)
    np.testing.assert_allclose(shares, weights / weights.sum(), atol=1e-6)
