"""What users do counts in the next page: made from a release and live listens by the code that makes every page."""

import dataclasses

import numpy as np
import pytest

from crossfade.core.computed import row_map
from crossfade.core.errors import UnknownIdError
from crossfade.core.ids import Ids
from crossfade.live import fresh, taste
from crossfade.live.counting import excludes
from crossfade.live.fresh import own_page
from crossfade.live.taste import Tastes
from crossfade.stores.live import LATEST_TIME, Block, Exclusion, Feedback, ItemRef, Listen, Track, Which
from crossfade.surfaces.asking import OpenRelease

AT = 1_700_000_000_000


@pytest.fixture
def library(small_library):
    """Opens a release of a library that knows these kinds, and the live state beside it."""

    def make(knows, last_played=0):
        _, release, state = small_library(knows, last_played)
        return Tastes(OpenRelease(release), state), state

    return make


def artist(name):
    return Track(artist=f"Item {name}")


def track(name):
    return Track(title=f"Item {name}", artist=f"Item {name.split('-')[0]}")


def play(state, user, *tracks, at=AT, **more):
    state.add_user(user)
    listens = [Listen(user=user, listened_at=at + 1000 * n, track=one, **more) for n, one in enumerate(tracks)]
    assert state.add_listens(listens) == len(listens)


def page(library, user, kind=None, at=AT):
    tastes, _ = library
    return own_page(tastes, user, tastes.of(user, at=at), kind).entries


def genres(entries):
    return [int(entry.id[1:3]) % 4 for entry in entries]


def reasons(entries):
    return {entry.reason.id for entry in entries}


@pytest.mark.parametrize("kind", ["artist", "track"])
def test_without_anything_new_a_page_is_the_published_one(library, kind):
    tastes, state = made = library("artist and track")
    for user in ("u05", "u33"):
        state.add_user(user)
        published = tastes.opened.entries("discover", user, kind=kind)
        assert published
        assert [(one.id, one.reason) for one in page(made, user, kind)] == [(one.id, one.reason) for one in published]


def test_a_new_user_with_the_listens_of_another_gets_the_same_page(library):
    tastes, state = made = library("artist")
    played = tastes.opened.interactions("artist")
    pairs = played.of_user(played.user_ids.find("u06"))
    names = np.repeat(played.item_ids.select(played.indices[pairs]), played.plays[pairs])
    play(state, "new", *map(artist, names))
    published = tastes.opened.entries("discover", "u06")
    found = page(made, "new")
    assert [(one.id, one.reason) for one in found] == [(one.id, one.reason) for one in published]
    np.testing.assert_allclose([one.score for one in found], [one.score for one in published], rtol=1e-4)


def test_a_listen_changes_the_next_page_and_its_reasons_count_it(library):
    _, state = made = library("artist and track")
    state.add_user("new")
    assert page(made, "new") == []
    play(state, "new", track("a02-0"), track("a02-1"), track("a06-0"), track("a10-1"), track("a14-2"))
    found = page(made, "new", "artist")
    assert genres(found).count(2) >= 4
    assert reasons(found) <= {"a02", "a06", "a10", "a14"}
    assert {one.reason.plays for one in found if one.reason.id == "a02"} <= {2}
    assert not {"a02"} & {one.id for one in found}  # played twice
    tracks = page(made, "new", "track")
    assert tracks
    assert not {"a02-0", "a02-1", "a06-0", "a10-1", "a14-2"} & {one.id for one in tracks}


def test_a_listen_of_a_wrong_clock_spoils_no_page(library):
    _, state = made = library("artist")
    play(state, "new", artist("a03"), at=LATEST_TIME)
    assert reasons(page(made, "new")) == {"a03"}
    play(state, "new", artist("a02"))
    assert reasons(page(made, "new")) == {"a02", "a03"}


def test_a_listen_of_an_item_that_has_another_id_by_now_counts_by_its_names(library):
    _, state = made = library("artist and track")
    play(state, "new", dataclasses.replace(track("a03-1"), item=ItemRef("track", "its id in an earlier release")))
    assert reasons(page(made, "new", "artist")) == {"a03"}
    assert "a03-1" in made[0].history("new")["track"]


