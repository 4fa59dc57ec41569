"""ALS by streaming jobs on a real Hadoop, in its client's process; and its errors."""

import contextlib
import io
import json
import os
import shutil
import signal
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_array
from tests.servers import hadoop as server

from crossfade.cli.doctor import _hadoop
from crossfade.cli.library import _machines
from crossfade.cluster import retrieval
from crossfade.cluster.hadoop import Hadoop, HadoopEngine, Job
from crossfade.cluster.hadoop_als import HadoopALS
from crossfade.cluster.hadoop_settings import HadoopSettings
from crossfade.cluster.mapreduce_als import cells_of
from crossfade.cluster.streaming import EXPECTED, read_records, run_task
from crossfade.core.artifacts import Identity, writing
from crossfade.core.csr import CSR
from crossfade.core.errors import CrossfadeError, InputError, NotReadyError, SettingsError
from crossfade.core.home import Home
from crossfade.core.ids import Ids
from crossfade.core.interactions import Interactions
from crossfade.core.settings import as_table
from crossfade.core.spaces import VectorSpace
from crossfade.importing.imports import import_paths
from crossfade.kernels.als.half_step import FixedSide, gram_matrix
from crossfade.kernels.als.sums import length_of
from crossfade.kernels.lanes import aligned, padded
from crossfade.kernels.transposing import transposed
from crossfade.models.als import ALS, ALSSettings
from crossfade.models.als_objective import Objective
from crossfade.models.factors import FittedItems
from crossfade.models.registry import load_fitted
from crossfade.nearest.contract import IndexSettings
from crossfade.pipeline.compiling import write_library
from crossfade.pipeline.learning import BuildSurface, ComputeNeighbours
from crossfade.pipeline.plan import make_plan
from crossfade.pipeline.run import run
from crossfade.pipeline.runner import UNWATCHED
from crossfade.pipeline.settings import Settings
from crossfade.ranking.neighbourhood import Neighbourhood, NeighbourSettings


@pytest.fixture
def real_hadoop(tmp_path, monkeypatch):
    """A function that gives a Hadoop with these settings."""
    if (reason := server.missing()) is not None:
        pytest.skip(f"Hadoop {reason}")
    paths = [str(server.ROOT / "src"), str(server.ROOT), os.environ.get("PYTHONPATH")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, paths)))
    shared = tmp_path / "shared"
    shared.mkdir()

    def connected(**settings):
        conf = (f"hadoop.tmp.dir={tmp_path / 'hadoop'}", *settings.pop("conf", ()))
        return Hadoop.connect(server.settings(str(shared), conf=conf, **settings), tmp_path / "work")

    return connected


def some_interactions(rng, users=60, items=40):
    played = rng.random((users, items)) < 0.15
    played[3] = played[:, 5] = False  # somebody without plays, a track that nobody played
    return Interactions.from_csr(csr_array(np.where(played, rng.exponential(5.0, played.shape), 0.0)))


def sides_of(interactions):
    by_user = CSR(interactions.indptr, interactions.indices, interactions.weights)
    return by_user, transposed(by_user, len(interactions.item_ids))


def model_of_items(rng, place, items=300):
    """The artifact of a model of items alone."""
    ids = Ids.of(f"{row:04d}" for row in range(items))
    vectors = rng.standard_normal((items, 8)).astype(np.float32)
    space = VectorSpace(model="word2vec", kind="track", metric="cosine", item_ids=ids, item_vectors=vectors)
    with writing(place, Identity(kind="fit", version=1)) as draft:
        FittedItems(space=space, support=rng.integers(0, 9, items)).save(draft.path)
    return place


def content(place):
    return {path.relative_to(place): path.read_bytes() for path in place.rglob("*") if path.is_file()}


def close(fitted, alone):
    """Check that scores are the same to 1e-4 of the largest: vectors themselves may be turned together."""
    scores = [np.asarray(one.space.user_vectors) @ np.asarray(one.space.item_vectors).T for one in (fitted, alone)]
    largest = np.abs(scores[1]).max()
    assert largest > 0.01
    np.testing.assert_allclose(scores[0], scores[1], rtol=0, atol=1e-4 * largest)


