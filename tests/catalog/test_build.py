import datetime
from itertools import count

import pyarrow.parquet as pq
import pytest

from crossfade.catalog.build import build_catalog
from crossfade.core.errors import ArtifactError
from crossfade.core.schemas import ALIASES, NAMESAKES, TABLES

MERGED = (TABLES.keys() | {"aliases", "namesakes"}) - {"listens", "counts"}
MBID = "a74b1b7f-71a5-4011-9441-d0b5e4122711"


@pytest.fixture
def merged(imported, tmp_path):
    """The rows of each merged table, as tuples."""
    places = count()

    def merge(*imports, **limits):
        place = tmp_path / f"catalog {next(places)}"
        place.mkdir()
        rows = build_catalog(imported(*imports), place, **limits)
        tables = {path.stem: pq.read_table(path) for path in place.iterdir()}
        assert {name: table.num_rows for name, table in tables.items()} == rows
        for name, table in tables.items():
            assert table.schema.equals({**TABLES, "aliases": ALIASES, "namesakes": NAMESAKES}[name])
        return {name: [tuple(row.values()) for row in table.to_pylist()] for name, table in tables.items()}

    return merge


def test_nothing_imported_gives_empty_tables(merged):
    assert merged() == {name: [] for name in MERGED}


def test_the_name_that_the_own_source_gives_wins_then_the_most_common_then_the_first(merged):
    tables = merged(
        {"artists": [(MBID, "Motörhead"), ("name:motörhead", "MOTÖRHEAD"), ("a:1", "Muse"), ("a:2", "b")]},
        {"artists": [("name:motörhead", "MOTÖRHEAD"), ("a:1", "MUSE"), ("a:2", "a")]},
        {"artists": [("a:1", "Muse")]},
    )
    assert tables["artists"] == [(MBID, "Motörhead"), ("a:1", "Muse"), ("a:2", "a")]
    assert tables["aliases"] == [("artist", "name:motörhead", MBID)]


def test_a_track_takes_what_it_lacks_from_its_aliases(merged):
    tables = merged(
        {"artists": [(MBID, "X")], "tracks": [("s:1", "Song", MBID, None, 200_000, None)]},
        {
            "artists": [("name:x", "X")],
            "tracks": [("name:x / song", "SONG", "name:x", "Album", 199_000, "ISRC1")],
        },
    )
    assert tables["tracks"] == [("s:1", "Song", MBID, "Album", 200_000, "ISRC1")]


def test_an_episode_takes_the_settled_id_of_its_show(merged):
    tables = merged(
        {"shows": [(MBID, "Talk")], "episodes": [("s:1", "One", MBID, None)]},
        {"shows": [("name:talk", "Talk")], "episodes": [("name:talk / one", "One", "name:talk", 9_000)]},
        {"artists": [("name:talk", "Talk")]},
    )
    assert tables["episodes"] == [("s:1", "One", MBID, 9_000)]
    assert tables["aliases"] == [("episode", "name:talk / one", "s:1"), ("show", "name:talk", MBID)]
    assert tables["artists"] == [("name:talk", "Talk")]


def test_tags_are_normalised_and_summed_over_the_ids_of_an_item(merged):
    tables = merged(
        {
            "artists": [(MBID, "X"), ("name:x", "X")],
            "tags": [("artist", MBID, "Hip  Hop", 2), ("artist", "name:x", "hip hop", 3)],
        },
        {"tags": [("artist", MBID, "rock", 1), ("artist", "a:2", "rock", 1), ("show", "name:x", "rock", 1)]},
    )
    assert tables["tags"] == [
        ("artist", MBID, "hip hop", 5),
        ("artist", MBID, "rock", 1),
        ("artist", "a:2", "rock", 1),
        ("show", "name:x", "rock", 1),
    ]


def test_texts_and_friends_stand_once(merged):
    tables = merged(
        {
            "artists": [(MBID, "X"), ("name:x", "X")],
            "texts": [("artist", MBID, "Words"), ("artist", "name:x", "Words"), ("artist", MBID, " ")],
            "friends": [("u", "v"), ("u", "u"), ("v", "u")],
        },
        {"texts": [("track", "name:x", "Words")], "friends": [("u", "v")]},
    )
    assert tables["texts"] == [("artist", MBID, "Words"), ("track", "name:x", "Words")]
    assert tables["friends"] == [("u", "v"), ("v", "u")]


