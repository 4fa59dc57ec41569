"""``crossfade doctor``: check the installation, the machine and the home, and say what to do about problems."""

import contextlib
import importlib.util
import platform
import shlex
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import click

from crossfade.cli.options import home_option, json_option, on_option
from crossfade.cli.output import Column, print_json, print_table, size
from crossfade.core.artifacts import write_file
from crossfade.core.errors import CrossfadeError, NotReadyError
from crossfade.core.home import Home
from crossfade.core.replacing import OTHERS
from crossfade.core.version import __version__
from crossfade.kernels.threads import processors

LOW_DISK = 2_000_000_000  # bytes; a run of a few million listens needs about this much for its temporary files


EXTRAS = {
    "serve": ("fastapi", "`crossfade serve`"),
    "index": ("usearch", "the graph index"),
    "tune": ("optuna", "`crossfade tune`"),
    "trees": ("lightgbm", 'a blend with `ranker = "trees"`'),
    "client": ("httpx", "`crossfade.client`"),
    "annoy": ("annoy", "the forest index"),
    "spark": ("pyspark", "`crossfade run --on spark://…`"),
    "cassandra": ("cassandra", 'a store of `kind = "cassandra"`'),
}
"""Every extra of the package: a module that it installs, and what that is for."""


@dataclass(frozen=True)
class Finding:
    """The result of one check; ``what_to_do`` is empty if it is "ok"."""

    state: Literal["ok", "note", "bad"]
    subject: str
    found: str
    what_to_do: str = ""


@click.command()
@on_option
@home_option
@json_option
def doctor(home: Home, on: str, as_json: bool) -> None:
    """Check the installation, the machine and the home, and with --on a cluster.

    Ends with exit code 1 if a check failed.
    """
    findings = [finding for check in _CHECKS for finding in check(home)]
    if on:
        findings += _hadoop(home) if on == "hadoop" else _cluster(home, on)
    if as_json:
        print_json(findings)
    else:
        print_table(
            [Column(""), Column("checked", "name"), Column("found", "prose"), Column("what to do", "prose")],
            [[finding.state, finding.subject, finding.found, finding.what_to_do] for finding in findings],
        )
    if bad := [finding.subject for finding in findings if finding.state == "bad"]:
        raise CrossfadeError(f"Failed checks: {', '.join(bad)}.")


def _program(home: Home) -> Iterator[Finding]:
    yield Finding("ok", "Crossfade", f"{__version__} on Python {platform.python_version()}, {platform.machine()}")
    yield Finding("ok", "SQLite", sqlite3.sqlite_version)
    yield Finding("ok", "processors", str(processors()))


def _kernels(home: Home) -> Iterator[Finding]:
    import numba
    import numpy as np

    try:
        doubled = numba.njit(lambda values: values * 2)(np.arange(3.0))
    except (numba.core.errors.NumbaError, OSError) as error:
        yield Finding("bad", "kernels", f"Numba cannot compile: {error}", "reinstall numba and llvmlite")
        return
    right = doubled.tolist() == [0.0, 2.0, 4.0]
    yield Finding("ok" if right else "bad", "kernels", f"Numba {numba.__version__} compiles")


def _extras(home: Home) -> Iterator[Finding]:
    for extra, (module, purpose) in EXTRAS.items():
        installed = importlib.util.find_spec(module) is not None
        hint = "" if installed else f"pip install 'crossfade[{extra}]'"
        found = f"{'installed' if installed else 'missing'}, for {purpose}"
        yield Finding("ok" if installed else "note", f"extra {extra}", found, hint)


def _disk(home: Home) -> Iterator[Finding]:
    place = next(parent for parent in (home.path, *home.path.absolute().parents) if parent.exists())
    free = shutil.disk_usage(place).free
    if free < LOW_DISK:
        yield Finding("note", "disk", f"{size(free)} free at {place}", "free some space before a large run")
    else:
        yield Finding("ok", "disk", f"{size(free)} free at {place}")


def _home(home: Home) -> Iterator[Finding]:
    if not home.path.exists():
        yield Finding("note", "home", f"{home.path} does not exist yet", "crossfade demo, or crossfade import PATH")
        return
    try:
        write_file(home.path / ".doctor", b"")
        (home.path / ".doctor").unlink()
    except CrossfadeError as error:
        yield Finding("bad", "home", str(error), "fix its permissions or its disk")
        return
    yield Finding("ok", "home", f"{home.path} can be written")


