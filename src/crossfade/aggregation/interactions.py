"""Listens and counts of plays become interactions, in memory that the data's size does not change.

Over the plays e of item i by user u, with the share ω of where the play came from, the age of the play and
the half-life h of a taste:

    r = Σ ω(e) · 2^(-age(e) / h)        ("count": this is the weight; h = 0: nothing ages)
    w = ln(1 + r / ε)                   ("log")

What a listener is into just now is the same sum with a shorter half-life of its own, in the same pass; counts, which
have no times, add nothing to it, and a sum below `FAINT` is none.

Ids become row numbers first, in the order of their UTF-8 bytes. The plays are then spooled into partitions of
neighbouring users, and each partition is sorted and summed by itself, in whole numbers of 2⁻³⁰ play: sums
that no order of addition, and so no number of threads, can change. O(n log n) for n plays.

Hu, Koren & Volinsky, "Collaborative Filtering for Implicit Feedback Datasets", ICDM 2008 (the logarithm).
"""

import contextlib
import datetime
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from crossfade.aggregation.partitions import PLAY, PLAY_AND_RECENT, UNIT, Partition, Spool, users_of_partitions
from crossfade.core.arrays import GrowingArray
from crossfade.core.artifacts import translated_storage_errors
from crossfade.core.errors import NotReadyError, SettingsError
from crossfade.core.ids import ItemKind
from crossfade.core.progress import Progress, silent
from crossfade.core.queries import MEMORY_LIMIT, Queries, open_queries

LEAN_BACK = ("radio", "autoplay")
"""The sources of listens that nobody chose: they tell half as much about a taste."""

FAINT = 1 / 16
"""Of a play: a pair whose plays weigh less together is not recent. One play is that faint after four half-lives."""

_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


@dataclass(frozen=True, kw_only=True)
class InteractionSettings:
    """How plays become the weights that models learn from."""

    # the sum of the plays, or ln(1 + sum / epsilon); ALS takes a logarithm of its own unless its confidence is "linear"
    weight: Literal["count", "log"] = "count"
    epsilon: float = 1.0  # plays at which "log" turns from linear to logarithmic, 0.000001 to 1000000
    half_life_days: float = 90.0  # days in which a listen loses half its weight, 0 (never) or 0.01 to 100000
    # the same for what a listener is into just now, counted beside the whole taste for models.als.recent_share; 0 (not
    # counted) or 0.01 to 100000
    recent_half_life_days: float = 0.0
    chosen_weight: float = 1.0  # of a listen from search, library, a playlist or an unknown source, above 0 to 1
    lean_back_weight: float = 0.5  # of a listen from radio or autoplay, above 0 to 1
    min_plays: int = 1  # pairs of user and item with fewer plays are left out, >= 1
    min_items: int = 1  # users with fewer items are left out, >= 1
    min_listeners: int = 1  # items with fewer listeners are left out then, >= 1

    def __post_init__(self) -> None:
        # Written positively, so that NaN is refused too.
        if self.weight not in ("count", "log"):
            raise SettingsError(f"weight must be 'count' or 'log', not {self.weight!r}")
        if not 1e-6 <= self.epsilon <= 1e6:
            raise SettingsError(f"epsilon must be 0.000001 to 1000000 plays, not {self.epsilon}")
        for name in ("half_life_days", "recent_half_life_days"):
            if not (getattr(self, name) == 0 or 0.01 <= getattr(self, name) <= 100_000):
                raise SettingsError(f"{name} must be 0 or 0.01 to 100000 days, not {getattr(self, name)}")
        for name in ("chosen_weight", "lean_back_weight"):
            if not 0 < getattr(self, name) <= 1:
                raise SettingsError(f"{name} must be above 0 and at most 1, not {getattr(self, name)}")
        for name in ("min_plays", "min_items", "min_listeners"):
            if not getattr(self, name) >= 1:
                raise SettingsError(f"{name} must be at least 1, not {getattr(self, name)}")


