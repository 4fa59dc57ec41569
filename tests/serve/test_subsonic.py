"""Subsonic's API, called without a socket; its answers are checked against OpenSubsonic's own schemas."""

import hashlib
import json
import xml.etree.ElementTree as ET
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="needs the extra `serve`")
pytest.importorskip("mutagen", reason="needs the extra `serve`")

import anyio
import numpy as np
from tests.music_files import write_song

from crossfade.core.home import Home
from crossfade.live.weekly import RECIPES
from crossfade.serve.active import ActiveRelease
from crossfade.serve.app import create_app
from crossfade.serve.settings import ServeSettings
from crossfade.serve.subsonic.routes import CALLS
from crossfade.stores.live import Block, ItemRef
from crossfade.stores.registry import open_releases

PLAYED_AT = 1_700_000_000_000

SONGS = {
    "Björk": ["Army of Me", "Hunter"],
    "Radiohead": ["Creep", "Just"],
    "Motörhead": ["Ace of Spades"],
    "Sigur Rós": ["Untitled"],
    "Nobody Knows": ["Alone", "Lonely"],
}
"""Some that `small_release` knows, and some that it doesn't."""

GENRES = {"Björk": "Pop", "Radiohead": "Rock", "Motörhead": "Metal", "Sigur Rós": "Ambient", "Nobody Knows": "Rock"}


@dataclass(frozen=True)
class Player:
    """Calls the API as a player does, with an app password and a salt."""

    client: Any
    live: Any
    folder: Any
    place: Path
    password: str
    user: str

    def ask(self, call, **parameters):
        salt = "s"
        token = hashlib.md5((self.password + salt).encode()).hexdigest()
        named = {"u": self.user, "t": token, "s": salt, "v": "1.16.1", "c": "test", "f": "json", **parameters}
        return self.client.get(f"/rest/{call}", params=named)

    def __call__(self, call, **parameters):
        answer = self.ask(call, **parameters)
        assert answer.status_code == 200
        content = answer.json()["subsonic-response"]
        assert content["status"] == "ok", content
        return content

    def refused(self, call, **parameters):
        """The code of the error."""
        content = self.ask(call, **parameters).json()["subsonic-response"]
        assert content["status"] == "failed"
        return content["error"]["code"]

    def song(self, title):
        return next(song for song in self.folder.music().songs.values() if song.title == title)


@pytest.fixture(scope="module")
def music(tmp_path_factory):
    """A folder of music files; tests may only read it."""
    place = tmp_path_factory.mktemp("music")
    for artist, titles in SONGS.items():
        for number, title in enumerate(titles, start=1):
            write_song(
                place / artist / f"{number:02}.mp3",
                title=title,
                artist=artist,
                album=f"{artist}'s album",
                tracknumber=str(number),
                genre=GENRES[artist],
                date="1995",
                cover=number == 1,
            )
    (place / "secret.txt").write_text("a secret")
    return place


@pytest.fixture(scope="module")
def served_music(tmp_path_factory, music, client_of, serve_library, make_release_parts):
    place = tmp_path_factory.mktemp("library")
    with serve_library(place, music) as library:
        make_release_parts(place).publish(library.releases)
        yield client_of(library.app), library.live, library.folder


@pytest.fixture
def player(served_music, music, request):
    """A player of a new user."""
    client, live, folder = served_music
    user = f"user of {request.node.name}"[:100].strip()
    live.add_user(user)
    _, password = live.add_token(user, password=True)
    return Player(client, live, folder, music, password, user)


@pytest.fixture(scope="module")
def schema(opensubsonic):
    jsonschema = pytest.importorskip("jsonschema")
    described = json.loads(opensubsonic.read_text())

    def check(name, content):
        root = {"$ref": f"#/components/schemas/{name}", "components": described["components"]}
        jsonschema.Draft4Validator(root).validate(content)

    check.schemas = described["components"]["schemas"]
    check.paths = described["paths"]
    return check


