"""The layout of ``release.sqlite``, which the writer fills and the reader asks.

meta                     key, value: what the reader needs to know before it asks anything else
artists, tracks          row (as in every array of the release), id, names, counts; by row and by id
artist_names, …          digest of a squeezed name → rank, to find a name however it is spaced
artist_grams, …          gram → the ranks of the names that have it, ascending
artist_ranks, …          rank → row; rank 0 is what most users listen to
users                    id, and the id without its source's name
"surface:<name>"         key, items, and one column for each of the table's own

A blob is a run of little-endian int32 or float32. Nothing in the file depends on the hour or the machine.
"""

import re
from collections.abc import Mapping

FILE = "release.sqlite"

LAYOUT = 1
"""Raised whenever a reader of an earlier layout could misunderstand a file of a later one."""

APPLICATION_ID = 0x43465244  # "CFRD", by which `file` and SQLite's own tools tell whose file it is

PAGE_BYTES = 4096  # the page of the operating system; a list of 250 items and scores fits in one

SURFACE_NAME = re.compile(r"[a-z][a-z0-9_-]{0,63}")

TABLES = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE artists (
  row INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, name TEXT NOT NULL, folded TEXT NOT NULL,
  listeners INTEGER NOT NULL, plays INTEGER NOT NULL
);
CREATE TABLE tracks (
  row INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, name TEXT NOT NULL, folded TEXT NOT NULL,
  listeners INTEGER NOT NULL, plays INTEGER NOT NULL,
  artist_row INTEGER, album TEXT, track_ms INTEGER
);
CREATE TABLE users (id TEXT PRIMARY KEY, bare TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE bare_users (bare TEXT, id TEXT, PRIMARY KEY (bare, id)) WITHOUT ROWID;
"""

TABLES_OF_A_KIND = """
CREATE TABLE {kind}_names (digest INTEGER, rank INTEGER, PRIMARY KEY (digest, rank)) WITHOUT ROWID;
CREATE TABLE {kind}_ranks (rank INTEGER PRIMARY KEY, row INTEGER NOT NULL);
CREATE TABLE {kind}_grams (gram TEXT PRIMARY KEY, ranks BLOB NOT NULL);
"""

BLOB_TYPES: Mapping[str, str] = {"items": "<i4", "score": "<f4", "reason": "<i4", "reason_plays": "<i4"}
"""What a surface table's blobs hold."""


def surface_table(name: str) -> str:
    """The quoted name of a surface's table; ``name`` has matched `SURFACE_NAME`."""
    return f'"surface:{name}"'
