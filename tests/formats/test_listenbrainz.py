"""ListenBrainz as JSON and as Parquet."""

import io
import json
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

A, B, C = (f"{letter * 8}-0000-4000-8000-000000000000" for letter in "abc")
WHEN = 1_577_959_200


def row(*, info: Any = None, mapping: Any = None, **said: Any) -> dict[str, Any]:
    return {
        "listened_at": WHEN,
        "user_name": "anna",
        "track_metadata": {
            "artist_name": "Low feat. Can",
            "track_name": "Monkey",
            "release_name": "The Great Destroyer",
            "additional_info": info,
            "mbid_mapping": mapping,
        },
        **said,
    }


def lines(*rows: object) -> dict[str, bytes]:
    return {"1.listens": b"".join(json.dumps(one).encode() + b"\n" for one in rows)}


def only(found) -> dict[str, Any]:
    (listen,) = found.listened
    return listen


def test_a_dump_row(read) -> None:
    said = row(info={"duration_ms": 200_000, "isrc": "USSUB0474501", "media_player": "mpd", "duration_played": 31})
    said["timestamp"] = said.pop("listened_at")
    assert only(read("listenbrainz", lines(said))) == {
        "line": 1,
        "user_id": "anna",
        "listened_at": WHEN,
        "parent": "Low feat. Can",
        "name": "Monkey",
        "album": "The Great Destroyer",
        "parent_id": None,
        "item_id": None,
        "ms_played": 31_000,
        "duration_ms": 200_000,
        "isrc": "USSUB0474501",
        "platform": "mpd",
    }


@pytest.mark.parametrize(
    ("info", "mapping", "artist", "track", "name"),
    [
        (None, None, None, None, "Low feat. Can"),
        ({"recording_mbid": A, "artist_mbids": [B]}, None, B, A, "Low feat. Can"),
        (
            {"recording_mbid": A, "artist_mbids": [B]},
            {"recording_mbid": C, "artist_mbids": [A, B]},
            A,
            C,
            "Low feat. Can",
        ),
        ({"recording_mbid": A.upper()}, {}, None, A, "Low feat. Can"),
        ({"recording_mbid": "nonsense", "artist_mbids": [""]}, None, None, None, "Low feat. Can"),
        ({"recording_mbid": "", "artist_mbids": []}, None, None, None, "Low feat. Can"),
        (
            None,
            {"recording_mbid": C, "artist_mbids": [A, B], "artists": [{"artist_mbid": A, "artist_credit_name": "Low"}]},
            A,
            C,
            "Low",
        ),
    ],
)
def test_identifiers_that_were_found_come_before_those_that_were_sent(read, info, mapping, artist, track, name) -> None:
    listen = only(read("listenbrainz", lines(row(info=info, mapping=mapping))))
    assert (listen["parent_id"], listen["item_id"], listen["parent"]) == (artist, track, name)


@pytest.mark.parametrize(
    ("info", "duration_ms"),
    [
        ({"duration_ms": 200_000}, 200_000),
        ({"duration": 200}, 200_000),
        ({"duration_ms": "200000"}, 200_000),
        ({"duration": "a while"}, None),
        ({"duration_ms": -3}, None),
        ({"duration_ms": 10**400}, None),
        ({"duration_ms": {"x": 1}, "artist_mbids": "none", "tags": 3}, None),
        ("not an object", None),
    ],
)
def test_whatever_players_send_costs_no_listen(read, info, duration_ms) -> None:
    found = read("listenbrainz", lines(row(info=info)))
    assert only(found)["duration_ms"] == duration_ms
    assert found.reasons == []


def test_bad_lines_cost_themselves_and_numbers_stay_right(read) -> None:
    good = json.dumps(row()).encode()
    content = b"\n".join([good, b"{", b"", good, b"\xff\xfe", good + good, b"[1]", b'{"track_metadata": 3}', good])
    found = read("listenbrainz", {"1.listens": content})
    assert [listen["line"] for listen in found.listened] == [1, 4, 9]
    assert found.reasons == [(line, "malformed") for line in (2, 5, 6, 7, 8)]


def test_times_may_have_fractions_and_no_bounds(read) -> None:
    found = read("listenbrainz", lines(row(listened_at=WHEN + 0.5), row(listened_at=10**30), row(listened_at=None)))
    table = [listen["listened_at"] for listen in found.listened[:1] + found.listened[2:]]
    assert table == [WHEN + 0.5, None]


def test_a_user_is_a_name_or_else_a_number(read) -> None:
    found = read("listenbrainz", lines(row(user_id=7), row(user_name=None, user_id=7)))
    assert [listen["user_id"] for listen in found.listened] == ["anna", "7"]


def test_rows_without_any_user_are_the_default_users(read) -> None:
    found = read("listenbrainz", lines(row(user_name=None)))
    assert "user_id" not in only(found)


