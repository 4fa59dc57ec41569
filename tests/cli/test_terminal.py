"""Whatever a name contains, no command's output can steer a terminal; whatever happens to the output, no traceback."""

import io
import json
import os
import re
import subprocess
import sys
import unicodedata
import zipfile
from pathlib import Path

import click.testing
import pytest
from click.testing import CliRunner

from crossfade.cli import crossfade
from crossfade.cli.output import Column, print_json, print_table, say
from crossfade.cli.registry import COMMANDS
from crossfade.cli.terminal import Output, outputs, printable

CONTROLS = "\x1b[2J\x1b]0;title\x07\x9b31m\x90\x7f\r\x08\u202e\u2066\u200f\u2028\ufeff\U000e0041"
MARKUP = "[/nope][link=http://example.org]x[/link] :smile:"
HOSTILE = f"Mot{CONTROLS}ley {MARKUP}\tB\nC"


def unsafe(text: str) -> set[str]:
    """Every character of ``text`` by which a name could steer a terminal."""
    return {
        one
        for one in text
        if one not in "\n\t\u200c\u200d" and unicodedata.category(one) in ("Cc", "Cf", "Cs", "Zl", "Zp")
    }


@pytest.fixture(params=["pipe", "terminal"])
def where(request, monkeypatch):
    if request.param == "terminal":
        monkeypatch.setattr(click.testing._NamedTextIOWrapper, "isatty", lambda file: True)
        monkeypatch.setenv("TERM", "dumb")  # rich prints no escape sequences of its own there
    return request.param


