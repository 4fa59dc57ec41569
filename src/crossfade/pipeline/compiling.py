"""Kernels compiled by processes beside the first run, while that gathers what it needs.

Numba compiles one kernel at a time in a process, so a first run would use one processor. Two processes run a tiny
library of their own, one as far as the pages, the other the remaining models; what they compile is kept for everyone
(`crossfade.kernels.compile`). A mark beside the kept code says that there is nothing to do. Results don't depend on it:
what is missing is compiled when it is called. The processes end with the one that began them, however it ends.
"""

import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from typing import Any

from crossfade.core.home import Home
from crossfade.pipeline.runner import UNWATCHED, Watch
from crossfade.pipeline.steps import STEPS

PAGES, OTHERS = "pages", "others"

GATHERING = tuple(action for action, place in STEPS.items() if place.startswith("gathering:"))
"""The actions without kernels: those of `crossfade.pipeline.gathering`."""

USERS, ARTISTS, TRACKS = 125, 48, 1152
"""Of the tiny library: more tracks than `crossfade.kernels.search.sketch.CHUNK`, and fewer artists. The last
listens are new to at least `LEAST_USERS` of `crossfade.models.blend_weights`, so that a blend learns its weights."""


@dataclass(frozen=True)
class Compiling:
    """The processes that compile, by what they compile."""

    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def wait(self, part: str, watch: Watch) -> None:
        """Wait until ``part`` is compiled, or its process has ended without."""
        if part in self.processes:
            watch.compiling(True)
            self.processes[part].wait()
            watch.compiling(False)


NOTHING_COMPILING = Compiling()
"""No processes."""


@contextlib.contextmanager
def compiled_aside(home: Home, processors: int) -> Iterator[Compiling]:
    """Start processes that compile what a run of ``home`` needs, if that is not done; end them at last."""
    parts = wanted() if processors > 1 else []
    if not parts:
        yield Compiling()
        return
    with contextlib.ExitStack() as stack:
        compiling = Compiling()
        for part in parts:
            place = stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))
            command = [sys.executable, "-m", "crossfade.pipeline.compiling", part, place, str(home.settings_file)]
            # Its input stays open as long as this process lives; it ends when that is closed.
            process = subprocess.Popen(  # noqa: S603  # this very program
                command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            stack.callback(_end, process)
            compiling.processes[part] = process
        yield compiling


def wanted() -> list[str]:
    """Return the parts that are still to be compiled; none where compiled code cannot be kept."""
    return [part for part in (PAGES, OTHERS) if (mark := _mark(part)) is not None and not mark.exists()]


def _mark(part: str) -> Path | None:
    """The file that says that ``part`` is compiled, by these sources, this Numba, and for this processor."""
    from llvmlite import binding  # type: ignore[import-untyped]

    from crossfade.kernels.compile import cache_directory

    kept = cache_directory()
    if kept is None:
        return None
    digest = hashlib.sha256(f"{sys.version} {binding.llvm_version_info} {binding.get_host_cpu_name()}".encode())
    for source in sorted(Path(__file__).parents[1].rglob("*.py")):
        digest.update(source.read_bytes())
    return kept / f"{part}-{digest.hexdigest()[:16]}.compiled"


def _end(process: subprocess.Popen[Any]) -> None:
    process.kill()
    process.communicate()


def compile_part(part: str, place: Path, settings_file: Path) -> None:
    """Run ``part`` of the tiny library in ``place`` by the settings of a home, and mark it as compiled."""
    from crossfade.importing.imports import import_paths
    from crossfade.pipeline.local import LocalRunner
    from crossfade.pipeline.plan import first_plan, make_plan
    from crossfade.pipeline.settings import Settings

    home, library = Home(place / "home"), place / "library"
    home.path.mkdir()
    library.mkdir()
    if settings_file.exists():
        shutil.copyfile(settings_file, home.settings_file)
    write_library(library)
    import_paths(home, [library])
    settings = Settings.of(home)
    first, plan = first_plan(home, settings).steps, make_plan(home, settings).steps
    # What the other process compiles comes last, so that it is there when it is needed.
    steps = [*first.values()] if part == PAGES else sorted(plan.values(), key=lambda step: step.name in first)
    LocalRunner(threads=1, memory_bytes=1 << 30).run(steps, home, UNWATCHED)
    mark = _mark(part)
    if mark is not None:
        mark.touch()


def write_library(directory: Path) -> None:
    """Write listens and playlists, so that every model has something to learn from."""
    lines = ["user,artist,track,timestamp"]
    for number in range(2 * TRACKS):
        track = number * 5 % TRACKS
        lines.append(f"user {number * 7 % USERS},artist {track % ARTISTS},song {track},{1_700_000_000 + 200 * number}")
    (directory / "listens.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    for playlist in range(16):
        tracks = [
            {"title": f"song {track}", "creator": f"artist {track % ARTISTS}"} for track in range(playlist, TRACKS, 16)
        ]
        text = json.dumps({"playlist": dict(title=f"list {playlist}", track=tracks)})  # noqa: C408  # a key of the format, not a kind
        (directory / f"{playlist}.jspf").write_text(text, encoding="utf-8")


def _end_with_parent(place: Path) -> None:
    """End this process once its input is closed, leaving nothing behind."""
    # Unbuffered: Python cannot end well while a thread holds the buffer of its input.
    while os.read(sys.stdin.fileno(), 1 << 10):
        pass
    # The other threads still write, so another process removes what they wrote, once this one and its pipe are gone.
    remover = "import shutil, sys; sys.stdin.read(); shutil.rmtree(sys.argv[1], ignore_errors=True)"
    subprocess.Popen([sys.executable, "-c", remover, place], stdin=subprocess.PIPE)  # noqa: S603  # this very program
    os._exit(1)


def compile_all() -> None:
    """Compile every kernel that a run with the default settings calls, if that is not done."""
    with tempfile.TemporaryDirectory() as place, compiled_aside(Home(Path(place)), 2) as compiling:
        for part in compiling.processes:
            compiling.wait(part, UNWATCHED)


if __name__ == "__main__":
    if len(sys.argv) == 1:
        compile_all()
        sys.exit()
    with contextlib.suppress(KeyboardInterrupt):
        Thread(target=_end_with_parent, args=(Path(sys.argv[2]),), daemon=True).start()
        compile_part(sys.argv[1], *map(Path, sys.argv[2:]))
