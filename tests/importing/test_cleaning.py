"""The cleaning rules, one by one."""

import math
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.core.errors import SettingsError, UnknownIdError
from crossfade.core.kinds import KINDS
from crossfade.core.settings import documented
from crossfade.formats.contract import Member
from crossfade.importing.cleaning import MAX_TEXT, CleaningSettings, Judge
from crossfade.importing.ledger import Ledger
from crossfade.importing.publishing import loops, publish
from crossfade.importing.sink import ImportSink

NOW = 1_700_000_000.0  # 14 November 2023
FILE = Member("log.csv", PurePosixPath("log.csv"), b"")

Row = dict[str, Any]


class Import:
    """An import without files: rows in, rows and ledger out."""

    def __init__(self, place: Path, settings: CleaningSettings) -> None:
        self.ledger = Ledger(name="test", source="test")
        self.place = place
        self.sink = ImportSink(place / "staging", self.ledger, settings, user="me", now=NOW)
        self.sink.begin("test")

    def finish(self) -> dict[str, list[Row]]:
        import pyarrow.parquet as pq

        self.sink.finish()
        out = self.place / "out"
        out.mkdir()
        publish(self.sink, out, [])
        self.ledger.check()
        tables = {path.stem: pq.read_table(path).to_pylist() for path in out.glob("*.parquet")}
        tables["listens"] = [row for path in sorted(out.glob("listens/*")) for row in pq.read_table(path).to_pylist()]
        return tables


@pytest.fixture
def importing(tmp_path: Path) -> Callable[..., Import]:
    return lambda **settings: Import(tmp_path, CleaningSettings(**settings))


def listen(found: Import, line: int = 1, **described: Any) -> None:
    found.sink.listen((FILE, line), **{"listened_at": 1_600_000_000.0, "parent": "Low", "name": "Monkey", **described})


@pytest.mark.parametrize(
    ("ms_played", "duration_ms", "play"),
    [
        (30_000, None, True),
        (29_999, None, False),
        (30_000, 600_000, True),
        (29_999, 600_000, False),
        (10_000, 20_000, True),  # half of a track of twenty seconds
        (9_999, 20_000, False),
        (30_000, 60_000, True),
        (0, None, False),
        (None, 20_000, True),  # nothing is known: it was in the history
        (None, None, True),
        (10_000, 0, False),  # a length of zero is no length
        (-5, None, True),  # nor is one below it
        (10**30, None, True),
    ],
)
def test_a_play_is_thirty_seconds_or_half_of_a_shorter_track(importing, ms_played, duration_ms, play) -> None:
    found = importing()
    listen(found, ms_played=ms_played, duration_ms=duration_ms)
    (row,) = found.finish()["listens"]
    assert row["skipped"] is not play
    assert (found.ledger.plays, found.ledger.skips) == (int(play), int(not play))
    if ms_played is None or 0 <= ms_played < 10**9:
        assert CleaningSettings().is_play(ms_played, duration_ms) is play


@given(
    st.lists(
        st.tuples(st.none() | st.integers(0, 90_000), st.none() | st.integers(0, 200_000)), min_size=1, max_size=30
    ),
    st.floats(0, 60),
    st.floats(0, 1),
)
def test_whole_columns_are_judged_as_single_rows_are(lengths, seconds, share) -> None:
    settings = CleaningSettings(play_seconds=seconds, play_share=share)
    rows = len(lengths)
    columns = {
        "ms_played": pa.array([played for played, _ in lengths], pa.int64()),
        "duration_ms": pa.array([track for _, track in lengths], pa.int64()),
        "skipped": pa.nulls(rows, pa.bool_()),
    }
    skipped = Judge(settings, NOW)._skipped(columns).to_pylist()
    assert skipped == [not settings.is_play(*length) for length in lengths]


