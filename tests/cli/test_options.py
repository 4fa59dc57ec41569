"""Options that all commands share, the help of each, and what is suggested for what does not exist."""

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from crossfade.cli import crossfade
from crossfade.cli.registry import COMMANDS, load_command

PAGE = (Path(__file__).parents[2] / "docs" / "cli.md").read_text()
WITHOUT_A_HOME = {"completion"}


def walked(path, command):
    """Every command below, by the words that call it."""
    yield path, command
    if isinstance(command, click.Group):
        for name, inner in command.commands.items():
            yield from walked((*path, name), inner)


ALL = dict(pair for name in COMMANDS for pair in walked((name,), load_command(name)))
every_command = pytest.mark.parametrize("path", ALL, ids=" ".join)


@every_command
@pytest.mark.parametrize("option", ["--help", "-h"])
def test_every_command_explains_itself(path, option):
    shown = CliRunner().invoke(crossfade, [*path, option])
    assert shown.exit_code == 0
    assert f"Usage: crossfade {' '.join(path)}" in shown.stdout
    assert all(parameter.help for parameter in ALL[path].params if isinstance(parameter, click.Option))


@every_command
def test_every_command_about_a_library_takes_its_home(path):
    options = {name for parameter in ALL[path].params for name in parameter.opts}
    assert ("--home" in options) == (path[0] not in WITHOUT_A_HOME)


@every_command
def test_every_command_and_each_of_its_options_is_documented(path):
    assert f"crossfade {' '.join(path)}" in PAGE
    missing = [
        name
        for parameter in ALL[path].params
        if isinstance(parameter, click.Option)
        for name in parameter.opts
        if name.startswith("--") and f"`{name}" not in PAGE and f"{name} " not in PAGE
    ]
    assert not missing


@pytest.mark.parametrize(
    "words",
    [["--home", "{}", "config", "show"], ["config", "--home", "{}", "show"], ["config", "show", "--home", "{}"]],
)
def test_a_home_may_be_named_anywhere(words, tmp_path, monkeypatch):
    monkeypatch.setenv("CROSSFADE_HOME", str(tmp_path / "other"))
    (tmp_path / "crossfade.toml").write_text("[models.als]\nfactors = 48\n")
    shown = CliRunner().invoke(crossfade, [word.format(tmp_path) for word in words])
    assert "models.als.factors\t48" in shown.stdout
    both = ["--home", str(tmp_path / "other"), "config", "show", "--home", str(tmp_path)]
    assert "models.als.factors\t48" in CliRunner().invoke(crossfade, both).stdout


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["relatd", "x"], "There is no command 'relatd'. Did you mean 'related'?"),
        (["config", "shwo"], "There is no command 'shwo'. Did you mean 'show'?"),
        (["releases", "activat", "x"], "There is no command 'activat'. Did you mean 'activate'?"),
        (["qqq"], "There is no command 'qqq'. `crossfade --help` lists them."),
        (["config", "qqq"], "There is no command 'qqq'. `crossfade config --help` lists them."),
    ],
)
def test_an_unknown_command_suggests_the_closest_one(words, told):
    refused = CliRunner().invoke(crossfade, words)
    assert refused.exit_code == 2
    assert told in refused.stderr