def asked_with(player):
    """A call's parameters, for calls that have any that are required; in an order in which all succeed."""
    army, hunter, creep = (player.song(title) for title in ("Army of Me", "Hunter", "Creep"))
    return {
        "createPlaylist": {"name": "Evening", "songId": [army.id, creep.id]},
        "star": {"id": army.id, "albumId": army.album_id, "artistId": army.artist_id},
        "setRating": {"id": creep.id, "rating": 4},
        "scrobble": {"id": [army.id, hunter.id], "time": [1_700_000_000_000, 1_700_000_300_000]},
        "reportPlayback": {"mediaId": army.id, "mediaType": "song", "positionMs": 1000, "state": "playing"},
        "savePlayQueue": {"id": [army.id, hunter.id], "current": hunter.id, "position": 5000},
        "createBookmark": {"id": army.id, "position": 7000, "comment": "here"},
        "getMusicDirectory": {"id": army.album_id},
        "getArtist": {"id": army.artist_id},
        "getAlbum": {"id": army.album_id},
        "getSong": {"id": army.id},
        "getAlbumInfo": {"id": army.album_id},
        "getAlbumInfo2": {"id": army.album_id},
        "getSongsByGenre": {"genre": "Rock"},
        "search2": {"query": "army"},
        "search3": {"query": ""},
        "getAlbumList": {"type": "frequent"},
        "getAlbumList2": {"type": "starred"},
        "getSimilarSongs": {"id": army.id},
        "getSimilarSongs2": {"id": army.artist_id},
        "getArtistInfo": {"id": creep.artist_id},
        "getArtistInfo2": {"id": creep.artist_id},
        "getTopSongs": {"artist": "Björk"},
        "getSonicSimilarTracks": {"id": army.id},
        "findSonicPath": {"startSongId": creep.id, "endSongId": hunter.id},
        "getLyricsBySongId": {"id": army.id},
    }


EXPECTED_FAILURES = {"search", "getUsers", "createUser", "updateUser", "deleteUser", "changePassword", "tokenInfo"}
NOT_ANSWERED_IN_JSON = {"stream", "download", "getCoverArt"}
WANT_A_PLAYLIST = {"getPlaylist": "id", "updatePlaylist": "playlistId", "deletePlaylist": "id"}


def test_every_answer_is_as_opensubsonic_describes_it(player, schema):
    asked = asked_with(player)
    rest = [call for call in CALLS if call not in asked and call not in NOT_ANSWERED_IN_JSON | set(WANT_A_PLAYLIST)]
    made = ""
    for call in [*asked, *rest, *WANT_A_PLAYLIST]:
        parameters = asked.get(call, {})
        if call in WANT_A_PLAYLIST:
            parameters = {WANT_A_PLAYLIST[call]: made}
        elif call in ("unstar", "deleteBookmark"):
            parameters = {"id": player.song("Army of Me").id}
        elif call == "savePlayQueueByIndex":
            parameters = {"id": player.song("Creep").id, "currentIndex": 0}
        answer = player.ask(call, **parameters).json()
        expected = "failed" if call in EXPECTED_FAILURES else "ok"
        assert answer["subsonic-response"]["status"] == expected, (call, answer)
        named = f"{call[0].upper()}{call[1:]}Response"
        schema(named if named in schema.schemas else "SubsonicResponse", answer)
        if call == "createPlaylist":
            made = answer["subsonic-response"]["playlist"]["id"]
        as_xml = player.ask(call, **{**parameters, "f": "xml", **({"id": made} if call == "getPlaylist" else {})})
        assert ET.fromstring(as_xml.content).get("version") == "1.16.1"