def test_a_source_that_knows_skips_is_believed(importing) -> None:
    found = importing()
    listen(found, skipped=True, ms_played=100_000)
    listen(found, skipped=False, ms_played=1, listened_at=1_600_000_999.0)
    assert [row["skipped"] for row in found.finish()["listens"]] == [True, False]


@pytest.mark.parametrize(
    ("listened_at", "reason"),
    [
        (NOW + 23 * 3600, None),
        (NOW + 25 * 3600, "future"),
        (4_070_908_800.0, "future"),  # 2099
        (1e300, "future"),
        (math.inf, "future"),
        (946_684_800.0, None),  # 1 January 2000
        (946_684_799.0, "too-early"),
        (0.0, "too-early"),
        (-441_763_200.0, "too-early"),  # 1956
        (-math.inf, "too-early"),
        (math.nan, "incomplete"),
    ],
)
def test_times_that_cannot_be_are_dropped(importing, listened_at, reason) -> None:
    found = importing()
    listen(found, listened_at=listened_at)
    found.finish()
    assert found.ledger.dropped == ({reason: 1} if reason else {})


@pytest.mark.parametrize(
    ("described", "reason"),
    [
        ({"parent": ""}, "incomplete"),
        ({"parent": " \t"}, "incomplete"),
        ({"user_id": ""}, "incomplete"),
        ({"parent": "L\0w"}, "malformed"),
        ({"name": "\0" * 200}, "malformed"),
        ({"album": "\0"}, "malformed"),
        ({"parent": "", "item_id": "mbid"}, None),
        ({"parent": "", "name": ""}, "incomplete"),
        ({"kind": "artist", "name": "", "parent": None}, "incomplete"),
        ({"kind": "episode", "parent": None}, "incomplete"),
        ({"kind": "show", "parent": None}, None),
        ({"parent": "x" * (MAX_TEXT + 1)}, "malformed"),
        ({"parent": "ä" * MAX_TEXT}, None),
        ({"name": ""}, None),
        ({"parent": "", "parent_id": "mbid"}, None),
        ({"parent": "\ud800 half a pair"}, None),
    ],
)
def test_rows_with_missing_or_odd_values_are_dropped(importing, described, reason) -> None:
    found = importing()
    listen(found, **described)
    found.finish()
    assert found.ledger.dropped == ({reason: 1} if reason else {})


def test_half_a_surrogate_pair_is_replaced(importing) -> None:
    found = importing()
    listen(found, parent="\udc00Low\ud800")
    assert found.finish()["artists"][0]["name"] == "\ufffdLow\ufffd"


def test_a_row_is_dropped_for_its_first_fault_alone(importing) -> None:
    found = importing()
    listen(found, parent="", listened_at=4_070_908_800.0)
    found.finish()
    assert found.ledger.dropped == {"incomplete": 1}


def test_names_make_ids_where_there_are_none(importing) -> None:
    found = importing()
    listen(found, parent=" Sigur  Rós ", name="HOPPÍPOLLA", album="Takk…")
    listen(found, 2, parent="LOW", name=None, listened_at=1_600_000_500.0)
    listen(found, 3, parent="Low", parent_id="low-mbid", item_id="t", name="Monkey", listened_at=1_600_000_900.0)
    tables = found.finish()
    assert [(row["kind"], row["item_id"], row["parent_id"]) for row in tables["listens"]] == [
        ("track", "name:sigur rós / hoppípolla", "name:sigur rós"),
        ("artist", "name:low", None),
        ("track", "t", "low-mbid"),
    ]
    assert tables["artists"] == [
        {"item_id": "low-mbid", "name": "Low"},
        {"item_id": "name:low", "name": "LOW"},
        {"item_id": "name:sigur rós", "name": "Sigur  Rós"},
    ]
    assert [(row["item_id"], row["name"], row["parent_id"], row["album"]) for row in tables["tracks"]] == [
        ("name:sigur rós / hoppípolla", "HOPPÍPOLLA", "name:sigur rós", "Takk…"),
        ("t", "Monkey", "low-mbid", None),
    ]


