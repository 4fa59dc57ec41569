"""Executors and drivers that are killed in mid-run, and workers that join late: the same bytes in the end."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time

import pytest
from tests.programs import started
from tests.servers import spark

from crossfade.core.artifacts import MANIFEST
from crossfade.core.home import Home
from crossfade.importing.imports import import_paths
from crossfade.pipeline import journal
from crossfade.pipeline.compiling import write_library
from crossfade.pipeline.run import run
from crossfade.pipeline.runner import UNWATCHED

pytestmark = pytest.mark.slow

MODELS = ("als", "cooccurrence", "popularity")
SETTINGS = """
[spark]
cores = 1
start_seconds = 240
memory_mb = 512
heap_mb = 512
conf = ["spark.ui.enabled=false"]
"""


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    """A home with a run on this machine."""
    directory = tmp_path_factory.mktemp("library")
    write_library(directory)
    home = Home(tmp_path_factory.mktemp("home"))
    import_paths(home, [directory])
    home.settings_file.write_text(SETTINGS)
    shutil.copytree(home.path, home.path.with_name("before"))
    run(home, UNWATCHED, MODELS)
    return home


@pytest.fixture
def there(here, tmp_path):
    """The same home before its run."""
    shutil.copytree(here.path.with_name("before"), tmp_path / "there")
    return Home(tmp_path / "there")


@pytest.fixture
def cluster(tmp_path, request):
    if (reason := spark.missing()) is not None:
        pytest.skip(reason)
    with spark.started(tmp_path / "spark", workers=getattr(request, "param", 2)) as running:
        yield running


def running(home, cluster):
    models = [part for model in MODELS for part in ("--model", model)]
    command = [sys.executable, "-m", "crossfade", "run", "--on", cluster.url, *models, "--home", home.path]
    return started(*command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def artifacts(home):
    return {path: path.stat().st_mtime_ns for path in home.runs.glob(f"*/[!.]*/{MANIFEST}")}


def wait_for(program, condition):
    while not condition():
        assert program.poll() is None, program.communicate()[0]
        time.sleep(0.05)


def finish(program):
    said, _ = program.communicate(timeout=600)
    assert program.returncode == 0, said


def contents(home):
    files = [path for path in home.runs.rglob("*") if path.is_file() and path.name != journal.JOURNAL]
    return {str(path.relative_to(home.runs)): path.read_bytes() for path in files}


def test_killed_executors_are_replaced(here, there, cluster):
    with running(there, cluster) as program:
        for complete in (1, 6, 12):
            wait_for(program, lambda least=complete: len(artifacts(there)) >= least and cluster.executors())
            cluster.kill_executor()
        finish(program)
    assert contents(there) == contents(here)


def test_a_killed_driver_goes_on_from_what_was_complete(here, there, cluster):
    with running(there, cluster) as program:
        wait_for(program, lambda: len(artifacts(there)) >= 6)
        os.kill(program.pid, signal.SIGKILL)
        program.wait()
    kept = artifacts(there)
    with running(there, cluster) as program:
        finish(program)
    assert contents(there) == contents(here)
    assert kept.items() <= artifacts(there).items()


@pytest.mark.parametrize("cluster", [1], indirect=True)
def test_a_worker_that_joins_late_takes_part(here, there, cluster):
    with running(there, cluster) as program:
        wait_for(program, lambda: len(artifacts(there)) >= 1)
        assert len(cluster.executors()) == 1
        cluster.add_worker(2)
        wait_for(program, lambda: len(cluster.executors()) == 2)
        finish(program)
    assert contents(there) == contents(here)


def test_the_processors_of_this_machine_will_do(here, there):
    if (reason := spark.missing()) is not None:
        pytest.skip(reason)
    models = [part for model in MODELS for part in ("--model", model)]
    command = [sys.executable, "-m", "crossfade", "run", "--on", "local[2]", *models, "--home", there.path]
    subprocess.run(command, check=True, capture_output=True)
    assert contents(there) == contents(here)


@pytest.mark.parametrize(
    ("settings", "shown"),
    [
        ("cores = 64\nstart_seconds = 8", "started no executor in 8 seconds"),
        ('conf = ["spark.driver.memory=much"]', "Spark did not start:"),
        ('python = "/nowhere/python"', "has no /nowhere/python. Install Python there, or set python in"),
    ],
)
def test_a_cluster_that_cannot_is_refused_before_work_starts(there, cluster, settings, shown):
    there.settings_file.write_text(f"[spark]\nmemory_mb = 512\nheap_mb = 512\n{settings}")
    with running(there, cluster) as program:
        said, _ = program.communicate(timeout=300)
    assert shown in " ".join(said.split())
    assert program.returncode == 1
    assert artifacts(there) == {}


def test_what_is_no_master_but_listens_is_refused(there):
    with socket.create_server(("127.0.0.1", 0)) as server:
        there.settings_file.write_text("[spark]\nstart_seconds = 15")
        command = [sys.executable, "-m", "crossfade", "run", "--home", there.path, "--on"]
        done = subprocess.run(
            [*command, f"spark://127.0.0.1:{server.getsockname()[1]}"], capture_output=True, text=True
        )
    assert "did not accept this application in 15 seconds" in " ".join(done.stderr.split())
    assert done.returncode == 1


ENDS = """
import os, signal, threading
from pyspark import SparkContext
from crossfade.cluster.spark import start
from crossfade.cluster.spark_settings import SparkSettings
from crossfade.core.errors import CrossfadeError
from time import sleep

engine = start(SparkSettings(master="local[1]", conf=["spark.ui.enabled=false"]))
threading.Timer(3, os.kill, (SparkContext._gateway.proc.pid, signal.SIGKILL)).start()
for _ in range(2):
    try:
        engine.each(lambda number: sleep(100), 2, progress=lambda *_: None)
    except CrossfadeError as error:
        print(error)
engine.stop()
"""


def test_a_java_process_that_ends_is_one_error():
    if (reason := spark.missing()) is not None:
        pytest.skip(reason)
    done = subprocess.run([sys.executable, "-c", ENDS], capture_output=True, text=True, check=True)
    assert done.stdout.count("The application on local[1] has ended") == 2
