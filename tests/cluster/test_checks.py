"""What is checked before work starts on a cluster; each failure is one error that says what to do."""

import os
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from tests.servers.spark import free_port

from crossfade.cluster import spark_checks, spark_probe
from crossfade.cluster.spark import connect
from crossfade.cluster.spark_checks import Executor, check_java, check_master, failures, no_executor
from crossfade.cluster.spark_errors import reason
from crossfade.cluster.spark_settings import SparkSettings
from crossfade.core.errors import CrossfadeError, MissingExtraError, SettingsError

SETTINGS = SparkSettings(memory_mb=2000, heap_mb=1000)
GOOD = Executor(host="w1", versions=spark_probe.versions(), memory=16_000_000_000, problem="")


def failed(*executors, settings=SETTINGS, slots=None):
    return list(failures(executors, settings, slots or len(executors)))


def test_executors_like_this_machine_pass():
    assert failed(GOOD, replace(GOOD, host="w2")) == []


@pytest.mark.parametrize(
    ("package", "version", "shown"),
    [
        ("numpy", "1.0", "w2 has numpy 1.0; this machine has numpy"),
        ("numba", "", "w2 has numba not at all; this machine has numba"),
        ("crossfade", "", "w2 has crossfade not at all"),
        ("python", "3.9.2", "w2 has python 3.9.2; this machine has python 3."),
    ],
)
def test_other_versions_are_named_by_machine(package, version, shown):
    other = replace(GOOD, host="w2", versions={**GOOD.versions, package: version})
    (message,) = failed(GOOD, other)
    assert shown in message
    assert "set python in [spark]" in message


def test_another_patch_of_python_is_no_other_version():
    minor = GOOD.versions["python"].rpartition(".")[0]
    assert failed(replace(GOOD, versions={**GOOD.versions, "python": f"{minor}.999"})) == []


def test_a_folder_that_is_not_shared_is_refused():
    (message,) = failed(replace(GOOD, problem="/shared: No such file or directory"))
    assert message.startswith("w1 does not share the home: /shared: No such file")
    assert 'exchange = "shuffle"' in message


def test_a_machine_too_small_for_its_executors_is_refused():
    small = replace(GOOD, memory=5_000_000_000)
    assert failed(small) == []
    (message,) = failed(small, small)
    assert message.startswith("w1 has 5.0 GB of memory for 2 executors of 3.0 GB.")


def test_tasks_with_too_little_memory_are_refused():
    assert failed(GOOD, slots=7) == []
    (message,) = failed(GOOD, slots=8)
    assert message.startswith("A task would have 250 MB of memory")


def test_a_folder_is_shared_if_each_side_reads_what_the_other_wrote(tmp_path):
    (tmp_path / "nonce").write_text("nonce")
    seen = spark_probe.look(str(tmp_path), "nonce", 0.0, 0)
    assert seen["problem"] == ""
    assert (tmp_path / seen["answer"]).read_text() == seen["answer"]
    assert spark_checks._unread(tmp_path, seen["answer"]) == ""


def test_a_folder_of_the_same_name_elsewhere_is_not_shared(tmp_path, monkeypatch):
    assert spark_probe.look(str(tmp_path), "nonce", 0.0, 0)["problem"] == f"{tmp_path}: No such file or directory"
    (tmp_path / "nonce").write_text("another")
    assert spark_probe.look(str(tmp_path), "nonce", 0.0, 0)["problem"] == f"{tmp_path} is another folder there"
    monkeypatch.setattr(spark_checks, "SHARED_SECONDS", 0.3)
    assert "does not arrive here" in spark_checks._unread(tmp_path, "answer")


def test_a_master_that_does_not_answer_fails_within_seconds():
    began = time.monotonic()
    with pytest.raises(CrossfadeError, match=r"cannot be reached \(127\.0\.0\.1 port \d+: Connection refused\)"):
        check_master(f"spark://127.0.0.1:{free_port()}")
    with pytest.raises(CrossfadeError, match="cannot be reached"):
        check_master(f"k8s://https://127.0.0.1:{free_port()}")
    assert time.monotonic() - began < 10


