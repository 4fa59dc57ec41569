"""Files that machines read side by side become the import of one machine."""

import json
import runpy
from pathlib import Path

import pytest

from crossfade.cluster.engine import LocalEngine
from crossfade.core.artifacts import read_manifest
from crossfade.core.errors import InputError
from crossfade.core.home import Home
from crossfade.formats.registry import APART
from crossfade.importing import apart, staging
from crossfade.importing.cleaning import CleaningSettings
from crossfade.importing.imports import import_paths

EXAMPLES = runpy.run_path(str(Path(__file__).parents[1] / "formats" / "examples.py"))["EXAMPLES"]
NOW = 1_800_000_000.0


@pytest.fixture
def imported(tmp_path, monkeypatch):
    """Imports a folder here, and by two machines that take a file each; gives back both places and ledgers."""
    monkeypatch.setattr(apart, "PART_BYTES", 1)

    def both(folder, machines=LocalEngine(2), **how):  # noqa: B008  # it is immutable
        found = []
        for name, each in (("here", None), ("there", machines.each)):
            home = Home(tmp_path / name)
            (ledger,) = import_paths(home, [folder], now=NOW, each=each, **how)
            found.append((home.listens / ledger.name, ledger))
        return found

    return both


class Counting(LocalEngine):
    tasks = 0

    def each(self, work, tasks, **how):
        Counting.tasks += tasks
        return super().each(work, tasks, **how)


@pytest.mark.parametrize("name", sorted(APART))
def test_files_that_are_read_apart_give_the_same_import(imported, tmp_path, name):
    folder = tmp_path / "history"
    for number in range(3):
        (folder / f"{number}").mkdir(parents=True)
        for file, content in EXAMPLES[name].items():
            # Of the texts, each folder has users, artists and times of its own.
            changed = content if b"PAR1" in content[:4] else content.replace(b"2", f"{number + 1}".encode())
            (folder / str(number) / file).write_bytes(changed)
    Counting.tasks = 0
    (here, expected), (there, ledger) = imported(folder, Counting(2), format=name)
    assert Counting.tasks >= 3
    assert read_manifest(there).files == read_manifest(here).files
    assert ledger == expected
    assert ledger.read >= 3


def test_drops_and_damage_are_counted_by_file(imported, tmp_path):
    folder = tmp_path / "history"
    folder.mkdir()
    for number in range(4):
        lines = [f"u{number},artist {row % 5},song {row},{1_600_000_000 + row * 300}" for row in range(50)]
        lines += ["u,a", f"u{number},artist,song,9999999999999", *lines[:3]]
        (folder / f"{number}.csv").write_text("user,artist,track,timestamp\n" + "\n".join(lines) + "\n")
    (folder / "5.csv").write_bytes((folder / "0.csv").read_bytes() + b'"never ends')
    (here, expected), (there, ledger) = imported(folder)
    assert ledger == expected
    assert ledger.dropped["duplicate"] > 50
    assert ledger.dropped["malformed"] >= 5
    assert read_manifest(there).files == read_manifest(here).files
    assert not [*there.glob("staging")]


def test_what_belongs_together_is_read_together(imported, tmp_path, monkeypatch):
    monkeypatch.setattr(Counting, "tasks", 0)
    folder = tmp_path / "lists"
    folder.mkdir()
    for number in range(2):
        track = {"title": "Song", "creator": "Artist"}
        (folder / f"{number}.jspf").write_text(json.dumps({"playlist": {"title": f"List {number}", "track": [track]}}))
    imported(folder, Counting(2))
    for number in range(2):
        (tmp_path / "logs").mkdir(exist_ok=True)
        (tmp_path / "logs" / f"{number}.csv").write_text(f"user,artist,plays\nu{number},Blur,4\nu{number},Pulp,4\n")
    imported(tmp_path / "logs", Counting(2), settings=CleaningSettings(ignored=("Pulp",)))
    assert Counting.tasks == 0


def test_a_folder_that_a_machine_does_not_see_is_named(tmp_path):
    read = apart.ReadPart(
        folder=tmp_path / "missing",
        parts=[apart.Part(None, ("a.csv",))],
        directory=tmp_path,
        settings=CleaningSettings(),
        user="me",
        now=NOW,
    )
    with pytest.raises(InputError, match="folder that all share"):
        read(0)


def test_rows_have_one_order_however_they_were_staged(imported, tmp_path, monkeypatch):
    monkeypatch.setattr(staging, "RUN_BYTES", 20_000)
    folder = tmp_path / "history"
    folder.mkdir()
    for number in range(4):
        # All listen to several songs at the same time, in another order in each file.
        songs = [(user, (7 * turn + number) % 40) for turn in range(40) for user in range(8)]
        lines = [f"user {user},artist,song {song},{1_600_000_000 + number}" for user, song in songs]
        (folder / f"{number}.csv").write_text("user,artist,track,timestamp\n" + "\n".join(lines) + "\n")
    (here, expected), (there, ledger) = imported(folder)
    assert read_manifest(there).files == read_manifest(here).files
    assert ledger == expected
