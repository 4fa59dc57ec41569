"""``crossfade doctor``: whether this machine and this home are fit, and what to do where not."""

import importlib.util
import platform
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Literal

import click

from crossfade import __version__
from crossfade.cli.options import home_option, json_option
from crossfade.cli.output import Column, print_json, print_table, size
from crossfade.core.artifacts import verify, write_file
from crossfade.core.errors import CrossfadeError
from crossfade.core.home import Home
from crossfade.kernels.threads import processors

LOW_DISK = 2_000_000_000  # bytes; a run of a few million listens needs about this much for its temporary files


@dataclass(frozen=True)
class Finding:
    """One thing that was checked; ``what_to_do`` is empty where it is well."""

    state: Literal["ok", "note", "bad"]
    subject: str
    found: str
    what_to_do: str = ""


@click.command()
@home_option
@json_option
def doctor(home: Home, as_json: bool) -> None:
    """Check that this machine and this home are fit. Ends with exit code 1 if something is bad."""
    findings = [finding for check in _CHECKS for finding in check(home)]
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        print_table(
            [Column(""), Column("checked"), Column("found"), Column("what to do")],
            [[finding.state, finding.subject, finding.found, finding.what_to_do] for finding in findings],
        )
    if bad := [finding.subject for finding in findings if finding.state == "bad"]:
        raise CrossfadeError(f"Not fit: {', '.join(bad)}.")


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
    for extra, module, gives in (
        ("serve", "fastapi", "`crossfade serve`"),
        ("index", "usearch", "approximate search in large catalogues"),
    ):
        if importlib.util.find_spec(module):
            yield Finding("ok", f"extra {extra}", f"{gives} is installed")
        else:
            yield Finding("note", f"extra {extra}", f"no {gives}", f"pip install 'crossfade[{extra}]'")


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
        yield Finding("bad", "home", str(error), "mend its permissions or its disk")
        return
    yield Finding("ok", "home", f"{home.path} can be written")


def _settings(home: Home) -> Iterator[Finding]:
    from crossfade.pipeline.settings import Settings, sections

    try:
        settings = Settings.of(home)
        for section in sections():
            settings.section(section)
    except CrossfadeError as error:
        yield Finding("bad", "settings", str(error), f"mend {home.settings_file}")
        return
    yield Finding(
        "ok",
        "settings",
        f"{home.settings_file} " + ("is valid" if home.settings_file.exists() else "is not there: all defaults"),
    )


def _release(home: Home) -> Iterator[Finding]:
    from crossfade.stores.registry import open_store

    try:
        store = open_store(home)
        version = store.current()
        verify(home.releases / version)
    except CrossfadeError as error:
        state: Literal["note", "bad"] = "bad" if home.releases.exists() and any(home.releases.iterdir()) else "note"
        yield Finding(state, "release", str(error), "crossfade run")
        return
    yield Finding("ok", "release", f"{version} is whole")


_CHECKS: tuple[Callable[[Home], Iterator[Finding]], ...] = (
    _program,
    _kernels,
    _extras,
    _disk,
    _home,
    _settings,
    _release,
)
