"""The heads of lists are measured by hand-made lists of a hand-made library."""

import numpy as np
import pytest

from benchmarks.heads import Judge, heads
from crossfade.core.ids import Ids
from crossfade.core.interactions import Interactions
from crossfade.core.texts import Texts
from crossfade.core.writings import SOURCES, Writings
from crossfade.stores.contract import Entry, Named, Reason

ARTISTS = ["a", "b", "c", "d"]
WORDS = {"a": ["loud"], "b": ["loud"], "c": ["loud", "calm"], "d": ["calm"]}


@pytest.fixture
def library():
    """d has one listener, a four; a and b share their only tag, c half of its own, d none."""
    pairs = [(f"u{user}", artist) for place, artist in enumerate(ARTISTS) for user in range(4 - place)]
    played = Interactions.from_counts(*zip(*pairs, strict=True), [9] * len(pairs))
    about = [(ARTISTS.index(artist), word) for artist, words in WORDS.items() for word in words]
    writings = Writings(
        kind="artist",
        item_ids=Ids.of(ARTISTS),
        names=Texts.of(ARTISTS),
        sources=np.full(len(about), SOURCES.index("tag"), np.uint8),
        items=np.array([item for item, _ in about], np.int32),
        counts=np.ones(len(about), np.int64),
        texts=Texts.of([word for _, word in about]),
    )
    return played, Judge(played, writings, listeners=1, tags=1)


def test_what_is_first_is_judged(library):
    played, judge = library
    reason = Reason.of(Named(kind="artist", id="c", name="C"), 9)

    def lists(surface, key):
        page = [Entry(id="a", name="A", score=1.0, reason=reason)]
        return page if surface == "discover" else [Entry(id=one, name=one, score=1.0) for one in ARTISTS if one != key]

    figures = heads(judge, played, lists, 1, np.array([0]))
    # b is as a, c at a cosine of the root of a half, and of ten places three are filled.
    assert figures["related: alike"][0] == pytest.approx((1 + 0.5**0.5) / 10)
    assert figures["station: median place"][0] == 2
    assert figures["discover: best known"][0] == 1
    assert figures["discover: listeners"] == 4
    assert figures["reason: alike"][0] == pytest.approx(0.5**0.5)


def test_of_whom_too_little_is_known_counts_as_unlike(library):
    judge = library[1]
    assert judge.of("a", ["b", "nobody"]).tolist() == [pytest.approx(1), 0]
    assert judge.of("nobody", ["a"]).tolist() == [0]
