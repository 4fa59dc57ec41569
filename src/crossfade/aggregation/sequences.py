"""Playlists and listening sessions become sequences of items, in memory that the data's size does not change.

A playlist is taken in the order of its positions, a listener's history in the order of time, cut wherever nothing was
begun for longer than the gap. Skipped listens are left out. An item that follows itself counts once. Playlists that say
nothing of what belongs together are left out: a whole album in order, the dump of a library, and whatever one owner
made beyond a hundred.

O(n log n) for n listens, by DuckDB, which spills what does not fit.
"""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from crossfade.core.arrays import GrowingArray
from crossfade.core.artifacts import translated_storage_errors
from crossfade.core.errors import SettingsError
from crossfade.core.ids import MISSING, Ids, ItemKind, Rows
from crossfade.core.progress import Progress, silent
from crossfade.core.queries import MEMORY_LIMIT, Queries, open_queries

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, kw_only=True)
class SequenceSettings:
    """What counts as a sequence."""

    gap_minutes: float = 30.0  # minutes without a new listen that end a session, above 0 to 10000
    shortest: int = 3  # items that a sequence has at least, 2 to 100
    longest: int = 500  # items from which on a playlist is a dump and left out, and a session is cut; 10 to 100000
    per_owner: int = 100  # playlists taken of one owner at most, 1 or more

    def __post_init__(self) -> None:
        # Written positively, so that NaN is refused too.
        if not 0 < self.gap_minutes <= 10_000:
            raise SettingsError(f"gap_minutes must be above 0 and at most 10000, not {self.gap_minutes}")
        for name, least, most in (("shortest", 2, 100), ("longest", 10, 100_000), ("per_owner", 1, 2**31)):
            if not least <= getattr(self, name) <= most:
                raise SettingsError(f"{name} must be {least} to {most}, not {getattr(self, name)}")
        if self.shortest > self.longest:
            raise SettingsError(f"shortest ({self.shortest}) must not exceed longest ({self.longest})")


def build_sequences(
    listens: Sequence[Path],
    catalog: Path,
    kind: ItemKind,
    item_ids: Ids,
    directory: Path,
    settings: SequenceSettings,
    *,
    progress: Progress = silent,
    memory_limit: int = MEMORY_LIMIT,
    threads: int | None = None,
) -> dict[str, int]:
    """Write the `Sequences` of the playlists in ``catalog`` and of the Parquet files ``listens`` into ``directory``.

    ``item_ids`` are the items that count; sequences have their rows. Gives back how many playlists and sessions
    there are, and the items in them. Raises StorageError if the disk is full.
    """
    spill = directory / "spill"
    rows: dict[str, int] = {}
    with translated_storage_errors(directory):
        try:
            with (
                open_queries(spill, memory_limit=memory_limit, threads=threads) as queries,
                _Writer(directory, item_ids, settings) as writer,
            ):
                _open_tables(queries, listens, catalog, kind)
                sources = {"playlists": _PLAYLISTS, "sessions": _SESSIONS}
                values: Mapping[str, Mapping[str, object]] = {
                    "playlists": {"longest": settings.longest, "per_owner": settings.per_owner},
                    "sessions": {"gap": settings.gap_minutes * 60_000},
                }
                for number, (source, sql) in enumerate(sources.items()):
                    before = writer.sequences
                    for batch in queries.batches(sql.format(item=f"{kind}_id"), **values[source]):
                        writer.add(batch.column("begins").to_numpy(zero_copy_only=False), batch.column("item"))
                    writer.end()
                    rows[source] = writer.sequences - before
                    progress(number + 1, len(sources), "sources")
                rows["items"] = writer.items
            item_ids.save(directory / "item_ids")
        finally:
            shutil.rmtree(spill, ignore_errors=True)
    return rows


def _open_tables(queries: Queries, listens: Sequence[Path], catalog: Path, kind: ItemKind) -> None:
    from crossfade.core.schemas import ALIASES, LISTENS, PLAYLIST_ITEMS, PLAYLISTS, TRACKS

    queries.view("listens", listens, LISTENS)
    queries.view("aliases", [catalog / f"{kind}_aliases.parquet"], ALIASES)
    queries.view("playlists", [catalog / "playlists.parquet"], PLAYLISTS)
    queries.view("playlist_items", [catalog / "playlist_items.parquet"], PLAYLIST_ITEMS)
    queries.view("tracks", [catalog / "tracks.parquet"], TRACKS)


