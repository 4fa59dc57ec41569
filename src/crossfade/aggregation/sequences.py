"""Playlists and listening sessions become sequences of items, in memory that the data's size does not change.

A playlist is read in the order of its positions, a listener's history in the order of time, cut wherever nothing was
begun for longer than the gap. Skipped listens are left out. An item that follows itself counts once. Playlists that say
nothing about what belongs together are left out: a whole album in order, the dump of a library, and whatever one owner
made beyond a hundred.

O(n log n) for n listens, by DuckDB, which spills what does not fit.
"""

import contextlib
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import numpy as np
import numpy.typing as npt

from crossfade.aggregation.plays import view_listens
from crossfade.core.arrays import GrowingArray
from crossfade.core.artifacts import translated_storage_errors
from crossfade.core.errors import SettingsError
from crossfade.core.ids import MISSING, Ids, Rows
from crossfade.core.kinds import KINDS
from crossfade.core.progress import Progress, silent
from crossfade.core.queries import MEMORY_LIMIT, Queries, open_queries, rows_about
from crossfade.core.settings import Checked, Range

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, kw_only=True)
class SequenceSettings(Checked):
    """What counts as a sequence."""

    # time without a new listen that ends a session
    gap_minutes: Annotated[float, Range(above=0, high=10_000, unit="minutes")] = 30.0
    shortest: Annotated[int, Range(2, 100)] = 3  # items that a sequence has at least
    # items above which a playlist is a dump and left out, and at which a session is cut
    longest: Annotated[int, Range(10, 100_000)] = 500
    per_owner: Annotated[int, Range(1, 2**31)] = 100  # playlists of one owner that are used, at most

    def __post_init__(self) -> None:
        """Raise SettingsError for values that do not fit each other either."""
        super().__post_init__()
        if self.shortest > self.longest:
            raise SettingsError(f"shortest ({self.shortest}) must not exceed longest ({self.longest})")


def build_sequences(
    listens: Sequence[Path],
    catalog: Path,
    kind: str,
    item_ids: Ids,
    directory: Path,
    settings: SequenceSettings,
    *,
    before: int | None = None,
    progress: Progress = silent,
    memory_limit: int = MEMORY_LIMIT,
    threads: int | None = None,
) -> dict[str, int]:
    """Write the `Sequences` of the playlists in ``catalog`` and of the Parquet files ``listens`` into ``directory``.

    ``item_ids`` are the items of ``kind`` that count; sequences contain their rows. What is said of a child is said of
    its parent too. Listens from ``before`` on, in milliseconds since 1970, are left out. Returns how many playlists and
    sessions there are, and the items in them. Raises StorageError if the disk is full.
    """
    spill = directory / "spill"
    rows: dict[str, int] = {}
    with translated_storage_errors(directory):
        try:
            with (
                open_queries(spill, memory_limit=memory_limit, threads=threads) as queries,
                writing_sequences(directory, item_ids) as written,
            ):
                open_tables(queries, listens, catalog)
                written.add(playlists(queries, kind, item_ids, settings))
                rows["playlists"] = written.number
                progress(1, 2, "sources")
                written.add(sessions(queries, kind, item_ids, settings, before=before))
                rows["sessions"] = written.number - rows["playlists"]
                progress(2, 2, "sources")
                rows["items"] = written.items
        finally:
            shutil.rmtree(spill, ignore_errors=True)
    return rows


class Found(NamedTuple):
    """Some n sequences: the items of all of them, and of each its length and whose it is, numbered in order of ids."""

    items: Rows
    lengths: npt.NDArray[np.int64]
    owners: npt.NDArray[np.int64]


class Written(NamedTuple):
    """The arrays of `Sequences` that are being written."""

    indptr: GrowingArray
    indices: GrowingArray

    @property
    def number(self) -> int:
        """Sequences that are written."""
        return len(self.indptr) - 1

    @property
    def items(self) -> int:
        """Items in them."""
        return len(self.indices)

    def add(self, found: Iterable[Found]) -> None:
        """Write the sequences of all ``found``, in their order."""
        for items, lengths, _ in found:
            self.indptr.append(len(self.indices) + np.cumsum(lengths, dtype=np.int64))
            self.indices.append(items)


@contextlib.contextmanager
def writing_sequences(directory: Path, item_ids: Ids) -> Iterator[Written]:
    """Yield what writes the `Sequences` of ``item_ids`` into ``directory``."""
    with (
        GrowingArray(directory / "indptr.npy", np.int64) as indptr,
        GrowingArray(directory / "indices.npy", np.int32) as indices,
    ):
        indptr.append(np.zeros(1, dtype=np.int64))
        yield Written(indptr, indices)
    item_ids.save(directory / "item_ids")


def playlists(queries: Queries, kind: str, item_ids: Ids, settings: SequenceSettings) -> Iterator[Found]:
    """Yield the playlists that are used, in the order of their ids, after `open_tables`."""
    sql = _PLAYLISTS.format(about=rows_about(kind, "playlist_items"))
    return _found(queries.batches(sql, longest=settings.longest, per_owner=settings.per_owner), item_ids, settings)


def sessions(
    queries: Queries, kind: str, item_ids: Ids, settings: SequenceSettings, *, before: int | None = None
) -> Iterator[Found]:
    """Yield the sessions, in the order of the listeners' ids and of time, after `open_tables`."""
    sql = _SESSIONS.format(about=rows_about(kind, "listens"))
    batches = queries.batches(sql, kind=kind, gap=settings.gap_minutes * 60_000, before=before)
    return _found(batches, item_ids, settings)


def listeners(kind: str) -> str:
    """Return a query for the ids of the owners of all `sessions`, in their order."""
    return _LISTENERS.format(about=rows_about(kind, "listens"))


