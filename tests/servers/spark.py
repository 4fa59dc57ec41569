"""A real Spark standalone cluster on this machine, from the package of PyPI alone.

    python -m tests.servers.spark start 2      a master and two workers; prints its URL once all are registered
    python -m tests.servers.spark worker 3     one more worker, or one again that was killed
    python -m tests.servers.spark kill-executor | kill-worker 1 | status | url | stop

By hand its files are in $SPARK_CLUSTER_DIR, or else /tmp/crossfade-spark, and its master at port 7077. WORKER_CORES (1)
and WORKER_MEMORY (2g) are what each worker offers. Needs pyspark and Java 17 or newer.
"""

import contextlib
import importlib.util
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.servers.processes import recorded

ROOT = Path(__file__).parents[2]
START_SECONDS = 120
OLDEST_JAVA = 17


def missing() -> str | None:
    """Why no cluster can be started here; None if one can."""
    if importlib.util.find_spec("pyspark") is None:
        return "needs pyspark: pip install pyspark"
    java = shutil.which("java", path=f"{os.environ.get('JAVA_HOME', '')}/bin:{os.environ['PATH']}")
    if java is None:
        return f"needs Java {OLDEST_JAVA} or newer"
    said = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    version = re.search(r'version "(\d+)', said)
    if version is None or int(version[1]) < OLDEST_JAVA:
        return f"needs Java {OLDEST_JAVA} or newer, not: {said.partition(chr(10))[0]}"
    return None


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass(frozen=True)
class SparkCluster:
    """A master and its workers, each a process in a session of its own; the directory knows them by their pids."""

    directory: Path
    port: int
    page: int  # the port of the master's web page, which says who is registered
    cores: int = 1
    memory: str = "2g"
    environment: Mapping[str, str] = field(default_factory=dict)  # of the workers, besides that of this process

    @property
    def url(self) -> str:
        """The address of the master."""
        return f"spark://127.0.0.1:{self.port}"

    def start(self, workers: int) -> None:
        """Start a master and its workers, and return when all are registered."""
        web = ["--webui-port", str(self.page)]
        self._launch("master", "master.Master", "-h", "127.0.0.1", "-p", str(self.port), *web)
        for number in range(1, workers + 1):
            self._start_worker(number)
        self._await(workers)

    def add_worker(self, number: int) -> None:
        """Start one more worker, or one again that was killed, and return when it is registered."""
        alive = self._registered()
        self._start_worker(number)
        self._await(alive + 1)

    def kill_worker(self, number: int) -> None:
        """Kill a worker; its executors end by themselves when they notice."""
        os.kill(self._pid(f"worker{number}") or 0, signal.SIGKILL)

    def kill_executor(self, worker: int | None = None) -> int:
        """Kill the Java process of an executor, of any worker or of this one; its pid."""
        where = str(self.directory / "work" / ("" if worker is None else f"worker{worker}")) + "/"
        pid = next((pid for pid, folder in self.executors().items() if f"{folder}/".startswith(where)), None)
        if pid is None:
            raise RuntimeError("No executor runs there")
        os.kill(pid, signal.SIGKILL)
        return pid

    def executors(self) -> dict[int, str]:
        """The working directory of each executor's Java process, by its pid."""
        found = {}
        for process in Path("/proc").glob("[0-9]*"):
            # A process may end while it is looked at.
            with contextlib.suppress(OSError):
                folder = str((process / "cwd").readlink())
                ours = folder.startswith(f"{self.directory}/")
                if ours and b"CoarseGrainedExecutorBackend" in (process / "cmdline").read_bytes():
                    found[int(process.name)] = folder
        return found

    def status(self) -> dict[str, str]:
        """What runs, by name: its pid and the memory that it takes."""
        names = {path.stem: self._pid(path.stem) for path in sorted(self.directory.glob("*.pid"))}
        return {
            name: "stopped" if pid is None else f"pid {pid}, {_resident(pid)} MiB"
            for name, pid in [*names.items(), *((f"executor in {cwd}", pid) for pid, cwd in self.executors().items())]
        }

    def stop(self) -> None:
        """End all of it and remove its files."""
        names = sorted((path.stem for path in self.directory.glob("*.pid")), reverse=True)  # workers, then the master
        for kind in (signal.SIGTERM, signal.SIGKILL):
            for pid in filter(None, map(self._pid, names)):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, kind)
            until = time.monotonic() + 10
            while time.monotonic() < until and any(map(self._pid, names)):
                time.sleep(0.1)
        for pid in self.executors():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        shutil.rmtree(self.directory, ignore_errors=True)

    def _start_worker(self, number: int) -> None:
        offer = ["-h", "127.0.0.1", "-c", str(self.cores), "-m", self.memory, "--webui-port", "0"]
        folder = str(self.directory / "work" / f"worker{number}")
        self._launch(f"worker{number}", "worker.Worker", *offer, "-d", folder, self.url)

    def _launch(self, name: str, cls: str, *arguments: str) -> None:
        if self._pid(name) is not None:
            return
        (self.directory / "work").mkdir(parents=True, exist_ok=True)
        home = Path(importlib.util.find_spec("pyspark").origin).parent  # type: ignore[union-attr,arg-type]
        command = [str(home / "bin/spark-class"), f"org.apache.spark.deploy.{cls}", *arguments]
        with (self.directory / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                command,
                cwd=self.directory,
                env={**os.environ, **_environment(home), **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        (self.directory / f"{name}.pid").write_text(str(process.pid))
        process.returncode = 0  # it may go on after this process

    def _pid(self, name: str) -> int | None:
        """The process that was started under ``name``, if it still runs."""
        return recorded(self.directory / f"{name}.pid", "spark")

    def _registered(self) -> int:
        straight = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with contextlib.suppress(OSError), straight.open(f"http://127.0.0.1:{self.page}/json/", timeout=5) as page:
            return sum(worker["state"] == "ALIVE" for worker in json.load(page)["workers"])
        return 0

    def _await(self, workers: int) -> None:
        until = time.monotonic() + START_SECONDS
        while (registered := self._registered()) < workers:
            if self._pid("master") is None or time.monotonic() > until:
                log = (self.directory / "master.log").read_text()[-2000:]
                self.stop()
                raise RuntimeError(f"{registered} of {workers} Spark workers were registered. The master's log:\n{log}")
            time.sleep(0.2)


def _environment(home: Path) -> dict[str, str]:
    """Small processes at one address; executors that find this package and, for what tests send, its tests."""
    java = "-XX:+UseSerialGC -XX:TieredStopAtLevel=1"
    soon = "-Dspark.worker.timeout=15"  # seconds until a silent worker counts as lost; 60 by default
    return {
        "SPARK_HOME": str(home),
        "SPARK_LOCAL_IP": "127.0.0.1",
        "SPARK_DAEMON_MEMORY": "256m",
        "SPARK_DAEMON_JAVA_OPTS": java,
        "SPARK_MASTER_OPTS": soon,
        "SPARK_WORKER_OPTS": soon,
        "PYSPARK_PYTHON": sys.executable,
        "PYTHONPATH": os.pathsep.join(filter(None, [os.environ.get("PYTHONPATH"), str(ROOT)])),
    }


def _resident(pid: int) -> int:
    with contextlib.suppress(OSError):
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") >> 20
    return 0


@contextlib.contextmanager
def started(directory: Path, workers: int, **options: object) -> Iterator[SparkCluster]:
    """A running cluster at free ports, stopped at last."""
    cluster = SparkCluster(directory, free_port(), free_port(), **options)  # type: ignore[arg-type]
    try:
        cluster.start(workers)
        yield cluster
    finally:
        cluster.stop()


def main(command: str = "", argument: str = "") -> None:
    """Carry out one command of the head of this file."""
    cluster = SparkCluster(
        Path(os.environ.get("SPARK_CLUSTER_DIR", "/tmp/crossfade-spark")),
        port=int(os.environ.get("SPARK_MASTER_PORT", "7077")),
        page=int(os.environ.get("SPARK_UI_PORT", "8080")),
        cores=int(os.environ.get("WORKER_CORES", "1")),
        memory=os.environ.get("WORKER_MEMORY", "2g"),
    )
    if command == "start":
        if (reason := missing()) is not None:
            sys.exit(reason)
        cluster.start(int(argument or 2))
        print(cluster.url)
    elif command == "worker":
        cluster.add_worker(int(argument))
    elif command == "kill-worker":
        cluster.kill_worker(int(argument))
    elif command == "kill-executor":
        print(cluster.kill_executor(int(argument) if argument else None))
    elif command == "url":
        print(cluster.url)
    elif command == "status":
        print("\n".join(f"{name}: {state}" for name, state in cluster.status().items()) or "nothing runs")
    elif command == "stop":
        cluster.stop()
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main(*sys.argv[1:])
