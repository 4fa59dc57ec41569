"""Aggregation of plays to interactions on many machines, by `crossfade.aggregation.interactions`' own queries.

    survey      tasks take buckets of users, and list those users and the items that they played
    rows        the driver gives users and items their rows, and divides the users, in order, into partitions
    spool       tasks take buckets of users again, and write each play with its rows to the file of its partition
    summarise   tasks take partitions, and sum the plays of each pair of user and item
    write       the driver writes the partitions one after the other

Imports have their listens by buckets of users, so a task reads little but its own. A play crosses the shared folder
once, in 24 bytes. Sums are of whole numbers, so neither the division nor the order changes a bit.
"""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from crossfade.aggregation.interactions import (
    PLAYED_ITEMS,
    PLAYING_USERS,
    InteractionSettings,
    Numbered,
    newest_play,
    number_rows,
    reference_of,
    spool_plays,
    write_interactions,
)
from crossfade.aggregation.partitions import Partition, Spool, block_size, memory_of
from crossfade.aggregation.plays import Plays
from crossfade.cluster.engine import Engine
from crossfade.cluster.shares import Shares
from crossfade.cluster.slices import TASKS_A_SLOT
from crossfade.core.arrays import load_array
from crossfade.core.artifacts import translated_storage_errors
from crossfade.core.progress import Progress, silent
from crossfade.core.queries import Queries
from crossfade.core.replacing import make_directory, remove

LEAST_PLAYS = 1 << 18
"""Plays of a partition, unless there are fewer in all."""