def test_every_kind_is_imported_alike(importing) -> None:
    found = importing()
    for kind in KINDS.values():
        if kind.parent is not None:
            fields = {field.name: "text" if field.type == "text" else 600_000 for field in kind.fields}
            listen(found, kind=kind.name, name=f"A {kind.name}", parent=f"A {kind.parent}", **fields)
            listen(found, kind=kind.name, name=None, parent=f"A {kind.parent}")
    tables = found.finish()
    for kind in KINDS.values():
        item = f"name:a {kind.name}" if kind.parent is None else f"name:a {kind.parent} / a {kind.name}"
        parent = None if kind.parent is None else f"name:a {kind.parent}"
        (listened,) = [row for row in tables["listens"] if row["kind"] == kind.name]
        assert (listened["item_id"], listened["parent_id"]) == (item, parent)
        (described,) = tables[kind.plural]
        assert described.pop("parent_id", None) == parent
        fields = {field.name: "text" if field.type == "text" else 600_000 for field in kind.fields}
        assert described == {"item_id": item, "name": f"A {kind.name}", **fields}


def test_a_kind_or_a_field_that_does_not_exist_is_refused(importing) -> None:
    found = importing()
    with pytest.raises(UnknownIdError, match="no kind of item 'song'"):
        found.sink.item("song", "s", "A song")
    with pytest.raises(TypeError, match="colour"):
        listen(found, colour="red")
    with pytest.raises(TypeError, match="parent"):
        found.sink.listens(FILE, 1, pa.table({"parent": ["Low"]}))
    found.sink.tag("song", "s", "rock")
    with pytest.raises(UnknownIdError, match="no kind of item 'song'"):
        found.finish()
    listen(found, kind="song")
    with pytest.raises(UnknownIdError, match="no kind of item 'song'"):
        found.finish()


def test_equal_ids_of_two_kinds_are_two_items(importing) -> None:
    found = importing()
    for kind in ("artist", "show", "artist"):
        listen(found, kind=kind, item_id="x", name=f"A {kind}", parent=None)
    for kind in ("artist", "show"):
        found.sink.count((FILE, 9), user_id="u", plays=2, kind=kind, item_id="x")
    tables = found.finish()
    assert [row["kind"] for row in tables["listens"]] == ["artist", "show"]
    assert [(row["kind"], row["plays"]) for row in tables["counts"]] == [("artist", 2), ("show", 2)]
    assert found.ledger.dropped == {"duplicate": 1}
    assert (tables["artists"], tables["shows"]) == (
        [{"item_id": "x", "name": "A artist"}],
        [{"item_id": "x", "name": "A show"}],
    )


@pytest.mark.parametrize("waiting", [1, 3, 100])
def test_an_item_has_the_name_that_most_rows_use(importing, monkeypatch: pytest.MonkeyPatch, waiting) -> None:
    monkeypatch.setattr("crossfade.importing.sink.BATCH_ROWS", 2)
    monkeypatch.setattr("crossfade.importing.names.WAITING", waiting)
    found = importing()
    for line, name in enumerate(["Monkey (live)", "Monkey", "Monkey", "monkey", "monkey"]):
        listen(found, line, name=name, item_id="t", listened_at=1_600_000_000.0 + line)
    # Of two names that are used equally, the one that came first.
    assert [row["name"] for row in found.finish()["tracks"]] == ["Monkey"]


def test_an_artist_has_the_name_that_most_rows_use(importing) -> None:
    found = importing()
    for line, name in enumerate(["Dirty Three & Low", "Low", "Low", "low"]):
        listen(found, line, parent=name, parent_id="a", listened_at=1_600_000_000.0 + line)
    assert found.finish()["artists"] == [{"item_id": "a", "name": "Low"}]


