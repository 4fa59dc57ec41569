"""Kills a whole command at many of its steps; the next command must find a whole home, and finish.

    python killing.py COMMAND KILLS DIRECTORY

COMMAND is "import", "run", "forget" or "rollback". All work is done by forked processes, and this one starts no
threads, so that each begins with all modules imported. Prints how many kills there were.
"""

import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import duckdb  # noqa: F401  # imported before the first fork
import numba  # noqa: F401
import pyarrow.parquet as pq
from click.testing import CliRunner
from interrupting import interrupt, unregistered

from crossfade.cli import crossfade
from crossfade.core.artifacts import verify
from crossfade.core.errors import NotReadyError
from crossfade.core.home import Home
from crossfade.core.replacing import PARTIAL
from crossfade.importing.forgetting import pending
from crossfade.importing.library import imports
from crossfade.stores.registry import open_releases

HISTORIES = {
    "bob": {"bob": ["Can", "Neu"], "carl": ["Neu", "Cluster"]},
    "family": {"annika": ["Can", "Zyzzyva"], "dora": ["Cluster", "Can", "Faust"]},
    "later": {"annika": ["Zyzzyva Duo", "Cluster"], "bob": ["Faust"]},
}
NEVER = 1 << 60


def rows(users: dict[str, list[str]], day: int) -> str:
    lines = ["user,artist,title,listened_at"]
    for user, artists in users.items():
        lines += [
            f"{user},{artist},Song {number % 2},{1_700_000_000 + 86_400 * day + 400 * number}"
            for number, artist in enumerate(artists * 3)
        ]
    return "\n".join(lines)


def call(home: Home, *arguments: str) -> None:
    result = CliRunner().invoke(crossfade, [*arguments, "--home", str(home.path)])
    assert result.exit_code == 0, (result.output, result.exception)


def traces(home: Home) -> list[Path]:
    """Where Annika is, or what she alone played."""
    found = []
    for path in home.path.rglob("*"):
        content = path.read_bytes() if path.is_file() else b""
        if path.suffix == ".parquet":
            content += str(pq.read_table(path).to_pylist()).encode()
        if any(text in content.lower() for text in (b"annika", b"zyzzyva")):
            found.append(path)
    return found


def made(directory: Path, command: str) -> Home:
    """The home that ``command`` is called on."""
    home = Home(directory / "made")
    home.prepare()
    home.settings_file.write_text('[run]\nmodels = ["cooccurrence", "popularity"]\n')
    for day, (name, users) in enumerate(HISTORIES.items()):
        (directory / f"{name}.csv").write_text(rows(users, day))
        if name == "later" and command == "import":
            break
        call(home, "import", str(directory / f"{name}.csv"))
        if name == "bob" or (name == "family" and command != "run"):
            call(home, "run")
    return home


def next_command(home: Home, command: str, arguments: list[str], number: int) -> None:
    """Find everything whole, and finish; what is to be forgotten by a run, or by the same command again."""
    releases = open_releases(home)
    for version in releases.versions():
        releases.verify(version)
    with releases.open() as release:
        assert release.tables.item("artist", "can").name == "Can"
    for one in imports(home):
        verify(one.path)
        one.ledger.check()
    if command == "rollback":
        with home.locked("a test"):
            pass
    elif command == "forget":
        call(home, *(["run"] if number % 2 and pending(home) is not None else arguments))
        assert not traces(home), traces(home)
        assert pending(home) is None
    else:
        call(home, *arguments)
    if command == "import":
        assert len(imports(home)) == 3
        call(home, "run")
    left = [path for path in home.path.rglob("*") if path.name.endswith(PARTIAL)] + unregistered(home)
    assert not left, left
    try:
        releases.verify()
    except NotReadyError as error:
        raise AssertionError("nothing is served") from error


def forked(work: Callable[[], None]) -> int:
    """Return the status of a process that does ``work``."""
    child = os.fork()
    if child == 0:
        try:
            work()
        except BaseException:  # noqa: BLE001  # told to the parent by the exit code
            sys.excepthook(*sys.exc_info())
            sys.stderr.flush()
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def run(command: str, kills: int, directory: Path) -> int:
    """Kill ``command`` at about so many steps, evenly spread; how many there were."""
    arguments = {
        "import": ["import", str(directory / "later.csv")],
        "run": ["run"],
        "forget": ["forget", "annika"],
        "rollback": ["rollback"],
    }[command]
    assert forked(lambda: made(directory, command) and None) == 0
    home, counted = Home(directory / "home"), directory / "steps"

    def act(number: int) -> None:
        steps = interrupt(number, "kill", home.path)
        call(home, *arguments)
        counted.write_text(str(steps()))

    def fresh() -> None:
        shutil.rmtree(home.path, ignore_errors=True)
        shutil.copytree(directory / "made", home.path)

    fresh()
    assert forked(lambda: act(NEVER)) == 0
    total, done = int(counted.read_text()), 0
    for number in range(1, total + 1, max(1, total // kills)):
        fresh()
        status = forked(lambda number=number: act(number))  # type: ignore[misc]
        # Threads may take a few steps fewer than when they were counted.
        assert status in (-signal.SIGKILL, 0), f"step {number} ended with {status}"
        assert forked(lambda number=number: next_command(home, command, arguments, number)) == 0, (
            f"step {number} of {total}"
        )
        done += 1
    return done


if __name__ == "__main__":
    print(run(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])))
