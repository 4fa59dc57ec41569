"""How much of a history others share."""

import numpy as np
import pytest

from crossfade.core.catalogue import Items
from crossfade.core.ids import Ids
from crossfade.core.interactions import Interactions
from crossfade.surfaces.reach import Reach, reach_of


@pytest.mark.parametrize(
    ("user", "reach"),
    [
        ("ann", Reach(listeners=3, plays=10, shared=3)),  # of Can 1 play and of Low 2 are shared, of Faust 7 are not
        ("ben", Reach(listeners=3, plays=4, shared=4)),
        ("nobody", Reach(listeners=3, plays=0, shared=0)),
    ],
)
def test_the_plays_of_items_that_others_play_too_are_shared(user, reach):
    rows = [("ann", "Can", 1), ("ann", "Low", 2), ("ann", "Faust", 7), ("ben", "Can", 4), ("cid", "Low", 5)]
    played = Interactions.from_counts(*zip(*rows, strict=True))
    # The catalogue has items that nobody played, so its rows are others.
    ids = Ids.of(sorted(["Abba", *played.item_ids.select(np.arange(3))]))
    listeners = {"Can": 2, "Low": 2, "Faust": 1}
    counted = np.array([listeners.get(name, 0) for name in ids.select(np.arange(4))])
    items = Items(kind="artist", ids=ids, names=ids.select(np.arange(4)), listeners=counted, plays=counted, fields={})
    assert reach_of(user, played, items) == reach


def test_a_share_of_nothing_is_nothing():
    assert Reach(listeners=3, plays=0, shared=0).share == 0
    assert Reach(listeners=3, plays=100, shared=8).share == 0.08
