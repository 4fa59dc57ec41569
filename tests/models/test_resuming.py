"""Fits that are killed on the way end with the bytes of one that was not."""

import dataclasses
import signal
import subprocess
import sys

import numpy as np
import pytest

from crossfade.core import checkpoints as checkpoints_module
from crossfade.core.interactions import Interactions
from crossfade.models.als import ALS

FIELDS = {"factors": 40, "iterations": 4}

KILLED = """
import os, signal, sys
from pathlib import Path
from crossfade.core import checkpoints
from crossfade.core.interactions import Interactions
from crossfade.models.als import ALS

checkpoints.EVERY_SECONDS = checkpoints.TIMES_ITS_COST = 0.0
inputs, workspace, last = Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3])

def die(done, total, unit):
    print(done, flush=True)
    if done == last:
        os.kill(os.getpid(), signal.SIGKILL)

fitted = ALS(factors=40, iterations=4).fit(
    Interactions.load(inputs, kind="artist"), workspace=workspace, progress=die, track_loss=True
)
print(fitted.space.space_id, len(fitted.history))
"""


@pytest.fixture
def interactions(rng):
    keys = rng.choice(90 * 70, 1500, replace=False)
    return Interactions.from_counts(
        [f"u{key // 70:02d}" for key in keys], [f"i{key % 70:02d}" for key in keys], rng.geometric(0.2, 1500)
    )


@pytest.fixture
def at_once(monkeypatch):
    monkeypatch.setattr(checkpoints_module, "EVERY_SECONDS", 0.0)
    monkeypatch.setattr(checkpoints_module, "TIMES_ITS_COST", 0.0)


class StoppedError(Exception):
    pass


def stop_at(turn):
    def progress(done, total, unit):
        if done == turn:
            raise StoppedError

    return progress


def turns_of(interactions, workspace, **fields):
    """The fitted space, and at which turns its fit was."""
    told = []
    fitted = ALS(**{**FIELDS, **fields}).fit(
        interactions, workspace=workspace, progress=lambda done, total, unit: told.append(done)
    )
    return fitted.space, told


def test_a_fit_that_is_killed_again_and_again_ends_with_the_same_bytes(interactions, tmp_path):
    whole = ALS(**FIELDS).fit(interactions, track_loss=True)
    inputs = tmp_path / "inputs"
    inputs.mkdir()
    interactions.save(inputs)
    said = []
    for last in (1, 6, -1):
        run = subprocess.run(
            [sys.executable, "-c", KILLED, inputs, tmp_path / "workspace", str(last)], capture_output=True, text=True
        )
        assert run.returncode == (-signal.SIGKILL if last >= 0 else 0), run.stderr
        said.append(run.stdout.split())
    # Each goes on at the turn at which the one before was killed.
    assert said[:2] == [["0", "1"], ["1", "2", "3", "4", "5", "6"]]
    assert said[2] == ["6", "7", "8", "9", whole.space.space_id, "8"]


@pytest.mark.parametrize("solver", ["cg", "pcg", "cholesky"])
def test_stopping_at_any_turn_changes_no_byte(interactions, tmp_path, at_once, solver):
    whole = ALS(**FIELDS, solver=solver).fit(interactions).space
    for turn in range(9):
        workspace = tmp_path / str(turn)
        with pytest.raises(StoppedError):
            ALS(**FIELDS, solver=solver).fit(interactions, workspace=workspace, progress=stop_at(turn))
        space, told = turns_of(interactions, workspace, solver=solver)
        assert told[0] == turn
        assert space.space_id == whole.space_id
        assert space.user_vectors.tobytes() == whole.user_vectors.tobytes()


def test_the_losses_before_the_kill_are_kept(interactions, tmp_path, at_once):
    whole = ALS(**FIELDS).fit(interactions, track_loss=True)
    with pytest.raises(StoppedError):
        ALS(**FIELDS).fit(interactions, workspace=tmp_path, progress=stop_at(5), track_loss=True)
    assert ALS(**FIELDS).fit(interactions, workspace=tmp_path, track_loss=True).history == whole.history


@pytest.mark.parametrize("change", ["settings", "weights", "indices", "items"])
def test_the_state_of_another_fit_is_not_used(interactions, tmp_path, at_once, change):
    turns_of(interactions, tmp_path)
    fields = {"seed": 1} if change == "settings" else {}
    if change == "weights":
        weights = interactions.weights.copy()
        weights[3] += 1
        interactions = dataclasses.replace(interactions, weights=weights)
    if change == "indices":
        indices = interactions.indices.copy()
        row = interactions.of_user(0)
        indices[row] = np.setdiff1d(np.arange(70), indices[row])[: row.stop - row.start]
        interactions = dataclasses.replace(interactions, indices=indices)
    if change == "items":
        lonely = type(interactions.item_ids).of([*interactions.item_ids, "zz"])
        interactions = dataclasses.replace(interactions, item_ids=lonely)
    space, told = turns_of(interactions, tmp_path, **fields)
    assert told == list(range(10))
    assert space.space_id == ALS(**{**FIELDS, **fields}).fit(interactions).space.space_id


def test_a_finished_fit_has_only_the_users_left(interactions, tmp_path, at_once):
    turns_of(interactions, tmp_path)
    assert turns_of(interactions, tmp_path)[1] == [8, 9]


def test_a_short_fit_leaves_no_state(interactions, tmp_path):
    turns_of(interactions, tmp_path)
    assert not (tmp_path / "state").exists()
