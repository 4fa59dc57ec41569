"""Sequences that machines order together have the bytes of the single machine."""

import datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from crossfade.aggregation.sequences import SequenceSettings, build_sequences
from crossfade.cluster.engine import LocalEngine
from crossfade.cluster.ordering import Listens, order_sequences
from crossfade.cluster.shares import Shares, evenly
from crossfade.core.artifacts import file_digest
from crossfade.core.ids import Ids
from crossfade.core.schemas import ALIASES, LISTENS, PLAYLIST_ITEMS, PLAYLISTS, TABLES

START = datetime.datetime(2024, 5, 1, tzinfo=datetime.UTC)
SETTINGS = SequenceSettings(shortest=2, longest=10)


@pytest.fixture
def listens(tmp_path, rng):
    """Listens of 30 users, some of unknown or renamed tracks, and three playlists."""
    rows = [
        {
            "user_id": f"user {rng.integers(30)}",
            "listened_at": START + datetime.timedelta(minutes=int(rng.integers(3000))),
            "kind": "track",
            "item_id": f"t{rng.integers(12)}",
            "parent_id": "a",
            "skipped": bool(rng.random() < 0.1),
        }
        for _ in range(2000)
    ]
    entries = [
        {
            "playlist_id": f"p{place % 3}",
            "position": place,
            "kind": "track",
            "item_id": f"t{place % 8}",
            "parent_id": "a",
        }
        for place in range(24)
    ]
    tables = {
        "listens": (LISTENS, rows),
        "aliases": (ALIASES, [{"kind": "track", "from_id": "t3", "to_id": "t4"}]),
        "tracks": (TABLES["tracks"], []),
        "playlists": (PLAYLISTS, [{"playlist_id": f"p{number}", "title": "mix", "owner": None} for number in range(3)]),
        "playlist_items": (PLAYLIST_ITEMS, entries),
    }
    for name, (schema, content) in tables.items():
        pq.write_table(pa.Table.from_pylist(content, schema), tmp_path / f"{name}.parquet")
    Ids.of(f"t{number}" for number in range(10)).save(tmp_path / "item_ids")
    paths = (tmp_path / "listens.parquet",)
    return Listens(paths=paths, catalog=tmp_path, kind="track", item_ids=tmp_path / "item_ids", settings=SETTINGS)


@pytest.mark.parametrize("shares", [1, 6])
def test_sessions_and_playlists_are_ordered_alike(listens, tmp_path, shares):
    single, shared = tmp_path / "single", tmp_path / "shared"
    single.mkdir()
    shared.mkdir()
    rows = build_sequences(listens.paths, tmp_path, "track", Ids.load(listens.item_ids), single, SETTINGS)
    assert min(rows.values()) >= 3
    how = Shares(workspace=tmp_path / "workspace", fingerprint="a", starts=evenly(shares), memory_bytes=64 << 20)
    assert order_sequences(LocalEngine(2), listens, shared, how) == rows
    assert {path.name: file_digest(path) for path in shared.iterdir()} == {
        path.name: file_digest(path) for path in single.iterdir()
    }
    assert not (tmp_path / "workspace").exists()


def test_without_listens_there_are_playlists(listens, tmp_path):
    (tmp_path / "shared").mkdir()
    nothing = Listens(**{**vars(listens), "paths": ()})
    how = Shares(workspace=tmp_path / "workspace", fingerprint="a", starts=evenly(2), memory_bytes=64 << 20)
    assert order_sequences(LocalEngine(2), nothing, tmp_path / "shared", how)["sessions"] == 0