def test_xml_has_texts_as_texts_and_numbers_as_attributes(player):
    root = ET.fromstring(player.ask("getGenres", f="xml").content)
    space = "{http://subsonic.org/restapi}"
    genres = {genre.text: genre.get("songCount") for genre in root.iter(f"{space}genre")}
    assert genres == {"Ambient": "1", "Metal": "1", "Pop": "2", "Rock": "4"}
    song = ET.fromstring(player.ask("getSong", id=player.song("Hunter").id, f="xml").content)[0]
    assert (song.get("isDir"), song.get("artist")) == ("false", "Björk")


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({"u": None, "t": None}, 10),
        ({"t": "0" * 32}, 40),
        ({"t": None, "p": "wrong"}, 40),
        ({"t": None, "p": "enc:xyz"}, 40),
        ({"u": "somebody"}, 40),
        ({"apiKey": "cf_1"}, 43),
        ({"apiKey": "cf_1", "u": None, "t": None}, 44),
        ({"t": None, "jwt": "x"}, 42),
    ],
)
def test_whoever_cannot_log_in_is_told_why(player, parameters, code):
    salt = "s"
    token = hashlib.md5((player.password + salt).encode()).hexdigest()
    named = {"u": player.user, "t": token, "s": salt, "f": "json", **parameters}
    answer = player.client.get("/rest/ping", params={name: value for name, value in named.items() if value is not None})
    assert answer.status_code == 200
    assert answer.json()["subsonic-response"]["error"]["code"] == code


def test_all_ways_to_log_in_reach_the_same_account(player):
    _, key = player.live.add_token(player.user)
    hexed = f"enc:{player.password.encode().hex()}"
    for named in ({"apiKey": key}, {"u": player.user, "p": player.password}, {"u": player.user, "p": hexed}):
        for answer in (
            player.client.get("/rest/getUser.view", params={**named, "f": "json"}),
            player.client.request("POST", "/rest/getUser", data={**named, "f": "json"}),
        ):
            assert answer.json()["subsonic-response"]["user"]["username"] == player.user


def test_a_token_may_do_no_more_than_its_scopes(player):
    _, key = player.live.add_token(player.user, scopes=frozenset({"read"}))
    named = {"apiKey": key, "f": "json", "id": player.song("Creep").id}
    for call in ("scrobble", "star", "startScan", "createPlaylist"):
        answer = player.client.get(f"/rest/{call}", params=named).json()["subsonic-response"]
        assert answer["error"]["code"] == 50


def test_extensions_are_told_without_an_account_and_all_are_there(player):
    answer = player.client.get("/rest/getOpenSubsonicExtensions", params={"f": "json"}).json()["subsonic-response"]
    names = {extension["name"] for extension in answer["openSubsonicExtensions"]}
    assert {"apiKeyAuthentication", "formPost", "sonicSimilarity", "topSongsByArtistId"} <= names


def test_a_search_for_nothing_gives_everything_in_pages(player):
    ids = []
    for offset in range(0, 12, 3):
        found = player("search3", query='""', songCount=3, songOffset=offset, artistCount=0)["searchResult3"]
        ids += [song["id"] for song in found["song"]]
        assert found["artist"] == []
    assert sorted(ids) == sorted(player.folder.music().songs)


def test_a_song_is_streamed_whole_and_in_ranges(player):
    song = player.song("Creep")
    whole = player.folder.path_of(song).read_bytes()
    answer = player.ask("stream", id=song.id)
    assert (answer.content, answer.headers["content-type"]) == (whole, "audio/mpeg")
    parameters = {"u": player.user, "p": player.password, "id": song.id}

    def ranged(value):
        return player.client.get("/rest/stream", params=parameters, headers={"Range": value})

    part = ranged("bytes=10-19")
    assert (part.status_code, part.content) == (206, whole[10:20])
    assert part.headers["content-range"] == f"bytes 10-19/{len(whole)}"
    assert ranged("bytes=-5").content == whole[-5:]
    assert ranged(f"bytes={len(whole)}-").status_code == 416
    assert ranged("bytes=5-2").status_code in (400, 416)
    many = ranged("bytes=" + ",".join(f"{start}-{start}" for start in range(0, 20_000, 2)))
    assert len(many.content) <= len(whole)


