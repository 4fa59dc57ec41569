"""The whole way, from files that people have to what they see, through the command line."""

import json
import sys
import threading
import time
from pathlib import Path
from subprocess import DEVNULL

import pytest
from click.testing import CliRunner
from tests.programs import started

from crossfade import ALS
from crossfade.cli import crossfade

CANARY = "Canary Singing In Private"


def call(*arguments: str, home: Path) -> str:
    result = CliRunner().invoke(crossfade, [*arguments, "--home", str(home)])
    assert result.exit_code == 0, result.output
    return result.stdout


def asked(*arguments: str, home: Path) -> dict:
    return json.loads(call(*arguments, "--json", home=home))


def contents(directory: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(directory)): path.read_bytes() for path in sorted(directory.rglob("*")) if path.is_file()
    }


def make_demo(home: Path) -> None:
    call("demo", "--listeners", "80", "--artists", "70", "--seed", "5", home=home)


def test_the_same_seed_gives_the_same_release_to_the_byte_with_1_and_4_threads(tmp_path):
    releases = []
    for threads in (1, 4):
        home = tmp_path / f"home-{threads}"
        home.mkdir()
        (home / "crossfade.toml").write_text(f"[run]\nthreads = {threads}\n")
        make_demo(home)
        releases.append(contents(home / "releases"))
    assert any(name.endswith(".sqlite") for name in releases[0])
    for other in releases[1:]:
        assert releases[0].keys() == other.keys()
        for name, content in releases[0].items():
            assert content == other[name], name


def test_fits_of_two_kinds_overlap_in_a_run(tmp_path, monkeypatch):
    together, fit = threading.Barrier(2, timeout=60), ALS.fit

    def both(self, *arguments, **options):
        together.wait()
        return fit(self, *arguments, **options)

    monkeypatch.setattr(ALS, "fit", both)
    home = tmp_path / "home"
    home.mkdir()
    (home / "crossfade.toml").write_text('[run]\nthreads = 2\nmodels = ["als"]\n')
    make_demo(home)
    assert {"als-artist", "als-track"} <= {path.name for path in (home / "runs").iterdir()}


def test_a_private_session_leaves_no_trace_anywhere_in_the_home(tmp_path):
    rows = [
        {
            "ts": f"2024-05-{day:02d}T{hour:02d}:30:00Z",
            "username": "ann",
            "platform": "linux",
            "ms_played": 180_000,
            "conn_country": "SE",
            "ip_addr": "203.0.113.77",
            "master_metadata_track_name": f"Song {day % 7}",
            "master_metadata_album_artist_name": f"Artist {hour}",
            "master_metadata_album_album_name": "Album",
            "spotify_track_uri": f"spotify:track:{day % 7:011d}{hour:011d}",
            "episode_name": None,
            "episode_show_name": None,
            "spotify_episode_uri": None,
            "reason_start": "clickrow",
            "reason_end": "trackdone",
            "shuffle": False,
            "skipped": False,
            "offline": False,
            "offline_timestamp": None,
            "incognito_mode": False,
        }
        for day in range(1, 29)
        for hour in range(8, 14)
    ]
    for number, row in enumerate(rows):
        if number % 10 == 3:
            row.update(incognito_mode=True, master_metadata_album_artist_name=CANARY, master_metadata_track_name=CANARY)
    history = tmp_path / "Streaming_History_Audio_2024.json"
    history.write_text(json.dumps(rows))
    home = tmp_path / "home"
    ledger = asked("import", str(history), home=home)[0]
    assert ledger["dropped"]["private"] == sum(row["incognito_mode"] for row in rows)
    call("run", home=home)
    for name, content in contents(home).items():
        # Parquet is compressed, so its decoded content counts.
        if name.endswith(".parquet"):
            import pyarrow.parquet as pq

            content = str(pq.read_table(home / name).to_pydict()).encode()
        for trace in (CANARY, CANARY.casefold(), "203.0.113.77"):
            assert trace.encode() not in content, name
    assert not any(asked("search", CANARY[:12], home=home)["items"].values())


