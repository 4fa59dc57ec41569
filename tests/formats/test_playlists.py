import json

import pytest

ARTIST = "8bfac288-ccc5-448d-9573-c33ea2aa5c30"
TRACK = "62c2e20a-559e-422f-a44c-9afa7882f0c4"
JSPF_ID = "https://listenbrainz.org/playlist/45edcb2c-34e7-4f35-8f9c-8c1b25c3bd7b"


@pytest.mark.parametrize("name", ["million-playlist", "jspf", "xspf", "m3u"])
def test_playlists_are_no_listening_history(name, read, examples):
    found = read(name, examples[name])
    assert found.listened == found.counted == []
    assert found.items
    assert {playlist for playlist, *_ in found.items} == set(found.playlists)
    assert {track for _, _, track, _ in found.items} == set(found.tracks)
    assert {artist for _, _, _, artist in found.items} == set(found.artists)


def test_million_playlist(read, examples):
    found = read("million-playlist", examples["million-playlist"])
    track, artist = "spotify:track:0UaMYEvWZi0ZqiDOoHU3YI", "spotify:artist:2wIVse2owClT7go1WT98tk"
    assert found.playlists == {"mpd:0": {"title": "Throwbacks", "followers": 1}}
    assert found.items == [("mpd:0", 0, track, artist)]
    assert found.artists == {artist: "Missy Elliott"}
    assert found.tracks == {
        track: {"name": "Lose Control", "parent_id": artist, "album": "The Cookbook", "duration_ms": 226_863}
    }


def test_bad_playlists_and_tracks_of_a_slice_cost_themselves_alone(read):
    good = {"artist_name": "Low", "track_name": "Fly", "track_uri": "spotify:track:1"}
    playlists = [
        {"pid": 1, "tracks": [good, "text", {"artist_name": "Low"}, {"pos": 9, **good}, {"pos": -1, **good}]},
        {"pid": 2},
        {"tracks": [good]},
        "text",
        {"pid": 3, "name": "x", "tracks": []},
    ]
    found = read("million-playlist", {"mpd.slice.0-999.json": json.dumps({"playlists": playlists}).encode()})
    assert found.reasons == [(1, "malformed"), (1, "incomplete"), (2, "malformed"), (3, "malformed"), (4, "malformed")]
    assert found.items == [
        ("mpd:1", 0, "spotify:track:1", "name:low"),
        ("mpd:1", 9, "spotify:track:1", "name:low"),
        ("mpd:1", 4, "spotify:track:1", "name:low"),
    ]
    assert {playlist: described["title"] for playlist, described in found.playlists.items()} == {
        "mpd:1": "",
        "mpd:3": "x",
    }


def test_jspf(read, examples):
    found = read("jspf", examples["jspf"])
    assert found.playlists == {JSPF_ID: {"title": "Top Discoveries", "owner": "troi-bot"}}
    assert found.items == [(JSPF_ID, 0, TRACK, ARTIST), (JSPF_ID, 1, "name:portishead / cowboys", "name:portishead")]
    assert found.tracks[TRACK] == {"name": "Roads", "parent_id": ARTIST, "album": "Dummy", "duration_ms": 305_000}
    assert found.dropped == []


def test_jspf_in_all_shapes(read):
    track = {"identifier": f"https://musicbrainz.org/recording/{TRACK}"}
    two = {"playlists": [{"playlist": {"title": "a", "track": [track]}}, {"playlist": {"track": [track, "text", {}]}}]}
    found = read("jspf", {"my/list.jspf": json.dumps(two).encode(), "z.jspf": b'{"playlist": {"title": "no tracks"}}'})
    assert found.items == [("jspf:my/list.jspf", 0, TRACK, None), ("jspf:my/list.jspf:2", 0, TRACK, None)]
    assert {playlist: described["title"] for playlist, described in found.playlists.items()} == {
        "jspf:my/list.jspf": "a",
        "jspf:my/list.jspf:2": "list",
    }
    assert found.reasons == [(2, "malformed"), (2, "incomplete"), (1, "malformed")]


def test_a_credit_to_several_artists_has_no_single_identifier(read):
    both = [f"https://musicbrainz.org/artist/{ARTIST}", f"https://musicbrainz.org/artist/{TRACK}"]
    extension = {"https://musicbrainz.org/doc/jspf#track": {"artist_identifiers": both}}
    track = {"creator": "Low & Dirty Three", "title": "Down by the River", "extension": extension}
    found = read("jspf", {"a.jspf": json.dumps({"playlist": {"track": [track]}}).encode()})
    assert found.items == [
        ("jspf:a.jspf", 0, "name:low & dirty three / down by the river", "name:low & dirty three"),
    ]


def test_xspf(read, examples):
    found = read("xspf", examples["xspf"])
    playlist = "xspf:playlist.xspf"
    assert found.playlists == {playlist: {"title": "Evening", "owner": "anna"}}
    assert found.items == [
        (playlist, 0, TRACK, "name:portishead"),
        (playlist, 1, "name:björk / tür & tor", "name:björk"),
    ]
    assert found.item_lines == [5, 6]
    assert found.tracks[TRACK]["duration_ms"] == 305_000
    assert found.dropped == []


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "iso-8859-1", "windows-1252"])
def test_xspf_in_the_encoding_that_it_names(encoding, read):
    content = (
        f'<?xml version="1.0" encoding="{encoding}"?><playlist version="1" xmlns="http://xspf.org/ns/0/"><trackList>'
        "<track><title>Jóga</title><creator>Björk</creator></track><track><title>?</title></track></trackList></playlist>"
    )
    found = read("xspf", {"a.xspf": content.encode(encoding)})
    assert [track for _, _, track, _ in found.items] == ["name:björk / jóga"]
    assert found.reasons == [(1, "incomplete")]


