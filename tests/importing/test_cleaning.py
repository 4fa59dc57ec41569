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

from crossfade.core.errors import SettingsError
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


def listen(found: Import, line: int = 1, **said: Any) -> None:
    found.sink.listen((FILE, line), **{"listened_at": 1_600_000_000.0, "artist": "Low", "title": "Monkey", **said})


@pytest.mark.parametrize(
    ("ms_played", "track_ms", "play"),
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
def test_a_play_is_thirty_seconds_or_half_of_a_shorter_track(importing, ms_played, track_ms, play) -> None:
    found = importing()
    listen(found, ms_played=ms_played, track_ms=track_ms)
    (row,) = found.finish()["listens"]
    assert row["skipped"] is not play
    assert (found.ledger.plays, found.ledger.skips) == (int(play), int(not play))
    if ms_played is None or 0 <= ms_played < 10**9:
        assert CleaningSettings().is_play(ms_played, track_ms) is play


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
        "track_ms": pa.array([track for _, track in lengths], pa.int64()),
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
    ("said", "reason"),
    [
        ({"artist": ""}, "incomplete"),
        ({"artist": " \t"}, "incomplete"),
        ({"user_id": ""}, "incomplete"),
        ({"artist": "L\0w"}, "malformed"),
        ({"title": "\0" * 200}, "malformed"),
        ({"album": "\0"}, "malformed"),
        ({"artist": "x" * (MAX_TEXT + 1)}, "malformed"),
        ({"artist": "ä" * MAX_TEXT}, None),
        ({"title": ""}, None),
        ({"artist": "", "artist_id": "mbid"}, None),
        ({"artist": "\ud800 half a pair"}, None),
    ],
)
def test_rows_that_lack_or_garble_something_needed_are_dropped(importing, said, reason) -> None:
    found = importing()
    listen(found, **said)
    found.finish()
    assert found.ledger.dropped == ({reason: 1} if reason else {})


def test_half_a_surrogate_pair_is_replaced(importing) -> None:
    found = importing()
    listen(found, artist="\udc00Low\ud800")
    assert found.finish()["artists"][0]["name"] == "\ufffdLow\ufffd"


def test_a_row_is_dropped_for_its_first_fault_alone(importing) -> None:
    found = importing()
    listen(found, artist="", listened_at=4_070_908_800.0)
    found.finish()
    assert found.ledger.dropped == {"incomplete": 1}


def test_names_make_ids_where_there_are_none(importing) -> None:
    found = importing()
    listen(found, artist=" Sigur  Rós ", title="HOPPÍPOLLA", album="Takk…")
    listen(found, 2, artist="LOW", title=None, listened_at=1_600_000_500.0)
    listen(found, 3, artist="Low", artist_id="low-mbid", track_id="t", title="Monkey", listened_at=1_600_000_900.0)
    tables = found.finish()
    assert [(row["artist_id"], row["track_id"]) for row in tables["listens"]] == [
        ("name:sigur rós", "name:sigur rós / hoppípolla"),
        ("name:low", None),
        ("low-mbid", "t"),
    ]
    assert tables["artists"] == [
        {"artist_id": "low-mbid", "name": "Low"},
        {"artist_id": "name:low", "name": "LOW"},
        {"artist_id": "name:sigur rós", "name": "Sigur  Rós"},
    ]
    assert [(row["track_id"], row["title"], row["album"]) for row in tables["tracks"]] == [
        ("name:sigur rós / hoppípolla", "HOPPÍPOLLA", "Takk…"),
        ("t", "Monkey", None),
    ]


def test_an_artist_is_called_what_most_rows_call_it(importing) -> None:
    found = importing()
    for line, name in enumerate(["Dirty Three & Low", "Low", "Low", "low"]):
        listen(found, line, artist=name, artist_id="a", listened_at=1_600_000_000.0 + line)
    assert found.finish()["artists"] == [{"artist_id": "a", "name": "Low"}]


