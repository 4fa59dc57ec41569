"""The last whole state of long work: found again by the same work alone, and only if it is whole."""

import sys
from subprocess import PIPE

import numpy as np
import pytest
from tests.programs import started

from crossfade.core import checkpoints as module
from crossfade.core.artifacts import Identity
from crossfade.core.checkpoints import Checkpoints, checkpoints
from crossfade.core.errors import ArtifactError, BusyError, StorageError
from crossfade.core.replacing import draft_beside

HOLDER = """
import sys
from pathlib import Path
from crossfade.core.artifacts import Identity
from crossfade.core.checkpoints import checkpoints
with checkpoints(Path(sys.argv[1]), Identity(kind="test", version=1)):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def at_once(monkeypatch):
    """Every state that is offered is saved."""
    monkeypatch.setattr(module, "EVERY_SECONDS", 0.0)
    monkeypatch.setattr(module, "TIMES_ITS_COST", 0.0)


def identity(content: str = "mine") -> Identity:
    return Identity(kind="test", version=1, settings={"content": content})


def numbers(*values: float) -> dict[str, np.ndarray]:
    return {"vector": np.array(values, dtype=np.float32), "none": np.zeros((0, 3))}


def test_the_last_state_is_found_again(tmp_path, at_once):
    place = tmp_path / "deep" / "fit"
    with checkpoints(place, identity()) as states:
        assert states.latest() is None
        assert states.offer(1, numbers(1.0))
        assert states.offer(2, numbers(2.0, 3.0))
    with checkpoints(place, identity()) as states:
        state = states.latest()
        assert state.steps == 2
        assert state.array("vector", dtype=np.float32, ndim=1).tolist() == [2.0, 3.0]
        assert state.array("none", dtype=np.float64, ndim=2).shape == (0, 3)
        with pytest.raises(ArtifactError, match="not 2-d"):
            state.array("vector", dtype=np.float32, ndim=2)
        # A state that is replaced while it is read is still the one that was read.
        states.offer(3, numbers(4.0))
        assert state.array("vector", dtype=np.float32, ndim=1).tolist() == [4.0]


def test_other_work_does_not_see_it_and_takes_its_place(tmp_path, at_once):
    with checkpoints(tmp_path, identity()) as states:
        states.offer(1, numbers(1.0))
    with checkpoints(tmp_path, identity("other")) as states:
        assert states.latest() is None
        states.offer(2, numbers(2.0))
        assert states.latest().steps == 2
    with checkpoints(tmp_path, identity()) as states:
        assert states.latest() is None


def test_a_state_that_is_damaged_is_not_used(tmp_path, at_once):
    with checkpoints(tmp_path, identity()) as states:
        states.offer(1, numbers(1.0))
        path = tmp_path / "state" / "vector.npy"
        content = bytearray(path.read_bytes())
        content[-1] ^= 1
        path.write_bytes(content)
        assert states.latest() is None
    (tmp_path / "state" / "manifest.json").write_text("{")
    with checkpoints(tmp_path, identity()) as states:
        assert states.latest() is None
        states.offer(5, numbers(1.0))
        assert states.latest().steps == 5


def test_what_a_kill_left_half_written_is_swept(tmp_path):
    left = draft_beside(tmp_path / "state")
    left.mkdir()
    own = tmp_path / "notes.txt"
    own.write_text("mine")
    with checkpoints(tmp_path, identity()):
        assert not left.exists()
        assert own.exists()


def test_states_are_saved_when_their_time_has_come(tmp_path, monkeypatch):
    clock = iter([0.0, 29.9, 30.0, 34.0, 113.9, 114.0, 114.5, 144.4, 144.5, 144.5])
    monkeypatch.setattr(module.time, "monotonic", lambda: next(clock))
    states = Checkpoints(tmp_path, identity())
    # The first after half a minute; it takes 4 seconds, so the next 80 seconds later; that takes half a second, so the
    # next after half a minute again.
    assert [states.offer(step, numbers(1.0)) for step in range(6)] == [False, True, False, True, False, True]


def test_a_second_process_is_told_that_the_first_is_there(tmp_path):
    with started(sys.executable, "-c", HOLDER, tmp_path, stdin=PIPE, stdout=PIPE) as process:
        assert process.stdout.readline() == "held\n"
        with pytest.raises(BusyError, match=f"process {process.pid}"), checkpoints(tmp_path, identity()):
            pass
    with checkpoints(tmp_path, identity()):
        pass


def test_a_full_disk_is_said_and_leaves_the_state_before(tmp_path, at_once, monkeypatch):
    with checkpoints(tmp_path, identity()) as states:
        states.offer(1, numbers(1.0))

        def full(*_, **__):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(module.np, "save", full)
        with pytest.raises(StorageError, match="disk is full"):
            states.offer(2, numbers(2.0))
        assert states.latest().steps == 1
