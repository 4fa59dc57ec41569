"""Pages that are kept until something changes."""

import pytest

from crossfade.live.fresh import FreshPages
from crossfade.live.taste import Tastes
from crossfade.stores.live import ALL, Block, Feedback, ItemRef, Listen, Track
from crossfade.surfaces.asking import OpenRelease

AT = 1_700_000_000_000


@pytest.fixture
def made(small_library):
    _, release, state = small_library("artist and track")
    state.add_user("new")
    return OpenRelease(release), state


def play(state, *names, at=AT):
    state.add_listens(
        [
            Listen(
                user="new",
                listened_at=at + 1000 * number,
                track=Track(title=f"Item {name}", artist=f"Item {name.split('-')[0]}"),
            )
            for number, name in enumerate(names)
        ]
    )


def test_a_page_is_made_once_until_something_changes(made, monkeypatch):
    opened, state = made
    asked = []
    page = Tastes.page
    monkeypatch.setattr(Tastes, "page", lambda *some, **more: asked.append(1) or page(*some, **more))
    pages = FreshPages(state, clock=lambda: AT / 1000)
    play(state, "a02-0", "a06-0")
    first = pages.page(opened, "new")
    again = pages.page(opened, "new")
    assert (again.entries, again.made_in, len(asked)) == (first.entries, 0.0, 1)
    assert first.made_in > 0
    pages.page(opened, "new", "artist")
    assert len(asked) == 2
    play(state, "a01-0", "a05-0", at=AT + 60_000)
    assert pages.page(opened, "new").entries != first.entries
    state.delete_listens("new", ALL)
    assert pages.page(opened, "new").table.surface == "popular"
    assert len(asked) == 4


def test_a_page_is_made_again_when_a_block_has_ended(made):
    opened, state = made
    clock = [AT / 1000]
    pages = FreshPages(state, clock=lambda: clock[0])
    play(state, "a02-0", "a06-0")
    first = pages.page(opened, "new", "artist").entries
    state.block(Block(user="new", item=ItemRef("artist", first[0].id), name="x", created_at=AT, until=AT + 60_000))
    assert first[0].id not in [one.id for one in pages.page(opened, "new", "artist").entries]
    clock[0] += 60
    assert pages.page(opened, "new", "artist").entries == first


def test_whoever_is_not_known_gets_what_is_popular_without_what_they_do_not_want(made):
    opened, state = made
    pages = FreshPages(state, clock=lambda: AT / 1000)
    table, entries, _ = pages.page(opened, "new")
    assert (table.name, len(entries)) == ("popular-track", 20)
    unwanted = entries[0].parent
    state.give(
        [Feedback(user="new", sort="thumb", value=-1, track=Track(artist=unwanted.name), given_at=AT)],
    )
    entries = pages.page(opened, "new").entries
    assert 0 < len(entries) < 20
    assert unwanted.id not in [one.parent.id for one in entries]
