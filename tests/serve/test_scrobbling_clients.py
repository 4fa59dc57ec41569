"""The sessions of real clients, unmodified, with a running server, over TLS for those that speak nothing else."""

import contextlib
import dataclasses
import importlib
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import httpx
import numpy as np
import pytest
from tests.programs import started

from crossfade.core.catalogue import Catalogue
from crossfade.core.home import Home
from crossfade.core.ids import Ids
from crossfade.serve.settings import ServeSettings
from crossfade.stores.live import ItemRef, Listen, Playlist, Track
from crossfade.stores.registry import open_live, open_releases

fastapi = pytest.importorskip("fastapi", reason="needs the extra `serve`")

ARMY, CREEP, HUNTER = (f"{digit * 8}-7e6a-48da-86a9-c1c07a0f47ae" for digit in "123")
TITLE = "Weekly Exploration for ann, week of 2026-11-16 Mon"
WEEKLY = "5c1a2b3c-0000-4000-8000-000000000001"


@pytest.fixture(scope="module")
def running(tmp_path_factory, make_release_parts, serve_on_loopback):
    """A server with a release whose tracks have MusicBrainz ids, an account, and a weekly list."""
    directory = tmp_path_factory.mktemp("running")
    home = Home(directory / "home")
    home.prepare()
    releases = open_releases(home)
    _publish(make_release_parts(directory), releases)
    live = open_live(home)
    with _running(releases, live, directory, serve_on_loopback) as server:
        now = int(time.time() * 1000)
        track = Track(item=ItemRef("track", HUNTER), title="Hunter", artist="Björk", mbid=HUNTER, duration_ms=255_000)
        live.put_playlist(
            Playlist(
                id=WEEKLY,
                user="ann",
                title=TITLE,
                sort="weekly-exploration",
                tracks=(track,),
                created_at=now,
                changed_at=now,
            )
        )
        yield server
    live.close()


@contextlib.contextmanager
def _running(releases, live, directory, serve_on_loopback):
    """Serve a library, over TLS too, with the user ann, a token and an app password of hers."""
    import trustme

    from crossfade.serve.active import ActiveRelease
    from crossfade.serve.app import create_app

    live.add_user("ann")
    token, password = (live.add_token("ann", label="player", password=kind)[1] for kind in (False, True))
    active = ActiveRelease(releases)
    app = create_app(active, ServeSettings(hosts=("api.listenbrainz.org",)), live=live)
    authority = trustme.CA()
    certificate, own = directory / "certificate.pem", directory / "own.pem"
    authority.cert_pem.write_to_path(certificate)
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(own)
    with contextlib.ExitStack() as servers:
        ports = {}
        for name, encrypted in (("http", {}), ("https", {"ssl_certfile": str(own), "ssl_keyfile": str(own)})):
            # Both serve one application, which is closed below.
            ports[name] = servers.enter_context(serve_on_loopback(app, lifespan="off", **encrypted))
        yield SimpleNamespace(
            live=live,
            token=token,
            password=password,
            http=f"http://127.0.0.1:{ports['http']}",
            https=f"localhost:{ports['https']}",
            certificate=certificate,
        )
    active.close()


def _publish(parts, releases):
    """Publish the catalogue of `small_release` with MBIDs as ids of tracks."""
    kinds = {kind: parts.catalogue[kind] for kind in ("artist", "track", "show", "episode")}
    tracks = kinds["track"]
    kinds["track"] = dataclasses.replace(
        tracks,
        ids=Ids.of([ARMY, CREEP, HUNTER, "name:creep"]),
        names=["Army of Me", "Creep", "Hunter", "Creep"],
        parents=np.array([1, 3, 1, -1], dtype=np.int32),
    )
    popular = [table for table in parts.tables if table.surface == "popular"]
    dataclasses.replace(parts, tables=popular, catalogue=Catalogue(list(kinds.values()))).publish(releases)


@pytest.fixture
def trusting(running, monkeypatch):
    """Clients trust the authority that signed the server's certificate."""
    monkeypatch.setenv("SSL_CERT_FILE", str(running.certificate))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(running.certificate))
    return running


def ids_of(live):
    return [listen.track.item and listen.track.item.id for listen in live.listens("ann", limit=100)]


def playing(live):
    return [one.track.item and one.track.item.id for one in live.now_playing("ann", at=int(time.time() * 1000))]


def forget(running):
    from crossfade.stores.live import ALL

    running.live.delete_listens("ann", ALL)


