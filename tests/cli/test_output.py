"""What is printed, where there is a terminal and where there is none."""

import pytest
from rich.cells import cell_len

from crossfade.cli.output import Column, bar, column_widths, print_table, size


def test_a_pipe_gets_tab_separated_lines_without_bars(capsys):
    columns = [Column("name"), Column("score", "number"), Column("", "bar")]
    print_table(columns, [["Björk", 0.5, 0.5], ["Can", 0.25, 0.2]], title="Title", note="note")
    assert capsys.readouterr().out == "Björk\t0.5000\nCan\t0.2500\n"


def test_a_name_cannot_break_the_line_or_steer_the_terminal(capsys):
    print_table([Column("name"), Column("id")], [["A\tB\nC\x1b[2J", "x"]])
    assert capsys.readouterr().out == "A B C\ufffd[2J\tx\n"


def test_a_bar_shows_a_share_in_eighths_of_a_cell():
    assert bar(0) == ""
    assert bar(1) == "█" * 12
    assert bar(0.5) == "█" * 6
    assert bar(1 / 96) == "▏"
    assert bar(-3) == ""
    assert bar(7) == "█" * 12


def test_sizes_are_in_powers_of_a_thousand():
    sizes = [size(count) for count in (0, 999, 999.6, 1000, 123_456, 5_040_000, 7.2e12)]
    assert sizes == ["0 B", "999 B", "1 kB", "1 kB", "123 kB", "5.04 MB", "7.2 TB"]


COLUMNS = [
    Column("#", "number"),
    Column("name"),
    Column("artist"),
    Column("score", "number", optional=1),
    Column("", "bar"),
    Column("because you played", optional=1),
]
NATURAL = [2, 30, 20, 6, 12, 40]


@pytest.mark.parametrize(
    ("width", "shown"),
    [
        (200, {0: 2, 1: 30, 2: 20, 3: 6, 4: 12, 5: 40}),  # 110 cells and two beside each of six columns
        (121, {0: 2, 1: 30, 2: 20, 3: 6, 5: 40}),  # the bar goes first
        (80, {0: 2, 1: 30, 2: 20, 3: 6, 5: 12}),  # then the optional text is cut, to 80 - 10 - 58
        (60, {0: 2, 1: 15, 2: 15, 3: 6, 5: 12}),  # then all texts, to (60 - 10 - 8) / 3 = 14 and what is left
        (50, {0: 2, 1: 17, 2: 17, 3: 6}),  # then what cannot be read is left out: (50 - 8 - 8) / 2
        (35, {0: 2, 1: 13, 2: 13}),  # (35 - 6 - 2) / 2
    ],
)
def test_columns_share_the_room_that_there_is(width, shown):
    assert column_widths(COLUMNS, NATURAL, width) == shown


def on_terminal(monkeypatch, width):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setenv("COLUMNS", str(width))


@pytest.mark.parametrize("width", [40, 80])
def test_a_row_is_one_line_and_ids_are_shown_on_request(capsys, monkeypatch, width):
    on_terminal(monkeypatch, width)
    row = ["A name of many words that has no room " * 3, "東京" * 30, 0.5, 0.5, "x:1"]
    columns = [Column("name"), Column("artist"), Column("score", "number", 1), Column("", "bar"), Column("id", "id")]
    print_table(columns, [row])
    head, line = capsys.readouterr().out.splitlines()
    assert "id" not in head
    assert line.count("…") == 2
    assert cell_len(line.rstrip()) <= width
    print_table(columns, [row], ids=True)
    head, line = capsys.readouterr().out.splitlines()
    assert head.split()[-1] == "id"
    assert line.split()[-1] == "x:1"


def test_prose_continues_on_the_next_line(capsys, monkeypatch):
    on_terminal(monkeypatch, 40)
    print_table([Column("checked", "name"), Column("found", "prose")], [["processors", "word " * 20]])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) > 3
    assert " ".join(lines).count("word") == 20
