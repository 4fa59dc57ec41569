"""Checks of a Spark cluster before work starts: each failure is an error that says where, and what to do.

Without them, a wrong address takes minutes to fail, another version of a package changes results, and a folder that is
not shared fails after hours.
"""

import os
import re
import secrets
import shutil
import socket
import subprocess
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from crossfade.cluster import spark_probe
from crossfade.cluster.spark_settings import SparkSettings
from crossfade.core.errors import CrossfadeError, SettingsError

OLDEST_JAVA = 17
"""The oldest that Spark 4 runs on."""

REACH_SECONDS = 5.0
"""How long a master has to accept a connection."""

ROUNDS = 6
"""How often executors are looked for; each round's tasks take longer, so that no executor carries out all of them."""

SHARED_SECONDS = 15.0
"""How long a network file system may take to show what another machine wrote."""

LEAST_MEMORY = 256_000_000
"""Bytes for a task: what any step is estimated to take at least."""


@dataclass(frozen=True, kw_only=True)
class Executor:
    """An executor as a check found it.

    host      the name of its machine
    versions  of Python, Crossfade and packages; "" for what is missing
    memory    of its machine, in bytes
    problem   why it cannot use the shared folder; "" if it can
    """

    host: str
    versions: Mapping[str, str]
    memory: int
    problem: str


def check_java() -> str:
    """Return the version of Java; CrossfadeError if there is none, or one that is too old."""
    home = os.environ.get("JAVA_HOME")
    java = shutil.which("java", path=f"{home}/bin") if home else shutil.which("java")
    if java is None:
        where = f"JAVA_HOME is {home}, which has no bin/java" if home else "there is no java on PATH"
        raise CrossfadeError(f"Spark needs Java {OLDEST_JAVA} or newer: {where}. Install it, or set JAVA_HOME.")
    said = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr  # noqa: S603
    version = re.search(r'version "((\d+)[^"]*)"', said)
    if version is None or int(version[2]) < OLDEST_JAVA:
        found = version[1] if version else said.strip().partition("\n")[0]
        raise CrossfadeError(
            f"Spark needs Java {OLDEST_JAVA} or newer; {java} is {found}. Set JAVA_HOME to a newer one."
        )
    return version[1]


def check_master(master: str) -> None:
    """Raise SettingsError for what is no master, CrossfadeError for one that cannot be reached."""
    if master.startswith("spark://"):
        addresses = [_address(f"//{one}", master) for one in master.removeprefix("spark://").split(",")]
    elif master.startswith("k8s://"):
        server = master.removeprefix("k8s://")
        addresses = [_address(server if "://" in server else f"https://{server}", master)]
    elif master == "yarn":
        if not (os.environ.get("HADOOP_CONF_DIR") or os.environ.get("YARN_CONF_DIR")):
            raise CrossfadeError(
                "To find YARN, Spark needs its configuration. Set HADOOP_CONF_DIR to the directory of yarn-site.xml."
            )
        return
    elif re.fullmatch(r"local(\[(\d+|\*)\])?", master):
        return
    else:
        raise SettingsError(
            f"{master!r} is no master of Spark. Try spark://HOST:7077, yarn, k8s://https://HOST:6443 or local[2]."
        )
    reasons = []
    for address in addresses:
        try:
            socket.create_connection(address, timeout=REACH_SECONDS).close()
        except OSError as error:
            reasons.append(f"{address[0]} port {address[1]}: {error.strerror or error}")
        else:
            return
    raise CrossfadeError(
        f"{master} cannot be reached ({'; '.join(reasons)}). Is the master running, and the port right?"
    )


def _address(url: str, master: str) -> tuple[str, int]:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port or {"https": 443, "http": 80}.get(parts.scheme)
    except ValueError:
        host = port = None
    if not host or not port:
        raise SettingsError(f"{master!r} is no address of a master: it wants a host and a port.")
    return host, port