@pytest.mark.parametrize("batch", [1, 100])
def test_a_track_is_known_by_the_rows_that_tell_most_of_it(importing, monkeypatch: pytest.MonkeyPatch, batch) -> None:
    monkeypatch.setattr("crossfade.importing.sink.BATCH_ROWS", batch)
    found = importing()
    told = [{}, {"album": "Late", "track_ms": 200_000}, {"album": "Other"}]
    for line, more in enumerate(told):
        listen(found, line, track_id="t", listened_at=1_600_000_000.0 + line, **more)
    (track,) = found.finish()["tracks"]
    assert (track["title"], track["album"], track["track_ms"]) == ("Monkey", "Late", 200_000)


def test_the_same_user_time_and_track_is_one_listen(importing) -> None:
    found = importing()
    listen(found, 1, ms_played=40_000)
    listen(found, 2, ms_played=1)  # the first one stays
    listen(found, 3, title="Sunflower")
    listen(found, 4, user_id="anna")
    listen(found, 5, listened_at=1_600_000_000.001)
    listen(found, 6, title=None)
    listen(found, 7, title=None)
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
        {"title": "Sunflower"},  # another track
        {"title": None},  # a track nobody knows
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
        listen(found, 100 + minute, title=None, user_id="b", listened_at=1_600_000_000.0 + 60 * minute)
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


def test_ignored_artists_and_tracks_are_left_out_by_name_or_id(importing) -> None:
    found = importing(ignored_artists=("Sleep  SOUNDS", "mbid-1"), ignored_tracks=("Low / Monkey", "track-9"))
    listen(found, 1)
    listen(found, 2, artist="sleep sounds", title="Rain")
    listen(found, 3, artist="Sleep Sounds", artist_id="mbid-7", title="Rain")
    listen(found, 4, artist="Other", artist_id="mbid-1", title="Rain")
    listen(found, 5, title="x", track_id="track-9")
    listen(found, 6, title="MONKEY", track_id="track-10")
    listen(found, 7, title="Sunflower")
    found.sink.count((FILE, 8), user_id="me", artist_id="mbid-1", plays=3)
    found.sink.count((FILE, 9), user_id="me", artist_id="mbid-2", plays=3)
    tables = found.finish()
    assert found.ledger.dropped == {"ignored": 7}
    assert [row["track_id"] for row in tables["listens"]] == ["name:low / sunflower"]
    assert [row["artist_id"] for row in tables["counts"]] == ["mbid-2"]
    # Nor are their names kept.
    assert [row["name"] for row in tables["artists"]] == ["Low"]


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
    found.sink.count((FILE, 1), user_id="u", artist_id="a", plays=plays)
    tables = found.finish()
    if kept is None:
        assert found.ledger.dropped == {"bad-count": 1}
        assert "counts" not in tables
    else:
        assert tables["counts"] == [{"user_id": "u", "artist_id": "a", "track_id": None, "plays": kept}]


def test_counts_of_one_pair_are_summed(importing) -> None:
    found = importing()
    for line, (artist, track, plays) in enumerate([("a", None, 2), ("a", "t", 5), ("a", None, 3), (None, "t", 7)]):
        found.sink.count((FILE, line), user_id="u", artist_id=artist, track_id=track, plays=plays)
    found.sink.count((FILE, 9), user_id="u", plays=1)
    rows = found.finish()["counts"]
    assert sorted((row["artist_id"] or "", row["track_id"] or "", row["plays"]) for row in rows) == [
        ("", "t", 7),
        ("a", "", 5),
        ("a", "t", 5),
    ]
    assert (found.ledger.counts, found.ledger.dropped) == (4, {"incomplete": 1})


