"""Rows grouped in bounded memory."""

import errno
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from crossfade.core.buckets import BUCKETS, bucket_of
from crossfade.importing import staging
from crossfade.importing.staging import Stage, buckets_of

SCHEMA = pa.schema([("user_id", pa.string()), ("number", pa.int64())])


def fill(stage: Stage, rng: np.random.Generator, batches: int, users: int) -> list[tuple[str, int]]:
    sent: list[tuple[str, int]] = []
    for _ in range(batches):
        names = [f"user {number}" for number in rng.integers(0, users, 500)]
        numbers = list(range(len(sent), len(sent) + 500))
        stage.append(pa.table([names, numbers], schema=SCHEMA))
        sent += zip(names, numbers, strict=True)
    return sent


def test_buckets_are_known_values() -> None:
    # CRC-32 of "a" is 0xe8b7be43 and of nothing 0, both by the standard's tables.
    assert bucket_of("a") == 0xE8B7BE43 % BUCKETS
    assert buckets_of(pa.array(["a", None, "a"])).tolist() == [0xE43, 0, 0xE43]


@pytest.mark.parametrize(("run_bytes", "group_bytes"), [(1 << 30, 1 << 30), (20_000, 10_000), (5_000, 1)])
def test_every_row_comes_back_once_in_order_with_all_of_its_key(
    tmp_path: Path, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch, run_bytes: int, group_bytes: int
) -> None:
    monkeypatch.setattr(staging, "RUN_BYTES", run_bytes)
    monkeypatch.setattr(staging, "GROUP_BYTES", group_bytes)
    monkeypatch.setattr(staging, "ROW_GROUP", 100)
    stage = Stage(tmp_path / "stage", SCHEMA, "user_id")
    sent = fill(stage, rng, 10, 100)
    seen: dict[str, int] = {}
    came: list[tuple[str, int]] = []
    last = -1
    for number, group in enumerate(stage.groups()):
        assert last < group.first <= group.last
        last = group.last
        rows = list(zip(group.rows["user_id"].to_pylist(), group.rows["number"].to_pylist(), strict=True))
        assert all(group.first <= bucket_of(name) <= group.last for name, _ in rows)
        assert all(seen.setdefault(name, number) == number for name, _ in rows)
        came += rows
    assert sorted(came, key=lambda row: row[1]) == sent
    for user in {name for name, _ in sent}:
        assert [row for row in came if row[0] == user] == [row for row in sent if row[0] == user]
    assert stage.rows == len(sent)
    assert (len(list(tmp_path.rglob("*.parquet"))) > 0) is (run_bytes < 1 << 30)


def test_a_stage_without_rows_has_no_groups(tmp_path: Path) -> None:
    stage = Stage(tmp_path / "stage", SCHEMA, "user_id")
    stage.append(pa.table([[], []], schema=SCHEMA))
    assert list(stage.groups()) == []
    assert not (tmp_path / "stage").exists()


def test_a_run_that_cannot_be_written_is_an_error_of_the_import(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "disk full")

    monkeypatch.setattr(staging, "RUN_BYTES", 1)
    monkeypatch.setattr(staging.pq, "write_table", full)
    stage = Stage(tmp_path / "stage", pa.schema([("key", pa.string())]), "key")
    stage.append(pa.table({"key": ["a"]}))
    with pytest.raises(OSError, match="disk full"):
        list(stage.groups())
    stage.close()