def test_what_the_library_lacks_counts_for_its_artist(library):
    _, state = made = library("artist and track")
    play(state, "new", Track(title="Never heard of", artist="item A03"), Track(title="x", artist="Nobody"))
    assert reasons(page(made, "new", "artist")) == {"a03"}


def test_a_listen_that_the_release_has_learned_is_not_counted_again(library):
    tastes, state = made = library("artist", last_played=AT)
    before = tastes.opened.entries("discover", "u05")
    played = tastes.opened.interactions("artist")
    own = played.item_ids.select(played.played(played.user_ids.find("u05")))
    play(state, "u05", artist(own[0]), at=AT)
    assert [one.id for one in page(made, "u05")] == [one.id for one in before]
    assert tastes.of("u05", at=AT).counts == {}
    play(state, "u05", artist(own[0]), at=AT + 1000)
    ((_, count),) = tastes.of("u05", at=AT).counts.items()
    assert (count.plays, count.latest) == (1, AT // 1000 + 1)


def test_what_is_disliked_is_not_shown_and_what_is_near_it_less(library):
    _, state = made = library("artist and track")
    play(state, "new", *map(track, ["a01-0", "a05-0", "a09-0", "a02-0", "a06-0", "a10-0"]))
    before = page(made, "new", "artist")
    first = next(one for one in before if genres([one]) == [1])
    down = Feedback(user="new", sort="thumb", value=-1, track=artist(first.id), given_at=AT)
    state.give([down])
    after = page(made, "new", "artist")
    assert first.id not in [one.id for one in after]
    assert sum(one.score for one in after if genres([one]) == [1]) < sum(
        one.score for one in before if genres([one]) == [1] and one != first
    )
    assert not any(one.parent.id == first.id for one in page(made, "new", "track"))
    state.give([dataclasses.replace(down, value=0, given_at=AT + 1)])
    assert page(made, "new", "artist") == before


def test_a_dislike_of_a_reason_ends_it(library):
    _, state = made = library("artist")
    play(state, "new", artist("a03"), artist("a03"), artist("a02"))
    assert reasons(page(made, "new")) == {"a02", "a03"}
    state.give([Feedback(user="new", sort="rating", value=1, track=artist("a03"), given_at=AT)])
    assert reasons(page(made, "new")) == {"a02"}


@pytest.mark.parametrize(("sort", "value"), [("thumb", 1), ("like", 1), ("rating", 5)])
def test_what_is_liked_is_a_reason_though_it_was_never_played(library, sort, value):
    _, state = made = library("artist")
    play(state, "new", artist("a02"))
    state.give([Feedback(user="new", sort=sort, value=value, track=artist("a03"), given_at=AT)])
    found = page(made, "new")
    liked = {(one.reason.text, one.reason.plays) for one in found if one.reason.id == "a03"}
    assert liked == {("Because you like Item a03", None)}
    assert genres(found).count(3) >= 2


def test_a_block_hides_until_it_ends(library):
    _, state = made = library("artist and track")
    play(state, "new", track("a02-0"), track("a06-0"))
    blocked = page(made, "new", "artist")[0].id
    state.block(
        Block(user="new", item=ItemRef("artist", blocked), name="x", created_at=AT, until=AT + 1000),
    )
    assert blocked not in [one.id for one in page(made, "new", "artist")]
    assert blocked not in [one.parent.id for one in page(made, "new", "track")]
    assert blocked in [one.id for one in page(made, "new", "artist", at=AT + 1000)]


def test_what_is_left_out_of_taste_does_not_count(library):
    _, state = made = library("artist")
    night = AT - AT % 86_400_000 + 23 * 3_600_000
    play(state, "new", artist("a03"), at=night)
    play(state, "new", artist("a01"), context="sleep")
    play(state, "new", artist("a02"))
    assert reasons(page(made, "new")) == {"a01", "a02", "a03"}
    state.exclude(Exclusion(user="new", hours=(23, 6)))
    state.exclude(Exclusion(user="new", context="sleep"))
    assert reasons(page(made, "new")) == {"a02"}
    state.include(Exclusion(user="new", hours=(23, 6)))
    assert reasons(page(made, "new")) == {"a02", "a03"}


@pytest.mark.parametrize("timezone", ["Pacific/Kiritimati", "Etc/GMT+12"])
@pytest.mark.parametrize("at", [0, LATEST_TIME])
def test_no_time_is_too_far_away_to_be_left_out(at, timezone):
    listen = Listen(user="new", listened_at=at, track=artist("a01"))
    halves = [Exclusion(user="new", hours=hours, timezone=timezone) for hours in ((0, 12), (12, 24))]
    assert sum(excludes(one, listen) for one in halves) == 1


def test_a_skip_is_no_play_and_counts_a_little_against_what_is_near(library):
    _, state = made = library("artist")
    play(state, "new", artist("a02"), artist("a06"), artist("a01"), artist("a05"))
    before = page(made, "new")
    first = next(one for one in before if genres([one]) == [2])
    play(state, "new", artist(first.id), at=AT + 60_000, skipped=True)
    after = page(made, "new")
    assert reasons(after) <= {"a02", "a06", "a01", "a05"}
    scores = {one.id: one.score for one in after}
    assert scores.get(first.id, -1) < first.score


def test_only_the_latest_listens_count(library, monkeypatch):
    _, state = made = library("artist")
    monkeypatch.setattr(taste, "MOST_LISTENS", 2)
    play(state, "new", artist("a00"), artist("a02"), artist("a06"))
    assert reasons(page(made, "new")) == {"a02", "a06"}


@pytest.mark.parametrize("knows", ["artist and track", "show and episode"])
def test_what_is_remembered_of_listens_is_what_reading_all_of_them_gives(library, monkeypatch, rng, knows):
    tastes, state = library(knows, last_played=AT - 3 * 86_400_000)
    monkeypatch.setattr(taste, "MOST_LISTENS", 30)
    everything = Exclusion(user="u05", hours=(0, 24))
    liked = Feedback(user="u05", sort="like", value=1, track=track("a03-0"), given_at=AT)
    changes = {
        8: lambda: state.exclude(everything),
        10: lambda: state.include(everything),
        12: lambda: state.give([liked]),
        18: lambda: state.delete_listens("u05", Which(since=AT + 60_000 * 5)),
    }
    for step in range(24):
        at = AT - 60_000 * step if step in (4, 5, 20) else AT + 60_000 * step  # a few arrive late
        names = [f"a{root:02d}-{child}" for root, child in rng.integers([8, 2], size=(2, 2))]
        play(
            state,
            "u05",
            *map(track, names),
            at=at,
            skipped=bool(rng.random() < 0.2),
            source=["radio", "search"][step % 2],
        )
        changes.get(step, list)()
        kept, anew = (one.of("u05", at=AT) for one in (tastes, Tastes(tastes.opened, state)))
        assert (kept.heard, kept.liked, kept.disliked) == (anew.heard, anew.liked, anew.disliked)
        assert {item: count[1:] for item, count in kept.counts.items()} == {
            item: count[1:] for item, count in anew.counts.items()
        }
        weights = [anew.counts[item].weight for item in kept.counts]
        assert [count.weight for count in kept.counts.values()] == pytest.approx(weights)


def test_only_listens_that_came_since_are_read(library, monkeypatch):
    tastes, state = library("artist")
    read, listens = [], state.listens
    monkeypatch.setattr(state, "listens", lambda *some, **more: read.append(listens(*some, **more)) or read[-1])
    for minute in range(5):
        play(state, "new", artist("a02"), artist("a03"), at=AT + 60_000 * minute)
        assert tastes.of("new", at=AT).counts[tastes.row(ItemRef("artist", "a02"))].plays == minute + 1
    assert [len(found) for found in read] == [2] * 5


def test_a_listen_fades_as_in_a_release(library):
    tastes, _ = library("artist", last_played=AT)
    listen = Listen(user="new", listened_at=AT - 90 * 86_400_000, track=artist("a01"), source="Radio")
    assert tastes.weighing("artist").share(listen) == pytest.approx(0.5 * 0.5)


def test_a_user_without_an_account_has_no_fresh_page(library):
    with pytest.raises(UnknownIdError):
        page(library("artist"), "u05")


def test_an_episode_counts_once_however_often_it_is_played(library):
    _, state = made = library("show and episode")
    play(state, "new", track("a02-0"), track("a02-0"), track("a06-1"))
    plays = {one.reason.id: one.reason.plays for one in page(made, "new", "show")}
    assert plays
    assert set(plays.values()) == {1}


def test_an_episode_that_the_release_has_learned_is_not_counted_again(library):
    tastes, state = library("show and episode", last_played=AT)
    played = tastes.opened.interactions("episode")
    first = played.item_ids.select(played.played(played.user_ids.find("u05")))[0]
    play(state, "u05", track(first), at=AT + 60_000)
    assert tastes.of("u05", at=AT).counts == {}


def test_what_is_much_older_than_what_the_release_has_learned_does_not_count(library):
    tastes, state = library("artist", last_played=AT)
    play(state, "u05", artist("a39"), at=AT - (taste.LATE_SECONDS + 60) * 1000)
    assert tastes.of("u05", at=AT).heard == set()
    play(state, "u05", artist("a39"), at=AT - (taste.LATE_SECONDS - 60) * 1000)
    assert tastes.of("u05", at=AT).heard == {tastes.row(ItemRef("artist", "a39"))}


def test_a_skip_counts_against_nothing_that_is_played_or_liked(library):
    tastes, state = library("artist")
    play(state, "new", artist("a02"))
    state.give([Feedback(user="new", sort="like", value=1, track=artist("a06"), given_at=AT)])
    play(state, "new", artist("a02"), artist("a06"), artist("a10"), at=AT + 60_000, skipped=True)
    assert tastes.of("new", at=AT).disliked == {tastes.row(ItemRef("artist", "a10")): taste.SKIPPED}
    assert tastes.history("new")["artist"].keys() == {"a02"}


def test_what_is_liked_counts_as_often_as_a_reason_needs(library):
    _, state = made = library("artist")
    for minute in range(10):
        play(state, "new", *map(artist, ["a02", "a06", "a10"]), at=AT + 60_000 * minute)
    play(state, "new", artist("a03"))
    assert "a03" not in reasons(page(made, "new"))
    state.give([Feedback(user="new", sort="like", value=1, track=artist("a03"), given_at=AT)])
    assert "a03" in reasons(page(made, "new"))


def test_a_reason_that_is_liked_says_how_often_it_was_played(library):
    tastes, state = made = library("artist", last_played=AT)
    state.add_user("u05")
    reason = page(made, "u05")[0].reason
    state.give([Feedback(user="u05", sort="like", value=1, track=artist(reason.id), given_at=AT)])
    play(state, "u05", artist(reason.id), at=AT + 60_000)
    (plays,) = {one.reason.plays for one in page(made, "u05") if one.reason.id == reason.id}
    assert plays == reason.plays + 1 == tastes.history("u05")["artist"][reason.id].plays


def test_what_nobody_in_the_release_has_played_is_not_listed_to_whoever_played_it(library):
    tastes, state = made = library("artist")
    catalogue = tastes.opened.catalogue["artist"].ids
    played = Ids.of([one for one in catalogue if one != "a10"])
    tastes.opened.once(("played", "artist"), lambda: row_map(catalogue, played))
    play(state, "new", artist("a02"), artist("a06"))
    assert "a10" in [one.id for one in page(made, "new")]
    play(state, "new", artist("a10"), at=AT + 60_000)
    assert "a10" not in [one.id for one in page(made, "new")]


def test_a_history_says_when_an_item_was_played_last(library):
    tastes, state = library("artist", last_played=AT)
    played = tastes.opened.interactions("artist")
    first, *others = played.item_ids.select(played.played(played.user_ids.find("u05")))
    play(state, "u05", artist(first), at=AT + 60_000)
    histories, _ = fresh._made_of(tastes, "u05", tastes.of("u05", at=AT), tastes.opened.pages()[1])
    history = histories["artist"]
    seconds = dict(zip(history.item_ids.select(history.indices), history.last_played.tolist(), strict=True))
    assert seconds == {first: AT // 1000 + 60} | dict.fromkeys(others, AT // 1000)
