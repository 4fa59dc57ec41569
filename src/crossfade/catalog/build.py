"""The catalogue of a home: the tables of all imports as one, with one id for each item."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from crossfade.catalog.identity import CatalogSettings, find_aliases
from crossfade.catalog.namesakes import read_listeners
from crossfade.core.artifacts import translated_storage_errors
from crossfade.core.kinds import KINDS, Kind
from crossfade.core.progress import Progress, silent
from crossfade.core.queries import MEMORY_LIMIT, Queries, open_queries

DEFAULTS = CatalogSettings()


def build_catalog(
    tables: Mapping[str, Sequence[Path]],
    directory: Path,
    settings: CatalogSettings = DEFAULTS,
    *,
    progress: Progress = silent,
    memory_limit: int = MEMORY_LIMIT,
    threads: int | None = None,
) -> dict[str, int]:
    """Write the merged tables and the aliases into ``directory``, and return the rows of each.

    ``tables`` lists the Parquet files of `schemas.TABLES` by table name, in the order of the imports; any may be
    absent. Written are the items of every kind, called by its plural, ``tags``, ``texts``, ``friends``,
    ``playlists``, ``playlist_items`` and ``feedback`` with the columns of `schemas.TABLES`, ``aliases`` and
    ``namesakes``, each as ``.parquet`` and sorted by its ids. What does not fit into ``memory_limit`` bytes goes to a
    directory below ``directory``, which is removed in the end. Raises StorageError if the disk is full.
    """
    from crossfade.core.schemas import ALIASES, NAMESAKES, TABLES, items_schema

    merged = {}
    for kind in KINDS.values():
        schema = items_schema(kind)
        merged[kind.plural] = _items(kind, schema.names[1:]), schema
    merged |= {name: (sql, TABLES[name]) for name, sql in _MERGED.items()}
    spill = directory / "spill"
    rows: dict[str, int] = {}
    with translated_storage_errors(directory):
        try:
            with open_queries(spill, memory_limit=memory_limit, threads=threads) as queries:
                for name, (_, schema) in merged.items():
                    queries.view(name, tables.get(name, ()), schema)
                _rank_imports(queries, *(tables.get(name, ()) for name in ("playlists", "playlist_items")))
                read_listeners(queries, tables)
                find_aliases(queries, settings)
                queries.run(_PARENT_ALIASES.format(", ".join(f"('{k.name}', '{k.parent}')" for k in KINDS.values())))
                merged["aliases"] = ("SELECT * FROM aliases ORDER BY ALL", ALIASES)
                merged["namesakes"] = ("SELECT * FROM namesakes ORDER BY ALL", NAMESAKES)
                for number, (name, (sql, schema)) in enumerate(merged.items()):
                    rows[name] = queries.write(sql, schema, directory / f"{name}.parquet")
                    progress(number + 1, len(merged), "tables")
        finally:
            shutil.rmtree(spill, ignore_errors=True)
    return rows


def _rank_imports(queries: Queries, *tables: Sequence[Path]) -> None:
    """A table ``ranks`` (filename, rank) by the order of imports; a table's files of one directory rank equal."""
    queries.run("CREATE TEMP TABLE ranks (filename VARCHAR, rank INTEGER)")
    for paths in tables:
        ranks = {parent: rank for rank, parent in enumerate(dict.fromkeys(path.parent for path in paths))}
        for path in paths:
            rank = ranks[path.parent]
            queries.run("INSERT INTO ranks VALUES ($filename, $rank)", filename=str(path), rank=rank)


