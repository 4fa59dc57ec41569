"""How long a release takes to load into Cassandra and into SQLite, and how fast one process reads it by key.

    python -m benchmarks.cassandra                         300,000 tracks, 250 neighbours each; Java 17, minutes
    python -m benchmarks.cassandra --tracks 20000          soon done

The table is random: nothing in it compresses, and no list names what another one does more often than by chance. A
real node of Cassandra on this machine is loaded with it, and shares its disk and processors with us. A load ends when
the release has been read back and compared. Reads are of lists by random keys, without the items' names, which a
server keeps in memory: from one thread, one after the other, and from several.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from tests.servers.cassandra import ring

from benchmarks.case import Findings, run_case
from benchmarks.record import Comparison, Side
from crossfade.core.catalogue import Catalogue, Items
from crossfade.core.home import Home
from crossfade.core.ids import Ids
from crossfade.core.kinds import KINDS
from crossfade.core.tables import SurfaceTable
from crossfade.stores.contract import Version
from crossfade.stores.registry import StoreSettings, open_store

VERSION = Version("000001-0123456789ab")


def release(tracks: int, size: int) -> tuple[Catalogue, SurfaceTable]:
    """A catalogue of tracks, and a table of ``size`` random neighbours for each."""
    rng = np.random.default_rng(0)
    ids = Ids.of(f"mb:{number:08d}-71a5-4011-9441-d0b5e4122711" for number in range(tracks))
    words = [f"w{number}" for number in range(5000)]
    named = rng.zipf(1.3, (tracks, 3)) % len(words)
    fields: dict[str, Any] = {
        field.name: [""] * tracks if field.type == "text" else np.zeros(tracks, np.int32)
        for field in KINDS["track"].fields
    }
    items = Items(
        kind="track",
        ids=ids,
        names=[" ".join(words[word] for word in row) for row in named],
        listeners=rng.integers(1, 100_000, tracks),
        plays=rng.integers(1, 1_000_000, tracks),
        parents=np.full(tracks, -1, np.int32),
        fields=fields,
    )
    table = SurfaceTable(
        surface="radio",
        key="track",
        kind="track",
        keys=ids,
        indptr=np.arange(tracks + 1, dtype=np.int64) * size,
        items=rng.integers(0, tracks, tracks * size, dtype=np.int32),
        columns={"score": rng.random(tracks * size, dtype=np.float32)},
    )
    return Catalogue([items]), table


def clocked(work: Callable[[], Any]) -> tuple[float, float]:
    """Seconds by the clock and of this process's processors."""
    began, used = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - began, time.process_time() - used


def reads(ask: Callable[[str], Any], keys: Sequence[str], threads: int) -> tuple[float, np.ndarray]:
    """Seconds in all, and of each read, with as many threads asking one key after the other."""

    def some(part: Sequence[str]) -> list[float]:
        took = []
        for key in part:
            began = time.perf_counter()
            ask(key)
            took.append(time.perf_counter() - began)
        return took

    began = time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        parts = list(pool.map(some, [keys[place::threads] for place in range(threads)]))
    return time.perf_counter() - began, np.concatenate(parts)


def measured(
    kind: str, chosen: argparse.Namespace, port: int, scratch: Path, catalogue: Catalogue, table: SurfaceTable
) -> tuple[Side, list[Side]]:
    """The load of one store, and its reads by number of threads."""
    rng = np.random.default_rng(1)
    keys = [table.keys[int(row)] for row in rng.integers(0, chosen.tracks, chosen.reads)]
    megabytes = chosen.tracks * chosen.size * 8 / 1e6
    settings = StoreSettings(
        kind=kind, port=port, keyspace="benchmark", replication=1, connect_seconds=60.0, request_seconds=60.0
    )
    home = Home(scratch / kind)
    home.prepare()
    store = open_store(home, settings)[1]
    seconds, processor = clocked(lambda: store.write(VERSION, catalogue, [table]))
    load = Side(
        name=kind,
        turns=[seconds],
        processor=[processor],
        figures={
            "rows_per_second": round(chosen.tracks / seconds),
            "megabytes_per_second": round(megabytes / seconds, 1),
        },
    )
    tables, asked = store.open(VERSION), []

    def ask(key: str) -> int:
        return tables.count(table.name, key)

    reads(ask, keys[: len(keys) // 4], 1)
    for threads in chosen.readers:
        used = time.process_time()
        total, took = reads(ask, keys, threads)
        asked.append(
            Side(
                name=f"{kind}, {threads} {'thread' if threads == 1 else 'threads'}",
                turns=[total],
                processor=[time.process_time() - used],
                figures={
                    "reads_per_second": round(len(keys) / total),
                    **{f"p{share}_ms": round(float(np.percentile(took, share)) * 1000, 2) for share in (50, 99)},
                },
            )
        )
    tables.close()
    store.drop(VERSION)
    return load, asked


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--tracks", type=int, default=300_000)
    parser.add_argument("--size", type=int, default=250, help="neighbours of each")
    parser.add_argument("--reads", type=int, default=20_000)
    parser.add_argument("--readers", type=int, nargs="+", default=[1, 8], help="threads that read")
    parser.add_argument("--heap", default="1G", help="of Cassandra")
    parser.add_argument("--scratch", type=Path, help="the directory of the stores; a temporary one by default")


def measure(chosen: argparse.Namespace) -> Findings:
    catalogue, table = release(chosen.tracks, chosen.size)
    with TemporaryDirectory(dir=chosen.scratch) as scratch:
        node = ring(Path(scratch) / "node", heap=chosen.heap, quick=False).start()
        try:
            found = [
                measured(kind, chosen, node.port, Path(scratch), catalogue, table) for kind in ("cassandra", "sqlite")
            ]
        finally:
            node.wipe()
    loads = Comparison(name="load", unit="a release", sides=[load for load, _ in found])
    asked = Comparison(
        name="reads", unit=f"{chosen.reads:,} reads", sides=[side for _, reading in found for side in reading]
    )
    return Findings(comparisons=[loads, asked])


if __name__ == "__main__":
    run_case(__doc__, options, measure, turns=1)
