"""How fast listening history is imported, and how much memory that takes.

    python -m benchmarks.imports --megabytes 500 --rows 3000000

Makes a ListenBrainz dump as JSON lines and one for Spark as Parquet, both with a few thousand listeners and the
usual long tail of tracks, and imports each in a process of its own. Beside the throughput stands that of the least
that any import has to do: reading the file and decoding its rows.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from crossfade.core.home import Home
from crossfade.listens.importing import import_paths

USERS, TRACKS, ARTISTS = 5_000, 200_000, 20_000
START = 1_420_070_400  # 1 January 2015


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=200, help="of JSON lines")
    parser.add_argument("--rows", type=int, default=1_000_000, help="of Parquet")
    parser.add_argument("--scratch", type=Path, default=None, help="where to write; a temporary directory if not said")
    parser.add_argument("--measure", nargs=2, metavar=("WHAT", "FILE"), help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.measure:
        print(json.dumps(measured(chosen.measure[0], Path(chosen.measure[1]))))
        return
    with tempfile.TemporaryDirectory(dir=chosen.scratch) as directory:
        lines, columns = Path(directory) / "dump.listens", Path(directory) / "dump.parquet"
        json_rows = write_lines(lines, chosen.megabytes)
        write_columns(columns, chosen.rows)
        for title, file, rows, least in (
            ("JSON lines", lines, json_rows, "decode-lines"),
            ("Spark Parquet", columns, chosen.rows, "decode-columns"),
        ):
            report(title, file, rows, in_new_process(least, file), in_new_process("import", file))


def report(title: str, file: Path, rows: int, least: dict[str, float], whole: dict[str, float]) -> None:
    megabytes = file.stat().st_size / 1e6
    print(f"{title}: {rows:,} rows, {megabytes:,.0f} MB")
    for name, found in (("reading and decoding alone", least), ("import", whole)):
        print(
            f"  {name:28} {found['seconds']:7.2f} s  {megabytes / found['seconds']:7.1f} MB/s  "
            f"{rows / found['seconds'] / 1e3:6.0f} krows/s {found['cpu']:5.2f} s CPU, peak {found['peak_mib']:5.0f} MiB"
        )
    print(f"  the import takes {whole['cpu'] / least['cpu']:.1f} times the CPU of the least")


def in_new_process(what: str, file: Path) -> dict[str, float]:
    """Its own process, so that the peak of memory is its own."""
    said = subprocess.run(
        [sys.executable, __file__, "--measure", what, str(file)], check=True, capture_output=True, text=True
    )
    found: dict[str, float] = json.loads(said.stdout)
    return found


def measured(what: str, file: Path) -> dict[str, float]:
    begin = time.perf_counter()
    if what == "import":
        with tempfile.TemporaryDirectory(dir=file.parent) as directory:
            import_paths(Home(Path(directory)), [file], now=START + 400_000_000)
            seconds = time.perf_counter() - begin
    elif what == "decode-lines":
        decode_lines(file)
        seconds = time.perf_counter() - begin
    else:
        with pq.ParquetFile(file) as table:
            for _ in table.iter_batches(1 << 17):
                pass
        seconds = time.perf_counter() - begin
    return {"seconds": seconds, "cpu": time.process_time(), "peak_mib": peak()}


def peak() -> float:
    """MiB that this process held at most; unlike getrusage's, it knows nothing of the process that began it."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(found.group(1)) / 1024 if found else float("nan")


def decode_lines(file: Path) -> None:
    from crossfade.listens.listenbrainz_rows import Rows

    rows, kept = Rows(), b""
    with file.open("rb") as stream:
        while piece := stream.read(4 << 20):
            kept += piece
            end = kept.rfind(b"\n") + 1
            rows.block(kept[:end])
            kept = kept[end:]


def draws(rows: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(rows,) users, tracks and times, with popular tracks and heavy listeners."""
    users = (USERS * rng.random(rows) ** 2).astype(int)
    tracks = (TRACKS * rng.random(rows) ** 4).astype(int)
    return users, tracks, np.sort(START + (rng.random(rows) * 3e8).astype(int))


def identifiers(many: int, rng: np.random.Generator) -> list[str]:
    return [str(uuid.UUID(bytes=rng.bytes(16), version=4)) for _ in range(many)]


def write_lines(path: Path, megabytes: int) -> int:
    rng = np.random.default_rng(1)
    track_ids, artist_ids = identifiers(TRACKS, rng), identifiers(ARTISTS, rng)
    written = 0
    with path.open("w") as file:
        while file.tell() < megabytes * 1_000_000:
            for user, track, when in zip(*draws(20_000, rng), strict=True):
                artist = int(track) % ARTISTS
                row = {
                    "user_id": int(user),
                    "user_name": f"listener-{user}",
                    "timestamp": int(when),
                    "track_metadata": {
                        "artist_name": f"Artist number {artist}",
                        "track_name": f"A title of some length ({track})",
                        "release_name": f"Album {track // 10}",
                        "additional_info": {
                            "artist_mbids": [artist_ids[artist]],
                            "release_mbid": track_ids[track // 10],
                            "recording_mbid": track_ids[track],
                            "tags": [],
                            "duration_ms": 200_000 + int(track) % 100_000,
                            "media_player": "Some Player",
                            "submission_client": "Some Scrobbler",
                            "submission_client_version": "1.2.3",
                            "tracknumber": int(track) % 12 + 1,
                            "origin_url": f"https://music.example/track/{track}",
                        },
                        # One listen in five could not be mapped to MusicBrainz.
                        "mbid_mapping": {"recording_mbid": track_ids[track], "artist_mbids": [artist_ids[artist]]}
                        if track % 5
                        else None,
                    },
                    "recording_msid": track_ids[-1 - track],
                }
                if not track % 5:
                    del row["track_metadata"]["additional_info"]["recording_mbid"]
                    del row["track_metadata"]["additional_info"]["artist_mbids"]
                file.write(json.dumps(row) + "\n")
                written += 1
    return written


def write_columns(path: Path, rows: int) -> None:
    rng = np.random.default_rng(2)
    track_ids, artist_ids = pa.array(identifiers(TRACKS, rng)), pa.array(identifiers(ARTISTS, rng))
    artist_names = pa.array([f"Artist number {number}" for number in range(ARTISTS)])
    titles = pa.array([f"A title of some length ({number})" for number in range(TRACKS)])
    schema, left = None, rows
    writer = None
    while left:
        users, tracks, times = draws(min(left, 1_000_000), rng)
        artists = artist_ids.take(tracks % ARTISTS)
        table = pa.table(
            {
                "listened_at": pa.array(times * 1000, pa.timestamp("ms")),
                "created": pa.array(times * 1000, pa.timestamp("ms")),
                "user_id": pa.array(users, pa.int64()),
                "recording_msid": track_ids.take(TRACKS - 1 - tracks),
                "artist_name": artist_names.take(tracks % ARTISTS),
                "artist_credit_id": pa.array(tracks % ARTISTS, pa.int64()),
                "release_name": titles.take(tracks // 10),
                "release_mbid": track_ids.take(tracks // 10),
                "recording_name": titles.take(tracks),
                "recording_mbid": track_ids.take(tracks),
                "artist_credit_mbids": pa.ListArray.from_arrays(np.arange(len(tracks) + 1), artists),
            }
        )
        writer = writer or pq.ParquetWriter(path, schema or table.schema, compression="snappy")
        writer.write_table(table)
        left -= len(tracks)
    if writer is not None:
        writer.close()


if __name__ == "__main__":
    main()
