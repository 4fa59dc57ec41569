"""The store of releases in SQLite: what the contract does not say."""

import dataclasses
import fcntl
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from crossfade.core.artifacts import verify
from crossfade.core.errors import ArtifactError, BusyError, NotReadyError, StorageError
from crossfade.core.home import Home
from crossfade.core.ids import MISSING, Ids
from crossfade.core.spaces import VectorSpace
from crossfade.stores.releases import CURRENT
from crossfade.stores.sqlite import SQLiteStore
from crossfade.stores.sqlite_schema import FILE, LAYOUT, PAGE_BYTES


@pytest.fixture
def releases(tmp_path):
    home = Home(tmp_path / "home")
    home.prepare()
    return home.releases


@pytest.fixture
def store(releases):
    return SQLiteStore(releases)


def test_a_release_is_an_artifact_with_all_it_needs(store, releases, release_parts):
    version = release_parts.publish(store)
    manifest = verify(releases / version)
    space = [f"spaces/als-artist/{path.name}" for path in release_parts.spaces[0][1].iterdir()]
    assert manifest.files.keys() == {FILE, *space}
    assert manifest.identity.kind == "release"
    assert manifest.identity.inputs == release_parts.inputs
    assert (releases / CURRENT).read_text() == f"{version}\n"


def test_a_release_outlives_what_it_was_made_from(store, release_parts):
    release_parts.publish(store)
    shutil.rmtree(release_parts.spaces[0][1])
    with store.open() as reader:
        assert reader.space("als-artist").item_vectors.shape == (5, 3)


def test_vectors_are_linked_where_that_is_possible(store, releases, release_parts):
    version = release_parts.publish(store)
    source = release_parts.spaces[0][1] / "item_vectors.npy"
    assert source.samefile(releases / version / "spaces" / "als-artist" / "item_vectors.npy")


def test_vectors_are_copied_where_links_are_not_possible(store, releases, release_parts, monkeypatch):
    def refuse(*_):
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    version = release_parts.publish(store)
    source = release_parts.spaces[0][1] / "item_vectors.npy"
    copy = releases / version / "spaces" / "als-artist" / "item_vectors.npy"
    assert not source.samefile(copy)
    assert source.read_bytes() == copy.read_bytes()


def test_damaged_vectors_are_not_published(store, release_parts):
    from crossfade.core.artifacts import Identity, writing

    place = release_parts.spaces[0][1].parent / "artifact"
    with writing(place, Identity(kind="space", version=1)) as draft:
        VectorSpace.load(release_parts.spaces[0][1]).save(draft.path)
    parts = dataclasses.replace(release_parts, spaces=[("als-artist", place)])
    parts.publish(store, day="1")
    content = bytearray((place / "item_vectors.npy").read_bytes())
    content[-1] ^= 1
    (place / "item_vectors.npy").unlink()
    (place / "item_vectors.npy").write_bytes(content)
    with pytest.raises(ArtifactError, match="checksum"):
        parts.publish(store, day="2")
    assert len(store.versions()) == 1


def test_equal_parts_give_equal_bytes_in_another_process(release_parts, tmp_path):
    script = (
        "import runpy, sys\n"
        "from pathlib import Path\n"
        "from crossfade.stores.sqlite import SQLiteStore\n"
        "parts = runpy.run_path(sys.argv[1])['small_release'](Path(sys.argv[2]))\n"
        "parts.publish(SQLiteStore(Path(sys.argv[2]) / 'releases'))\n"
    )
    conftest = Path(__file__).parents[1] / "conftest.py"
    contents = []
    for name, seed in (("one", "1"), ("other", "2")):
        (tmp_path / name).mkdir()
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        subprocess.run([sys.executable, "-c", script, conftest, tmp_path / name], check=True, env=environment)
        place = tmp_path / name / "releases" / SQLiteStore(tmp_path / name / "releases").current()
        contents.append({path.name: path.read_bytes() for path in place.rglob("*") if path.is_file()})
    assert contents[0] == contents[1]


