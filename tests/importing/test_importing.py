"""Whole imports: files go in, artifacts and ledgers come out."""

import errno
import gzip
import hashlib
import io
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import tarfile
import threading
import time
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from crossfade.core.artifacts import verify
from crossfade.core.errors import ArtifactError, InputError, SettingsError, StorageError
from crossfade.core.home import Home
from crossfade.core.schemas import TABLES
from crossfade.formats.contract import REASONS, Member, Sink, Source
from crossfade.importing.cleaning import CleaningSettings, Drops, Judge
from crossfade.importing.forgetting import begin, changes, clean_imports
from crossfade.importing.imports import import_paths, import_rows
from crossfade.importing.ledger import ADVICE, Ledger
from crossfade.importing.library import imports, tables_of
from crossfade.importing.staging import Stage

NOW = 1_700_000_000.0  # 14 November 2023


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


def spotify_row(ts: str, track: str, *, ms: int = 200_000, **more: object) -> dict[str, object]:
    return {
        "ts": ts,
        "username": "someone",
        "ms_played": ms,
        "ip_addr_decrypted": "192.0.2.77",
        "master_metadata_track_name": track,
        "master_metadata_album_artist_name": "Low",
        "spotify_track_uri": f"spotify:track:{track}",
        "incognito_mode": False,
        **more,
    }


def test_a_spotify_history_becomes_listens_with_names(home: Home, tmp_path: Path) -> None:
    path = tmp_path / "Streaming_History_Audio_2020_0.json"
    rows = [
        spotify_row("2020-01-02T10:00:00Z", "Sunflower"),
        spotify_row("2020-01-02T10:05:00Z", "Monkey", ms=5_000),
        spotify_row("2020-01-02T10:09:00Z", "Hidden", incognito_mode=True),
    ]
    path.write_text(json.dumps(rows))
    (ledger,) = import_paths(home, [path], now=NOW)
    assert (ledger.read, ledger.plays, ledger.skips, ledger.dropped) == (3, 1, 1, {"private": 1})
    (only,) = imports(home)
    verify(only.path)
    (part,) = tables_of(home)["listens"]
    listens = pq.read_table(part).to_pylist()
    # The play stopped at 10:00:00 after 200 seconds.
    assert [(row["item_id"], row["listened_at"].isoformat(), row["skipped"]) for row in listens] == [
        ("spotify:track:Sunflower", "2020-01-02T09:56:40+00:00", False),
        ("spotify:track:Monkey", "2020-01-02T10:04:55+00:00", True),
    ]
    assert {row["user_id"] for row in listens} == {"me"}
    (tracks,) = tables_of(home)["tracks"]
    assert sorted(row["name"] for row in pq.read_table(tracks).to_pylist()) == ["Monkey", "Sunflower"]


def test_podcasts_become_listens_of_episodes_with_their_shows(home: Home, tmp_path: Path) -> None:
    def episode(ts: str, name: str, **more: object) -> dict[str, object]:
        columns = ("master_metadata_track_name", "master_metadata_album_artist_name", "spotify_track_uri")
        podcast = {
            "episode_name": name,
            "episode_show_name": "A Show",
            "spotify_episode_uri": f"spotify:episode:{name}",
        }
        return {**spotify_row(ts, name), **dict.fromkeys(columns), **podcast, **more}

    path = write(
        tmp_path / "Streaming_History_Audio_2020_0.json",
        spotify_row("2020-01-02T10:00:00Z", "Sunflower"),
        episode("2020-01-02T11:00:00Z", "One"),
        episode("2020-01-02T12:00:00Z", "Two", ms_played=5_000),
        episode("2020-01-02T13:00:00Z", "Two"),
        episode("2020-01-02T14:00:00Z", "Hidden", incognito_mode=True, episode_show_name=CANARY),
        spotify_row("2020-01-02T15:00:00Z", "A chapter", audiobook_title="A book"),
    )
    (ledger,) = import_paths(home, [path], now=NOW)
    assert (ledger.plays, ledger.skips, ledger.dropped) == (3, 1, {"private": 1, "unsupported": 1})
    tables = {table: pq.read_table(paths).to_pylist() for table, paths in tables_of(home).items() if paths}
    assert [(row["kind"], row["item_id"], row["parent_id"], row["skipped"]) for row in tables["listens"]] == [
        ("track", "spotify:track:Sunflower", "name:low", False),
        ("episode", "spotify:episode:One", "name:a show", False),
        ("episode", "spotify:episode:Two", "name:a show", True),
        ("episode", "spotify:episode:Two", "name:a show", False),
    ]
    assert tables["shows"] == [{"item_id": "name:a show", "name": "A Show"}]
    assert tables["episodes"] == [
        {"item_id": f"spotify:episode:{name}", "name": name, "parent_id": "name:a show", "duration_ms": None}
        for name in ("One", "Two")
    ]
    assert [row["name"] for row in tables["artists"]] == ["Low"]
    assert CANARY not in str(tables)


