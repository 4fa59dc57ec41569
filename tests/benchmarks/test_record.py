"""The structure of a record, turns, and what the terminal shows."""

import json
import os

import numpy as np
import pytest

from benchmarks.case import Findings, printed, run_case
from benchmarks.record import Comparison, Machine, Record, Side, ratios
from benchmarks.turns import Elsewhere, pinned, take_turns

MACHINE = Machine(processor="A processor", processors=2, memory_gib=24, system="Linux x86_64", python="3.11.7")


def record(*comparisons: Comparison, **more: object) -> Record:
    return Record(
        case="made",
        command="python -m benchmarks.made",
        threads=[2],
        settings={},
        machine=MACHINE,
        versions={"crossfade": "0.1.0"},
        comparisons=comparisons,
        **more,
    )


def test_the_median_turn_counts():
    assert Side(name="a", turns=[5.0, 1.0, 3.0]).median == 3.0
    assert Side(name="a", turns=[1.0, 2.0, 4.0, 8.0]).median == 3.0
    assert np.isnan(Side(name="a").median)


def test_ratios_are_turn_by_turn_and_over_peers_geometric():
    ours = Side(name="ours", turns=[1.0, 2.0, 1.0])
    peers = [Side(name="a", turns=[2.0, 2.0, 9.0]), Side(name="b", turns=[8.0, 8.0])]
    assert ratios(ours, peers[:1]) == pytest.approx([2, 1, 9])
    assert ratios(ours, peers) == pytest.approx([4, 2])


def test_a_record_is_read_as_it_was_written(tmp_path):
    side = Side(
        name="peer 8", kind="peer", turns=[0.123456789, np.float32(2)], figures={"recall": 1.0, "breadth": None}
    )
    written = record(
        Comparison(name="one", unit="an iteration", what={"factors": np.int64(64)}, sides=[side]),
        skipped={"buffalo": "no wheel"},
    )
    written.write(tmp_path / "made.json")
    read = Record.read(tmp_path / "made.json")
    assert read.skipped == {"buffalo": "no wheel"}
    assert read.machine == MACHINE
    assert read.comparison("one").what == {"factors": 64}
    assert read.comparison("one").side("peer 8").turns == [0.12346, 2.0]
    read.write(tmp_path / "again.json")
    assert (tmp_path / "again.json").read_text() == (tmp_path / "made.json").read_text()


def test_what_was_not_measured_is_null_in_json(tmp_path):
    curve = Side(name="a", curves={"loss": [1.0, float("nan")]})
    record(Comparison(name="one", unit="a fit", sides=[curve])).write(tmp_path / "made.json")
    text = (tmp_path / "made.json").read_text()
    assert json.loads(text)["comparisons"][0]["sides"][0]["curves"]["loss"] == [1.0, None]
    assert '"turns": []' in text


@pytest.mark.parametrize("content", ['{"schema": 99}', "[]", '{"schema": 1, "case": "made"}'])
def test_files_of_another_structure_are_refused(tmp_path, content):
    (tmp_path / "made.json").write_text(content)
    with pytest.raises(ValueError, match="run its case again"):
        Record.read(tmp_path / "made.json")


def test_sides_have_names_of_their_own():
    with pytest.raises(ValueError, match="two sides"):
        Comparison(name="one", unit="a", sides=[Side(name="a"), Side(name="a")])


def test_turns_rotate_after_a_warm_up_that_does_not_count():
    calls = []
    taken = take_turns({name: lambda name=name: calls.append(name) for name in "abc"}, 4)
    assert "".join(calls) == "abc" + "abc" + "bca" + "cab" + "abc"
    assert [len(taken["a"].seconds), len(taken["a"].processor)] == [4, 4]
    assert taken["a"].side("a", preparation={"build": 2.0}).preparation.keys() == {"build", "warm-up"}


def test_work_done_elsewhere_tells_its_processor_time():
    assert take_turns({"a": lambda: Elsewhere(processor=7.5)}, 2)["a"].processor == (7.5, 7.5)


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="this system holds no process to processors")
def test_a_case_is_held_to_its_threads():
    before = os.sched_getaffinity(0)
    with pinned(1):
        assert len(os.sched_getaffinity(0)) == 1
    assert os.sched_getaffinity(0) == before


def test_a_case_writes_its_record_and_prints_it(tmp_path, capsys):
    def measure(chosen):
        sides = [
            Side(name="crossfade", turns=[1.0, 1.0], figures={"recall": 0.5}),
            Side(name="peer", kind="peer", turns=[3.0, 5.0], preparation={"build": 9.0}),
        ]
        compared = Comparison(name=f"{chosen.size} items", unit="a query", sides=sides)
        return Findings(comparisons=[compared], versions={"peer": "1.2"}, skipped={"other": "no wheel"})

    run_case(
        "A case.",
        lambda parser: parser.add_argument("--size", type=int, default=10),
        measure,
        arguments=["--size", "20", "--no-limits", "--threads", "1", "--output", str(tmp_path / "made.json")],
    )
    said = capsys.readouterr().out
    assert "without other: no wheel" in said
    assert "20 items (a query)" in said
    assert "4 s (3 to 5)  ours is 4.00 x as fast (3.00 to 5.00)  build 9 s" in said
    read = Record.read(tmp_path / "made.json")
    assert read.case == "made"
    assert read.settings == {"size": 20, "turns": 7}
    assert read.threads == [1]
    assert read.versions["peer"] == "1.2"
    assert read.command.endswith("--size 20 --threads 1")
    assert str(tmp_path) not in (tmp_path / "made.json").read_text()


def test_a_comparison_without_ours_is_printed_too():
    alone = Comparison(name="one", unit="a", sides=[Side(name="peer", kind="peer", turns=[2.0])])
    assert list(printed(record(alone))) == ["one (a)", "  peer                              2 s (2 to 2)"]
