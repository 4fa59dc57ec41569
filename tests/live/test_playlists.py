"""Playlists that are made, continued, and found again."""

import pytest

from crossfade.core.errors import InputError, UnknownIdError
from crossfade.live import playlists
from crossfade.live.playlists import as_track, continued, entry_of, excluded, forgotten, generated, is_mbid
from crossfade.live.stations import MOST_DRAWN, Listener
from crossfade.live.taste import Played, tastes_of
from crossfade.stores.live import Block, Exclusion, Feedback, ItemRef, Listen, Track

NOW = 1_700_000_000
DAY = 86_400


def genre(item_id):
    return int(item_id[1:3]) % 3


def ids(tracks):
    return [one.entry.id for one in tracks]


def test_from_tags_and_items(pools):
    found = generated(pools, pools.sources([("tag", "doom metal"), ("track", "a03-1")]), 20, adventure=0.1)
    assert len(set(ids(found))) == 20
    assert sum(genre(one) == 0 for one in ids(found)) >= 16
    parents = [one.entry.parent.id for one in found]
    assert all(parents[place] not in parents[place + 1 : place + 4] for place in range(20))
    assert {one.text for one in found} <= {"Because it fits doom metal", "Because you started from Song a03-1"}


def test_the_same_seed_is_the_same_playlist(pools):
    sources = pools.sources([("artist", "a04")])
    assert generated(pools, sources, 9, seed=5) == generated(pools, sources, 9, seed=5)
    assert generated(pools, sources, 9, seed=5) != generated(pools, sources, 9, seed=6)


MINE = [ItemRef("track", name) for name in ("a00-1", "a03-1", "a06-1")]


def test_a_continuation_repeats_nothing_and_begins_with_another_artist(pools):
    for seed in range(5):
        found = ids(continued(pools, MINE, 30, seed=seed))
        assert len(found) == 30
        assert not {item.id for item in MINE} & set(found)
        assert found[0][:3] not in {"a00", "a03", "a06"}


def test_what_to_include_and_leave_out(pools):
    found = ids(
        continued(pools, MINE, 30, include=[("track", "a04-7"), ("tag", "acid jazz")], exclude=[("artist", "a09"),
                  ("tag", "dub techno"), ("track", "a00-2")])
    )  # fmt: skip
    assert "a04-7" in found
    assert sum(genre(one) == 1 for one in found) > 5
    assert not [one for one in found if genre(one) == 2 or one.startswith("a09") or one == "a00-2"]


def test_a_long_playlist_is_continued_without_its_first_tracks(pools, monkeypatch):
    monkeypatch.setattr(playlists, "MOST_DRAWN", 2)
    assert not {item.id for item in MINE} & set(ids(continued(pools, MINE, 30)))
    monkeypatch.undo()
    many = MINE + [ItemRef("track", "a09-1")] * MOST_DRAWN
    assert not {item.id for item in many} & set(ids(continued(pools, many, 5)))


def test_a_continuation_needs_something(pools):
    with pytest.raises(InputError, match="continued from its tracks"):
        continued(pools, [], 5)
    assert len(continued(pools, [], 5, include=[("artist", "a03")])) == 5
    with pytest.raises(UnknownIdError):
        continued(pools, MINE, 5, exclude=[("artist", "nobody")])
    with pytest.raises(InputError, match="left out"):
        excluded(pools, [("user", "ann")])


def test_loved_but_forgotten(pools, genres, live):
    played = history_of(genres, live, "ann")["track"].values()
    found = forgotten(played, NOW, 10, pools)
    # Ann played -1 to -3 five times or more, and longer than 60 days ago; -0 four times, -4 four days ago.
    assert [entry.id for entry, _ in found][:1] == ["a00-3"]
    assert {entry.id for entry, _ in found} <= {f"a{artist}-{place}" for artist in ("00", "03") for place in (1, 2, 3)}
    assert not forgotten(played, NOW, 10, pools, Listener(barred={"a00", "a03"}))
    assert forgotten([Played("a00-1", 99, 0)], NOW, 10, pools) == []


def history_of(opened, live, user):
    return tastes_of(opened, live).history(user)


def listener_of(opened, live, user, at):
    return tastes_of(opened, live).listener(user, at=at)


def listen(item=None, at=NOW, **options):
    track = options.pop("track", None) or Track(item=ItemRef("track", item))
    return Listen(user="ann", listened_at=at * 1000, track=track, **options)


def test_the_history_is_that_of_the_release_and_what_came_since(genres, live):
    before = history_of(genres, live, "ann")
    assert before["track"]["a03-4"].plays == 8
    named = Track(title="song A03-4", artist="band 03")
    live.add_listens(
        [
            listen("a03-4", NOW - 5 * DAY),  # the release knows a later one
            listen(track=named, at=NOW),
            listen("a05-1", NOW),
            listen("a05-2", NOW, skipped=True),
        ]
    )
    after = history_of(genres, live, "ann")
    assert after["track"]["a03-4"] == Played("a03-4", 9, NOW)
    assert after["artist"]["a05"] == Played("a05", 1, NOW)
    assert "a05-2" not in after["track"]
    assert history_of(genres, live, "nobody") == {kind: {} for kind in after}


def test_what_is_left_out_of_taste_is_no_history(genres, live):
    live.add_listens([listen("a05-1", context="lullabies"), listen("a05-2")])
    live.exclude(Exclusion(user="ann", context="lullabies"))
    assert "a05-1" not in history_of(genres, live, "ann")["track"]
    assert "a05-2" in history_of(genres, live, "ann")["track"]


def test_what_a_listener_does_not_want(genres, live):
    assert listener_of(genres, live, "ann", at=NOW * 1000).barred == set()
    for item, until in (("a05", None), ("a06", (NOW + DAY) * 1000), ("a07", (NOW - DAY) * 1000)):
        live.block(Block(user="ann", item=ItemRef("artist", item), name=item, until=until, created_at=1))
    track = Track(item=ItemRef("track", "a08-1"))
    live.give([Feedback(user="ann", sort="rating", value=1, track=track, given_at=NOW)])
    listener = listener_of(genres, live, "ann", at=NOW * 1000)
    assert listener.barred == {"a05", "a06", "a08-1"}
    assert {"a00", "a03-2"} <= listener.known


def test_an_entry_becomes_a_track(pools):
    assert as_track(pools, entry_of(pools, "a03-1")) == Track(
        item=ItemRef("track", "a03-1"), title="Song a03-1", artist="Band 03", duration_ms=180_000
    )
    assert entry_of(pools, "Song a03-1") is None
    assert is_mbid("62c2e20a-559e-422f-a44c-9afa7882f0c4")
    assert not is_mbid("a03-1")