def test_an_import_of_playlists_alone(home: Home, tmp_path: Path) -> None:
    folder = tmp_path / "playlists"
    folder.mkdir()
    (folder / "evening.m3u").write_text("#EXTM3U\nLow - Fly.mp3\nnothing\nLow - Monkey.mp3\n")
    (folder / "empty.m3u").write_text("#EXTM3U\n")
    (ledger,) = import_paths(home, [folder], now=NOW)
    assert [(file.name, file.read, file.playlist_items, file.dropped) for file in ledger.files] == [
        ("empty.m3u", 0, 0, {}),
        ("evening.m3u", 3, 2, {"incomplete": 1}),
    ]
    assert (ledger.accepted, ledger.counts) == (2, 0)
    assert ledger.tables == {"artists": 1, "playlist_items": 2, "playlists": 1, "tracks": 2}
    assert "3 rows read: 0 plays, 0 skips, 0 counts, 2 playlist items accepted, 1 dropped" in ledger.lines()
    (items,) = tables_of(home)["playlist_items"]
    assert [(row["position"], row["item_id"]) for row in pq.read_table(items).to_pylist()] == [
        (0, "name:low / fly"),
        (2, "name:low / monkey"),
    ]
    (again,) = import_paths(home, [folder], now=NOW)
    assert (again.read, again.playlist_items, again.dropped) == (3, 0, {"incomplete": 1, "duplicate": 2})


