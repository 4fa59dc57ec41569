"""Columns of ids that people bring, in lists, arrays, data frames or files, as ids and row numbers."""

import contextlib
import importlib
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from crossfade.core.errors import InputError, MissingExtraError
from crossfade.core.ids import Ids, Rows


def ids_and_rows(name: str, column: Any) -> tuple[Ids, Rows]:
    """Return the distinct ids of a column, and (n,) the row among them of each of its entries.

    The column is a sequence, an array, or an object with Arrow's PyCapsule interface. Its entries are text, or whole
    numbers, which become text (`Ids.numbers`); InputError, with the ``name`` of the column, for others.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if isinstance(column, str | bytes):
        raise InputError(f"{name} must be a list, an array or a column, not one {type(column).__name__}")
    try:
        entries = pa.chunked_array(column if hasattr(column, "__arrow_c_stream__") else [pa.array(column)])
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        raise InputError(f"{name} must be all text or all whole numbers: {error}") from error
    categories = pa.types.is_dictionary(entries.type)
    kind = entries.type.value_type if categories else entries.type
    text = pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    if not (text or pa.types.is_integer(kind) or pa.types.is_null(kind)):
        raise InputError(f"{name} must be text or whole numbers, not {kind}. Convert the column first.")
    if entries.null_count:
        raise InputError(f"{name} must not be missing (None or NaN), as {entries.null_count} of {len(entries)} are")
    if categories:
        chunks = [chunk.dictionary.cast(pa.large_string()).take(chunk.indices) for chunk in entries.chunks]
        entries = pa.chunked_array(chunks, pa.large_string())
    elif not pa.types.is_integer(kind):
        entries = entries.cast(pa.large_string())
    distinct = entries.unique()
    names = distinct.cast(pa.large_string())
    order = pc.array_sort_indices(names)  # by their bytes, as `Ids` are
    rows = np.empty(len(order), dtype=np.int32)
    rows[order] = np.arange(len(order))
    ids = Ids.from_arrow(names.take(order))
    if pa.types.is_integer(kind):
        with contextlib.suppress(pa.ArrowInvalid):  # what int64 cannot hold is given back as text
            names.cast(pa.int64())
            ids.numbers = True
    return ids, rows[pc.index_in(entries, value_set=distinct)]


def columns_of(table: Any, names: Sequence[str], wanted: Sequence[str | None]) -> list[Any]:
    """Return the ``wanted`` columns of a table that has ``names``, None for None; InputError if one is missing."""
    if missing := [name for name in wanted if name is not None and name not in names]:
        raise InputError(f"there is no column {missing[0]!r}; the columns are: {', '.join(map(str, names))}")
    return [None if name is None else table[name] for name in wanted]


def frame_of(table: Any, library: str) -> Any:
    """Return an Arrow table as a data frame of ``library``, "pandas" or "polars"; MissingExtraError without it."""
    try:
        frames = importlib.import_module(library)
    except ImportError as error:
        raise MissingExtraError(f"A data frame of {library}", package=library) from error
    return table.to_pandas() if library == "pandas" else frames.from_arrow(table)


def read_matrix_or_table(path: Path, ids: Sequence[str]) -> Any:
    """Return a file's SciPy matrix (``.npz``) or Arrow table (``.parquet``, ``.csv``, where ``ids`` are text)."""
    import pyarrow as pa

    try:
        match path.suffix.lower():
            case ".npz":
                from scipy.sparse import load_npz

                with path.open("rb") as file:
                    return load_npz(file)
            case ".parquet":
                from pyarrow import parquet

                return parquet.read_table(path)
            case ".csv":
                from pyarrow import csv

                types = dict.fromkeys(ids, pa.string())
                return csv.read_csv(path, convert_options=csv.ConvertOptions(column_types=types))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise InputError(f"this file cannot be read: {error}", path=path) from error
    raise InputError("interactions are read from .npz, .parquet and .csv files only", path=path)
