"""Interactions that machines count together have the bytes of the single machine, however users are divided."""

import datetime

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from crossfade.aggregation.interactions import (
    InteractionSettings,
    build_interactions,
    build_playlist_interactions,
)
from crossfade.aggregation.plays import Plays
from crossfade.cluster import counting
from crossfade.cluster.counting import count_interactions
from crossfade.cluster.engine import LocalEngine
from crossfade.cluster.shares import Shares, evenly, shared_out
from crossfade.core.artifacts import file_digest
from crossfade.core.buckets import bucket_of, part_name
from crossfade.core.errors import NotReadyError, SettingsError
from crossfade.core.schemas import ALIASES, COUNTS, LISTENS, PLAYLIST_ITEMS

START = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
SETTINGS = InteractionSettings(min_items=2, min_listeners=2)


@pytest.fixture
def tables(tmp_path, rng):
    """Listens and counts of tracks, artists and episodes by 40 users, in the import's layout, and a catalog."""
    rows = []
    for _ in range(1500):
        user, number = f"u{rng.integers(40)}", int(rng.integers(25))
        track = {"kind": "track", "item_id": f"t{number}", "parent_id": f"a{number // 5}"}
        episode = {"kind": "episode", "item_id": f"e{number}", "parent_id": f"s{number // 9}"}
        at = START + datetime.timedelta(hours=int(rng.integers(5000)))
        more = {"skipped": bool(rng.random() < 0.1), "source": "radio" if rng.random() < 0.2 else None}
        rows.append({"user_id": user, "listened_at": at, **(track if rng.random() < 0.6 else episode), **more})
    half = 2048
    paths = [tmp_path / part_name(0, half - 1), tmp_path / part_name(half, 4095)]
    pq.write_table(pa.Table.from_pylist([row for row in rows if bucket_of(row["user_id"]) < half], LISTENS), paths[0])
    pq.write_table(pa.Table.from_pylist([row for row in rows if bucket_of(row["user_id"]) >= half], LISTENS), paths[1])
    counts = [
        {"user_id": f"u{user}", "kind": "artist", "item_id": f"a{user % 6}", "parent_id": None, "plays": 7}
        for user in range(30, 50)
    ]
    pq.write_table(pa.Table.from_pylist(counts, COUNTS), tmp_path / "counts.parquet")
    aliases = [{"kind": "track", "from_id": "t3", "to_id": "t4"}, {"kind": "episode", "from_id": "e1", "to_id": "e9"}]
    pq.write_table(pa.Table.from_pylist(aliases, ALIASES), tmp_path / "aliases.parquet")
    entries = [
        {"playlist_id": f"p{place % 9}", "position": place, "kind": "track", "item_id": f"t{place % 7}"}
        for place in range(60)
    ]
    pq.write_table(pa.Table.from_pylist(entries, PLAYLIST_ITEMS), tmp_path / "playlist_items.parquet")
    return {"listens": paths, "counts": [tmp_path / "counts.parquet"]}


@pytest.fixture
def count(tmp_path, monkeypatch):
    """Counts with some shares of the users, and returns the rows and the digests of the files."""

    monkeypatch.setattr(counting, "LEAST_PLAYS", 1)

    def counted(plays, settings=SETTINGS, shares=5, slots=2):
        place = tmp_path / f"shared-{shares}"
        place.mkdir()
        how = Shares(workspace=tmp_path / "workspace", fingerprint="a", starts=evenly(shares), memory_bytes=64 << 20)
        return count_interactions(LocalEngine(slots), plays, place, settings, how), digests(place)

    return counted


def digests(place):
    return {path.name: file_digest(path) for path in place.iterdir()}


@pytest.mark.parametrize("kind", ["artist", "track", "show", "episode"])
def test_listens_and_counts_are_counted_alike(tables, tmp_path, count, kind):
    (tmp_path / "single").mkdir()
    rows = build_interactions(tables, tmp_path, kind, tmp_path / "single", SETTINGS)
    assert rows["pairs"]
    expected = rows, digests(tmp_path / "single")
    plays = Plays.of(tables, tmp_path, kind, None)
    for shares in (1, 7):
        assert count(plays, shares=shares) == expected