@pytest.mark.parametrize("batch", [1, 100])
def test_the_fields_of_a_track_come_from_the_first_rows_that_have_them(
    importing, monkeypatch: pytest.MonkeyPatch, batch
) -> None:
    monkeypatch.setattr("crossfade.importing.sink.BATCH_ROWS", batch)
    found = importing()
    for line, more in enumerate([{}, {"album": "Late", "duration_ms": 200_000}, {"album": "Other", "isrc": "X"}]):
        listen(found, line, item_id="t", listened_at=1_600_000_000.0 + line, **more)
    (track,) = found.finish()["tracks"]
    assert track == {
        "item_id": "t",
        "name": "Monkey",
        "parent_id": "name:low",
        "album": "Late",
        "duration_ms": 200_000,
        "isrc": "X",
    }


def test_the_same_user_time_and_track_is_one_listen(importing) -> None:
    found = importing()
    listen(found, 1, ms_played=40_000)
    listen(found, 2, ms_played=1)  # the first one stays
    listen(found, 3, name="Sunflower")
    listen(found, 4, user_id="anna")
    listen(found, 5, listened_at=1_600_000_000.001)
    listen(found, 6, name=None)
    listen(found, 7, name=None)
    rows = found.finish()["listens"]
    assert len(rows) == 5
    assert found.ledger.dropped == {"duplicate": 2}
    assert sorted(sample.line for sample in found.ledger.samples["duplicate"]) == [2, 7]
    assert {row["ms_played"] for row in rows} == {40_000, None}


def test_listens_stand_by_user_and_time(importing) -> None:
    found = importing()
    for line, (user, when) in enumerate([("b", 5), ("a", 9), ("b", 1), ("a", 2)]):
        listen(found, line, user_id=user, listened_at=1_600_000_000.0 + when)
    order = [(row["user_id"], row["listened_at"].second) for row in found.finish()["listens"]]
    # 1,600,000,000 is 12:26:40.
    assert order == [("a", 42), ("a", 49), ("b", 41), ("b", 45)]


def test_a_night_of_one_track_is_cut_after_two_hours(importing) -> None:
    found = importing()
    for minute in range(0, 8 * 60, 4):
        listen(found, minute, listened_at=1_600_000_000.0 + 60 * minute)
    rows = found.finish()["listens"]
    # At 0, 4, …, 120 minutes: thirty-one.
    assert len(rows) == 31
    assert found.ledger.dropped == {"loop": 89}


@pytest.mark.parametrize(
    "between",
    [
        {"name": "Sunflower"},  # another track
        {"name": None},  # a listen of the artist
    ],
)
def test_another_track_ends_a_loop(importing, between) -> None:
    found = importing()
    for minute in range(0, 240, 4):
        listen(found, minute, listened_at=1_600_000_000.0 + 60 * minute)
    listen(found, 999, listened_at=1_600_000_000.0 + 60 * 118, **between)
    assert len(found.finish()["listens"]) == 61


def test_a_pause_ends_a_loop_and_artists_alone_are_none(importing) -> None:
    found = importing()
    for day in range(10):
        listen(found, day, listened_at=1_600_000_000.0 + 86_400 * day)
    for minute in range(0, 240, 4):
        listen(found, 100 + minute, name=None, user_id="b", listened_at=1_600_000_000.0 + 60 * minute)
    found.finish()
    assert found.ledger.dropped == {}


def test_loops_can_be_kept(importing) -> None:
    found = importing(loop_hours=0)
    for minute in range(0, 480, 4):
        listen(found, minute, listened_at=1_600_000_000.0 + 60 * minute)
    assert len(found.finish()["listens"]) == 120


