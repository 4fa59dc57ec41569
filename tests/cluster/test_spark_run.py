"""Runs of whole libraries on a real cluster give what runs of this machine give."""

import dataclasses
import json
import os
import shutil
import subprocess
import sys
import time
from threading import Thread

import numpy as np
import pytest
from click.testing import CliRunner
from tests.cluster.conftest import settings_of

from crossfade.cli import crossfade
from crossfade.cluster import spark as spark_of_cluster
from crossfade.cluster.als_shuffle import Shuffle
from crossfade.cluster.retrieval import compute_neighbours
from crossfade.cluster.spark import SparkEngine
from crossfade.core.artifacts import MANIFEST, Identity, read_manifest, writing
from crossfade.core.errors import SettingsError
from crossfade.core.home import Home
from crossfade.core.ids import Ids
from crossfade.core.spaces import VectorSpace
from crossfade.importing.imports import import_paths
from crossfade.models.factors import FittedItems
from crossfade.nearest.contract import IndexSettings
from crossfade.pipeline import journal, spark
from crossfade.pipeline.compiling import write_library
from crossfade.pipeline.run import run
from crossfade.pipeline.runner import UNWATCHED, Watch
from crossfade.pipeline.settings import Settings
from crossfade.pipeline.steps import FLOOR
from crossfade.ranking.neighbourhood import Neighbourhood, NeighbourSettings

FEW = ("als", "popularity")


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    """A home with imports and no run."""
    directory = tmp_path_factory.mktemp("library")
    write_library(directory)
    home = Home(tmp_path_factory.mktemp("home"))
    import_paths(home, [directory])
    return home


@pytest.fixture
def copies(library, tmp_path):
    """Makes equal homes."""

    def copy(name, settings=""):
        shutil.copytree(library.path, tmp_path / name)
        home = Home(tmp_path / name)
        home.settings_file.write_text(settings)
        return home

    return copy


@pytest.fixture
def on_cluster(engine, cluster):
    """What a home's settings say about the cluster of the tests."""
    table = dataclasses.asdict(settings_of(cluster))
    lines = [f"{name} = {list(value) if isinstance(value, tuple) else value!r}" for name, value in table.items()]
    return "\n".join(["[run]", 'runner = "spark"', "[spark]", *lines]).replace("'", '"')


def contents(home):
    files = [path for path in home.runs.rglob("*") if path.is_file() and path.name != journal.JOURNAL]
    return {str(path.relative_to(home.runs)): path.read_bytes() for path in files}


def test_a_run_on_the_cluster_makes_the_bytes_of_a_run_here(copies, on_cluster, monkeypatch):
    monkeypatch.setattr(spark, "SPREAD_BYTES", -FLOOR)  # whatever has a distributed form is spread
    # Except ALS, whose sums are then rounded in another order.
    monkeypatch.setattr(spark, "FITS", {name: fit for name, fit in spark.FITS.items() if name != "als"})
    here, there = copies("here"), copies("there", on_cluster)
    reported = set()
    watch = Watch(begun=lambda step: lambda *progress: reported.add(step.name))
    expected, result = run(here, UNWATCHED, FEW), run(there, watch, FEW)
    assert contents(there) == contents(here)
    assert any(path.endswith(MANIFEST) for path in contents(there))
    assert result.release == expected.release
    assert all(step.built and step.peak_bytes > 20_000_000 for step in result.steps)
    assert {name for name, _ in journal.latest(there)} == {step.name for step in result.steps}
    assert reported >= {"als-artist", "catalog"}
    again = run(there, UNWATCHED, FEW)
    assert again.release == result.release
    assert not any(step.built for step in again.steps)


@pytest.mark.slow
def test_without_a_shared_folder_the_executors_fit_als_and_the_driver_does_the_rest(
    copies, on_cluster, engine, monkeypatch
):
    monkeypatch.setattr(spark, "SPREAD_BYTES", -FLOOR)
    monkeypatch.setattr(spark, "application", lambda settings, folder: dataclasses.replace(engine, settings=settings))
    half_step, sides = Shuffle.half_step, []
    monkeypatch.setattr(Shuffle, "half_step", lambda self, turn: sides.append(turn.side) or half_step(self, turn))
    here, there = copies("here"), copies("there", on_cluster.replace('exchange = "files"', 'exchange = "shuffle"'))
    run(here, UNWATCHED, FEW)
    run(there, UNWATCHED, FEW)
    assert set(sides) == {0, 1}
    expected, made = contents(here), contents(there)
    assert made.keys() == expected.keys()
    for fit in {name.rpartition("/")[0] for name in expected if name.endswith("/user_vectors.npy")}:
        # Of so few artists most axes have no length, and so no sign: scores have one.
        one, other = (
            np.inner(*(np.load(home.runs / fit / f"{side}_vectors.npy") for side in ("user", "item")))
            for home in (here, there)
        )
        np.testing.assert_allclose(one, other, atol=1e-4)
    for name in expected:
        if name.startswith(("catalog", "interactions", "popularity")):
            assert made[name] == expected[name], name