def test_the_file_is_what_other_programs_take_it_for(store, releases, release_parts):
    version = release_parts.publish(store)
    path = releases / version / FILE
    header = path.read_bytes()[:100]  # laid out in section 1.3 of SQLite's file format
    assert header[:16] == b"SQLite format 3\0"
    assert int.from_bytes(header[16:18], "big") == PAGE_BYTES
    assert header[18:20] == b"\x01\x01"  # no write-ahead log, to read or to write
    assert int.from_bytes(header[60:64], "big") == LAYOUT
    assert header[68:72] == b"CFRD"
    with sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        keys = [key for (key,) in database.execute('SELECT key FROM "surface:related" ORDER BY rowid')]
        pieces = [gram for (gram,) in database.execute("SELECT gram FROM artist_grams ORDER BY rowid")]
    database.close()
    assert keys == sorted(keys)
    assert pieces == sorted(pieces)
    assert {entry.name for entry in (releases / version).iterdir()} == {FILE, "manifest.json", "spaces"}


def replaced(table, **columns):
    return dataclasses.replace(table, **columns)


@pytest.mark.parametrize(
    ("name", "change", "says"),
    [
        (
            "related",
            {"items": np.array([2, 3, 1, 4, 5], dtype=np.int32)},
            "items point to rows 1 to 5, and there are 5",
        ),
        ("related", {"items": np.array([2, 3, 1, 4, MISSING], dtype=np.int32)}, "items point to rows -1"),
        ("related", {"keys": Ids.of(["mb:acdc", "nobody"])}, "key that is not among the catalogue's artists"),
        ("related", {"name": "Related Artists"}, "cannot be the name of a surface"),
        ("related", {"name": 'x"; DROP TABLE artists; --'}, "cannot be the name of a surface"),
        ("related", {"name": "radio"}, "each of another name"),
    ],
)
def test_parts_that_do_not_fit_are_not_published(store, release_parts, name, change, says):
    tables = [replaced(table, **change) if table.name == name else table for table in release_parts.tables]
    with pytest.raises(ArtifactError, match=says):
        dataclasses.replace(release_parts, tables=tables).publish(store)
    assert store.versions() == []


def test_reasons_that_do_not_fit_are_not_published(store, release_parts):
    discover = release_parts.tables[2]
    wrong = replaced(discover, columns={**discover.columns, "reason": np.array([5, 0, 0, 0], dtype=np.int32)})
    with pytest.raises(ArtifactError, match="reasons point to rows 0 to 5, and there are 5"):
        dataclasses.replace(release_parts, tables=[wrong]).publish(store)


def test_tracks_without_a_catalogue_of_tracks_are_not_published(store, release_parts):
    catalogue = dataclasses.replace(release_parts.catalogue, tracks=None)
    with pytest.raises(ArtifactError, match="radio lists tracks, and the catalogue has none"):
        dataclasses.replace(release_parts, catalogue=catalogue, tables=[release_parts.tables[1]]).publish(store)


def test_nothing_cannot_be_published(store, release_parts):
    with pytest.raises(ArtifactError, match="one table or more"):
        dataclasses.replace(release_parts, tables=[]).publish(store)


def test_a_library_of_artists_alone(store, release_parts):
    tables = [table for table in release_parts.tables if table.name in ("related", "discover")]
    catalogue = dataclasses.replace(release_parts.catalogue, tracks=None)
    dataclasses.replace(release_parts, tables=tables, catalogue=catalogue).publish(store)
    with store.open() as reader:
        assert reader.search("head", limit=5).tracks == ()
        assert [artist.name for artist in reader.search("head", limit=5).artists] == ["Radiohead", "Motörhead"]
        with pytest.raises(Exception, match="There is no track 'creep'"):
            reader.track("creep")


