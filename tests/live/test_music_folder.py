import runpy
import threading
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

import pytest

from crossfade.core.errors import InputError, SettingsError
from crossfade.live.music_folder import MusicFolder
from crossfade.stores.live import ItemRef, Track

pytest.importorskip("mutagen", reason="needs the extra `serve`")

made = runpy.run_path(str(Path(__file__).parents[1] / "music_files.py"))
write_song, PNG = made["write_song"], made["PNG"]
RECORDING = "62c2e20a-559e-422f-a44c-9afa7882f0c4"


@pytest.fixture
def place(tmp_path):
    write_song(
        tmp_path / "music/Radiohead/Amnesiac/02.mp3",
        title="Pyramid Song",
        artist="Radiohead",
        album="Amnesiac",
        tracknumber="2",
        genre="Rock",
        musicbrainz_trackid=RECORDING,
        cover=True,
    )
    write_song(
        tmp_path / "music/Radiohead/Amnesiac/01.flac",
        title="Packt Like Sardines",
        artist="Radiohead",
        album="Amnesiac",
        tracknumber="1",
        genre="rock",
    )
    write_song(tmp_path / "music/The Low/03 - Rain.wav", artist="The Löw", genre="Slowcore")
    return tmp_path


@pytest.fixture
def folder(place):
    folder = MusicFolder(place / "music", place / "kept")
    folder.scan()
    return folder


def test_files_become_albums_in_order_of_their_artists(folder):
    music = folder.music()
    assert [(album.artist, album.name, [song.title for song in album.songs]) for album in music.albums.values()] == [
        ("The Löw", "The Low", ["Rain"]),
        ("Radiohead", "Amnesiac", ["Packt Like Sardines", "Pyramid Song"]),
    ]
    assert [artist.name for artist in music.artists.values()] == ["The Löw", "Radiohead"]
    assert {genre.lower(): len(songs) for genre, songs in music.genres.items()} == {"rock": 2, "slowcore": 1}


def test_songs_are_found_by_words_and_by_what_players_say(folder):
    music = folder.music()
    assert [song.title for song in music.search_songs("pyra RADIO")] == ["Pyramid Song"]
    assert [artist.name for artist in music.search_artists("low")] == ["The Löw"]
    assert len(music.search_songs('""')) == 3
    by_id = music.find(Track(item=ItemRef("track", RECORDING)))
    assert by_id is music.find(Track(title="pyramid song", artist="RADIOHEAD"))
    assert by_id is not None
    assert by_id.title == "Pyramid Song"
    assert music.find(Track(title="Creep", artist="Radiohead")) is None


def test_an_album_by_several_artists_of_one_folder_is_one_album(tmp_path):
    for number, artist in enumerate(["Low", "Björk", "Muse"]):
        write_song(tmp_path / f"music/{number}.mp3", title=f"Song {number}", artist=artist, album="Sampler")
    folder = MusicFolder(tmp_path / "music", tmp_path / "kept")
    music = folder.scan()
    (album,) = music.albums.values()
    assert (album.artist, len(album.songs)) == ("Various artists", 3)
    assert all(album in music.artists[song.artist_id].albums for song in album.songs)


def test_a_scan_reads_only_what_has_changed(folder, place, monkeypatch):
    from crossfade.live import music_folder

    before = folder.music()
    read = []
    genuine = music_folder.read_tags
    monkeypatch.setattr(music_folder, "read_tags", lambda file, name: read.append(name) or genuine(file, name))
    assert folder.scan() is before
    assert read == []
    write_song(place / "music/new.mp3", title="New", artist="Low")
    assert len(folder.scan().songs) == 4
    assert read == ["new.mp3"]
    (place / "music/new.mp3").unlink()
    assert set(folder.scan().songs) == set(before.songs)


def test_another_process_gets_the_index_without_reading_the_folder(folder, place):
    other = MusicFolder(place / "music", place / "kept")
    assert set(other.music().songs) == set(folder.music().songs)


def test_while_one_thread_takes_in_another_index_the_others_have_the_one_before(folder, place, monkeypatch):
    before, begun, go_on = folder.music(), threading.Event(), threading.Event()

    write_song(place / "music/new.mp3", title="New", artist="Low")
    MusicFolder(place / "music", place / "kept").scan()
    genuine = folder._read
    monkeypatch.setattr(folder, "_read", lambda: begun.set() or (go_on.wait(30) and genuine()))
    monkeypatch.setattr("crossfade.live.music_folder.NOTICE_SECONDS", 0)
    with ThreadPoolExecutor(1) as pool:
        after = pool.submit(folder.music)
        assert begun.wait(30)
        assert folder.music() is before
        go_on.set()
        assert len(after.result().songs) == 4


def test_nobody_has_an_empty_folder_while_the_first_index_is_taken_in(folder, place, monkeypatch):
    late, begun, go_on = MusicFolder(place / "music", place / "kept"), threading.Event(), threading.Event()
    genuine = late._read
    monkeypatch.setattr(late, "_read", lambda: begun.set() or (go_on.wait(30) and genuine()))
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(late.music)
        assert begun.wait(30)
        second = pool.submit(late.music)
        wait([second], timeout=0.1)
        go_on.set()
        assert first.result().songs
        assert second.result() is first.result()


def test_a_damaged_index_is_made_again(folder, place):
    (place / "kept/index.msgpack").write_bytes(b"\x81nonsense")
    other = MusicFolder(place / "music", place / "kept")
    assert other.music().songs == {}
    assert len(other.scan().songs) == 3


def test_a_damaged_file_costs_itself_alone(folder, place):
    (place / "music/bad.mp3").write_bytes(b"no sound")
    assert len(folder.scan().songs) == 3


def test_links_out_of_the_folder_are_no_music(folder, place):
    write_song(place / "secret/secret.mp3", title="Secret", artist="Low")
    (place / "music/link.mp3").symlink_to(place / "secret/secret.mp3")
    (place / "music/linked").symlink_to(place / "secret")
    assert len(folder.scan().songs) == 3


def test_a_file_that_was_replaced_by_a_link_is_not_opened(folder, place):
    song = folder.music().search_songs("rain")[0]
    path = folder.path_of(song)
    (place / "outside.wav").write_bytes(path.read_bytes())
    path.unlink()
    path.symlink_to(place / "outside.wav")
    with pytest.raises(InputError, match="not in the music folder"):
        folder.path_of(song)


def test_a_cover_is_inside_the_file_or_beside_it(folder, place):
    music = folder.music()
    radiohead, low = music.search_albums("amnesiac")[0], music.search_albums("low")[0]
    assert folder.cover_of(radiohead) == (PNG, "image/png")
    assert folder.cover_of(low) is None
    (place / "music/The Low/Folder.PNG").write_bytes(PNG)
    assert folder.cover_of(low) == (PNG, "image/png")
    (place / "music/The Low/Folder.PNG").write_bytes(b"<script>")
    assert folder.cover_of(low) is None


def test_a_place_that_is_no_folder_is_refused(tmp_path):
    with pytest.raises(SettingsError, match=r"Set \[serve\] music"):
        MusicFolder(tmp_path / "absent", tmp_path / "kept")
