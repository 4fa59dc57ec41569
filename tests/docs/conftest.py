"""A small library like HetRec's, which the examples of the documentation run on."""

import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from crossfade.cli import crossfade

GENRES = {
    "metal": [
        "Metallica",
        "Guns N' Roses",
        "Iron Maiden",
        "System of a Down",
        "AC/DC",
        "Slayer",
        "Pantera",
        "Mastodon",
    ],
    "jazz": ["Miles Davis", "John Coltrane", "Bill Evans", "Nina Simone", "Chet Baker", "Sun Ra", "Herbie Hancock"],
    "trip-hop": ["Radiohead", "Portishead", "Björk", "Massive Attack", "Tricky", "Morcheeba", "Air", "Moby", "Lamb"],
    "new wave": ["Duran Duran", "Pet Shop Boys", "Simple Minds", "Eurythmics", "Erasure", "Talk Talk", "Camouflage"],
}
LISTENERS = 48
SETTINGS = '[run]\nmodels = ["als", "cultural", "popularity"]\n\n[models.als]\nfactors = 16\niterations = 5\n'


@pytest.fixture(scope="session")
def counts() -> list[tuple[int, str, int]]:
    """(listener, artist, plays): each listener has most artists of one genre, and a few others."""
    rng = np.random.default_rng(2011)
    names = list(GENRES.values())
    rows = []
    for listener in range(LISTENERS):
        own = names[listener % len(names)]
        for artists, share in [(own, 0.8), *((other, 0.08) for other in names if other is not own)]:
            rows += [(listener, name, int(rng.geometric(0.02))) for name in artists if rng.random() < share]
    return rows


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory, counts: list[tuple[int, str, int]]) -> Path:
    """The files that the pages name: a data set, exports of one listener, and a train and a test file."""
    place = tmp_path_factory.mktemp("files")
    data = place / "hetrec-lastfm"
    data.mkdir()
    ids = {name: number for number, name in enumerate((name for names in GENRES.values() for name in names), 1)}
    tags = dict(zip(GENRES, range(1, len(GENRES) + 1), strict=True))
    tables = {
        "artists.dat": ["id\tname\turl\tpictureURL", *(f"{number}\t{name}\t\t" for name, number in ids.items())],
        "user_artists.dat": [
            "userID\tartistID\tweight",
            *(f"{user + 2}\t{ids[name]}\t{n}" for user, name, n in counts),
        ],
        "tags.dat": ["tagID\ttagValue", *(f"{number}\t{tag}" for tag, number in tags.items())],
        "user_taggedartists.dat": [
            "userID\tartistID\ttagID\tday\tmonth\tyear",
            *(
                f"{user + 2}\t{ids[n]}\t{tags[tag]}\t1\t4\t2009"
                for user in range(3)
                for tag in GENRES
                for n in GENRES[tag]
            ),
        ],
        "user_friends.dat": ["userID\tfriendID", "2\t3", "3\t2"],
    }
    for name, lines in tables.items():
        (data / name).write_text("\r\n".join(lines) + "\r\n", encoding="utf-8")
    (place / "lastfm.csv").write_text(
        "uts,utc_time,artist,artist_mbid,album,album_mbid,track,track_mbid\n"
        + "".join(
            f'{1_143_374_412 + 600 * number},"26 Mar 2006, 12:00",{name},,,,Song {number % 3},\n'
            for number, name in enumerate(GENRES["trip-hop"][:4] * 5)
        )
    )
    streams = [
        {"endTime": f"2024-03-{day:02d} 08:05", "artistName": name, "trackName": "Song", "msPlayed": 226_863}
        for day, name in enumerate(GENRES["jazz"], 1)
    ]
    with zipfile.ZipFile(place / "my_spotify_data.zip", "w") as archive:
        archive.writestr("MyData/StreamingHistory_music_0.json", json.dumps(streams))
    for name, kept in (("train.txt", lambda row: row % 5), ("test.txt", lambda row: not row % 5)):
        lines = (f"{user} {ids[item]} {n}" for row, (user, item, n) in enumerate(counts) if kept(row))
        (place / name).write_text("\n".join(lines) + "\n")
    return place


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory, files: Path) -> Path:
    """A home that has imported the data set, and published a release."""
    home = tmp_path_factory.mktemp("documented") / "home"
    home.mkdir()
    (home / "crossfade.toml").write_text(SETTINGS)
    for arguments in (["import", str(files / "hetrec-lastfm")], ["run"]):
        called = CliRunner().invoke(crossfade, [*arguments, "--home", str(home)])
        assert called.exit_code == 0, called.output
    return home


@pytest.fixture
def columns(counts: list[tuple[int, str, int]]) -> dict[str, list[str] | list[int]]:
    """What every page may use in Python: users, items and plays, three columns of equal length."""
    people = ["ann", "ben", "bob", *(f"listener {number}" for number in range(3, LISTENERS))]
    users, items, plays = zip(*counts, strict=True)
    return {"users": [people[user] for user in users], "items": list(items), "plays": list(plays)}


@pytest.fixture
def workplace(tmp_path: Path, files: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Path | None], Path]:
    """Go to a directory of one's own that has the files, and where given, a copy of a home; return the home."""

    def go(library: Path | None) -> Path:
        shutil.copytree(files, tmp_path / "here")
        home = tmp_path / "home"
        if library is not None:
            shutil.copytree(library, home, symlinks=True)
        monkeypatch.chdir(tmp_path / "here")
        monkeypatch.setenv("CROSSFADE_HOME", str(home))
        monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2] / "src"))  # of processes that a command starts
        return home

    return go
