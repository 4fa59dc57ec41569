"""Imports made of a few rows."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from crossfade.core.schemas import TABLES

Tables = dict[str, list[Path]]


@pytest.fixture
def imported(tmp_path) -> Callable[..., Tables]:
    """Writes imports, each a mapping of table name to rows (a tuple, or its first columns), and lists their files."""

    def write(*imports: Mapping[str, Sequence[tuple]]) -> Tables:
        tables: Tables = {}
        for number, tables_of_import in enumerate(imports):
            # The letters that DuckDB takes for a pattern, and a name that it takes for a partition.
            place = tmp_path / f"listens [it's=*?] {number}"
            place.mkdir(exist_ok=True)
            for name, rows in tables_of_import.items():
                schema = TABLES[name]
                columns = [
                    pa.array([row[column] if column < len(row) else None for row in rows], field.type)
                    for column, field in enumerate(schema)
                ]
                path = place / f"{name}.parquet"
                pq.write_table(pa.Table.from_arrays(columns, schema=schema), path)
                tables.setdefault(name, []).append(path)
        return tables

    return write