def test_liblistenbrainz_does_its_session(running):
    import liblistenbrainz

    forget(running)
    client = liblistenbrainz.ListenBrainz(api_base_url=running.http)
    with pytest.raises(liblistenbrainz.errors.InvalidAuthTokenException):
        client.set_auth_token("nonsense")
    client.set_auth_token(running.token)
    began = int(time.time()) - 600
    hunter = liblistenbrainz.Listen(
        "Hunter", "Björk", listened_at=began, release_name="Homogenic", recording_mbid=HUNTER, tags=["trip hop"]
    )
    creep = liblistenbrainz.Listen("Creep", "Radiohead", listened_at=began + 300)
    for _ in range(3):
        assert client.submit_single_listen(hunter) == {"status": "ok"}
        assert client.submit_multiple_listens([hunter, creep]) == {"status": "ok"}
    assert ids_of(running.live) == [CREEP, HUNTER]
    client.submit_playing_now(liblistenbrainz.Listen("Army of Me", "Björk"))
    assert client.get_playing_now("ann").track_name == "Army of Me"
    assert client.get_user_listen_count("ann") == 2
    latest, first = client.get_listens("ann")
    assert (latest.track_name, first.recording_mbid, first.tags) == ("Creep", HUNTER, ["trip hop"])
    assert [listen.track_name for listen in client.get_listens("ann", max_ts=began + 300, count=5)] == ["Hunter"]
    client.submit_user_feedback(1, HUNTER)
    (thumb,) = client.get_user_feedback("ann", 1, True)["feedback"]
    assert (thumb["recording_mbid"], thumb["score"]) == (HUNTER, 1)
    client.submit_user_feedback(0, HUNTER)
    assert client.get_user_feedback("ann", 1, True)["total_count"] == 0
    assert client.get_user_recommendation_recordings("ann") is None
    assert client.get_user_artists("ann") is None
    assert client.delete_listen(latest) == {"status": "ok"}
    assert ids_of(running.live) == [HUNTER]
    with pytest.raises(liblistenbrainz.errors.ListenBrainzAPIException) as refused:
        client.submit_single_listen(liblistenbrainz.Listen("x", "y", listened_at=1))
    assert refused.value.status_code == 400
    assert "2002" in refused.value.message
    with pytest.raises(liblistenbrainz.errors.ListenBrainzAPIException):
        client.get_listens("bob")


def test_recommendations_follow_at_once(small_library, serve_on_loopback, tmp_path):
    import liblistenbrainz

    home, _, live = small_library("artist and track", child_ids="{:08x}-0000-4000-8000-{:012x}")
    with _running(open_releases(home), live, tmp_path, serve_on_loopback) as server:
        client = liblistenbrainz.ListenBrainz(api_base_url=server.http)
        client.set_auth_token(server.token)
        assert client.get_user_recommendation_recordings("ann") is None
        # Five artists of one genre: every fourth is of it.
        client.submit_multiple_listens(
            [
                liblistenbrainz.Listen("x", f"Item a{row:02d}", listened_at=1_700_000_000 + row)
                for row in (2, 6, 10, 14, 18)
            ]
        )
        found = client.get_user_recommendation_recordings("ann", count=5)["payload"]
        mbids = [one["recording_mbid"] for one in found["mbids"]]
        assert (len(mbids), found["user_name"], found["entity"], found["offset"]) == (5, "ann", "recording", 0)
        assert found["total_mbid_count"] >= 5
        assert sum(int(mbid[:8], 16) % 4 == 2 for mbid in mbids) >= 4
        rest = client.get_user_recommendation_recordings("ann", offset=2)["payload"]
        assert rest["mbids"][0]["recording_mbid"] == mbids[2]


@pytest.mark.filterwarnings("ignore:pkg_resources is deprecated", "ignore:Deprecated call to")
def test_mopidy_listenbrainz_does_its_session(trusting):
    client_module = importlib.import_module("mopidy_listenbrainz.listenbrainz")

    forget(trusting)
    with pytest.raises(RuntimeError):
        client_module.Listenbrainz("nonsense", trusting.https, {})
    client = client_module.Listenbrainz(trusting.token, trusting.https, {})
    assert client.user_name == "ann"
    client.submit_listen("Creep", "Radiohead", "Pablo Honey", now_playing=True)
    client.submit_listen("Hunter", "Björk", "Homogenic", HUNTER)
    assert ids_of(trusting.live) == [HUNTER]
    (weekly,) = client.list_playlists_created_for_user()
    assert (weekly.playlist_id, weekly.name, weekly.track_mbids) == (WEEKLY, TITLE, [HUNTER])
    client.session.close()