def test_an_import_of_another_version_has_to_be_made_again(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [write(tmp_path / "a.json", *minutes(0, 20)), write(tmp_path / "b.json", *minutes(10, 30))]
    with monkeypatch.context() as context:
        for module in ("imports", "library"):
            context.setattr(f"crossfade.importing.{module}.VERSION", 1)
        import_paths(home, paths, now=NOW)
    with pytest.raises(ArtifactError, match=r"import 'a' \(a.json\) is from another version .* crossfade forget a"):
        tables_of(home)
    assert [one.ledger.plays for one in imports(home)] == [20, 10]
    (second,) = import_paths(home, paths[1:], now=NOW)
    # It is not compared with the first, which cannot be read.
    assert (second.name, second.plays, second.dropped) == ("b", 20, {})
    with pytest.raises(ArtifactError, match="import 'a'"):
        tables_of(home)
    (first,) = import_paths(home, paths[:1], now=NOW)
    assert (first.name, first.plays, first.dropped) == ("a", 10, {"duplicate": 10})
    assert len(heard(home)) == 30


CANARY = "Zq7-canary-Xw9"


def write(path: Path, *rows: dict[str, object]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(rows))
    return path


def heard(home: Home) -> list[tuple[str, str]]:
    """(item, time) of every listen in the home, sorted."""
    rows = [row for part in tables_of(home)["listens"] for row in pq.read_table(part).to_pylist()]
    return sorted((row["item_id"], row["listened_at"].isoformat()) for row in rows)


def minutes(first: int, last: int, **said: object) -> list[dict[str, object]]:
    return [spotify_row(f"2020-01-02T10:{minute:02d}:30Z", f"t{minute}", **said) for minute in range(first, last)]


def test_a_private_row_leaves_no_trace(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    staged: list[str] = []
    append = Stage.append
    monkeypatch.setattr(Stage, "append", lambda self, rows: (staged.append(str(rows.to_pylist())), append(self, rows)))
    secret = spotify_row(
        "2020-01-02T11:00:00Z", CANARY, incognito_mode=True, master_metadata_album_artist_name=CANARY, platform=CANARY
    )
    path = write(tmp_path / "endsong_0.json", *minutes(0, 5), secret, {**secret, "ts": None}, {**secret, "ts": "1956"})
    (ledger,) = import_paths(home, [path], now=NOW)
    assert ledger.dropped == {"private": 3}
    assert ledger.samples == {}
    assert staged
    assert CANARY not in "".join(staged)
    for file in home.path.rglob("*"):
        if file.is_file():
            assert CANARY.encode() not in file.read_bytes()
            if file.suffix == ".parquet":
                assert CANARY not in str(pq.read_table(file).to_pylist())


def test_the_same_file_twice_is_known_before_it_is_read(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "endsong_0.json", *minutes(0, 9), {"ts": 3})
    (first,) = import_paths(home, [path], now=NOW)
    before = {file: file.read_bytes() for file in home.listens.rglob("*") if file.is_file()}
    monkeypatch.setattr("crossfade.importing.imports.feed", None)
    # Under another name it is the same file's content, but another file: only the name of a file may change.
    (again,) = import_paths(home, [path], now=NOW)
    assert again.already_imported == first.name
    assert (again.read, again.accepted, again.dropped) == (10, 0, {"malformed": 1, "duplicate": 9})
    assert {file: file.read_bytes() for file in home.listens.rglob("*") if file.is_file()} == before
    assert any("already" in line for line in again.lines())


def test_files_that_overlap_count_once(home: Home, tmp_path: Path) -> None:
    spans = {"a": (10, 20), "b": (15, 30), "c": (0, 40)}
    paths = [write(tmp_path / f"{name}.json", *minutes(*span)) for name, span in spans.items()]
    first, second, third = import_paths(home, paths, now=NOW)
    assert (first.accepted, first.dropped) == (10, {})
    assert (second.accepted, second.dropped) == (10, {"duplicate": 5})
    # What is new stands before and after what is not.
    assert (third.accepted, third.dropped) == (20, {"duplicate": 20})
    assert len(heard(home)) == len(set(heard(home))) == 40
    assert second.samples["duplicate"][0].line == 1


def test_of_earlier_imports_only_the_same_times_are_read(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [write(tmp_path / f"{name}.json", *minutes(*span)) for name, span in (("a", (0, 20)), ("b", (20, 30)))]
    import_paths(home, paths[:1], now=NOW)
    with monkeypatch.context() as patched:
        patched.setattr(pq.ParquetFile, "read_row_group", None)
        (later,) = import_paths(home, paths[1:], now=NOW)
    assert (later.accepted, later.dropped) == (10, {})
    (both,) = import_paths(home, [write(tmp_path / "c.json", *minutes(19, 31))], now=NOW)
    assert (both.accepted, both.dropped) == (1, {"duplicate": 11})


def test_duplicates_are_found_whatever_the_groups(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from crossfade.importing import staging

    row = {"track_metadata": {"artist_name": "Low", "track_name": "Monkey"}}
    listens = [{**row, "listened_at": 1_577_959_200 + n, "user_name": f"user {n % 40}"} for n in range(2_000)]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, listens)))
    (tmp_path / "b.jsonl").write_text("\n".join(map(json.dumps, [*listens[::-1], {**listens[0], "user_name": "x"}])))
    monkeypatch.setattr(staging, "GROUP_BYTES", 10_000)
    import_paths(home, [tmp_path / "a.jsonl"], now=NOW)
    monkeypatch.setattr(staging, "RUN_BYTES", 10_000)
    monkeypatch.setattr(staging, "GROUP_BYTES", 37_000)
    (ledger,) = import_paths(home, [tmp_path / "b.jsonl"], now=NOW)
    assert (ledger.accepted, ledger.dropped) == (1, {"duplicate": 2_000})
    assert len(tables_of(home)["listens"]) > 10


def test_a_loop_is_not_taken_up_where_an_earlier_import_ends(home: Home, tmp_path: Path) -> None:
    night = [
        spotify_row(f"2020-01-02T{hour:02d}:{minute:02d}:00Z", "Rain")
        for hour in range(8)
        for minute in range(0, 60, 10)
    ]
    write(tmp_path / "a.json", *night)
    write(tmp_path / "b.json", *night, spotify_row("2021-01-01T00:00:00Z", "Other"))
    first, second = import_paths(home, [tmp_path / "a.json", tmp_path / "b.json"], now=NOW)
    # At 0, 10, …, 120 minutes.
    assert (first.accepted, first.dropped) == (13, {"loop": 35})
    assert (second.accepted, second.dropped) == (1, {"duplicate": 13, "loop": 35})


def test_counts_imported_again_add_only_what_is_new(home: Home, tmp_path: Path) -> None:
    user, other = "b80344d063b5ccb3212f76538f3d9e43d87dca9e", "4c5bbfababc9e93891d297fc9673a2131d92715b"
    songs = [f"SO{letter * 16}" for letter in "ABC"]
    (tmp_path / "old.txt").write_text(f"{user}\t{songs[0]}\t5\n{user}\t{songs[1]}\t7\n")
    (tmp_path / "new.txt").write_text(
        f"{user}\t{songs[0]}\t5\n{user}\t{songs[1]}\t9\n{user}\t{songs[2]}\t1\n{other}\t{songs[0]}\t2\n"
    )
    first, second = import_paths(home, [tmp_path / "old.txt", tmp_path / "new.txt"], now=NOW)
    assert (first.counts, second.counts, second.dropped) == (2, 3, {"duplicate": 1})
    rows = [row for path in tables_of(home)["counts"] for row in pq.read_table(path).to_pylist()]
    totals: dict[tuple[str, str], int] = {}
    for row in rows:
        key = (row["user_id"].removeprefix("taste-profile:"), row["item_id"][-1])
        totals[key] = totals.get(key, 0) + row["plays"]
    assert totals == {(user, "A"): 5, (user, "B"): 9, (user, "C"): 1, (other, "A"): 2}


def test_counts_of_an_artist_that_is_ignored_by_name_are_left_out(home: Home, tmp_path: Path) -> None:
    folder, user = tmp_path / "taste", "b80344d063b5ccb3212f76538f3d9e43d87dca9e"
    folder.mkdir()
    songs = [f"SO{letter * 16}" for letter in "AB"]
    (folder / "triplets.txt").write_text("".join(f"{user}\t{song}\t5\n" for song in songs))
    names = [
        f"TR{'A' * 16}<SEP>{song}<SEP>{artist}<SEP>A title\n"
        for song, artist in zip(songs, ("Rain", "Low"), strict=False)
    ]
    (folder / "unique_tracks.txt").write_text("".join(names))
    (ledger,) = import_paths(home, [folder], now=NOW, settings=CleaningSettings(ignored=("rain",)))
    assert (ledger.counts, ledger.dropped, ledger.tables) == (
        1,
        {"ignored": 1},
        {"artists": 1, "counts": 1, "tracks": 1},
    )


def test_names_of_files_that_are_no_text_are_escaped(home: Home, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    for name in (b"\xff.m3u", b"\xfe.m3u"):
        (tmp_path / "folder" / os.fsdecode(name)).write_bytes(b"#EXTM3U\n#EXTINF:9,Low - " + name + b"\nx.mp3\n")
    info = tarfile.TarInfo(os.fsdecode(b"\xff.m3u"))
    with tarfile.open(tmp_path / os.fsdecode(b"\xff.tar"), "w") as archive:
        archive.addfile(info)
        info.size = 16
        archive.addfile(info, io.BytesIO(b"#EXTM3U\na - b.mp3"))
    folder, tar = import_paths(home, [tmp_path / "folder", tmp_path / os.fsdecode(b"\xff.tar")], now=NOW)
    assert [(file.name, file.read, file.damage) for file in folder.files] == [
        ("\\udcfe.m3u", 1, None),
        ("\\udcff.m3u", 1, None),
    ]
    assert (tar.source, [file.name for file in tar.files]) == ("\\udcff.tar", ["\\udcff.tar:\\udcff.m3u"])
    assert tar.skipped == [("\\udcff.tar:\\udcff.m3u", "an empty file")]
    assert [one.ledger.source for one in imports(home)] == ["folder", "\\udcff.tar"]
    assert "file/\\udcff.tar" in imports(home)[1].manifest.identity.inputs


def test_files_are_read_once_though_one_among_them_is_damaged(home: Home, tmp_path: Path) -> None:
    for number, name in enumerate("abcd"):
        write(tmp_path / "all" / f"endsong_{name}.json", *minutes(number * 10, number * 10 + 3))
    broken = tmp_path / "all" / "endsong_c.json"
    broken.write_bytes(broken.read_bytes()[:-10])
    (ledger,) = import_paths(home, [tmp_path / "all"], now=NOW)
    assert [(file.read, file.plays, file.damage is None) for file in ledger.files] == [
        (3, 3, True),
        (3, 3, True),
        (2, 2, False),
        (3, 3, True),
    ]


def test_a_named_format_reads_what_it_takes_for_possible_or_else_all(home: Home, tmp_path: Path) -> None:
    (tmp_path / "two").mkdir()
    (tmp_path / "two" / "a.csv").write_text("user,artist,plays\nanna,Low,3\n")
    (tmp_path / "two" / "b.txt").write_text("nothing of the kind\n")
    (ledger,) = import_paths(home, [tmp_path / "two"], format="columns", now=NOW)
    assert (ledger.counts, ledger.skipped) == (1, [("b.txt", "of no known format")])
    (tmp_path / "two" / "a.csv").unlink()
    with pytest.raises(InputError, match=r"b\.txt, line 1: no column names the artist"):
        import_paths(home, [tmp_path / "two"], format="columns", now=NOW)


def test_a_user_that_is_no_text_is_refused(home: Home, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="not text"):
        import_paths(home, [write(tmp_path / "endsong_0.json", *minutes(0, 1))], user=os.fsdecode(b"\xff"))


def test_other_settings_replace_an_import(home: Home, tmp_path: Path) -> None:
    path = write(tmp_path / "endsong_0.json", *minutes(0, 4, ms=20_000))
    (first,) = import_paths(home, [path], now=NOW)
    (second,) = import_paths(home, [path], now=NOW, settings=CleaningSettings(play_seconds=10))
    assert (first.skips, second.plays, second.name) == (4, 4, first.name)
    assert len(heard(home)) == 4
    with pytest.raises(InputError, match=r"history of 'me'.*crossfade forget --import endsong-0"):
        import_paths(home, [path], now=NOW, user="anna", settings=CleaningSettings(play_seconds=10))
    assert [one.ledger.plays for one in imports(home)] == [4]


def test_rows_come_back_when_the_import_that_had_them_is_gone(home: Home, tmp_path: Path) -> None:
    a, b = write(tmp_path / "a.json", *minutes(0, 20)), write(tmp_path / "b.json", *minutes(10, 30))
    import_paths(home, [a, b], now=NOW)
    with home.locked("forget"):
        begin(home, ["a"], [], changes(home, ["a"], []), serve=False)
        clean_imports(home)
    assert [one.name for one in imports(home)] == ["b"]
    assert len(heard(home)) == 10
    (again,) = import_paths(home, [b], now=NOW)
    assert (again.already_imported, again.accepted) == (None, 20)


def test_equal_files_give_equal_bytes(tmp_path: Path) -> None:
    path = write(tmp_path / "endsong_0.json", *minutes(0, 59), *minutes(0, 30))
    made = []
    for name in ("one", "two"):
        home = Home(tmp_path / name)
        import_paths(home, [path], now=NOW)
        made.append({file.name: file.read_bytes() for file in home.listens.rglob("*") if file.is_file()})
    assert made[0] == made[1]


def test_a_folder_of_several_formats_is_one_import_and_a_readme_is_skipped(home: Home, tmp_path: Path) -> None:
    folder = tmp_path / "downloads"
    write(folder / "endsong_0.json", *minutes(0, 3))
    (folder / "user.jsonl.gz").write_bytes(
        gzip.compress(
            b'{"listened_at": 1577959200, "track_metadata": {"artist_name": "Can", "track_name": "Vitamin C"}}'
        )
    )
    (folder / "README.txt").write_text("hello")
    (ledger,) = import_paths(home, [folder], now=NOW, user="anna")
    assert ledger.formats == ["listenbrainz", "spotify-extended"]
    assert ledger.skipped == [("README.txt", "of no known format")]
    assert (ledger.name, ledger.accepted) == ("downloads", 4)
    assert {row["user_id"] for row in pq.read_table(tables_of(home)["listens"][0]).to_pylist()} == {"anna"}


def test_a_spotify_zip_as_it_is_downloaded(home: Home, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "my_spotify_data.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(
            "Spotify Extended Streaming History/Streaming_History_Audio_2020_0.json", json.dumps(minutes(0, 9))
        )
        archive.writestr("Spotify Extended Streaming History/ReadMeFirst.pdf", b"%PDF-1.4")
    (ledger,) = import_paths(home, [tmp_path / "my_spotify_data.zip"], now=NOW)
    assert (ledger.accepted, ledger.name) == (9, "my-spotify-data")
    assert [name for name, _ in ledger.skipped] == [
        "my_spotify_data.zip:Spotify Extended Streaming History/ReadMeFirst.pdf"
    ]


def test_a_listenbrainz_dump_in_a_tar_zst(home: Home, tmp_path: Path) -> None:
    row = {"user_name": "u", "track_metadata": {"artist_name": "Low", "track_name": "Monkey"}}
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for month in (2, 1):
            content = "\n".join(json.dumps({**row, "timestamp": 1_577_959_200 + 9 * n + month}) for n in range(50))
            info = tarfile.TarInfo(f"dump/listens/2020/{month}.listens")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content.encode()))
    (tmp_path / "dump.tar.zst").write_bytes(pa.compress(packed.getvalue(), "zstd", asbytes=True))
    (ledger,) = import_paths(home, [tmp_path / "dump.tar.zst"], now=NOW)
    assert [(file.name, file.plays) for file in ledger.files] == [
        ("dump.tar.zst:dump/listens/2020/2.listens", 50),
        ("dump.tar.zst:dump/listens/2020/1.listens", 50),
    ]


