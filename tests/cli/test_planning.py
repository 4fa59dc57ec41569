"""`crossfade plan`: what a cluster takes, from numbers and from a library."""

import json
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from click.testing import CliRunner

from crossfade.cli import crossfade
from crossfade.cluster.costs import SCHEMES
from crossfade.core.home import Home
from crossfade.pipeline.settings import Settings
from crossfade.pipeline.tuned import interactions_of

TALK = ("--users", "60e6", "--items", "4M", "--interactions", "6G", "--factors", "40")


def plan(*arguments):
    return CliRunner().invoke(crossfade, ["plan", *arguments])


def planned(*arguments):
    result = plan(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_the_bytes_of_every_scheme_are_those_computed_for_the_grid_of_the_talk():
    schemes = planned(*TALK, "--blocks", "14x112", "--machines", "28", "--memory", "64GB")["schemes"]
    assert list(schemes) == list(SCHEMES)
    assert schemes["half"]["items"]["cost"]["moved"] == pytest.approx(637e9, rel=0.01)
    assert schemes["full"]["users"]["cost"]["moved"] == pytest.approx(13.7e12, rel=0.01)
    assert schemes["broadcast"]["users"]["cost"]["moved"] == pytest.approx(28 * 4e6 * 160 + 6e9 * 12)
    assert schemes["half"]["users"]["cost"]["tasks"] == 14


def test_the_best_plan_is_of_schemes_that_can_be_run_and_fits():
    found = planned(*TALK, "--machines", "20", "--cores", "8", "--memory", "16GiB", "--network", "25Gbit/s")
    assert found["cluster"]["memory"] == 16 * 2**30
    assert found["cluster"]["network"] == 25e9 / 8
    assert found["best"]["memory"] <= 16 * 2**30
    assert {found["best"][side]["scheme"] for side in ("users", "items")} <= {"half", "full", "streamed"}
    assert found["best"]["seconds"] <= found["schemes"]["streamed"]["seconds"]


def test_a_terminal_of_eighty_columns_shows_a_line_for_each_scheme_and_side(monkeypatch):
    monkeypatch.setattr("click.testing._NamedTextIOWrapper.isatty", lambda stream: stream.name == "<stdout>")
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setenv("COLUMNS", "80")
    shown = plan(*TALK).stdout
    lines = shown.splitlines()
    assert max(map(len, lines)) <= 80
    for scheme in SCHEMES:
        assert [line.split()[:2] for line in lines].count([scheme, "users"]) == 1
    assert "…" not in shown
    assert "Best: users by half in 64 blocks" in shown
    assert "crossfade run --on spark://HOST:7077" in shown


def test_skew_gives_the_heaviest_rows_to_several_tasks_and_moves_less():
    even, skewed = (planned(*TALK, "--blocks", "64x64", *more) for more in ([], ["--skew", "1", "--user-skew", "0.6"]))
    assert skewed["interactions"] == pytest.approx(6e9, rel=1e-6)
    of_even, of_skewed = (found["schemes"]["streamed"]["items"]["cost"] for found in (even, skewed))
    assert of_even["tasks"] == 64
    assert of_skewed["tasks"] > 64
    assert of_skewed["moved"] < of_even["moved"]


def test_a_library_is_counted(demo_home):
    found = planned("--home", str(demo_home), "--kind", "artist", "--machines", "2")
    home = Home(demo_home)
    counted = interactions_of(home, Settings.of(home), "artist")
    assert found["users"] == np.count_nonzero(np.diff(counted.indptr))
    assert found["items"] == len(np.unique(counted.indices))
    assert (found["interactions"], found["factors"]) == (counted.pairs, 64)


def test_where_nothing_fits_the_table_is_shown_and_the_error_says_what_would_fit():
    result = plan(*TALK, "--blocks", "14x112", "--memory", "1GB")
    assert result.exit_code == 4
    assert "broadcast\tusers\t14" in result.stdout
    assert "Best" not in result.stdout
    assert "No scheme fits 10 machines with 1 GB each" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("--users", "60e6"), 2, "go together"),
        ((*TALK, "--memory", "32"), 2, "'32' is not a quantity such as 32GB"),
        ((*TALK, "--network", "10Gbyte"), 2, "10Gbit or 1GB/s"),
        (("--users", "many", "--items", "1", "--interactions", "1"), 2, "60e6 or 60M"),
        ((*TALK, "--users", "0"), 2, "not a quantity"),
        ((*TALK, "--blocks", "14"), 2, "of the form 14x112"),
        (("--users", "10", "--items", "10", "--interactions", "101"), 4, "do not fit 10 users and 10 items"),
    ],
)
def test_numbers_that_cannot_be_are_refused(arguments, code, message):
    result = plan(*arguments)
    assert result.exit_code == code, result.output
    assert message in result.stderr


def test_the_plot_has_a_mark_for_every_scheme_and_number_of_blocks(tmp_path):
    assert plan(*TALK, "--plot", str(tmp_path / "plan.svg")).exit_code == 0
    drawing = ElementTree.parse(tmp_path / "plan.svg")
    titles = [title.text for title in drawing.iter("{http://www.w3.org/2000/svg}title")]
    for scheme in SCHEMES:
        assert sum(title.startswith(f"{scheme}, ") for title in titles) == 3 * 13
    heights = [float(dot.get("cy")) for dot in drawing.iter("{http://www.w3.org/2000/svg}circle")]
    assert 0 < min(heights) < max(heights) < 340
