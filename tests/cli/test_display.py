"""The display of long work: a few lines that fit any width, and a time left that follows from the work done."""

import contextlib
import io
import re

import numba
import pytest
from rich.cells import cell_len

from crossfade.cli.console import PlainConsole, Reflowing
from crossfade.cli.display import Compiling, Display, shown, spoken, weights_of
from crossfade.cli.output import print_line
from crossfade.cli.terminal import Output


@pytest.fixture
def clock():
    """A clock that stands still until it is set."""
    return type("Clock", (), {"now": 100.0, "__call__": lambda self: self.now})()


def text_of(display, width):
    return ["".join(line) for line in display.lines(width)]


@pytest.mark.parametrize("width", [20, 40, 80, 200])
def test_every_line_fits_and_a_long_name_ends_in_an_ellipsis(clock, width):
    display = Display(clock=clock, note=lambda: "Compiling kernels (first run only)")
    names = [f"Compute nearest neighbours {'東京' * 60}", "Fit\x1b[2J ALS", "Build Radio", "Build Related", "Count"]
    display.expect(dict.fromkeys(names, 1.0))
    for name in names:
        display.begin(name, name)(1, 4, "rows")
    clock.now += 10
    lines = text_of(display, width)
    assert len(lines) == 5
    assert all(cell_len(line) <= width for line in lines)
    assert "…" in lines[0]
    assert "\x1b" not in "".join(lines)
    if width >= 80:
        assert lines[0].endswith("25%")
        assert lines[3] == "  and 2 more, Compiling kernels (first run only)"
    if width >= 40:
        assert "━" in lines[-1]
        assert lines[-1].endswith("30 s left")


def test_the_bar_and_the_time_left_follow_the_work(clock):
    display = Display(clock=clock)
    display.expect({"small": 1.0, "large": 8.0, "kept": 50.0, "last": 1.0})
    assert "left" not in text_of(display, 80)[-1]
    display.end("kept")  # it was there already, so it is no work
    display.begin("small", "Small")
    display.end("small")
    clock.now += 60
    assert re.fullmatch(r"1 of 3 steps ━+─+  10%  9 min left", text_of(display, 80)[-1])
    display.begin("large", "Large")(3, 4, "rows")
    assert text_of(display, 80)[0].split() == ["Large", "75%"]
    assert text_of(display, 80)[-1].endswith("70%  30 s left")
    display.end("large")
    display.end("large")
    display.begin("last", "Last")
    display.end("last")
    assert text_of(display, 80) == [f"3 of 3 steps {'━' * 61}  100%"]
    # Waiting for kernels is no step: it is shown, and counts for nothing.
    display.begin("compiling", "Compile kernels")(1, 2, "kernels")
    assert text_of(display, 80)[0].startswith("  Compile kernels")
    assert (display.state()["done"], display.state()["share"]) == (3, 1.0)
    display.end("compiling")
    assert text_of(display, 80) == [f"3 of 3 steps {'━' * 61}  100%"]


def test_one_piece_of_work_is_one_line(clock):
    display = Display("Import", clock=clock)
    progress = display.begin("Import", "Import")
    assert text_of(display, 80) == ["  Import"]
    clock.now += 10
    progress(50_000_000, 100_000_000, "bytes")
    assert re.fullmatch(r"Import ━+─+  5 MB/s  10 s left", text_of(display, 80)[0])
    assert cell_len(text_of(display, 40)[0]) <= 40


def test_a_time_is_said_roughly():
    assert [spoken(seconds) for seconds in (0, 9, 12, 44, 56, 100, 3599, 8000)] == [
        "under 10 s", "under 10 s", "10 s", "40 s", "1 min", "2 min", "1 h 0 min", "2 h 10 min",
    ]  # fmt: skip


def test_what_a_step_took_before_says_how_much_work_it_is():
    steps = {"als": "fit", "radio": "surface", "merge": "catalog"}
    assert weights_of(steps, {}) == {"als": 6.0, "radio": 4.0, "merge": 1.0}
    assert weights_of(steps, {"als": 12.0}) == {"als": 12.0, "radio": 8.0, "merge": 2.0}


def test_compiling_is_noticed():
    compiling = Compiling()
    assert compiling() == ""
    numba.njit(lambda value: value + 1)(1)
    assert compiling() == "Compiling kernels (first run only)"
    compiling.close()


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def terminal(monkeypatch):
    """Standard error as a terminal of 60 columns, behind the seam of all output."""
    monkeypatch.setenv("COLUMNS", "60")
    return Terminal()


def test_a_simple_terminal_gets_a_line_for_each_beginning(terminal, monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    display = Display()
    with contextlib.redirect_stderr(Output(terminal, "stderr")), shown(display) as above:
        display.expect({"a": 1.0, "b": 1.0})
        display.begin("a", "First")
        above("Pages are ready.")
        display.begin("b", "Second")
    assert terminal.getvalue() == "First\nPages are ready.\nSecond\n"


@pytest.mark.parametrize("colours", ["", "1"])
def test_a_terminal_is_left_as_it_was_with_what_was_said_above(terminal, monkeypatch, colours):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", colours)
    display = Display()
    with contextlib.redirect_stderr(Output(terminal, "stderr")), shown(display) as above:
        display.expect({"a": 1.0})
        display.begin("a", "Fit\x1b]0;title\x07 it")(1, 2, "rows")
        above("Pages are ready.")
    drawn = terminal.getvalue()
    assert "Pages are ready." in drawn
    assert "\x1b]0" not in drawn
    assert ("\x1b[36m" in drawn) == (not colours)
    assert drawn.rstrip().endswith(("\x1b[2K", "\x1b[?25h"))


def test_a_terminal_that_gets_narrower_shows_nothing_twice(terminal, monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    display = Display()
    with contextlib.redirect_stderr(Output(terminal, "stderr")):
        console = PlainConsole("stderr")
        with Reflowing(display, console, 0.001) as live:
            display.expect({"a": 1.0})
            display.begin("a", "First")(1, 2, "rows")
            live.refresh()  # two lines of 59 cells
            terminal.truncate(0)
            console.width = 30
            live.refresh()
    # Both lines were broken in two: four rows are erased, with three steps up, before anything is drawn.
    assert terminal.getvalue().replace("\0", "").partition("First")[0].count("\x1b[1A") == 3


def test_lines_of_a_result_are_broken_between_words(capsys, monkeypatch):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "24")
    print_line("  one two three four five")
    assert capsys.readouterr().out == "  one two three four\n    five\n"