def no_executor(settings: SparkSettings) -> CrossfadeError:
    """Return the error for a cluster that starts no executor."""
    cores = f"{settings.cores or 'some'} free cores"
    memory = f"{settings.heap_mb} MB of memory"
    if not settings.master.startswith("spark://"):
        memory = f"{settings.heap_mb + settings.memory_mb} MB of memory"
    return CrossfadeError(
        f"{settings.master} started no executor in {settings.start_seconds:g} seconds. Executors need a worker with "
        f"{cores} and {memory}. Are workers registered, and are they free of other applications? "
        "See cores, memory_mb, heap_mb and start_seconds in [spark]."
    )


def examine(engine: Any, folder: Path | None) -> list[Executor]:
    """Return what each executor has, and whether it shares ``folder`` with this machine; None: no folder is shared."""
    from pyspark import cloudpickle

    cloudpickle.register_pickle_by_value(spark_probe)
    nonce = f".shared-{secrets.token_hex(8)}"
    if folder is not None:
        (folder / nonce).write_text(nonce)
    try:
        found = _everywhere(engine, str(folder or ""), nonce)
        return [
            Executor(
                host=one["host"],
                versions=one["versions"],
                memory=one["memory"],
                problem=one["problem"] or _unread(folder, one["answer"]),
            )
            for one in found
        ]
    finally:
        for path in [] if folder is None else folder.glob(f"{nonce}*"):
            path.unlink(missing_ok=True)


def _everywhere(engine: Any, folder: str, nonce: str) -> list[dict[str, Any]]:
    """Look on every executor. Spark places tasks as it likes, so there are more tasks than executors, in rounds."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for turn in range(ROUNDS):
        tasks = 2 * max(engine.slots, engine.executors)
        for one in engine.send(partial(spark_probe.look, folder, nonce, 0.05 * 2**turn), tasks):
            found.setdefault((one["host"], one["place"]), one)
        if len(found) >= engine.executors:
            break
    return [found[key] for key in sorted(found)]


def _unread(folder: Path | None, answer: str) -> str:
    """Why what an executor wrote cannot be read here; "" if it can."""
    until = time.monotonic() + SHARED_SECONDS
    while folder is not None:
        try:
            if (folder / answer).read_text() == answer:
                break
        except OSError:
            pass
        if time.monotonic() > until:
            return f"what it writes to {folder} does not arrive here"
        time.sleep(0.2)
    return ""


def failures(executors: Sequence[Executor], settings: SparkSettings, slots: int) -> Iterator[str]:
    """Yield a sentence for everything that would make work on these executors fail."""
    here = spark_probe.versions()
    for one in executors:
        if differing := difference(here, one.versions):
            yield f"{one.host} {differing}"
        if one.problem:
            yield (
                f"{one.host} does not share the home: {one.problem}. Put the home on a folder that all machines see "
                'under the same path, or set exchange = "shuffle" in [spark].'
            )
    each = (settings.memory_mb + settings.heap_mb) * 1_000_000
    for host, count in Counter(one.host for one in executors).items():
        memory = next(one.memory for one in executors if one.host == host)
        if count * each > memory:
            yield (
                f"{host} has {memory / 1e9:.1f} GB of memory for {count} executors of {each / 1e9:.1f} GB. "
                "Lower memory_mb or heap_mb in [spark]."
            )
    task = settings.memory_mb * 1_000_000 * max(len(executors), 1) / max(slots, 1)
    if task < LEAST_MEMORY:
        yield (
            f"A task would have {task / 1e6:.0f} MB of memory, and a step takes {LEAST_MEMORY / 1e6:.0f} MB at least. "
            "Raise memory_mb in [spark], or lower cores."
        )


def difference(here: Mapping[str, str], there: Mapping[str, str]) -> str:
    """Return what another machine has in other versions, after its name; "" for nothing.

    Of Python the minor version counts, of packages every digit.
    """
    differing = [name for name, version in here.items() if not _alike(name, version, there.get(name, ""))]
    if not differing:
        return ""
    has = ", ".join(f"{name} {there.get(name) or 'not at all'}" for name in differing)
    ours = ", ".join(f"{name} {here[name]}" for name in differing)
    return (
        f"has {has}; this machine has {ours}. "
        "Install the same versions there, or set python in [spark] to an environment that has them."
    )


def _alike(name: str, ours: str, theirs: str) -> bool:
    if name == "python":
        return ours.split(".")[:2] == theirs.split(".")[:2]
    return ours == theirs