@pytest.mark.parametrize("headers", [{}, {"Range": "bytes=10-19"}, {"Range": "bytes=1-2,5-9"}])
def test_what_a_file_is_about_is_told_without_reading_it(player, monkeypatch, headers):
    opened, open_file = [], anyio.open_file
    monkeypatch.setattr(anyio, "open_file", lambda path, **options: opened.append(path) or open_file(path, **options))
    asked = f"/rest/stream?u={player.user}&p={player.password}&id={player.song('Creep').id}"
    told, sent = (player.client.request(method, asked, headers=headers) for method in ("HEAD", "GET"))
    assert len(opened) == 1, "by GET"
    assert (told.status_code, told.content) == (sent.status_code, b"")
    assert told.headers["content-length"] == str(len(sent.content))


@pytest.mark.parametrize("call", ["stream", "download", "getCoverArt", "getSong", "getMusicDirectory"])
@pytest.mark.parametrize("wanted", ["../secret.txt", "secret.txt", "/etc/passwd", "..%2fsecret.txt", "", "tr-", "%00"])
def test_no_id_becomes_a_path(player, call, wanted):
    answer = player.ask(call, id=wanted)
    assert answer.json()["subsonic-response"]["error"]["code"] in (0, 70)


def test_covers_are_those_of_songs_albums_and_artists(player):
    song = player.song("Creep")
    for wanted in (song.id, song.album_id, song.artist_id):
        answer = player.ask("getCoverArt", id=wanted)
        assert answer.headers["content-type"] == "image/png"
        assert answer.content.startswith(b"\x89PNG")


def test_a_scrobble_is_one_listen_of_the_item_however_often_it_is_sent(player):
    army, alone = player.song("Army of Me"), player.song("Alone")
    for _ in range(3):
        player("scrobble", id=[army.id, alone.id], time=[1_700_000_000_000, 1_700_000_300_000])
    player("scrobble", id=army.id, submission="False")
    listens = player.live.listens(player.user, limit=9)
    assert [(one.track.title, one.listened_at, one.track.item) for one in listens] == [
        ("Alone", 1_700_000_300_000, None),
        ("Army of Me", 1_700_000_000_000, ItemRef("track", "t:army")),
    ]
    (playing,) = player("getNowPlaying")["nowPlaying"]["entry"]
    assert (playing["title"], playing["username"], playing["minutesAgo"]) == ("Army of Me", player.user, 0)


def test_what_is_played_often_and_lately_leads_the_lists(player):
    army, creep = player.song("Army of Me"), player.song("Creep")
    player("scrobble", id=[army.id, army.id, creep.id], time=[1_700_000_000_000, 1_700_001_000_000, 1_700_002_000_000])
    listed = {
        sort: [album["id"] for album in player("getAlbumList2", type=sort)["albumList2"]["album"]]
        for sort in ("frequent", "recent")
    }
    assert listed == {"frequent": [army.album_id, creep.album_id], "recent": [creep.album_id, army.album_id]}


@pytest.fixture
def clock(monkeypatch):
    """Sets the time at which calls come, in milliseconds."""
    return lambda at: monkeypatch.setattr("crossfade.serve.subsonic.plays.now", lambda: at)


@pytest.mark.parametrize("call", ["scrobble", "reportPlayback"])
def test_a_play_without_a_time_is_one_listen_when_it_is_sent_again(player, clock, call):
    song = player.song("Army of Me")  # four seconds long: hearing two is a play
    parameters = {"mediaId": song.id, "mediaType": "song", "positionMs": 4000, "state": "stopped"}
    if call == "scrobble":
        parameters = {"id": song.id}
    began = []
    for at in (PLAYED_AT, PLAYED_AT + 1900, PLAYED_AT + 4000):
        clock(at)
        player(call, **parameters)
        began.append([listen.listened_at for listen in player.live.listens(player.user, limit=9)])
    first, again = PLAYED_AT - 4000, PLAYED_AT
    assert began == [[first], [first], [again, first]]


