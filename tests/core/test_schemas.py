"""The vocabulary of columns, and ids made from names."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.core.schemas import TABLES, named_artist, named_track, normalised


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Björk", "  bjo\u0308RK "),
        ("ABBA", "\uff21\uff22\uff22\uff21"),  # full-width letters
        ("Straße", "STRASSE"),
        ("Sigur\u00a0Rós", "Sigur\t\nRós"),
    ],
)
def test_names_written_differently_are_one(one, other):
    assert normalised(one) == normalised(other)


def test_other_names_stay_apart():
    assert len({normalised(name) for name in ("Björk", "Bjork", "B jork", "AC/DC", "ACDC")}) == 5


@given(st.text())
def test_normalising_twice_changes_nothing(name):
    assert normalised(normalised(name)) == normalised(name)


def test_ids_from_names():
    assert named_artist("Sigur Rós") == "name:sigur rós"
    assert named_track("Björk", "Jóga") == "name:björk / jóga"


def test_every_table_says_whose_rows_are_whose():
    for name, schema in TABLES.items():
        assert len(set(schema.names)) == len(schema.names), name
        assert any(field.name.endswith("_id") and not (name != "counts" and field.nullable) for field in schema), name