def test_one_persons_listens_beside_a_data_set_of_artists_get_artists_with_reasons(tmp_path):
    counts = tmp_path / "counts.csv"
    # Three tastes of six artists; each of forty listeners has played four artists of one taste.
    played = [(user, user % 3, (user + turn) % 6) for user in range(40) for turn in range(4)]
    lines = [f"u{user},Band {taste}-{number},{20 + number}" for user, taste, number in played]
    counts.write_text("user,artist,plays\n" + "\n".join(lines) + "\n")
    own = tmp_path / "StreamingHistory0.json"
    listens = [
        {
            "endTime": f"2024-03-{day:02d} 10:00",
            "artistName": "band 1-2",
            "trackName": f"Song {day}",
            "msPlayed": 200_000,
        }
        for day in range(1, 15)
    ]
    own.write_text(json.dumps(listens))
    home = tmp_path / "home"
    call("import", str(counts), home=home)
    call("import", str(own), "--user", "ann", home=home)
    call("run", home=home)
    page = asked("discover", "ann", home=home)
    assert page["key"] == "ann"
    names = {entry["name"] for entry in page["entries"]}
    assert names
    assert names <= {f"Band 1-{number}" for number in range(6)} - {"Band 1-2"}
    assert {(entry["reason"]["name"], entry["reason"]["plays"]) for entry in page["entries"]} == {("Band 1-2", 14)}


def test_a_run_that_is_killed_leaves_the_old_release_served_and_goes_on_where_it_stopped(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    settings = home / "crossfade.toml"
    settings.write_text('[run]\nmodels = ["als", "popularity"]\n')
    make_demo(home)
    served = asked("status", home=home)["release"]
    settings.write_text(settings.read_text() + "[models.als]\nfactors = 24\n")
    # It is killed once the first new space stands, in the middle of the steps that follow.
    with started(sys.executable, "-m", "crossfade", "run", "--home", home, stdout=DEVNULL, stderr=DEVNULL):
        while len(list((home / "runs" / "als-artist").glob("[0-9a-f]*"))) < 2:
            time.sleep(0.005)
    assert asked("status", home=home)["release"] == served
    assert asked("popular", home=home)["entries"]
    steps = {step["step"]: step["runs_because"] for step in asked("run", "--dry-run", home=home)}
    assert steps["als-artist"] is None
    assert steps["surface-discover-track"] is not None
    after = asked("run", home=home)
    assert after["published"]
    assert not list(home.rglob("*.partial"))
    call("verify", home=home)


def test_hetrec_gives_artists_with_reasons_from_the_listeners_own_history(tmp_path, shared_data):
    home = tmp_path / "home"
    home.mkdir()
    (home / "crossfade.toml").write_text('[run]\nmodels = ["als", "popularity"]\n')
    ledger = asked("import", str(shared_data / "hetrec-lastfm"), home=home)[0]
    assert (ledger["read"], ledger["counts"], ledger["dropped"]) == (92_834, 92_834, {})
    call("run", home=home)
    related = asked("related", "radiohead", home=home)
    assert len(related["entries"]) == 20
    played = {
        int(artist): int(plays)
        for user, artist, plays in (
            line.split() for line in (shared_data / "hetrec-lastfm" / "user_artists.dat").read_text().splitlines()[1:]
        )
        if user == "2"
    }
    page = asked("discover", "2", "--limit", "50", home=home)["entries"]
    assert len(page) > 20
    reasons = [entry["reason"]["id"] for entry in page]
    for entry in page:
        assert int(entry["id"].removeprefix("hetrec:")) not in played
        assert played[int(entry["reason"]["id"].removeprefix("hetrec:"))] == entry["reason"]["plays"] >= 5
    assert max(reasons.count(reason) for reason in reasons) <= 3


@pytest.mark.slow
@pytest.mark.parametrize("data_set", ["audioscrobbler-small", "taste-profile"])
def test_libraries_of_one_kind_run_from_end_to_end(tmp_path, shared_data, data_set):
    home = tmp_path / "home"
    ledger = asked("import", str(shared_data / data_set), home=home)[0]
    assert ledger["read"] == ledger["counts"] + sum(ledger["dropped"].values()) > 40_000
    call("run", home=home)
    item = asked("popular", "--limit", "1", home=home)["entries"][0]
    assert asked("radio", item["id"], home=home)["entries"]
