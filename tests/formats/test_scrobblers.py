"""Libre.fm, Pano Scrobbler and Koito."""

import json

import pytest


def test_a_librefm_export_begins_below_its_preamble(read, examples):
    found = read("librefm", examples["librefm"])
    assert found.dropped == []
    assert [(row["line"], row["listened_at"], row["parent"], row["name"], row["album"]) for row in found.listened] == [
        (5, 1143374412.0, "Low", "Monkey", "Great Destroyer, The"),
        (6, 1143374777.0, "Björk", "Jóga", None),
    ]


def test_a_librefm_export_may_be_utf_7(read, recognised):
    content = b"+ACM- Data export from Libre.fm,,\n+ACM- cabot.local,,\nArtist,Track,Time\n"
    content += b"Bj+APY-rk,J+APM-ga,1690347960\nFlorence + the Machine,Hunger,1690347961\n"
    assert recognised("librefm", "x.csv", content) == 1
    listened = read("librefm", {"x.csv": content}).listened
    assert [(row["parent"], row["name"]) for row in listened] == [
        ("Björk", "Jóga"),
        ("Florence + the Machine", "Hunger"),
    ]


def test_bad_rows_of_librefm_are_dropped_and_a_file_without_a_header_is_damaged(read):
    content = (
        b"# Data export from Libre.fm,,,\nArtist,Track,Album,Time\nLow,Fly,,soon\nLow,Fly,,\n,Fly,,7\nLow,,,7\nx\n"
    )
    assert read("librefm", {"x.csv": content}).reasons == [
        (3, "malformed"),
        (4, "incomplete"),
        (5, "incomplete"),
        (6, "incomplete"),
        (7, "malformed"),
    ]
    assert "artist, track, time" in read("librefm", {"x.csv": content.replace(b"Artist", b"Singer")}).damage


HEADER = (
    "timeHuman,timeMs,artist,track,album,albumArtist,durationMs,"
    "mediaPlayerPackage,mediaPlayerName,mediaPlayerVersion,event"
)


def test_pano_rows_are_read_by_place_whatever_version_wrote_the_header(read, recognised):
    content = (
        f"{HEADER.removesuffix(',mediaPlayerName,mediaPlayerVersion,event')}\n"
        '"March 26, 2006",1143374412000,Low,Monkey,,Low,null,org.player\n'
        '"March 26, 2006",1143374777000,Low,Fly,C\'mon,Low,220000,org.player,Player,2.0,scrobble\n'
        '"March 26, 2006",1143374778000,Low,Fly,C\'mon,Low,220000,org.player,Player,2.0,love\n'
        '"March 26, 2006",1143374779000,Low,Monkey,,,null,,,,unlove\n'
        "too,few\n"
        '"March 26, 2006",1143374780000,Low,Monkey,,,null,,,,delete\n'
    ).encode()
    assert recognised("pano-scrobbler", "x.csv", content) == 1
    found = read("pano-scrobbler", {"x.csv": content})
    assert found.reasons == [(6, "malformed"), (7, "malformed")]
    assert [(row["listened_at"], row["name"], row["duration_ms"], row["platform"]) for row in found.listened] == [
        (1143374412.0, "Monkey", None, "org.player"),
        (1143374777.0, "Fly", 220000, "Player"),
    ]
    assert found.thumbs == [
        (None, "name:low / fly", 1, 1143374778.0),
        (None, "name:low / monkey", 0, 1143374779.0),
    ]
    assert found.tracks["name:low / fly"] == {"name": "Fly", "parent_id": "name:low", "album": "C'mon"}


def koito(**columns):
    listen = {
        "listened_at": "2022-01-08T22:32:08Z",
        "client": "",
        "track": {"mbid": None, "duration": 354, "aliases": [alias("Fly", False), alias("Fly (2013)", True)]},
        "album": {"aliases": [alias("The Invisible Way", True)]},
        "artists": [
            {"mbid": None, "is_primary": False, "aliases": [alias("Guest", True)]},
            {"mbid": None, "is_primary": True, "aliases": [alias("Low", True)]},
        ],
    }
    return {"version": "1", "exported_at": "2025-06-18T12:56:53Z", "user": "x", "listens": [{**listen, **columns}]}


def alias(name, is_primary):
    return {"alias": name, "source": "Canonical", "is_primary": is_primary}


def test_koito_names_are_primary_aliases_of_the_primary_artist(read):
    (listen,) = read("koito", {"x.json": json.dumps(koito()).encode()}).listened
    assert listen == {
        "line": 1,
        "listened_at": 1641681128.0,
        "name": "Fly (2013)",
        "parent": "Low",
        "item_id": None,
        "parent_id": None,
        "album": "The Invisible Way",
        "duration_ms": 354_000,
        "platform": None,
    }


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"listened_at": None}, "incomplete"),
        ({"listened_at": "yesterday"}, "malformed"),
        ({"artists": []}, "incomplete"),
        ({"artists": [7]}, "incomplete"),
        ({"track": None}, "incomplete"),
        ({"track": {"aliases": [{"alias": 7}]}}, "incomplete"),
    ],
)
def test_koito_listens_that_lack_something_are_dropped(read, columns, reason):
    assert read("koito", {"x.json": json.dumps(koito(**columns)).encode()}).reasons == [(1, reason)]
