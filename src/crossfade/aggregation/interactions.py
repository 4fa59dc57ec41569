"""Listens and counts of plays, or playlists, become interactions, in memory that the data's size does not change.

Over the plays e of item i by user u, with the share ω of where the play came from, the age of the play and
the half-life h of a taste:

    r = Σ ω(e) · 2^(-age(e) / h)        ("count": this is the weight; h = 0: nothing ages)
    w = ln(1 + r / ε)                   ("log")

A play counts for its item and for the item's parent. Of a kind that does not repeat, only the latest play of an item
by a user counts, for both.

Ids become row numbers first, in the order of their UTF-8 bytes. The plays are then spooled into partitions of
neighbouring users, and each partition is sorted and summed by itself, in whole numbers of 2⁻³⁰ play: sums
that no order of addition, and so no number of threads, can change. O(n log n) for n plays.

Hu, Koren & Volinsky, "Collaborative Filtering for Implicit Feedback Datasets", ICDM 2008 (the logarithm).
"""

import contextlib
import datetime
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from crossfade.aggregation.partitions import UNIT, Partition, Spool, users_of_partitions
from crossfade.aggregation.plays import Plays
from crossfade.core.arrays import GrowingArray
from crossfade.core.artifacts import translated_storage_errors
from crossfade.core.errors import SettingsError
from crossfade.core.ids import Ids
from crossfade.core.progress import Progress, silent
from crossfade.core.queries import MEMORY_LIMIT, Queries, open_queries
from crossfade.core.settings import Checked, Range

_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


@dataclass(frozen=True, kw_only=True)
class InteractionSettings(Checked):
    """How plays become the weights that models learn from."""

    # the sum of the plays, or ln(1 + sum / epsilon); ALS takes a logarithm of its own unless its confidence is "linear"
    weight: Literal["count", "log"] = "count"
    epsilon: Annotated[float, Range(1e-6, 1e6)] = 1.0  # plays at which "log" turns from linear to logarithmic
    # time in which a listen loses half its weight; 0: it never does
    half_life_days: Annotated[float, Range(0.01, 100_000, also=(0,), unit="days")] = 90.0
    # of a listen from search, library, a playlist or an unknown source
    chosen_weight: Annotated[float, Range(above=0, high=1)] = 1.0
    lean_back_weight: Annotated[float, Range(above=0, high=1)] = 0.5  # of a listen from radio or autoplay
    min_plays: Annotated[int, Range(1)] = 1  # pairs of user and item with fewer plays are left out
    min_items: Annotated[int, Range(1)] = 1  # users with fewer items are left out
    min_listeners: Annotated[int, Range(1)] = 1  # items with fewer listeners are left out then


def build_interactions(
    tables: Mapping[str, Sequence[Path]],
    catalog: Path | None,
    kind: str,
    directory: Path,
    settings: InteractionSettings,
    *,
    before: int | None = None,
    reference_time: datetime.datetime | None = None,
    progress: Progress = silent,
    memory_limit: int = MEMORY_LIMIT,
    threads: int | None = None,
) -> dict[str, int]:
    """Write the `Interactions` of the ``listens`` and ``counts`` among ``tables`` into ``directory``.

    ``tables`` lists the Parquet files by table name. ``catalog`` is the directory whose ``aliases.parquet`` says which
    ids stand for another; None: none does. Skipped listens do not count, nor those from ``before`` on, in milliseconds
    since 1970. Listens age towards ``reference_time``,
    by default that of the newest listen; counts have no times and do not age. What does not fit into ``memory_limit``
    bytes goes to a directory below ``directory``, which is removed in the end.

    Returns the rows: users, items, pairs, and the plays that they come from. A library without plays of this ``kind``
    gives interactions without users and items. Raises NotReadyError if nothing has been imported, SettingsError if the
    settings leave nothing of what has been, StorageError if the disk is full.
    """
    plays = Plays.of(tables, catalog, kind, before)
    return _build(plays, directory, settings, reference_time, progress, memory_limit, threads)


def build_playlist_interactions(
    catalog: Path,
    kind: str,
    directory: Path,
    settings: InteractionSettings,
    *,
    progress: Progress = silent,
    memory_limit: int = MEMORY_LIMIT,
    threads: int | None = None,
) -> dict[str, int]:
    """Write `Interactions` whose users are the playlists in ``catalog`` into ``directory``.

    An entry of a playlist counts as a play without a time. The rest is as in `build_interactions`, except that no
    playlists at all give interactions without users and items.
    """
    plays = Plays.of_playlists(catalog, kind)
    return _build(plays, directory, settings, None, progress, memory_limit, threads)