def test_a_job_solves_a_side_as_one_machine_does(real_hadoop, rng, tmp_path):
    factors, frozen, users = 8, 6, 60
    by_user, by_item = sides_of(some_interactions(rng, users))
    vectors, solved = aligned(by_item.rows, padded(factors)), aligned(users, padded(factors))
    vectors[:, :factors] = rng.normal(size=(by_item.rows, factors))
    solved[:, frozen] = 1.0
    objective = Objective(0.3, 2.0, 1.0, 0.1, 0.5)
    fixed = FixedSide.of(vectors, gram_matrix(vectors, 1), "pcg", shared=objective.shared, frozen=frozen)
    expected = solved.copy()
    objective.half_step(by_user, fixed, expected, others=by_item.rows, steps=3)

    jobs = HadoopALS(real_hadoop(user_blocks=3, item_blocks=5, mappers=1, reducers=1), "fit", tmp_path / "cache")
    with jobs(objective, factors, (by_user, by_item)) as (solve_users, _):
        solve_users(fixed, vectors, solved, steps=3)
    np.testing.assert_allclose(solved, expected, rtol=1e-4, atol=1e-5)
    assert np.abs(solved[3, :frozen]).max() > 0  # nobody's plays: only the frozen coordinate pulls
    (moved,) = jobs.moved
    assert moved.side == "users"
    # A cell's rows with their numbers of ratings and sums, each once, with Hadoop's few bytes a record.
    touched = sum(len(cell.rows) for _, _, cell in cells_of(by_user, 3, 5))
    assert 1 < moved.counters.shuffled / (touched * 4 * (2 + length_of(factors))) < 1.1
    assert moved.counters.read > 0
    assert not any((tmp_path / "shared").iterdir())


@pytest.mark.slow
def test_jobs_fit_a_model_with_biases(real_hadoop, rng, tmp_path):
    interactions, als = some_interactions(rng), ALS(ALSSettings(factors=8, iterations=1, biases=True))
    jobs = HadoopALS(real_hadoop(user_blocks=3, item_blocks=5, mappers=1, reducers=1), "fit", tmp_path / "cache")
    close(als.fit(interactions, elsewhere=jobs), als.fit(interactions))
    assert [moved.side for moved in jobs.moved] == ["users", "items", "users"]


@pytest.mark.slow
@pytest.mark.parametrize("solver", ["auto", "cholesky"])
@pytest.mark.parametrize("grid", [(1, 1), (3, 5), (14, 112)])
def test_the_grid_changes_nothing(real_hadoop, rng, tmp_path, grid, solver):
    interactions = some_interactions(rng, 300, 240)
    als = ALS(ALSSettings(factors=16, iterations=2, solver=solver))
    hadoop = real_hadoop(user_blocks=grid[0], item_blocks=grid[1], mappers=3, reducers=2)
    fitted = als.fit(interactions, elsewhere=HadoopALS(hadoop, "fit", tmp_path / "cache"))
    close(fitted, als.fit(interactions))


@pytest.mark.slow
def test_a_driver_that_was_killed_goes_on_after_the_last_half_iteration(real_hadoop, rng, tmp_path):
    interactions, als = some_interactions(rng), ALS(ALSSettings(factors=8, iterations=2))
    hadoop = real_hadoop(mappers=1, reducers=1)

    def lost(done, total, unit):
        if done == 3:
            raise KeyboardInterrupt

    first, second = (HadoopALS(hadoop, name, tmp_path / "cache") for name in ("first", "second"))
    with pytest.raises(KeyboardInterrupt):
        als.fit(interactions, elsewhere=first, workspace=tmp_path / "states", progress=lost)
    fitted = als.fit(interactions, elsewhere=second, workspace=tmp_path / "states")
    assert [moved.side for moved in first.moved] == ["users", "items", "users"]
    assert [moved.side for moved in second.moved] == ["items", "users"]
    close(fitted, als.fit(interactions))