def test_what_others_play_is_not_what_an_admin_played(player, clock):
    song = player.song("Army of Me")
    player.live.add_user("root")
    _, key = player.live.add_token("root", scopes=frozenset({"admin"}))
    report = {"mediaId": song.id, "mediaType": "song", "c": "test"}
    clock(PLAYED_AT)
    player("reportPlayback", positionMs=0, state="starting", **report)
    clock(PLAYED_AT + 4000)
    stopped = {**report, "positionMs": 3000, "state": "stopped", "apiKey": key}
    assert 'status="ok"' in player.client.get("/rest/reportPlayback", params=stopped).text
    assert [listen.listened_at for listen in player.live.listens("root", limit=9)] == [PLAYED_AT + 1000]


def test_reported_playback_is_a_listen_once_enough_was_heard(player):
    song = player.song("Army of Me")  # four seconds long
    for state, position in (("starting", 0), ("playing", 1500), ("stopped", 3500)):
        player("reportPlayback", mediaId=song.id, mediaType="song", positionMs=position, state=state)
    (listen,) = player.live.listens(player.user, limit=9)
    assert (listen.track.title, listen.ms_played) == ("Army of Me", 3500)
    player("reportPlayback", mediaId=song.id, mediaType="song", positionMs=100, state="stopped")
    assert player.live.count_listens(player.user) == 1
    assert player("getNowPlaying")["nowPlaying"]["entry"] == []


def test_what_is_played_in_private_is_kept_nowhere(player):
    song = player.song("Lonely")
    for state in ("starting", "playing", "stopped"):
        player("reportPlayback", mediaId=song.id, mediaType="song", positionMs=4000, state=state, ignoreScrobble="true")
    assert player("getNowPlaying")["nowPlaying"]["entry"] == []
    player.live.start_private(player.user, until=2**41)
    player("savePlayQueue", id=song.id, current=song.id)
    player("star", albumId=song.album_id)
    player("scrobble", id=song.id)
    player.live.end_private(player.user)
    assert player("getPlayQueue")["playQueue"]["entry"] == []
    assert player("getStarred2")["starred2"] == {"artist": [], "album": [], "song": []}
    assert player.live.count_listens(player.user) == 0
    home = player.folder._kept.parent
    written = [path for path in home.rglob("*") if path.is_file() and path.parent != player.folder._kept]
    assert any(path.name == "state.sqlite" for path in written)
    assert [path for path in written if b"Lonely" in path.read_bytes()] == []


def test_stars_and_ratings_are_kept_and_taken_back(player):
    song = player.song("Creep")
    player("star", id=song.id, albumId=song.album_id, artistId=song.artist_id)
    player("setRating", id=song.id, rating=5)
    player("setRating", id=song.album_id, rating=3)
    starred = player("getStarred2")["starred2"]
    assert [len(starred[kind]) for kind in ("artist", "album", "song")] == [1, 1, 1]
    assert starred["song"][0]["userRating"] == 5
    assert starred["album"][0]["userRating"] == 3
    assert {one.track.item for one in player.live.feedback(player.user, "like")} == {
        ItemRef("track", "t/1 creep"),
        ItemRef("artist", "mb:radiohead"),
    }
    player("unstar", id=[song.id, song.album_id], artistId=song.artist_id)
    player("setRating", id=song.id, rating=0)
    assert player("getStarred2")["starred2"] == {"artist": [], "album": [], "song": []}
    assert "userRating" not in player("getSong", id=song.id)["song"]
    assert player.refused("setRating", id=song.id, rating=6) == 0


def test_similar_songs_begin_with_the_release_and_fill_the_count(player):
    army = player.song("Army of Me")
    songs = player("getSimilarSongs2", id=army.id, count=7)["similarSongs2"]["song"]
    assert songs[0]["title"] == "Hunter"  # its pool in the release
    assert len({song["id"] for song in songs}) == 7
    assert army.id not in {song["id"] for song in songs}
    of_artist = player("getSimilarSongs", id=army.artist_id, count=50)["similarSongs"]["song"]
    assert len(of_artist) == 8 - 2  # everything else there is