def test_loops_as_a_plain_reading_of_the_rule(rng: np.random.Generator) -> None:
    settings = CleaningSettings(loop_hours=1, loop_pause_minutes=20)
    user = np.sort(rng.integers(0, 3, 400))
    time = np.concatenate([np.sort(rng.integers(0, 40_000_000, int((user == one).sum()))) for one in range(3)])
    key = rng.integers(-1, 2, 400)
    expected, start = [], 0
    for row in range(400):
        goes_on = (
            row > 0
            and user[row] == user[row - 1]
            and key[row] == key[row - 1] >= 0
            and time[row] - time[row - 1] <= 20 * 60_000
        )
        start = start if goes_on else row
        expected.append(time[row] - time[start] > 3_600_000)
    found = loops(user, time, key, settings)
    assert found.tolist() == expected


def test_ignored_items_are_left_out_by_name_or_id(importing) -> None:
    found = importing(ignored=("Sleep  SOUNDS", "mbid-1", "Low / Monkey", "track-9", "White noise"))
    listen(found, 1)
    listen(found, 2, parent="sleep sounds", name="Rain")
    listen(found, 3, parent="Sleep Sounds", parent_id="mbid-7", name="Rain")
    listen(found, 4, parent="Other", parent_id="mbid-1", name="Rain")
    listen(found, 5, name="x", item_id="track-9")
    listen(found, 6, name="MONKEY", item_id="track-10")
    listen(found, 7, name="White Noise", item_id="track-11")
    listen(found, 8, kind="show", name="Sleep Sounds", parent=None)
    listen(found, 9, name="Sunflower")
    listen(found, 10, parent="The Beatles", name="Low")
    found.sink.count((FILE, 11), user_id="me", kind="artist", item_id="mbid-1", plays=3)
    found.sink.count((FILE, 12), user_id="me", kind="artist", item_id="mbid-2", plays=3)
    tables = found.finish()
    assert found.ledger.dropped == {"ignored": 9}
    assert [row["item_id"] for row in tables["listens"]] == ["name:low / sunflower", "name:the beatles / low"]
    assert [row["item_id"] for row in tables["counts"]] == ["mbid-2"]
    # Nor are their names kept.
    assert [row["name"] for row in tables["artists"]] == ["Low", "The Beatles"]


@pytest.mark.parametrize("batch", [1, 100])
def test_an_ignored_item_is_left_out_of_every_table_with_its_children(
    importing, monkeypatch: pytest.MonkeyPatch, batch
) -> None:
    monkeypatch.setattr("crossfade.importing.sink.BATCH_ROWS", batch)
    found = importing(ignored=("sleep sounds",))
    sink = found.sink
    sink.item("artist", "a1", "Sleep Sounds")
    sink.item("artist", "a2", "Low")
    sink.item("track", "t1", "Rain", parent_id="a1")
    sink.item("track", "t2", "Monkey", parent_id="a2")
    sink.playlist("p", "Evening")
    for line, (track, artist) in enumerate([("t1", "a1"), ("t2", "a2")]):
        sink.count((FILE, line), user_id="u", plays=1, kind="track", item_id=track)
        sink.count((FILE, line), user_id="u", plays=1, kind="artist", item_id=artist)
        sink.playlist_item((FILE, line), "p", line, track)
        sink.tag("artist", artist, "quiet")
        sink.feedback(None, track, 1)
    tables = found.finish()
    assert found.ledger.dropped == {"ignored": 3}
    kept = {table: {row["item_id"] for row in rows} for table, rows in tables.items() if rows and table != "playlists"}
    assert kept == {
        "artists": {"a2"},
        "tracks": {"t2"},
        "counts": {"a2", "t2"},
        "playlist_items": {"t2"},
        "tags": {"a2"},
        "feedback": {"t2"},
    }


@pytest.mark.parametrize(
    ("plays", "kept"),
    [
        (1, 1),
        (2.6, 3),
        (0.6, 1),
        (0.4, None),
        (0, None),
        (-3, None),
        (math.nan, None),
        (math.inf, None),
        (1e30, None),
        (10_000_000, 10_000_000),
        (10_000_001, None),
    ],
)
def test_counts_are_positive_and_plausible(importing, plays, kept) -> None:
    found = importing()
    found.sink.count((FILE, 1), user_id="u", kind="artist", item_id="a", plays=plays)
    tables = found.finish()
    if kept is None:
        assert found.ledger.dropped == {"bad-count": 1}
        assert "counts" not in tables
    else:
        row = {"user_id": "u", "kind": "artist", "item_id": "a", "parent_id": None, "plays": kept}
        assert tables["counts"] == [row]


