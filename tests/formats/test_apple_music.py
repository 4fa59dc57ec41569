"""Apple Music's play activity."""

import csv
import io
import json
import zipfile

import pytest

from crossfade.core.home import Home
from crossfade.importing.imports import import_paths

ACTIVITY = "Apple Music Play Activity.csv"
DAILY = "Apple Music - Play History Daily Tracks.csv"
COLUMNS = (
    *("Song Name", "Artist Name", "Album Name", "Event Type", "Event Start Timestamp", "Event End Timestamp"),
    *("Play Duration Milliseconds", "Media Duration In Milliseconds", "End Reason Type", "Media Type", "Item Type"),
    *("Container Artist Name", "Container Type", "Device Identifier", "IP City"),
)
TEN = 1_577_959_200.0  # 2020-01-02 10:00 UTC


def row(**columns):
    named = {
        "song_name": "Monkey",
        "artist_name": "Low",
        "album_name": "The Great Destroyer",
        "event_type": "PLAY_END",
        "event_start_timestamp": "2020-01-02T10:00:00Z",
        "event_end_timestamp": "2020-01-02T10:04:00Z",
        "play_duration_milliseconds": "240000",
        "media_duration_in_milliseconds": "259000",
        "end_reason_type": "NATURAL_END_OF_TRACK",
        "media_type": "AUDIO",
        "ip_city": "Oslo",
        **columns,
    }
    return [named.get(column.lower().replace(" ", "_"), "") for column in COLUMNS]


def activity(*rows, columns=COLUMNS):
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(columns)
    writer.writerows(rows)
    return text.getvalue().encode()


def nameless(*rows):
    """Rows as newer exports have them: without the column of the artist."""
    return activity(*([*row[:1], *row[2:]] for row in rows), columns=(*COLUMNS[:1], *COLUMNS[2:]))


def daily(*descriptions):
    return ("Date Played,Track Description\n" + "".join(f"{line}\n" for line in descriptions)).encode()


def test_a_play_is_a_listen_from_its_start(read):
    found = read("apple-music", {ACTIVITY: activity(row())})
    assert found.listened == [
        {
            "line": 2,
            "listened_at": TEN,
            "name": "Monkey",
            "parent": "Low",
            "ms_played": 240_000,
            "duration_ms": 259_000,
            "album": "The Great Destroyer",
        }
    ]
    assert "Oslo" not in repr(found)


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"event_type": "LYRIC_DISPLAY"}, "not-a-play"),
        ({"end_reason_type": "FAILED_TO_LOAD"}, "not-a-play"),
        ({"media_type": "VIDEO"}, "unsupported"),
        ({"item_type": "ORIGINAL_CONTENT_SHOWS"}, "unsupported"),
        ({"song_name": ""}, "incomplete"),
        ({"artist_name": ""}, "incomplete"),
        ({"event_start_timestamp": "", "event_end_timestamp": ""}, "incomplete"),
        ({"event_start_timestamp": "", "event_end_timestamp": "soon"}, "malformed"),
    ],
)
def test_rows_that_are_no_listens(read, columns, reason):
    found = read("apple-music", {ACTIVITY: activity(row(), row(**columns), row(song_name="Fly"))})
    assert found.reasons == [(3, reason)]
    assert [listen["line"] for listen in found.listened] == [2, 4]


def test_without_a_start_a_play_began_its_duration_before_its_end(read):
    found = read("apple-music", {ACTIVITY: activity(row(event_start_timestamp=""))})
    assert found.listened[0]["listened_at"] == TEN
    zero = row(event_start_timestamp="", play_duration_milliseconds="0")
    (listen,) = read("apple-music", {ACTIVITY: activity(zero)}).listened
    assert (listen["listened_at"], listen["ms_played"]) == (TEN + 240, 0)


def piece(start, end, played, reason, **columns):
    times = {"event_start_timestamp": f"2020-01-02T{start}Z", "event_end_timestamp": f"2020-01-02T{end}Z"}
    return row(**times, play_duration_milliseconds=str(played), end_reason_type=reason, **columns)