def test_what_is_blocked_or_rated_one_is_in_no_mix(player):
    army, hunter = player.song("Army of Me"), player.song("Hunter")
    player("setRating", id=hunter.id, rating=1)
    player.live.block(Block(user=player.user, item=ItemRef("artist", "mb:radiohead"), name="Radiohead", created_at=1))
    for call in ("getSimilarSongs", "getSimilarSongs2"):
        (songs,) = (part["song"] for name, part in player(call, id=army.id).items() if name.startswith("similar"))
        assert {song["artist"] for song in songs} == {"Motörhead", "Sigur Rós", "Nobody Knows"}


def test_related_artists_are_those_of_the_release(player):
    radiohead = player.song("Creep").artist_id
    names = [one["name"] for one in player("getArtistInfo2", id=radiohead)["artistInfo2"]["similarArtist"]]
    assert names == ["Björk", "Sigur Rós", "Motörhead"]
    assert player("getArtistInfo2", id=radiohead, count=1)["artistInfo2"]["similarArtist"][0]["name"] == "Björk"


def test_top_songs_are_those_that_most_play(player):
    artist = player.song("Hunter").artist_id
    assert [song["title"] for song in player("getTopSongs", artist="björk")["topSongs"]["song"]] == [
        "Army of Me",
        "Hunter",
    ]
    assert len(player("getTopSongs", id=artist, count=1)["topSongs"]["song"]) == 1
    assert player("getTopSongs", artist="nobody at all")["topSongs"]["song"] == []


def test_sonic_matches_and_paths_have_similarities_and_both_ends(player):
    creep, hunter, alone = (player.song(title) for title in ("Creep", "Hunter", "Alone"))
    matches = player("getSonicSimilarTracks", id=creep.id)["sonicMatch"]
    scores = [match["similarity"] for match in matches]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 1 for score in scores)
    path = player("findSonicPath", startSongId=creep.id, endSongId=hunter.id, count=5)["sonicMatch"]
    assert [path[0]["entry"]["id"], path[-1]["entry"]["id"]] == [creep.id, hunter.id]
    assert path[0]["similarity"] == 1
    assert 2 <= len(path) <= 5
    assert len(player("findSonicPath", startSongId=alone.id, endSongId=hunter.id, count=2)["sonicMatch"]) == 2


def test_before_the_first_release_songs_are_alike_by_genre(tmp_path, music, client_of, serve_library):
    with serve_library(tmp_path, music) as library:
        library.live.add_user("ann")
        _, password = library.live.add_token("ann", password=True)
        player = Player(client_of(library.app), library.live, library.folder, music, password, "ann")
        matches = player("getSonicSimilarTracks", id=player.song("Alone").id)["sonicMatch"]
        assert {match["entry"]["title"] for match in matches} == {"Lonely", "Creep", "Just"}
        player("scrobble", id=player.song("Alone").id)
        assert library.live.count_listens("ann") == 1


def test_playlists_are_made_changed_and_deleted(player):
    army, hunter, creep = (player.song(title) for title in ("Army of Me", "Hunter", "Creep"))
    made = player("createPlaylist", name="Evening", songId=[army.id, hunter.id])["playlist"]
    assert (made["songCount"], made["duration"], made["owner"]) == (2, 8, player.user)
    player("updatePlaylist", playlistId=made["id"], name="Night", songIdToAdd=creep.id, songIndexToRemove=0)
    changed = player("getPlaylist", id=made["id"])["playlist"]
    assert (changed["name"], [song["title"] for song in changed["entry"]]) == ("Night", ["Hunter", "Creep"])
    player("createPlaylist", playlistId=made["id"], songId=army.id)
    listed = {one["id"]: one["songCount"] for one in player("getPlaylists")["playlists"]["playlist"]}
    assert listed[made["id"]] == 1
    player("deletePlaylist", id=made["id"])
    assert not [one for one in player("getPlaylists")["playlists"]["playlist"] if one["owner"] == player.user]
    assert player.refused("getPlaylist", id=made["id"]) == 70
    assert player.refused("createPlaylist") == 10


