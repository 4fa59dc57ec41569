"""Streaming jobs on Hadoop: submitted by its own command, with files for the distributed cache, counters read back.

A job reads the records of sequence files, hands those of each file to a mapper, sorts what mappers send on, and hands
the records of each block to a reducer; both are tasks of `crossfade.cluster.streaming`. The first four bytes of a key
choose the reducer.
"""

import contextlib
import json
import os
import pickle
import re
import shlex
import shutil
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, TypeVar
from urllib.parse import urlsplit

from crossfade.cluster.hadoop_settings import HEAP_MB, HadoopSettings
from crossfade.cluster.sequence_files import Record, read_sequence, write_sequence
from crossfade.cluster.streaming import CACHE, EXPECTED, FAILED, NUMBER, WORK, versions
from crossfade.core import errors
from crossfade.core.artifacts import translated_storage_errors
from crossfade.core.errors import CrossfadeError, NotReadyError, SettingsError
from crossfade.core.progress import Progress, silent
from crossfade.core.replacing import make_directory, remove

WHOLE_FILE = 1 << 50
"""The least bytes of a split: no file is divided, so that each has one mapper."""

_COUNTER = re.compile(r"^\t\t(.+)=(\d+)\s*$")
_PERCENT = re.compile(r"map (\d+)% reduce (\d+)%")
_REASONS = (
    re.compile(r"^(?!java|Caused by)(?:\w+\.)*(\w*(?:Error|Exception|Interrupt): .+)$"),  # the end of a Python task
    re.compile(r"(Cannot run program .+)$"),
    re.compile(r"^Caused by: [\w.$]+: (.+)$"),
    re.compile(r"failed with state \w+ due to: (.+)$"),
    re.compile(r"^Exception in thread .*?: (.+)$"),
    re.compile(r"^(?:Error|fs|mkdir|put|get): (.+)$"),
    re.compile(r"ERROR (.+)$"),
)
_FOLLOWED = re.compile(r"\b(application_\d+_\d+)\b")

Percent = Callable[[float], None]

Result = TypeVar("Result")


@dataclass(frozen=True, kw_only=True)
class Job:
    """A streaming job.

    name      shown by Hadoop, and of its output in the folder
    mapper, reducer   names of tasks of `crossfade.cluster.streaming`
    inputs    the name in the folder whose files are read
    cache     the directory that each machine gets
    reducers  how many
    """

    name: str
    mapper: str
    reducer: str
    inputs: str
    cache: Path
    reducers: int


@dataclass(frozen=True)
class Counters:
    """What a job counted, in bytes.

    read      of its input
    shuffled  that reducers fetched from mappers
    written   what mappers put down for reducers, and what reducers wrote
    """

    read: int
    shuffled: int
    written: int

    @classmethod
    def of(cls, counted: Mapping[str, int]) -> "Counters":
        """Choose those that Hadoop counts in the same way on a cluster and in its client's process."""
        written = counted.get("Map output materialized bytes", 0) + counted.get("Bytes Written", 0)
        return cls(counted.get("Bytes Read", 0), counted.get("Reduce shuffle bytes", 0), written)