@pytest.mark.slow
def test_a_job_whose_process_is_killed_changes_nothing(real_hadoop, rng, tmp_path):
    interactions, als = some_interactions(rng), ALS(ALSSettings(factors=8, iterations=1))
    hadoop, killed = real_hadoop(mappers=1, reducers=1), []

    def kill_once():
        wanted = str(tmp_path).encode(), b"-output", b"items"
        while not killed:
            for process in Path("/proc").glob("[0-9]*"):
                with contextlib.suppress(OSError):
                    command = (process / "cmdline").read_bytes()
                    if all(part in command for part in wanted):
                        os.kill(int(process.name), signal.SIGKILL)
                        killed.append(process.name)
            time.sleep(0.05)

    killer = threading.Thread(target=kill_once, daemon=True)
    killer.start()
    fitted = als.fit(interactions, elsewhere=HadoopALS(hadoop, "fit", tmp_path / "cache"))
    killer.join()
    close(fitted, als.fit(interactions))


def test_reducers_search_the_mapped_index(real_hadoop, rng, tmp_path, monkeypatch):
    monkeypatch.setattr(retrieval, "LEAST", 50)
    model, settings = model_of_items(rng, tmp_path / "model"), NeighbourSettings(size=9)
    alone, spread = tmp_path / "alone", tmp_path / "spread"
    alone.mkdir()
    spread.mkdir()
    Neighbourhood.build(FittedItems.load(model), settings, IndexSettings(), directory=alone, threads=1).save(alone)
    engine = HadoopEngine(real_hadoop(reducers=2), tmp_path / "cache")
    where = {"directory": spread, "workspace": tmp_path / "workspace"}
    retrieval.compute_neighbours(engine, model, settings, IndexSettings(), **where).save(spread)
    assert content(spread) == content(alone)


@pytest.mark.slow
def test_yarn_carries_out_the_jobs(real_hadoop, rng, yarn, tmp_path, monkeypatch):
    interactions, als = some_interactions(rng), ALS(ALSSettings(factors=8, iterations=1))
    for name, value in yarn.items():
        monkeypatch.setenv(name, value)
    hadoop = real_hadoop(user_blocks=2, item_blocks=2, mappers=2, reducers=2, memory_mb=400)
    jobs = HadoopALS(hadoop, "fit", tmp_path / "cache")
    close(als.fit(interactions, elsewhere=jobs), als.fit(interactions))
    assert [moved.side for moved in jobs.moved] == ["users", "items", "users"]
    assert all(moved.counters.shuffled > 0 for moved in jobs.moved)


@pytest.mark.slow
def test_a_run_makes_the_lists_of_a_run_here(real_hadoop, tmp_path, monkeypatch):
    monkeypatch.setattr(retrieval, "LEAST", 5)
    monkeypatch.setattr("crossfade.pipeline.hadoop.SPREAD_BYTES", -(1 << 40))
    (tmp_path / "library").mkdir()
    write_library(tmp_path / "library")
    here, there = Home(tmp_path / "here"), Home(tmp_path / "there")
    import_paths(there, [tmp_path / "library"])
    table = as_table(real_hadoop(user_blocks=2, item_blocks=2, mappers=1, reducers=1, shared_home=True).settings)
    lines = [f"{name} = {json.dumps(value)}" for name, value in table.items()]
    lines += ["[models.als]", "iterations = 1", "factors = 8"]
    there.settings_file.write_text("\n".join(["[hadoop]", *lines]))
    few = ("als", "popularity")
    run(there, UNWATCHED, few, on="hadoop")

    shutil.copytree(there.path, here.path)
    plan = make_plan(here, Settings.of(here).fitting(few)).steps.values()
    listed = [step for step in plan if isinstance(step, ComputeNeighbours | BuildSurface)]
    for step in listed:
        shutil.rmtree(here.runs / step.name)
    run(here, UNWATCHED, few)
    assert len(listed) > 4
    for step in listed:
        assert content(step.place(there)) == content(step.place(here))
    # The fit itself differs from one here by rounding alone.
    (fit,) = (step for step in plan if step.name == "als-artist")
    ours = load_fitted(fit.place(there))
    shutil.rmtree(here.runs / "als-artist")
    run(here, UNWATCHED, few)
    close(ours, load_fitted(fit.place(here)))


