"""No test waits for ever, whatever the program that started the suite ignores."""

import signal
import sys
from pathlib import Path
from subprocess import PIPE

import pytest
from tests.programs import started

PARENT = "import subprocess, sys; subprocess.Popen(['sleep', '900']); print('begun', flush=True); sys.stdin.read()"


def test_a_test_is_interrupted_when_its_time_is_over(request):
    left, again = signal.getitimer(signal.ITIMER_REAL)
    assert 0 < left <= float(request.config.getini("timeout"))
    assert 0 < again < 60


def test_an_interrupt_is_not_ignored():
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_a_program_ends_with_its_test_and_so_do_its_children():
    with started(sys.executable, "-c", PARENT, stdin=PIPE, stdout=PIPE) as process:
        assert process.stdout.readline() == "begun\n"
        (child,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    assert process.returncode == -signal.SIGKILL
    state = Path(f"/proc/{child}/stat")
    assert not state.exists() or state.read_text().split()[2] == "Z"
