"""How fast listening history is imported, and how much memory that takes.

    python -m benchmarks.imports --megabytes 500 --rows 3000000

Makes a ListenBrainz dump as JSON lines and one for Spark as Parquet, both with a few thousand listeners and the
usual long tail of tracks, and imports each in a process of its own, with two threads and with one. Beside the
throughput stands that of the least that any import has to do: reading the file and decoding its rows. A Spotify history
of one listener, in one file, is imported with two threads and with one.
"""

import argparse
import json
import tempfile
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.case import Findings, run_case
from benchmarks.processes import asked, measured_in_turns, report, side
from benchmarks.record import Comparison
from crossfade.core.home import Home
from crossfade.importing.imports import import_paths

USERS, TRACKS, ARTISTS = 5_000, 200_000, 20_000
START = 1_420_070_400  # 1 January 2015


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--megabytes", type=int, default=200, help="of JSON lines")
    parser.add_argument("--rows", type=int, default=1_000_000, help="of Parquet")
    parser.add_argument("--plays", type=int, default=500_000, help="of one listener's history")
    parser.add_argument("--scratch", type=Path, help="where to write; default: a temporary directory")


def measure(chosen: argparse.Namespace) -> Findings:
    """One comparison for each format: the import against decoding alone."""
    with tempfile.TemporaryDirectory(dir=chosen.scratch) as directory:
        lines, columns = Path(directory) / "dump.listens", Path(directory) / "dump.parquet"
        json_rows = write_lines(lines, chosen.megabytes)
        write_columns(columns, chosen.rows)
        history = Path(directory) / "Streaming_History_Audio_2015-2024_0.json"
        write_history(history, chosen.plays)
        return Findings(
            comparisons=[
                compare("ListenBrainz JSON lines", lines, json_rows, "decode-lines", chosen.turns),
                compare("ListenBrainz Spark Parquet", columns, chosen.rows, "decode-columns", chosen.turns),
                compare("Spotify history of one listener", history, chosen.plays, None, chosen.turns),
            ]
        )


def compare(name: str, file: Path, rows: int, least: str | None, turns: int) -> Comparison:
    works = {"crossfade": "import", "crossfade, one thread": "import-alone"}
    if least is not None:
        works = {"decoding alone": least, **works}
    taken = measured_in_turns({who: ("benchmarks.imports", what, str(file)) for who, what in works.items()}, turns)
    megabytes = file.stat().st_size / 1e6
    sides = []
    for who, each in taken.items():
        seconds = float(np.median([one.seconds for one in each]))
        figures = {"megabytes_a_second": megabytes / seconds, "rows_a_second": rows / seconds}
        sides.append(side(who, "limit" if who == "decoding alone" else "ours", each, figures))
    return Comparison(name=name, unit="a file", what={"rows": rows, "megabytes": megabytes}, sides=sides)


def work(what: str, file: str) -> Callable[[], None]:
    """What one measured process does."""
    works: dict[str, Callable[[Path], None]] = {
        "import": partial(import_file, threads=2),
        "import-alone": partial(import_file, threads=1),
        "decode-lines": decode_lines,
        "decode-columns": decode_columns,
    }
    return partial(works[what], Path(file))


def import_file(file: Path, threads: int) -> None:
    with tempfile.TemporaryDirectory(dir=file.parent) as directory:
        import_paths(Home(Path(directory)), [file], now=START + 400_000_000, threads=threads)


def decode_columns(file: Path) -> None:
    with pq.ParquetFile(file) as table:
        for _ in table.iter_batches(1 << 17):
            pass


def decode_lines(file: Path) -> None:
    from crossfade.formats.listenbrainz_rows import Rows

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


def write_history(path: Path, plays: int) -> None:
    """Write Spotify's extended history of one listener."""
    rng = np.random.default_rng(3)
    _, tracks, times = draws(plays, rng)
    with path.open("w") as file:
        for number, (track, when) in enumerate(zip(tracks.tolist(), times.tolist(), strict=True)):
            row = {
                "ts": datetime.fromtimestamp(when, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
                "platform": "Some System 10",
                "ms_played": 5_000 + track * number % 300_000,
                "conn_country": "XX",
                "master_metadata_track_name": f"A title of some length ({track})",
                "master_metadata_album_artist_name": f"Artist number {track % ARTISTS}",
                "master_metadata_album_album_name": f"Album {track // 10}",
                "spotify_track_uri": f"spotify:track:{track:022d}",
                "episode_name": None,
                "episode_show_name": None,
                "spotify_episode_uri": None,
                "reason_start": "trackdone",
                "reason_end": "trackdone",
                "shuffle": False,
                "skipped": False,
                "offline": False,
                "incognito_mode": False,
            }
            file.write(("," if number else "[") + json.dumps(row))
        file.write("]")


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
    if (words := asked()) is not None:
        report(work(*words))
    else:
        run_case(__doc__, options, measure, threads=[2], turns=3)
