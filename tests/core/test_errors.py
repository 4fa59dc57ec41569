"""The tree of errors."""

import inspect

import pytest

from crossfade.core import errors
from crossfade.core.errors import CrossfadeError, InputError, MissingExtraError, SpaceMismatchError, UnknownIdError

CLASSES = [cls for _, cls in inspect.getmembers(errors, inspect.isclass) if cls.__module__ == errors.__name__]


def test_all_errors_have_one_root():
    assert all(issubclass(cls, CrossfadeError) for cls in CLASSES)


def test_scripts_can_tell_the_cases_apart():
    codes = {cls.exit_code for cls in CLASSES if cls is not SpaceMismatchError}
    assert len(codes) == len(CLASSES) - 1
    # 0 is success, and 2 is what Click ends with for a command that is not understood.
    assert codes.isdisjoint({0, 2})
    assert max(codes) < 64


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ({}, "what"),
        ({"path": "a.csv"}, "a.csv: what"),
        ({"path": "a.csv", "line": 3}, "a.csv, line 3: what"),
    ],
)
def test_an_input_error_says_where(place, message):
    assert str(InputError("what", **place)) == message


def test_an_unknown_id_brings_suggestions():
    assert str(UnknownIdError("No.")) == "No."
    assert str(UnknownIdError("No.", suggestions=("a", "b"))) == "No. Did you mean a, b?"


def test_a_missing_extra_says_what_to_install():
    assert "pip install 'crossfade[serve]'" in str(MissingExtraError("Serving", extra="serve"))
