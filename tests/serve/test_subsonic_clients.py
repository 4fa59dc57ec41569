"""Whole sessions of real players' libraries, unmodified, against a running server."""

import asyncio
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

pytest.importorskip("mutagen", reason="needs the extra `serve`")

from tests.music_files import write_song

from crossfade.stores.live import Playlist, Track

ROOT = Path(__file__).parents[2]
NODE_CLIENT = ROOT / "tests" / "clients" / "node_modules" / "subsonic-api"
PLAYED_AT = 1_700_000_000_000

SONGS = [
    ("Björk", "Army of Me", ".mp3"),
    ("Björk", "Hunter", ".flac"),
    ("Radiohead", "Creep", ".mp3"),
    ("Radiohead", "Just", ".wav"),
    ("Motörhead", "Ace of Spades", ".mp3"),
]


lenient = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")
"""For clients that leave connections open."""


@dataclass(frozen=True)
class Server:
    port: int
    live: Any
    folder: Any
    user: str
    password: str
    key: str

    @property
    def address(self):
        return f"http://127.0.0.1:{self.port}"

    def heard(self):
        """The titles that the user has played, and how they rated them."""
        listens = [(one.track.title, one.listened_at) for one in self.live.listens(self.user, limit=10)]
        return listens, {one.track.title: one.value for one in self.live.feedback(self.user, "rating")}


@pytest.fixture(scope="module")
def running(tmp_path_factory, make_release_parts, serve_library, serve_on_loopback):
    place = tmp_path_factory.mktemp("running")
    for number, (artist, title, suffix) in enumerate(SONGS, start=1):
        write_song(
            place / "music" / artist / f"{number}{suffix}",
            title=title,
            artist=artist,
            album=f"{artist}'s album",
            genre="Rock",
            date="1995",
            tracknumber=str(number),
            cover=True,
        )
    with serve_library(place, place / "music") as library:
        make_release_parts(place).publish(library.releases)
        with serve_on_loopback(library.app) as port:
            yield port, library.live, library.folder


@pytest.fixture
def server(running, request):
    port, live, folder = running
    user = f"user of {request.node.name}"
    live.add_user(user)
    _, password = live.add_token(user, password=True)
    _, key = live.add_token(user)
    return Server(port, live, folder, user, password, key)


