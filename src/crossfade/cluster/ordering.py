"""Sequences on many machines, by `crossfade.aggregation.sequences`' own queries.

Tasks take buckets of users, and cut the histories of those into sessions. The driver reads playlists, which are few,
and puts the sessions of all users in the order of their ids.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from crossfade.aggregation.sequences import (
    Found,
    SequenceSettings,
    listeners,
    open_tables,
    playlists,
    sessions,
    writing_sequences,
)
from crossfade.cluster.engine import Engine
from crossfade.cluster.shares import Shares
from crossfade.core.arrays import GrowingArray, load_array
from crossfade.core.artifacts import translated_storage_errors
from crossfade.core.csr import starts_of
from crossfade.core.ids import Ids
from crossfade.core.progress import Progress, silent
from crossfade.core.replacing import make_directory, remove

TOGETHER = 1 << 20
"""Sequences that are written together."""


@dataclass(frozen=True, kw_only=True)
class Listens:
    """What sequences are made of.

    paths     the Parquet files of listens
    catalog   the directory of playlists and aliases
    item_ids  where the ids of the items that count are saved
    """

    paths: tuple[Path, ...]
    catalog: Path
    kind: str
    item_ids: Path
    settings: SequenceSettings


def order_sequences(
    engine: Engine, listens: Listens, directory: Path, shares: Shares, *, progress: Progress = silent
) -> dict[str, int]:
    """Write the `Sequences` of ``listens`` into ``directory``, with the bytes of the single machine's.

    Returns the rows, as `crossfade.aggregation.sequences.build_sequences` does; the errors are its own.
    """
    make_directory(shares.workspace)
    item_ids, rows = Ids.load(listens.item_ids), {}
    with translated_storage_errors(directory), writing_sequences(directory, item_ids) as written:
        with shares.queries() as queries:
            open_tables(queries, (), listens.catalog)
            written.add(playlists(queries, listens.kind, item_ids, listens.settings))
        rows["playlists"] = written.number
        engine.each(_Sessions(listens, shares), shares.number)
        progress(1, 2, "sources")
        written.add(_in_order(shares))
        rows["sessions"] = written.number - rows["playlists"]
        progress(2, 2, "sources")
        rows["items"] = written.items
    remove(shares.workspace)
    return rows


@dataclass(frozen=True)
class _Sessions:
    """Writes the sessions of the users of a share: their items, their lengths, their owners, and the owners' ids."""

    listens: Listens
    shares: Shares

    def __call__(self, share: int) -> None:
        import pyarrow as pa

        kind, item_ids = self.listens.kind, Ids.load(self.listens.item_ids)
        with self.shares.making("sessions", share) as draft:
            if draft is None:
                return
            with (
                self.shares.queries() as queries,
                GrowingArray(draft.path / "items.npy", np.int32) as items,
                GrowingArray(draft.path / "lengths.npy", np.int64) as lengths,
                GrowingArray(draft.path / "owners.npy", np.int64) as owners,
            ):
                open_tables(queries, self.listens.paths, self.listens.catalog, self.shares.buckets(share))
                for found in sessions(queries, kind, item_ids, self.listens.settings):
                    items.append(found.items)
                    lengths.append(found.lengths)
                    owners.append(found.owners)
                named = [batch.column(0) for batch in queries.batches(listeners(kind))]
                ids = pa.chunked_array(named, pa.string()).cast(pa.large_string()).combine_chunks()
            Ids.from_arrow(ids).save(draft.path / "user_ids")


def _in_order(shares: Shares) -> Iterator[Found]:
    """Yield the sessions of all shares, in the order of their owners' ids and of time."""
    places = [shares.place("sessions", share) for share in range(shares.number)]
    ranks = _ranks([Ids.load(place / "user_ids") for place in places])
    lengths = [load_array(place / "lengths.npy", dtype=np.int64, ndim=1) for place in places]
    owners = [
        rank[load_array(place / "owners.npy", dtype=np.int64, ndim=1)]
        for rank, place in zip(ranks, places, strict=True)
    ]
    all_lengths, all_owners = np.concatenate(lengths), np.concatenate(owners)
    order = np.argsort(all_owners, kind="stable")
    starts = starts_of(all_lengths[order])
    total = int(starts[-1])
    if not total:
        return
    targets = np.empty(len(order), dtype=np.int64)
    targets[order] = starts[:-1]
    path = shares.workspace / "ordered"
    ordered = np.memmap(path, dtype=np.int32, mode="w+", shape=(total,))
    first = 0
    for place, of_share in zip(places, lengths, strict=True):
        offsets = targets[first : first + len(of_share)] - starts_of(of_share)[:-1]
        items = load_array(place / "items.npy", dtype=np.int32, ndim=1)
        ordered[np.arange(len(items)) + np.repeat(offsets, of_share)] = items
        first += len(of_share)
    for begin in range(0, len(order), TOGETHER):
        some = order[begin : begin + TOGETHER]
        yield Found(ordered[starts[begin] : starts[begin + len(some)]], all_lengths[some], all_owners[some])


def _ranks(users: list[Ids]) -> list[npt.NDArray[np.int64]]:
    """The place of each of the ``users`` of every share among all of them."""
    import pyarrow as pa
    import pyarrow.compute as pc

    order = pc.sort_indices(pa.chunked_array([ids.to_arrow().cast(pa.large_binary()) for ids in users]))
    ranks = np.empty(len(order), dtype=np.int64)
    ranks[order.to_numpy()] = np.arange(len(order))
    return np.split(ranks, np.cumsum([len(ids) for ids in users])[:-1])
