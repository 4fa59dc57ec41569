"""Where the runner of Spark has a step carried out: on an executor, over all of them, or on the driver."""

from dataclasses import dataclass, field

import pytest

from crossfade.cluster.spark_settings import SparkSettings
from crossfade.core.errors import BusyError
from crossfade.pipeline import spark
from crossfade.pipeline.runner import UNWATCHED
from crossfade.pipeline.scheduling import carry_out_all
from crossfade.pipeline.spark import SparkRunner, _Cluster, carry_out_there
from crossfade.pipeline.steps import FLOOR

ROOM = 1_000_000_000  # bytes of a task


@dataclass
class Executors:
    """Two executors with two tasks each; what is sent to them is carried out by nobody."""

    slots: int = 4
    executors: int = 2
    memory_bytes: int = ROOM
    sent: list[object] = field(default_factory=list)

    def each(self, work, tasks, *, cached="", progress=None):
        self.sent.append(work)
        progress(0, 1, "tasks")
        return [77]


@pytest.fixture
def engine():
    return Executors()


@pytest.fixture
def place(home, engine):
    def make(exchange="files"):
        settings = SparkSettings(master="local[2]", memory_mb=2000, exchange=exchange)
        return _Cluster(SparkRunner(threads=3, memory_bytes=5 * ROOM, settings=settings), home, engine)

    return make


def silent(*_):
    pass


def test_a_step_goes_to_an_executor_and_its_peak_comes_back(kitchen, engine, place):
    assert place().carry_out(kitchen.step("flour"), ROOM, silent) == 77
    assert len(engine.sent) == 1
    assert kitchen.ran == []


def test_a_step_larger_than_a_task_runs_here_within_the_limits_of_this_machine(kitchen, engine, place):
    limits = []
    step = kitchen.step("bread", act=lambda context: limits.append((context.threads, context.memory_bytes)))
    assert place().carry_out(step, 9 * ROOM, silent) is None
    assert limits == [(3, 5 * ROOM)]
    assert engine.sent == []


def test_without_a_shared_folder_steps_run_here(kitchen, engine, place):
    assert place("shuffle").carry_out(kitchen.step("flour"), FLOOR, silent) is None
    assert kitchen.ran == ["flour"]


def test_a_large_step_with_a_distributed_form_is_spread(kitchen, engine, place, home, monkeypatch):
    def form(step, draft, context, machines):
        assert (machines, context.threads, context.memory_bytes) == (engine, 1, ROOM)
        (draft.path / "line").write_text("together")
        draft.rows["lines"] = 1

    monkeypatch.setattr(spark, "DISTRIBUTED", {"line": form})
    small, large = kitchen.step("small"), kitchen.step("large")
    assert place().carry_out(small, FLOOR + 1, silent) == 77
    assert place().carry_out(large, 9 * ROOM, silent) is None
    assert (large.place(home) / "line").read_text() == "together"
    assert kitchen.ran == []


def test_a_worker_that_joins_late_has_more_steps_run_at_a_time(place, engine):
    cluster = place()
    assert (cluster.steps, cluster.memory_bytes) == (5, 5 * ROOM)  # two executors of 2 GB, and a driver of 5 GB
    engine.executors, engine.slots = 4, 8
    assert (cluster.steps, cluster.memory_bytes) == (9, 8 * ROOM)


def test_the_peak_of_a_step_is_that_of_where_it_ran(kitchen, home, place, engine):
    step = kitchen.step("flour")
    cluster = place()

    def carry_out(one, estimate, progress):
        spark.build(one, spark.Context(home=home, threads=1, memory_bytes=1))
        return cluster.carry_out(one, estimate, progress)

    (result,) = carry_out_all([step], home, UNWATCHED, cluster, carry_out)
    assert result.peak_bytes == 77


def test_a_second_attempt_waits_for_the_first_one(kitchen, home, monkeypatch, tmp_path):
    attempts = []

    def busy(context):
        attempts.append(1)
        if len(attempts) < 3:
            raise BusyError("another attempt has the states of the fit")

    step = kitchen.step("fit", act=busy)
    monkeypatch.setattr(spark, "from_json", lambda text: step)
    monkeypatch.setattr(spark, "WAIT_SECONDS", 0.01)
    assert carry_out_there("{}", home, 1, ROOM, tmp_path / "progress", 0) > 0
    assert len(attempts) == 3
    assert step.is_done(home)
    carry_out_there("{}", home, 1, ROOM, tmp_path / "progress", 0)  # as after a lost answer
    assert len(attempts) == 3
