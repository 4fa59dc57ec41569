"""Tracks that can be heard in a browser."""

from dataclasses import replace

import pytest
from tests.conftest import items_of, small_release
from tests.music_files import write_song

from crossfade.core.artifacts import Identity, writing
from crossfade.core.catalogue import Catalogue
from crossfade.core.home import Home
from crossfade.demo.settings import SMALL, truth_place
from crossfade.demo.truth import truth_identity
from crossfade.live.music_folder import MusicFolder
from crossfade.serve.active import ActiveRelease
from crossfade.serve.app import create_app
from crossfade.serve.settings import ServeSettings
from crossfade.stores.registry import open_live, open_releases


@pytest.fixture
def library(tmp_path, client_of):
    """Makes a client of a library, with a token of ann, and with a demo world's tracks or a folder of music."""
    home = Home(tmp_path / "home")
    home.prepare()
    live = open_live(home)
    live.add_user("ann")
    headers = {"Authorization": f"Bearer {live.add_token('ann')[1]}"}
    opened = []

    def made(parts, music=None):
        releases = open_releases(home)
        parts.publish(releases)
        active = ActiveRelease(releases)
        opened.append(active)
        client = client_of(create_app(active, ServeSettings(), live=live, music=music, home=home))

        def get(path, **more):
            return client.get(path, headers={**headers, **more})

        get.client = client
        return get

    made.home = home
    yield made
    for active in opened:
        active.close()
    live.close()


@pytest.fixture
def music(tmp_path, library):
    write_song(tmp_path / "music" / "army.mp3", title="Army of Me", artist="BJORK")
    folder = MusicFolder(tmp_path / "music", library.home.music)
    folder.scan()
    return folder


def test_a_file_of_the_folder_is_sent_whole_and_in_parts(library, music, tmp_path):
    get = library(small_release(tmp_path), music)
    assert get("/v1/session").json()["library"]["audio"] == "files"
    content = (tmp_path / "music" / "army.mp3").read_bytes()
    whole = get("/v1/tracks/t:army/audio")
    assert (whole.status_code, whole.content, whole.headers["content-type"]) == (200, content, "audio/mpeg")
    part = get("/v1/tracks/t:army/audio", Range="bytes=2-5")
    assert (part.status_code, part.content) == (206, content[2:6])
    assert part.headers["content-range"] == f"bytes 2-5/{len(content)}"
    assert get("/v1/playable?item=t:hunter&item=t:army&item=nowhere").json() == {"playable": ["t:army"]}


def test_an_album_has_the_order_of_the_folder(library, tmp_path):
    for number, title in enumerate(["Hunter", "Army of Me"], start=1):
        tags = {"title": title, "artist": "Björk", "album": "Post", "tracknumber": str(number)}
        write_song(tmp_path / "music" / f"{title}.mp3", **tags)
    folder = MusicFolder(tmp_path / "music", library.home.music)
    folder.scan()
    parts = small_release(tmp_path)
    artists, tracks = parts.catalogue["artist"], parts.catalogue["track"]
    own = items_of("track", tracks.ids, tracks.names, parents=1, listeners=[7, 6, 1, 1], album=["Post"] * 4)
    parts = replace(parts, catalogue=Catalogue([artists, own]), tables=[parts.tables[0], parts.tables[4]])
    with writing(tmp_path / "own", Identity(kind="part", version=1)) as draft:
        parts.catalogue.save(draft.path)
    parts = replace(parts, parts={**parts.parts, "catalogue": tmp_path / "own"})
    tracks = library(parts, folder)("/v1/albums?artist=Björk&name=Post").json()["tracks"]
    assert [one["name"] for one in tracks] == ["Hunter", "Army of Me", "Creep", "Creep"]


def test_a_track_without_a_file_says_so(library, music, tmp_path):
    answer = library(small_release(tmp_path), music)("/v1/tracks/t:hunter/audio")
    assert answer.status_code == 404
    assert "Hunter" in answer.json()["detail"]
    (tmp_path / "music" / "army.mp3").unlink()
    assert library(small_release(tmp_path / "again"), music)("/v1/tracks/t:army/audio").status_code == 404


def test_sound_needs_a_token(library, music, tmp_path):
    get = library(small_release(tmp_path), music)
    assert get.client.get("/v1/tracks/t:army/audio").status_code == 401
    assert get.client.get("/v1/playable?item=t:army").status_code == 401


def test_a_demo_world_is_synthesised(library, tmp_path):
    with writing(truth_place(library.home), truth_identity(SMALL)):
        pass
    get = library(with_demo_tracks(tmp_path))
    assert get("/v1/session").json()["library"]["audio"] == "made"
    assert get("/v1/session").json()["library"]["invented"]
    whole = get("/v1/tracks/demo:track:1/audio")
    assert (whole.status_code, whole.headers["content-type"]) == (200, "audio/wav")
    part = get("/v1/tracks/demo:track:1/audio", Range="bytes=0-3")
    assert (part.status_code, part.content) == (206, b"RIFF")
    assert get("/v1/playable?item=demo:track:0&item=x").json() == {"playable": ["demo:track:0"]}


def test_a_library_without_sound_says_so(library, tmp_path):
    get = library(small_release(tmp_path))
    assert "audio" not in get("/v1/session").json()["library"]
    assert get("/v1/tracks/t:army/audio").status_code == 404


def with_demo_tracks(directory):
    """`small_release`, with the tracks of a demo world instead."""
    parts = small_release(directory)
    artists = parts.catalogue["artist"]
    tracks = items_of("track", ["demo:track:0", "demo:track:1"], ["One", "Two"], parents=1)
    return replace(parts, catalogue=Catalogue([artists, tracks]), tables=[parts.tables[0]])