def test_a_library_of_tracks_alone_has_tracks_as_reasons(store, release_parts):
    catalogue = release_parts.catalogue
    nobody = dataclasses.replace(
        catalogue.artists, ids=Ids.of([]), names=[], listeners=np.zeros(0, np.int64), plays=np.zeros(0, np.int64)
    )
    tracks = dataclasses.replace(catalogue.tracks, artist_rows=np.full(4, MISSING, dtype=np.int32))
    discover = replaced(release_parts.tables[2], kind="track", items=np.array([1, 2, 3, 3], dtype=np.int32))
    dataclasses.replace(
        release_parts,
        tables=[discover, release_parts.tables[1]],
        catalogue=dataclasses.replace(catalogue, artists=nobody, tracks=tracks),
    ).publish(store)
    with store.open() as reader:
        reason = reader.entries("discover", "hetrec:7")[0].reason
        assert (reason.kind, reason.id, reason.name, reason.plays) == ("track", "t:creep", "Creep", 5)
        assert reader.entries("radio", "t:army")[0].artist_id is None


def damage_pointer(releases, content):
    (releases / CURRENT).write_bytes(content)


@pytest.mark.parametrize(
    "content", [b"", b"\xff", b"../../etc\n", b"000001-000000000000\n", b"000001-zzzzzzzzzzzz\n", b"1\n", b"\n\n"]
)
def test_a_damaged_pointer_is_named_and_mended_by_rolling_back(store, releases, release_parts, content):
    version = release_parts.publish(store)
    damage_pointer(releases, content)
    for ask in (store.current, store.open, store.verify):
        with pytest.raises(ArtifactError, match="CURRENT"):
            ask()
    # Nobody knows which release people see, so none may go.
    assert store.prune(0) == []
    assert store.roll_back() == version
    assert store.current() == version


def test_a_damaged_release_is_skipped_when_rolling_back(store, releases, release_parts):
    first, second, third = (release_parts.publish(store, day=day) for day in "123")
    (releases / second / FILE).write_bytes(b"")
    with pytest.raises(ArtifactError):
        store.activate(second)
    assert store.current() == third
    assert store.roll_back() == first


def test_a_damaged_release_is_published_anew(store, releases, release_parts):
    first = release_parts.publish(store)
    (releases / first / FILE).write_bytes(b"")
    second = release_parts.publish(store)
    assert second == first.replace("000001", "000002")
    assert store.verify().fingerprint[:12] == second[7:]


@pytest.mark.parametrize("content", [b"", b"SQLite format 3\0", b"x" * 5000])
def test_a_damaged_file_is_not_opened(store, releases, release_parts, content):
    version = release_parts.publish(store)
    (releases / version / FILE).write_bytes(content)
    with pytest.raises(ArtifactError):
        store.open()


def test_a_file_of_another_release_is_not_opened(store, releases, release_parts):
    first, second = (release_parts.publish(store, day=day) for day in "12")
    shutil.copyfile(releases / first / FILE, releases / second / FILE)
    with pytest.raises(ArtifactError, match="does not belong to its manifest"):
        store.open()


def test_a_file_of_a_later_layout_is_not_opened(store, releases, release_parts):
    version = release_parts.publish(store)
    content = bytearray((releases / version / FILE).read_bytes())
    content[60:64] = (LAYOUT + 1).to_bytes(4, "big")
    (releases / version / FILE).write_bytes(content)
    with pytest.raises(ArtifactError, match="not a release that this version"):
        store.open()


def test_a_half_removed_release_is_no_obstacle(store, releases, release_parts):
    first, second = (release_parts.publish(store, day=day) for day in "12")
    (releases / first / "manifest.json").unlink()
    with pytest.raises(NotReadyError):
        store.roll_back()
    assert store.prune(1) == [first]
    assert store.versions() == [second]


def test_what_is_no_release_is_left_alone(store, releases, release_parts):
    (releases / "notes").mkdir()
    (releases / "000009-zzz").write_text("")
    version = release_parts.publish(store)
    assert store.versions() == [version]
    store.prune(0)
    assert (releases / "notes").exists()


def test_a_closed_reader_answers_nothing(store, release_parts):
    release_parts.publish(store)
    reader = store.open()
    reader.close()
    reader.close()
    with pytest.raises(sqlite3.ProgrammingError):
        reader.artist("bjork")


