"""The tables in SQLite: what the contract does not say."""

import contextlib
import dataclasses
import shutil
import sqlite3

import numpy as np
import pytest

from crossfade.core.artifacts import read_manifest
from crossfade.core.catalogue import Catalogue
from crossfade.core.errors import ArtifactError, StorageError, UnknownIdError
from crossfade.core.ids import MISSING, Ids
from crossfade.stores.contract import Version
from crossfade.stores.sqlite import SQLiteTableStore
from crossfade.stores.sqlite_schema import FILE, LAYOUT, PAGE_BYTES
from crossfade.stores.sqlite_writing import translated_errors

FIRST, SECOND = Version("000001-0123456789ab"), Version("000002-0123456789ab")


@pytest.fixture
def store(tmp_path):
    return SQLiteTableStore(tmp_path / "tables")


@pytest.fixture
def path(store, release_parts, tmp_path):
    """The file of `FIRST`."""
    store.write(FIRST, release_parts.catalogue, release_parts.tables)
    return tmp_path / "tables" / FIRST / FILE


def test_the_file_is_what_other_programs_take_it_for(path):
    header = path.read_bytes()[:100]  # laid out in section 1.3 of SQLite's file format
    assert header[:16] == b"SQLite format 3\0"
    assert int.from_bytes(header[16:18], "big") == PAGE_BYTES
    assert header[18:20] == b"\x01\x01"  # no write-ahead log, to read or to write
    assert int.from_bytes(header[60:64], "big") == LAYOUT
    assert header[68:72] == b"CFRD"
    with sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        keys = [key for (key,) in database.execute('SELECT key FROM "list:related-artist" ORDER BY rowid')]
        pieces = [gram for (gram,) in database.execute("SELECT gram FROM artist_grams ORDER BY rowid")]
    database.close()
    assert keys == sorted(keys)
    assert pieces == sorted(pieces)
    assert {entry.name for entry in path.parent.iterdir()} == {FILE, "manifest.json"}


def test_the_order_of_the_tables_does_not_matter(store, path, release_parts, tmp_path):
    again = SQLiteTableStore(tmp_path / "again")
    again.write(FIRST, release_parts.catalogue, release_parts.tables[::-1])
    assert (tmp_path / "again" / FIRST / FILE).read_bytes() == path.read_bytes()


@pytest.mark.parametrize("column", ["listeners", "plays"])
def test_of_one_name_the_item_with_more_listeners_then_plays_is_meant(store, release_parts, column):
    tracks = release_parts.catalogue["track"]
    more = dataclasses.replace(tracks, listeners=np.ones(4, np.int64), plays=np.ones(4, np.int64))
    getattr(more, column)[2] = 2
    store.write(FIRST, Catalogue([release_parts.catalogue["artist"], more]), [release_parts.tables[0]])
    tables = store.open(FIRST)
    assert tables.item("track", "creep").id == "t:creep"
    tables.close()


def test_a_library_of_roots_alone(store, release_parts):
    catalogue = Catalogue([release_parts.catalogue["artist"]])
    store.write(FIRST, catalogue, [table for table in release_parts.tables if table.kind == "artist"])
    tables = store.open(FIRST)
    assert tables.kinds == ("artist",)
    assert [artist.name for artist in tables.search("head", limit=5).items["artist"]] == ["Radiohead", "Motörhead"]
    assert tables.search("head", limit=5).items.keys() == {"artist"}
    with pytest.raises(UnknownIdError, match="There is no track 'creep'"):
        tables.item("track", "creep")
    tables.close()


def test_a_library_of_children_alone_has_children_as_reasons(store, release_parts):
    tracks = dataclasses.replace(release_parts.catalogue["track"], parents=np.full(4, MISSING, dtype=np.int32))
    discover = dataclasses.replace(
        release_parts.tables[3], kind="track", reason_kind="track", items=np.array([1, 2, 3, 3], dtype=np.int32)
    )
    store.write(FIRST, Catalogue([tracks]), [discover, release_parts.tables[1]])
    tables = store.open(FIRST)
    reason = tables.entries("discover-track", "hetrec:7")[0].reason
    assert (reason.kind, reason.id, reason.name, reason.plays) == ("track", "t:creep", "Creep", 5)
    assert tables.entries("radio-track", "t:army")[0].parent is None
    assert tables.item("track", "creep").parent is None
    tables.close()


