"""Queries over Parquet files that are larger than memory: a DuckDB connection, with limits and our errors."""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crossfade.core.artifacts import translated_storage_errors
from crossfade.core.errors import ArtifactError, SettingsError, StorageError
from crossfade.core.kinds import KINDS

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

MEMORY_LIMIT = 4 << 30
"""Default of the bytes that a query may use before it spills to disk."""

SMALLEST_MEMORY = 64 << 20
"""The buffers of a Parquet scan alone need 64 MiB."""


REMEMBERED = 1 << 16
"""Texts whose values of a Python function are remembered: most tags are given many times."""


class Queries:
    """A connection; its results do not depend on the number of threads if a query orders its rows."""

    def __init__(self, connection: "duckdb.DuckDBPyConnection") -> None:
        self._connection = connection

    def view(self, name: str, paths: Sequence[Path], schema: "pa.Schema") -> None:
        """Make a view ``name`` of the Parquet files ``paths``: the columns of ``schema``, and ``filename``, the path.

        Without paths the view has no rows.
        """
        import pyarrow as pa

        types = {
            pa.string(): "VARCHAR",
            pa.timestamp("ms", tz="UTC"): "TIMESTAMP WITH TIME ZONE",
            pa.int64(): "BIGINT",
            pa.int32(): "INTEGER",
            pa.int8(): "TINYINT",
            pa.bool_(): "BOOLEAN",
        }
        columns = ", ".join(
            f"CAST({_name(name)} AS {kind}) AS {_name(name)}"
            for name, kind in [*((field.name, types[field.type]) for field in schema), ("filename", "VARCHAR")]
        )
        if paths:
            files = ", ".join(_text(_unglobbed(path)) for path in paths)
            rows = f"read_parquet([{files}], filename = true, hive_partitioning = false)"
        else:
            nulls = ", ".join(f"NULL AS {_name(name)}" for name in [*schema.names, "filename"])
            rows = f"(SELECT {nulls} WHERE false)"  # names are quoted
        self.run(f"CREATE TEMP VIEW {_name(name)} AS SELECT {columns} FROM {rows}")  # noqa: S608  # names are quoted

    def run(self, sql: str, **values: object) -> None:
        """Run a statement without reading its result."""
        self.rows(sql, **values)

    def rows(self, sql: str, **values: object) -> list[tuple[Any, ...]]:
        """Return every row of a small result; ``$name`` in ``sql`` stands for the value of that name."""
        with translated_query_errors():
            rows: list[tuple[Any, ...]] = self._connection.execute(sql, values or None).fetchall()
            return rows

    def batches(self, sql: str, **values: object) -> Iterator["pa.RecordBatch"]:
        """Yield the result in Arrow batches, while it is being computed."""
        with translated_query_errors():
            reader = self._connection.sql(sql, params=values or None).to_arrow_reader(BATCH)
        while True:
            with translated_query_errors():
                batch = next(reader, None)
            if batch is None:
                return
            yield batch

    def function(self, name: str, function: Callable[[str], str]) -> None:
        """Let queries call the Python ``function`` as ``name``; NULL gives NULL."""
        import pyarrow as pa

        remembered = lru_cache(REMEMBERED)(function)

        # DuckDB evaluates annotations, so these cannot have names that exist for type checkers only.
        def of_column(column: Any) -> Any:
            return pa.array([remembered(text) for text in column.to_pylist()], pa.string())

        self._connection.create_function(name, of_column, ["VARCHAR"], "VARCHAR", type="arrow")

    def write(self, sql: str, schema: "pa.Schema", path: Path, **values: object) -> int:
        """Write the result as a Parquet file of ``schema``, and return the number of its rows.

        Equal results in an equal order give equal bytes: row groups do not depend on the batches.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        written = 0
        waiting = schema.empty_table()
        with translated_storage_errors(path), pq.ParquetWriter(path, schema, compression="zstd") as writer:
            for batch in self.batches(sql, **values):
                waiting = pa.concat_tables([waiting, pa.Table.from_batches([batch]).cast(schema)])
                while waiting.num_rows >= GROUP:
                    writer.write_table(waiting.slice(0, GROUP).combine_chunks())
                    waiting = waiting.slice(GROUP)
                    written += GROUP
            if waiting.num_rows:
                writer.write_table(waiting.combine_chunks())
            return written + int(waiting.num_rows)


BATCH = 1 << 20
"""Rows of an Arrow batch: about ten megabytes of numbers."""

GROUP = 1 << 17
"""Rows of a row group in a Parquet file."""


def rows_about(kind: str, table: str) -> str:
    """Return a query for the rows of ``table`` about items of ``kind``, whose ids it adds as the column ``item``.

    A row is about the item that it names, and about that item's parent.
    """
    columns = {kind: "item_id"} | {child.name: "parent_id" for child in KINDS.values() if child.parent == kind}
    return " UNION ALL ".join(
        f"SELECT *, {column} AS item FROM {table} WHERE kind = '{name}' AND {column} IS NOT NULL"  # noqa: S608
        for name, column in columns.items()  # names of kinds and columns alone
    )


@contextlib.contextmanager
def open_queries(spill: Path, *, memory_limit: int = MEMORY_LIMIT, threads: int | None = None) -> Iterator[Queries]:
    """Open a connection that uses ``memory_limit`` bytes, and the directory ``spill`` for what exceeds them.

    ``threads`` None means one a processor. Raises SettingsError for limits that are too low.
    """
    import duckdb

    if memory_limit < SMALLEST_MEMORY:
        raise SettingsError(f"memory_limit must be at least {SMALLEST_MEMORY} bytes (64 MiB), not {memory_limit}")
    if threads is not None and threads < 1:
        raise SettingsError(f"threads must be at least 1, not {threads}")
    options: Mapping[str, Any] = {
        "memory_limit": f"{memory_limit}B",
        "temp_directory": str(spill),
        "preserve_insertion_order": False,
        "python_enable_replacements": False,
        "autoinstall_known_extensions": False,
        **({} if threads is None else {"threads": threads}),
    }
    with translated_query_errors():
        connection = duckdb.connect(":memory:", config=options)
    try:
        yield Queries(connection)
    finally:
        connection.close()


@contextlib.contextmanager
def translated_query_errors() -> Iterator[None]:
    """Turn DuckDB's errors about memory, disks and files into ours."""
    import duckdb

    try:
        yield
    except duckdb.OutOfMemoryException as error:
        if "max_temp_directory_size" in str(error) or "No space left" in str(error):
            raise StorageError(
                f"The disk is full: {_first_line(error)}. Free some space and run the same command again."
            ) from error
        raise SettingsError(f"memory_limit is too low for this library: {_first_line(error)}") from error
    except duckdb.IOException as error:
        if "No space left" in str(error) or "Disk quota" in str(error):
            raise StorageError(
                f"The disk is full: {_first_line(error)}. Free some space and run the same command again."
            ) from error
        raise ArtifactError(f"A table cannot be read: {_first_line(error)}. Run `crossfade verify`.") from error
    except (duckdb.InvalidInputException, duckdb.BinderException, duckdb.ConversionException) as error:
        raise ArtifactError(
            f"A table is not one that Crossfade wrote: {_first_line(error)}. Run `crossfade verify`."
        ) from error


def _first_line(error: Exception) -> str:
    # The other lines are hints for those who write queries.
    return str(error).partition("\n")[0].rstrip(". ")


def _name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _text(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _unglobbed(path: Path) -> str:
    # DuckDB expands patterns in paths; a set of one character matches that character alone.
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in str(path))