BOMB = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>'
REACH = '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>'


@pytest.mark.parametrize("doctype", [BOMB, REACH, "<!DOCTYPE playlist>", '<!DOCTYPE x SYSTEM "http://example.org/x">'])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_document_type_is_refused(doctype, encoding, read):
    content = (
        f'<?xml version="1.0"?>{doctype}<playlist version="1" xmlns="http://xspf.org/ns/0/"><trackList>'
        "<track><title>a</title><creator>b</creator></track></trackList></playlist>"
    )
    found = read("xspf", {"a.xspf": content.encode(encoding)})
    assert "document type" in found.damage
    assert found.items == []


def test_an_entity_that_nobody_declared_is_damage(read):
    content = b'<playlist version="1"><trackList><track><title>&a;</title></track></trackList></playlist>'
    assert "a.xspf" in read("xspf", {"a.xspf": content}).damage


@pytest.mark.parametrize("rest", ["<track><title>c", "</trackList></playlist><more/>", "\x01"])
def test_damaged_xml_keeps_the_tracks_before_it(rest, read):
    content = (
        '<playlist version="1" xmlns="http://xspf.org/ns/0/"><trackList><track><title>a</title><creator>b</creator>'
        f"</track>{rest}"
    )
    found = read("xspf", {"a.xspf": content.encode()})
    assert [track for _, _, track, _ in found.items] == ["name:b / a"]
    assert found.damage.startswith("a.xspf, line 1: is not valid XML")


def test_an_encoding_that_nobody_knows_is_damage(read):
    content = b'<?xml version="1.0" encoding="klingon"?><playlist version="1"><trackList/></playlist>'
    assert "a.xspf" in read("xspf", {"a.xspf": content}).damage


def test_elements_of_other_namespaces_say_nothing(read):
    content = (
        b'<playlist version="1" xmlns="http://xspf.org/ns/0/" xmlns:v="http://example.org/"><trackList><track>'
        b"<v:title>no</v:title><title>Fly</title><creator>Low</creator>"
        b"<extension><title>nor this</title></extension></track></trackList></playlist>"
    )
    assert [track for _, _, track, _ in read("xspf", {"a.xspf": content}).items] == ["name:low / fly"]


def test_m3u(read, examples):
    found = read("m3u", examples["m3u"])
    playlist = "m3u:evening.m3u8"
    assert found.playlists == {playlist: {"title": "Evening"}}
    assert found.items == [
        (playlist, 0, "name:portishead / roads", "name:portishead"),
        (playlist, 1, "name:björk / jóga", "name:björk"),
    ]
    assert found.tracks["name:portishead / roads"] == {
        "name": "Roads",
        "parent_id": "name:portishead",
        "album": "Dummy",
        "duration_ms": 305_000,
    }
    # The directives of one entry do not apply to the next.
    assert found.tracks["name:björk / jóga"]["album"] is None


@pytest.mark.parametrize(
    ("entry", "track"),
    [
        ("#EXTINF:-1,Low - Fly\nhttp://example.org/1", "name:low / fly"),
        ("#EXTINF:,Low - Fly - Live\nx.mp3", "name:low / fly - live"),
        ('#EXTINF:120 tvg-id="a,b" logo="x",Low - Fly\nx.mp3', "name:low / fly"),
        ("#EXTART:Low\n#EXTINF:120,Fly\nx.mp3", "name:low / fly"),
        ("#EXTART:Low\n#EXTINF:120,Low - Fly\nx.mp3", "name:low / fly"),
        ("#EXTART:Low\n#EXTINF:120,Fly - Live\nx.mp3", "name:low / fly - live"),
        ("C:\\Music\\01 - Low - Fly.mp3", "name:low / fly"),
        ("file:///music/Low%20-%20Fly.ogg", "name:low / fly"),
        ("02 Low - Fly.mp3", "name:low / fly"),
        ("50 Cent - In Da Club.mp3", "name:50 cent / in da club"),
        ("311 - Down.mp3", "name:311 / down"),
        ("10,000 Maniacs - Verdi Cries.flac", "name:10,000 maniacs / verdi cries"),
        ("#EXTINF:120,Fly\nx.mp3", None),
        ("Low/Trust/03 Fly.mp3", None),
        ("#EXTINF:120, - Fly\nx.mp3", None),
    ],
)
def test_entries_of_m3u(entry, track, read):
    found = read("m3u", {"a.m3u": f"#EXTM3U\n{entry}\n".encode()})
    assert [found_track for _, _, found_track, _ in found.items] == ([track] if track else [])
    assert [reason for _, reason in found.reasons] == ([] if track else ["incomplete"])


def test_m3u_in_latin_1_without_a_header(read, recognised):
    content = "Björk - Jóga.mp3\nLow - Fly.mp3\n".encode("iso-8859-1")
    assert recognised("m3u", "list.m3u", content) > 0.5
    assert recognised("m3u", "list.txt", content) == 0
    assert [track for _, _, track, _ in read("m3u", {"list.m3u": content}).items] == [
        "name:björk / jóga",
        "name:low / fly",
    ]


def test_pieces_of_a_stream_are_no_playlist_of_music(recognised):
    content = b"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:9.009,\nhttp://example.org/first.ts\n"
    assert recognised("m3u", "stream.m3u8", content) == 0
