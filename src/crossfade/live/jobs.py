"""Imports and runs that the web page starts: a command of this program in another process, one at a time.

The server goes on answering meanwhile, and turns to a new release by itself. What a job does is what the same command
does at a terminal, under the home's lock. Its state is a file in the home, so that all processes of a server know it.
It ends with the process that started it, and holds a lock for its life, so that none calls it ended before.
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec

from crossfade.core.artifacts import write_file
from crossfade.core.errors import BusyError
from crossfade.core.home import Home
from crossfade.core.locking import locked
from crossfade.core.progress import REPORT
from crossfade.core.replacing import make_directory
from crossfade.stores.live import now

NICENESS = 10
"""How much a job gives way to requests."""

PATIENCE = 0.5
"""Seconds that a job waits for the one before, which is shown as ended a moment before it has let go of its lock."""

ABANDONED_SECONDS = 3600
"""A file that is received and did not grow for so long is not received any more."""

LONGEST_MESSAGE = 2_000  # letters

LOOK_SECONDS = 0.2
"""How often a job is looked at."""

INTERRUPTED = {130, -signal.SIGINT}
"""How a command ends that was interrupted; the second way before its work has begun."""

STOPPED = "It was stopped. What was complete is kept: the next one goes on from there."

Sort = Literal["import", "run"]
State = Literal["running", "done", "failed", "interrupted"]


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """One job.

    what            the file that is imported; "" for a run
    started, ended  milliseconds since 1970
    message         why it failed or was interrupted
    made            names of imports, or the release
    """

    id: str
    sort: Sort
    what: str
    started: int
    state: State
    ended: int | None = None
    message: str | None = None
    made: list[str] = msgspec.field(default_factory=list)


class Work(msgspec.Struct, frozen=True):
    """A piece of work that is going on; ``share`` is None where nobody knows."""

    title: str
    share: float | None = None


class Moving(msgspec.Struct, frozen=True):
    """How far a job is.

    steps, done  how many steps there are, and are done; 0 for work without steps
    share        from 0 to 1; None where nobody knows
    left         the time left, as it is said; "" where nobody knows
    note         what else is going on
    """

    steps: int = 0
    done: int = 0
    share: float | None = None
    left: str = ""
    running: list[Work] = []
    note: str = ""


class Jobs:
    """Starts jobs of ``home``; ``command`` is this program. Safe to use from any number of threads and processes."""

    def __init__(self, home: Home, command: Sequence[str] = (sys.executable, "-m", "crossfade")) -> None:
        self._home, self._command = home, [*command]

    def require_free(self) -> None:
        """Raise BusyError if a job runs, or another process writes in the home."""
        with self._alone(), locked(self._home.path, "a job of the web page"):
            self._remove_abandoned()

    def room(self) -> Path:
        """Return a new directory for a file that is to be imported; `start` removes it in the end."""
        place = self._home.jobs / uuid.uuid4().hex
        make_directory(self._home.jobs)
        make_directory(place)
        return place

    def start(self, sort: Sort, arguments: Sequence[str], *, what: str = "", room: Path | None = None) -> Job:
        """Start ``crossfade sort arguments`` and return the job; BusyError if another one runs."""
        with contextlib.ExitStack() as held:
            lock = held.enter_context(self._alone())
            name = uuid.uuid4().hex if room is None else room.name
            job = Job(id=name, sort=sort, what=what, started=now(), state="running")
            self._progress.unlink(missing_ok=True)
            self._keep(job)
            work = (job, arguments, lock, held.pop_all())
            threading.Thread(target=self._carry_out, args=work, name="job", daemon=True).start()
        return job

    def stop(self) -> None:
        """Interrupt the job that runs, if one does, as Ctrl+C does at a terminal: what is complete is kept."""
        latest = self.latest()
        if latest is not None and latest[0].state == "running":
            write_file(self._stopped, latest[0].id.encode())

    def latest(self) -> tuple[Job, Moving] | None:
        """Return the job that was started last, by whichever process, and how far it is; None before the first."""
        job = self._kept()
        if job is not None and job.state == "running":
            with contextlib.suppress(BusyError), self._alone(patience=0):
                # Nobody carries it out any more: it has ended just now, or with the server that started it.
                job = self._kept() or job
                if job.state == "running":
                    self._remove_room(job)
                    job = msgspec.structs.replace(job, state="interrupted", message=STOPPED)
        if job is None:
            return None
        moving = Moving()
        if job.state == "running":
            with contextlib.suppress(OSError, msgspec.MsgspecError):
                moving = msgspec.json.decode(self._progress.read_bytes(), type=Moving)
        return job, moving

    @property
    def _state(self) -> Path:
        return self._home.jobs / "job.json"

    @property
    def _progress(self) -> Path:
        return self._home.jobs / "progress.json"

    @property
    def _stopped(self) -> Path:
        """A file with the id of the job that is to be stopped."""
        return self._home.jobs / "stopped"

    @contextlib.contextmanager
    def _alone(self, patience: float | None = None) -> Iterator[int]:
        make_directory(self._home.jobs)
        until = time.monotonic() + (PATIENCE if patience is None else patience)
        with contextlib.ExitStack() as held:
            while True:
                try:
                    lock = held.enter_context(locked(self._home.jobs, "a job"))
                    break
                except BusyError as error:
                    if time.monotonic() >= until:
                        raise BusyError("Another import or run is going on. Wait for it to end.") from error
                time.sleep(0.02)
            yield lock

    def _keep(self, job: Job) -> None:
        write_file(self._state, msgspec.json.encode(job))

    def _kept(self) -> Job | None:
        try:
            return msgspec.json.decode(self._state.read_bytes(), type=Job)
        except (OSError, msgspec.MsgspecError):
            return None

    def _remove_abandoned(self) -> None:
        """Remove files that were being received when a server was killed; no job runs."""
        for room in self._home.jobs.iterdir():
            with contextlib.suppress(OSError):
                latest = max(one.stat().st_mtime for one in (room, *room.iterdir()))
                if time.time() - latest > ABANDONED_SECONDS:
                    shutil.rmtree(room)

    def _remove_room(self, job: Job) -> None:
        shutil.rmtree(self._home.jobs / job.id, ignore_errors=True)

    def _carry_out(self, job: Job, arguments: Sequence[str], lock: int, held: contextlib.ExitStack) -> None:
        state: State = "failed"
        made: list[str] = []
        message = None
        try:
            status, output, errors = self._run(job, arguments, lock)
            if status == 0:
                state, made = "done", _made(job.sort, output)
            elif status in INTERRUPTED:
                state, message = "interrupted", STOPPED
            else:
                message = _message(status, errors)
        except OSError as error:
            message = f"{self._command[0]} cannot be started: {error.strerror or error}."
        with held:
            self._remove_room(job)
            self._keep(msgspec.structs.replace(job, state=state, ended=now(), message=message, made=made))

    def _run(self, job: Job, arguments: Sequence[str], lock: int) -> tuple[int, bytes, bytes]:
        command = [*self._command, job.sort, "--home", str(self._home.path), "--json", *arguments]
        environment = {**os.environ, REPORT: str(self._progress)}
        reading, writing = os.pipe()
        # At the end of its input the command ends: when this process does, however, or closes it.
        with (
            os.fdopen(writing, "wb") as alive,
            os.fdopen(reading, "rb") as until,
            subprocess.Popen(  # noqa: S603 (the command is our own, and file names are arguments of no shell)
                command,
                env=environment,
                stdin=until,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                pass_fds=[lock],
            ) as process,
        ):
            with contextlib.suppress(OSError):  # it has ended, or the system knows no such priorities
                os.setpriority(os.PRIO_PROCESS, process.pid, NICENESS)
            while True:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    output, errors = process.communicate(timeout=LOOK_SECONDS)
                    return process.returncode, output, errors
                with contextlib.suppress(OSError):
                    if self._stopped.read_text() == job.id:
                        alive.close()


def _message(status: int, errors: bytes) -> str:
    """What the command said last, or what ended it."""
    if status < 0:
        name = signal.Signals(-status).name
        return (
            f"It was stopped by the system ({name}), perhaps for want of memory. What was complete is kept: try again."
        )
    lines = [line for line in errors.decode(errors="replace").splitlines() if line.strip()]
    said = lines[-1] if lines else f"It ended with exit code {status}. Try the same command at a terminal."
    return said.removeprefix("Error: ")[:LONGEST_MESSAGE]


def _made(sort: Sort, output: bytes) -> list[str]:
    """The names of what a command made, from the JSON that it printed."""
    try:
        told: Any = json.loads(output)
        if sort == "import":
            return [one["already_imported"] or one["name"] for one in told]
        return [told["release"]] if told.get("release") else []
    except (ValueError, KeyError, TypeError):
        return []