def _build(
    plays: Plays,
    directory: Path,
    settings: InteractionSettings,
    reference_time: datetime.datetime | None,
    progress: Progress,
    memory_limit: int,
    threads: int | None,
) -> dict[str, int]:
    spool_directory = directory / "spool"
    with translated_storage_errors(directory):
        spool_directory.mkdir()
        try:
            with open_queries(spool_directory / "spill", memory_limit=memory_limit, threads=threads) as queries:
                plays.define(queries)
                return _aggregate(queries, directory, settings, reference_time, progress, memory_limit)
        finally:
            shutil.rmtree(spool_directory, ignore_errors=True)


def _aggregate(
    queries: Queries,
    directory: Path,
    settings: InteractionSettings,
    reference_time: datetime.datetime | None,
    progress: Progress,
    memory_limit: int,
) -> dict[str, int]:
    numbered = number_rows(queries, users=PLAYING_USERS, items=PLAYED_ITEMS, memory_limit=memory_limit)
    spool = Spool(directory / "spool", numbered.partition_of_user, items=numbered.items, memory_limit=memory_limit)
    done = 0
    ages = settings.half_life_days and reference_time is None
    reference = reference_of(newest_play(queries) if ages else None, reference_time)
    for encoded in spool_plays(queries, spool, settings, reference):
        done += encoded
        progress(done / 2, numbered.events, "plays")

    listeners = np.zeros(numbered.items, dtype=np.int64)
    for partition in spool.partitions:
        partition.summarise(min_plays=settings.min_plays, min_items=settings.min_items)
        listeners += partition.listeners()
        done += partition.events
        progress(done / 2, numbered.events, "plays")
    return write_interactions(queries, directory, spool.partitions, listeners, numbered, settings)


PLAYING_USERS = "SELECT user_id, count(*) AS events FROM events GROUP BY user_id"
"""The users of a connection's ``events``, with the number of each one's."""

PLAYED_ITEMS = "SELECT DISTINCT item FROM events"
"""The ids of items in a connection's ``events``."""

# Tables with row numbers; from_id is an id before aliases.
_USERS = """
    CREATE TEMP TABLE users AS
        SELECT *, CAST(row_number() OVER (ORDER BY user_id) - 1 AS INTEGER) AS user_row FROM ({users})
"""

_ITEMS = """
    CREATE TEMP TABLE items AS
        SELECT from_id, item, CAST(dense_rank() OVER (ORDER BY item) - 1 AS INTEGER) AS item_row
        FROM (SELECT played.item AS from_id, coalesce(to_id, played.item) AS item
              FROM ({items}) AS played LEFT JOIN aliases ON from_id = played.item)
"""


class Numbered(NamedTuple):
    """How many items there are, the events of each user (users,), and the partition (users,) that has them."""

    items: int
    events_of_users: npt.NDArray[np.int64]
    partition_of_user: npt.NDArray[np.uint16]

    @property
    def events(self) -> int:
        """The events of all users."""
        return int(self.events_of_users.sum())

    @property
    def partitions(self) -> int:
        """The number of partitions."""
        return int(self.partition_of_user[-1]) + 1 if len(self.partition_of_user) else 0


def number_rows(queries: Queries, *, users: str, items: str, memory_limit: int) -> Numbered:
    """Make the tables ``users`` and ``items``, with the row of each in the order of ids, of the connection's aliases.

    users         a query for their ids and events, such as `PLAYING_USERS`
    items         a query for their ids, such as `PLAYED_ITEMS`
    memory_limit  of what summarises a partition
    """
    queries.run(_USERS.format(users=users))
    queries.run(_ITEMS.format(items=items))
    ((count,),) = queries.rows("SELECT coalesce(max(item_row) + 1, 0) FROM items")
    counts = [batch.column(0).to_numpy() for batch in queries.batches("SELECT events FROM users ORDER BY user_row")]
    events_of_users = np.concatenate([np.zeros(0, dtype=np.int64), *counts])
    return Numbered(count, events_of_users, users_of_partitions(events_of_users, memory_limit=memory_limit))


def newest_play(queries: Queries) -> int | None:
    """Return the time of the newest of a connection's ``events``, in seconds since 1970; None for none with a time."""
    ((newest,),) = queries.rows("SELECT max(seconds) FROM events")
    return None if newest is None else int(newest)


