"""Every case measures something at a size of seconds, with our side alone."""

import importlib
from pathlib import Path

import pytest
from tests.servers import spark

from benchmarks import buffalo
from benchmarks.case import run_case
from benchmarks.cases import CASES
from benchmarks.record import Record

SMALL = {
    "als": "--users 300 --items 200 --pairs 4000 --factors 8 --turns 2",
    "als_solvers": "--users 300 --items 200 --pairs 4000 --factors 8 --iterations 2",
    "candidates": "--users 300 --items 200 --pairs 4000 --factors 8 --iterations 1 --turns 1 --directory {scratch}",
    "pruning": "--items 2000 --factors 8 --queries 20 --turns 1 --models generated",
    "retrieval": "--items 1000 --factors 8 --queries 20 --turns 1 --methods exact numpy",
    "folding": "--items 500 --factors 8 --plays 5 --users 2 --turns 1",
    "factors": "--users 300 --items 200 --pairs 4000 --factors 8 --turns 2 --passes 1 --without-peers",
    "tables": "--items 1000 --factors 8 --neighbours 5 --methods clusters exact",
    "words": "--sequences 60 --items 100 --factors 8 --turns 1",
    "truth": "--listeners 40 --days 30 --sample 20 --models als popularity",
    "growth": "--millions 0.2 --factors 8 --at 0.2 --width 8 --turns 1 --directory {scratch}",
    "job_2014": "--users 300 --items 100 --pairs 4000 --factors 8 --iterations 2 --directory {scratch}",
    "missing": "--listeners 60 --days 30 --models als popularity",
    "cluster": "--millions 0.2 --factors 8 --sides half --memory 1g --turns 1 --directory {scratch}",
    "live_listens": "--listens 40 --senders 2 --turns 1",
    "interactions": "--listens 2000 --tracks 500 --turns 1 --directory {scratch}",
}
"""Of the cases that need neither a peer nor a data set, the words that make them small."""


LONGER = {"candidates", "cluster", "factors", "interactions", "live_listens", "missing"}
"""Those that take tens of seconds with kernels to compile."""


@pytest.mark.parametrize("name", [pytest.param(name, marks=[pytest.mark.slow] * (name in LONGER)) for name in SMALL])
def test_a_small_run_is_recorded(name, tmp_path, monkeypatch):
    if name == "cluster" and (reason := spark.missing()) is not None:
        pytest.skip(reason)
    monkeypatch.setattr(buffalo, "PYTHON", Path("nowhere"))
    case = importlib.import_module(f"benchmarks.{name}")
    words = SMALL[name].replace("{scratch}", str(tmp_path / "scratch")).split()
    (tmp_path / "scratch").mkdir()
    run_case(
        case.__doc__,
        case.options,
        case.measure,
        arguments=[*words, "--threads", "1", "--no-limits", "--output", str(tmp_path / f"{name}.json")],
    )
    read = Record.read(tmp_path / f"{name}.json")
    assert read.comparisons
    for comparison in read.comparisons:
        ours = [side for side in comparison.sides if side.kind == "ours"]
        assert ours
        assert all(second > 0 for side in ours for second in side.turns)


@pytest.mark.parametrize("name", CASES)
def test_every_registered_case_is_there(name):
    case = CASES[name]
    assert (Path(importlib.import_module("benchmarks").__path__[0]) / f"{case.module}.py").is_file()
    assert case.minutes > 0
    module, *_ = case.command(scratch="SCRATCH", shared="SHARED", data="DATA")
    assert module == case.module
