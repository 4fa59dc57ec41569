import re
from pathlib import PurePosixPath

import pytest

from crossfade.formats.contract import Member
from crossfade.formats.shapes import head_lines, head_text, mostly


def member(head):
    return Member("x", PurePosixPath("x"), head)


def test_a_last_line_that_may_be_cut_does_not_count():
    assert head_lines(member(b"1 2 3\r\n\r\n4 5 6\n7 8")) == ["1 2 3", "4 5 6"]
    assert head_lines(member(b"1 2 3")) == ["1 2 3"]
    assert head_lines(member(b"a\nb\nc\nd\n"), 2) == ["a", "b"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1"])
def test_heads_in_any_encoding(encoding):
    assert head_text(member("Jóga\nx".encode(encoding))) == "Jóga\nx"


def test_a_character_cut_in_two_is_no_reason_for_latin_1():
    assert head_text(member("Jó".encode()[:-1])) == "J"


def test_a_shape_may_have_a_malformed_row_in_ten():
    digits = re.compile(r"\d+")
    assert mostly(["1"] * 9 + ["x"], digits)
    assert not mostly(["1"] * 8 + ["x", "y"], digits)
    assert not mostly([], digits)
