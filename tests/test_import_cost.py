"""What importing and asking for help load: nothing heavy, nothing optional."""

import json
import subprocess
import sys

import pytest

HEAVY = {
    "cassandra",
    "numba",
    "llvmlite",
    "scipy",
    "pyarrow",
    "duckdb",
    "fastapi",
    "uvicorn",
    "usearch",
    "rich",
    "msgspec",
}


def modules_after(code: str) -> set[str]:
    shown = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport json, sys; print(json.dumps(sorted(sys.modules)), file=sys.stderr)"],
        capture_output=True,
        text=True,
        check=True,
    )
    return {name.partition(".")[0] for name in json.loads(shown.stderr.splitlines()[-1])}


def test_importing_the_package_loads_nothing_heavy():
    assert not modules_after("import crossfade") & (HEAVY | {"numpy"})


@pytest.mark.parametrize("arguments", [["--help"], ["--version"]])
def test_help_loads_nothing_heavy(arguments):
    code = f"""
from click.testing import CliRunner
from crossfade.cli import crossfade
result = CliRunner().invoke(crossfade, {arguments!r})
assert result.exit_code == 0, result.output
"""
    assert not modules_after(code) & HEAVY


def test_what_runs_loads_no_kernels_before_it_has_a_plan():
    assert "numba" not in modules_after("import crossfade.pipeline.run")


def test_every_public_name_is_found():
    import crossfade

    for name in crossfade.__all__:
        assert getattr(crossfade, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = crossfade.nonsense


def test_every_model_is_public_with_its_settings():
    import crossfade
    from crossfade.models.registry import MODELS, model_class

    for model in map(model_class, MODELS):
        assert {model.__name__, model.settings_class.__name__} <= set(crossfade.__all__)
    assert set(crossfade.__all__) <= set(dir(crossfade))