@pytest.mark.parametrize("master", ["spark:/h:1", "spark://host", "spark://", "h:7077", "local[x]", "k8s://"])
def test_what_is_no_master_is_refused(master):
    with pytest.raises(SettingsError, match="master"):
        check_master(master)


@pytest.mark.parametrize("master", ["local", "local[3]", "local[*]"])
def test_this_machine_needs_no_address(master):
    check_master(master)


def test_yarn_needs_its_configuration(monkeypatch):
    monkeypatch.delenv("HADOOP_CONF_DIR", raising=False)
    monkeypatch.delenv("YARN_CONF_DIR", raising=False)
    with pytest.raises(CrossfadeError, match="Set HADOOP_CONF_DIR"):
        check_master("yarn")
    monkeypatch.setenv("HADOOP_CONF_DIR", "/etc/hadoop")
    check_master("yarn")


@pytest.fixture
def java(tmp_path, monkeypatch):
    """Has a machine where Java says what is given."""

    def install(said):
        program = tmp_path / "bin" / "java"
        program.parent.mkdir()
        program.write_text(f"#!/bin/sh\necho '{said}' >&2\n")
        program.chmod(0o755)
        monkeypatch.setenv("JAVA_HOME", str(tmp_path))

    return install


def test_java_must_be_new_enough(java):
    java('openjdk version "11.0.2" 2019-01-15')
    with pytest.raises(CrossfadeError, match=r"needs Java 17 or newer; .*java is 11\.0\.2\. Set JAVA_HOME"):
        check_java()


def test_a_newer_java_will_do(java):
    java('openjdk version "21.0.1" 2023-10-17')
    assert check_java() == "21.0.1"


def test_java_must_be_there(tmp_path, monkeypatch):
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(CrossfadeError, match="which has no bin/java"):
        check_java()
    monkeypatch.delenv("JAVA_HOME")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CrossfadeError, match="there is no java on PATH"):
        check_java()


def test_without_pyspark_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyspark", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'crossfade\[spark\]'"):
        connect(SparkSettings(master="local[1]"))


def test_a_cluster_without_room_says_what_was_asked_for():
    settings = SparkSettings(master="spark://h:7077", cores=64, heap_mb=900, memory_mb=5000, start_seconds=3)
    assert "started no executor in 3 seconds" in str(no_executor(settings))
    assert "64 free cores and 900 MB" in str(no_executor(settings))
    assert "64 free cores and 5900 MB" in str(no_executor(replace(settings, master="yarn")))


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (
            "Lost task 0.3 in stage 0.0 (TID 3) (10.0.0.3 executor 1): org.apache.spark.api.python.PythonException: …\n"
            "[PYTHON_VERSION_MISMATCH] Python in worker has different version: 3.12 than that in driver: 3.11, PySpark",
            "10.0.0.3 has Python 3.12, this machine 3.11.",
        ),
        (
            '(10.0.0.4 executor 0): java.io.IOException: Cannot run program "/env/bin/python": error=2, No such file',
            "10.0.0.4 has no /env/bin/python.",
        ),
        (
            "(10.0.0.5 executor 2): PythonException\n  ModuleNotFoundError: No module named 'crossfade.cluster'\n",
            "10.0.0.5 lacks the package crossfade.",
        ),
        ("ExecutorLostFailure (executor 1 exited)", "a task ended its process each time"),
        ("An error occurred.\n: java.lang.IllegalStateException: stopped\n\tat org.apache", "IllegalStateException"),
    ],
)
def test_what_java_says_becomes_one_line(said, expected):
    line = reason(said)
    assert expected in line
    assert "\n" not in line


def test_this_machine_is_described():
    assert 0 < spark_probe.memory_bytes() <= os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert all(spark_probe.versions().values())
    assert not [line for line in Path(spark_probe.__file__).read_text().splitlines() if "import crossfade" in line]
