"""What arrived over HTTP becomes an import, and what was deleted is forgotten."""

import itertools

import pyarrow.parquet as pq
import pytest

from crossfade.core.errors import InputError
from crossfade.importing.forgetting import pending
from crossfade.importing.imports import import_paths
from crossfade.importing.library import imports
from crossfade.live.learning import import_live, require_no_live_import
from crossfade.stores.live import ALL, Account, Exclusion, Feedback, ItemRef, Listen, Track, Which
from crossfade.stores.registry import has_live, open_releases

AT = 1_700_000_000_000
NOW = AT / 1000 + 86_400


def learn(home, live):
    return import_live(home, live, open_releases(home), now=NOW)


def play(live, *tracks, at=AT, **more):
    live.add_listens([Listen(user="ann", listened_at=at + 1000 * n, track=one, **more) for n, one in enumerate(tracks)])


def rows(home, table="listens"):
    return list(
        itertools.chain.from_iterable(
            pq.read_table(path).to_pylist() for one in imports(home) for path in one.files(table)
        )
    )


ROADS, NUMB = Track(title="Roads", artist="Portishead", album="Dummy"), Track(title="Numb", artist="Portishead")


def test_listens_become_an_import_and_the_same_ones_add_nothing(home, live):
    assert learn(home, live) is None
    play(live, ROADS, NUMB)
    play(live, ROADS, at=AT + 60_000, skipped=True, source="radio", client="mpd")
    ledger = learn(home, live)
    assert (ledger.name, ledger.tables["listens"]) == ("live", 3)
    assert [one["skipped"] for one in rows(home)] == [False, False, True]
    assert {(one["user_id"], one["source"], one["platform"]) for one in rows(home)} == {
        ("ann", None, None),
        ("ann", "radio", "mpd"),
    }
    assert learn(home, live).already_imported == "live"
    play(live, NUMB, at=AT + 120_000)
    assert learn(home, live).tables["listens"] == 4
    assert [one.name for one in imports(home)] == ["live"]
    assert pending(home) is None


def test_an_import_of_files_that_is_called_live_stays(home, live, tmp_path):
    path = tmp_path / "live.csv"
    path.write_text("user,artist,title,listened_at\nbob,Muse,Starlight,2023-01-01T00:00:00Z\n")
    import_paths(home, [path], now=NOW)
    play(live, ROADS)
    assert learn(home, live).name == "live-2"
    play(live, NUMB, at=AT + 60_000)
    assert learn(home, live).name == "live-2"
    assert {one["user_id"] for one in rows(home)} == {"ann", "bob"}


def test_deleted_listens_are_gone_and_what_was_made_from_them_is_to_be_forgotten(home, live):
    play(live, ROADS, NUMB)
    learn(home, live)
    live.delete_listens("ann", Which(text="numb"))
    learn(home, live)
    assert len(rows(home)) == 1
    assert len(pending(home).gone) == 1
    live.delete_listens("ann", ALL)
    assert learn(home, live) is None
    assert imports(home) == []
    assert len(pending(home).gone) == 2


def test_what_is_left_out_of_taste_is_not_learned(home, live):
    play(live, ROADS)
    play(live, NUMB, at=AT + 60_000, context="sleep")
    learn(home, live)
    live.exclude(Exclusion(user="ann", context="sleep"))
    learn(home, live)
    assert [one["context"] for one in rows(home)] == [None]
    assert len(pending(home).gone) == 1


def test_ids_are_those_of_the_release(small_library):
    home, release, live = small_library("artist and track")
    live.add_user("ann")
    known = release.tables.item("track", "a02-1")
    play(live, Track(title="New", artist="item A03"), Track(title="x", artist="y", item=ItemRef("track", "a02-1")))
    play(live, Track(artist="Item a05", item=ItemRef("artist", "a05")), at=AT + 60_000)
    live.give([Feedback(user="ann", sort="thumb", value=-1, track=Track(item=ItemRef("artist", "a05")), given_at=AT)])
    learn(home, live)
    found = {(one["kind"], one["item_id"], one["parent_id"]) for one in rows(home)}
    assert {(kind, parent) for kind, _, parent in found} == {
        ("track", "a03"),
        ("track", known.parent.id),
        ("artist", None),
    }
    assert {("track", "a02-1", "a02"), ("artist", "a05", None)} <= found
    assert [(one["item_id"], one["score"]) for one in rows(home, "feedback")] == [("a05", -1)]


def test_who_is_removed_meanwhile_keeps_nobody_from_learning(home, live, monkeypatch):
    play(live, ROADS)
    listed = [*live.accounts(), Account(user="gone", created_at=AT, revision=1)]
    monkeypatch.setattr(live, "accounts", lambda: listed)
    assert learn(home, live).tables["listens"] == 1


def test_an_artist_is_known_by_an_id_that_is_of_nobody_else(home, live):
    play(live, Track(title="Roads", artist="Portishead", artist_mbids=("8bfac288-ccc5-448d-9573-c33ea2aa5c30",)))
    play(
        live, Track(title="Duet", artist="A & B", artist_mbids=("8bfac288-ccc5-448d-9573-c33ea2aa5c30", "b")), at=AT + 1
    )
    learn(home, live)
    parents = {one["parent_id"] for one in rows(home)}
    assert len(parents) == 2
    assert "8bfac288-ccc5-448d-9573-c33ea2aa5c30" in parents


def test_the_import_is_forgotten_by_its_name_only_where_nothing_of_it_is_left(home, live):
    play(live, ROADS)
    learn(home, live)
    require_no_live_import(home, ["another"])
    with pytest.raises(InputError, match="crossfade listens delete"):
        require_no_live_import(home, ["live"])
    live.close()
    assert has_live(home)
    home.live.unlink()
    assert not has_live(home)  # a run makes the import no more