@lenient
@pytest.mark.parametrize("login", ["token", "hexadecimal", "key"])
@pytest.mark.parametrize("way", [{"use_get": True, "use_views": False}, {"use_get": False, "use_views": True}])
def test_py_opensonic(server, login, way):
    libopensonic = pytest.importorskip("libopensonic", reason="needs py-opensonic")

    who = {"api_key": server.key} if login == "key" else {"username": server.user, "password": server.password}
    if login == "hexadecimal":
        who["legacy_auth"] = True
    client = libopensonic.Connection("http://127.0.0.1", port=server.port, app_name="test", **who, **way)
    try:
        assert client.ping()
        names = {extension.name for extension in client.get_open_subsonic_extensions()}
        assert {"sonicSimilarity", "playbackReport", "apiKeyAuthentication"} <= names
        if login == "key":
            assert client.token_info().username == server.user
        assert client.get_user(server.user).stream_role
        assert client.get_license()
        client.start_scan()
        assert client.get_scan_status().count >= 0

        # Its get_music_folders() fails on every answer that follows the description.
        artists = [artist for index in client.get_artists().index for artist in index.artist]
        assert [artist.name for artist in artists] == ["Björk", "Motörhead", "Radiohead"]
        assert [index.name for index in client.get_indexes().index] == ["B", "M", "R"]
        (album,) = client.get_artist(artists[0].id).album
        songs = client.get_album(album.id).song
        assert [song.title for song in songs] == ["Army of Me", "Hunter"]
        assert client.get_music_directory(album.id).child[0].title == "Army of Me"
        assert client.get_song(songs[0].id).duration == 4
        assert client.get_genres()[0].song_count == 5
        for sort in ("random", "newest", "alphabeticalByName", "alphabeticalByArtist"):
            assert len(client.get_album_list2(sort, size=10)) == 3
            assert len(client.get_album_list(sort, size=10)) == 3
        assert len(client.get_songs_by_genre("Rock")) == 5
        assert len(client.get_random_songs(size=3)) == 3
        assert [song.title for song in client.search3("creep").song] == ["Creep"]
        assert len(client.search3("").song) == 5
        assert client.search2("björk").artist[0].name == "Björk"

        army, hunter = songs
        assert (
            content(client, client.stream(army.id))
            == server.folder.path_of(server.folder.music().songs[army.id]).read_bytes()
        )
        assert content(client, client.get_cover_art(army.cover_art)).startswith(b"\x89PNG")

        client.scrobble(army.id, submission=False)
        assert client.get_now_playing()[0].title == "Army of Me"
        client.scrobble(army.id, listen_time=PLAYED_AT // 1000)
        client.scrobble(army.id, listen_time=PLAYED_AT // 1000)
        client.set_rating(hunter.id, 5)
        client.star(sids=[army.id], album_ids=[album.id], artist_ids=[artists[0].id])
        starred = client.get_starred2()
        assert [len(starred.song), len(starred.album), len(starred.artist)] == [1, 1, 1]
        client.unstar(sids=[army.id], album_ids=[album.id], artist_ids=[artists[0].id])
        assert not client.get_starred2().song
        client.report_playback(hunter.id, "song", 1000, "playing", ignore_scrobble=True)
        assert server.heard() == ([("Army of Me", PLAYED_AT)], {"Hunter": 5})

        assert client.get_similar_songs2(army.id, count=4)[0].title == "Hunter"
        assert len(client.get_similar_songs(artists[2].id, count=3)) == 3
        assert [artist.name for artist in client.get_artist_info2(artists[2].id).similar_artist] == [
            "Björk",
            "Motörhead",
        ]
        assert [song.title for song in client.get_top_songs("Björk")] == ["Army of Me", "Hunter"]
        matches = client.get_sonic_similar_tracks(army.id)
        assert matches[0].entry.title == "Hunter"
        path = client.find_sonic_path(army.id, hunter.id)
        assert [path[0].entry.id, path[-1].entry.id] == [army.id, hunter.id]

        assert client.create_playlist(name="Evening", song_ids=[army.id, hunter.id])
        (made,) = client.get_playlists()
        client.update_playlist(made.id, comment="late", song_indices_to_remove=[0])
        assert [song.title for song in client.get_playlist(made.id).entry] == ["Hunter"]
        assert [one.id for one in client.get_playlists()] == [made.id]
        client.delete_playlist(made.id)
        client.save_play_queue([army.id, hunter.id], current=hunter.id, position=1000)
        assert client.get_play_queue().current == hunter.id
        client.create_bookmark(army.id, 2000)
        assert client.get_bookmarks()[0].position == 2000
        client.delete_bookmark(army.id)
        with pytest.raises(libopensonic.errors.DataNotFoundError):
            client.get_song("tr-none")
    finally:
        client.cleanup()
        client._loop.close()  # it leaves that open


def content(client, response):
    """The bytes of an answer, which its connection reads in its own loop."""
    return asyncio.run_coroutine_threadsafe(response.read(), client._loop).result()


@lenient
def test_py_opensonic_is_told_that_a_password_is_wrong(server):
    libopensonic = pytest.importorskip("libopensonic", reason="needs py-opensonic")
    client = libopensonic.Connection("http://127.0.0.1", port=server.port, username=server.user, password="wrong")
    try:
        with pytest.raises(libopensonic.errors.CredentialError):
            client.get_artists()
    finally:
        client.cleanup()
        client._loop.close()  # it leaves that open


@lenient
@pytest.mark.parametrize("way", [{}, {"legacyAuth": True}])
def test_py_sonic(server, way):
    libsonic = pytest.importorskip("libsonic", reason="needs py-sonic")
    client = libsonic.Connection("http://127.0.0.1", server.user, server.password, port=server.port, **way)
    assert client.ping()
    index = client.getArtists()["artists"]["index"]
    artist = client.getArtist(index[0]["artist"][0]["id"])["artist"]
    album = client.getAlbum(artist["album"][0]["id"])["album"]
    army, hunter = album["song"]
    assert client.getIndexes()["indexes"]["index"]
    assert client.getMusicDirectory(artist["id"])["directory"]["child"][0]["isDir"] is True
    assert len(client.getAlbumList2("newest")["albumList2"]["album"]) == 3
    assert client.search3("hunter")["searchResult3"]["song"][0]["id"] == hunter["id"]
    assert client.stream(hunter["id"]).read(4) == b"fLaC"
    assert client.getCoverArt(album["coverArt"]).read(4) == b"\x89PNG"
    assert client.scrobble(army["id"], listenTime=PLAYED_AT // 1000)["status"] == "ok"
    assert client.setRating(army["id"], 4)["status"] == "ok"
    assert client.star(sids=[hunter["id"]])["status"] == "ok"
    assert client.getStarred2()["starred2"]["song"][0]["title"] == "Hunter"
    assert client.getUser(server.user)["user"]["username"] == server.user
    assert len(client.getSimilarSongs2(artist["id"], count=3)["similarSongs2"]["song"]) == 3
    assert len(client.getRandomSongs(size=2)["randomSongs"]["song"]) == 2
    assert client.getTopSongs("Björk")["topSongs"]["song"][0]["title"] == "Army of Me"
    made = client.createPlaylist(name="Evening", songIds=[army["id"], hunter["id"]])["playlist"]
    assert client.getPlaylist(made["id"])["playlist"]["songCount"] == 2
    assert client.deletePlaylist(made["id"])["status"] == "ok"
    listens, ratings = server.heard()
    assert ([title for title, _ in listens], ratings) == (["Army of Me"], {"Army of Me": 4})


@lenient
def test_subsonic_connector(server):
    pytest.importorskip("subsonic_connector", reason="needs subsonic-connector")
    from subsonic_connector.configuration import ConfigurationInterface
    from subsonic_connector.connector import Connector

    class Configuration(ConfigurationInterface):
        def getBaseUrl(self):
            return "http://127.0.0.1"

        def getPort(self):
            return str(server.port)

        def getServerPath(self):
            return ""

        def getUserName(self):
            return server.user

        def getPassword(self):
            return server.password

        def getApiVersion(self):
            return "1.16.1"

        def getAppName(self):
            return "test"

        def getLegacyAuth(self):
            return False

        def getCustomHeaders(self):
            return {}

    client = Connector(Configuration())
    assert client.ping()
    artists = client.getArtists().getObj().getArtistListInitials()
    assert artists
    (album, *_) = client.getNewestAlbumList(size=10).getObj().getAlbums()
    songs = client.getAlbum(album.getId()).getObj().getSongs()
    assert songs
    found = client.search("hunter", songCount=5, artistCount=5, albumCount=5)
    hunter = found.getSongs()[0]
    assert hunter.getTitle() == "Hunter"
    assert client.getSong(hunter.getId()).getObj().getArtist() == "Björk"
    assert len(client.getRandomSongs(size=2).getObj().getSongs()) == 2
    assert client.getGenres().getObj().getGenres()[0].getName() == "Rock"
    assert client.getSimilarSongs(hunter.getId(), count=3).getObj().getSongs()
    assert client.getTopSongs("Björk").getObj().getSongs()[0].getTitle() == "Army of Me"
    assert client.scrobble(hunter.getId())
    url = client.buildSongUrl(hunter.getId())
    assert url.startswith(server.address)
    assert [title for title, _ in server.heard()[0]] == ["Hunter"]


NODE_SESSION = """
import SubsonicAPI from "subsonic-api";
const [url, username, password, apiKey, way] = process.argv.slice(2);
const auth = way === "key" ? { apiKey } : { username, password };
const api = new SubsonicAPI({ url, auth, post: way === "post" });
const ok = async (answer) => {
  const content = await answer;
  if (content.status !== "ok") throw new Error(JSON.stringify(content));
  return content;
};
await ok(api.ping());
const { artists } = await ok(api.getArtists());
const { artist } = await ok(api.getArtist({ id: artists.index[0].artist[0].id }));
const { album } = await ok(api.getAlbum({ id: artist.album[0].id }));
const [army, hunter] = album.song;
const { searchResult3 } = await ok(api.search3({ query: "", songCount: 500 }));
const sound = await (await api.stream({ id: hunter.id })).arrayBuffer();
const cover = await (await api.getCoverArt({ id: album.coverArt })).arrayBuffer();
await ok(api.scrobble({ id: army.id, time: 1700000000000 }));
await ok(api.setRating({ id: army.id, rating: 3 }));
await ok(api.star({ id: [army.id, hunter.id] }));
const { starred2 } = await ok(api.getStarred2());
const { similarSongs2 } = await ok(api.getSimilarSongs2({ id: army.id, count: 3 }));
const { playlist } = await ok(api.createPlaylist({ name: "Evening", songId: [army.id, hunter.id] }));
await ok(api.updatePlaylist({ playlistId: playlist.id, songIndexToRemove: [0] }));
const changed = await ok(api.getPlaylist({ id: playlist.id }));
console.log(JSON.stringify({
  artist: artist.name, all: searchResult3.song.length, sound: sound.byteLength, cover: cover.byteLength,
  starred: starred2.song.length, similar: similarSongs2.song.map((song) => song.title),
  playlist: changed.playlist.entry.map((song) => song.title),
}));
"""


@pytest.mark.skipif(not NODE_CLIENT.is_dir(), reason="needs subsonic-api: make tests/clients/node_modules/ready")
@pytest.mark.parametrize("way", ["get", "post", "key"])
def test_subsonic_api_of_npm(server, way, tmp_path):
    (tmp_path / "node_modules").symlink_to(NODE_CLIENT.parent)
    (tmp_path / "session.mjs").write_text(NODE_SESSION)
    node = [sys.executable, ROOT / "web" / "node.py", "node"]
    done = subprocess.run(
        [*node, "session.mjs", server.address, server.user, server.password, server.key, way],
        cwd=tmp_path,
        env={**os.environ, "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    hunter = server.folder.music().search_songs("hunter")[0]
    assert seen["artist"] == "Björk"
    assert (seen["all"], seen["sound"]) == (5, hunter.file.size)
    assert seen["cover"] > 60
    assert (seen["starred"], seen["similar"][0], seen["playlist"]) == (2, "Hunter", ["Hunter"])
    assert server.heard() == ([("Army of Me", PLAYED_AT)], {"Army of Me": 3})


def test_a_player_that_takes_its_time_is_not_cut_off(server, monkeypatch):
    """A reply that is played may stand still for longer than others."""
    from crossfade.serve import connections

    monkeypatch.setattr(connections, "REPLY_SECONDS", 0.2)
    song = server.folder.music().search_songs("creep")[0]
    path = server.folder.path_of(song)
    before = path.read_bytes()
    path.write_bytes(before + bytes(20_000_000))
    try:
        named = f"u={server.user.replace(' ', '+')}&p={server.password}&id={song.id}"
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as player:
            player.sendall(f"GET /rest/stream?{named} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            time.sleep(1)
            taken = 0
            while taken < len(before) + 20_000_000:
                part = player.recv(1 << 20)
                assert part, "cut off"
                taken += len(part)
    finally:
        path.write_bytes(before)


BEETS = """
library: {directory}/library.db
directory: {directory}/music
import: {{copy: no, write: no}}
plugins: [subsonicupdate, subsonicplaylist]
subsonic: {{url: "{address}", user: "{user}", pass: "{password}"}}
subsonicplaylist: {{base_url: "{address}", username: "{user}", password: "{password}", playlist_names: [Evening]}}
"""


def test_beets(server, tmp_path):
    songs = {song.title: song for song in server.folder.music().songs.values()}
    asked = {"u": server.user, "p": server.password, "name": "Evening", "songId": songs["Hunter"].id}
    assert httpx.get(f"{server.address}/rest/createPlaylist", params=asked).text.count('status="ok"') == 1
    named = {"directory": tmp_path, "address": server.address, "user": server.user, "password": server.password}
    (tmp_path / "config.yaml").write_text(BEETS.format(**named))
    for song in songs.values():
        (tmp_path / "music").mkdir(exist_ok=True)
        shutil.copy(server.folder.path_of(song), tmp_path / "music")

    def beet(*command):
        done = subprocess.run(
            [sys.executable, "-m", "beets", "--verbose", *command],
            env={**os.environ, "BEETSDIR": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    # The server counts while it reads, so any number may be the first that it tells.
    told = beet("import", "--noautotag", "--quiet", str(tmp_path / "music"))
    assert re.search(r"Updating Subsonic; scanning \d+ tracks", told), told
    beet("subsonicplaylist")
    assert "Hunter ;Evening;" in beet("list", "--format", "$title $subsonic_playlist", "subsonic_playlist::.")


TROI = Path(__file__).parents[2] / ".venv-players" / "bin" / "troi"
RECORDING, RELEASE, ARTIST = (f"{digit * 8}-7e6a-48da-86a9-c1c07a0f47ae" for digit in "123")


@pytest.mark.slow
@pytest.mark.skipif(not TROI.exists(), reason="needs troi: make test-all")
def test_troi(tmp_path, serve_library, serve_on_loopback, make_release_parts):
    """It copies the library, finds the tracks of a weekly list in it, and keeps them as a playlist."""
    tags = {"musicbrainz_trackid": RECORDING, "musicbrainz_albumid": RELEASE, "musicbrainz_artistid": ARTIST}
    write_song(tmp_path / "music" / "1.mp3", title="Hunter", artist="Björk", album="Homogenic", **tags)
    with serve_library(tmp_path, tmp_path / "music") as library, serve_on_loopback(library.app) as port:
        make_release_parts(tmp_path).publish(library.releases)
        library.live.add_user("ann")
        _, password = library.live.add_token("ann", password=True)
        track = Track(title="Hunter", artist="Björk", mbid=RECORDING)
        now = int(time.time() * 1000)
        weekly = Playlist(
            id="weekly", user="ann", title="Exploration", tracks=(track,), sort="weekly-exploration",
            created_at=now, changed_at=now,
        )  # fmt: skip
        library.live.put_playlist(weekly)
        (tmp_path / "config.py").write_text(
            f"DATABASE_FILE = 'troi.db'\nSUBSONIC_HOST = 'http://127.0.0.1'\nSUBSONIC_PORT = {port}\n"
            f"SUBSONIC_USER = 'ann'\nSUBSONIC_PASSWORD = '{password}'\n"
        )
        (tmp_path / "weekly.jspf").write_bytes(httpx.get(f"http://127.0.0.1:{port}/1/playlist/weekly").content)
        for command in (["db", "create"], ["db", "subsonic"], ["resolve", "-u", "-y", "weekly.jspf"]):
            done = subprocess.run([TROI, *command], cwd=tmp_path, capture_output=True, text=True, timeout=120)
            assert done.returncode == 0, done.stdout + done.stderr
        (made,) = library.live.playlists("ann", "")
        assert (made.title, [one.title for one in made.tracks]) == ("Exploration", ["Hunter"])