def build_interactions(
    tables: Mapping[str, Sequence[Path]],
    catalog: Path | None,
    kind: ItemKind,
    directory: Path,
    settings: InteractionSettings,
    *,
    reference_time: datetime.datetime | None = None,
    progress: Progress = silent,
    memory_limit: int = MEMORY_LIMIT,
    threads: int | None = None,
) -> dict[str, int]:
    """Write the `Interactions` of the ``listens`` and ``counts`` among ``tables`` into ``directory``.

    ``tables`` lists the Parquet files by table name. ``catalog`` is the directory whose ``artist_aliases.parquet``
    and ``track_aliases.parquet`` say which ids stand for another; None: none does. Skipped listens do not count.
    Listens age towards ``reference_time``, without which it is the newest listen; counts have no times and do
    not age. What does not fit into ``memory_limit`` bytes goes to a directory below ``directory``, which is
    gone in the end.

    Gives back the rows: users, items, pairs, and the plays that they come from. A library that knows nothing of
    this ``kind`` gives interactions without users and items. Raises NotReadyError if nothing has been
    imported, SettingsError if the settings leave nothing of what has been, StorageError if the disk is full.
    """
    spool_directory = directory / "spool"
    with translated_storage_errors(directory):
        spool_directory.mkdir()
        try:
            with open_queries(spool_directory / "spill", memory_limit=memory_limit, threads=threads) as queries:
                _name_the_events(queries, tables, catalog, kind)
                if not queries.rows("SELECT 1 FROM listens UNION ALL SELECT 1 FROM counts LIMIT 1"):
                    raise NotReadyError("There are no listens yet. Run `crossfade import` with your listening history.")
                return _build(queries, directory, spool_directory, settings, reference_time, progress, memory_limit)
        finally:
            shutil.rmtree(spool_directory, ignore_errors=True)


def _name_the_events(
    queries: Queries, tables: Mapping[str, Sequence[Path]], catalog: Path | None, kind: ItemKind
) -> None:
    import pyarrow as pa

    from crossfade.core.schemas import ALIASES, COUNTS, LISTENS

    item = {"artist": "artist_id", "track": "track_id"}[kind]
    most = np.iinfo(np.int32).max
    lean_back = ", ".join(f"'{source}'" for source in LEAN_BACK)
    schemas: dict[str, tuple[Sequence[Path], pa.Schema]] = {
        "listens": (tables.get("listens", ()), LISTENS),
        "counts": (tables.get("counts", ()), COUNTS),
        "aliases": (() if catalog is None else (catalog / f"{kind}_aliases.parquet",), ALIASES),
    }
    for name, (paths, schema) in schemas.items():
        queries.view(name, paths, schema)
    queries.run(
        f"""
        CREATE TEMP VIEW events AS
            SELECT user_id, {item} AS item_id, 1 AS plays, epoch_ms(listened_at) // 1000 AS seconds,
                   lower(source) IN ({lean_back}) AS lean_back
            FROM listens WHERE NOT skipped AND {item} IS NOT NULL
            UNION ALL
            SELECT user_id, {item}, CAST(least(plays, {most}) AS INTEGER), NULL, false
            FROM counts WHERE plays >= 1 AND {item} IS NOT NULL
        """  # noqa: S608  # made of our own constants alone
    )


