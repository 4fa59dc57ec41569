"""Whose history an import has: one of one's own, or a data set; two people are never merged unnoticed."""

import json
from pathlib import Path

import pytest

from crossfade.core.errors import InputError
from crossfade.core.home import Home
from crossfade.importing.imports import import_paths
from crossfade.importing.library import imports
from crossfade.importing.people import Listener, listeners, own_listeners

NOW = 1_750_000_000.0


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


def spotify(path: Path, artist: str, days: range, *, hour: int = 10, kind: str = "track") -> Path:
    names = ("artistName", "trackName") if kind == "track" else ("podcastName", "episodeName")
    path.write_text(
        json.dumps(
            [
                {"endTime": f"2024-03-{day:02d} {hour}:00", "msPlayed": 200_000}
                | dict(zip(names, (artist, f"Song {day}"), strict=True))
                for day in days
            ]
        )
    )
    return path


def lastfm(path: Path, artist: str) -> Path:
    rows = "".join(f'{1_709_500_000 + 600 * number},"",{artist},,,,Song,\n' for number in range(5))
    path.write_text("uts,utc_time,artist,artist_mbid,album,album_mbid,track,track_mbid\n" + rows)
    return path


def add(home: Home, path: Path, user: str | None = None) -> str | None:
    (ledger,) = import_paths(home, [path], user=user, now=NOW)
    return ledger.listener


def test_an_import_names_the_listener_that_it_found(home, tmp_path):
    export = spotify(tmp_path / "a.json", "Low", range(1, 6))
    (ledger,) = import_paths(home, [export], now=NOW)
    assert (ledger.listener, ledger.listeners) == ("me", 1)
    assert "the history of me, since the files name nobody; --user NAME names the listener" in ledger.lines()
    listens = tmp_path / "b.jsonl"
    metadata = {"artist_name": "Low", "track_name": "Monkey"}
    rows = [{"listened_at": 1_700_000_000 + n, "user_name": "rob", "track_metadata": metadata} for n in range(3)]
    listens.write_text("".join(json.dumps(row) + "\n" for row in rows))
    (ledger,) = import_paths(home, [listens], user="ann", now=NOW)
    assert (ledger.listener, ledger.listeners) == ("rob", 1)
    assert "the history of rob" in ledger.lines()
    (ledger,) = import_paths(home, [listens], user="ben", now=NOW)  # the file names its listener, so nobody else does
    assert (ledger.listener, ledger.already_imported) == ("rob", "b")
    table = tmp_path / "set.csv"
    table.write_text("user,artist,plays\nx,Can,3\ny,Can,4\ny,Low,1\n")
    (ledger,) = import_paths(home, [table], now=NOW)
    assert (ledger.listener, ledger.listeners) == (None, 2)
    assert "the histories of 2 listeners" in ledger.lines()
    assert own_listeners(home) == ["me", "rob"]


def test_two_people_without_a_user_are_not_merged(home, tmp_path):
    assert add(home, spotify(tmp_path / "a.json", "Low", range(1, 6))) == "me"
    other = spotify(tmp_path / "b.json", "Can", range(2, 9))
    with pytest.raises(InputError, match=r"b\.json: names nobody.* 4 listens.*0 of them in common.*--user NAME"):
        add(home, other)
    assert [one.name for one in imports(home)] == ["a"]
    assert add(home, other, "bob") == "bob"
    assert own_listeners(home) == ["bob", "me"]


def test_who_says_that_it_is_one_person_is_believed(home, tmp_path):
    add(home, spotify(tmp_path / "a.json", "Low", range(1, 6)))
    assert add(home, spotify(tmp_path / "b.json", "Can", range(2, 9)), "me") == "me"


@pytest.mark.parametrize(
    "more",
    [
        lambda place: spotify(place / "b.json", "Low", range(1, 9)),  # a later export, which repeats the first one
        lambda place: spotify(place / "b.json", "Can", range(9, 15)),  # the next file of the same export
        lambda place: spotify(place / "b.json", "A Show", range(1, 6), kind="episode"),  # the podcasts, in another file
        lambda place: lastfm(place / "b.csv", "Can"),  # another service
    ],
)
def test_one_person_may_bring_many_files(home, tmp_path, more):
    add(home, spotify(tmp_path / "a.json", "Low", range(1, 6)))
    assert add(home, more(tmp_path)) == "me"
    assert own_listeners(home) == ["me"]


def test_somebody_elses_history_is_not_taken_as_ones_own(home, tmp_path):
    export = spotify(tmp_path / "a.json", "Low", range(1, 6))
    assert add(home, export, "ann") == "ann"
    with pytest.raises(InputError, match=r"as the history of 'ann'.*crossfade forget --import a$"):
        add(home, export, "bob")
    with pytest.raises(InputError, match=r"looks like the history of 'ann'.*--user ann"):
        add(home, spotify(tmp_path / "b.json", "Low", range(1, 9)))
    assert own_listeners(home) == ["ann"]
    assert add(home, export) == "ann"  # no user is named: still hers, and nothing is added
    assert [one.ledger.accepted for one in imports(home)] == [5]


def test_a_file_that_is_part_of_another_import_keeps_its_listener(home, tmp_path):
    folder = tmp_path / "export"
    folder.mkdir()
    part = spotify(folder / "1.json", "Low", range(1, 6))
    spotify(folder / "2.json", "Low", range(6, 9))
    assert add(home, folder, "ann") == "ann"
    with pytest.raises(InputError, match="as the history of 'ann'"):
        add(home, part, "bob")


def test_a_data_set_is_the_same_for_any_user(home, tmp_path):
    table = tmp_path / "set.csv"
    table.write_text("user,artist,plays\nx,Can,3\ny,Can,4\n")
    add(home, table)
    (again,) = import_paths(home, [table], user="ann", now=NOW)
    assert again.already_imported == "set"


def test_listeners_are_counted_over_all_imports(home, tmp_path):
    add(home, spotify(tmp_path / "a.json", "Low", range(1, 6)), "ann")
    add(home, spotify(tmp_path / "b.json", "Low", range(20, 22)), "ann")
    table = tmp_path / "set.csv"
    table.write_text("user,artist,plays\nx,Can,3\nann,Can,4\n")
    add(home, table)
    first, last = "2024-03-01T09:56:40Z", "2024-03-21T09:56:40Z"
    ann = Listener("ann", 11, first, last, ["a", "b", "set"], own=True)
    assert listeners(home, own_listeners(home)) == [ann]
    assert listeners(home, None) == [ann, Listener("x", 3, None, None, ["set"], own=False)]
