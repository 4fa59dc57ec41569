"""A real Spark cluster for all tests of this folder: two workers of one core each."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.servers import hadoop, spark
from tests.servers.jars import MissingError


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[spark.SparkCluster]:
    """The cluster; skips where there is no Java."""
    if (reason := spark.missing()) is not None:
        pytest.skip(reason)
    with spark.started(tmp_path_factory.mktemp("spark"), workers=2) as running:
        yield running


@pytest.fixture(scope="session")
def engine(cluster: spark.SparkCluster) -> Iterator[Any]:
    """The application of this process on the cluster, with both its cores."""
    from crossfade.cluster.spark import application, end_application

    yield application(settings_of(cluster))
    end_application()


@pytest.fixture
def yarn(tmp_path: Path) -> Iterator[dict[str, str]]:
    """What the environment has to have for jobs on a small YARN, which runs; skips where it cannot be started."""
    if (reason := spark.missing()) is not None:
        pytest.skip(reason)
    (tmp_path / "yarn").mkdir()
    with contextlib.ExitStack() as running:
        try:
            environment = running.enter_context(hadoop.yarn(tmp_path / "yarn"))
        except MissingError as error:
            pytest.skip(str(error))
        yield environment


QUICK = "-XX:+UseSerialGC -XX:TieredStopAtLevel=1"
"""Has Java start in half the time."""


def settings_of(cluster: spark.SparkCluster, **others: Any) -> Any:
    """How tests use the cluster."""
    from crossfade.cluster.spark_settings import SparkSettings

    conf = [f"spark.{process}.extraJavaOptions={QUICK}" for process in ("driver", "executor")]
    conf += ["spark.ui.enabled=false", "spark.task.maxFailures=2", "spark.shuffle.compress=false"]
    usual = {"executors": 2, "cores": 1, "memory_mb": 512, "heap_mb": 512, "start_seconds": 240.0}
    return SparkSettings(**{"master": cluster.url, "conf": conf, **usual, **others})