def test_an_export_names_its_user_once_and_finds_thumbs_by_names(read) -> None:
    listens = [row(user_name=None), row(user_name=None, mapping={"recording_mbid": C})]
    listens[0]["track_metadata"]["recording_msid"] = "msid-1"
    listens[1]["track_metadata"]["recording_msid"] = "msid-2"
    thumbs = [
        {"recording_msid": "msid-1", "recording_mbid": None, "score": 1, "created": WHEN},
        {"recording_msid": "msid-2", "recording_mbid": None, "score": -1, "created": WHEN},
        {"recording_msid": None, "recording_mbid": A, "score": 1, "created": WHEN},
        {"recording_msid": "msid-3", "recording_mbid": None, "score": 1, "created": WHEN},
        {"recording_msid": "msid-1", "score": 5},
    ]
    files = {
        "user.json": b'{"user_id": 7, "username": "anna"}\n',
        "feedback.jsonl": lines(*thumbs)["1.listens"],
        "2020/1.jsonl": lines(*listens)["1.listens"],
    }
    found = read("listenbrainz", files)
    assert [listen["user_id"] for listen in found.listened] == ["anna", "anna"]
    assert found.thumbs == [
        ("anna", "name:low feat. can / monkey", 1, WHEN),
        ("anna", C, -1, WHEN),
        ("anna", A, 1, WHEN),
    ]
    assert found.reasons == [(5, "malformed")]


def test_a_page_of_the_api(read, recognised) -> None:
    page = {"payload": {"count": 3, "user_id": "anna", "listens": [row(), 7, row(listened_at=WHEN + 9)]}}
    content = json.dumps(page, indent=1).encode()
    assert recognised("listenbrainz", "listens.json", content) == 1
    found = read("listenbrainz", {"listens.json": content})
    assert [listen["line"] for listen in found.listened] == [1, 3]
    assert found.reasons == [(2, "malformed")]


def test_a_cut_page_keeps_its_rows(read) -> None:
    page = {"payload": {"count": 3, "listens": [row(), row(listened_at=WHEN + 9), row()]}}
    found = read("listenbrainz", {"listens.json": json.dumps(page).encode()[:-40]})
    assert [listen["line"] for listen in found.listened] == [1, 2]
    assert "cut short" in found.damage


@pytest.mark.parametrize(
    ("name", "content", "sure"),
    [
        ("whatever", json.dumps(row()).encode(), 1.0),
        ("user.json", b'{"user_id": 7, "username": "anna"}', 0.95),
        ("feedback.jsonl", b'{"score": 1, "recording_mbid": "x"}', 0.95),
        ("user.json", b'{"name": "anna"}', 0.0),
        ("pinned_recording.jsonl", b'{"recording_mbid": "x", "blurb_content": ""}', 0.0),
        ("x.json", b'{"track_metadata": 1}', 0.0),
    ],
)
def test_its_files_are_told_by_content(recognised, name, content, sure) -> None:
    assert recognised("listenbrainz", name, content) == sure


def parquet(**columns: Any) -> bytes:
    content = io.BytesIO()
    said = {
        "listened_at": pa.array([WHEN * 1000, WHEN * 1000 + 5, None], pa.timestamp("ms")),
        "user_id": pa.array([7, 8, None], pa.int64()),
        "artist_name": ["Low", "Can", ""],
        "release_name": ["R", None, None],
        "recording_name": ["Monkey", "Vitamin C", None],
        "recording_mbid": [A, None, "nonsense"],
        "artist_credit_mbids": [[B, C], [], None],
        **columns,
    }
    pq.write_table(pa.table({name: column for name, column in said.items() if column is not None}), content)
    return content.getvalue()


def test_spark_rows(read) -> None:
    rows = read("listenbrainz-spark", {"0.parquet": parquet()}).listened
    assert [(row["line"], row["user_id"], row["parent"], row["name"], row["album"]) for row in rows] == [
        (1, "7", "Low", "Monkey", "R"),
        (2, "8", "Can", "Vitamin C", None),
        (3, None, "", None, None),
    ]
    assert [(row["parent_id"], row["item_id"]) for row in rows] == [(B, A), (None, None), (None, None)]
    assert [row["listened_at"] for row in rows] == [WHEN, WHEN + 0.005, None]


@pytest.mark.parametrize(
    "column",
    [
        pa.array([WHEN, WHEN, WHEN]),
        pa.array([float(WHEN)] * 3),
        pa.array([WHEN * 10**9] * 3, pa.timestamp("ns")),
        pa.array([WHEN] * 3, pa.timestamp("s", tz="UTC")),
    ],
)
def test_spark_times_of_every_kind(read, column) -> None:
    rows = read("listenbrainz-spark", {"0.parquet": parquet(listened_at=column)}).listened
    assert {row["listened_at"] for row in rows} == {WHEN}


def test_spark_bytes_that_are_no_text_are_not_known(read) -> None:
    names = pa.Array.from_buffers(pa.string(), 3, pa.array([b"\xff", b"Low", b"Can"]).buffers())
    rows = read("listenbrainz-spark", {"0.parquet": parquet(artist_name=names)}).listened
    assert [row["parent"] for row in rows] == [None, "Low", "Can"]


def test_spark_files_that_are_damaged_or_lack_a_column(read) -> None:
    whole = parquet()
    assert "damaged Parquet" in read("listenbrainz-spark", {"0.parquet": whole[:-40]}).damage
    assert "no column 'user_id'" in read("listenbrainz-spark", {"0.parquet": parquet(user_id=None)}).damage


def test_other_parquet_is_not_a_spark_dump(recognised) -> None:
    assert recognised("listenbrainz-spark", "0.parquet", parquet()) == 1
    assert recognised("listenbrainz-spark", "0.parquet", parquet(artist_credit_mbids=None, user_id=None)) < 0.5
    assert recognised("listenbrainz-spark", "0.csv", b"listened_at,user_id,artist_name") == 0


def test_blank_lines_move_no_numbers(read) -> None:
    good = json.dumps(row()).encode()
    found = read("listenbrainz", {"1.listens": good + b"\n\n" + good + b"\n"})
    assert [listen["line"] for listen in found.listened] == [1, 3]
    assert found.reasons == []