def test_bad_paths_cost_themselves(home: Home, tmp_path: Path) -> None:
    good = write(tmp_path / "good.json", *minutes(0, 3))
    (tmp_path / "odd.bin").write_bytes(b"\x00\x01nonsense")
    (tmp_path / "empty.json").touch()
    (tmp_path / "nobody").mkdir()
    bad = [tmp_path / name for name in ("odd.bin", "empty.json", "nobody", "missing.json")]
    ledgers = import_paths(home, [bad[0], good, *bad[1:]], now=NOW)
    assert [ledger.failure is None for ledger in ledgers] == [False, True, False, False, False]
    assert "no known format" in str(ledgers[0].failure)
    assert "an empty file" in str(ledgers[2].failure)
    assert len(heard(home)) == 3
    assert [one.name for one in imports(home)] == ["good"]
    for path in bad:
        with pytest.raises(InputError):
            import_paths(home, [path], now=NOW)


def test_the_closest_formats_are_named(home: Home, tmp_path: Path) -> None:
    (tmp_path / "near.json").write_text('[{"ts": "2020-01-02T10:00:00Z", "ms_played": 3}]')
    with pytest.raises(
        InputError, match=r"closest is spotify-extended .*crossfade import spotify-extended \S+near.json"
    ):
        import_paths(home, [tmp_path / "near.json"], now=NOW)
    with pytest.raises(InputError, match=r"no format 'spotfy'\. Did you mean spotify"):
        import_paths(home, [tmp_path / "near.json"], format="spotfy", now=NOW)
    with pytest.raises(InputError, match="1 incomplete"):
        import_paths(home, [tmp_path / "near.json"], format="spotify-extended", now=NOW)


