"""The tags of a library, and their places."""

from types import SimpleNamespace

import numpy as np
import pytest

from crossfade.core.errors import NotReadyError, UnknownIdError
from crossfade.core.ids import Ids
from crossfade.core.texts import Texts
from crossfade.core.writings import SOURCES, Writings
from crossfade.models.cultural import Cultural
from crossfade.stores.registry import open_releases
from crossfade.surfaces.asking import OpenRelease
from crossfade.surfaces.tags import leading_term, similar_tags, tag_map, tagged


def test_tags_say_of_how_many_items_and_lie_by_likeness(genres):
    """Each genre has two words, which are said of the same four artists."""
    tags = {tag.name: tag for tag in tag_map(genres).tags}
    assert {name: tag.items for name, tag in tags.items()} == dict.fromkeys(
        ["doom", "metal", "acid", "jazz", "dub", "techno"], 4
    )
    assert max(max(abs(tag.x), abs(tag.y)) for tag in tags.values()) == 1.0

    def apart(one, other):
        return np.hypot(tags[one].x - tags[other].x, tags[one].y - tags[other].y)

    assert apart("doom", "metal") < 0.5 * min(apart("doom", "jazz"), apart("doom", "techno"), apart("jazz", "dub"))
    assert similar_tags(genres, "doom", 1) == [tags["metal"]]
    assert similar_tags(genres, "polka", 3) == []


def test_it_is_computed_once_a_release(genres):
    assert tag_map(genres) is tag_map(genres)


def test_a_tag_leads_to_its_items(genres):
    found = tagged(genres, "jazz", 10)
    assert set(found) == {"artist"}
    assert {entry.id for entry in found["artist"]} == {"a01", "a04", "a07", "a10"}
    with pytest.raises(UnknownIdError) as unknown:
        tagged(genres, "zz", 10)
    assert unknown.value.suggestions == ("jazz",)


def test_a_track_is_described_by_its_artist(genres):
    row = genres.catalogue["track"].ids.find("a01-3")
    assert leading_term(genres, "track", row) in {"acid", "jazz"}


def test_a_library_without_words_has_no_tags(release_parts, home):
    releases = open_releases(home)
    release_parts.publish(releases)
    with releases.open() as release:
        opened = OpenRelease(release)
        with pytest.raises(NotReadyError):
            tag_map(opened)
        assert leading_term(opened, "artist", 0) is None


@pytest.fixture
def written():
    """Makes an opened release of what is written about artists, with their listeners; the rest has none."""

    def made(about, listeners):
        ids = Ids.of(about)
        rows = [(ids.find(artist), *one) for artist in ids for one in about[artist]]
        writings = Writings(
            kind="artist",
            item_ids=ids,
            names=Texts.of(ids),
            sources=np.array([SOURCES.index(source) for _, source, _, _ in rows], dtype=np.uint8),
            items=np.array([row for row, *_ in rows], dtype=np.int32),
            counts=np.array([count for *_, count in rows], dtype=np.int64),
            texts=Texts.of([text for _, _, text, _ in rows]),
        )
        words = Cultural(factors=8, least_items=1, most_items=1.0).fit(writings)
        known = Ids.of(listeners)
        items = SimpleNamespace(ids=known, listeners=np.array([listeners[artist] for artist in known]))
        return SimpleNamespace(
            version="1",
            words=lambda kind: words if kind == "artist" else None,
            catalogue={"artist": items},
            once=lambda key, make: make(),
        )

    return made


def test_tags_of_what_is_played_say_most_and_letters_nothing(written):
    """Two tags are said alike, one of artists that are played and one of others; x is not in the catalogue."""
    about = {
        "a": [("tag", "loud", 1), ("playlist", "long roads", 1)],
        "b": [("tag", "quiet", 1), ("playlist", "long roads", 1)],
        "x": [("tag", "odd", 9), ("tag", "k", 9)],
    }
    tags = tag_map(written(about, {"a": 50, "b": 2, "z": 10_000})).tags
    assert tags[0].name == "loud"
    assert {tag.name for tag in tags} == {"loud", "quiet", "odd", "long roads"}
    weights = {tag.name: tag.weight for tag in tags}
    assert list(weights.values()) == sorted(weights.values(), reverse=True)
    assert weights["loud"] == 1.0
    assert weights["quiet"] == pytest.approx((np.log(3) + 1e-3) / (np.log(51) + 1e-3))
    assert weights["odd"] < 0.01


def test_only_what_leads_an_artists_words_says_something(written, monkeypatch):
    """What is said of three of four artists leads the words of none."""
    about = {name: [("tag", "loud", 1), ("tag", name * 2, 1)] for name in "abc"} | {"d": [("tag", "soft", 1)]}
    assert "loud" in {tag.name for tag in tag_map(written(about, dict.fromkeys("abcd", 1))).tags}
    monkeypatch.setattr("crossfade.surfaces.tags.LEADING", 1)
    tags = tag_map(written(about, dict.fromkeys("abcd", 1))).tags
    assert {tag.name for tag in tags} == {"aa", "bb", "cc", "soft"}


def test_tags_of_other_artists_point_away_and_places_are_means_by_squares(written):
    about = {name: [("tag", "metal", 3), ("tag", "doom", 3)] for name in "abc"}
    about |= {name: [("tag", "jazz", 3), ("tag", "bebop", 3)] for name in "def"}
    known = tag_map(written(about, dict.fromkeys("abcdef", 5)))
    place = {tag.name: number for number, tag in enumerate(known.tags)}
    assert known.vectors[place["metal"]] @ known.vectors[place["doom"]] == pytest.approx(1.0)
    assert known.vectors[place["metal"]] @ known.vectors[place["jazz"]] < -0.5
    weights = np.zeros((2, 4))
    weights[0, [place["metal"], place["jazz"]]] = 2.0, 1.0
    found, nowhere = known.placed(weights)
    assert found == pytest.approx((4 * known.places[place["metal"]] + known.places[place["jazz"]]) / 5)
    assert nowhere is None
