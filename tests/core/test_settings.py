"""Settings: declared once, which checks them, names what they accept, and documents them."""

from dataclasses import dataclass, fields
from typing import Annotated, Literal

import numpy as np
import pytest

from crossfade.core.errors import SettingsError
from crossfade.core.settings import Checked, Documented, Range, as_table, documented, from_table


@dataclass(frozen=True, kw_only=True)
class StationSettings(Checked):
    size: Annotated[int, Range(1, 1000)] = 250  # items kept
    warmth: float = 0.5  # of the station
    metric: Literal["dot", "cosine"] = "dot"  # how items meet
    # after which a play counts half;
    # none keeps all
    half_life: Annotated[float, Range(above=0, unit="days")] | None = None
    ignored: tuple[str, ...] = ()  # artists to leave out
    shares: tuple[Annotated[float, Range(0, 1)], ...] = (0.5, 1)  # of the list
    # fmt: off
    loud: bool = (
        False  # whether it shouts
    )
    # fmt: on


def test_defaults_and_values():
    assert from_table(StationSettings, {}, "x") == StationSettings()
    table = {"size": 3, "warmth": 1, "metric": "cosine", "half_life": 90, "ignored": ["a", "b"], "loud": True}
    made = from_table(StationSettings, table, "x")
    assert made == StationSettings(size=3, warmth=1.0, metric="cosine", half_life=90.0, ignored=("a", "b"), loud=True)
    assert [type(made.warmth), type(made.half_life), type(made.shares[1])] == [float] * 3
    assert hash(made) == hash(from_table(StationSettings, table, "y"))


def test_numbers_of_numpy_become_plain():
    made = StationSettings(size=np.int64(3), warmth=np.float32(0.5))
    assert [type(made.size), type(made.warmth)] == [int, float]


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ({"sise": 3}, "Did you mean 'size'"),
        ({"qqqqq": 3}, "The settings are: half_life, ignored, loud, metric, shares, size, warmth."),
        ({"size": "3"}, "size must be a whole number, not '3'"),
        ({"size": 3.0}, "size must be a whole number, not 3.0"),
        ({"size": True}, "size must be a whole number, not True"),
        ({"size": None}, "size must be a whole number, not None"),
        ({"warmth": True}, "warmth must be a number, not True"),
        ({"warmth": float("nan")}, "warmth must be a finite number, not nan"),
        ({"warmth": -float("inf")}, "warmth must be a finite number, not -inf"),
        ({"loud": 1}, "loud must be of type bool, not 1"),
        ({"metric": "l2"}, "metric must be one of 'dot', 'cosine', not 'l2'"),
        ({"ignored": "abc"}, "ignored must be a list, not 'abc'"),
        ({"ignored": ["a", 1]}, "ignored must be of type str, not 1"),
        ({"shares": [0.1, 1.5]}, "shares must be 0 to 1, not 1.5"),
        ({"half_life": "long"}, "half_life must be a number, not 'long'"),
        ({"half_life": 0}, "half_life must be above 0 days, not 0"),
        ({"size": 0}, "size must be 1 to 1000, not 0"),
        ({"size": 1001}, "size must be 1 to 1000, not 1001"),
    ],
)
def test_what_cannot_work_is_refused_with_its_place(table, says):
    with pytest.raises(SettingsError) as caught:
        from_table(StationSettings, table, "crossfade.toml [station]")
    assert str(caught.value).startswith("crossfade.toml [station]: ")
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("limits", "inside", "outside", "text"),
    [
        (Range(1, 3), [1, 2.5, 3], [0.9, 3.1, float("nan")], "1 to 3"),
        (Range(above=0, high=2), [0.1, 2], [0, 2.1, float("nan")], "above 0, at most 2"),
        (Range(above=0), [1e-9, 1e300], [0, -1, float("inf")], "above 0"),
        (Range(1), [1, 10**400], [0, float("inf")], "1 or more"),
        (Range(high=4), [4, -1e300], [5, -float("inf")], "at most 4"),
        (Range(256, also=(0,), unit="MB"), [0, 256], [1, 255], "0 or 256 or more MB"),
        (Range(0, 20_000_000), [0], [-1], "0 to 20,000,000"),
        (Range(), [-1, 1], [float("inf"), float("nan")], "a finite number"),
    ],
)
def test_a_range_has_its_ends_and_says_them(limits, inside, outside, text):
    assert [value in limits for value in inside] == [True] * len(inside)
    assert [value in limits for value in outside] == [False] * len(outside)
    assert str(limits) == text


def test_every_field_is_documented():
    assert [field.name for field in documented(StationSettings)] == [field.name for field in fields(StationSettings)]
    assert documented(StationSettings) == [
        Documented("size", "int", 250, "1 to 1000", "items kept"),
        Documented("warmth", "float", 0.5, "", "of the station"),
        Documented("metric", "'dot' | 'cosine'", "dot", "", "how items meet"),
        Documented("half_life", "float | None", None, "above 0 days", "after which a play counts half; none keeps all"),
        Documented("ignored", "tuple[str, ...]", (), "", "artists to leave out"),
        Documented("shares", "tuple[float, ...]", (0.5, 1), "0 to 1", "of the list"),
        Documented("loud", "bool", False, "", "whether it shouts"),
    ]


def test_a_table_leaves_out_what_is_not_set():
    table = as_table(StationSettings(ignored=("a",)))
    assert table == {
        "size": 250,
        "warmth": 0.5,
        "metric": "dot",
        "ignored": ("a",),
        "shares": (0.5, 1),
        "loud": False,
    }
    assert from_table(StationSettings, table, "x") == StationSettings(ignored=("a",))