def test_nobody_sees_or_changes_the_lists_of_others_unless_they_are_public(player):
    mine = player("createPlaylist", name="Mine", songId=player.song("Creep").id)["playlist"]["id"]
    player("star", albumId=player.song("Creep").album_id)
    player.live.add_user("ben")
    _, password = player.live.add_token("ben", password=True)
    ben = Player(player.client, player.live, player.folder, player.place, password, user="ben")
    assert ben("getPlaylists")["playlists"]["playlist"] == []
    assert ben.refused("getPlaylist", id=mine) == 70
    assert ben.refused("deletePlaylist", id=mine) == 70
    assert player.refused("getPlaylist", id=f"album-marks:{player.user}") == 70
    assert ben.refused("getUser", username=player.user) == 50
    player("updatePlaylist", playlistId=mine, public="true")
    assert ben("getPlaylist", id=mine)["playlist"]["readonly"] is True
    assert ben.refused("updatePlaylist", playlistId=mine, name="Ben's") == 50


def test_the_play_queue_goes_on_elsewhere(player):
    army, creep = player.song("Army of Me"), player.song("Creep")
    player("savePlayQueue", id=[army.id, creep.id], current=creep.id, position=1234)
    queue = player("getPlayQueue")["playQueue"]
    assert (queue["current"], queue["position"], queue["changedBy"]) == (creep.id, 1234, "test")
    assert player("getPlayQueueByIndex")["playQueueByIndex"]["currentIndex"] == 1
    assert not [one for one in player("getPlaylists")["playlists"]["playlist"] if one["owner"] == player.user]


def test_what_a_player_keeps_for_itself_is_no_playlist_of_any_api(player):
    army = player.song("Army of Me")
    player("savePlayQueue", id=army.id, current=army.id)
    player("createBookmark", id=army.id, position=1)
    player("star", albumId=army.album_id)
    headers = {"Authorization": f"Token {player.live.add_token(player.user)[1]}"}
    own = player.client.get("/v1/playlists", headers=headers).json()["playlists"]
    made = player.client.get(f"/1/user/{player.user}/playlists/createdfor").json()["playlists"]
    assert {one["sort"] for one in own} <= RECIPES.keys()
    assert len(own) == len(made)
    for path in (f"/1/playlist/play-queue:{player.user}", f"/v1/playlists/play-queue:{player.user}"):
        assert player.client.get(path, headers=headers).status_code == 404


@pytest.mark.parametrize(
    ("call", "parameters"),
    [
        ("search3", {"query": "a\x00b"}),
        ("search3", {"query": "x" * 3000}),
        ("search3", {"query": "a", "songCount": "NaN"}),
        ("search3", {"query": "a", "songOffset": "-1"}),
        ("getRandomSongs", {"size": "1e9"}),
        ("scrobble", {"id": "tr-none"}),
        ("setRating", {"id": "al-none", "rating": 1}),
        ("getAlbumList2", {"type": "__class__"}),
        ("reportPlayback", {"mediaId": "x", "mediaType": "song", "positionMs": 1, "state": "flying"}),
        ("createBookmark", {"id": "../../x", "position": 1}),
        ("star", {}),
    ],
)
def test_nonsense_gets_an_answer_that_says_so(player, call, parameters):
    content = player.ask(call, **parameters).json()["subsonic-response"]
    assert content["status"] == "failed"
    assert content["error"]["message"]


def test_huge_numbers_and_texts_of_any_bytes_do_no_harm(player):
    assert len(player("getRandomSongs", size=10**25)["randomSongs"]["song"]) == 8
    assert player("search3", query="\ud7ff\ufffe\x1b<&>")["searchResult3"]["song"] == []
    name = 'a<b>&"\x08'
    player("createPlaylist", name=name)
    root = ET.fromstring(player.ask("getPlaylists", f="xml").content)
    assert 'a<b>&"' in root[0][0].get("name")