# A playlist of one album that nobody else is on, each track once, is that album.
_PLAYLISTS = """
    WITH fit AS (
        SELECT playlist_id
        FROM playlist_items
        LEFT JOIN (SELECT track_id, artist_id AS maker, album FROM tracks) USING (track_id)
        GROUP BY playlist_id
        HAVING count(*) <= $longest
           AND NOT (
               count(DISTINCT row(maker, album)) = 1 AND count(album) = count(*) AND count(DISTINCT track_id) = count(*)
           )
    ),
    taken AS (
        SELECT playlist_id
        FROM fit JOIN playlists USING (playlist_id)
        QUALIFY owner IS NULL OR row_number() OVER (PARTITION BY owner ORDER BY playlist_id) <= $per_owner
    )
    SELECT {item} AS item, row_number() OVER (PARTITION BY playlist_id ORDER BY position) = 1 AS begins
    FROM playlist_items JOIN taken USING (playlist_id)
    ORDER BY playlist_id, position
"""

_SESSIONS = """
    SELECT item,
           coalesce(begun - lag(begun) OVER (PARTITION BY user_id ORDER BY begun, item) > $gap, true) AS begins
    FROM (
        SELECT user_id, epoch_ms(listened_at) AS begun, coalesce(to_id, {item}) AS item
        FROM listens LEFT JOIN aliases ON from_id = {item}
        WHERE NOT skipped AND {item} IS NOT NULL
    )
    ORDER BY user_id, begun, item
"""


class _Writer:
    """Sequences as they come in, written once they are known to the end."""

    def __init__(self, directory: Path, item_ids: Ids, settings: SequenceSettings) -> None:
        self._known = item_ids.to_arrow()
        self._settings = settings
        self._indptr = GrowingArray(directory / "indptr.npy", np.int64)
        self._indices = GrowingArray(directory / "indices.npy", np.int32)
        self._indptr.append(np.zeros(1, dtype=np.int64))
        self._waiting: Rows = np.zeros(0, dtype=np.int32)

    def __enter__(self) -> "_Writer":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._indptr.__exit__(kind, error, trace)
        self._indices.__exit__(kind, error, trace)

    @property
    def sequences(self) -> int:
        return len(self._indptr) - 1

    @property
    def items(self) -> int:
        return len(self._indices)

    def add(self, begins: npt.NDArray[np.bool_], names: "pa.Array") -> None:
        """More items, each with whether a sequence begins there; the last sequence may go on in the next call."""
        import pyarrow.compute as pc

        found = pc.index_in(names.cast(self._known.type), value_set=self._known).fill_null(MISSING)
        rows = np.concatenate([self._waiting, found.to_numpy(zero_copy_only=False).astype(np.int32)])
        starts = np.flatnonzero(begins) + len(self._waiting)
        if len(starts) == 0:
            self._waiting = rows
            return
        self._waiting = rows[starts[-1] :]
        self._write(rows[: starts[-1]], np.concatenate(([0], starts[:-1])))

    def end(self) -> None:
        """The last sequence is over."""
        waiting, self._waiting = self._waiting, np.zeros(0, dtype=np.int32)
        self._write(waiting, np.zeros(1, dtype=np.int64))

    def _write(self, rows: Rows, starts: npt.NDArray[np.int64]) -> None:
        sequence = np.searchsorted(starts, np.arange(len(rows)), side="right")
        known = rows != MISSING
        rows, sequence = rows[known], sequence[known]
        follows_itself = np.zeros(len(rows), dtype=np.bool_)
        follows_itself[1:] = (rows[1:] == rows[:-1]) & (sequence[1:] == sequence[:-1])
        rows, sequence = rows[~follows_itself], sequence[~follows_itself]
        # A sequence that is too long goes on as another.
        place = (np.arange(len(rows)) - np.searchsorted(sequence, sequence)) // self._settings.longest
        begins = np.ones(len(rows), dtype=np.bool_)
        begins[1:] = (sequence[1:] != sequence[:-1]) | (place[1:] != place[:-1])
        piece = np.cumsum(begins) - 1
        lengths = np.bincount(piece)
        kept = lengths >= self._settings.shortest
        self._indptr.append(self.items + np.cumsum(lengths[kept], dtype=np.int64))
        self._indices.append(rows[kept[piece]])