@pytest.fixture(scope="session")
def hostile_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A released library of artists and listeners with hostile names, from an archive with hostile members."""
    place = tmp_path_factory.mktemp("hostile")
    rows = ["user,artist,plays"]
    rows += [f'"u{HOSTILE}{user}","{HOSTILE}{item}",{1 + user * item % 7}' for user in range(8) for item in range(6)]
    with zipfile.ZipFile(place / f"a{CONTROLS}.zip", "w") as archive:
        archive.writestr(f"{CONTROLS}[/nope].csv", "\n".join(rows))
        archive.writestr(f"{CONTROLS}[/nope].bin", bytes(range(256)))
    home = place / "home"
    home.mkdir()
    (home / "crossfade.toml").write_text('[run]\nmodels = ["cooccurrence"]\n[surfaces.related]\nsize = 5\n')
    for command in (["import", str(place / f"a{CONTROLS}.zip")], ["run"]):
        done = CliRunner().invoke(crossfade, [*command, "--home", str(home)])
        assert done.exit_code == 0, done.output
        assert not unsafe(done.output)
    return home


ARGUMENTS = {
    "demo": ["--listeners", HOSTILE],
    "import": [HOSTILE],
    "discover": [HOSTILE],
    "related": [HOSTILE],
    "radio": [HOSTILE],
    "search": ["mot"],
    "serve": ["--port", HOSTILE],
    "terms": [HOSTILE],
    "evaluate": ["--train", HOSTILE, "--test", HOSTILE],
    "forget": [HOSTILE],
    "releases": ["activate", HOSTILE],
    "rollback": [HOSTILE],
    "config": ["show", HOSTILE],
    "completion": [HOSTILE],
}


@pytest.mark.parametrize("command", COMMANDS)
def test_no_command_prints_what_steers_a_terminal(command, where, hostile_home, monkeypatch):
    monkeypatch.setenv("CROSSFADE_HOME", str(hostile_home))
    for arguments in (ARGUMENTS.get(command, []), [HOSTILE], [f"--{HOSTILE}"]):
        result = CliRunner().invoke(crossfade, [command, *arguments])
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exc_info
        assert not unsafe(result.output), (arguments, result.output)


def test_an_unknown_command_is_printed_without_what_steers_a_terminal(where):
    assert not unsafe(CliRunner().invoke(crossfade, [HOSTILE]).output)


@pytest.mark.parametrize(
    "command", [["popular"], ["search", "mot"], ["status"], ["models"], ["releases"], ["related", "{item}"]]
)
def test_json_is_valid_and_escapes_what_steers_a_terminal(command, where, hostile_home):
    def answer(*arguments):
        result = CliRunner().invoke(crossfade, [*arguments, "--json", "--home", str(hostile_home)])
        assert result.exit_code == 0, result.output
        assert not unsafe(result.stdout.replace("\n", ""))
        return json.loads(result.stdout)

    first = answer("popular")["entries"][0]
    assert MARKUP in first["name"]
    assert "\u202e" in first["name"]
    answer(*(part.format(item=first["id"]) for part in command))


def test_markup_in_names_is_text(where, hostile_home):
    for command in (["popular"], ["search", "mot"]):
        result = CliRunner().invoke(crossfade, [*command, "--home", str(hostile_home)], env={"COLUMNS": "400"})
        assert result.exit_code == 0, result.output
        assert MARKUP in result.stdout


def test_each_character_by_itself(capsys):
    assert printable("Björk 東京 🏳\u200d🌈 R\u0301 می\u200cخواهم") == "Björk 東京 🏳\u200d🌈 R\u0301 می\u200cخواهم"
    assert printable("a\tb\nc\x85d\u2028e") == "a b c d e"
    assert printable("\x1b[2J\x9b\x7f\x00\udcff") == "\ufffd[2J\ufffd\ufffd\ufffd\ufffd"
    assert printable("\u202eabc\u2069\ufeff") == "abc"
    assert not unsafe(printable("".join(map(chr, range(0x110000)))))


def test_titles_cells_and_messages_are_one_line_each(where, monkeypatch):
    @click.command()
    def show():
        print_table([Column(f"name{CONTROLS}")], [[f"a\tb\n{HOSTILE}"]], title=f"{HOSTILE}", note=HOSTILE)
        say(HOSTILE)
        print_json({HOSTILE: HOSTILE})
        sys.stdout.write(HOSTILE)
        print(HOSTILE, file=sys.stderr)
        raise click.UsageError(HOSTILE)

    def run():
        with outputs():
            show.main([])

    monkeypatch.setenv("COLUMNS", "400")
    with CliRunner().isolation() as (out, err, _), pytest.raises(SystemExit):
        run()
    for stream in (out, err):
        text = stream.getvalue().decode()
        assert MARKUP in text
        assert not unsafe(text)
    said = err.getvalue().decode().splitlines()[0]
    assert said.endswith("B C")


def test_nothing_is_written_past_the_seam():
    source = Path(__file__).parents[2] / "src" / "crossfade"
    past = re.compile(r"sys\.__std|rich\.console import Console\b|os\.write\(|/dev/tty")
    found = {
        path.name
        for room in ("cli", "serve", "pipeline")
        for path in (source / room).glob("*.py")
        if past.search(path.read_text())
    }
    assert found <= {"console.py", "terminal.py"}


class Failing(io.StringIO):
    def __init__(self, error):
        super().__init__()
        self.error = error

    def write(self, text):
        raise self.error


def test_a_reader_that_went_away_ends_the_output_quietly():
    stream = Output(Failing(BrokenPipeError()), "stdout")
    stream.write("x")
    stream.flush()


def test_a_message_that_cannot_be_written_is_no_error():
    Output(Failing(OSError(28, "No space left on device")), "stderr").write("x")


# What only the operating system can do to output needs a process of its own.
def run(arguments, redirected="", **environment):
    return subprocess.run(
        f"{sys.executable} -m crossfade {arguments} {redirected}",
        shell=True,
        capture_output=True,
        text=True,
        errors="replace",
        env={**os.environ, **environment},
    )


def test_output_in_a_poorer_encoding_replaces_what_it_lacks(tmp_path):
    for encoding in ("latin-1", "ascii"):
        shown = run("forget Björk東京…", PYTHONIOENCODING=encoding, CROSSFADE_HOME=str(tmp_path))
        assert shown.returncode == 5, shown.stderr
        assert shown.stderr.startswith("Error: ")
        assert "Bj" in shown.stderr
        assert "Traceback" not in shown.stderr


def test_json_in_a_poorer_encoding_is_complete(hostile_home):
    shown = run("popular --json", PYTHONIOENCODING="latin-1", CROSSFADE_HOME=str(hostile_home))
    assert "\u202e" in json.loads(shown.stdout)["entries"][0]["name"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("arguments", ["--help", "config show --json", "config show"])
def test_a_full_device_is_an_error_with_9(arguments):
    shown = run(arguments, ">/dev/full")
    assert (shown.returncode, shown.stderr) == (
        9,
        "Error: Standard output: No space left on device. The output is incomplete.\n",
    )


@pytest.mark.parametrize(("redirected", "code"), [(">&-", 0), (">&- 2>&-", 0), ("2>&-", 0), ("2>/dev/full", 0)])
def test_closed_outputs_are_no_error(redirected, code):
    shown = run("config show", redirected)
    assert (shown.returncode, shown.stderr) == (code, "")


def test_a_path_that_is_too_long_is_an_error_of_the_tree(tmp_path):
    long = tmp_path / ("x" * 300)
    for command, home in (
        (["popular"], long),
        (["run"], long),
        (["import", str(long)], tmp_path / "home"),
        (["import", f"{tmp_path}/{'d/' * 3000}"], tmp_path / "home"),
        (["evaluate", "--train", str(long), "--test", str(long)], None),
    ):
        refused = CliRunner().invoke(crossfade, [*command, *(["--home", str(home)] if home else [])])
        assert refused.exit_code in (4, 9), (refused.output, refused.exception)
        assert "too long" in refused.stderr


@pytest.mark.parametrize(
    ("home", "told"),
    [("pyproject.toml", "is a file"), ("~nobody-of-this-name/x", "no user"), ("not-text-\udcff", "not UTF-8")],
)
@pytest.mark.parametrize("command", [["run"], ["releases", "unpin"], ["popular", "--json"]])
def test_a_home_that_cannot_be_one_is_a_usage_error(home, told, command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("pyproject.toml").touch()
    for arguments, environment in (([*command, "--home", home], {}), (command, {"CROSSFADE_HOME": home})):
        refused = CliRunner().invoke(crossfade, arguments, env=environment)
        assert refused.exit_code == 2, (refused.output, refused.exception)
        assert told in refused.stderr


def test_more_threads_than_a_machine_has_are_refused(tmp_path):
    (tmp_path / "crossfade.toml").write_text("[run]\nthreads = 1000000\n")
    refused = CliRunner().invoke(crossfade, ["config", "show", "run", "--home", str(tmp_path)])
    assert refused.exit_code == 3
    assert "threads must be 0 to 1024" in refused.stderr
    asked = ["evaluate", "--train", "x", "--test", "y", "--threads", "1000000"]
    assert CliRunner().invoke(crossfade, asked).exit_code == 2