def test_a_page_elsewhere_may_call_and_show_covers(player):
    answer = player.ask("getCoverArt", id=player.song("Creep").id)
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert player.client.request("OPTIONS", "/rest/ping").status_code == 204


def test_no_call_of_the_description_fails_on_any_value(player, schema):
    """Each call with some of its parameters, drawn from ids that exist and from nonsense of their own types."""
    rng = np.random.default_rng(7)
    army = player.song("Army of Me")
    values = [army.id, army.album_id, army.artist_id, "", "0", "-1", "1e400", "NaN", str(2**70), "true", "\ufffe",
              "a\x00", "../..", "Rock", "byYear", "\u202e" * 300, "[[[[", "<!ENTITY", player.user]  # fmt: skip
    for path, methods in schema.paths.items():
        call = path.removeprefix("/rest/")
        names = [one["name"] for one in methods.get("get", {}).get("parameters", []) if "name" in one]
        for _ in range(4):
            drawn = {
                name: [values[one] for one in rng.integers(len(values), size=1 + rng.integers(2))] for name in names
            }
            drawn = {name: some for name, some in drawn.items() if name not in {"u", "p", "f"} and rng.random() < 0.8}
            answer = player.ask(call, **drawn)
            assert answer.status_code in (200, 404), (call, drawn)
            if answer.headers["content-type"] == "application/json":
                content = answer.json()["subsonic-response"]
                schema(f"Subsonic{'Success' if content['status'] == 'ok' else 'Failure'}Response", content)
                assert "could not answer" not in content.get("error", {}).get("message", ""), (call, drawn)


def test_a_form_too_large_and_calls_that_do_not_exist_are_refused(player):
    large = player.client.request("POST", "/rest/ping", data={"u": "x" * (1 << 21)})
    assert large.status_code == 413
    assert player.ask("deleteEverything").status_code == 404


@pytest.mark.parametrize("time", [1, 1_700_000_000, 4_000_000_000_000, 2**53])
def test_a_scrobble_of_no_possible_time_is_refused(player, time):
    assert player.refused("scrobble", id=player.song("Creep").id, time=time) == 0
    assert not player.live.listens(player.user, limit=1)


def test_a_call_reads_one_index_though_another_is_taken_in_meanwhile(player, monkeypatch):
    creep, read = player.song("Creep"), []
    music = player.folder.music()
    monkeypatch.setattr(
        type(player.folder), "music", lambda self: read.append(1) or (music if len(read) == 1 else None)
    )
    assert player("getSong", id=creep.id)["song"]["title"] == "Creep"


def test_what_goes_wrong_inside_is_told_in_the_words_of_the_api(player, monkeypatch):
    def broken(*some):
        raise ZeroDivisionError

    monkeypatch.setattr("crossfade.serve.subsonic.browsing.song_answer", broken)
    answer = player.ask("getSong", id=player.song("Creep").id)
    assert answer.status_code == 500
    assert answer.json()["subsonic-response"]["status"] == "failed"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


def test_a_client_that_wants_sound_tells_an_error_by_its_type(player):
    assert player.ask("stream", id="tr-none", f="xml").headers["content-type"].startswith("text/xml")
    assert player.ask("stream", id="tr-none").headers["content-type"] == "application/json"


def test_only_so_many_calls_are_answered_in_a_while(player, client_of, tmp_path):
    active = ActiveRelease(open_releases(Home(tmp_path)))
    app = create_app(active, ServeSettings(requests=3), live=player.live, music=player.folder)
    limited = replace(player, client=client_of(app))
    answers = [limited.ask("getOpenSubsonicExtensions") for _ in range(9)]
    assert {answer.status_code for answer in answers} == {200, 429}
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert int(refused.headers["Retry-After"]) >= 1
    assert refused.headers["X-RateLimit-Remaining"] == "0"