def open_tables(
    queries: Queries, listens: Sequence[Path], catalog: Path, buckets: tuple[int, int] | None = None
) -> None:
    """Make the views that sequences are read from; of listens those of users in ``buckets``, or of all."""
    from crossfade.core.schemas import ALIASES, PLAYLIST_ITEMS, PLAYLISTS, items_schema

    view_listens(queries, listens, buckets)
    queries.view("aliases", [catalog / "aliases.parquet"], ALIASES)
    queries.view("playlists", [catalog / "playlists.parquet"], PLAYLISTS)
    queries.view("playlist_items", [catalog / "playlist_items.parquet"], PLAYLIST_ITEMS)
    with_albums = [kind for kind in KINDS.values() if "album" in (field.name for field in kind.fields)]
    for kind in with_albums:
        queries.view(kind.plural, [catalog / f"{kind.plural}.parquet"], items_schema(kind))
    albums = " UNION ALL ".join(
        f"SELECT '{kind.name}' AS kind, item_id, parent_id AS album_by, album FROM {kind.plural}"  # noqa: S608
        for kind in with_albums
    )
    queries.run(f"CREATE TEMP VIEW albums AS {albums}")


# A playlist of one album that nobody else is on, each track once, is that album.
_PLAYLISTS = """
    WITH fit AS (
        SELECT playlist_id
        FROM playlist_items LEFT JOIN albums USING (kind, item_id)
        GROUP BY playlist_id
        HAVING count(*) <= $longest
           AND NOT (
               count(DISTINCT row(album_by, album)) = 1 AND count(album) = count(*)
               AND count(DISTINCT item_id) = count(*)
           )
    ),
    taken AS (
        SELECT playlist_id
        FROM fit JOIN playlists USING (playlist_id)
        QUALIFY owner IS NULL OR row_number() OVER (PARTITION BY owner ORDER BY playlist_id) <= $per_owner
    )
    SELECT item,
           CASE WHEN row_number() OVER (PARTITION BY playlist_id ORDER BY position) = 1 THEN 2 ELSE 0 END AS begins
    FROM ({about}) JOIN taken USING (playlist_id)
    ORDER BY playlist_id, position
"""

_BEGUN = """
        SELECT user_id, epoch_ms(listened_at) AS begun, about.item
        FROM ({about}) AS about
        WHERE NOT skipped
"""

_SESSIONS = f"""
    SELECT item,
           CASE WHEN last IS NULL THEN 2 WHEN begun - last > $gap THEN 1 ELSE 0 END AS begins
    FROM (
        SELECT *, lag(begun) OVER (PARTITION BY user_id ORDER BY begun, item) AS last
        FROM (
            SELECT user_id, begun, coalesce(to_id, listen.item) AS item
            FROM ({_BEGUN}) AS listen LEFT JOIN aliases ON aliases.kind = $kind AND from_id = listen.item
            WHERE coalesce(begun < $before, true)
        )
    )
    ORDER BY user_id, begun, item
"""  # noqa: S608  # constants alone

_LISTENERS = f"SELECT DISTINCT user_id FROM ({_BEGUN}) ORDER BY user_id"  # noqa: S608  # constants alone


def _found(batches: Iterable["pa.RecordBatch"], item_ids: Ids, settings: SequenceSettings) -> Iterator[Found]:
    """Yield the sequences that are used of rows with the columns item and begins.

    begins  2 for the first row of an owner, 1 for that of a further sequence, 0 for any other
    """
    owners = 0
    for rows, starts, begins in _whole_sequences(batches, item_ids):
        owner = owners - 1 + np.cumsum(begins == OWNER)
        owners += int((begins == OWNER).sum())
        yield _kept(rows, starts, owner, settings)


OWNER = 2


def _whole_sequences(
    batches: Iterable["pa.RecordBatch"], item_ids: Ids
) -> Iterator[tuple[Rows, npt.NDArray[np.int64], npt.NDArray[np.int8]]]:
    """Yield the item rows (n,) of whole sequences, MISSING for unknown items, where each starts, and how it begins."""
    rows: Rows = np.zeros(0, dtype=np.int32)
    how = np.zeros(0, dtype=np.int8)
    for batch in batches:
        rows = np.concatenate([rows, item_ids.rows_of_arrow(batch.column("item"))])
        how = np.concatenate([how, batch.column("begins").to_numpy().astype(np.int8)])
        starts = np.flatnonzero(how)
        if len(starts) > 1:
            yield rows[: starts[-1]], starts[:-1], how[starts[:-1]]
            rows, how = rows[starts[-1] :], how[starts[-1] :]
    if len(rows):
        yield rows, np.zeros(1, dtype=np.int64), how[:1]


def _kept(
    rows: Rows, starts: npt.NDArray[np.int64], owners: npt.NDArray[np.int64], settings: SequenceSettings
) -> Found:
    """The sequences that are used, without MISSING and repeated items."""
    sequence = np.searchsorted(starts, np.arange(len(rows)), side="right") - 1
    rows, sequence = rows[rows != MISSING], sequence[rows != MISSING]
    new = np.ones(len(rows), dtype=np.bool_)
    new[1:] = (rows[1:] != rows[:-1]) | (sequence[1:] != sequence[:-1])
    rows, sequence = rows[new], sequence[new]
    # A sequence that is too long continues as another.
    place = (np.arange(len(rows)) - np.searchsorted(sequence, sequence)) // settings.longest
    begins = np.ones(len(rows), dtype=np.bool_)
    begins[1:] = (sequence[1:] != sequence[:-1]) | (place[1:] != place[:-1])
    piece = np.cumsum(begins) - 1
    lengths = np.bincount(piece)
    kept = lengths >= settings.shortest
    return Found(rows[kept[piece]], lengths[kept], owners[sequence[begins]][kept])
