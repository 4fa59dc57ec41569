"""No test waits for ever, whatever the program that started the suite ignores."""

import os
import signal
import sys
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
    reading, writing = os.pipe()
    with os.fdopen(reading) as told:
        with started(sys.executable, "-c", PARENT, stdin=PIPE, stdout=writing):
            os.close(writing)
            assert told.readline() == "begun\n"
        assert told.read() == "", "open as long as one of them lives"
