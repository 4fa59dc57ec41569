"""Imports and runs in another process."""

import os
import subprocess
import sys
import time

import pytest

from crossfade.core.errors import BusyError
from crossfade.core.locking import locked
from crossfade.live.jobs import Jobs

SAY = "import json, os, sys; print(json.dumps({output})); sys.stderr.write({errors!r}); sys.exit({status})"


@pytest.fixture
def jobs(home):
    """Makes jobs whose command is a script of Python."""

    def made(script):
        return Jobs(home, [sys.executable, "-c", script])

    return made


def ended(jobs):
    """The latest job, once it is not running any more."""
    until = time.monotonic() + 60
    while (job := jobs.latest()[0]).state == "running" and time.monotonic() < until:
        time.sleep(0.02)
    return job


def test_there_is_none_before_the_first(jobs):
    assert jobs("").latest() is None


def test_an_import_says_what_it_made(jobs):
    output = '[{"name": "a", "already_imported": None}, {"name": "", "already_imported": "b"}]'
    one = jobs(SAY.format(output=output, errors="", status=0))
    room = one.room()
    (room / "x.csv").write_text("")
    assert one.start("import", [str(room / "x.csv")], what="x.csv", room=room).state == "running"
    job = ended(one)
    assert (job.state, job.made, job.what, job.message) == ("done", ["a", "b"], "x.csv", None)
    assert job.ended >= job.started
    assert not room.exists()


def test_the_command_is_that_of_a_terminal(jobs, home):
    one = jobs("import json, sys; print(json.dumps({'release': ' '.join(sys.argv[1:])}))")
    one.start("run", ["--full"])
    assert ended(one).made == [f"run --home {home.path} --json --full"]


def test_an_error_is_told_in_its_own_words(jobs):
    one = jobs(SAY.format(output="1", errors="Something first.\nError: x.csv has no plays.\n", status=3))
    one.start("import", [])
    job = ended(one)
    assert (job.state, job.message) == ("failed", "x.csv has no plays.")


def test_a_long_error_is_cut(jobs):
    one = jobs(SAY.format(output="1", errors="x" * 5_000, status=1))
    one.start("import", [])
    assert ended(one).message == "x" * 2_000


def test_a_job_gives_way_to_requests(jobs):
    one = jobs("import json, os, time; time.sleep(0.5); print(json.dumps({'release': str(os.nice(0))}))")
    one.start("run", [])
    assert int(ended(one).made[0]) >= 10


def test_one_at_a_time_in_all_processes(jobs, home, monkeypatch):
    monkeypatch.setattr("crossfade.live.jobs.PATIENCE", 0)
    one = jobs("import time; time.sleep(1)")
    one.start("run", [])
    for other in (one, Jobs(home)):
        with pytest.raises(BusyError, match="going on"):
            other.start("run", [])
        with pytest.raises(BusyError):
            other.require_free()
    assert Jobs(home).latest()[0].state == "running"
    monkeypatch.undo()
    assert ended(one).state == "done"
    one.require_free()


def test_a_command_at_a_terminal_comes_first(jobs, home):
    with locked(home.path, "`crossfade run`"), pytest.raises(BusyError, match="crossfade run"):
        jobs("").require_free()


def test_progress_is_read_from_the_command(jobs):
    script = (
        "import os, time; from crossfade.cli.display import Display, shown\n"
        "display = Display(); display.expect({'a': 1.0, 'b': 3.0})\n"
        "with shown(display):\n"
        "    display.begin('a', 'First'); display.end('a'); display.begin('b', 'Second')(1, 2, '')\n"
        "    time.sleep(30)\n"
    )
    one = jobs(script.replace("time.sleep(30)", "time.sleep(2)"))
    one.start("run", [])
    until = time.monotonic() + 60
    while (moving := one.latest()[1]).steps == 0 and time.monotonic() < until:
        time.sleep(0.02)
    assert (moving.steps, moving.done, moving.share) == (2, 1, pytest.approx((1 + 1.5) / 4))
    assert [(work.title, work.share) for work in moving.running] == [("Second", 0.5)]
    ended(one)


def test_a_job_begins_without_the_progress_of_the_one_before(jobs, home):
    one = jobs("import time; time.sleep(0.5)")
    one.room()
    (home.jobs / "progress.json").write_text('{"steps": 3, "done": 3, "share": 1.0}')
    one.start("run", [])
    assert one.latest()[1].steps == 0
    ended(one)


def test_a_job_whose_server_is_gone_was_interrupted(jobs, home):
    one = jobs("import time; time.sleep(0.3)")
    one.start("run", [])
    content = (home.jobs / "job.json").read_bytes()
    ended(one)
    one.require_free()
    (home.jobs / "job.json").write_bytes(content)
    assert Jobs(home).latest()[0].state == "interrupted"


SLOW_TO_END = """
import pathlib, sys, time
import crossfade.cli as cli

pathlib.Path(sys.argv[-1] + ".begun").touch()
cli.crossfade = lambda **named: time.sleep(60)
try:
    cli.main()
except KeyboardInterrupt:
    time.sleep(1)
    pathlib.Path(sys.argv[-1]).touch()
"""

STARTER = """
import pathlib, sys, time
from crossfade.core.home import Home
from crossfade.live.jobs import Jobs

jobs = Jobs(Home(pathlib.Path(sys.argv[1])), [sys.executable, "-c", sys.argv[2]])
jobs.start("import", [sys.argv[3]], room=jobs.room())
time.sleep(60)
"""


def test_a_job_ends_with_its_server_and_is_not_called_ended_before(home, tmp_path):
    end = tmp_path / "end"
    jobs = Jobs(home)
    with subprocess.Popen([sys.executable, "-c", STARTER, str(home.path), SLOW_TO_END, str(end)]) as server:
        until = time.monotonic() + 60
        while not (tmp_path / "end.begun").exists() and time.monotonic() < until:
            time.sleep(0.02)
        server.kill()
    assert jobs.latest()[0].state == "running"
    with pytest.raises(BusyError, match="going on"):
        jobs.require_free()
    job = ended(jobs)
    assert end.exists()
    assert (job.state, "was complete is kept" in job.message) == ("interrupted", True)
    assert not [path for path in home.jobs.iterdir() if path.is_dir()]
    jobs.require_free()


def test_a_job_is_stopped_by_any_process(jobs, home):
    one = jobs("import time; from crossfade.cli.reporting import end_with_starter; end_with_starter(); time.sleep(60)")
    Jobs(home).stop()  # there is none
    one.start("run", [])
    Jobs(home).stop()
    assert ended(one).state == "interrupted"
    one.stop()
    assert Jobs(home).latest()[0].state == "interrupted"


def test_a_command_that_is_killed_says_so(jobs):
    one = jobs("import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    one.start("run", [])
    job = ended(one)
    assert job.state == "failed"
    assert "SIGKILL" in job.message


def test_a_file_of_a_server_that_was_killed_is_removed(jobs, home):
    one = jobs("")
    kept, abandoned = one.room(), one.room()
    for room in (kept, abandoned):
        (room / "x.zip").write_text("half of it")
    for path in (abandoned / "x.zip", abandoned):
        os.utime(path, (0, 0))
    one.require_free()
    assert [path for path in home.jobs.iterdir() if path.is_dir()] == [kept]
