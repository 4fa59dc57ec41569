import io
import runpy
from pathlib import Path

import pytest

from crossfade.core.errors import InputError

pytest.importorskip("mutagen", reason="needs the extra `serve`")

from crossfade.core.home import Home
from crossfade.formats.audio_tags import read_cover, read_tags
from crossfade.importing.imports import import_paths

made = runpy.run_path(str(Path(__file__).parents[1] / "music_files.py"))
write_song = made["write_song"]
RECORDING = "62c2e20a-559e-422f-a44c-9afa7882f0c4"


def tags_of(path):
    with path.open("rb") as file:
        return read_tags(file, path.name)


@pytest.mark.parametrize("suffix", [".mp3", ".flac", ".wav"])
def test_every_container_says_the_same(tmp_path, suffix):
    path = write_song(
        tmp_path / f"song{suffix}",
        title="Pyramid Song",
        artist="Radiohead",
        album="Amnesiac",
        tracknumber="2/11",
        date="2001-05-16",
        genre="Rock; Art rock",
        musicbrainz_trackid=RECORDING,
    )
    tags = tags_of(path)
    assert (tags.title, tags.artist, tags.album) == ("Pyramid Song", "Radiohead", "Amnesiac")
    assert (tags.track, tags.year, tags.genres) == (2, 2001, ("Rock", "Art rock"))
    assert tags.recording == RECORDING
    assert tags.duration_ms == pytest.approx(4000, abs=30)


@pytest.mark.parametrize("suffix", [".mp3", ".flac", ".wav"])
def test_the_picture_inside_is_found(tmp_path, suffix):
    path = write_song(tmp_path / f"song{suffix}", title="Bloom", cover=True)
    assert tags_of(path).cover
    with path.open("rb") as file:
        assert read_cover(file, path.name) == (made["PNG"], "image/png")


def test_numbers_and_texts_that_make_no_sense_are_unknown(tmp_path):
    path = write_song(
        tmp_path / "song.flac",
        title="  a\x00b\n ",
        artist=["Low", "Dirty Three"],
        tracknumber="99999999999999999999",
        date="ten",
        musicbrainz_trackid="../../etc/passwd",
        genre="",
    )
    tags = tags_of(path)
    assert (tags.title, tags.artist) == ("a b", "Low, Dirty Three")
    assert (tags.track, tags.year, tags.recording, tags.genres) == (0, 0, "", ())


@pytest.mark.parametrize(
    "content", [b"", b"ID3\x04\x00\x00\x7f\x7f\x7f\x7f", b"fLaC\xff" * 9, b"RIFF\xff\xff\xff\xffWAVEfmt "]
)
def test_a_damaged_file_is_refused_by_name(content):
    with pytest.raises(InputError, match=r"song\.mp3: (cannot be read as music|is no music file)"):
        read_tags(io.BytesIO(content), "song.mp3")


def test_a_folder_becomes_a_catalogue_with_tags(tmp_path):
    write_song(tmp_path / "in" / "1.mp3", title="Sunflower", artist="Low", genre="Slowcore")
    write_song(tmp_path / "in" / "2.flac", title="Rain", artist="Low", genre="Slowcore", musicbrainz_trackid=RECORDING)
    write_song(tmp_path / "in" / "3.mp3", title="nobody's")
    (ledger,) = import_paths(Home(tmp_path / "home"), [tmp_path / "in"])
    assert ledger.formats == ["music-files"]
    assert ledger.dropped == {"incomplete": 1}
    assert {name: ledger.tables[name] for name in ("artists", "tracks", "tags")} == {
        "artists": 1,
        "tracks": 2,
        "tags": 3,
    }
