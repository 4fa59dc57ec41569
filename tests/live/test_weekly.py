"""The lists of the week and the day."""

import pytest

from crossfade.core.errors import UnknownIdError
from crossfade.live import weekly
from crossfade.live.fresh import fresh_page
from crossfade.live.weekly import LENGTH, RECIPES, current, period_of
from crossfade.stores.live import ALL, Block, ItemRef, Listen, Track

DAY = 86_400_000
TUESDAY = 1_699_963_200_000 + 9 * 3_600_000  # 2023-11-14


def ids(playlist):
    return [track.item.id for track in playlist.tracks]


def lists(genres, live, at=TUESDAY, **options):
    return {one.sort: one for one in current(genres, live, "ann", at=at, **options)}


def test_three_lists_by_their_known_names(genres, live):
    found = lists(genres, live)
    assert list(found) == ["daily-jams", "weekly-jams", "weekly-exploration"]
    assert found["daily-jams"].title == "Daily Jams for ann, 2023-11-14 Tue"
    assert found["weekly-exploration"].title == "Weekly Exploration for ann, week of 2023-11-13 Mon"
    for one in found.values():
        assert len(ids(one)) == len(set(ids(one))) > 8
        assert set(one.info["reasons"]) == set(ids(one))


def test_exploration_is_new_and_has_what_discover_shows(genres, live):
    found = lists(genres, live)["weekly-exploration"]
    assert len(ids(found)) == LENGTH
    assert not {f"a{artist}-{place}" for artist in ("00", "03") for place in range(5)} & set(ids(found))
    page = {one.id for one in fresh_page(genres, live, "ann", at=TUESDAY, kind="track").entries}
    assert page
    assert len(page & set(ids(found))) > len(page) / 3
    assert found.info["reasons"][ids(found)[0]].startswith("Because you play ")


def test_what_is_popular_is_no_reason_of_an_exploration(genres, live, pools):
    live.add_user("bob")
    page = fresh_page(genres, live, "bob", at=TUESDAY, kind="track")
    assert (page.table.surface, bool(page.entries)) == ("popular", True)
    assert weekly._of_page(pools, live, "bob", TUESDAY) == []
    assert weekly._of_page(pools, live, "ann", TUESDAY)


def test_jams_are_what_the_user_plays(genres, live):
    found = lists(genres, live)
    known = {f"a{artist}-{place}" for artist in ("00", "03") for place in range(5)}
    assert len(known & set(ids(found["daily-jams"]))) >= 4
    reasons = found["weekly-jams"].info["reasons"].values()
    assert any(reason.startswith("You played it ") for reason in reasons)


def test_a_list_stays_until_its_period_ends(genres, live):
    first = lists(genres, live)
    live.add_listens([Listen(user="ann", listened_at=TUESDAY, track=Track(item=ItemRef("track", "a05-1")))])
    assert lists(genres, live, TUESDAY + 3_600_000) == first
    tomorrow = lists(genres, live, TUESDAY + DAY)
    assert tomorrow["weekly-exploration"] == first["weekly-exploration"]
    assert tomorrow["daily-jams"].id != first["daily-jams"].id
    assert lists(genres, live, TUESDAY + 7 * DAY)["weekly-exploration"].tracks != first["weekly-exploration"].tracks


def test_only_the_latest_are_kept(genres, live):
    for day in range(4):
        lists(genres, live, TUESDAY + day * DAY, sorts=["daily-jams"])
    assert len(live.playlists("ann", "daily-jams")) == 2


def test_what_is_deleted_is_in_no_list_afterwards(genres, live):
    live.add_listens([Listen(user="ann", listened_at=TUESDAY, track=Track(item=ItemRef("track", "a05-1")))])
    assert "a05-1" in ids(lists(genres, live)["weekly-jams"])
    live.delete_listens("ann", ALL)
    assert live.playlists("ann") == []
    assert not lists(genres, live)["weekly-jams"].info["reasons"].get("a05-1", "").startswith("You played")
    assert len(live.playlists("ann", "weekly-jams")) == 1


def test_what_is_blocked_leaves_the_list_at_once_and_comes_back(genres, live):
    before = lists(genres, live)["weekly-exploration"]
    item = ItemRef("artist", ids(before)[0][:3])
    live.block(Block(user="ann", item=item, name="x", created_at=1))
    after = lists(genres, live)["weekly-exploration"]
    assert ids(after) == [one for one in ids(before) if not one.startswith(item.id)]
    live.unblock("ann", item)
    assert lists(genres, live)["weekly-exploration"] == before


def test_a_user_without_history_has_no_lists(genres, live):
    live.add_user("bob")
    assert current(genres, live, "bob", at=TUESDAY) == []
    with pytest.raises(UnknownIdError, match="no list 'monthly'"):
        lists(genres, live, sorts=["monthly"])


def test_periods():
    assert [str(period_of(sort, TUESDAY)) for sort in RECIPES] == ["2023-11-14", "2023-11-13", "2023-11-13"]
    assert str(period_of("weekly-jams", TUESDAY + 6 * DAY)) == "2023-11-20"
