"""What is printed, where there is a terminal and where there is none."""

from crossfade.cli.output import Column, bar, print_table, size


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
