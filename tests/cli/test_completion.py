"""Completing a name in a real shell and pressing Enter gives exactly one argument, that name, and runs nothing."""

import contextlib
import csv
import os
import pty
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.programs import started

from crossfade.cli import crossfade
from crossfade.cli.completion import _quoted, _words, offered

NAMES = {
    "qqmotley": "qqmotley $(touch ran)",
    "Pet": "Pet Shop Boys",
    "Guns": "Guns N' Roses",
    "backtick": 'backtick `touch ran` "q" \\ *',
    "Earth": "Earth, Wind & Fire; touch ran",
    "colon": "colon: one!! {a,b} ~x #y",
}
REFUSED = ["-dash", "esc\x1b[2Jape", "tab\tname", "line\nbreak", "bidi\u202etxt"]


@pytest.fixture(scope="module")
def shell_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A released library whose artists have the names above."""
    place = tmp_path_factory.mktemp("shell")
    with (place / "plays.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["user", "artist", "plays"])
        table.writerows((f"u{user}", name, 1) for user in range(4) for name in (*NAMES.values(), *REFUSED))
    (place / "crossfade.toml").write_text('[run]\nmodels = ["popularity"]\n')
    for command in (["import", str(place / "plays.csv")], ["run"]):
        done = CliRunner().invoke(crossfade, [*command, "--home", str(place)])
        assert done.exit_code == 0, done.output
    return place


@pytest.fixture
def program(shell_home, tmp_path, monkeypatch):
    """The environment of a shell whose `crossfade` completes as ours does, and notes its arguments in ``arguments``."""
    (tmp_path / "bin").mkdir()
    script = tmp_path / "bin" / "crossfade"
    script.write_text(
        f'#!/bin/sh\nif [ -n "$_CROSSFADE_COMPLETE" ]; then exec {sys.executable} -m crossfade; fi\n'
        'for one; do printf \'%s\\0\' "$one"; done > "$HOME/arguments.new"\n'
        'mv "$HOME/arguments.new" "$HOME/arguments"\n'
    )
    script.chmod(0o755)
    source = Path(__file__).parents[2] / "src"
    return {
        "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}",
        "PYTHONPATH": str(source),
        "HOME": str(tmp_path),
        "XDG_CONFIG_HOME": str(tmp_path),
        "XDG_DATA_HOME": str(tmp_path),
        "CROSSFADE_HOME": str(shell_home),
        "TERM": "dumb",
        "LC_ALL": "C.UTF-8",
    }


SHELLS = {
    "bash": ["bash", "--norc", "--noprofile", "-i"],
    "zsh": ["zsh", "-f", "-i"],
    "fish": ["fish", "--no-config", "-i"],
}
STARTING = {
    "bash": "set -H; source ./script",
    "zsh": "autoload -Uz compinit; compinit -D -u; source ./script",
    "fish": "source ./script",
}


class Shell:
    """What types into an interactive shell, and what the shell answered."""

    def __init__(self, name: str, place: Path, terminal: int) -> None:
        self.place, self._master, self.seen = place, terminal, ""
        starting = f"{STARTING[name]}; touch started\n"
        os.write(self._master, starting.encode())
        self._wait((place / "started").exists, starting)

    def complete(self, begun: str) -> list[str]:
        """Return the arguments that the program gets when ``begun`` is completed and entered."""
        arguments = self.place / "arguments"
        arguments.unlink(missing_ok=True)
        before = len(self.seen)
        os.write(self._master, f"crossfade terms {begun}\t".encode())
        # The shell reads keys only after its completion has ended, so that Enter cannot come too early.
        os.write(self._master, b"\n")
        self._wait(arguments.exists, self.seen[before:])
        return arguments.read_bytes().decode().split("\0")[:-1]

    def _wait(self, done, what: str) -> None:
        end = time.monotonic() + 60
        while not done():
            assert time.monotonic() < end, f"{what!r}: {self.seen}"
            if select.select([self._master], [], [], 0.02)[0]:
                self.seen += os.read(self._master, 65536).decode(errors="replace")


@contextlib.contextmanager
def opened(name: str, environment: dict[str, str]) -> Iterator[Shell]:
    """A shell in a terminal of its own, in an empty directory; skips where it is not installed."""
    if shutil.which(name) is None:
        pytest.skip(f"{name} is not installed")
    place = Path(environment["HOME"])
    script = CliRunner().invoke(crossfade, ["completion", name])
    (place / "script").write_text(script.output)
    terminal, follower = pty.openpty()
    # The leader of a session that opens a terminal owns it; without that a shell has no control of its jobs.
    owning = ("sh", "-c", 'exec "$@" <>"$0" >&0 2>&1', os.ttyname(follower))
    with os.fdopen(terminal), os.fdopen(follower), started(*owning, *SHELLS[name], cwd=place, env=environment):
        yield Shell(name, place, terminal)


@pytest.fixture(params=SHELLS)
def shell(request, program):
    with opened(request.param, program) as running:
        yield running


def test_a_completed_name_is_one_argument_and_runs_nothing(shell):
    for begun, name in NAMES.items():
        assert shell.complete(begun) == ["terms", name], shell.seen
    assert not list(shell.place.rglob("ran"))


@pytest.fixture
def bash(program):
    with opened("bash", program) as running:
        yield running


@pytest.mark.parametrize(
    ("begun", "name"),
    [
        ('"qqmotley ', NAMES["qqmotley"]),
        ("'Guns N", NAMES["Guns"]),
        (r"pet\ s", NAMES["Pet"]),
        ("colon:", NAMES["colon"]),
    ],
)
def test_bash_completes_what_is_quoted_already(bash, begun, name):
    assert bash.complete(begun) == ["terms", name], bash.seen
    assert not list(bash.place.rglob("ran"))


@pytest.mark.parametrize("mark", ["", "'", '"'])
@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
def test_bash_reads_what_is_quoted_as_it_was(mark):
    names = ["".join(map(chr, range(32, 127))), "東京 é!", "a'b\"c", "~root", "#x", *NAMES.values()]
    names = [name for name in names if mark != '"' or "!" not in name]
    typed = " ".join(f"{mark}{_quoted(name, mark)}{mark}" for name in names)
    read = subprocess.run(["bash", "-c", f"printf '%s\\0' {typed}"], capture_output=True, check=True)
    assert read.stdout.decode().split("\0")[:-1] == names
    assert [word.value for word in _words(typed)] == names


def test_names_that_cannot_be_typed_are_not_offered(shell_home, monkeypatch):
    assert not any(map(offered, REFUSED))
    for name in REFUSED:
        environment = {"_CROSSFADE_COMPLETE": "bash_complete", "CROSSFADE_HOME": str(shell_home)}
        begun = name[:2] if name[0] == "-" else name[:3]
        environment |= {"COMP_LINE": f"crossfade terms {begun}", "COMP_WORD": begun}
        assert CliRunner().invoke(crossfade, env=environment).output.strip() == ""