def test_pylast_does_its_session(trusting):
    pylast = importlib.import_module("pylast")

    forget(trusting)

    def network_of(password):
        # What `pylast.LastFMNetwork` is, at another address.
        return pylast._Network(
            name="Crossfade",
            homepage="",
            ws_server=(trusting.https, "/2.0/"),
            api_key="any",
            api_secret="any",
            session_key="",
            username="ann",
            password_hash=pylast.md5(password),
            domain_names={},
            urls={},
        )

    with pytest.raises(pylast.WSError) as refused:
        network_of("nonsense")
    assert refused.value.status == "4"
    network = network_of(trusting.password)
    began = int(time.time()) - 600
    for _ in range(2):
        network.scrobble("Björk", "Hunter", began, album="Homogenic", duration=255, track_number=1)
    network.scrobble_many(
        [{"artist": "Radiohead", "title": "Creep", "timestamp": began + 10 + place} for place in range(60)]
    )
    assert ids_of(trusting.live) == [CREEP] * 60 + [HUNTER]
    network.update_now_playing("Björk", "Army of Me", duration=234)
    user = network.get_authenticated_user()
    assert user.get_name() == "ann"
    assert user.get_playcount() == 61
    assert user.get_now_playing().title == "Army of Me"
    recent = user.get_recent_tracks(limit=70)
    assert {(one.track.artist.name, one.track.title) for one in recent} == {("Björk", "Hunter"), ("Radiohead", "Creep")}
    network.get_track("Björk", "Hunter").love()
    assert [one.track.title for one in user.get_loved_tracks()] == ["Hunter"]
    network.get_track("Björk", "Hunter").unlove()
    assert user.get_loved_tracks() == []


def test_a_client_of_a_proxy_sends_the_whole_address(running):
    # ListenBrainz is called by its own name, and the server stands in for it.
    with httpx.Client(proxy=running.http, trust_env=False) as client:
        answer = client.get("http://api.listenbrainz.org/1//validate-token?token=x")
        assert answer.json()["valid"] is False
        assert client.get("http://elsewhere.example/1/validate-token?token=x").status_code == 421


def test_beets_does_its_session(running, tmp_path):
    from tests.music_files import write_song

    forget(running)
    began = int(time.time()) - 600
    track = Track(title="Hunter", artist="Björk", album="Homogenic", mbid=HUNTER)
    running.live.add_listens([Listen(user="ann", listened_at=(began + 5 * n) * 1000, track=track) for n in range(3)])
    tags = {"title": "Hunter", "artist": "Björk", "album": "Homogenic", "musicbrainz_trackid": HUNTER}
    write_song(tmp_path / "music" / "hunter.mp3", **tags)
    (tmp_path / "config.yaml").write_text(BEETS.format(directory=tmp_path, token=running.token))
    # Its address is fixed, and without TLS.
    environment = {**os.environ, "BEETSDIR": str(tmp_path), "http_proxy": running.http, "no_proxy": ""}

    def beet(*command):
        done = subprocess.run(
            [sys.executable, "-m", "beets", *command], env=environment, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    beet("import", "--noautotag", "--quiet", str(tmp_path / "music"))
    assert "Found 3 listens" in beet("lbimport")
    assert beet("list", "--format", "$title $listenbrainz_play_count").split() == ["Hunter", "3"]


BEETS = """
library: {directory}/library.db
directory: {directory}/music
import: {{copy: no, write: no}}
plugins: [listenbrainz]
listenbrainz: {{token: {token}, username: ann}}
"""

SERVICE = """
verbose = 2
log = {directory}/scribble.log
host = {directory}/socket
[crossfade]
url = {address}/audioscrobbler/1.2/
username = ann
password = {password}
journal = {directory}/journal
"""

PLAYER = """
music_directory "{directory}/music"
playlist_directory "{directory}"
db_file "{directory}/database"
pid_file "{directory}/pid"
state_file "{directory}/state"
log_file "{directory}/mpd.log"
bind_to_address "{directory}/socket"
audio_output {{
    type "null"
    name "nothing"
}}
"""


@pytest.mark.slow
def test_mpdscribble_does_its_session(running, tmp_path):
    if not all(map(shutil.which, ("mpd", "mpc", "mpdscribble"))):
        pytest.skip("needs apt install mpd mpc mpdscribble")
    from tests.music_files import write_song

    forget(running)
    # Half of a track has to be heard, and at least 15 seconds.
    tags = {"title": "Hunter", "artist": "Björk", "album": "Homogenic"}
    write_song(tmp_path / "music" / "hunter.mp3", seconds=31, **tags)
    for name, content in (("mpd.conf", PLAYER), ("scribble.conf", SERVICE)):
        filled = content.format(directory=tmp_path, address=running.http, password=running.password)
        (tmp_path / name).write_text(filled)
        (tmp_path / name).chmod(0o600)
    with contextlib.ExitStack() as programs:
        programs.enter_context(started("mpd", "--no-daemon", tmp_path / "mpd.conf"))
        _until(20, lambda: _mpc(tmp_path, "update", "--wait") == 0)
        programs.enter_context(started("mpdscribble", "--no-daemon", "--conf", tmp_path / "scribble.conf"))
        _mpc(tmp_path, "add", "hunter.mp3")
        began = time.time()
        _mpc(tmp_path, "play")
        _until(20, lambda: HUNTER in playing(running.live))
        _until(60, lambda: running.live.count_listens("ann"))
    (listen,) = running.live.listens("ann", limit=2)
    assert (listen.track.item, listen.track.album) == (ItemRef("track", HUNTER), "Homogenic")
    assert abs(listen.listened_at / 1000 - began) < 5


def _mpc(directory, *command):
    return subprocess.run(["mpc", f"--host={directory}/socket", *command], capture_output=True).returncode


def _until(seconds, done):
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, f"not within {seconds} seconds"
        time.sleep(0.2)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("navidrome") is None, reason="needs navidrome")