def test_two_formats_that_are_equally_confident_are_both_named(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("crossfade.formats.spotify.SpotifyBasic.recognise", lambda self, member: 1.0)
    path = write(tmp_path / "endsong_0.json", *minutes(0, 3))
    with pytest.raises(InputError, match=r"could be spotify-extended or spotify\. .*crossfade import FORMAT PATH"):
        import_paths(home, [path], now=NOW)


def test_a_cut_gzip_keeps_its_good_lines_and_the_files_after_it(home: Home, tmp_path: Path) -> None:
    content = "\n".join(
        json.dumps(
            {
                "user_name": "u",
                "listened_at": 1_577_959_200 + 9 * n,
                "track_metadata": {"artist_name": "Low", "track_name": hashlib.sha256(b"%d" % n).hexdigest()},
            }
        )
        for n in range(5_000)
    ).encode()
    folder = tmp_path / "dump"
    folder.mkdir()
    packed = gzip.compress(content)
    (folder / "1.listens.gz").write_bytes(packed[: len(packed) // 2])
    (folder / "2.listens").write_bytes(content.replace(b'"u"', b'"v"'))
    (ledger,) = import_paths(home, [folder], now=NOW)
    cut, whole = ledger.files
    assert 1_500 < cut.accepted < 3_500
    # The line in which it was cut is the one that cannot be read.
    assert sum(cut.dropped.values()) <= 1
    assert "damaged" in str(cut.damage)
    assert (whole.accepted, whole.damage) == (5_000, None)
    assert ledger.damaged == [("1.listens.gz", cut.damage)]
    assert Ledger.from_json((home.listens / "dump" / "ledger.json").read_bytes()) == ledger


def test_a_cut_list_of_one_file_leaves_the_others(home: Home, tmp_path: Path) -> None:
    folder = tmp_path / "spotify"
    write(folder / "endsong_0.json", *minutes(0, 10))
    (folder / "endsong_0.json").write_text((folder / "endsong_0.json").read_text()[:-20])
    write(folder / "endsong_1.json", *minutes(20, 30))
    (ledger,) = import_paths(home, [folder], now=NOW)
    assert [(file.accepted, file.damage is None) for file in ledger.files] == [(9, False), (10, True)]


def test_lines_of_ten_megabytes_and_nul_bytes_cost_themselves(home: Home, tmp_path: Path) -> None:
    good = b'{"listened_at": 1577959200, "track_metadata": {"artist_name": "Low", "track_name": "Monkey"}}'
    content = b"\n".join([good, b'{"x": "' + b"y" * 10_000_000 + b'"}', b"\0" * 5_000, good.replace(b"200,", b"300,")])
    (tmp_path / "1.listens").write_bytes(content)
    (ledger,) = import_paths(home, [tmp_path / "1.listens"], now=NOW)
    assert (ledger.read, ledger.accepted, ledger.dropped) == (4, 2, {"malformed": 2})
    assert [sample.line for sample in ledger.samples["malformed"]] == [2, 3]


def test_a_full_disk_leaves_earlier_imports_and_nothing_half_written(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = write(tmp_path / "a.json", *minutes(0, 20)), write(tmp_path / "b.json", *minutes(20, 40))
    import_paths(home, [first], now=NOW)
    before = heard(home)

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as context:
        context.setattr("crossfade.importing.publishing.pq.write_table", full)
        with pytest.raises(StorageError, match="full"):
            import_paths(home, [second], now=NOW)
    assert heard(home) == before
    assert sorted(path.name for path in home.listens.iterdir()) == ["a"]
    (ledger,) = import_paths(home, [second], now=NOW)
    assert ledger.accepted == 20


def test_a_file_that_may_not_grow_is_a_full_disk(home: Home, tmp_path: Path) -> None:
    path = write(tmp_path / "a.json", *minutes(0, 60))
    script = (
        "import resource, sys; from pathlib import Path; from crossfade.core.home import Home\n"
        "from crossfade.core.errors import StorageError; from crossfade.importing.imports import import_paths\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1500, 1500))\n"
        "try: import_paths(Home(Path(sys.argv[1])), [Path(sys.argv[2])])\n"
        "except StorageError as error: print('refused')\n"
    )
    said = subprocess.run([sys.executable, "-c", script, home.path, path], capture_output=True, text=True, check=True)
    assert said.stdout == "refused\n"
    assert list(home.listens.iterdir()) == []


def test_an_import_that_was_killed_is_done_again_whole(home: Home, tmp_path: Path) -> None:
    path = write(tmp_path / "a.json", *minutes(0, 60))
    # Killed by itself, at once and for good, when everything but the last step is done.
    script = (
        "import os, signal, sys; from pathlib import Path; from crossfade.core.home import Home\n"
        "from crossfade.importing import imports as importing\n"
        "publish = importing.publish\n"
        "def killed(*said): publish(*said); os.kill(os.getpid(), signal.SIGKILL)\n"
        "importing.publish = killed\n"
        "importing.import_paths(Home(Path(sys.argv[1])), [Path(sys.argv[2])])\n"
    )
    said = subprocess.run([sys.executable, "-c", script, home.path, path], capture_output=True, check=False)
    assert said.returncode == -signal.SIGKILL
    assert list(home.listens.iterdir()) != []
    assert imports(home) == []
    assert tables_of(home)["listens"] == []
    (ledger,) = import_paths(home, [path], now=NOW)
    assert ledger.accepted == 60
    assert [place.name for place in home.listens.iterdir()] == ["a"]


class _Made:
    """A format that needs no file."""

    name = "made"
    title = "Made here"

    def __init__(self, rows: int) -> None:
        self.rows = rows

    def recognise(self, member: Member) -> float:
        return 0.0

    def read(self, source: Source, sink: Sink) -> None:
        (member,) = source.members
        for row in range(self.rows):
            sink.listen((member, row + 1), listened_at=1_600_000_000.0 + row, parent="Low", name="Monkey")


def test_rows_that_come_from_no_file(home: Home) -> None:
    first = import_rows(home, "world", _Made(3), inputs={"world": "1"}, now=NOW)
    again = import_rows(home, "world", _Made(9), inputs={"world": "1"}, now=NOW)
    other = import_rows(home, "world", _Made(5), inputs={"world": "2"}, now=NOW)
    assert (first.accepted, again.accepted, again.already_imported, other.accepted) == (3, 0, "world", 5)
    assert len(heard(home)) == 5


def test_rows_of_the_future_are_read_again_under_a_later_clock(home: Home, tmp_path: Path) -> None:
    path = write(tmp_path / "endsong_0.json", *minutes(0, 20))
    early = datetime(2020, 1, 1, 10, 10, tzinfo=UTC).timestamp()  # "future" begins a day later
    (before,) = import_paths(home, [path], now=early)
    (same,) = import_paths(home, [path], now=early)
    (after,) = import_paths(home, [path], now=NOW)
    (known,) = import_paths(home, [path], now=NOW)
    assert (before.plays, before.dropped) == (13, {"future": 7})
    assert (same.already_imported, same.accepted) == (before.name, 0)
    assert (after.name, after.already_imported, after.plays, after.dropped) == (before.name, None, 20, {})
    assert (known.already_imported, len(heard(home))) == (before.name, 20)
    # Whoever reads the import by its fingerprint has to see that it changed, and it is that of a right clock.
    fresh = Home(tmp_path / "fresh")
    import_paths(fresh, [path], now=NOW)
    assert imports(home)[0].manifest == imports(fresh)[0].manifest


def test_an_import_that_would_be_empty_is_an_error_and_leaves_nothing(home: Home, tmp_path: Path) -> None:
    path = write(tmp_path / "endsong_0.json", *minutes(0, 3), spotify_row("2020-01-02T10:00:00Z", "x", ms="many"))
    with pytest.raises(InputError) as raised:
        import_paths(home, [path], now=1_000_000_000.0)
    assert str(raised.value) == (
        "endsong_0.json: nothing could be imported: 4 rows were read as spotify-extended, none accepted; 1 malformed "
        "(line 4 of endsong_0.json: not a JSON object with Spotify's columns); 3 future (line 1 of endsong_0.json: the "
        "time is in the future). If this is another kind of file, name its format or its columns: see docs/formats.md. "
        "If the clock of this computer is wrong, set it and import the file again."
    )
    assert list(home.listens.iterdir()) == []
    # An import that was there stays.
    import_paths(home, [path], now=NOW)
    with pytest.raises(InputError, match="3 ignored"):
        import_paths(home, [path], now=NOW, settings=CleaningSettings(ignored=("Low",)))
    assert len(heard(home)) == 3


def test_a_part_of_what_is_known_adds_nothing_and_is_no_error(home: Home, tmp_path: Path) -> None:
    import_paths(home, [write(tmp_path / "all.json", *minutes(0, 9))], now=NOW)
    (part,) = import_paths(home, [write(tmp_path / "part.json", *minutes(0, 3))], now=NOW)
    assert (part.accepted, part.dropped) == (0, {"duplicate": 3})


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("loved.json", '[{"artistName": "Low", "trackName": "Fly", "msPlayed": 1, "endTime": ""}]', "the time is miss"),
        ("x.xspf", '<!DOCTYPE x><playlist version="1" xmlns="http://xspf.org/ns/0/"></playlist>', "Remove it by hand"),
        ("x.csv", "user,artist,plays\n,Low,1\n", "the user is empty"),
        ("x.m3u", "#EXTM3U\n", "0 rows were read as m3u"),
    ],
)
def test_what_has_no_usable_row_is_refused_with_the_reason(
    name: str, content: str, why: str, home: Home, tmp_path: Path
) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=why):
        import_paths(home, [tmp_path / name], now=NOW)
    assert imports(home) == []


def test_every_reason_has_advice() -> None:
    assert ADVICE.keys() == REASONS.keys() - {"duplicate"}


PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)


