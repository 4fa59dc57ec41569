"""The page is what the committed records render to, and says what is in them."""

import re
from pathlib import Path

import pytest

from benchmarks import report
from benchmarks.cases import CASES
from benchmarks.curves import CURVES
from benchmarks.record import RESULTS, Comparison, Machine, Record, Side
from benchmarks.shown import SUMMARIES, TABLES, number

ROOT = Path(__file__).parents[2]


def record(case, *comparisons, **more):
    machine = Machine(processor="A processor", processors=2, memory_gib=24, system="Linux", python="3.11.7", **more)
    versions = {"crossfade": "0.1.0", "implicit": "0.7.3"}
    return Record(
        case=case, command="", threads=[2], settings={}, machine=machine, versions=versions, comparisons=comparisons
    )


def test_the_page_is_that_of_the_committed_records():
    page = (ROOT / "docs" / "benchmarks.md").read_text()
    assert page == report.rendered(report.PAGE.read_text(), report.records()), "run `make bench-report`"


def test_every_plot_that_the_page_shows_is_there_and_no_other():
    shown = set(re.findall(r"\(benchmarks/(.+)\.svg\)", (ROOT / "docs" / "benchmarks.md").read_text()))
    assert shown == {path.stem for path in (ROOT / "docs" / "benchmarks").glob("*.svg")}


def test_plots_hold_neither_dates_nor_places():
    for path in (ROOT / "docs" / "benchmarks").glob("*.svg"):
        assert not re.search(r"dc:date|/work|/tmp|/home", path.read_text()), path.name


def test_the_prose_asks_for_every_table_and_plot():
    asked = re.findall(r"^@(table|plot) (\S+)", report.PAGE.read_text(), re.MULTILINE)
    assert {name for kind, name in asked if kind == "table"} == {*TABLES, *SUMMARIES}
    assert {name for kind, name in asked if kind == "plot"} == set(CURVES)


def test_every_table_is_of_a_case_and_every_case_is_shown():
    of_tables = {case for table in TABLES.values() for case in table.cases}
    assert of_tables <= set(CASES)
    others = SUMMARIES["others"]({})
    assert {line.removeprefix("### ") for line in others if line.startswith("#")} == set(CASES) - of_tables


def test_every_committed_record_is_of_a_case():
    assert {path.stem for path in RESULTS.glob("*.json")} <= set(CASES)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.20825, "0.208"),
        (1.0378, "1.04"),
        (12.34, "12.3"),
        (0.00123, "0.0012"),
        (12345.6, "12,346"),
        (0.0, "0"),
        (7, "7"),
    ],
)
def test_numbers_have_three_digits(value, shown):
    assert number(value) == shown


def test_a_contest_shows_medians_ranges_and_ratios_turn_by_turn():
    sides = [
        Side(name="crossfade", turns=[1.0, 2.0, 1.5], figures={"gflops": 50.4, "gigabytes": 12.6}),
        Side(name="implicit", kind="peer", turns=[4.0, 10.0, 4.5]),
    ]
    found = {"als": record("als", Comparison(name="64 factors", unit="an iteration", sides=sides))}
    assert TABLES["als"].of(found) == [
        "|  | crossfade | implicit 0.7.3, ours is | of the machine |",
        "| --- | --- | --- | --- |",
        "| 64 factors | 1.50 s (1.00 to 2.00) | 4.50 s (4.00 to 10.0), 4.0× (3.0 to 5.0) | 50 GFLOP/s, 13 GB/s |",
    ]


