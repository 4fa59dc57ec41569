"""What the runner of this machine does besides: steps side by side, limits, interruptions and kills."""

import _thread
import signal
import subprocess
import sys
import textwrap
import threading
import time

import pytest

from crossfade.core.errors import InputError
from crossfade.pipeline import scheduling
from crossfade.pipeline.local import LocalRunner
from crossfade.pipeline.runner import UNWATCHED

WAIT = 20.0  # seconds until a test that waits for another thread gives up


def run(home, *steps, threads=2, memory_bytes=100, watch=UNWATCHED):
    return LocalRunner(threads=threads, memory_bytes=memory_bytes).run(steps, home, watch)


def meeting(parties):
    """An act that ends once so many steps are in it at the same time."""
    barrier = threading.Barrier(parties, timeout=WAIT)
    return lambda _: barrier.wait()


class Together:
    """An act that counts how many steps are in it at the same time."""

    def __init__(self):
        self.now = self.most = 0
        self._lock = threading.Lock()

    def __call__(self, context):
        with self._lock:
            self.now += 1
            self.most = max(self.most, self.now)
        time.sleep(0.02)
        with self._lock:
            self.now -= 1


def test_independent_steps_overlap(kitchen, home):
    together = meeting(2)
    run(home, kitchen.step("flour", act=together), kitchen.step("water", act=together))


def test_one_thread_runs_one_step_at_a_time_in_order(kitchen, home):
    together = Together()
    run(home, *(kitchen.step(name, act=together) for name in "dcba"), threads=1)
    assert together.most == 1
    assert kitchen.ran == ["d", "c", "b", "a"]


def test_estimates_of_memory_keep_steps_apart(kitchen, home):
    together = Together()
    steps = [kitchen.step(name, act=together, memory_bytes=60) for name in "abc"]
    run(home, *steps, threads=4, memory_bytes=100)
    assert together.most == 1


def test_a_small_step_runs_beside_a_large_one_past_another_that_has_to_wait(kitchen, home):
    together = meeting(2)
    large = kitchen.step("large", act=together, memory_bytes=80)
    waiting = kitchen.step("waiting", memory_bytes=80)
    small = kitchen.step("small", act=together, memory_bytes=20)
    run(home, large, waiting, small, memory_bytes=100)
    assert kitchen.ran[-1] == "waiting"


def test_a_step_larger_than_the_memory_runs_alone_and_is_told_the_limit(kitchen, home):
    together, limits = Together(), []

    def large(context):
        limits.append(context.memory_bytes)
        together(context)

    run(home, *(kitchen.step(name, act=large, memory_bytes=500) for name in "abc"))
    assert together.most == 1
    assert limits == [100, 100, 100]


def cold(context):
    raise InputError("the oven is cold", path="kitchen", line=3)


def test_an_error_stops_what_runs_beside_it_and_begins_nothing_else(kitchen, home):
    started, ended = threading.Event(), []

    def fails(context):
        assert started.wait(WAIT)
        cold(context)

    def long(context):
        started.set()
        for number in range(int(WAIT / 0.01)):
            time.sleep(0.01)
            context.progress(number, None, "loaves")
        ended.append("long")

    with pytest.raises(InputError):
        run(home, kitchen.step("bread", act=fails), kitchen.step("cake", act=long), kitchen.step("pie"))
    assert ended == []
    assert set(kitchen.ran) == {"bread", "cake"}
    assert not list(home.runs.rglob("*.partial"))


def interrupts(context):
    _thread.interrupt_main()  # unlike a signal it wakes nobody, as one that comes just before a wait
    while True:
        time.sleep(0.01)
        context.progress(0, None, "loaves")


def test_an_interruption_stops_a_step_at_its_next_report(kitchen, home):
    bread = kitchen.step("bread", act=interrupts)
    with pytest.raises(KeyboardInterrupt):
        run(home, bread)
    assert not bread.is_done(home)
    assert not list(home.runs.rglob("*.partial"))


def test_an_interruption_does_not_wait_long_for_a_step_that_reports_nothing(kitchen, home, monkeypatch):
    monkeypatch.setattr(scheduling, "GRACE_SECONDS", 0.05)
    release = threading.Event()

    def deaf(context):
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
        release.wait(WAIT)

    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        run(home, kitchen.step("bread", act=deaf))
    assert time.monotonic() - started < WAIT / 2
    release.set()


def test_a_killed_run_goes_on_where_it_stopped(tmp_path):
    script = textwrap.dedent(
        """
        import os, signal, sys
        from dataclasses import dataclass
        from pathlib import Path
        from crossfade.core.home import Home
        from crossfade.pipeline.local import LocalRunner
        from crossfade.pipeline.runner import Watch
        from crossfade.pipeline.steps import Step, needing

        @dataclass(frozen=True, kw_only=True)
        class Line(Step):
            label: str
            name = title = property(lambda self: self.label)

            def memory(self, home):
                return 0

            def run(self, draft, context):
                (draft.path / "line").write_text(self.name)
                with (context.home.path / "ran").open("a") as log:
                    log.write(self.name + " ")
                if self.name == sys.argv[2]:
                    os.kill(os.getpid(), signal.SIGKILL)

        home = Home(Path(sys.argv[1]))
        home.prepare()
        flour = Line(label="flour")
        LocalRunner(threads=2, memory_bytes=1).run(
            [flour, Line(label="bread", needs=needing(flour))], home, Watch()
        )
        """
    )
    home = tmp_path / "home"
    killed = subprocess.run([sys.executable, "-c", script, str(home), "bread"], check=False)
    assert killed.returncode == -9
    subprocess.run([sys.executable, "-c", script, str(home), "nothing"], check=True)
    assert (home / "ran").read_text() == "flour bread bread "
