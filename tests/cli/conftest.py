"""One small demo library that all tests of the command line ask; tests that change something copy it."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from crossfade.cli import crossfade

Call = Callable[..., Result]


@pytest.fixture(scope="session")
def demo_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a demo world, run and released."""
    home = tmp_path_factory.mktemp("demo") / "home"
    made = CliRunner().invoke(crossfade, ["demo", "--listeners", "120", "--artists", "80", "--home", str(home)])
    assert made.exit_code == 0, made.output
    return home


@pytest.fixture
def own_home(demo_home: Path, tmp_path: Path) -> Path:
    """A copy of the demo home, to change."""
    return Path(shutil.copytree(demo_home, tmp_path / "own", symlinks=True))


@pytest.fixture
def call(demo_home: Path) -> Call:
    """Call a command on the demo home, or on ``home``."""

    def called(*arguments: str, home: Path | None = None) -> Result:
        return CliRunner().invoke(crossfade, [*arguments, "--home", str(home or demo_home)])

    return called


@pytest.fixture
def asked(call: Call) -> Callable[..., Any]:
    """What a command prints as JSON."""

    def answered(*arguments: str, home: Path | None = None) -> Any:
        result = call(*arguments, "--json", home=home)
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    return answered
