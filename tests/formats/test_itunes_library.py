"""The XML library of iTunes and the Music app."""

import plistlib

import pytest

from crossfade.core.errors import InputError
from crossfade.formats.xml_elements import Elements


def library(tracks, playlists=()):
    """A library as the app writes it: tracks by their number, playlists of these numbers."""
    plist = {
        "Major Version": 1,
        "Tracks": {str(number): {"Track ID": number, **track} for number, track in tracks.items()},
        "Playlists": [
            {**about, "Playlist Items": [{"Track ID": number} for number in numbers]} for about, numbers in playlists
        ],
        "Music Folder": "file:///Music/",
    }
    return {"Library.xml": plistlib.dumps(plist, sort_keys=False)}


FLY = {"Name": "Fly", "Artist": "Low", "Album": "The Invisible Way", "Total Time": 353000, "Play Count": 3}


def test_plays_are_counts_and_hearts_are_thumbs(read, recognised):
    tracks = {
        1: FLY,
        2: {"Name": "Monkey", "Artist": "Low", "Favorited": True},
        3: {**FLY, "Name": "Roads", "Loved": True, "Rating": 80},
    }
    files = library(tracks)
    assert recognised("itunes-library", "x", files["Library.xml"]) == 1
    found = read("itunes-library", files)
    assert [(row["item_id"], row["plays"], row["kind"], row["parent_id"]) for row in found.counted] == [
        ("name:low / fly", 3, "track", "name:low"),
        ("name:low / roads", 3, "track", "name:low"),
    ]
    assert found.tracks["name:low / fly"] == {
        "name": "Fly",
        "parent_id": "name:low",
        "album": "The Invisible Way",
        "duration_ms": 353000,
    }
    assert found.thumbs == [(None, "name:low / monkey", 1, None), (None, "name:low / roads", 1, None)]
    assert found.dropped == []


@pytest.mark.parametrize("kind", ["Podcast", "Movie", "TV Show", "Music Video", "Has Video", "iTunesU"])
def test_what_is_no_music_is_dropped_if_it_was_played(read, kind):
    found = read(
        "itunes-library", library({1: {**FLY, kind: True}, 2: {"Name": "x", "Artist": "y", kind: True}, 3: FLY})
    )
    assert [reason for _, reason in found.reasons] == ["unsupported"]
    assert len(found.counted) == 1
    assert set(found.tracks) == {"name:low / fly"}


def test_tracks_without_a_name_or_an_artist_are_dropped_if_they_were_played(read):
    found = read(
        "itunes-library", library({1: {"Artist": "x", "Play Count": 1}, 2: {"Name": "y", "Play Count": 1}, 3: {}})
    )
    assert [reason for _, reason in found.reasons] == ["incomplete", "incomplete"]
    assert found.counted == []


def test_playlists_that_people_made_are_read_and_those_of_the_app_are_not(read):
    own = ({"Name": "Evening", "Playlist Persistent ID": "AB12"}, [2, 1, 9])
    made = [
        {"Master": True},
        {"Distinguished Kind": 19},
        {"Folder": True},
        {"Smart Info": b"\1", "Smart Criteria": b"\2"},
    ]
    lists = [*(({"Name": "x", **about}, [1, 2]) for about in made), own, ({"Name": "Later"}, [1])]
    found = read("itunes-library", library({1: FLY, 2: {"Name": "Monkey", "Artist": "Low"}}, lists))
    assert found.items[:2] == [
        ("itunes:AB12", 0, "name:low / monkey", "name:low"),
        ("itunes:AB12", 1, "name:low / fly", "name:low"),
    ]
    assert found.playlists["itunes:AB12"] == {"title": "Evening"}
    assert len(found.items) == 3
    assert [reason for _, reason in found.reasons] == ["incomplete"]


@pytest.mark.parametrize(
    "document_type",
    [
        '<!DOCTYPE plist [<!ENTITY a "aaaa">]>',
        '<!DOCTYPE plist SYSTEM "x" [<!ENTITY a SYSTEM "file:///etc/passwd">]>',
    ],
)
def test_a_document_type_with_declarations_is_refused(read, document_type):
    content = library({1: FLY})["Library.xml"].decode()
    start = content.index("<!DOCTYPE")
    content = content[:start] + document_type + content[content.index(">", start) + 1 :].replace("Low", "&a;")
    found = read("itunes-library", {"Library.xml": content.encode()})
    assert "document type" in found.damage
    assert found.counted == []


@pytest.mark.parametrize(
    ("inside", "message"), [(b"<a>" * 70, "nested too deeply"), (b"<a b='" + b"x" * (17 << 20), "does not end")]
)
def test_xml_that_would_fill_the_memory_is_damage(inside, message, tmp_path):
    class Nothing(Elements[str]):
        def begin(self, attributes):
            return True

        def end(self, text):
            assert len(text or "") <= 1 << 20

    path = tmp_path / "x.xml"
    path.write_bytes(b"<x><y>" + b"z" * (3 << 20) + b"</y>" + inside)
    with path.open("rb") as file, pytest.raises(InputError, match=message):
        list(Nothing("x").read(file))
