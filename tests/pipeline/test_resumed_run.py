"""A run that stops in the middle of a fit goes on from there, and leaves nothing of it behind."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from crossfade.cli import crossfade
from crossfade.core import checkpoints
from crossfade.core.home import Home
from crossfade.core.progress import silent
from crossfade.pipeline.run import run
from crossfade.pipeline.runner import Watch


class StoppedError(Exception):
    pass


def home_in(directory: Path) -> Home:
    """Three tastes of six artists; each of forty listeners has played four artists of one taste."""
    directory.mkdir()
    played = [(user, user % 3, (user + turn) % 6) for user in range(40) for turn in range(4)]
    lines = [f"u{user},Band {taste}-{number},{20 + number}" for user, taste, number in played]
    (directory / "counts.csv").write_text("user,artist,plays\n" + "\n".join(lines) + "\n")
    home = Home(directory / "home")
    made = CliRunner().invoke(crossfade, ["import", str(directory / "counts.csv"), "--home", str(home.path)])
    assert made.exit_code == 0, made.output
    home.settings_file.write_text("[models.als]\nfactors = 8\niterations = 4\n")
    return home


def space_of(home: Home) -> str:
    (described,) = home.runs.glob("als-artist/*/space.json")
    return json.loads(described.read_text())["space_id"]


def test_a_fit_goes_on_where_the_run_had_stopped(tmp_path, monkeypatch):
    whole = home_in(tmp_path / "whole")
    run(whole, Watch())

    monkeypatch.setattr(checkpoints, "EVERY_SECONDS", 0.0)
    monkeypatch.setattr(checkpoints, "TIMES_ITS_COST", 0.0)
    home, told = home_in(tmp_path / "stopped"), []

    def report(stop: float | None):
        def of_step(step):
            def progress(done, total, unit):
                told.append(done)
                if done == stop:
                    raise StoppedError

            return progress if step.name == "als-artist" else silent

        return of_step

    with pytest.raises(StoppedError):
        run(home, Watch(begun=report(5)))
    assert (home.unfinished / "als-artist" / "state").is_dir()
    told.clear()
    run(home, Watch(begun=report(None)))
    assert told == [5, 6, 7, 8, 9]
    assert space_of(home) == space_of(whole)
    assert not home.unfinished.exists()
