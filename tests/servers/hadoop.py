"""The two words of the `hadoop` command that streaming jobs need, on the Hadoop client inside PySpark.

    python -m tests.servers.hadoop jar STREAMING.jar …
    python -m tests.servers.hadoop fs …

Jobs run in this process (mapreduce.framework.name = local) on the local file system, unless the directory
$HADOOP_CONF_DIR has a core-site.xml and others that say otherwise. HADOOP_HEAP is Java's memory, 512m by default, and
HADOOP_JARS a directory of Hadoop's jars, that of PySpark by default. `yarn` starts a small cluster, which sets both.
"""

import contextlib
import importlib.util
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from tests.servers.jars import HADOOP_CLUSTER, HADOOP_STREAMING, MissingError, bring, found, java

from crossfade.cluster.hadoop_settings import HadoopSettings

ROOT = Path(__file__).parents[2]
CLASSES = {"jar": "org.apache.hadoop.streaming.HadoopStreaming", "fs": "org.apache.hadoop.fs.FsShell"}
QUICK = ["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
START_SECONDS, STOP_SECONDS = 240, 30
LOG = """log4j.rootLogger=INFO,err
log4j.appender.err=org.apache.log4j.ConsoleAppender
log4j.appender.err.target=System.err
log4j.appender.err.layout=org.apache.log4j.PatternLayout
log4j.appender.err.layout.ConversionPattern=%d %p %c{2}: %m%n
"""
OPENED = [f"--add-opens=java.base/java.{package}=ALL-UNNAMED" for package in ("lang", "nio", "util")]


def missing() -> str | None:
    """Why no job can be run here; None if one can."""
    if importlib.util.find_spec("pyspark") is None:
        return "needs pyspark: pip install pyspark"
    try:
        java()
        found(HADOOP_STREAMING)
    except MissingError as error:
        return str(error)
    return None


def settings(folder: str, **others: object) -> HadoopSettings:
    """Return what a fit needs to use this command; $PYTHONPATH has to have the root of the repository."""
    return HadoopSettings(
        command=f"{sys.executable} -m tests.servers.hadoop",
        streaming_jar=str(next(found(HADOOP_STREAMING).glob("*.jar"))),
        folder=folder,
        **others,  # type: ignore[arg-type]
    )


def client_jars() -> Path:
    """Return the directory with Hadoop's client."""
    if "HADOOP_JARS" in os.environ:
        return Path(os.environ["HADOOP_JARS"])
    return Path(importlib.util.find_spec("pyspark").origin).parent / "jars"  # type: ignore[union-attr,arg-type]


def command(word: str, *arguments: str) -> list[str]:
    """Return the command line of Java for ``hadoop WORD ARGUMENTS``."""
    classes = [os.environ.get("HADOOP_CONF_DIR", ""), f"{client_jars()}/*"]
    if word == "jar":
        jar, *arguments = arguments  # type: ignore[assignment]
        classes.append(jar)
    level = "INFO" if word == "jar" else "ERROR"
    options = [f"-Xmx{os.environ.get('HADOOP_HEAP', '512m')}", *QUICK]
    options += [f"-Dlog4j2.level={level}", *OPENED, "-cp", ":".join(filter(None, classes))]
    return [str(java()), *options, CLASSES[word], *arguments]


@contextlib.contextmanager
def yarn(directory: Path, nodes: int = 2) -> Iterator[dict[str, str]]:
    """Start a YARN cluster in one process, and yield what the environment of the `hadoop` command has to have.

    Tasks are processes of their own, in containers of YARN. Raises MissingError where there are no jars.
    """
    jars, details = bring(HADOOP_CLUSTER), directory / "details.json"
    (directory / "log4j.properties").write_text(LOG)
    options = ["-nodfs", "-namenode", "file:///", "-nodemanagers", str(nodes), "-writeDetails", str(details)]
    fifo = "org.apache.hadoop.yarn.server.resourcemanager.scheduler.fifo.FifoScheduler"
    options += ["-D", f"yarn.resourcemanager.scheduler.class={fifo}", "-D", f"hadoop.tmp.dir={directory / 'tmp'}"]
    options += ["-D", "mapreduce.jobhistory.webapp.address=127.0.0.1:0"]
    manager = "org.apache.hadoop.mapreduce.MiniHadoopClusterManager"
    started = [str(java()), "-Xmx512m", *QUICK, *OPENED, "-cp", f"{directory}:{jars}/*", manager, *options]
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen(started, cwd=directory, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
    try:
        until = time.monotonic() + START_SECONDS
        while not (details.exists() and details.read_text().endswith("}")):
            if process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"YARN did not start:\n{(directory / 'log').read_text()[-2000:]}")
            time.sleep(0.2)
        classes = f"{directory},{jars}/*"
        properties = {
            "fs.defaultFS": "file:///",
            "mapreduce.framework.name": "yarn",
            "mapreduce.application.classpath": classes,
            "yarn.application.classpath": classes,
            "yarn.app.mapreduce.am.command-opts": " ".join(["-Xmx384m", *QUICK, *OPENED]),
            "yarn.app.mapreduce.am.resource.mb": "768",
            "yarn.app.mapreduce.am.staging-dir": str(directory / "staging"),
            "yarn.resourcemanager.address": f"localhost:{json.loads(details.read_text())['resourcemanager_port']}",
        }
        described = "".join(
            f"<property><name>{name}</name><value>{value}</value></property>" for name, value in properties.items()
        )
        for part in ("core", "mapred", "yarn"):
            (directory / f"{part}-site.xml").write_text(f"<configuration>{described}</configuration>")
        yield {"HADOOP_CONF_DIR": str(directory), "HADOOP_JARS": str(jars)}
    finally:
        process.terminate()  # it ends its containers
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(STOP_SECONDS)
        process.kill()
        process.wait()


if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] not in CLASSES:
        sys.exit(__doc__)
    line = command(*sys.argv[1:])
    os.execv(line[0], line)