class Hadoop:
    """A Hadoop that jobs can be submitted to, from `connect`."""

    def __init__(self, settings: HadoopSettings, command: list[str], jar: Path, work: Path) -> None:
        self.settings = settings
        self._command, self._jar, self._work = command, jar, work
        local = urlsplit(settings.folder)
        self._shared = Path(local.path) if local.scheme in ("", "file") else None
        self._folder = settings.folder.rstrip("/") if local.scheme else f"file://{local.path.rstrip('/')}"

    @classmethod
    def connect(cls, settings: HadoopSettings, work: Path) -> "Hadoop":
        """Return a Hadoop that is ready for jobs, with ``work`` (a directory of this machine) for what is under way.

        Raises SettingsError without a folder, NotReadyError without the command or the jar, and where the folder cannot
        be reached.
        """
        command = shlex.split(settings.command)
        if not command or shutil.which(command[0]) is None:
            raise NotReadyError(
                f"There is no program {settings.command!r} here. Install Hadoop's client, or set [hadoop] command."
            )
        if not settings.folder:
            raise SettingsError(
                "[hadoop] folder is not set: name a directory that all nodes see, such as hdfs:///tmp/cf"
            )
        make_directory(work)
        hadoop = cls(settings, command, _jar(settings), work)
        hadoop._check_folder()
        return hadoop

    def put(self, name: str, files: Iterable[Iterable[Record]]) -> int:
        """Write a file for the records of each of ``files`` as the input ``name``; return the bytes of all.

        An input of that name is replaced.
        """
        local = self._local(name)
        with translated_storage_errors(local):
            remove(local)
            make_directory(local)
            for number, records in enumerate(files):
                with (local / f"part-{number:05}").open("wb") as file:
                    write_sequence(file, records)
            size = sum(path.stat().st_size for path in local.iterdir())
        if self._shared is None:
            self._fs("-rm", "-r", "-f", "-skipTrash", f"{self._folder}/{name}")
            self._fs("-put", str(local), f"{self._folder}/{name}")
            remove(local)
        return size

    def discard(self, name: str) -> None:
        """Remove an input."""
        if self._shared is None:
            self._fs("-rm", "-r", "-f", "-skipTrash", f"{self._folder}/{name}")
        else:
            remove(self._shared / name)

    @contextlib.contextmanager
    def run(self, job: Job, percent: Percent = lambda done: None) -> Iterator[tuple[Iterator[Record], Counters]]:
        """Carry out ``job``, and yield the records of its reducers and what it counted; then remove its output.

        percent  is told how much is done, 0 to 100

        A job that fails is submitted again, ``attempts`` times in all; then CrossfadeError says why, or the error that
        a task raised as it was.
        """
        for attempt in range(self.settings.attempts):
            # Nobody else's: an earlier driver's job may be under way yet.
            output = f"{job.name}-{uuid.uuid4().hex[:8]}"
            try:
                log = self._work / f"{job.name}.log"
                counted = self._submit(job, output, log, percent)
                if counted is not None:
                    yield self._records(output), Counters.of(counted)
                    log.unlink()
                    return
                if attempt + 1 == self.settings.attempts:
                    _raise_failure(job, log)
            finally:
                with contextlib.suppress(CrossfadeError):
                    self.discard(output)
                remove(self._work / output)

    def _submit(self, job: Job, output: str, log: Path, percent: Percent) -> dict[str, int] | None:
        """Carry out a job once; return its counters, or None if it failed."""
        properties: dict[str, object] = {
            "mapreduce.job.name": job.name,
            "mapreduce.job.reduces": job.reducers,
            "mapreduce.input.fileinputformat.split.minsize": WHOLE_FILE,
            "mapreduce.partition.binarypartitioner.left.offset": 0,
            "mapreduce.partition.binarypartitioner.right.offset": 3,
        }
        for kind in ("map", "reduce"):
            properties[f"mapreduce.{kind}.memory.mb"] = self.settings.memory_mb + HEAP_MB
            properties[f"mapreduce.{kind}.java.opts"] = f"-Xmx{HEAP_MB * 3 // 4}m"
        defined = [f"{name}={value}" for name, value in properties.items()] + list(self.settings.conf)
        program = f"{shlex.quote(self.settings.python or sys.executable)} -m crossfade.cluster.streaming"
        environment = {EXPECTED: versions(), "PYTHONPATH": os.environ.get("PYTHONPATH", "")}
        command = [
            *(*self._command, "jar", str(self._jar)),
            *(part for one in defined for part in ("-D", one)),
            *("-files", f"{job.cache.resolve().as_uri()}#{CACHE}"),
            *("-io", "rawbytes"),
            *("-inputformat", "org.apache.hadoop.mapred.SequenceFileInputFormat"),
            *("-outputformat", "org.apache.hadoop.mapred.SequenceFileOutputFormat"),
            *("-partitioner", "org.apache.hadoop.mapred.lib.BinaryPartitioner"),
            *(part for name, value in environment.items() if value for part in ("-cmdenv", f"{name}={value}")),
            *("-input", f"{self._folder}/{job.inputs}", "-output", f"{self._folder}/{output}"),
            *("-mapper", f"{program} {job.mapper}", "-reducer", f"{program} {job.reducer}"),
        ]
        here = self._work / output  # where Hadoop in its client's process links the cache
        make_directory(here)
        counted = dict[str, int]()
        with (
            log.open("w", encoding="utf-8") as kept,
            subprocess.Popen(  # noqa: S603  # the command that the user has set
                command, cwd=here, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
            ) as process,
        ):
            for line in process.stdout or ():
                kept.write(line)
                if found := _PERCENT.search(line):
                    percent((int(found[1]) + int(found[2])) / 2)
                elif "Counters: " in line:
                    counted = {}
                elif found := _COUNTER.match(line):
                    counted[found[1]] = int(found[2])
        return counted if process.returncode == 0 else None

    def _records(self, output: str) -> Iterator[Record]:
        """Yield what the reducers wrote; raise the error that a task sent."""
        local = self._local(output)
        if self._shared is None:
            self._fs("-get", f"{self._folder}/{output}", str(local / "out"))
            local = local / "out"
        for path in sorted(local.glob("part-*")):
            for key, value in read_sequence(path):
                if key == FAILED:
                    _raise_sent(value)
                yield key, value

    def _local(self, name: str) -> Path:
        """Where files of the folder are written and read: there, or on their way."""
        return (self._work if self._shared is None else self._shared) / name

    def _check_folder(self) -> None:
        if self._shared is None:
            self._fs("-mkdir", "-p", self._folder)
        elif not self._shared.is_dir():
            raise NotReadyError(f"[hadoop] folder {self._shared} is missing. Mount it, or make the directory.")
        elif not os.access(self._shared, os.W_OK | os.X_OK):
            raise NotReadyError(f"[hadoop] folder {self._shared} cannot be written by this user.")

    def _fs(self, *arguments: str) -> None:
        command = [*self._command, "fs", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, errors="replace")  # noqa: S603  # as above
        if done.returncode:
            said = _reason(done.stderr.splitlines())
            raise NotReadyError(f"{self._folder} cannot be used by `hadoop fs {arguments[0]}`: {said}")


