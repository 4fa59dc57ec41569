"""Navidrome's and Jellyfin's own databases."""

import sqlite3

import pytest

from crossfade.core.home import Home
from crossfade.importing.imports import import_paths
from crossfade.importing.library import imports

ENTER, METALLICA = "62c2e20a-559e-422f-a44c-9afa7882f0c4", "8bfac288-ccc5-448d-9573-c33ea2aa5c30"
FLY, MONKEY, LOW = "name:low / fly", "name:low / monkey", "name:low"


@pytest.fixture
def changed(examples, tmp_path):
    """``changed(format, file, script)``: the example's files after an SQL script."""

    def changing(name, file, script):
        connection = sqlite3.connect(":memory:")
        connection.deserialize(examples[name][file])
        connection.executescript(script)
        content = connection.serialize()
        connection.close()
        return {**examples[name], file: content}

    return changing


def plays(found):
    """(user, item, time) of each listen and (user, item, number) of each count."""
    return (
        [(row["user_id"], row["item_id"], row["listened_at"]) for row in found.listened],
        [(row["user_id"], row["item_id"], row["plays"]) for row in found.counted],
    )


def test_navidrome_plays_with_a_time_are_listens_and_the_others_counts(read, examples):
    found = read("navidrome", examples["navidrome"])
    # Two of five plays have a scrobble; of three without any, the last one's time is known.
    assert plays(found) == (
        [("anna", ENTER, 1700000000.0), ("anna", ENTER, 1700003600.0), ("anna", FLY, 1641681128.0)],
        [("anna", ENTER, 3), ("anna", FLY, 2)],
    )
    assert found.dropped == []
    assert found.listened[0]["parent"] == "Metallica"
    assert found.tracks[FLY] == {
        "name": "Fly",
        "parent_id": LOW,
        "album": "The Invisible Way",
        "duration_ms": 353_000,
    }
    assert found.artists == {METALLICA: "Metallica", LOW: "Low"}


def test_navidrome_stars_and_ratings_are_thumbs(read, examples):
    assert read("navidrome", examples["navidrome"]).thumbs == [
        ("anna", ENTER, 1, 1700006400.0),
        ("anna", FLY, -1, 1641686400.5),
        ("anna", LOW, 1, None),
    ]


def test_navidrome_playlists_keep_their_order_and_smart_ones_are_left_out(read, examples):
    found = read("navidrome", examples["navidrome"])
    assert found.playlists == {"navidrome:p1": {"title": "Evening", "owner": "anna"}}
    assert found.items == [("navidrome:p1", 0, MONKEY, LOW), ("navidrome:p1", 1, ENTER, METALLICA)]


def test_navidrome_rows_without_a_user_a_track_or_an_artist_are_dropped(read, changed):
    files = changed(
        "navidrome",
        "navidrome.db",
        """DELETE FROM annotation; DELETE FROM playlist;
        INSERT INTO scrobbles VALUES (3, 'm1', 'nobody', 1), (4, 'gone', 'u1', 1), (5, 'm4', 'u1', 1);
        INSERT INTO media_file VALUES ('m4', 'Track 1', 'none', '[Unknown Artist]', '', 1, '')""",
    )
    assert read("navidrome", files).dropped == [
        (3, "incomplete", "its user is no longer in the library"),
        (4, "incomplete", "its track is no longer in the library"),
        (5, "incomplete", "the artist is missing"),
    ]


def test_an_older_navidrome_has_fewer_columns_and_tables(read, changed):
    files = changed(
        "navidrome",
        "navidrome.db",
        """DROP TABLE scrobbles; ALTER TABLE media_file RENAME COLUMN mbz_recording_id TO mbz_track_id;
        ALTER TABLE annotation DROP COLUMN rated_at; DELETE FROM annotation WHERE item_id != 'm1'""",
    )
    assert plays(read("navidrome", files)) == ([("anna", ENTER, 1700003600.0)], [("anna", ENTER, 4)])


def test_a_view_is_not_read(read, changed):
    files = changed(
        "navidrome",
        "navidrome.db",
        """DROP TABLE scrobbles; DELETE FROM annotation; CREATE VIEW scrobbles AS
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)
        SELECT 'm1' AS media_file_id, 'u1' AS user_id, i AS submission_time FROM n""",
    )
    assert read("navidrome", files).listened == []


def test_jellyfin_plays_of_the_plugin_are_listens_and_the_others_counts(read, examples):
    found = read("jellyfin", examples["jellyfin"])
    assert plays(found) == (
        [("anna", ENTER, 1700000000.123456), ("anna", FLY, 1641681128.0)],
        [("anna", ENTER, 3), ("anna", FLY, 1)],
    )
    assert found.dropped == []
    assert (found.listened[0]["ms_played"], found.listened[0]["platform"]) == (331_000, "Finamp")
    assert found.thumbs == [("anna", ENTER, 1, None), ("anna", FLY, -1, None), ("anna", LOW, 1, None)]


