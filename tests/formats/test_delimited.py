import csv
import io

from crossfade.formats.delimited import records


def parsed(text, delimiter=","):
    return list(records(enumerate(text.split("\n"), start=1), delimiter))


def test_quoted_values_hold_commas_quotes_and_line_breaks():
    assert parsed('a,"b, c","d ""e"""\n1,"two\nlines",3\nx,y,z') == [
        (1, ["a", "b, c", 'd "e"']),
        (2, ["1", "two\nlines", "3"]),
        (4, ["x", "y", "z"]),
    ]


def test_a_quote_that_does_not_close_costs_its_line_alone():
    good = "\n".join(f"a,b,{number}" for number in range(20))
    found = parsed(f'a,"b,c\n{good}')
    assert found[0] == (1, None)
    assert found[1:] == [(number + 2, ["a", "b", str(number)]) for number in range(20)]


def test_a_quote_that_a_later_quote_seems_to_close_is_the_reader_of_rfc_4180s():
    assert parsed('a,"b\nc",d') == [(1, ["a", "b\nc", "d"])]


def test_text_after_a_closing_quote_is_bad():
    assert parsed('a,"b"c,d\ne,f,g') == [(1, None), (2, ["e", "f", "g"])]


def test_blank_lines_are_passed_over():
    assert parsed("\na\tb\n  \nc\td\n", "\t") == [(2, ["a", "b"]), (4, ["c", "d"])]


def test_it_agrees_with_the_csv_module_on_sound_files(rng):
    alphabet = ['"', ",", "a", " ", "\n", "é", "'"]
    rows = [["x", *("".join(rng.choice(alphabet, size=rng.integers(0, 6))) for _ in range(3))] for _ in range(500)]
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    assert [row for _, row in parsed(text.getvalue())] == rows