@dataclass(frozen=True)
class HadoopEngine:
    """The reducers of streaming jobs as an `Engine`: a mapper routes the number of each task to a reducer.

    The work comes to each machine by the distributed cache. It is for few long tasks: a job takes seconds by itself.
    """

    hadoop: Hadoop
    work: Path

    @property
    def slots(self) -> int:
        """Reducers of a job."""
        return self.hadoop.settings.reducers or self.hadoop.settings.user_blocks

    @property
    def memory_bytes(self) -> int:
        """What a task may take."""
        return self.hadoop.settings.memory_mb * 1_000_000

    @property
    def exchange(self) -> str:
        """Always files."""
        return "files"

    def each(
        self, work: Callable[[int], Result], tasks: int, *, cached: str = "", progress: Progress = silent
    ) -> list[Result]:
        """As `Engine.each`; ``cached`` changes nothing, since Hadoop chooses the machines."""
        if not tasks:
            return []
        name = f"tasks-{uuid.uuid4().hex[:8]}"
        cache = self.work / name
        make_directory(cache)
        try:
            (cache / WORK).write_bytes(pickle.dumps(work))
            self.hadoop.put(name, [[(NUMBER.pack(number), b"") for number in range(tasks)]])
            job = Job(
                name=name,
                mapper="route",
                reducer="carry-out",
                inputs=name,
                cache=cache,
                reducers=min(self.slots, tasks),
            )
            with self.hadoop.run(job) as (records, _):
                # As `carry_out_numbers` wrote them, into a directory of this user.
                results = {NUMBER.unpack(key)[0]: pickle.loads(value) for key, value in records}  # noqa: S301
        finally:
            self.hadoop.discard(name)
            remove(cache)
        return [results[number] for number in range(tasks)]


def _jar(settings: HadoopSettings) -> Path:
    if settings.streaming_jar:
        found = [Path(settings.streaming_jar)]
    else:
        below = Path(os.environ.get("HADOOP_HOME", "/usr/lib/hadoop"))
        found = sorted(below.glob("share/hadoop/tools/lib/hadoop-streaming-*.jar"))
    if not found or not found[-1].is_file():
        where = settings.streaming_jar or "not below $HADOOP_HOME"
        raise NotReadyError(
            f"The jar of Hadoop Streaming is missing ({where}). Set [hadoop] streaming_jar to the path of "
            "hadoop-streaming-3.x.jar; it is in share/hadoop/tools/lib of Hadoop, and on Maven Central."
        )
    return found[-1]


def _raise_failure(job: Job, log: Path) -> NoReturn:
    lines = log.read_text(encoding="utf-8").splitlines()
    followed = next((found[1] for line in lines if (found := _FOLLOWED.search(line))), None)
    more = f" Tasks' own messages: yarn logs -applicationId {followed}." if followed else ""
    raise CrossfadeError(f"The Hadoop job {job.name} failed: {_reason(lines)}.{more} What Hadoop said is in {log}")


def _reason(lines: list[str]) -> str:
    """The line that says most: of a task, else the innermost cause of Java's, else the last one."""
    for reason in _REASONS:
        for line in reversed(lines):
            if found := reason.search(line):
                return found[1].strip().rstrip(".")
    return next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")


def _raise_sent(value: bytes) -> NoReturn:
    """Raise what a task sent, as the class that it was."""
    described = json.loads(value)
    cls = getattr(errors, described["class"], CrossfadeError)
    error: CrossfadeError = cls.__new__(cls)
    Exception.__init__(error, described["message"])
    raise error
