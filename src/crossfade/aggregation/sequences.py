"""Playlists and listening sessions become sequences of items, in memory that the data's size does not change.

A playlist is read in the order of its positions, a listener's history in the order of time, cut wherever nothing was
begun for longer than the gap. Skipped listens are left out. An item that follows itself counts once. Playlists that say
nothing about what belongs together are left out: a whole album in order, the dump of a library, and whatever one owner
made beyond a hundred.

O(n log n) for n listens, by DuckDB, which spills what does not fit.
"""

import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import numpy.typing as npt

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
    sources: dict[str, tuple[str, str, dict[str, object]]] = {
        "playlists": (_PLAYLISTS, "playlist_items", {"longest": settings.longest, "per_owner": settings.per_owner}),
        "sessions": (_SESSIONS, "listens", {"kind": kind, "gap": settings.gap_minutes * 60_000, "before": before}),
    }
    rows: dict[str, int] = {}
    with translated_storage_errors(directory):
        try:
            with (
                open_queries(spill, memory_limit=memory_limit, threads=threads) as queries,
                GrowingArray(directory / "indptr.npy", np.int64) as indptr,
                GrowingArray(directory / "indices.npy", np.int32) as indices,
            ):
                _open_tables(queries, listens, catalog)
                indptr.append(np.zeros(1, dtype=np.int64))
                for number, (source, (sql, table, values)) in enumerate(sources.items()):
                    before = len(indptr)
                    batches = queries.batches(sql.format(about=rows_about(kind, table)), **values)
                    for items, starts in _whole_sequences(batches, item_ids):
                        items, lengths = _kept(items, starts, settings)
                        indptr.append(len(indices) + np.cumsum(lengths, dtype=np.int64))
                        indices.append(items)
                    rows[source] = len(indptr) - before
                    progress(number + 1, len(sources), "sources")
                rows["items"] = len(indices)
            item_ids.save(directory / "item_ids")
        finally:
            shutil.rmtree(spill, ignore_errors=True)
    return rows


def _open_tables(queries: Queries, listens: Sequence[Path], catalog: Path) -> None:
    from crossfade.core.schemas import ALIASES, LISTENS, PLAYLIST_ITEMS, PLAYLISTS, items_schema

    queries.view("listens", listens, LISTENS)
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
    SELECT item, row_number() OVER (PARTITION BY playlist_id ORDER BY position) = 1 AS begins
    FROM ({about}) JOIN taken USING (playlist_id)
    ORDER BY playlist_id, position
"""

_SESSIONS = """
    SELECT item,
           coalesce(begun - lag(begun) OVER (PARTITION BY user_id ORDER BY begun, item) > $gap, true) AS begins
    FROM (
        SELECT user_id, epoch_ms(listened_at) AS begun, coalesce(to_id, about.item) AS item
        FROM ({about}) AS about LEFT JOIN aliases ON aliases.kind = $kind AND from_id = about.item
        WHERE NOT skipped AND coalesce(epoch_ms(listened_at) < $before, true)
    )
    ORDER BY user_id, begun, item
"""


def _whole_sequences(
    batches: Iterable["pa.RecordBatch"], item_ids: Ids
) -> Iterator[tuple[Rows, npt.NDArray[np.int64]]]:
    """Yield the item rows (n,) of whole sequences, MISSING for unknown items, and where each sequence starts."""
    unfinished: Rows = np.zeros(0, dtype=np.int32)
    for batch in batches:
        rows = np.concatenate([unfinished, item_ids.rows_of_arrow(batch.column("item"))])
        starts = np.flatnonzero(batch.column("begins").to_numpy(zero_copy_only=False)) + len(unfinished)
        unfinished = rows[starts[-1] :] if len(starts) else rows
        if len(starts):
            yield rows[: starts[-1]], np.concatenate(([0], starts[:-1]))
    yield unfinished, np.zeros(1, dtype=np.int64)


def _kept(rows: Rows, starts: npt.NDArray[np.int64], settings: SequenceSettings) -> tuple[Rows, npt.NDArray[np.int64]]:
    """The items of the sequences that are used, without MISSING and repeated ones, and the length of each."""
    sequence = np.searchsorted(starts, np.arange(len(rows)), side="right")
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
    return rows[kept[piece]], lengths[kept]