def reference_of(newest: int | None, reference_time: datetime.datetime | None) -> float:
    """Return the seconds since 1970 that plays age towards: those of ``reference_time``, else of the newest play."""
    if reference_time is None:
        return float(newest or 0)
    return float((reference_time - _EPOCH) // datetime.timedelta(seconds=1))


def spool_plays(queries: Queries, spool: Spool, settings: InteractionSettings, reference: float) -> Iterator[int]:
    """Write a connection's ``events`` into ``spool``, by its ``users`` and ``items``; yield how many at a time."""
    weighing = {
        "unit": float(UNIT),
        "chosen": settings.chosen_weight,
        "lean_back": settings.lean_back_weight,
        "reference": reference,
        "half_life": settings.half_life_days * 86_400,
    }
    for batch in queries.batches(_ENCODED, **weighing):
        spool.write(**{name: batch.column(name).to_numpy() for name in batch.schema.names})
        yield batch.num_rows


# All plays with rows for ids, and what each weighs in whole units.
_ENCODED = """
    SELECT user_row AS user, item_row AS item, plays,
           CAST(greatest(0, least(coalesce(seconds, 0), 4294967295)) AS UINTEGER) AS seconds,
           CASE WHEN seconds IS NULL THEN plays * CAST($unit AS BIGINT)
                ELSE CAST(round($unit
                    * CASE WHEN lean_back THEN $lean_back ELSE $chosen END
                    * CASE WHEN $half_life = 0 THEN 1.0
                           ELSE pow(0.5, greatest(0, $reference - seconds) / $half_life) END) AS BIGINT) END AS units
    FROM events
    JOIN users USING (user_id)
    JOIN items ON items.from_id = events.item
"""


def write_interactions(
    queries: Queries,
    directory: Path,
    partitions: Sequence[Partition],
    listeners: npt.NDArray[np.int64],
    numbered: Numbered,
    settings: InteractionSettings,
) -> dict[str, int]:
    """Write the `Interactions` of the summarised ``partitions`` into ``directory``, and return their rows.

    listeners  (items,) users that have each item

    Raises SettingsError if the settings leave nothing.
    """
    kept_items = listeners >= settings.min_listeners
    kept_users = np.zeros(len(numbered.events_of_users), dtype=np.bool_)
    pairs = _write_arrays(directory, partitions, kept_items, kept_users, settings)
    if numbered.events and not pairs:
        raise SettingsError(
            f"min_plays {settings.min_plays}, min_items {settings.min_items} and min_listeners "
            f"{settings.min_listeners} leave no listen of this library: lower them"
        )
    _write_ids(queries, "SELECT user_id FROM users ORDER BY user_row", kept_users, directory / "user_ids")
    _write_ids(
        queries, "SELECT DISTINCT item, item_row FROM items ORDER BY item_row", kept_items, directory / "item_ids"
    )
    return {
        "users": int(kept_users.sum()),
        "items": int(kept_items.sum()),
        "pairs": pairs,
        "events": numbered.events,
    }


def _write_arrays(
    directory: Path,
    partitions: Sequence[Partition],
    kept_items: npt.NDArray[np.bool_],
    kept_users: npt.NDArray[np.bool_],
    settings: InteractionSettings,
) -> int:
    """Join the partitions' pairs of kept items, mark the users that have any, and return their number."""
    new_rows = (np.cumsum(kept_items) - 1).astype(np.int32)
    with contextlib.ExitStack() as stack:
        indptr, indices, weights, plays, last_played = (
            stack.enter_context(GrowingArray(directory / f"{name}.npy", dtype))
            for name, dtype in (
                ("indptr", np.int64),
                ("indices", np.int32),
                ("weights", np.float32),
                ("plays", np.int32),
                ("last_played", np.uint32),
            )
        )
        indptr.append(np.zeros(1, dtype=np.int64))
        for partition in partitions:
            pairs = partition.pairs()
            pairs = pairs[kept_items[pairs["item"]]]
            users, degrees = np.unique(pairs["user"], return_counts=True)
            kept_users[users] = True
            indptr.append(len(indices) + np.cumsum(degrees, dtype=np.int64))
            indices.append(new_rows[pairs["item"]])
            weights.append(_weights(pairs["units"], settings))
            plays.append(np.minimum(pairs["plays"], np.iinfo(np.int32).max).astype(np.int32))
            last_played.append(pairs["seconds"])
        return len(indices)


def _weights(units: npt.NDArray[np.int64], settings: InteractionSettings) -> npt.NDArray[np.float32]:
    # A play so old that it rounds to nothing still is a play: one unit, so that weights stay above zero.
    counted = np.maximum(units, 1) / UNIT
    if settings.weight == "log":
        counted = np.log1p(counted / settings.epsilon)
    return counted.astype(np.float32)


def _write_ids(queries: Queries, sql: str, kept: npt.NDArray[np.bool_], stem: Path) -> None:
    """Save the kept ones of the ids that ``sql`` gives in order."""
    import pyarrow as pa

    ids = pa.chunked_array([batch.column(0) for batch in queries.batches(sql)], pa.string()).filter(pa.array(kept))
    Ids.from_arrow(ids.cast(pa.large_string()).combine_chunks()).save(stem)