def test_tables_of_rows_and_single_rows_are_cleaned_alike(importing, tmp_path: Path) -> None:
    said = [
        {"listened_at": 1_600_000_000.0 + row, "artist": artist, "title": title, "ms_played": 1000 * row}
        for row, (artist, title) in enumerate([("Low", "A"), ("", "B"), ("Can", None), ("Low", "A"), ("N\0", "C")] * 9)
    ]
    for place in ("one", "many"):
        (tmp_path / place).mkdir()
    one = Import(tmp_path / "one", CleaningSettings())
    for line, row in enumerate(said, start=1):
        listen(one, line, **row)
    many = Import(tmp_path / "many", CleaningSettings())
    table = pa.table(
        {
            "listened_at": pa.array([int(row["listened_at"] * 1000) for row in said], pa.timestamp("ms", tz="UTC")),
            "artist_name": [row["artist"] for row in said],
            "title": [row["title"] for row in said],
            "ms_played": pa.array([row["ms_played"] for row in said], pa.int32()),
        }
    )
    many.sink.listens(FILE, 1, table)
    assert one.finish() == many.finish()
    assert one.ledger == many.ledger


def test_a_private_row_is_counted_and_forgotten(importing) -> None:
    found = importing()
    listen(found, 1, artist="Ex", private=True)
    listen(found, 2, artist="Why", private=False)
    tables = found.finish()
    assert [row["artist_id"] for row in tables["listens"]] == ["name:why"]
    assert [row["name"] for row in tables["artists"]] == ["Why"]
    assert (found.ledger.read, found.ledger.dropped, found.ledger.samples) == (2, {"private": 1}, {})


def test_private_rows_of_a_table_are_forgotten(importing) -> None:
    found = importing()
    table = pa.table(
        {
            "user_id": ["a", "b", "c"],
            "listened_at": pa.array([1_600_000_000_000] * 3, pa.timestamp("ms", tz="UTC")),
            "artist_id": ["x", "y", "z"],
            "artist_name": ["Ex", "Why", "Zed"],
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
        sink.tag(artist, tag, count)
    sink.track("t", "First", artist_id="a")
    sink.track("t", "Second", album="Late", track_ms=200_000)
    sink.text("a", "a text " * 1000)
    for _ in range(2):
        sink.friend("u", "v")
        sink.playlist("p", "Evening", owner="anna", followers=3)
        sink.playlist_item("p", 0, "t", "a")
        sink.feedback(None, "t", 1, 1_600_000_000.0)
    sink.feedback("u", "t", -1)
    sink.artist("a", "x\0")  # not a name
    tables = found.finish()
    assert tables["tags"] == [
        {"artist_id": "a", "tag": "rock", "count": 5},
        {"artist_id": "b", "tag": "rock", "count": 1},
    ]
    assert tables["tracks"] == [
        {"track_id": "t", "title": "First", "artist_id": "a", "album": "Late", "track_ms": 200_000, "isrc": None}
    ]
    assert len(tables["texts"]) == len(tables["friends"]) == len(tables["playlists"]) == 1
    assert tables["playlist_items"] == [{"playlist_id": "p", "position": 0, "track_id": "t", "artist_id": "a"}]
    assert [(row["user_id"], row["score"]) for row in tables["feedback"]] == [("me", 1), ("u", -1)]
    assert "artists" not in tables
    assert found.ledger.read == 0


def test_only_known_reasons_are_given(importing) -> None:
    with pytest.raises(ValueError, match="REASONS"):
        importing().sink.drop((FILE, 1), "because", "of that")


def test_samples_are_few(importing) -> None:
    found = importing(samples=2)
    for line in range(10):
        found.sink.drop((FILE, line), "malformed", "not a row")
        listen(found, line, artist="")
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
    ],
)
def test_settings_that_cannot_work_are_refused(wrong) -> None:
    with pytest.raises(SettingsError):
        CleaningSettings(**wrong)


def test_every_setting_is_documented() -> None:
    assert all(doc for _, _, _, doc in documented(CleaningSettings))
