"""Playlists and sessions as sequences: order, cuts, and what says nothing."""

import datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from crossfade.aggregation.sequences import SequenceSettings, build_sequences
from crossfade.core.errors import SettingsError
from crossfade.core.ids import Ids
from crossfade.core.schemas import ALIASES, LISTENS, PLAYLIST_ITEMS, PLAYLISTS, TABLES
from crossfade.core.sequences import Sequences

ITEMS = Ids.of("abcdefgh")
NOON = datetime.datetime(2024, 5, 1, 12, tzinfo=datetime.UTC)


@pytest.fixture
def built(tmp_path):
    """Writes the tables and gives back the sequences as texts of their items' ids, and the rows that were told."""

    def build(*, kind="track", listens=(), playlists=(), tracks=(), aliases=(), **settings):
        catalog, directory = tmp_path / "catalog", tmp_path / "made"
        catalog.mkdir()
        directory.mkdir()
        write(catalog / "aliases.parquet", ALIASES, [{"kind": k, "from_id": a, "to_id": b} for k, a, b in aliases])
        titles = [{"item_id": t, "name": t, "parent_id": by, "album": album} for t, by, album in tracks]
        write(catalog / "tracks.parquet", TABLES["tracks"], titles)
        named = [{"playlist_id": name, "title": name, "owner": owner} for name, owner, _ in playlists]
        write(catalog / "playlists.parquet", PLAYLISTS, named)
        items = [
            {"playlist_id": name, "position": position, **(item(track) if isinstance(track, str) else track)}
            for name, _, tracks in playlists
            for position, track in enumerate(tracks)
        ]
        write(catalog / "playlist_items.parquet", PLAYLIST_ITEMS, items)
        paths = []
        if listens:
            paths.append(tmp_path / "listens.parquet")
            write(paths[0], LISTENS, [listen(*one) for one in listens])
        rows = build_sequences(paths, catalog, kind, ITEMS, directory, SequenceSettings(**settings))
        made = Sequences.load(directory, kind=kind)
        assert sorted(path.name.split(".")[0] for path in directory.iterdir() if path.is_dir()) == []
        return ["".join(ITEMS.select(made.of(number))) for number in range(len(made))], rows

    return build


def write(path, schema, rows):
    columns = {field.name: [row.get(field.name) for row in rows] for field in schema}
    pq.write_table(pa.table(columns, schema=schema), path)


def item(name, kind="track", parent="somebody"):
    return {"kind": kind, "item_id": name, "parent_id": parent}


def listen(user, minute, played, skipped=False):
    played = item(played) if isinstance(played, str) else played
    return {**played, "user_id": user, "listened_at": NOON + datetime.timedelta(minutes=minute), "skipped": skipped}


def test_a_playlist_is_a_sequence_in_the_order_of_its_positions(built):
    assert built(playlists=[("p1", "ann", "cab"), ("p2", None, "hgfe")]) == (
        ["cab", "hgfe"],
        {"playlists": 2, "sessions": 0, "items": 7},
    )


def test_a_history_is_cut_where_nothing_was_begun_for_long(built):
    minutes = [
        ("ann", 0, "a"),
        ("ann", 30, "b"),
        ("ann", 60, "c"),
        ("ann", 91, "d"),
        ("ann", 95, "e"),
        ("ann", 99, "f"),
    ]
    assert built(listens=minutes)[0] == ["abc", "def"]


def test_listeners_and_time_keep_sessions_apart_whatever_the_order_of_the_file(built):
    mixed = [("bob", 2, "h"), ("ann", 2, "c"), ("bob", 0, "f"), ("ann", 0, "a"), ("bob", 1, "g"), ("ann", 1, "b")]
    assert built(listens=mixed)[0] == ["abc", "fgh"]


def test_skipped_and_unknown_items_are_left_out_and_nothing_follows_itself(built):
    played = [
        ("ann", 0, "a"),
        ("ann", 1, "x"),
        ("ann", 2, "a"),
        ("ann", 3, "b"),
        ("ann", 4, "c", True),
        ("ann", 5, "d"),
    ]
    assert built(listens=played)[0] == ["abd"]


def test_another_id_of_the_same_track_is_that_track(built):
    played = [("ann", 0, "a"), ("ann", 1, "z"), ("ann", 2, "c")]
    assert built(listens=played, aliases=[("track", "z", "b"), ("artist", "a", "h")])[0] == ["abc"]


@pytest.mark.parametrize(("kind", "child"), [("artist", "track"), ("show", "episode")])
def test_what_is_played_follows_its_parent_too(built, kind, child):
    played = [item("x", child, "a"), item("y", child, "a"), item("b", kind, None), item("z", child, "q")]
    played += [item("x", child, None), item("d", child, None), item("e", "track" if child != "track" else "show", "e")]
    listens = [("ann", minute, what) for minute, what in enumerate(played)]
    aliases = [(kind, "q", "c"), (child, "a", "h")]
    lists = [("p", None, [*played[:3], item("x", child, "c")])]
    assert built(kind=kind, listens=listens, playlists=lists, aliases=aliases)[0] == ["abc", "abc"]


def test_short_ones_are_left_out_long_playlists_too_and_long_sessions_are_cut(built):
    played = [("ann", minute, track) for minute, track in enumerate("abcdefghabcdefghabcde")]
    lists = [("short", None, "ab"), ("long", None, "abcdefghabc"), ("fit", None, "abcdefghab")]
    sequences, rows = built(listens=played, playlists=lists, longest=10)
    assert sequences == ["abcdefghab", "abcdefghab", "cdefghabcd"]
    assert (rows["playlists"], rows["sessions"]) == (1, 2)


def test_a_whole_album_in_order_is_no_taste_but_a_mix_is(built):
    tracks = [(track, "one", "Album" if track < "e" else None) for track in "abcdefgh"]
    lists = [("album", None, "abcd"), ("mixed", None, "abce"), ("twice", None, "abca")]
    assert built(playlists=lists, tracks=tracks)[0] == ["abce", "abca"]


def test_one_owner_counts_so_often_and_no_more(built):
    lists = [(f"p{number}", "spam", "abc") for number in range(5)] + [("q", "ann", "def"), ("r", None, "fgh")]
    assert built(playlists=lists, per_owner=2)[0] == ["abc", "abc", "def", "fgh"]


def test_a_library_without_either_has_none(built):
    assert built() == ([], {"playlists": 0, "sessions": 0, "items": 0})


def test_batches_do_not_tear_a_session(built, monkeypatch):
    monkeypatch.setattr("crossfade.core.queries.BATCH", 2)
    played = [("ann", minute, track) for minute, track in enumerate("abcdefgh")] + [("bob", 0, "a")]
    assert built(listens=played)[0] == ["abcdefgh"]


@pytest.mark.parametrize(
    "wrong", [{"gap_minutes": 0}, {"shortest": 1}, {"longest": 9}, {"per_owner": 0}, {"shortest": 50, "longest": 20}]
)
def test_settings_that_cannot_be_meant_are_refused(wrong):
    with pytest.raises(SettingsError, match=next(iter(wrong))):
        SequenceSettings(**wrong)
