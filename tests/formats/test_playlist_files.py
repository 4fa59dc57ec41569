"""Playlists written and read again, and what is refused."""

import json
from xml.etree import ElementTree

import pytest

from crossfade.core.errors import InputError
from crossfade.formats.playlist_files import as_jspf, as_m3u, as_xspf, read_playlist
from crossfade.stores.live import ItemRef, Playlist, Track

RECORDING = "62c2e20a-559e-422f-a44c-9afa7882f0c4"
ARTIST = "8bfac288-ccc5-448d-9573-c33ea2aa5c30"
TRACKS = (
    Track(
        title="Roads", artist="Portishead", album="Dummy", mbid=RECORDING, artist_mbids=(ARTIST,), duration_ms=305_000
    ),
    Track(title='Straße <3 & "more"', artist="AC/DC - live", duration_ms=1_000),
    Track(title="Ágætis\nbyrjun", artist="Sigur\x01 Rós"),
    Track(item=ItemRef("track", RECORDING), mbid=RECORDING),
)


def playlist(tracks=TRACKS, **options):
    return Playlist(
        id="p/1", user="ann", title="A & B", tracks=tracks, created_at=1_700_000_000_000, changed_at=1_700_000_100_000,
        **options,
    )  # fmt: skip


def written(format_, one):
    if format_ == "jspf":
        return json.dumps(as_jspf(one, "http://here")).encode()
    return (as_xspf(one, "http://here") if format_ == "xspf" else as_m3u(one)).encode()


@pytest.mark.parametrize("format_", ["jspf", "xspf", "m3u"])
def test_what_is_written_is_read(format_):
    title, tracks, dropped = read_playlist(written(format_, playlist(TRACKS[:3])))
    assert (title, dropped) == ("A & B", 0)
    assert [one.title for one in tracks][:2] == ["Roads", TRACKS[1].title]
    assert [one.artist for one in tracks][:2] == ["Portishead", "AC/DC - live"]
    assert tracks[2].title.split() == ["Ágætis", "byrjun"]
    assert [one.duration_ms for one in tracks] == [305_000, 1_000, None]
    assert [one.album for one in tracks] == ["Dummy", None, None]
    if format_ != "m3u":
        assert [one.mbid for one in tracks] == [RECORDING, None, None]
    assert tracks[0].artist_mbids == ((ARTIST,) if format_ == "jspf" else ())


@pytest.mark.parametrize("format_", ["jspf", "xspf"])
def test_a_recording_without_names_is_known_by_its_id(format_):
    (track,) = read_playlist(written(format_, playlist(TRACKS[3:]))).tracks
    assert (track.item, track.mbid) == (ItemRef("track", RECORDING), RECORDING)


def test_jspf_is_as_listenbrainz_writes_it():
    answer = as_jspf(playlist(sort="weekly-jams", comment="c"), "http://here")["playlist"]
    assert answer["identifier"] == "http://here/playlist/p%2F1"
    assert answer["date"] == "2023-11-14T22:13:20+00:00"
    extension = answer["extension"]["https://musicbrainz.org/doc/jspf#playlist"]
    assert extension["additional_metadata"] == {"algorithm_metadata": {"source_patch": "weekly-jams"}}
    assert extension["public"] is False
    track = answer["track"][0]
    assert track["identifier"] == [f"https://musicbrainz.org/recording/{RECORDING}"]
    extended = track["extension"]["https://musicbrainz.org/doc/jspf#track"]
    assert extended["artist_identifiers"] == [f"https://musicbrainz.org/artist/{ARTIST}"]


def test_no_name_adds_a_line_to_m3u_or_an_element_to_xspf():
    evil = Track(title="x\n#EXTM3U\nfile:///etc/passwd", artist="</creator><location>file:///x</location>\r\ny")
    text = as_m3u(playlist((evil,)))
    assert [line for line in text.splitlines() if not line.startswith("#")] == [text.splitlines()[-1]]
    root = ElementTree.fromstring(as_xspf(playlist((evil,)), "http://here"))
    assert [part.tag.split("}")[1] for part in root.find(".//{*}track")] == ["title", "creator"]


BOMB = b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "xx"><!ENTITY c "&b;&b;">]>'
XSPF = b'<playlist version="1" xmlns="http://xspf.org/ns/0/"><title>&c;</title></playlist>'


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not a playlist"),
        (b"\x00\xff\xfe", "not a playlist"),
        (b"hello", "not a playlist"),
        (b'{"a": 1}', "not a playlist"),
        (BOMB + XSPF, "document type"),
        (b'{"playlist": {"track": [' + b"[" * 100_000, "nested|JSON|damaged|playlist"),
        (b'{"playlist": {"track": [{"title": "x', "JSON|playlist|ends"),
        (b'{"playlists": [{"playlist": {"track": []}}, {"playlist": {"track": []}}]}', "more than one"),
        (b"#EXTM3U\n", "no playlist"),
    ],
)
def test_what_is_no_playlist_is_refused(content, message):
    with pytest.raises(InputError, match=message):
        read_playlist(content)


def test_entries_that_say_nothing_are_counted():
    title, tracks, dropped = read_playlist(b'{"playlist": {"track": [{"title": "x"}, {"title": "y", "creator": "z"}]}}')
    assert (title, len(tracks), dropped) == ("", 1, 1)
    tracks = [{"title": "x", "creator": "\x00"}, {"title": "\x00", "creator": "z"}]
    _, (track,), dropped = read_playlist(json.dumps({"playlist": {"track": tracks}}).encode())
    assert (track.title, track.artist, dropped) == (None, "z", 1)


def test_a_playlist_has_so_many_tracks():
    one = {"title": "x", "creator": "y"}
    with pytest.raises(InputError, match="10,000"):
        read_playlist(json.dumps({"playlist": {"track": [one] * 10_001}}).encode())