def test_jellyfin_playlists_keep_their_order(read, examples, changed):
    expected = [(f"jellyfin:{'1':0<31}d", 0, FLY, LOW), (f"jellyfin:{'1':0<31}d", 1, ENTER, METALLICA)]
    assert read("jellyfin", examples["jellyfin"]).items == expected
    # Before version 10.12 the tracks stand in the playlist's own data, by id or by path.
    older = changed(
        "jellyfin",
        "jellyfin.db",
        """DROP TABLE LinkedChildren; UPDATE BaseItems SET Path = '/music/fly.flac' WHERE Name = 'Fly';
        UPDATE BaseItems SET Data = '{"LinkedChildren": [{"Path": "/music/fly.flac"},
        {"ItemId": "1000000000000000000000000000000a"}, 7, {"Path": "/films/x.mkv"}]}' WHERE Name = 'Evening'""",
    )
    found = read("jellyfin", older)
    assert found.items == expected
    assert [reason for _, reason in found.reasons] == ["incomplete"]


def test_films_of_jellyfin_are_not_music(read, changed):
    files = changed(
        "jellyfin",
        "jellyfin.db",
        """INSERT INTO BaseItems (Id, Type, Name) VALUES ('f', 'MediaBrowser.Controller.Entities.Movies.Movie', 'X');
        INSERT INTO UserData VALUES ('AAAAAAAA-0000-0000-0000-000000000001', 'f', 'k', 1, NULL, 1, NULL, NULL)""",
    )
    assert [reason for _, reason in read("jellyfin", files).reasons] == ["unsupported"]


def test_jellyfin_before_10_11_has_its_items_in_library_db(read, examples, changed):
    users = changed("jellyfin", "jellyfin.db", "DROP TABLE BaseItems; DROP TABLE UserData; DROP TABLE LinkedChildren")
    library = sqlite3.connect(":memory:")
    library.executescript(
        """CREATE TABLE TypedBaseItems (guid GUID primary key NOT NULL, type TEXT NOT NULL, data BLOB NULL, Name TEXT,
            Artists TEXT, Album TEXT, RunTimeTicks BIGINT, Path TEXT, UserDataKey TEXT);
        CREATE TABLE UserDatas (key nvarchar not null, userId INT not null, rating float null, played bit not null,
            playCount int not null, isFavorite bit not null, lastPlayedDate datetime null);
        INSERT INTO TypedBaseItems VALUES (X'0000001000000000000000000000000A',
            'MediaBrowser.Controller.Entities.Audio.Audio', NULL, 'Enter Sandman', 'Metallica', 'Metallica', 3315000000,
            '/music/sandman.flac', 'Metallica-Enter Sandman');
        INSERT INTO UserDatas VALUES ('Metallica-Enter Sandman', 1, NULL, 1, 4, 1, '2023-11-14 22:13:20')"""
    )
    files = {**users, "library.db": library.serialize()}
    library.close()
    found = read("jellyfin", files)
    song = "name:metallica / enter sandman"
    assert plays(found) == ([("anna", song, 1700000000.123456)], [("anna", song, 3)])
    assert found.thumbs == [("anna", song, 1, None)]


@pytest.mark.parametrize("name", ["navidrome.db", "old.db"])
def test_a_database_in_use_is_read_with_its_latest_writes_and_not_changed(examples, tmp_path, name):
    folder = tmp_path / "server"
    folder.mkdir()
    path = folder / name
    path.write_bytes(examples["navidrome"]["navidrome.db"])
    server = sqlite3.connect(path, isolation_level=None)
    server.execute("PRAGMA journal_mode = WAL")
    server.execute("INSERT INTO scrobbles VALUES (3, 'm2', 'u1', 1700007200)")
    before = {file.name: file.read_bytes() for file in folder.iterdir() if not file.name.endswith("-shm")}
    assert len(before[f"{name}-wal"]) > 0
    home = Home(tmp_path / "home")
    (ledger,) = import_paths(home, [path], format="navidrome", now=1_800_000_000.0)
    assert ledger.tables["listens"] == 3
    assert {file.name: file.read_bytes() for file in folder.iterdir() if not file.name.endswith("-shm")} == before
    server.execute("INSERT INTO scrobbles VALUES (4, 'm3', 'u1', 1700010800)")
    (ledger,) = import_paths(home, [path], format="navidrome", now=1_800_000_000.0)
    assert ledger.tables["listens"] == 1, "only the new play"
    assert len(imports(home)) == 2
    server.close()


@pytest.mark.parametrize("name", ["navidrome", "jellyfin"])
def test_a_database_is_recognised_by_its_name_where_its_tables_are_far_from_its_beginning(recognised, name):
    beginning = b"SQLite format 3\0" + bytes(4096)
    assert recognised(name, f"{name}.db", beginning) == 0.9
    assert recognised(name, "other.db", beginning) == 0
    assert recognised(name, f"{name}.db-wal", b"\x37\x7f\x06\x82" + bytes(28)) == 0.9
    assert recognised(name, f"{name}.db-shm", bytes(4096)) == 0
    assert 0 < recognised(name, "other.db-wal", b"\x37\x7f\x06\x83" + bytes(28)) < 0.5
