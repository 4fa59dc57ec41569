"""Brings the jars of the servers that tests start, by Maven, into the user's cache: ``python -m tests.servers.jars``.

    ~/.cache/crossfade/cassandra-5.0.8/*.jar
    ~/.cache/crossfade/hadoop-streaming-3.4.2/*.jar

A directory is there whole or not at all. Where it cannot be brought, the tests that need it are skipped and say why.
"""

import contextlib
import fcntl
import functools
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

JAVA = 17
"""The newest version of Java that Cassandra 5.0 runs on, and the oldest one for Spark 4."""

LIMIT = 600  # seconds for a download
_UNREACHABLE = re.compile(
    r"Unknown host|Could not transfer artifact|Connection (refused|reset|timed out)|Network is unreachable"
)


class MissingError(Exception):
    """A server cannot be started on this machine; the message says what it lacks."""


@dataclass(frozen=True)
class Jars:
    """An artifact of Maven Central with all that it needs at run time, or alone.

    managed  an artifact that the versions of the others are read from
    beside   further ones, as group:name:version
    """

    group: str
    name: str
    version: str
    managed: str = ""
    alone: bool = False
    beside: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.group}:{self.name}:{self.version}"


CASSANDRA = Jars("org.apache.cassandra", "cassandra-all", "5.0.8", managed="cassandra-parent")
HADOOP_STREAMING = Jars("org.apache.hadoop", "hadoop-streaming", "3.4.2", alone=True)
HADOOP_CLUSTER = Jars("org.apache.hadoop", "hadoop-minicluster", "3.4.2", beside=("junit:junit:4.13.2",))

PLACES = {
    CASSANDRA: "cassandra-5.0.8",
    HADOOP_STREAMING: "hadoop-streaming-3.4.2",
    HADOOP_CLUSTER: "hadoop-minicluster-3.4.2",
}
USUAL = (CASSANDRA, HADOOP_STREAMING)
"""Brought before all tests; slow ones bring theirs."""


def cache() -> Path:
    """Return the directory of what tests download; it may not be there yet."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "crossfade"


@functools.cache
def java() -> Path:
    """Return the program of a Java 17; MissingError where there is none."""
    places = [Path(os.environ["JAVA_HOME"]) / "bin/java"] if os.environ.get("JAVA_HOME") else []
    places += sorted(Path("/usr/lib/jvm").glob(f"*{JAVA}*/bin/java"))
    places += [Path(path)] if (path := shutil.which("java")) else []
    for place in places:
        with contextlib.suppress(OSError):
            said = subprocess.run([place, "-version"], capture_output=True, text=True).stderr
            if f'version "{JAVA}.' in said:
                return place
    raise MissingError(f"needs Java {JAVA}: apt-get install openjdk-{JAVA}-jre-headless, or set JAVA_HOME")


def found(jars: Jars) -> Path:
    """Return the directory of ``jars``; MissingError where they were not brought."""
    place = cache() / PLACES[jars]
    if not place.is_dir():
        raise MissingError(f"needs {jars} in {place}: make servers")
    return place


def bring(jars: Jars) -> Path:
    """Return the directory of ``jars``, brought by Maven if they are missing; MissingError if that cannot be."""
    with contextlib.suppress(MissingError):
        return found(jars)
    if shutil.which("mvn") is None:
        raise MissingError("needs Maven: apt-get install maven")
    place = cache() / PLACES[jars]
    place.parent.mkdir(parents=True, exist_ok=True)
    with (cache() / f"{PLACES[jars]}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # of two runs the second one waits
        if not place.is_dir():
            with tempfile.TemporaryDirectory(dir=cache(), prefix=f"{PLACES[jars]}-") as work:
                _download(jars, Path(work)).rename(place)
    return place


def _download(jars: Jars, work: Path) -> Path:
    """Have Maven put ``jars`` below ``work``, and return the directory."""
    (work / "pom.xml").write_text(_project(jars))
    command = ["mvn", "--batch-mode", "--no-transfer-progress", "--quiet", "--file", str(work / "pom.xml")]
    command += ["dependency:copy-dependencies", f"-DoutputDirectory={work / 'jars'}", "-DincludeScope=runtime"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT, stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired as error:
        raise MissingError(f"Maven did not bring {jars} within {LIMIT} seconds") from error
    if done.returncode:
        said = done.stdout + done.stderr
        if _UNREACHABLE.search(said):
            raise MissingError(f"Maven cannot reach its repository for {jars}")
        raise RuntimeError(f"Maven could not bring {jars}:\n{said}")
    return work / "jars"


def _project(jars: Jars) -> str:
    managed = f"""
      <dependencyManagement><dependencies><dependency>
        <groupId>{jars.group}</groupId><artifactId>{jars.managed}</artifactId><version>{jars.version}</version>
        <type>pom</type><scope>import</scope>
      </dependency></dependencies></dependencyManagement>"""
    alone = "<exclusions><exclusion><groupId>*</groupId><artifactId>*</artifactId></exclusion></exclusions>"
    dependencies = [(jars.group, jars.name, jars.version), *(one.split(":") for one in jars.beside)]
    listed = "".join(
        f"<dependency><groupId>{group}</groupId><artifactId>{name}</artifactId><version>{version}</version>"
        f"{alone if jars.alone else ''}</dependency>"
        for group, name, version in dependencies
    )
    return f"""
    <project>
      <modelVersion>4.0.0</modelVersion>
      <groupId>crossfade</groupId><artifactId>servers-of-tests</artifactId><version>1</version><packaging>pom</packaging>
      {managed if jars.managed else ""}
      <dependencies>{listed}</dependencies>
    </project>"""


def main() -> int:
    """Bring all jars; print what could not be brought and why."""
    try:
        java()
        for jars in USUAL:
            bring(jars)
    except MissingError as error:
        print(f"Skipped the tests with Cassandra, Spark and Hadoop in part: {error}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