def test_a_full_disk_loses_nothing(release_parts, releases, store):
    version = release_parts.publish(store)
    script = (
        "import resource, runpy, sys\n"
        "from pathlib import Path\n"
        "from crossfade.core.errors import StorageError\n"
        "from crossfade.stores.sqlite import SQLiteStore\n"
        "parts = runpy.run_path(sys.argv[1])['small_release'](Path(sys.argv[2]) / 'parts')\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]),) * 2)\n"
        "try:\n"
        "    parts.publish(SQLiteStore(Path(sys.argv[2]) / 'home' / 'releases'), day='2')\n"
        "except StorageError as error:\n"
        "    print(error)\n"
    )
    conftest = Path(__file__).parents[1] / "conftest.py"
    tmp_path = releases.parent.parent
    for limit in (0, 1, 4096, 20_000):
        shutil.rmtree(tmp_path / "parts", ignore_errors=True)
        run = subprocess.run(
            [sys.executable, "-c", script, conftest, tmp_path, str(limit)], capture_output=True, text=True, check=True
        )
        assert "what was there before is untouched" in run.stdout, limit
        assert [path.name for path in releases.iterdir() if path.name != CURRENT] == [version]
        store.verify()


def test_two_writers_are_kept_apart(tmp_path, release_parts):
    home = Home(tmp_path / "home")
    with home.locked("run"):
        release_parts.publish(SQLiteStore(home.releases))
        with pytest.raises(BusyError), home.locked("run"):
            pass


def test_readers_see_one_whole_release_while_others_are_published(store, release_parts):
    """Each release holds its own number as the plays of its artists: a mixture would show."""
    stop, wrong = threading.Event(), []
    artists = release_parts.catalogue.artists

    def numbered(number):
        catalogue = dataclasses.replace(
            release_parts.catalogue, artists=dataclasses.replace(artists, plays=np.full(5, number))
        )
        dataclasses.replace(release_parts, catalogue=catalogue).publish(store, day=str(number))

    def read():
        while not stop.is_set():
            try:
                with store.open() as reader:
                    plays = {reader.artist(name).plays for name in ("bjork", "radiohead", "sigur ros")}
                    if plays != {int(reader.manifest.identity.inputs["day"])}:
                        wrong.append(plays)
            except ArtifactError as error:
                wrong.append(error)

    numbered(0)
    threads = [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    for number in range(1, 12):
        numbered(number)
        store.prune(1)
    stop.set()
    for thread in threads:
        thread.join()
    assert not wrong


def test_a_release_that_is_pruned_while_it_is_opened_is_not_served(store, release_parts, monkeypatch):
    """Between the opening of its manifest and the lock on it, a release can go."""
    first, _ = (release_parts.publish(store, day=day) for day in "12")
    flock = fcntl.flock

    def late(descriptor, how):
        if how == fcntl.LOCK_SH:
            monkeypatch.setattr(fcntl, "flock", flock)
            assert store.prune(1) == [first]
        flock(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", late)
    with pytest.raises(ArtifactError, match="was removed while it was being opened"):
        store.open(first)


def test_the_release_that_took_its_place_is_opened_instead(store, release_parts, monkeypatch):
    first = release_parts.publish(store, day="1")
    current = store.current

    def outdated():
        monkeypatch.setattr(store, "current", current)
        release_parts.publish(store, day="2")
        store.prune(1)
        return first

    monkeypatch.setattr(store, "current", outdated)
    with store.open() as reader:
        assert reader.version == store.current() != first


def test_storage_errors_are_told_from_damage(tmp_path):
    from crossfade.stores.sqlite_writing import translated_errors

    def raise_with(code):
        error = sqlite3.OperationalError("x")
        error.sqlite_errorcode = code
        raise error

    for code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR | (3 << 8), sqlite3.SQLITE_READONLY):
        with pytest.raises(StorageError), translated_errors(tmp_path):
            raise_with(code)
    with pytest.raises(ArtifactError), translated_errors(tmp_path):
        raise_with(sqlite3.SQLITE_CORRUPT)