def _privacy(home: Home) -> Iterator[Finding]:
    if not home.path.exists():
        return
    opened, waiting = 0, [home.path]
    while waiting:
        path = waiting.pop()
        # What lies in a directory of its owner alone is out of reach.
        with contextlib.suppress(OSError):
            if path.lstat().st_mode & OTHERS and not path.is_symlink():
                opened += 1
                waiting += path.iterdir() if path.is_dir() else ()
    if opened:
        found = f"other users of this machine can reach {opened:,} files and directories of {home.path}"
        yield Finding("note", "privacy", found, f"chmod -R go= {shlex.quote(str(home.path))}")
    else:
        yield Finding("ok", "privacy", f"{home.path} is for its owner alone")


def _settings(home: Home) -> Iterator[Finding]:
    from crossfade.pipeline.settings import Settings, sections

    try:
        settings = Settings.of(home)
        for section in sections():
            settings.section(section)
    except CrossfadeError as error:
        yield Finding("bad", "settings", str(error), f"fix {home.settings_file}")
        return
    yield Finding("ok", "settings", f"{home.settings_file} is valid" if home.settings_file.exists() else "all defaults")


def _store(home: Home) -> Iterator[Finding]:
    from crossfade.pipeline.settings import Settings
    from crossfade.stores.registry import open_store

    try:
        settings = Settings.of(home).section("store")
        count = len(open_store(home, settings)[0].versions())
    except CrossfadeError as error:
        yield Finding("bad", "store", str(error), f"see [store] in {home.settings_file}")
    else:
        yield Finding("ok", "store", f"{settings.kind} answers; releases: {count}")


def _release(home: Home) -> Iterator[Finding]:
    from crossfade.cli.options import releases_of

    try:
        releases = releases_of(home)
        version = releases.active().version
        releases.verify(version)
    except NotReadyError as error:
        yield Finding("note", "release", str(error), "crossfade run")
    except CrossfadeError as error:
        yield Finding("bad", "release", str(error), "crossfade run")
    else:
        yield Finding("ok", "release", f"{version} is whole")


def _hadoop(home: Home) -> Iterator[Finding]:
    from crossfade.cluster.hadoop import Hadoop
    from crossfade.pipeline.settings import Settings

    try:
        settings = Settings.of(home).section("hadoop")
        with tempfile.TemporaryDirectory() as work:
            Hadoop.connect(settings, Path(work))
    except CrossfadeError as error:
        yield Finding("bad", "cluster", str(error), "see docs/cluster.md")
    else:
        yield Finding("ok", "cluster", f"{settings.command} sends jobs, and {settings.folder} can be reached")


def _cluster(home: Home, master: str) -> Iterator[Finding]:
    from crossfade.cluster.spark import start
    from crossfade.cluster.spark_checks import examine, failures
    from crossfade.pipeline.settings import Settings

    with contextlib.ExitStack() as stack:
        try:
            settings = Settings.of(home).on(master).section("spark")
            engine = start(settings)
            stack.callback(engine.stop)
            shares = settings.exchange == "files" and home.path.exists()
            executors = examine(engine, home.path.absolute() if shares else None)
        except CrossfadeError as error:
            yield Finding("bad", "cluster", str(error), "see docs/cluster.md")
            return
        yield Finding("ok", "cluster", f"{master}: {engine.executors} executors, {engine.slots} tasks at a time")
        for number, one in enumerate(executors, 1):
            versions = ", ".join(f"{name} {version or 'missing'}" for name, version in one.versions.items())
            folder = f"; {one.problem or 'shares the home'}" if shares else ""
            yield Finding("ok", f"executor {number}", f"{one.host}: {versions}; {size(one.memory)} of memory{folder}")
        for failure in failures(executors, settings, engine.slots):
            yield Finding("bad", "cluster", failure, "see docs/cluster.md")


_CHECKS: tuple[Callable[[Home], Iterator[Finding]], ...]
_CHECKS = (_program, _kernels, _extras, _disk, _home, _privacy, _settings, _store, _release)
