"""The names and fields of items, gathered as listens pass by.

A million listens describe the same few thousand items again and again. Only distinct descriptions, and how many rows
use each, go on to the stages. Memory is bounded: a description may be staged more than once, and its rows are summed
when it is published.
"""

from collections.abc import Callable

import pyarrow as pa

from crossfade.core.kinds import KINDS
from crossfade.core.schemas import ITEMS
from crossfade.importing.cleaning import by_kind
from crossfade.importing.staging import Stage

WAITING = 300_000  # descriptions of one kind in memory: some 50 MiB
ROWS = pa.field("rows", pa.int64())

DESCRIBED = {table: schema.append(ROWS) for table, schema in ITEMS.items()}
"""The columns of a table of items, and how many rows describe the item so."""


class Names:
    """Takes descriptions of items, and hands distinct ones to the stages of their tables."""

    def __init__(self, stage: Callable[[str], Stage]) -> None:
        self._stage = stage
        self._waiting: dict[str, list[pa.Table]] = {}

    def take(self, listens: pa.Table) -> None:
        """Take the names, parents and fields of the items of ``listens``, and the names of the parents."""
        for kind, rows in by_kind(listens["kind"].combine_chunks()):
            fields = [field.name for field in kind.fields]
            own = listens if rows.all() else listens.filter(pa.array(rows))
            own = _counted(own, ["item_id", "name", "parent_id", "parent_name", *fields], [([], "count_all")])
            self.add(kind.plural, own)
            if kind.parent is not None:
                parents = own.select(["parent_id", "parent_name", ROWS.name])
                self.add(KINDS[kind.parent].plural, parents.rename_columns(["item_id", "name", ROWS.name]))

    def add(self, table: str, described: pa.Table) -> None:
        """Take rows of a table of items, each for the number of rows in ``rows``, or for one where it is missing."""
        if described["name"].null_count:
            described = described.filter(described["name"].is_valid())
        rows = len(described)
        filled = {
            field.name: described[field.name].cast(field.type)
            if field.name in described.schema.names
            else pa.nulls(rows, field.type)
            for field in DESCRIBED[table]
        }
        if ROWS.name not in described.schema.names:
            filled[ROWS.name] = pa.repeat(pa.scalar(1, ROWS.type), rows)
        waiting = self._waiting.setdefault(table, [])
        waiting.append(pa.table(filled, schema=DESCRIBED[table]))
        if sum(map(len, waiting)) > WAITING:
            self._compact(table)

    def flush(self) -> None:
        """Stage everything that waits."""
        for table in list(self._waiting):
            self._compact(table, keep=0)

    def _compact(self, table: str, keep: int = WAITING // 2) -> None:
        """Merge equal descriptions, and stage them if they are more than ``keep``."""
        rows = pa.concat_tables(self._waiting.pop(table))
        rows = _counted(rows, ITEMS[table].names, [(ROWS.name, "sum")])
        if len(rows) > keep:
            self._stage(table).append(rows.select(DESCRIBED[table].names).cast(DESCRIBED[table]))
        else:
            self._waiting[table] = [rows.select(DESCRIBED[table].names).cast(DESCRIBED[table])]


def _counted(rows: pa.Table, columns: list[str], count: list[tuple[list[str] | str, str]]) -> pa.Table:
    """Return the distinct rows of ``columns``, in order of appearance, and how many rows each stands for."""
    return rows.group_by(columns, use_threads=False).aggregate(count).rename_columns([*columns, ROWS.name])