def test_navidrome_does_its_session(running, tmp_path):
    from tests.music_files import write_song

    forget(running)
    tags = {"title": "Hunter", "artist": "Björk", "album": "Homogenic", "musicbrainz_trackid": HUNTER}
    write_song(tmp_path / "music" / "hunter.mp3", **tags)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    settings = {
        "ADDRESS": "127.0.0.1",
        "PORT": str(port),
        "MUSICFOLDER": str(tmp_path / "music"),
        "DATAFOLDER": str(tmp_path / "data"),
        "LISTENBRAINZ_BASEURL": f"{running.http}/1/",
        "DEVAUTOCREATEADMINPASSWORD": "secret",
        "ENABLEINSIGHTSCOLLECTOR": "false",
    }
    environment = {**os.environ, **{f"ND_{name}": value for name, value in settings.items()}}
    login = {"u": "admin", "p": "secret", "v": "1.16.1", "c": "test", "f": "json"}
    with (
        started("navidrome", env=environment, cwd=tmp_path),
        httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client,
    ):

        def asked(call, **parameters):
            answer = client.get(f"/rest/{call}", params={**login, **parameters}).json()["subsonic-response"]
            assert answer["status"] == "ok", answer
            return answer

        def song():
            with contextlib.suppress(httpx.TransportError, AssertionError, ValueError):
                return next(iter(asked("search3", query="Hunter")["searchResult3"].get("song", [])), None)

        _until(30, song)
        key = client.post("/auth/login", json={"username": "admin", "password": "secret"}).json()["token"]
        link, authorized = "/api/listenbrainz/link", {"X-ND-Authorization": f"Bearer {key}"}
        assert client.put(link, json={"token": "wrong"}, headers=authorized).status_code == 400
        assert client.put(link, json={"token": running.token}, headers=authorized).status_code == 200
        asked("scrobble", id=song()["id"], submission="false")
        _until(30, lambda: HUNTER in playing(running.live))
        asked("scrobble", id=song()["id"], submission="true")
        _until(30, lambda: ids_of(running.live) == [HUNTER])


def test_the_table_of_clients_names_the_versions_that_are_locked():
    root = Path(__file__).parents[2]
    locked = [
        pair
        for lock in ("players.txt", "dev.txt")
        for pair in re.findall(r"^([\w.-]+)==([\w.]+)", (root / "requirements" / lock).read_text(), re.MULTILINE)
    ]
    versions = {name.lower(): version for name, version in locked}
    shown = re.findall(r"^\| ([\w-]+) \| ([\w.]+) \|", (root / "docs" / "players.md").read_text(), re.MULTILINE)
    assert len(shown) >= 9
    for name, version in shown:
        assert versions.get(name.lower(), version) == version, name