def test_counts_of_one_pair_are_summed(importing) -> None:
    found = importing()
    counts = [("artist", "a", None, 2), ("track", "t", "a", 5), ("artist", "a", None, 3), ("track", "t", None, 7)]
    for line, (kind, item, parent, plays) in enumerate(counts):
        found.sink.count((FILE, line), user_id="u", kind=kind, item_id=item, parent_id=parent, plays=plays)
    found.sink.count((FILE, 9), user_id="u", plays=1, kind="track", item_id=" ")
    rows = found.finish()["counts"]
    assert [(row["kind"], row["item_id"], row["parent_id"], row["plays"]) for row in rows] == [
        ("artist", "a", None, 5),
        ("track", "t", "a", 12),
    ]
    assert (found.ledger.counts, found.ledger.dropped) == (4, {"incomplete": 1})


def test_items_of_playlists_are_accepted_or_dropped(importing) -> None:
    found = importing()
    sink = found.sink
    sink.playlist("p", "")
    positions = [(0, "t"), (1, "t"), (1, "u"), (3, ""), (2, "v\0"), (2**40, "w"), (2, "v")]
    for line, (position, track) in enumerate(positions, start=1):
        sink.playlist_item((FILE, line), "p", position, track, "a")
    tables = found.finish()
    assert [(row["position"], row["kind"], row["item_id"], row["parent_id"]) for row in tables["playlist_items"]] == [
        (0, "track", "t", "a"),
        (1, "track", "t", "a"),
        (2, "track", "v", "a"),
    ]
    assert tables["playlists"] == [{"playlist_id": "p", "title": "", "owner": None, "followers": None}]
    assert (found.ledger.read, found.ledger.playlist_items) == (7, 3)
    assert found.ledger.dropped == {"malformed": 1, "incomplete": 2, "duplicate": 1}
    assert {reason: [sample.line for sample in samples] for reason, samples in found.ledger.samples.items()} == {
        "incomplete": [6, 4],
        "malformed": [5],
        "duplicate": [3],
    }


def test_tables_of_rows_and_single_rows_are_cleaned_alike(importing, tmp_path: Path) -> None:
    rows = [
        {"listened_at": 1_600_000_000.0 + row, "parent": artist, "name": title, "ms_played": 1000 * row}
        for row, (artist, title) in enumerate([("Low", "A"), ("", "B"), ("Can", None), ("Low", "A"), ("N\0", "C")] * 9)
    ]
    for place in ("one", "many"):
        (tmp_path / place).mkdir()
    one = Import(tmp_path / "one", CleaningSettings())
    for line, row in enumerate(rows, start=1):
        listen(one, line, **row)
    many = Import(tmp_path / "many", CleaningSettings())
    table = pa.table(
        {
            "kind": pa.array([None if line % 2 else "track" for line in range(len(rows))], pa.string()),
            "listened_at": pa.array([int(row["listened_at"] * 1000) for row in rows], pa.timestamp("ms", tz="UTC")),
            "parent_name": [row["parent"] for row in rows],
            "name": [row["name"] for row in rows],
            "ms_played": pa.array([row["ms_played"] for row in rows], pa.int32()),
        }
    )
    many.sink.listens(FILE, 1, table)
    assert one.finish() == many.finish()
    assert one.ledger == many.ledger


def test_a_private_row_is_counted_and_forgotten(importing) -> None:
    found = importing()
    listen(found, 1, parent="Ex", private=True)
    listen(found, 2, parent="Why", private=False)
    tables = found.finish()
    assert [row["parent_id"] for row in tables["listens"]] == ["name:why"]
    assert [row["name"] for row in tables["artists"]] == ["Why"]
    assert (found.ledger.read, found.ledger.dropped, found.ledger.samples) == (2, {"private": 1}, {})