@pytest.mark.parametrize(
    ("name", "content", "seen"),
    [
        ("x.csv", b"Who,Group name,n times\nanna,Low,3\n", "a CSV with the columns Who, Group name, n times. Say"),
        ("x.tsv", b"Singer\tPiece\tday\nLow\tFly\t1\n", "a table with tabs with the columns Singer, Piece, day"),
        ("x.json", b'[{"band": "Low", "more": {"x": 1}}]', "JSON, a list of objects with the keys band, more. docs/"),
        ("x.json", b'{"loved": [{"artist": 1}]}', "JSON, an object with the keys loved"),
        ("x.html", b"<!DOCTYPE html><html><body>Low</body></html>", "a web page"),
        ("x.png", PNG, "a picture"),
        ("x.pdf", b"%PDF-1.7 x", "a PDF"),
        ("x.xml", b"<?xml version='1.0'?><songs><song/></songs>", "XML of <songs>"),
        ("x.bin", bytes(range(256)) * 4, "binary data"),
        ("x.txt", b"Some words about music.\nAnd more.\n", "plain text"),
    ],
)
def test_an_unknown_file_is_described(name: str, content: bytes, seen: str, home: Home, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError) as raised:
        import_paths(home, [tmp_path / name], now=NOW)
    assert f"is of no known format. It looks like {seen}" in str(raised.value)
    assert "crossfade import columns" in str(raised.value)


