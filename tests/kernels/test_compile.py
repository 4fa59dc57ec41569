"""How kernels are compiled and kept."""

import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import crossfade.kernels.compile

DOUBLE = """
from crossfade.kernels.compile import jit

@jit
def double(x):
    return 2 * x
"""

SOURCE = """
from crossfade.kernels.compile import jit
from crossfade.kernels.group.doubling import double

@jit(fastmath=True)
def quadruple(x):
    return double(double(x))

print(quadruple(3), sum(quadruple.stats.cache_hits.values()) if hasattr(quadruple, "stats") else -1)
"""


@pytest.fixture
def installed(tmp_path):
    """A copy of the package's kernels with one more, so that its cache can be watched; gives back a way to run it."""
    package = tmp_path / "site" / "crossfade"
    (package / "kernels" / "group").mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "kernels" / "__init__.py").touch()
    shutil.copy(Path(crossfade.kernels.compile.__file__), package / "kernels" / "compile.py")
    (package / "kernels" / "group" / "doubling.py").write_text(DOUBLE)
    (package / "kernels" / "made.py").write_text(SOURCE)

    own = {name: value for name, value in os.environ.items() if name != "NUMBA_CACHE_DIR"}

    def run(**environment):
        told = subprocess.run(
            [sys.executable, "-m", "crossfade.kernels.made"],
            env={**own, "PYTHONPATH": str(tmp_path / "site"), "PYTHONDONTWRITEBYTECODE": "1", **environment},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
        )
        return told.stdout.split()

    run.package = package / "kernels"
    return run


def test_machine_code_is_kept_until_a_kernel_that_it_calls_changes(installed):
    assert installed() == ["12", "0"]
    assert installed() == ["12", "1"]
    (installed.package / "other.py").write_text("changed = True\n")
    assert installed() == ["12", "1"]
    # The code of the kernel that it calls is inside its own.
    (installed.package / "group" / "doubling.py").write_text(DOUBLE.replace("2 * x", "3 * x"))
    assert installed() == ["27", "0"]
    assert installed() == ["27", "1"]


def test_an_index_of_other_sources_is_not_read_any_further(installed):
    assert installed() == ["12", "0"]
    for index in installed.package.rglob("*.nbi"):
        # Its types may be gone by now, so that reading them would raise.
        version, _ = pickle.loads(index.read_bytes())
        index.write_bytes(pickle.dumps((version, "other sources")) + b"types that are gone")
    assert installed() == ["12", "0"]
    assert installed() == ["12", "1"]


def test_a_read_only_installation_keeps_it_for_the_user_instead(installed, tmp_path):
    # A file in the place of the directory stops even a superuser from writing.
    (installed.package / "__pycache__").touch()
    elsewhere = {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "kept")}
    assert installed(**elsewhere) == ["12", "0"]
    assert installed(**elsewhere) == ["12", "1"]


def test_kernels_work_where_nothing_can_be_written(installed):
    (installed.package / "__pycache__").touch()
    nowhere = {"HOME": "/dev/null", "XDG_CACHE_HOME": "/dev/null/nowhere"}
    assert installed(**nowhere) == ["12", "0"]
    assert installed(**nowhere) == ["12", "0"]
