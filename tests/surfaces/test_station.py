"""Stations: no repeats, items of one parent apart, as long as can be, and drawn with the right odds."""

from functools import cache

import numpy as np
import pytest

from crossfade.core.errors import SettingsError
from crossfade.core.ids import MISSING
from crossfade.stores.contract import Entry, Named
from crossfade.surfaces.station import StationSettings, draw_station, spaced, station_of


def longest(counts: tuple[int, ...], apart: int) -> int:
    """By trying every order."""

    @cache
    def best(left: tuple[int, ...], waits: tuple[int, ...]) -> int:
        found = 0
        for parent, (count, wait) in enumerate(zip(left, waits, strict=True)):
            if count and not wait:
                after = tuple(c - (a == parent) for a, c in enumerate(left))
                cooling = tuple(apart - 1 if a == parent else max(w - 1, 0) for a, w in enumerate(waits))
                found = max(found, 1 + best(after, cooling))
        return found

    return best(counts, (0,) * len(counts))


def assert_apart(parents, apart):
    for first in range(len(parents)):
        assert parents[first] not in parents[first + 1 : first + apart]


@pytest.mark.parametrize("apart", [1, 2, 3, 4, 5])
def test_it_is_as_long_as_any_order_can_be(rng, apart):
    for _ in range(60):
        counts = rng.integers(1, 5, rng.integers(1, 5))
        parents = rng.permutation(np.repeat(np.arange(len(counts)), counts))
        if len(parents) > 11:
            continue
        order = spaced(parents, apart)
        assert len(set(order.tolist())) == len(order) == longest(tuple(counts.tolist()), apart)
        assert_apart(parents[order].tolist(), apart)


def test_a_pool_without_conflicts_keeps_its_order():
    assert spaced(np.arange(20), 4).tolist() == list(range(20))


def test_only_what_is_too_near_moves():
    assert spaced(np.array([0, 0, 1, 2, 3, 4]), 4).tolist() == [0, 2, 3, 4, 1, 5]


def test_a_station_of_a_full_pool(rng):
    parents = rng.integers(0, 40, 250).astype(np.int32)
    scores = np.sort(rng.random(250).astype(np.float32))[::-1]
    order = draw_station(scores, parents, rng)
    assert sorted(order.tolist()) == list(range(250))
    assert_apart(parents[order].tolist(), 4)


def test_items_without_an_parent_need_not_be_apart(rng):
    order = draw_station(np.ones(30, np.float32), np.full(30, MISSING, np.int32), rng)
    assert sorted(order.tolist()) == list(range(30))


def test_an_empty_pool_plays_nothing(rng):
    assert draw_station(np.zeros(0, np.float32), np.zeros(0, np.int32), rng).tolist() == []


def test_the_seed_is_the_station():
    scores, parents = np.linspace(1, 0.1, 50).astype(np.float32), np.arange(50, dtype=np.int32)
    first, again, other = (draw_station(scores, parents, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert first.tolist() == again.tolist() != other.tolist()


def test_the_first_item_is_drawn_with_its_odds(rng):
    """At temperature 0.5 first and second have odds of 4 to 1, however close their scores; equal scores equal odds."""
    settings = StationSettings(temperature=0.5)
    parents = np.arange(3, dtype=np.int32)
    for scores, odds in (([1.0, 0.9, 0.1], [36, 9, 4]), ([0.5, 0.5, 0.2], [9, 9, 1])):
        first = [draw_station(np.array(scores, np.float32), parents, rng, settings)[0] for _ in range(1500)]
        # Three standard errors of a share near one half among 1,500.
        assert np.bincount(first, minlength=3) / 1500 == pytest.approx(np.array(odds) / sum(odds), abs=0.039)


def test_a_station_of_the_default_begins_close_and_stays_close(rng):
    """However scores fall, the median of 25 played is among the best thirty, of the first five among the best ten."""
    for scores in (np.linspace(1, 0.9, 250), 1 / np.arange(1, 251)):
        orders = [draw_station(scores.astype(np.float32), np.arange(250, dtype=np.int32), rng) for _ in range(40)]
        assert np.mean([np.median(order[:25]) for order in orders]) < 30
        assert np.mean([np.median(order[:5]) for order in orders]) < 10


def test_a_station_keeps_items_of_one_parent_apart(rng):
    """A root without a parent is apart from its own children too."""
    acdc = Named(kind="artist", id="acdc", name="AC/DC")
    pool = [Entry(id=f"t{place}", name="", parent=acdc, score=1.0) for place in range(2)]
    pool += [
        Entry(id=name, name="", score=0.5) for name in ("acdc", "bjork", "cher", "dido", "enya", "foals", "gus", "him")
    ]
    played = station_of(pool, rng, StationSettings(apart=4))
    places = [place for place, entry in enumerate(played) if "acdc" in (entry.id, entry.parent and entry.parent.id)]
    assert len(played) == 10
    assert np.diff(places).min() >= 4


@pytest.mark.parametrize("wrong", [{"temperature": 0.0}, {"temperature": float("nan")}, {"apart": 0}])
def test_settings_that_no_station_can_play_are_refused(wrong):
    with pytest.raises(SettingsError):
        StationSettings(**wrong)
