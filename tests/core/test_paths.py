import os
from pathlib import Path

from crossfade.core.errors import InputError
from crossfade.core.paths import shown


def test_a_path_is_shown_as_it_is():
    assert shown(Path("a/b ü.csv")) == "a/b ü.csv"


def test_bytes_that_are_no_text_are_escaped():
    path = Path(os.fsdecode(b"a/\xffb.csv"))
    assert shown(path) == "a/\\udcffb.csv"
    assert str(InputError("what", path=path)) == "a/\\udcffb.csv: what"
