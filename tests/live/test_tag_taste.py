"""A user's taste on the map of tags."""

import time

import pytest

from crossfade.live.tag_taste import taste_map
from crossfade.stores.live import Listen, Track
from crossfade.surfaces.tags import tag_map


def test_taste_is_the_tags_of_what_is_played(genres, live):
    """ann plays two artists of the first genre, of which the same two tags are said alike."""
    made = taste_map(genres, live, "ann")
    assert {one.tag.name: one.share for one in made.tags} == pytest.approx({"doom": 0.5, "metal": 0.5})
    assert sum(one.share for one in made.tags) == pytest.approx(1.0)
    assert {root.item.id for root in made.roots} == {"a00", "a03"}
    plays = sum(root.plays for root in made.roots)
    assert [root.share for root in made.roots] == [root.plays / plays for root in made.roots]
    one, other = (tag for tag in tag_map(genres).tags if tag.name in {"doom", "metal"})
    middle = (one.x + other.x) / 2, (one.y + other.y) / 2
    assert (made.roots[0].x, made.roots[0].y) == pytest.approx(middle, abs=0.1)


def test_a_tag_of_hardly_any_play_is_left_out(genres, live, monkeypatch):
    monkeypatch.setattr("crossfade.live.tag_taste.LEAST_SHARE", 0.51)
    made = taste_map(genres, live, "ann")
    assert made.tags == []
    assert made.roots


def test_what_was_just_played_counts(genres, live):
    at = int(time.time() * 1000)
    live.add_listens(
        [
            Listen(
                user="ann", listened_at=at - 1_000 * number, track=Track(title=f"Song a01-{number}", artist="Band 01")
            )
            for number in range(5)
        ]
    )
    assert {"acid", "jazz"} <= {one.tag.name for one in taste_map(genres, live, "ann").tags}
    assert "a01" in {root.item.id for root in taste_map(genres, live, "ann").roots}


def test_who_has_played_nothing_has_an_empty_map(genres, live):
    live.add_user("bob")
    made = taste_map(genres, live, "bob")
    assert (made.tags, made.roots) == ([], [])
