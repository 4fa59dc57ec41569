"""Settings: documented, checked, read from TOML."""

from dataclasses import dataclass, fields
from typing import Literal

import pytest

from crossfade.core.errors import SettingsError
from crossfade.core.settings import as_table, documented, from_table


@dataclass(frozen=True, kw_only=True)
class StationSettings:
    size: int = 250  # items kept, 1 to 1000
    warmth: float = 0.5  # 0 to 1
    metric: Literal["dot", "cosine"] = "dot"  # how items meet
    # days after which a play counts half;
    # none keeps all
    half_life: float | None = None
    ignored: tuple[str, ...] = ()  # artists to leave out
    loud: bool = False  # whether it shouts

    def __post_init__(self):
        if not 1 <= self.size <= 1000:
            raise SettingsError(f"size must be 1 to 1000, not {self.size}")


def test_defaults_and_values():
    assert from_table(StationSettings, {}, "x") == StationSettings()
    given = {"size": 3, "warmth": 1, "metric": "cosine", "half_life": 90, "ignored": ["a", "b"], "loud": True}
    made = from_table(StationSettings, given, "x")
    assert made == StationSettings(size=3, warmth=1.0, metric="cosine", half_life=90.0, ignored=("a", "b"), loud=True)
    assert isinstance(made.warmth, float)


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ({"sise": 3}, "Did you mean 'size'"),
        ({"qqqqq": 3}, "Known: half_life, ignored, loud, metric, size, warmth"),
        ({"size": "3"}, "size must be of type int, not '3'"),
        ({"size": 3.0}, "size must be of type int, not 3.0"),
        ({"size": True}, "size must be of type int, not True"),
        ({"warmth": True}, "warmth must be of type float, not True"),
        ({"loud": 1}, "loud must be of type bool, not 1"),
        ({"metric": "l2"}, "metric must be one of 'dot', 'cosine', not 'l2'"),
        ({"ignored": "abc"}, "ignored must be a list, not 'abc'"),
        ({"ignored": ["a", 1]}, "ignored must be of type str, not 1"),
        ({"half_life": "long"}, "half_life must be of type float, not 'long'"),
        ({"size": 0}, "size must be 1 to 1000, not 0"),
    ],
)
def test_what_cannot_work_is_refused_with_its_place(table, says):
    with pytest.raises(SettingsError) as caught:
        from_table(StationSettings, table, "crossfade.toml [station]")
    assert str(caught.value).startswith("crossfade.toml [station]: ")
    assert says in str(caught.value)


def test_every_field_is_documented():
    assert [name for name, *_ in documented(StationSettings)] == [field.name for field in fields(StationSettings)]
    assert documented(StationSettings)[:3] == [
        ("size", "int", 250, "items kept, 1 to 1000"),
        ("warmth", "float", 0.5, "0 to 1"),
        ("metric", "'dot' | 'cosine'", "dot", "how items meet"),
    ]
    assert documented(StationSettings)[3] == (
        "half_life",
        "float | None",
        None,
        "days after which a play counts half; none keeps all",
    )


def test_a_table_leaves_out_what_is_not_set():
    table = as_table(StationSettings(ignored=("a",)))
    assert table == {"size": 250, "warmth": 0.5, "metric": "dot", "ignored": ("a",), "loud": False}
    assert from_table(StationSettings, table, "x") == StationSettings(ignored=("a",))