FAKE = """
import os, pathlib, sys
sys.path[:0] = {path!r}
from crossfade.cluster.sequence_files import write_sequence
log = pathlib.Path({log!r})
tries = len(log.read_text()) if log.exists() else 0
log.write_text("x" * (tries + 1))
if tries < {failures}:
    print({said!r})
    sys.exit(1)
output = pathlib.Path(sys.argv[sys.argv.index("-output") + 1].removeprefix("file://"))
output.mkdir()
with (output / "part-00000").open("wb") as file:
    write_sequence(file, {records!r})
print("INFO map 100% reduce 0%")
print("Counters: 9\\n\\tFile System Counters\\n\\t\\tBytes Read=1")
print("2026 INFO mapreduce.Job: Counters: 3\\n\\tShuffle\\n\\t\\tReduce shuffle bytes=20\\n\\t\\tBytes Read=300")
"""


@pytest.fixture
def fake_hadoop(tmp_path):
    """A function that gives a Hadoop whose command fails so often, saying this, and then has these records."""

    def made(failures=0, said="", records=()):
        (tmp_path / "shared").mkdir()
        (tmp_path / "hadoop.jar").touch()
        program = tmp_path / "fake.py"
        path = [str(server.ROOT / "src")]
        program.write_text(
            FAKE.format(path=path, log=str(tmp_path / "log"), failures=failures, said=said, records=list(records))
        )
        settings = HadoopSettings(
            command=f"{sys.executable} {program}",
            streaming_jar=str(tmp_path / "hadoop.jar"),
            folder=str(tmp_path / "shared"),
        )
        return Hadoop.connect(settings, tmp_path / "work")

    return made


def job_at(place):
    return Job(
        name="fit-users-1", mapper="map-cells", reducer="reduce-sums", inputs="fit-users", cache=place, reducers=1
    )


def test_a_job_that_was_killed_is_submitted_again(fake_hadoop, tmp_path):
    percents = []
    with fake_hadoop(1, "Killed", [(b"key", b"value")]).run(job_at(tmp_path), percents.append) as (records, counters):
        assert list(records) == [(b"key", b"value")]
    assert (counters.read, counters.shuffled, percents) == (300, 20, [50.0])
    assert not any((tmp_path / "shared").iterdir())
    assert not any((tmp_path / "work").iterdir())


PYTHON = """Traceback (most recent call last):
  File "streaming.py", line 80, in <module>
ModuleNotFoundError: No module named 'crossfade'
INFO job_local_0001
java.lang.Exception: java.lang.RuntimeException: PipeMapRed.waitOutputThreads(): subprocess failed with code 1
\tat org.apache.hadoop.mapred.LocalJobRunner$Job.runTasks(LocalJobRunner.java:492)
main ERROR Job not successful!"""

JAVA = """INFO Submitted application application_1795370588468_0007
Exception in thread "main" java.lang.RuntimeException: configuration exception
Caused by: java.io.IOException: Cannot run program "python9": error=2, No such file or directory
\tat java.base/java.lang.ProcessBuilder.start(ProcessBuilder.java:1143)
Caused by: java.io.IOException: error=2, No such file or directory
Streaming Command Failed!"""

LIMIT = """INFO Running job: job_1_0001
Job job_1_0001 failed with state FAILED due to: Task failed task_1_0001_m_000000
main ERROR Job not successful!"""


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (PYTHON, r"failed: ModuleNotFoundError: No module named 'crossfade'\. "),
        (JAVA, r"failed: Cannot run program .python9.*yarn logs -applicationId application_1795370588468_0007"),
        (LIMIT, r"failed: Task failed task_1_0001_m_000000\."),
        ("", "failed: it said nothing"),
    ],
)
def test_a_job_that_fails_each_time_says_why(fake_hadoop, tmp_path, said, shown):
    hadoop = fake_hadoop(9, said)
    with pytest.raises(CrossfadeError, match=shown) as raised, hadoop.run(job_at(tmp_path)):
        pass
    assert "\tat " not in str(raised.value)
    assert (tmp_path / "log").read_text() == "xx"
    assert Path(str(raised.value).split()[-1]).read_text().strip() == said


