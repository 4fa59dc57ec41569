"""How fast, and in how much memory, listens become interactions.

    python -m benchmarks.interactions --listens 100000000 --directory /somewhere/with/20/GB

Writes that many listens as an import would (parts of a million, users together, Zstandard), then reads them three
times, each time in a process of its own: a scan that only decodes the needed columns, which is the least that any
aggregation costs; then the interactions of artists, and of tracks.
"""

import argparse
import shutil
import uuid
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.case import Findings, run_case
from benchmarks.processes import asked, measured_in_turns, report, side
from benchmarks.record import Comparison
from crossfade.aggregation.interactions import InteractionSettings, build_interactions
from crossfade.core.progress import silent
from crossfade.core.queries import open_queries
from crossfade.core.schemas import LISTENS

PART = 1_000_000  # listens
TRACKS_AN_ARTIST = 10
JOBS = ("scan", "artist", "track")
SOURCES = ["library", "playlist", "radio", "search"]


def identifiers(number: int, kind: int) -> pa.Array:
    """``number`` distinct texts like those of MusicBrainz, in random order."""
    rng = np.random.default_rng(kind)
    return pa.array([str(uuid.UUID(bytes=rng.bytes(16))) for _ in range(number)])


def generate(directory: Path, listens: int, users: int, tracks: int) -> list[Path]:
    """Parts of an import: log-normal numbers of listens a user, tracks by the power of their rank."""
    directory.mkdir(parents=True)
    rng = np.random.default_rng(7)
    appetite = rng.lognormal(0.0, 1.0, users)
    listens_of_user = np.maximum(1, (appetite / appetite.sum() * listens).astype(np.int64))
    ends = np.cumsum(listens_of_user)
    names = pa.array([f"listener{number:07d}" for number in rng.permutation(users)])
    popularity = np.cumsum((np.arange(tracks) + 50.0) ** -0.9)
    track_ids, artist_ids = identifiers(tracks, 1), identifiers(tracks // TRACKS_AN_ARTIST, 2)
    paths = []
    total = int(ends[-1])
    for part, first in enumerate(range(0, total, PART)):
        size = min(PART, total - first)
        user = np.searchsorted(ends, np.arange(first, first + size), side="right")
        rank = np.searchsorted(popularity, rng.random(size) * popularity[-1])
        # Half of what people play they have played before: the listener's own few favourites.
        favourite = (user * 2654435761 + rng.integers(0, 40, size) ** 2 * 40503) % tracks
        track = np.where(rng.random(size) < 0.5, rank, favourite)
        columns = {
            "user_id": names.take(pa.array(user)),
            "listened_at": pa.array(rng.integers(1_400_000_000_000, 1_700_000_000_000, size), LISTENS[1].type),
            "kind": pa.repeat("track", size),
            "item_id": track_ids.take(pa.array(track)),
            "parent_id": artist_ids.take(pa.array(track // TRACKS_AN_ARTIST)),
            "ms_played": pa.array(rng.integers(1_000, 300_000, size).astype(np.int32)),
            "duration_ms": pa.array(np.full(size, 240_000, dtype=np.int32)),
            "skipped": pa.array(rng.random(size) < 0.1),
            "source": pa.array(SOURCES).take(pa.array(rng.integers(0, len(SOURCES), size))),
            "context": pa.nulls(size, pa.string()),
            "platform": pa.nulls(size, pa.string()),
        }
        path = directory / f"part-{part:05d}.parquet"
        pq.write_table(pa.table(columns, schema=LISTENS), path, row_group_size=1 << 16, compression="zstd")
        paths.append(path)
    return paths


def scan(paths: list[Path], threads: int, spill: Path) -> None:
    """Decode the columns that interactions need, and do nothing with them."""
    with open_queries(spill, threads=threads) as queries:
        queries.view("listens", paths, LISTENS)
        queries.rows(
            "SELECT max(length(user_id)), max(length(item_id)), max(epoch_ms(listened_at)), count(source) "
            "FROM listens WHERE NOT skipped"
        )


def work(job: str, directory: str, threads: str) -> Callable[[], None]:
    """What one measured process does."""
    paths = sorted((Path(directory) / "listens").glob("part-*.parquet"))
    if job == "scan":
        return partial(scan, paths, int(threads), Path(directory) / "spill")
    made = Path(directory) / job
    shutil.rmtree(made, ignore_errors=True)
    made.mkdir()
    settings = InteractionSettings(half_life_days=90, weight="log")
    return partial(
        build_interactions, {"listens": paths}, None, job, made, settings, progress=silent, threads=int(threads)
    )


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--listens", type=int, default=10_000_000)
    parser.add_argument("--users", type=int, default=0, help="default: one for every 200 listens")
    parser.add_argument("--tracks", type=int, default=1_000_000)
    parser.add_argument("--directory", type=Path, required=True, help="listens that are there already are used")


def measure(chosen: argparse.Namespace) -> Findings:
    """One comparison for artists and one for tracks, each against the scan."""
    listens = chosen.directory / "listens"
    if not listens.exists():
        generate(listens, chosen.listens, chosen.users or max(1, chosen.listens // 200), chosen.tracks)
    paths = sorted(listens.glob("part-*.parquet"))
    rows = sum(pq.read_metadata(path).num_rows for path in paths)
    gib = sum(path.stat().st_size for path in paths) / (1 << 30)
    comparisons = []
    for threads in chosen.threads:
        jobs = {job: ("benchmarks.interactions", job, str(chosen.directory), str(threads)) for job in JOBS}
        taken = measured_in_turns(jobs, chosen.turns)
        sides = {}
        for job, each in taken.items():
            speed = {"rows_a_second": rows / float(np.median([one.seconds for one in each]))}
            name, kind = ("decoding alone", "limit") if job == "scan" else ("crossfade", "ours")
            sides[job] = side(name, kind, each, speed)
        comparisons += [
            Comparison(
                name=f"{job} interactions, {threads} thread{'s' * (threads > 1)}",
                unit=f"{rows:,} listens",
                what={"rows": rows, "gib": gib, "kind": job, "threads": threads},
                sides=[sides["scan"], sides[job]],
            )
            for job in ("artist", "track")
        ]
    return Findings(comparisons=comparisons)


if __name__ == "__main__":
    if (words := asked()) is not None:
        report(work(*words))
    else:
        run_case(__doc__, options, measure, turns=1)
