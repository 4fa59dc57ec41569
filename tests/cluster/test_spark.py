import os
import socket
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from crossfade.cluster import spark_probe
from crossfade.cluster.spark import configuration
from crossfade.cluster.spark_checks import examine, failures
from crossfade.cluster.spark_settings import SparkSettings
from crossfade.core.errors import CrossfadeError, InputError, SettingsError


def square(number):
    return number * number


def place(number):
    time.sleep(0.2)  # so that one executor cannot carry out all of them
    return Path.cwd(), os.environ["OMP_NUM_THREADS"], os.environ["OPENBLAS_NUM_THREADS"]


def refuse(places, number):
    Path(places, f"{number}-{time.time_ns()}").touch()
    if number == 1:
        raise InputError("not a number", path="plays.csv", line=7)
    if number > 1:
        time.sleep(60)


def stumble(places, number):
    tries = Path(places, str(number))
    with tries.open("a") as file:
        file.write(".")
    if len(tries.read_text()) < 2:
        raise OSError("stale file handle")
    return number


def fail(number):
    raise KeyError("odd")


def long(number):
    time.sleep(60)


def look_elsewhere(look, elsewhere, folder, nonce, pause, number):
    return look(elsewhere, nonce, pause, number)


def die(number):
    os._exit(9)


def test_results_are_in_the_order_of_the_tasks(engine):
    told = []
    assert engine.each(square, 9, progress=lambda *report: told.append(report)) == [n * n for n in range(9)]
    assert told[-1] == (9, 9, "tasks")
    assert engine.each(square, 0) == []


def test_a_task_comes_back_to_the_executor_that_kept_what_it_needs(engine):
    first = engine.each(place, 6, cached="blocks")
    assert {threads for _, *threads in map(list, first) for threads in [tuple(threads)]} == {("1", "1")}
    assert len({folder for folder, *_ in first}) == 2 == engine.executors == engine.slots
    assert engine.each(place, 6, cached="blocks") == first
    engine.forget("blocks")


def test_an_error_of_ours_comes_back_as_it_was_and_ends_the_job(engine, tmp_path):
    began = time.monotonic()
    with pytest.raises(InputError, match=r"^plays\.csv, line 7: not a number$") as raised:
        engine.each(partial(refuse, str(tmp_path)), 8)
    assert raised.value.line == 7
    assert time.monotonic() - began < 40  # a task that is left to itself takes a minute
    assert len([*tmp_path.glob("1-*")]) == 1


def test_other_errors_are_tried_again_and_come_back_as_they_were(engine, tmp_path):
    assert engine.each(partial(stumble, str(tmp_path)), 2) == [0, 1]
    with pytest.raises(KeyError, match=r"^'odd'$"):
        engine.each(fail, 1)


def test_a_lost_process_is_one_line_that_says_what_to_do(engine):
    with pytest.raises(CrossfadeError, match=r"raise memory_mb or lower cores in \[spark\]") as raised:
        engine.each(die, 1)
    assert "\n" not in str(raised.value)


def test_an_interruption_frees_the_executors(engine):
    def interrupts(*_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        engine.each(long, 2, progress=interrupts)
    began = time.monotonic()
    assert engine.each(square, 4) == [0, 1, 4, 9]
    assert time.monotonic() - began < 40


def test_both_executors_have_what_this_machine_has_and_share_a_folder(engine, tmp_path):
    executors = examine(engine, tmp_path)
    assert len(executors) == 2
    assert list(failures(executors, engine.settings, engine.slots)) == []
    assert list(tmp_path.iterdir()) == []


def test_an_executor_that_sees_another_folder_is_a_problem(engine, tmp_path, monkeypatch):
    (tmp_path / "other").mkdir()
    monkeypatch.setattr(spark_probe, "look", partial(look_elsewhere, spark_probe.look, str(tmp_path / "other")))
    assert {one.problem for one in examine(engine, tmp_path)} == {f"{tmp_path / 'other'}: No such file or directory"}


def test_an_executor_that_comes_later_with_other_versions_is_named(engine, monkeypatch):
    here = {**spark_probe.versions(), "numpy": "99.0"}
    monkeypatch.setattr(spark_probe, "versions", lambda: here)
    with pytest.raises(CrossfadeError, match=rf"^{socket.gethostname()} has numpy .*; this machine has numpy 99\.0\."):
        engine.each(square, 2)


def test_settings_become_those_of_spark():
    settings = SparkSettings(
        master="yarn", executors=3, cores=4, task_cores=2, kernels="/shared/kernels", conf=("spark.yarn.queue=night",)
    )
    made = configuration(settings)
    assert made["spark.executor.instances"] == "3"
    assert made["spark.cores.max"] == "12"
    assert made["spark.task.cpus"] == made["spark.executorEnv.OMP_NUM_THREADS"] == "2"
    assert made["spark.executorEnv.NUMBA_CACHE_DIR"] == "/shared/kernels"
    assert made["spark.yarn.queue"] == "night"
    assert "spark.driver.host" not in made


@pytest.mark.parametrize("wrong", [{"conf": ["spark.yarn.queue"]}, {"cores": 2, "task_cores": 3}])
def test_settings_that_cannot_be_are_refused(wrong):
    with pytest.raises(SettingsError):
        SparkSettings(**wrong)


def test_cooccurrence_is_fitted_by_the_executors_to_the_bytes_of_one_machine(engine, tmp_path, rng):
    from crossfade.cluster.cooccurrence import similar_on
    from crossfade.core.artifacts import Identity, writing
    from crossfade.core.interactions import Interactions
    from crossfade.models.cooccurrence import nearest_items
    from crossfade.models.cooccurrence_columns import CooccurrenceSettings

    users, items = np.nonzero(rng.random((300, 40)) < np.linspace(0.05, 0.9, 40))
    played = Interactions.from_counts(users, items, rng.geometric(0.2, len(users)))
    with writing(tmp_path / "played", Identity(kind="interactions", version=1, inputs={}, settings={})) as draft:
        played.save(draft.path)
    settings = CooccurrenceSettings(measure="cosine", sampling="dimsum", threshold=0.5, relative_error=0.5)
    found = similar_on(engine, tmp_path / "played", settings, kind="artist", workspace=tmp_path / "work", parts=4)
    expected = nearest_items(played, settings, threads=1)
    assert found.emitted == expected.emitted < expected.pairs
    for ours, theirs in zip(found.lists, expected.lists, strict=True):
        assert ours.tobytes() == theirs.tobytes()


def test_components_are_found_by_the_executors(engine, tmp_path, rng):
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components as by_scipy

    from crossfade.cluster.components import connected_components

    left, right = rng.integers(0, 3000, (2, 2500)).astype(np.uint32)
    np.save(tmp_path / "left.npy", left)
    np.save(tmp_path / "right.npy", right)
    found = connected_components(engine, tmp_path, 3000, workspace=tmp_path / "work")
    count, labels = by_scipy(coo_array((np.ones(2500), (left, right)), shape=(3000, 3000)), directed=False)
    assert len(np.unique(found)) == count > 500
    assert len(np.unique(found.astype(np.int64) * count + labels)) == count