def test_private_rows_of_a_table_are_forgotten(importing) -> None:
    found = importing()
    table = pa.table(
        {
            "user_id": ["a", "b", "c"],
            "listened_at": pa.array([1_600_000_000_000] * 3, pa.timestamp("ms", tz="UTC")),
            "parent_id": ["x", "y", "z"],
            "parent_name": ["Ex", "Why", "Zed"],
        }
    )
    found.sink.listens(FILE, 1, table, pa.array([False, True, None]))
    tables = found.finish()
    assert [row["user_id"] for row in tables["listens"]] == ["a", "c"]
    assert [row["name"] for row in tables["artists"]] == ["Ex", "Zed"]
    assert found.ledger.dropped == {"private": 1}
    assert found.ledger.samples == {}


def test_the_other_tables_are_merged(importing) -> None:
    found = importing()
    sink = found.sink
    for artist, tag, count in [("a", "rock", 2), ("b", "rock", 1), ("a", "rock", 3)]:
        sink.tag("artist", artist, tag, count)
    sink.tag("show", "a", "rock")
    sink.item("track", "t", "First", parent_id="a")
    sink.item("track", "t", "Second", album="Late", duration_ms=200_000)
    sink.text("artist", "a", "a text " * 1000)
    for _ in range(2):
        sink.friend("u", "v")
        sink.playlist("p", "Evening", owner="anna", followers=3)
        sink.feedback(None, "t", 1, 1_600_000_000.0)
    sink.feedback("u", "t", -1)
    sink.item("artist", "a", "x\0")  # not a name
    tables = found.finish()
    assert tables["tags"] == [
        {"kind": "artist", "item_id": "a", "tag": "rock", "count": 5},
        {"kind": "artist", "item_id": "b", "tag": "rock", "count": 1},
        {"kind": "show", "item_id": "a", "tag": "rock", "count": 1},
    ]
    assert tables["tracks"] == [
        {"item_id": "t", "name": "First", "parent_id": "a", "album": "Late", "duration_ms": 200_000, "isrc": None}
    ]
    assert len(tables["texts"]) == len(tables["friends"]) == len(tables["playlists"]) == 1
    assert [(row["user_id"], row["kind"], row["score"]) for row in tables["feedback"]] == [
        ("me", "track", 1),
        ("u", "track", -1),
    ]
    assert "artists" not in tables
    assert found.ledger.read == 0


def test_a_reason_that_does_not_exist_is_refused(importing) -> None:
    with pytest.raises(ValueError, match="REASONS"):
        importing().sink.drop((FILE, 1), "because", "of that")


def test_samples_are_few(importing) -> None:
    found = importing(samples=2)
    for line in range(10):
        found.sink.drop((FILE, line), "malformed", "not a row")
        listen(found, line, parent="")
    found.finish()
    assert {reason: len(samples) for reason, samples in found.ledger.samples.items()} == {
        "malformed": 2,
        "incomplete": 2,
    }
    assert found.ledger.samples["malformed"][0].file == "log.csv"


@pytest.mark.parametrize(
    "wrong",
    [
        {"play_seconds": math.nan},
        {"play_seconds": -1.0},
        {"play_share": 1.5},
        {"loop_hours": -1.0},
        {"loop_pause_minutes": 0.0},
        {"earliest_year": 1900},
        {"future_hours": math.nan},
        {"largest_count": 0},
        {"samples": -1},
        {"ignored": "Low"},
    ],
)
def test_settings_that_cannot_work_are_refused(wrong) -> None:
    with pytest.raises(SettingsError):
        CleaningSettings(**wrong)


def test_every_setting_is_documented() -> None:
    assert all(field.meaning for field in documented(CleaningSettings))
