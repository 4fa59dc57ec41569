"""What only shows at size: memory that the data does not change, and a whole demo world."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from crossfade.cli import crossfade

MEASURED_IMPORT = """
import sys
from pathlib import Path
from crossfade.core.home import Home
from crossfade.importing import staging
from crossfade.importing.imports import import_paths

# With an eighth of what is kept in memory at a time, an eighth of the rows shows whether it is bounded.
staging.RUN_BYTES //= 8
staging.GROUP_BYTES //= 8
(ledger,) = import_paths(Home(Path(sys.argv[2])), [Path(sys.argv[1])])
status = Path("/proc/self/status").read_text()
peak = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:"))
print(ledger.read, ledger.plays, sum(ledger.dropped.values()), peak * 1024)
"""


def write_listens(path: Path, rows: int, rng: np.random.Generator) -> None:
    users, tracks = rng.integers(5_000, size=rows), (rng.pareto(1.1, rows) * 100).astype(np.int64) % 500_000
    with path.open("w") as file:
        for number, (user, track) in enumerate(zip(users.tolist(), tracks.tolist(), strict=True)):
            listen = {
                "user_name": f"user-{user}",
                "timestamp": 1_400_000_000 + number * 7,
                "track_metadata": {
                    "artist_name": f"Artist {track % 40_000}",
                    "track_name": f"Track {track}",
                    "additional_info": {"listening_from": "x" * 200},
                },
            }
            file.write(json.dumps(listen) + "\n")


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux to tell the peak of memory")
def test_the_memory_of_an_import_does_not_follow_the_size_of_the_file(tmp_path, rng):
    peaks = []
    for rows in (400_000, 1_600_000):
        dump = tmp_path / f"{rows}.listens"
        write_listens(dump, rows, rng)
        home = tmp_path / f"home-{rows}"
        told = subprocess.run(
            [sys.executable, "-c", MEASURED_IMPORT, str(dump), str(home)], check=True, capture_output=True, text=True
        )
        read, plays, dropped, peak = map(int, told.stdout.split())
        assert (read, plays, dropped) == (rows, rows, 0)
        peaks.append(peak)
    assert peaks[1] < 1.1 * peaks[0]
    assert peaks[1] < 2**29


@pytest.mark.slow
def test_the_demo_world_of_the_default_size_goes_the_whole_way(tmp_path):
    home = tmp_path / "home"
    made = CliRunner().invoke(crossfade, ["demo", "--home", str(home)])
    assert made.exit_code == 0, made.output
    status = json.loads(CliRunner().invoke(crossfade, ["status", "--json", "--home", str(home)]).stdout)
    assert status["imports"][0]["plays"] > 350_000
    # Nearly every one of the thousand listeners gets a page of some twenty, and nearly every track a station.
    assert status["rows"]["discover-track"] > 20 * 950
    assert status["rows"]["radio-track"] > 200 * 15_000
