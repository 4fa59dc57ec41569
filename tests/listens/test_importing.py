"""Whole imports: files go in, artifacts and ledgers come out."""

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from crossfade.core.artifacts import verify
from crossfade.core.home import Home
from crossfade.listens.importing import import_paths
from crossfade.listens.library import imports, tables_of

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
    assert [(row["track_id"], row["listened_at"].isoformat(), row["skipped"]) for row in listens] == [
        ("spotify:track:Sunflower", "2020-01-02T09:56:40+00:00", False),
        ("spotify:track:Monkey", "2020-01-02T10:04:55+00:00", True),
    ]
    assert {row["user_id"] for row in listens} == {"me"}
    (tracks,) = tables_of(home)["tracks"]
    assert sorted(row["title"] for row in pq.read_table(tracks).to_pylist()) == ["Monkey", "Sunflower"]
