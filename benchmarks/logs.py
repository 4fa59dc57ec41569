"""Play logs of a service as Parquet, one file for the past and one for the day after it.

    python -m benchmarks.logs DIRECTORY --rows 10000000 --day 330000

Listeners are log-normal in how much they play, tracks fall as a power of their rank, and three of four plays stay
within the listener's own group of artists. Events have ids, times within the last ninety days, and lengths; one in
twelve is skipped. The columns have names of their own, so an import maps them:

    crossfade import DIRECTORY/past.parquet --column user=account_id --column track_id=recording_id \\
        --column title=recording --column artist=performer --column listened_at=started --column ms_played=ms_heard
"""

import argparse
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

LISTENERS, TRACKS, GROUPS = 60_000, 200_000, 50
DAYS, DAY = 90, 86_400
UNTIL = 1_767_225_600  # 1 January 2026: the day after the past
BLOCK = 1 << 20  # events that are made at a time

Rows = npt.NDArray[np.int64]


class World:
    """Who listens how much, and which track is by whom, in which group and how popular."""

    def __init__(self, seed: int, listeners: int = LISTENERS, tracks: int = TRACKS) -> None:
        rng = np.random.default_rng(seed)
        activity = rng.lognormal(0.0, 1.2, listeners)
        self.listeners = np.cumsum(activity) / activity.sum()
        self.taste = rng.integers(0, GROUPS, listeners)
        # Eight tracks an artist on average, some hundreds of the most productive.
        self.artist = (tracks // 8 * rng.random(tracks) ** 1.5).astype(np.int64)
        popularity = 1.0 / np.arange(10, tracks + 10) ** 0.8
        rng.shuffle(popularity)
        order = np.argsort(self.artist % GROUPS, kind="stable")  # tracks of one group stand together
        self.order, self.reach = order, np.cumsum(popularity[order])
        self.bounds = np.concatenate(([0.0], self.reach))[
            np.searchsorted(self.artist[order] % GROUPS, np.arange(GROUPS + 1))
        ]

    def events(self, rng: np.random.Generator, rows: int, start: int, seconds: int) -> pa.Table:
        """Return events (rows,) within so many seconds, in order of time."""
        listener = np.searchsorted(self.listeners, rng.random(rows)).clip(max=len(self.listeners) - 1)
        low, high = self.bounds[self.taste[listener]], self.bounds[self.taste[listener] + 1]
        at_home = rng.random(rows) < 0.75
        place = np.where(at_home, low + rng.random(rows) * (high - low), rng.random(rows) * self.reach[-1])
        track = self.order[np.searchsorted(self.reach, place).clip(max=len(self.reach) - 1)]
        times = np.sort(rng.integers(start * 1000, (start + seconds) * 1000, rows))
        heard = np.where(
            rng.random(rows) < 1 / 12, rng.integers(1_000, 29_000, rows), rng.integers(90_000, 320_000, rows)
        )
        return pa.table(
            {
                "event_id": _named("e%015x", rng.integers(0, 1 << 60, rows)),
                "account_id": _named("account-%06d", listener),
                "recording_id": _named("R%07d", track),
                "recording": _named("Recording %d", track),
                "performer": _named("Performer %d", self.artist[track]),
                "started": pa.array(times, pa.timestamp("ms", tz="UTC")),
                "ms_heard": pa.array(heard.astype(np.int32)),
            }
        )


def write(path: Path, world: World, rows: int, start: int, days: int, seed: int) -> None:
    """Write ``rows`` events of so many days to ``path``, in order of time."""
    rng = np.random.default_rng([seed, start])
    blocks = -(-rows // BLOCK)
    with pq.ParquetWriter(path, world.events(rng, 1, start, 1).schema, compression="zstd") as file:
        for block in range(blocks):
            first, last = block * days * DAY // blocks, (block + 1) * days * DAY // blocks
            file.write_table(world.events(rng, min(BLOCK, rows - block * BLOCK), start + first, last - first))


def _named(pattern: str, numbers: Rows) -> pa.Array:
    distinct, places = np.unique(numbers, return_inverse=True)
    names = pa.array([pattern % number for number in distinct.tolist()])
    return names.take(pa.array(places))


def main() -> None:
    """Write both files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--rows", type=int, default=10_000_000, help="of the past ninety days")
    parser.add_argument("--day", type=int, default=330_000, help="rows of the day after")
    parser.add_argument("--listeners", type=int, default=LISTENERS)
    parser.add_argument("--tracks", type=int, default=TRACKS)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    chosen.directory.mkdir(parents=True, exist_ok=True)
    world = World(chosen.seed, chosen.listeners, chosen.tracks)
    write(chosen.directory / "past.parquet", world, chosen.rows, UNTIL - DAYS * DAY, DAYS, chosen.seed)
    write(chosen.directory / "day.parquet", world, chosen.day, UNTIL, 1, chosen.seed)


if __name__ == "__main__":
    main()