@pytest.mark.parametrize("content", [b"", b"SQLite format 3\0", b"x" * 5000])
def test_a_damaged_file_is_not_opened(store, path, content):
    path.write_bytes(content)
    for ask in (store.open, store.verify):
        with pytest.raises(ArtifactError):
            ask(FIRST)


def test_releases_of_equal_content_share_one_file(store, path, release_parts):
    rows = store.write(SECOND, release_parts.catalogue, release_parts.tables[::-1])
    second = path.parent.with_name(SECOND) / FILE
    assert second.samefile(path)
    assert rows == read_manifest(path.parent).rows
    store.drop(FIRST)
    store.verify(SECOND)
    with contextlib.closing(store.open(SECOND)) as tables:
        assert tables.item("artist", "bjork").id == "mb:bjork"


@pytest.mark.parametrize(
    "changed",
    [
        {"names": ["Creep", "Army of Me", "Creep", "Hunters"]},
        {"plays": np.array([70, 60, 2, 31])},
        {"parents": np.array([3, 1, MISSING, MISSING], dtype=np.int32)},
        {"fields": {"album": ["", "", "", ""], "isrc": ["", "", "", ""], "duration_ms": np.zeros(4, dtype=np.int32)}},
    ],
)
def test_another_catalogue_has_a_file_of_its_own(store, path, release_parts, changed):
    items = {**release_parts.catalogue, "track": dataclasses.replace(release_parts.catalogue["track"], **changed)}
    store.write(SECOND, Catalogue([*items.values()]), release_parts.tables)
    assert (path.parent.with_name(SECOND) / FILE).read_bytes() != path.read_bytes()
    store.verify(SECOND)


@pytest.mark.parametrize(
    "changed",
    [
        {"keys": Ids.of(["t/1 creep", "t:hunter"])},
        {"indptr": np.array([0, 1, 3])},
        {"items": np.array([1, 2, 3], dtype=np.int32)},
        {"columns": {"score": np.array([0.5, 0.25, 1.0], dtype=np.float32)}},
        {"columns": {}},
        {"surface": "tuner"},
        {"key": "user"},
        {"kind": "artist"},
    ],
)
def test_another_table_has_a_file_of_its_own(store, path, release_parts, changed):
    tables = list(release_parts.tables)
    tables[1] = dataclasses.replace(tables[1], **changed)
    store.write(SECOND, release_parts.catalogue, tables)
    assert (path.parent.with_name(SECOND) / FILE).read_bytes() != path.read_bytes()
    store.verify(SECOND)


def test_a_damaged_file_is_not_shared(store, path, release_parts):
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    store.write(SECOND, release_parts.catalogue, release_parts.tables)
    store.verify(SECOND)
    with pytest.raises(ArtifactError, match="does not match its checksum"):
        store.verify(FIRST)


def test_a_file_of_another_release_is_not_opened(store, path, release_parts):
    store.write(SECOND, release_parts.catalogue, release_parts.tables[1:])
    shutil.copyfile(path, path.parent.with_name(SECOND) / FILE)
    with pytest.raises(ArtifactError, match="does not belong to release 000002"):
        store.open(SECOND)


def test_a_directory_of_another_release_is_not_whole(store, path):
    path.parent.rename(path.parent.with_name(SECOND))
    with pytest.raises(ArtifactError, match="not a release that this version"):
        store.verify(SECOND)


def test_a_file_of_a_later_layout_is_not_opened(store, path):
    content = bytearray(path.read_bytes())
    content[60:64] = (LAYOUT + 1).to_bytes(4, "big")
    path.write_bytes(content)
    with pytest.raises(ArtifactError, match="not a release that this version"):
        store.open(FIRST)


def test_closed_tables_answer_nothing(store, path):
    tables = store.open(FIRST)
    tables.close()
    with pytest.raises(sqlite3.ProgrammingError):
        tables.item("artist", "bjork")


def test_storage_errors_are_told_from_damage(tmp_path):
    def raise_with(code):
        error = sqlite3.OperationalError("x")
        error.sqlite_errorcode = code
        raise error

    for code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR | (3 << 8), sqlite3.SQLITE_READONLY):
        with pytest.raises(StorageError), translated_errors(tmp_path):
            raise_with(code)
    with pytest.raises(ArtifactError), translated_errors(tmp_path):
        raise_with(sqlite3.SQLITE_CORRUPT)
