"""The home directory and its lock."""

import sys
from subprocess import PIPE

import pytest
from tests.programs import started

from crossfade.core import locking
from crossfade.core.errors import BusyError, StorageError
from crossfade.core.home import Home
from crossfade.core.replacing import draft_beside

HOLDER = """
import sys
from pathlib import Path
from crossfade.core.home import Home
with Home(Path(sys.argv[1])).locked("run"):
    print("locked", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def home(tmp_path):
    return Home(tmp_path / "library")


@pytest.fixture
def holder(home):
    """Another process that holds the lock until its input ends."""
    with started(sys.executable, "-c", HOLDER, home.path, stdin=PIPE, stdout=PIPE) as process:
        assert process.stdout.readline() == "locked\n"
        yield process


def test_nothing_is_made_before_it_is_prepared(home):
    assert not home.path.exists()
    home.prepare()
    assert all(path.is_dir() for path in (home.listens, home.runs, home.releases))
    home.prepare()


def test_everything_lies_inside(home):
    paths = [home.settings_file, home.listens, home.runs, home.releases]
    assert all(path.parent == home.path for path in paths)
    assert len(set(paths)) == len(paths)


def test_a_second_writer_is_told_who_is_first(home, holder):
    with pytest.raises(BusyError, match=rf"`crossfade run` \(process {holder.pid}\)"), home.locked("import"):
        pass


def test_the_lock_ends_with_its_holder(home, holder):
    holder.kill()
    holder.wait()
    with home.locked("import"):
        pass


def test_the_lock_can_be_taken_again_and_again(home):
    for _ in range(3):
        with home.locked("run"):
            pass
    assert (home.path / ".lock").read_bytes() == b""


def test_the_lock_is_free_after_an_error(home):
    with pytest.raises(KeyError), home.locked("run"):
        raise KeyError
    with home.locked("run"):
        pass


def test_the_lock_keeps_out_its_own_process_too(home):
    with home.locked("run"), pytest.raises(BusyError), home.locked("import"):
        pass


def test_the_holder_sweeps_what_was_left(home):
    home.prepare()
    places = [home.path, home.listens, home.runs / "spaces", home.releases]
    (home.runs / "spaces").mkdir()
    left = [draft_beside(place / "x") for place in places]
    for path in left:
        path.mkdir()
    with home.locked("run"):
        assert not any(path.exists() for path in left)


def test_who_does_not_get_the_lock_sweeps_nothing(home, holder):
    being_written = draft_beside(home.runs / "x")
    being_written.mkdir()
    with pytest.raises(BusyError), home.locked("import"):
        pass
    assert being_written.exists()


def test_a_full_disk_does_not_keep_the_lock_from_those_who_would_free_some(home, monkeypatch):
    home.prepare()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(locking.os, "getpid", full)
    with home.locked("prune"):
        pass


@pytest.mark.parametrize("name", ["file", "file/below"])
def test_a_home_that_is_a_file_is_refused(tmp_path, name):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError, match="not a directory"):
        Home(tmp_path / name).prepare()