def _build(
    queries: Queries,
    directory: Path,
    spool_directory: Path,
    settings: InteractionSettings,
    reference_time: datetime.datetime | None,
    progress: Progress,
    memory_limit: int,
) -> dict[str, int]:
    users, items, events = _number_the_ids(queries)
    partition_of_user = users_of_partitions(_events_of_users(queries, users), memory_limit=memory_limit)
    recent = settings.recent_half_life_days > 0
    spool = Spool(
        spool_directory,
        partition_of_user,
        items=items,
        memory_limit=memory_limit,
        dtype=PLAY_AND_RECENT if recent else PLAY,
    )
    done = 0
    for batch in queries.batches(_encoded(recent), **_ageing(queries, settings, reference_time)):
        spool.write(**{name: batch.column(name).to_numpy() for name in batch.schema.names})
        done += batch.num_rows
        progress(done / 2, events, "plays")
    spool.finish()

    listeners = np.zeros(items, dtype=np.int64)
    for partition in spool.partitions:
        partition.summarise(min_plays=settings.min_plays, min_items=settings.min_items)
        listeners += partition.listeners()
        done += partition.events
        progress(done / 2, events, "plays")

    kept_items = listeners >= settings.min_listeners
    kept_users = np.zeros(users, dtype=np.bool_)
    pairs = _write_arrays(directory, spool.partitions, kept_items, kept_users, settings)
    if events and not pairs:
        raise SettingsError(
            f"min_plays {settings.min_plays}, min_items {settings.min_items} and min_listeners "
            f"{settings.min_listeners} leave no listen of this library: lower them"
        )
    _write_ids(queries, "SELECT user_id FROM users ORDER BY user_row", kept_users, directory / "user_ids")
    _write_ids(
        queries,
        "SELECT DISTINCT item_id, item_row FROM items ORDER BY item_row",
        kept_items,
        directory / "item_ids",
    )
    return {"users": int(kept_users.sum()), "items": int(kept_items.sum()), "pairs": pairs, "events": events}


def _number_the_ids(queries: Queries) -> tuple[int, int, int]:
    """Tables ``users`` and ``items`` with row numbers; how many users, items and events there are."""
    queries.run(
        """
        CREATE TEMP TABLE users AS
            SELECT user_id, CAST(row_number() OVER (ORDER BY user_id) - 1 AS INTEGER) AS user_row, events
            FROM (SELECT user_id, count(*) AS events FROM events GROUP BY user_id)
        """
    )
    queries.run(
        """
        CREATE TEMP TABLE items AS
            SELECT from_id, item_id, CAST(dense_rank() OVER (ORDER BY item_id) - 1 AS INTEGER) AS item_row
            FROM (SELECT known.item_id AS from_id, coalesce(aliases.to_id, known.item_id) AS item_id
                  FROM (SELECT DISTINCT item_id FROM events) AS known
                  LEFT JOIN aliases ON aliases.from_id = known.item_id)
        """
    )
    ((users, events),) = queries.rows("SELECT count(*), CAST(coalesce(sum(events), 0) AS BIGINT) FROM users")
    ((items,),) = queries.rows("SELECT coalesce(max(item_row) + 1, 0) FROM items")
    return users, items, events


def _events_of_users(queries: Queries, users: int) -> npt.NDArray[np.int64]:
    counts = np.empty(users, dtype=np.int64)
    for batch in queries.batches("SELECT user_row, events FROM users"):
        user_rows, events = (column.to_numpy() for column in batch.columns)
        counts[user_rows] = events
    return counts


def _encoded(recent: bool) -> str:
    """The query for all plays with rows for ids; with ``recent``, also what they weigh by the shorter half-life."""
    also = f", CASE WHEN seconds IS NULL THEN 0 ELSE {_units('recent_half_life')} END AS recent" if recent else ""
    return f"""
        SELECT user_row AS user, item_row AS item, plays,
               CAST(greatest(0, least(coalesce(seconds, 0), 4294967295)) AS UINTEGER) AS seconds,
               CASE WHEN seconds IS NULL THEN plays * CAST($unit AS BIGINT)
                    ELSE {_units("half_life")} END AS units
               {also}
        FROM events
        JOIN users USING (user_id)
        JOIN items ON items.from_id = events.item_id
    """  # noqa: S608  # made of our own constants alone


def _units(half_life: str) -> str:
    """What one play with a time weighs, in whole units."""
    return f"""
        CAST(round($unit
            * CASE WHEN lean_back THEN $lean_back ELSE $chosen END
            * CASE WHEN ${half_life} = 0 THEN 1.0
                   ELSE pow(0.5, greatest(0, $reference - seconds) / ${half_life}) END) AS BIGINT)
    """


