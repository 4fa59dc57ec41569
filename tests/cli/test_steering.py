"""Thumbs turn a station towards the planted taste of the demo world, and away from it."""

from benchmarks.steering import steered
from crossfade.core.home import Home
from crossfade.demo.settings import truth_place
from crossfade.demo.truth import Truth
from crossfade.stores.registry import open_releases
from crossfade.surfaces.asking import OpenRelease


def test_three_thumbs_visibly_turn_a_station(demo_home):
    home = Home(demo_home)
    with open_releases(home).open() as release:
        liked, disliked, counts = steered(OpenRelease(release), Truth.load(truth_place(home)), 40)
    assert min(counts) >= 10
    assert liked[3] > liked[0] + 0.15
    assert disliked[3] < disliked[0] - 0.05