def test_a_playlist_is_as_the_last_import_has_it(merged):
    old = [("p", 0, "track", "t:1"), ("p", 1, "track", "t:2"), ("p", 2, "track", "t:3"), ("q", 0, "episode", "t:9")]
    tables = merged(
        {"playlists": [("p", "Old", "me", 3), ("q", "Only here", None, None)], "playlist_items": old},
        {
            "playlists": [("p", "New", None, 1)],
            "playlist_items": [("p", 0, "track", "t:3", "a:1"), ("p", 1, "track", "t:1")],
        },
    )
    assert tables["playlists"] == [("p", "New", None, 1), ("q", "Only here", None, None)]
    assert tables["playlist_items"] == [
        ("p", 0, "track", "t:3", "a:1"),
        ("p", 1, "track", "t:1", None),
        ("q", 0, "episode", "t:9", None),
    ]


def test_a_position_that_is_taken_twice_keeps_the_first_item_by_kind_and_id(merged):
    items = [("p", 0, "track", "t:1", "a:2"), ("p", 0, "track", "t:2"), ("p", 0, "track", "t:1")]
    tables = merged({"playlist_items": [*items, ("p", 1, "track", "t:1"), ("p", 1, "episode", "t:2", "s")]})
    assert tables["playlist_items"] == [("p", 0, "track", "t:1", "a:2"), ("p", 1, "episode", "t:2", "s")]


def test_playlist_items_carry_the_settled_ids(merged):
    tables = merged(
        {"artists": [(MBID, "X")], "tracks": [("s:1", "Song", MBID)]},
        {
            "artists": [("name:x", "X")],
            "tracks": [("name:x / song", "Song", "name:x")],
            "playlist_items": [
                ("p", 0, "track", "name:x / song", "name:x"),
                ("p", 1, "artist", "name:x"),
                ("p", 2, "show", "name:x"),
                ("p", 3, "episode", "name:x / song", "name:x"),
            ],
        },
    )
    assert tables["playlist_items"] == [
        ("p", 0, "track", "s:1", MBID),
        ("p", 1, "artist", MBID, None),
        ("p", 2, "show", "name:x", None),
        ("p", 3, "episode", "name:x / song", "name:x"),
    ]


def test_the_last_thumb_counts_and_one_taken_back_is_none(merged):
    def day(number):
        return datetime.datetime(2026, 1, number, tzinfo=datetime.UTC)

    songs = {"artists": [("a:1", "X")], "tracks": [("t:1", "Song", "a:1"), ("name:x / song", "Song", "a:1")]}
    tables = merged(
        {
            "feedback": [
                ("u", "track", "name:x / song", 1, day(1)),
                ("u", "track", "t:2", 1, day(1)),
                ("u", "episode", "name:x / song", 1, day(1)),
                ("v", "track", "t:1", -1, None),
            ]
        },
        {**songs, "feedback": [("u", "track", "t:1", -1, day(2)), ("u", "track", "t:2", 0, day(3))]},
    )
    assert tables["feedback"] == [
        ("u", "episode", "name:x / song", 1, day(1)),
        ("u", "track", "t:1", -1, day(2)),
        ("v", "track", "t:1", -1, None),
    ]


def test_bytes_do_not_depend_on_threads_or_memory(imported, tmp_path):
    rows = {
        "artists": [(f"{'ab'[number % 2]}:{number}", f"Artist {number % 977}") for number in range(20_000)]
        + [(f"name:artist {number}", f"Artist {number}") for number in range(1000)],
        "tags": [
            ("artist", f"a:{number * 7 % 3000}", f"tag {number % 50}", 1 + number % 3) for number in range(40_000)
        ],
    }
    tables = imported(rows)
    written = []
    for number, (threads, memory_limit) in enumerate([(1, 1 << 30), (2, 1 << 30), (2, 64 << 20)]):
        place = tmp_path / f"catalog {number}"
        place.mkdir()
        build_catalog(tables, place, threads=threads, memory_limit=memory_limit)
        written.append({path.name: path.read_bytes() for path in place.iterdir()})
    assert written[0] == written[1] == written[2]


def test_a_damaged_table_is_named(imported, tmp_path):
    tables = imported({"artists": [("a:1", "X")]})
    tables["artists"][0].write_bytes(b"PAR1 but no more")
    with pytest.raises(ArtifactError, match=r"artists\.parquet"):
        build_catalog(tables, tmp_path)
    assert not (tmp_path / "spill").exists()