def test_plays_before_a_time_alone_are_counted_alike(tables, tmp_path, count):
    (tmp_path / "single").mkdir()
    before = int((START + datetime.timedelta(days=100)).timestamp() * 1000)
    rows = build_interactions(tables, tmp_path, "track", tmp_path / "single", SETTINGS, before=before)
    assert count(Plays.of(tables, tmp_path, "track", before)) == (rows, digests(tmp_path / "single"))


def test_playlists_are_counted_alike(tables, tmp_path, count):
    (tmp_path / "single").mkdir()
    rows = build_playlist_interactions(tmp_path, "track", tmp_path / "single", SETTINGS)
    assert rows["users"] == 9
    assert count(Plays.of_playlists(tmp_path, "track")) == (rows, digests(tmp_path / "single"))


def test_users_are_in_several_partitions_and_shares(tables, tmp_path, count, monkeypatch):
    made = []
    summarise = counting._Summarise.__call__
    monkeypatch.setattr(
        counting._Summarise, "__call__", lambda self, number: made.append(number) or summarise(self, number)
    )
    count(Plays.of(tables, tmp_path, "track", None), slots=3)
    assert len(made) > 5


def test_shares_are_whole_files_of_the_largest_import(tmp_path, monkeypatch):
    monkeypatch.setattr("crossfade.cluster.shares.LEAST", 100)
    small, large = tmp_path / "small", tmp_path / "large"
    for place, ends, size in ((small, [4096], 150), (large, [500, 1000, 2000, 4096], 90)):
        place.mkdir()
        for first, end in zip([0, *ends], ends, strict=False):
            (place / part_name(first, end - 1)).write_bytes(b"x" * size)
    paths = [*small.iterdir(), *large.iterdir()]
    assert shared_out(LocalEngine(2), paths) == (0, 1000)
    assert shared_out(LocalEngine(2), [tmp_path / "small" / part_name(0, 4095)]) == (0,)
    (tmp_path / "counts.parquet").write_bytes(b"x" * 350)
    assert shared_out(LocalEngine(2), [tmp_path / "counts.parquet"]) == (0, 1024, 2048, 3072)


def test_a_task_reads_the_parts_of_its_users_alone(tables, tmp_path, count):
    tables["listens"][1].unlink()
    plays = Plays.of(tables, tmp_path, "track", None)
    shares = Shares(workspace=tmp_path / "workspace", fingerprint="a", starts=evenly(2), memory_bytes=64 << 20)
    (tmp_path / "workspace").mkdir()
    assert counting._Survey(plays, SETTINGS, shares)(0)["events"] > 100


def lose_driver(count, plays, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(counting, "write_interactions", lambda *rest: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            count(plays)


def test_what_was_complete_when_the_driver_was_lost_is_used_again(tables, tmp_path, count, monkeypatch):
    plays = Plays.of(tables, tmp_path, "track", None)
    lose_driver(count, plays, monkeypatch)
    (tmp_path / "shared-5").rename(tmp_path / "lost")
    with monkeypatch.context() as patched:
        patched.setattr(counting, "spool_plays", None)
        patched.setattr(counting.Partition, "summarise", None)
        rows, files = count(plays)
    (tmp_path / "single").mkdir()
    assert rows == build_interactions(tables, tmp_path, "track", tmp_path / "single", SETTINGS)
    assert files == digests(tmp_path / "single")
    assert not (tmp_path / "workspace").exists()


def test_partitions_of_another_number_of_machines_are_made_again(tables, tmp_path, count, monkeypatch):
    plays = Plays.of(tables, tmp_path, "track", None)
    lose_driver(count, plays, monkeypatch)
    (tmp_path / "shared-5").rename(tmp_path / "lost")
    (tmp_path / "single").mkdir()
    rows = build_interactions(tables, tmp_path, "track", tmp_path / "single", SETTINGS)
    assert count(plays, slots=3) == (rows, digests(tmp_path / "single"))


def test_the_errors_are_those_of_the_single_machine(tables, tmp_path, count):
    with pytest.raises(NotReadyError, match="no listens yet"):
        count(Plays.of({}, None, "track", None))
    with pytest.raises(SettingsError, match="min_listeners"):
        count(Plays.of(tables, None, "track", None), InteractionSettings(min_listeners=99), shares=4)
    assert np.load(tmp_path / "shared-4" / "indices.npy").size == 0