def count_interactions(
    engine: Engine,
    plays: Plays,
    directory: Path,
    settings: InteractionSettings,
    shares: Shares,
    *,
    progress: Progress = silent,
) -> dict[str, int]:
    """Write the `Interactions` of ``plays`` into ``directory``, with the bytes of the single machine's.

    Returns the rows, as `crossfade.aggregation.interactions.build_interactions` does; the errors are its own.
    """
    make_directory(shares.workspace)
    task = _Task(plays, settings, shares)
    with translated_storage_errors(directory), shares.queries() as queries:
        plays.define(queries)
        surveyed = engine.each(_Survey(**vars(task)), shares.number)
        progress(1, 4, "stages")
        events = sum(one["events"] for one in surveyed)
        newest = max((one["newest"] for one in surveyed if one["newest"] is not None), default=None)
        size = max(events // (engine.slots * TASKS_A_SLOT), LEAST_PLAYS)
        # What follows depends on the partitions, and so on how many machines there are.
        shares = replace(shares, fingerprint=f"{shares.fingerprint}, {size} plays")
        numbered = _number(queries, shares, size)
        task = replace(task, shares=shares, items=numbered.items, reference=reference_of(newest, None))
        engine.each(_Spool(**vars(task)), shares.number)
        progress(2, 4, "stages")
        summarised = [shares.place("pairs", number) for number in range(numbered.partitions)]
        engine.each(_Summarise(**vars(task)), len(summarised))
        progress(3, 4, "stages")
        listeners = np.zeros(numbered.items, dtype=np.int64)
        for place in summarised:
            listeners += load_array(place / "listeners.npy", dtype=np.int32, ndim=1)
        partitions = [task.partition(place) for place in summarised]
        rows = write_interactions(queries, directory, partitions, listeners, numbered, settings)
        progress(4, 4, "stages")
    remove(shares.workspace)
    return rows


def _number(queries: Queries, shares: Shares, plays_of_partition: int) -> Numbered:
    """Give the surveyed users and items their rows, and write them for the tasks."""
    import pyarrow as pa

    ids, rows = pa.field("user_id", pa.string()), pa.field("user_row", pa.int32())
    surveys = [shares.place("survey", share) for share in range(shares.number)]
    users = pa.schema([ids, pa.field("events", pa.int64()), pa.field("share", pa.int32())])
    queries.view("surveyed_users", [place / "users.parquet" for place in surveys], users)
    queries.view("surveyed_items", [place / "items.parquet" for place in surveys], pa.schema([("item", pa.string())]))
    numbered = number_rows(
        queries,
        users="SELECT user_id, events, share FROM surveyed_users",
        items="SELECT DISTINCT item FROM surveyed_items",
        memory_limit=min(shares.memory_bytes, memory_of(plays_of_partition)),
    )
    with shares.making("rows") as draft:
        if draft is not None:
            for share in range(shares.number):
                some = f"SELECT user_id, user_row FROM users WHERE share = {share} ORDER BY user_row"  # noqa: S608
                queries.write(some, pa.schema([ids, rows]), draft.path / f"users-{share}.parquet")
            items = pa.schema([("from_id", pa.string()), ("item_row", pa.int32())])
            queries.write("SELECT from_id, item_row FROM items ORDER BY from_id", items, draft.path / "items.parquet")
            np.save(draft.path / "partitions.npy", numbered.partition_of_user, allow_pickle=False)
    return numbered


@dataclass(frozen=True)
class _Task:
    """What all tasks know.

    items      how many there are
    reference  the time, in seconds since 1970, that plays age towards
    """

    plays: Plays
    settings: InteractionSettings
    shares: Shares
    items: int = 0
    reference: float = 0.0

    def partition(self, place: Path) -> Partition:
        """Return the partition whose pairs are at ``place``."""
        return Partition(place / "pairs", items=self.items, block=block_size(self.shares.memory_bytes))


class _Survey(_Task):
    """Lists the users of a share and the items that they played; returns their plays and the time of the newest."""

    def __call__(self, share: int) -> dict[str, Any]:
        import pyarrow as pa

        with self.shares.making("survey", share) as draft:
            if draft is not None:
                with self.shares.queries() as queries:
                    self.plays.define(queries, self.shares.buckets(share))
                    ids = pa.field("user_id", pa.string())
                    users = pa.schema([ids, pa.field("events", pa.int64()), pa.field("share", pa.int32())])
                    listed = f"SELECT user_id, events, {share} AS share FROM ({PLAYING_USERS}) ORDER BY user_id"  # noqa: S608
                    queries.write(listed, users, draft.path / "users.parquet")
                    items = pa.schema([("item", pa.string())])
                    queries.write(f"{PLAYED_ITEMS} ORDER BY item", items, draft.path / "items.parquet")
                    ((events,),) = queries.rows("SELECT count(*) FROM events")
                    ages = self.settings.half_life_days
                    found = {"events": events, "newest": newest_play(queries) if ages else None}
                (draft.path / "plays.json").write_text(json.dumps(found), encoding="utf-8")
        found = json.loads((self.shares.place("survey", share) / "plays.json").read_text(encoding="utf-8"))
        return dict(found)


class _Spool(_Task):
    """Writes each play of the users of a share to the file of its partition."""

    def __call__(self, share: int) -> None:
        import pyarrow as pa

        rows = self.shares.place("rows")
        with self.shares.making("plays", share) as draft:
            if draft is not None:
                partitions = load_array(rows / "partitions.npy", dtype=np.uint16, ndim=1)
                spool = Spool(draft.path, partitions, items=self.items, memory_limit=self.shares.memory_bytes)
                with self.shares.queries() as queries:
                    self.plays.define(queries, self.shares.buckets(share))
                    users = pa.schema([("user_id", pa.string()), ("user_row", pa.int32())])
                    queries.view("users", [rows / f"users-{share}.parquet"], users)
                    items = pa.schema([("from_id", pa.string()), ("item_row", pa.int32())])
                    queries.view("items", [rows / "items.parquet"], items)
                    for _ in spool_plays(queries, spool, self.settings, self.reference):
                        pass


class _Summarise(_Task):
    """Sums the plays of a partition by user and item."""

    def __call__(self, number: int) -> None:
        shares, least = self.shares, {name: getattr(self.settings, name) for name in ("min_plays", "min_items")}
        with shares.making("pairs", number) as draft:
            if draft is not None:
                spooled = (shares.place("plays", share) / f"{number}.plays" for share in range(shares.number))
                partition = self.partition(draft.path)
                partition.summarise(**least, sources=[path for path in spooled if path.exists()])
                np.save(draft.path / "listeners.npy", partition.listeners().astype(np.int32), allow_pickle=False)
