"""A kill, a full disk and a failing disk at every step of what writes: see interrupting.py."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

# The least number of steps that each act is known to have, so that a hook that sees none is noticed: making
# and filling a draft, flushing it, moving it, flushing the parent.
ACTS = {
    "Replacing": 10,
    "ReplacingWithoutExchange": 10,
    "WritingAFile": 4,
    "SavingAState": 8,
    "Publishing": 30,
    "PublishingUnderAPin": 30,
    "Pinning": 4,
    "RollingBack": 4,
    "Unpinning": 4,
    "Pruning": 10,
    "Retiring": 10,
    "ForgettingAListener": 40,
}


FILLED = {"Replacing", "WritingAFile", "SavingAState", "Publishing", "ForgettingAListener"}
"""The acts that meet a full disk in the tests of seconds; the others write by the same means."""

CASES = [
    pytest.param(
        act, manner, marks=[] if manner == "kill" or (manner == "full" and act in FILLED) else [pytest.mark.slow]
    )
    for act in ACTS
    for manner in ("kill", "full", "failing")
]


@pytest.mark.parametrize(("act", "manner"), CASES)
def test_an_interruption_at_any_step_loses_nothing(act, manner, directory):
    assert printed("interrupting.py", act, manner, directory) >= ACTS[act]


KILLS = 24
"""Of each command, evenly spread over its steps, of which a forgetting that runs the pipeline has some thousand."""


@pytest.mark.slow
@pytest.mark.parametrize(("command", "least"), {"import": KILLS, "run": KILLS, "forget": KILLS, "rollback": 4}.items())
def test_a_kill_of_a_whole_command_is_made_good_by_the_next(command, least, directory):
    assert printed("killing.py", command, KILLS, directory) >= least


def printed(script, *arguments):
    """The number that a program of this folder prints."""
    # One thread: it forks.
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, Path(__file__).with_name(script), *map(str, arguments)]
    run = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert run.returncode == 0, run.stderr
    return int(run.stdout)