def test_retrieval_shows_the_fastest_breadth_that_reaches_a_recall():
    def side(method, breadth, recall, queries, kind="peer"):
        figures = {"method": method, "breadth": breadth, "recall": recall, "queries_a_second": queries}
        return Side(name=f"{method} {breadth}", kind=kind, turns=[1.0], preparation={"build": 20.0}, figures=figures)

    comparison = Comparison(
        name="top 50 by dot, 1 thread",
        unit="500 queries",
        what={"items": 300_000, "factors": 48, "threads": 1},
        sides=[
            side("exact", None, 1.0, 2_000.0, "ours"),
            side("voyager", 64, 0.93, 9_000.0),
            side("voyager", 128, 0.96, 5_000.0),
        ],
    )
    lines = TABLES["retrieval"].of({"retrieval": record("retrieval", comparison)})
    assert lines[-2:] == [
        "| voyager | 9,000 | 5,000 | – | 0.960 | 20.0 s |",
        "| **exact** | 2,000 | 2,000 | 2,000 | 1.000 | 20.0 s |",
    ]
    (panel,) = CURVES["retrieval"]({"retrieval": record("retrieval", comparison)})
    assert [(curve.name, curve.ours, curve.x, curve.y) for curve in panel.curves] == [
        ("exact", True, (1.0,), (2_000.0,)),
        ("voyager", False, (0.93, 0.96), (9_000.0, 5_000.0)),
    ]


def test_growth_is_held_against_proportion():
    def point(millions, seconds):
        what = {"grows": "pairs", "pairs": millions * 1_000_000, "factors": 40, "threads": 2}
        return Comparison(name=f"{millions}", unit="", what=what, sides=[Side(name="crossfade", turns=[seconds])])

    found = {"growth": record("growth", point(1, 0.03), point(4, 0.15))}
    lines = TABLES["growth-pairs"].of(found)
    assert lines[2:] == ["| 1,000,000 | 0.030 s | 1.00 |", "| 4,000,000 | 0.150 s | 1.25 |"]
    (panel,) = CURVES["growth-pairs"](found)
    assert (panel.curves[0].x, panel.curves[0].y, panel.linear) == ((1.0, 4.0), (0.03, 0.15), True)


def test_losses_are_drawn_above_the_least():
    sides = [Side(name="cg", curves={"seconds": [1.0, 2.0], "loss": [8.0, 4.0]}),
             Side(name="cholesky", curves={"seconds": [3.0, 6.0], "loss": [6.0, 5.0]})]  # fmt: skip
    (panel,) = CURVES["als-solvers"]({"als-solvers": record("als-solvers", Comparison(name="", unit="", sides=sides))})
    assert [(curve.x, curve.y) for curve in panel.curves] == [((1.0,), (1.0,)), ((3.0, 6.0), (0.5, 0.25))]


def test_limits_are_shown_as_the_range_of_all_runs():
    found = {"a": record("a", gflops=100.4, gigabytes=50.0), "b": record("b", gflops=200.0)}
    assert SUMMARIES["machines"](found)[-1].endswith("| 100 to 200 GFLOP/s | 50 GB/s |")


def test_estimates_stand_with_their_intervals():
    sides = [
        Side(name="random", kind="peer", figures={"precision": [0.1, -0.00001, 0.15]}),
        Side(name="als", figures={"precision": [0.6543, 0.5, 0.7], "listeners": 27.0, "more than als": None}),
    ]
    related = Comparison(name="related artists, 300 listeners", unit="a fit", sides=sides)
    other = Comparison(name="tracks of one playlist, 300 listeners", unit="a fit", sides=sides[:1])
    assert TABLES["truth-related"].of({"truth": record("truth", related, other)}) == [
        "|  |  | precision | listeners |",
        "| --- | --- | --- | --- |",
        "| related artists, 300 listeners | random | 0.1000 [0.0000, 0.1500] | – |",
        "|  | **als** | 0.6543 [0.5000, 0.7000] | 27.0 |",
    ]


@pytest.mark.parametrize("name", TABLES)
def test_what_was_not_measured_says_how(name):
    (line,) = TABLES[name].of({})
    assert re.fullmatch(r"Not measured yet: `python -m benchmarks [a-z0-9-]+`\.", line)


def test_plots_are_the_same_bytes_each_time(tmp_path):
    pytest.importorskip("matplotlib", reason="plots are drawn where matplotlib is")
    from benchmarks.plots import draw

    found = report.records()
    for folder in ("a", "b"):
        draw(found, tmp_path / folder)
    for path in (tmp_path / "a").glob("*.svg"):
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()
