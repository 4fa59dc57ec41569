"""Pages that are kept until something changes."""

import gc

import pytest

from crossfade.core.tables import EVERYONE
from crossfade.live import fresh
from crossfade.live.fresh import fresh_page, why_fresh
from crossfade.live.taste import tastes_of
from crossfade.stores.live import ALL, Block, Feedback, ItemRef, Listen, Track, Which
from crossfade.surfaces.asking import OpenRelease

AT = 1_700_000_000_000


@pytest.fixture
def made(small_library):
    _, release, state = small_library("artist and track")
    state.add_user("new")
    return OpenRelease(release), state


def play(state, *names, at=AT, user="new"):
    state.add_listens(
        [
            Listen(
                user=user,
                listened_at=at + 1000 * number,
                track=Track(title=f"Item {name}", artist=f"Item {name.split('-')[0]}"),
            )
            for number, name in enumerate(names)
        ]
    )


def test_a_page_is_made_once_until_something_changes(made, monkeypatch):
    opened, state = made
    asked = []
    page = fresh.own_page
    monkeypatch.setattr(fresh, "own_page", lambda *some, **more: asked.append(1) or page(*some, **more))
    play(state, "a02-0", "a06-0")
    first = fresh_page(opened, state, "new", at=AT)
    again = fresh_page(opened, state, "new", at=AT)
    assert (again.entries, again.made_in, len(asked)) == (first.entries, 0.0, 1)
    assert first.made_in > 0
    fresh_page(opened, state, "new", at=AT, kind="artist")
    assert len(asked) == 2
    play(state, "a01-0", "a05-0", at=AT + 60_000)
    assert fresh_page(opened, state, "new", at=AT).entries != first.entries
    state.delete_listens("new", ALL)
    assert fresh_page(opened, state, "new", at=AT).table.surface == "popular"
    assert len(asked) == 5  # tracks and artists


def test_where_there_is_nothing_of_the_main_kind_another_is_listed(made, monkeypatch):
    opened, state = made
    page = fresh.own_page

    def without_tracks(tastes, user, taste, kind, model):
        made = page(tastes, user, taste, kind, model)
        return made._replace(entries=[]) if kind == "track" else made

    monkeypatch.setattr(fresh, "own_page", without_tracks)
    play(state, "a02-0", "a06-0")
    assert fresh_page(opened, state, "new", at=AT).table.name == "discover-artist"
    popular = fresh_page(opened, state, "new", at=AT, kind="track")
    assert popular.table.name == "popular-track"
    listed = opened.release.tables.entries("popular-track", EVERYONE)
    played = {"a02-0", "a06-0"}
    assert [one.id for one in popular.entries] == [one.id for one in listed if one.id not in played]
    assert played & {one.id for one in listed}


def test_a_page_is_made_again_when_a_block_has_ended(made):
    opened, state = made
    play(state, "a02-0", "a06-0")
    first = fresh_page(opened, state, "new", at=AT, kind="artist").entries
    state.block(Block(user="new", item=ItemRef("artist", first[0].id), name="x", created_at=AT, until=AT + 60_000))
    assert first[0].id not in [one.id for one in fresh_page(opened, state, "new", at=AT, kind="artist").entries]
    assert fresh_page(opened, state, "new", at=AT + 60_000, kind="artist").entries == first


def test_whoever_is_not_known_gets_what_is_popular_without_what_they_do_not_want(made):
    opened, state = made
    table, entries, _ = fresh_page(opened, state, "new", at=AT)
    assert (table.name, len(entries)) == ("popular-track", 20)
    unwanted = entries[0].parent
    state.give(
        [Feedback(user="new", sort="thumb", value=-1, track=Track(artist=unwanted.name), given_at=AT)],
    )
    entries = fresh_page(opened, state, "new", at=AT).entries
    assert 0 < len(entries) < 20
    assert unwanted.id not in [one.parent.id for one in entries]


CANARY = Track(title="Kanarienvogel im Speicher", artist="Item a03")  # a name of its own: other tests have canaries too


def in_memory():
    """Whether any object of this process is the canary's description, besides the test's own."""
    gc.collect()
    return any(type(one) is Track and one is not CANARY and one.title == CANARY.title for one in gc.get_objects())


@pytest.mark.parametrize("delete", [lambda state: state.delete_listens("eve", Which(text="kanarienvogel im")),
                                    lambda state: state.remove_user("eve")])  # fmt: skip
def test_what_is_deleted_leaves_memory_though_its_user_asks_nothing_more(made, delete):
    opened, state = made
    state.add_user("eve")
    state.add_listens([Listen(user="eve", listened_at=AT, track=CANARY)])
    assert fresh_page(opened, state, "eve", at=AT, kind="artist").entries[0].reason.id == "a03"
    tastes = tastes_of(opened, state)
    assert "a03" in tastes.history("eve")["artist"]
    kept = tastes.remembered()
    assert in_memory()
    delete(state)
    assert tastes.remembered() is not kept
    del kept
    assert not in_memory()


@pytest.mark.parametrize("kind", ["track", "artist"])
def test_why_agrees_with_the_page_as_it_is_now(made, kind):
    opened, state = made
    play(state, *[f"a{row:02d}-0" for row in (2, 6, 10, 14)])
    liked, hated = (Track(item=ItemRef("artist", f"a{row:02d}"), artist=f"Item a{row:02d}") for row in (18, 3))
    state.give([Feedback(user="new", sort="like", value=1, track=liked, given_at=AT)])
    one_of_them = Track(item=ItemRef("track", "a07-1"))
    for track in (hated, one_of_them):
        state.give([Feedback(user="new", sort="thumb", value=-1, track=track, given_at=AT)])
    page = fresh_page(opened, state, "new", at=AT, kind=kind)
    listed = {entry.id: (place, entry) for place, entry in enumerate(page.entries, start=1)}
    assert listed
    assert "Because you like Item a18" in {entry.reason.text for _, entry in listed.values()}
    for item in opened.catalogue[kind].ids:
        why = why_fresh(opened, state, "new", item, at=AT, kind=kind)
        place, entry = listed.get(item, (None, None))
        assert (why.place, why.outcome == "shown") == (place, place is not None)
        if entry is not None:
            assert why.reason == entry.reason
            assert entry.reason.text in why.text
        if why.score is not None:
            assert sum(why.contributions.values()) == pytest.approx(why.score, abs=1e-5)
        if item.startswith("a03") or item == "a07-1":
            assert why.outcome == "unwanted"
        elif item in ("a02-0", "a02"):
            assert why.outcome == "played"
