"""A kill, a full disk and a failing disk at every step of what writes: see interrupting.py."""

import itertools
import os
import sys
from pathlib import Path
from subprocess import PIPE

import pytest
from tests.programs import started

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


FILLED = ("Replacing", "WritingAFile", "SavingAState", "Publishing", "ForgettingAListener")
"""The acts that meet a full disk in the tests of seconds, at every third step; the others write by the same means."""

QUICK = [
    *((act, "kill", 1 if least <= 10 else 3) for act, least in ACTS.items()),
    *((act, "full", 3) for act in FILLED),
]
EVERY_STEP = [case for case in itertools.product(ACTS, ("kill", "full", "failing"), (1,)) if case not in QUICK]


@pytest.fixture(scope="module")
def interrupted(tmp_path_factory):
    """Interrupt steps of an act, and return the last there was; one program does it for all acts."""
    reasons = tmp_path_factory.mktemp("interrupting") / "reasons"
    with reasons.open("w") as errors, program("interrupting.py", stdin=PIPE, stdout=PIPE, stderr=errors) as running:

        def steps(*asked):
            running.stdin.write(" ".join(map(str, asked)) + "\n")
            running.stdin.flush()
            answer = running.stdout.readline()
            assert answer.strip().isdecimal(), reasons.read_text()
            return int(answer)

        yield steps


@pytest.mark.parametrize(
    ("act", "manner", "every"), [*QUICK, *(pytest.param(*case, marks=pytest.mark.slow) for case in EVERY_STEP)]
)
def test_an_interruption_at_any_step_loses_nothing(act, manner, every, directory, interrupted):
    assert interrupted(act, manner, every, directory) >= ACTS[act]


KILLS = 24
"""Of each command, evenly spread over its steps: an import has 23, a forgetting that ends with a run some thousand."""


@pytest.mark.slow
@pytest.mark.parametrize(("command", "least"), {"import": 20, "run": KILLS, "forget": KILLS, "rollback": 4}.items())
def test_a_kill_of_a_whole_command_is_made_good_by_the_next(command, least, directory):
    with program("killing.py", command, KILLS, directory, stdout=PIPE, stderr=PIPE) as running:
        output, errors = running.communicate()
    assert running.returncode == 0, errors
    assert int(output) >= least


def program(script, *arguments, **streams):
    """A program of this folder, started."""
    # One thread: it forks.
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    return started(sys.executable, Path(__file__).with_name(script), *arguments, env=environment, **streams)