def _items(kind: Kind, columns: Sequence[str]) -> str:
    """The query for the merged items of ``kind``, with these ``columns`` besides their ids.

    Of several values for one id, the one that its own source gives wins; then the one given most often; then the
    first in order.
    """
    chosen = ", ".join(
        f"arg_min({c}, row(borrowed, -given, {c})) FILTER (WHERE {c} IS NOT NULL) AS {c}" for c in columns
    )
    parent_id = "NULL" if kind.parent is None else "parent_id"
    return f"""
        SELECT item_id, {chosen}
        FROM (
            SELECT coalesce(own.to_id, item_id) AS item_id, own.to_id IS NOT NULL AS borrowed, count(*) AS given,
                   coalesce(parent.to_id, {parent_id}) AS parent_id,
                   {", ".join(column for column in columns if column != "parent_id")}
            FROM {kind.plural}
            LEFT JOIN aliases AS own ON own.kind = '{kind.name}' AND own.from_id = item_id
            LEFT JOIN parent_aliases AS parent ON parent.kind = '{kind.name}' AND parent.from_id = {parent_id}
            WHERE trim(name) <> ''
            GROUP BY ALL
        )
        GROUP BY item_id ORDER BY item_id
    """  # noqa: S608  # made of names of kinds and columns alone


_PARENT_ALIASES = """
    CREATE TEMP VIEW parent_aliases AS
        SELECT name AS kind, from_id, to_id FROM aliases JOIN (VALUES {}) AS kinds (name, parent) ON kind = parent
"""

_MERGED = {
    "tags": """
        SELECT tags.kind, coalesce(to_id, item_id) AS item_id, normalised(tag) AS tag,
               CAST(least(sum(count), 9223372036854775807) AS BIGINT) AS count
        FROM tags LEFT JOIN aliases AS own ON own.kind = tags.kind AND from_id = item_id
        WHERE count >= 1 AND trim(tag) <> ''
        GROUP BY ALL ORDER BY ALL
    """,
    "texts": """
        SELECT DISTINCT texts.kind, coalesce(to_id, item_id) AS item_id, text
        FROM texts LEFT JOIN aliases AS own ON own.kind = texts.kind AND from_id = item_id
        WHERE trim(text) <> '' ORDER BY ALL
    """,
    "friends": "SELECT DISTINCT user_id, friend_id FROM friends WHERE user_id <> friend_id ORDER BY ALL",
    # A playlist that several imports bring is as the last of them has it: mixing would double or tear it.
    "playlists": """
        SELECT playlist_id, min(title) AS title, min(owner) AS owner, max(followers) AS followers
        FROM (
            SELECT *, max(rank) OVER (PARTITION BY playlist_id) AS latest FROM playlists JOIN ranks USING (filename)
        )
        WHERE rank = latest GROUP BY playlist_id ORDER BY playlist_id
    """,
    "playlist_items": """
        WITH latest AS (
            SELECT playlist_id, max(rank) AS rank FROM playlist_items JOIN ranks USING (filename) GROUP BY playlist_id
        )
        SELECT playlist_id, position, items.kind, coalesce(own.to_id, item_id) AS item_id,
               coalesce(parent.to_id, parent_id) AS parent_id
        FROM playlist_items AS items
        JOIN ranks USING (filename)
        JOIN latest USING (playlist_id, rank)
        LEFT JOIN aliases AS own ON own.kind = items.kind AND own.from_id = item_id
        LEFT JOIN parent_aliases AS parent ON parent.kind = items.kind AND parent.from_id = parent_id
        QUALIFY row_number() OVER (
            PARTITION BY playlist_id, position
            ORDER BY items.kind, coalesce(own.to_id, item_id), coalesce(parent.to_id, parent_id)
        ) = 1
        ORDER BY playlist_id, position
    """,
    # The last word counts, and one that was taken back is none.
    "feedback": """
        SELECT user_id, feedback.kind, coalesce(to_id, item_id) AS item_id, score, given_at
        FROM feedback LEFT JOIN aliases AS own ON own.kind = feedback.kind AND from_id = item_id
        QUALIFY score <> 0 AND row_number() OVER (
            PARTITION BY user_id, feedback.kind, coalesce(to_id, item_id) ORDER BY given_at DESC NULLS LAST, score
        ) = 1
        ORDER BY user_id, feedback.kind, coalesce(to_id, item_id)
    """,
}
"""The query for each merged table that is not one of items."""
