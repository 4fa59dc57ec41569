"""The vocabulary of columns."""

import pyarrow as pa
import pytest

from crossfade.core.kinds import KINDS
from crossfade.core.schemas import ITEMS, TABLES


def test_every_table_names_its_columns_once_and_what_its_rows_are_about():
    for name, schema in TABLES.items():
        assert len(set(schema.names)) == len(schema.names), name
        assert any(field.name.endswith("_id") and not field.nullable for field in schema), name


@pytest.mark.parametrize("kind", KINDS.values(), ids=list(KINDS))
def test_each_kind_has_a_table_of_its_items(kind):
    schema = ITEMS[kind.plural]
    assert schema.names[:2] == ["item_id", "name"]
    assert ("parent_id" in schema.names) == (kind.parent is not None)
    assert {field.name for field in kind.fields} <= set(schema.names)


def test_the_columns_of_tracks():
    assert ITEMS["tracks"].names == ["item_id", "name", "parent_id", "album", "duration_ms", "isrc"]
    assert [ITEMS["tracks"].field(name).type for name in ("album", "duration_ms")] == [pa.string(), pa.int32()]
