"""The layout of ``release.sqlite``, which the writer fills and the reader asks.

meta                     key, value: a digest of the content, the kinds of item (parent and fields), the surface tables
track_items, …           row (of the catalogue), id, names, counts, the parent's row, the kind's own fields
track_names, …           digest of a squeezed name → rank, to find a name however it is spaced
track_grams, …           gram → the ranks of the names that have it, ascending
track_ranks, …           rank → row; rank 0 has the most listeners
users                    id, and the id without its source's name
"list:radio-track", …    key, items, and one column for each of the surface table's own

A blob is a run of little-endian int32 or float32. Nothing in the file depends on the hour, the machine or
the release, so releases of equal content have one file.
"""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from crossfade.stores.contract import shortest

FILE = "release.sqlite"

LAYOUT = 3
"""Raised whenever a reader of an earlier layout could misunderstand a file of a later one."""

APPLICATION_ID = 0x43465244  # "CFRD", by which `file` and SQLite's own tools tell whose file it is

PAGE_BYTES = 4096  # the page of the operating system; a list of 250 items and scores fits in one

TABLE_NAME = re.compile(r"[a-z][a-z0-9_-]{0,63}")

TABLES = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE users (id TEXT PRIMARY KEY, bare TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE bare_users (bare TEXT, id TEXT, PRIMARY KEY (bare, id)) WITHOUT ROWID;
"""

TABLES_OF_A_KIND = """
CREATE TABLE {kind}_items (
  row INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, name TEXT NOT NULL, folded TEXT NOT NULL,
  listeners INTEGER NOT NULL, plays INTEGER NOT NULL, parent_row INTEGER{fields}
);
CREATE TABLE {kind}_names (digest INTEGER, rank INTEGER, PRIMARY KEY (digest, rank)) WITHOUT ROWID;
CREATE TABLE {kind}_ranks (rank INTEGER PRIMARY KEY, row INTEGER NOT NULL);
CREATE TABLE {kind}_grams (gram TEXT PRIMARY KEY, ranks BLOB NOT NULL);
"""

COLUMN_TYPES = {"text": "TEXT", "number": "INTEGER"}
"""What a field of a kind is in SQLite; NULL where it is unknown."""

BLOB_TYPES: Mapping[str, str] = {"items": "<i4", "score": "<f4", "reason": "<i4", "reason_plays": "<i4"}
"""What a surface table's blobs contain."""


def list_table(name: str) -> str:
    """Return the quoted name of a surface table in SQLite; ``name`` has matched `TABLE_NAME`."""
    return f'"list:{name}"'


def blob_values(column: str, blob: bytes, span: slice) -> list[Any]:
    """Return some numbers of a blob; scores as the shortest that they stand for."""
    values = np.frombuffer(blob, dtype=BLOB_TYPES[column])[span]
    return list(map(shortest, values)) if values.dtype.kind == "f" else values.tolist()
