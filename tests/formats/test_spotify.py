"""Spotify's histories."""

import json
from typing import Any

import pytest

EXTENDED = "Streaming_History_Audio_2023_1.json"
TEN = 1_577_959_200.0  # 2020-01-02 10:00 UTC


def row(**columns: Any) -> dict[str, Any]:
    return {
        "ts": "2020-01-02T10:00:00Z",
        "username": "someone",
        "platform": "linux",
        "ms_played": 200_000,
        "conn_country": "NO",
        "ip_addr_decrypted": "192.0.2.77",
        "user_agent_decrypted": "unknown",
        "master_metadata_track_name": "Monkey",
        "master_metadata_album_artist_name": "Low",
        "master_metadata_album_album_name": "The Great Destroyer",
        "spotify_track_uri": "spotify:track:1",
        "episode_name": None,
        "episode_show_name": None,
        "spotify_episode_uri": None,
        "reason_start": "clickrow",
        "reason_end": "trackdone",
        "shuffle": False,
        "skipped": None,
        "offline": None,
        "offline_timestamp": 0,
        "incognito_mode": False,
        **columns,
    }


def episode(**columns: Any) -> dict[str, Any]:
    """A row as Spotify writes it for a podcast: the columns of a track are null."""
    tracks = ("track_name", "album_artist_name", "album_album_name")
    nothing = {"spotify_track_uri": None, **{f"master_metadata_{name}": None for name in tracks}}
    podcast = {"episode_name": "One", "episode_show_name": "A show", "spotify_episode_uri": "spotify:episode:1"}
    return row(**nothing, **{**podcast, **columns})


def extended(*rows: object) -> dict[str, bytes]:
    return {EXTENDED: json.dumps(rows).encode()}


def test_a_row_began_when_it_stopped_less_what_was_played(read) -> None:
    (listen,) = read("spotify-extended", extended(row())).listened
    assert listen == {
        "line": 1,
        "kind": "track",
        "listened_at": TEN - 200,
        "parent": "Low",
        "name": "Monkey",
        "item_id": "spotify:track:1",
        "album": "The Great Destroyer",
        "ms_played": 200_000,
        "source": "chosen",
        "platform": "linux",
    }


def test_old_rows_with_nulls_are_rows(read) -> None:
    old = row(username=None, platform=None, reason_start=None, incognito_mode=None, spotify_track_uri=None)
    (listen,) = read("spotify-extended", extended(old)).listened
    assert (listen["item_id"], listen["source"], listen["platform"]) == (None, None, None)


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"incognito_mode": True}, "private"),
        ({"incognito_mode": True, "episode_name": "x"}, "private"),
        ({"incognito_mode": True, "audiobook_title": "x"}, "private"),
        ({"incognito_mode": True, "ts": None}, "private"),
        ({"audiobook_title": "A book"}, "unsupported"),
        ({"spotify_episode_uri": "spotify:episode:1"}, "incomplete"),  # without its show
        ({"master_metadata_album_artist_name": None}, "incomplete"),
        ({"ts": None}, "incomplete"),
        ({"ts": "yesterday"}, "malformed"),
        ({"ts": "2020-02-30T10:00:00Z"}, "malformed"),
        ({"ms_played": "many"}, "malformed"),
        ({"master_metadata_track_name": 7}, "malformed"),
    ],
)
def test_rows_that_are_no_listens(read, columns, reason) -> None:
    found = read("spotify-extended", extended(row(), row(**columns), row()))
    assert found.reasons == [(2, reason)]
    assert len(found.listened) == 2


def test_an_episode_is_a_listen_that_belongs_to_its_show(read) -> None:
    (listen,) = read("spotify-extended", extended(episode())).listened
    assert listen == {
        "line": 1,
        "kind": "episode",
        "listened_at": TEN - 200,
        "name": "One",
        "parent": "A show",
        "item_id": "spotify:episode:1",
        "ms_played": 200_000,
        "source": "chosen",
        "platform": "linux",
        "album": None,
    }


def test_of_a_private_episode_nothing_is_kept(read) -> None:
    found = read("spotify-extended", extended(episode(incognito_mode=True), episode()))
    assert (found.reasons, [listen["line"] for listen in found.listened]) == ([(1, "private")], [2])


def test_videos_are_not_supported(read) -> None:
    rows = [row(), episode(), row(incognito_mode=True)]
    found = read("spotify-extended", {"Streaming_History_Video_2023.json": json.dumps(rows).encode()})
    assert found.reasons == [(1, "unsupported"), (2, "unsupported"), (3, "private")]


def test_times_of_every_notation_are_those_of_one_row(read) -> None:
    odd = [
        "2020-02-29T10:00:00Z",
        "2020-01-02T10:00:00",
        "2020-01-02 10:00:00Z",
        "2021-02-29T10:00:00Z",
        "0999-01-01T00:00:00Z",
    ]
    found = read("spotify-extended", extended(*(row(ts=ts) for ts in odd)))
    assert found.reasons == [(2, "malformed"), (3, "malformed"), (4, "malformed")]
    assert [listen["line"] for listen in found.listened] == [1, 5]


def test_a_row_of_another_shape_costs_itself(read) -> None:
    found = read("spotify-extended", extended(row(), 7, "x", [1], None, row()))
    assert [line for line, _ in found.reasons] == [2, 3, 4, 5]
    assert len(found.listened) == 2


def test_addresses_and_names_go_nowhere(read) -> None:
    found = read("spotify-extended", extended(row(), row(ts=None)))
    assert "192.0.2.77" not in repr(found)
    assert "someone" not in repr(found)


def test_a_cut_file_keeps_its_rows(read) -> None:
    content = json.dumps([row(), row(), row()]).encode()
    found = read("spotify-extended", {EXTENDED: content[:-20]})
    assert len(found.listened) == 2
    assert "cut short" in found.damage


def test_basic_rows_name_the_minute_at_which_they_ended(read) -> None:
    rows = [
        {"endTime": "2020-01-02 10:00", "artistName": "Low", "trackName": "Monkey", "msPlayed": 60_000},
        {"endTime": "2020-01-02 10:00", "podcastName": "A show", "episodeName": "One", "msPlayed": 60_000},
        {"endTime": "10 o'clock", "artistName": "Low", "trackName": "Monkey", "msPlayed": 1},
        {"endTime": "2020-01-02 10:00", "artistName": "", "trackName": "Monkey", "msPlayed": 1},
        {"artistName": "Low", "trackName": "Monkey", "msPlayed": 1},
        "nothing",
    ]
    found = read("spotify", {"StreamingHistory0.json": json.dumps(rows).encode()})
    common = {"listened_at": TEN - 60, "ms_played": 60_000}
    assert found.listened == [
        {"line": 1, "kind": "track", "parent": "Low", "name": "Monkey", "item_id": None, **common},
        {"line": 2, "kind": "episode", "parent": "A show", "name": "One", "item_id": None, **common},
    ]
    assert found.reasons == [
        (3, "malformed"),
        (4, "incomplete"),
        (5, "incomplete"),
        (6, "malformed"),
    ]


def test_both_are_told_by_their_columns(recognised) -> None:
    both = {
        "spotify-extended": json.dumps([row()]).encode(),
        "spotify": b'[\n  {\n "endTime" : "2020-01-02 10:00", "artistName" : "A", "msPlayed" : 1 } ]',
    }
    for name, content in both.items():
        for other in both:
            assert recognised(other, "whatever.json", content) == (1.0 if name == other else pytest.approx(0, abs=0.3))