def test_the_pieces_of_a_paused_play_are_one_listen(read):
    rows = [
        piece("10:00:00", "10:02:00", 120_000, "PLAYBACK_MANUALLY_PAUSED"),
        piece("10:01:00", "10:02:00", 60_000, "SCRUB_END"),  # moved back a minute: nothing was heard
        piece("10:10:00", "10:11:00", 60_000, "NATURAL_END_OF_TRACK"),
        piece("10:11:00", "10:15:00", 240_000, "NATURAL_END_OF_TRACK"),  # once more
    ]
    found = read("apple-music", {ACTIVITY: activity(*rows)})
    assert [(listen["line"], listen["ms_played"]) for listen in found.listened] == [(2, 180_000), (5, 240_000)]
    assert found.reasons == [(3, "not-a-play"), (4, "not-a-play")]


@pytest.mark.parametrize(
    "second",
    [
        {"album_name": "Other"},
        {"song_name": "Other"},
        {"event_start_timestamp": "2020-01-02T12:00:00Z", "event_end_timestamp": "2020-01-02T12:01:00Z"},
    ],
)
def test_other_tracks_and_long_pauses_begin_another_listen(read, second):
    rows = [piece("10:00:00", "10:02:00", 120_000, "PLAYBACK_MANUALLY_PAUSED"), row(**second)]
    assert len(read("apple-music", {ACTIVITY: activity(*rows)}).listened) == 2


def test_artists_are_those_of_the_day_or_of_the_title(read):
    names = daily(
        "20200102,Low - Monkey",
        "20200301,The Monkees - Monkey",
        "20200103,Einar Selvik - Ragnarok - Twilight",
        "20200501,A - Home",
        "20200601,B - Home",
    )
    rows = [row(), row(song_name="Ragnarok - Twilight"), row(song_name="Home"), row(song_name="Unknown")]
    found = read("apple-music", {ACTIVITY: nameless(*rows), DAILY: names})
    assert [listen["parent"] for listen in found.listened] == ["Low", "Einar Selvik"]
    assert found.reasons == [(4, "incomplete"), (5, "incomplete")]


def test_artists_of_the_library_and_of_the_album_that_was_played(read):
    library = [{"Content Type": "Song", "Track Identifier": 1, "Title": "monkey", "Artist": "Low", "Album": "x"}, 7]
    rows = [
        row(),
        row(song_name="a", container_artist_name="Low", container_type="ALBUM"),
        row(song_name="b", container_artist_name="Editor", container_type="PLAYLIST"),
    ]
    files = {ACTIVITY: nameless(*rows), "Apple Music Library Tracks.json": json.dumps(library).encode()}
    found = read("apple-music", files)
    assert [listen["parent"] for listen in found.listened] == ["Low", "Low"]
    assert found.reasons == [(4, "incomplete")]


def test_names_alone_are_no_history(read):
    assert "Play Activity" in read("apple-music", {DAILY: daily("20200102,Low - Monkey")}).damage


def zipped(parts):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, part in parts.items():
            archive.writestr(name, part)
    return content.getvalue()


def test_the_zips_as_they_are_downloaded(tmp_path):
    library = [{"Track Identifier": 1, "Title": "Fly", "Artist": "Low"}]
    folder = "Apple Music Activity"
    inner = zipped(
        {
            f"{folder}/{ACTIVITY}": nameless(row(), row(song_name="Fly")),
            f"{folder}/{DAILY}": daily("20200102,Low - Monkey"),
            f"{folder}/Apple Music Library Tracks.json.zip": zipped(
                {"Apple Music Library Tracks.json": json.dumps(library).encode()}
            ),
            f"{folder}/Apple Music - Top Content.csv": b"Genre,Rank\nRock,1\n",
        }
    )
    path = tmp_path / "Apple Media Services information Part 1 of 2.zip"
    path.write_bytes(zipped({"Apple_Media_Services.zip": inner, "readme.pdf": b"%PDF"}))
    (ledger,) = import_paths(Home(tmp_path / "home"), [path])
    assert (ledger.formats, ledger.plays, ledger.dropped) == (["apple-music"], 2, {})
