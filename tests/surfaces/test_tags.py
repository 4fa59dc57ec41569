"""The tags of a library, and their places."""

import numpy as np
import pytest

from crossfade.core.errors import NotReadyError, UnknownIdError
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