def _ageing(
    queries: Queries, settings: InteractionSettings, reference_time: datetime.datetime | None
) -> dict[str, float]:
    ages = {"half_life": settings.half_life_days * 86_400}
    if settings.recent_half_life_days:
        ages["recent_half_life"] = settings.recent_half_life_days * 86_400
    if reference_time is None:
        ((newest,),) = queries.rows("SELECT max(seconds) FROM events") if any(ages.values()) else ((0,),)
        reference = float(newest or 0)
    else:
        reference = float((reference_time - _EPOCH) // datetime.timedelta(seconds=1))
    return {
        "unit": float(UNIT),
        "chosen": settings.chosen_weight,
        "lean_back": settings.lean_back_weight,
        "reference": reference,
        **ages,
    }


def _write_arrays(
    directory: Path,
    partitions: Sequence[Partition],
    kept_items: npt.NDArray[np.bool_],
    kept_users: npt.NDArray[np.bool_],
    settings: InteractionSettings,
) -> int:
    """Join the partitions' pairs of kept items, mark the users that have any, and give back their number."""
    new_rows = (np.cumsum(kept_items) - 1).astype(np.int32)
    with contextlib.ExitStack() as held:
        indptr, indices, weights, plays, last_played = (
            held.enter_context(GrowingArray(directory / f"{name}.npy", dtype))
            for name, dtype in (
                ("indptr", np.int64),
                ("indices", np.int32),
                ("weights", np.float32),
                ("plays", np.int32),
                ("last_played", np.uint32),
            )
        )
        recent = (
            held.enter_context(GrowingArray(directory / "recent.npy", np.float32))
            if settings.recent_half_life_days
            else None
        )
        indptr.append(np.zeros(1, dtype=np.int64))
        for partition in partitions:
            pairs = partition.pairs()
            pairs = pairs[kept_items[pairs["item"]]]
            found, degrees = np.unique(pairs["user"], return_counts=True)
            kept_users[found] = True
            indptr.append(len(indices) + np.cumsum(degrees, dtype=np.int64))
            indices.append(new_rows[pairs["item"]])
            weights.append(_weights(pairs["units"], settings))
            plays.append(np.minimum(pairs["plays"], np.iinfo(np.int32).max).astype(np.int32))
            last_played.append(pairs["seconds"])
            if recent is not None:
                faint = pairs["recent"] < FAINT * UNIT
                recent.append(np.where(faint, np.float32(0), _weights(pairs["recent"], settings)))
        return len(indices)


def _weights(units: npt.NDArray[np.int64], settings: InteractionSettings) -> npt.NDArray[np.float32]:
    # A play so old that it rounds to nothing still is a play: one unit, so that weights stay above zero.
    counted = np.maximum(units, 1) / UNIT
    if settings.weight == "log":
        counted = np.log1p(counted / settings.epsilon)
    return counted.astype(np.float32)


def _write_ids(queries: Queries, sql: str, kept: npt.NDArray[np.bool_], stem: Path) -> None:
    """Write the kept ones of the ids that ``sql`` gives in order, as `Ids.load` reads them."""
    import pyarrow as pa

    row = 0
    with (
        GrowingArray(stem.with_name(stem.name + ".bytes.npy"), np.uint8) as text,
        GrowingArray(stem.with_name(stem.name + ".offsets.npy"), np.int64) as offsets,
    ):
        offsets.append(np.zeros(1, dtype=np.int64))
        for batch in queries.batches(sql):
            mask = pa.array(kept[row : row + batch.num_rows])
            names = batch.column(0).cast(pa.large_string()).filter(mask)
            row += batch.num_rows
            _, starts, content = names.buffers()
            ends = np.frombuffer(starts, dtype=np.int64)[names.offset : names.offset + len(names) + 1]
            offsets.append(len(text) + ends[1:] - ends[0])
            if content is not None:
                text.append(np.frombuffer(content, dtype=np.uint8)[ends[0] : ends[-1]])
