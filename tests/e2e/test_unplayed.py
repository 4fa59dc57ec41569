"""An artist whom nobody has played, but whom people have tagged, is in the catalogue and is compared by their words."""

from pathlib import Path

import pytest

from crossfade.core.errors import UnknownIdError
from crossfade.core.home import Home
from crossfade.importing.imports import import_paths
from crossfade.pipeline.run import run
from crossfade.pipeline.runner import Watch
from crossfade.stores.registry import open_releases
from crossfade.surfaces.asking import OpenRelease

GENRES = {1: "shoegaze", 2: "bebop"}
ARTISTS = {genre: [10 * genre + number for number in range(6)] for genre in GENRES}
UNPLAYED = 99  # tagged as shoegaze


def write_hetrec(folder: Path) -> None:
    """Forty users who play the artists of one genre; everybody tags artists with their genre and two words besides."""
    folder.mkdir()
    users = [(user, 1 + user % 2) for user in range(1, 41)]
    plays = [
        (user, artist, 5 + artist % 3) for user, genre in users for artist in ARTISTS[genre] if (user + artist) % 5
    ]
    artists = [*ARTISTS[1], *ARTISTS[2], UNPLAYED]
    tags = {1: "shoegaze", 2: "bebop", 3: "loud", 4: "quiet"}
    tagged = [(user, artist, genre) for user, genre in users for artist in ARTISTS[genre]]
    tagged += [(user, artist, 3 + artist % 2) for user, genre in users[:10] for artist in ARTISTS[genre]]
    tagged += [(user, UNPLAYED, 1) for user, _ in users[:12]]
    tables = {
        "artists.dat": ["id\tname\turl\tpictureURL", *(f"{one}\tArtist {one}\tu\tp" for one in artists)],
        "tags.dat": ["tagID\ttagValue", *(f"{number}\t{word}" for number, word in tags.items())],
        "user_artists.dat": ["userID\tartistID\tweight", *("\t".join(map(str, row)) for row in plays)],
        "user_taggedartists.dat": [
            "userID\tartistID\ttagID\tday\tmonth\tyear",
            *(f"{user}\t{artist}\t{tag}\t1\t4\t2009" for user, artist, tag in tagged),
        ],
    }
    for name, lines in tables.items():
        (folder / name).write_text("\n".join(lines) + "\n")


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    place = tmp_path_factory.mktemp("unplayed")
    write_hetrec(place / "hetrec")
    home = Home(place / "home")
    import_paths(home, [place / "hetrec"])
    settings = "[run]\nmodels = ['als', 'cultural']\n[models.cultural]\nmost_items = 1.0\nleast_items = 1\n"
    home.settings_file.write_text(settings)
    run(home, Watch())
    with open_releases(home).open() as opened:
        yield OpenRelease(opened)


def test_it_is_found_by_name_with_no_listener(release):
    item = release.release.tables.item("artist", f"artist {UNPLAYED}")
    assert (item.id, item.listeners, item.plays) == (f"hetrec:{UNPLAYED}", 0, 0)


def test_its_words_say_who_is_like_it_and_whom_it_is_like(release):
    related = release.entries("related", f"hetrec:{UNPLAYED}", model="cultural")
    assert {entry.id for entry in related[:6]} == {f"hetrec:{artist}" for artist in ARTISTS[1]}
    others = release.entries("related", "hetrec:10", model="cultural")
    assert f"hetrec:{UNPLAYED}" in {entry.id for entry in others[:6]}


def test_a_model_of_listening_knows_nothing_of_it(release):
    with pytest.raises(UnknownIdError):
        release.entries("related", f"hetrec:{UNPLAYED}")