@pytest.mark.slow
def test_a_run_on_yarn_makes_the_bytes_of_a_run_here(copies, yarn):
    # A process has one application, so this one is of a process of its own.
    settings = f'executors = 2\ncores = 1\nheap_mb = 640\nmemory_mb = 800\npython = "{sys.executable}"'
    here, there = copies("here"), copies("there", f"[spark]\n{settings}\n")
    run(here, UNWATCHED, FEW)
    words = ["run", "--on", "yarn", "--home", str(there.path), *(f"--model={name}" for name in FEW)]
    command = [sys.executable, "-m", "crossfade", *words]
    done = subprocess.run(command, env={**os.environ, **yarn}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert contents(there) == contents(here)


def test_doctor_shows_the_executors(engine, library, monkeypatch):
    monkeypatch.setattr(spark_of_cluster, "start", lambda settings: engine)
    monkeypatch.setattr(SparkEngine, "stop", lambda self: None)
    command = ["doctor", "--on", engine.settings.master, "--home", str(library.path), "--json"]
    shown = {one["subject"]: one for one in json.loads(CliRunner().invoke(crossfade, command).output)}
    assert shown["cluster"]["found"] == f"{engine.settings.master}: 2 executors, 2 tasks at a time"
    assert {shown[f"executor {number}"]["state"] for number in (1, 2)} == {"ok"}
    assert "numpy" in shown["executor 1"]["found"]
    assert "shares the home" in shown["executor 2"]["found"]


def test_executors_read_the_files_of_an_import(engine, tmp_path, monkeypatch):
    monkeypatch.setattr("crossfade.importing.apart.PART_BYTES", 1)
    folder = tmp_path / "history"
    folder.mkdir()
    for number in range(3):
        lines = [f"user {number},artist {row % 7},song {row},{1_600_000_000 + row * 300}" for row in range(40)]
        (folder / f"{number}.csv").write_text("user,artist,track,timestamp\n" + "\n".join(lines) + "\n")
    here, there = Home(tmp_path / "here"), Home(tmp_path / "there")
    ledgers = import_paths(here, [folder], now=2e9), import_paths(there, [folder], now=2e9, each=engine.each)
    assert ledgers[0] == ledgers[1]
    assert read_manifest(there.listens / "history").files == read_manifest(here.listens / "history").files


@pytest.mark.slow
def test_a_killed_executor_costs_time_but_no_list(engine, cluster, tmp_path, rng, monkeypatch):
    monkeypatch.setattr("crossfade.cluster.retrieval.LEAST", 64)
    ids = Ids.of(f"{row:05d}" for row in range(30_000))
    space = VectorSpace(
        model="word2vec",
        kind="track",
        metric="cosine",
        item_ids=ids,
        item_vectors=rng.standard_normal((len(ids), 48)).astype(np.float32),
    )
    with writing(tmp_path / "model", Identity(kind="fit", version=1)) as draft:
        FittedItems(space=space, support=rng.integers(0, 9, len(ids))).save(draft.path)
    settings, index = NeighbourSettings(size=200), IndexSettings()
    expected = Neighbourhood.build(FittedItems.load(tmp_path / "model"), settings, index).table
    killed = []

    def kill():
        while len([*tmp_path.glob("workspace/*/*.npz")]) < 2:
            time.sleep(0.05)
        killed.append(cluster.kill_executor())

    (tmp_path / "made").mkdir()
    Thread(target=kill, daemon=True).start()
    table = compute_neighbours(
        engine, tmp_path / "model", settings, index, directory=tmp_path / "made", workspace=tmp_path / "workspace"
    ).table
    assert killed
    assert table.rows.tobytes() == expected.rows.tobytes()
    assert table.scores.tobytes() == expected.scores.tobytes()


def test_without_a_master_a_run_says_what_to_set(copies):
    home = copies("home", '[run]\nrunner = "spark"')
    with pytest.raises(SettingsError, match=r"--on spark://HOST:7077"):
        run(home, UNWATCHED, FEW)


def test_on_replaces_the_runner_and_the_master_of_the_settings():
    settings = Settings({"run": {"threads": 3}, "spark": {"master": "yarn", "cores": 4}}).on("local[2]")
    assert (settings.run.runner, settings.run.threads) == ("spark", 3)
    assert (settings.section("spark").master, settings.section("spark").cores) == ("local[2]", 4)