@pytest.mark.parametrize("content", [b" " * 65_000, b" " * 65_000 + b"<", b"<!---->" * 26], ids=range(3))
def test_an_unknown_file_is_described_in_no_longer_than_its_bytes(content: bytes, home: Home, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(content)
    began = time.process_time()
    with pytest.raises(InputError, match="It looks like plain text"):
        import_paths(home, [tmp_path / "x"], now=NOW)
    # Well under a second; it took eight where every blank, or every choice of comments, was tried.
    assert time.process_time() - began < 4


def test_the_command_for_an_unknown_table_is_one_that_works(home: Home, tmp_path: Path) -> None:
    path = tmp_path / "my table.csv"
    path.write_text("Who,The band,Their song,colour\nanna,Low,Fly,red\n")
    with pytest.raises(InputError) as raised:
        import_paths(home, [path], now=NOW)
    words = shlex.split(str(raised.value).partition("crossfade import columns ")[2])
    assert words == [
        str(path),
        *("--column", "user=Who", "--column", "artist=The band", "--column", "title=Their song"),
    ]
    (ledger,) = import_paths(home, [path], columns=dict(word.split("=") for word in words[2::2]), now=NOW)
    assert ledger.counts == 1
    shown = "columns: artist = The band, title = Their song, user = Who; not used: colour"
    assert shown in ledger.lines()
    assert shown in imports(home)[0].ledger.lines()


def test_files_of_no_known_format_are_summed_up(home: Home, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        for name, content in {"a.png": PNG, "b.png": PNG, "c.html": b"<html></html>"}.items():
            archive.writestr(name, content)
    with pytest.raises(
        InputError, match=r"None of its 3 files is\. They look like a picture \(2 files\), a web page \(1"
    ):
        import_paths(home, [tmp_path / "x.zip"], now=NOW)


def test_names_of_imports_are_plain_and_unlike(home: Home, tmp_path: Path) -> None:
    paths = [
        write(tmp_path / "x" / "Über Hörer (1).json", *minutes(0, 1)),
        write(tmp_path / "y" / "Über Hörer (1).json", *minutes(1, 2)),
        write(tmp_path / "....json", *minutes(2, 3)),
    ]
    assert [ledger.name for ledger in import_paths(home, paths, now=NOW)] == ["ber-h-rer-1", "ber-h-rer-1-2", "import"]


def test_the_ledger_as_plain_text_and_values(home: Home, tmp_path: Path) -> None:
    path = write(tmp_path / "a.json", *minutes(0, 3), {"ts": 1})
    (ledger,) = import_paths(home, [path], now=NOW)
    text = "\n".join(ledger.lines())
    assert "4 rows read: 3 plays, 0 skips, 0 counts, 0 playlist items accepted, 1 dropped" in text
    assert "a.json, line 4: not a JSON object" in text
    assert ledger.as_json()["dropped"] == {"malformed": 1}
    assert imports(home)[0].ledger == ledger
    with pytest.raises(ArtifactError):
        Ledger.from_json(b"[]")
    ledger.files[0].read += 1
    with pytest.raises(ArtifactError, match="fault in Crossfade"):
        ledger.check()


def test_the_tables_of_the_docs_are_those_of_the_schemas() -> None:
    page = (Path(__file__).parents[2] / "docs" / "importing.md").read_text()
    described: set[str] = set()
    for row in page.splitlines():
        cells = [re.findall(r"`(\w+)`", cell) for cell in row.split("|")[1:3]]
        if len(cells) == 2 and cells[0] and TABLES.keys() >= set(cells[0]):
            tables, columns = cells
            described |= set(tables)
            assert set(columns) == {column for table in tables for column in TABLES[table].names}, tables
    assert described == TABLES.keys()


def test_an_import_is_the_same_for_any_number_of_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crossfade.importing.sink.BATCH_ROWS", 50)
    monkeypatch.setattr("crossfade.importing.staging.RUN_BYTES", 20_000)
    monkeypatch.setattr("crossfade.importing.staging.GROUP_BYTES", 40_000)
    monkeypatch.setattr("crossfade.formats.columns._ROWS_AT_ONCE", 30)
    judged: set[str] = set()
    judge = Judge.listens

    def slowly(self: Judge, batch: pa.Table) -> tuple[pa.Table, Drops]:
        judged.add(threading.current_thread().name)
        time.sleep(0.02 * (len(judged) % 2))
        return judge(self, batch)

    monkeypatch.setattr(Judge, "listens", slowly)
    lines = ["user,artist,track,timestamp,album"]
    for number in range(1500):
        when = NOW - number // 2 * 60 if number % 40 else (NOW * 2 if number % 80 else "yesterday")
        artist = "x\0" if number % 90 == 7 else f"artist {number % 31}"
        lines.append(f"user {number % 17},{artist},song {number % 97},{when},album {number % 5}")
    path = tmp_path / "plays.csv"
    path.write_text("\n".join([*lines, *lines[1:100]]))
    made = []
    for threads in (1, 2, 4):
        home = Home(tmp_path / f"home-{threads}")
        (ledger,) = import_paths(home, [path], now=NOW, threads=threads)
        assert {"malformed", "future", "duplicate"} <= ledger.samples.keys()
        made.append({file.relative_to(home.path): file.read_bytes() for file in home.listens.rglob("*.*")})
        assert bool(judged - {threading.main_thread().name}) == (threads > 1)
    assert len([file for file in made[0] if file.parent.name == "listens" and file.suffix]) > 2
    assert made[0] == made[1] == made[2]