def test_an_error_that_a_task_sends_is_raised_as_it_was(fake_hadoop, tmp_path):
    sent = io.BytesIO()
    run_task(_raises, io.BytesIO(b"\0\0\0\1k\0\0\0\1v"), sent, tmp_path)
    (failure,) = read_records(io.BytesIO(sent.getvalue()))
    passed = io.BytesIO()
    run_task(lambda records, cache: iter(records), io.BytesIO(sent.getvalue()), passed, tmp_path)
    assert passed.getvalue() == sent.getvalue()
    with (
        fake_hadoop(records=[failure]).run(job_at(tmp_path)) as (records, _),
        pytest.raises(InputError, match=r"^these ratings are wrong$"),
    ):
        list(records)


def _raises(records, cache):
    raise InputError("these ratings are wrong")
    yield


def test_another_version_on_a_machine_is_an_error(monkeypatch, tmp_path):
    monkeypatch.setenv(EXPECTED, "crossfade-0.1-python-3.9")
    sent = io.BytesIO()
    run_task(lambda records, cache: iter(records), io.BytesIO(), sent, tmp_path)
    ((_, message),) = read_records(io.BytesIO(sent.getvalue()))
    assert b"the driver crossfade-0.1-python-3.9. Install the same." in message


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        ({"command": "no-hadoop-here"}, NotReadyError, "There is no program 'no-hadoop-here' here"),
        (
            {"streaming_jar": "/nowhere.jar"},
            NotReadyError,
            r"is missing \(/nowhere.jar\). Set \[hadoop\]",
        ),
        ({"streaming_jar": ""}, NotReadyError, r"is missing \(not below \$HADOOP_HOME\)"),
        ({"folder": ""}, SettingsError, r"\[hadoop\] folder is not set"),
        ({"folder": "/no/such/mount"}, NotReadyError, "/no/such/mount is missing. Mount it"),
        ({"folder": "hdfs://nowhere/x"}, NotReadyError, "hdfs://nowhere/x cannot be used by `hadoop fs -mkdir`: said"),
    ],
)
def test_a_hadoop_that_cannot_be_used_is_refused_before_work_starts(tmp_path, monkeypatch, wrong, error, message):
    monkeypatch.setenv("HADOOP_HOME", str(tmp_path))
    (tmp_path / "hadoop.jar").touch()
    (tmp_path / "fake.py").write_text("import sys; sys.exit('mkdir: said')")
    given = {"command": f"{sys.executable} {tmp_path / 'fake.py'}", "streaming_jar": str(tmp_path / "hadoop.jar")}
    with pytest.raises(error, match=message):
        Hadoop.connect(HadoopSettings(**{**given, "folder": str(tmp_path), **wrong}), tmp_path / "work")


def test_properties_have_a_value():
    with pytest.raises(SettingsError, match="conf has properties"):
        HadoopSettings(conf=("mapreduce.job.queuename",))


def test_on_hadoop_replaces_the_runner_alone():
    settings = Settings({"run": {"threads": 3}, "hadoop": {"folder": "/shared"}}).on("hadoop")
    assert (settings.run.runner, settings.run.threads) == ("hadoop", 3)
    assert settings.section("hadoop").folder == "/shared"


def test_doctor_says_what_hadoop_lacks(tmp_path, fake_hadoop):
    table = as_table(fake_hadoop().settings)
    home = Home(tmp_path / "home")
    home.prepare()
    for folder, found in ((table["folder"], "ok"), (str(tmp_path / "away"), "bad")):
        lines = [f"{name} = {json.dumps(value)}" for name, value in {**table, "folder": folder}.items()]
        home.settings_file.write_text("\n".join(["[hadoop]", *lines]))
        (finding,) = _hadoop(home)
        assert finding.state == found
        assert folder in finding.found


def test_files_are_not_imported_on_hadoop(tmp_path):
    with pytest.raises(SettingsError, match="not on Hadoop"):
        _machines(Home(tmp_path), Settings({}).on("hadoop"))
