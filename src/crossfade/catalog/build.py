"""The catalogue of a home: the tables of all imports as one, with one id for each artist and track."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from crossfade.catalog.identity import CatalogSettings, find_aliases
from crossfade.core.artifacts import translated_storage_errors
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
    """Write the merged tables and the aliases into ``directory``, and give back the rows of each.

    ``tables`` lists the Parquet files of `schemas.TABLES` by table name, in the order of the imports; any may be
    absent. Written are ``artists``, ``tracks``, ``tags``, ``texts``, ``friends``, ``playlists``,
    ``playlist_items`` and ``feedback`` with the columns of `schemas.TABLES`, and ``artist_aliases`` and
    ``track_aliases``, each as ``.parquet`` and sorted by its ids. What does not fit into ``memory_limit`` bytes
    goes to a directory below ``directory``, which is gone in the end. Raises StorageError if the disk is full.
    """
    from crossfade.core.schemas import ALIASES, TABLES

    spill = directory / "spill"
    rows: dict[str, int] = {}
    with translated_storage_errors(directory):
        try:
            with open_queries(spill, memory_limit=memory_limit, threads=threads) as queries:
                for name in _MERGED:
                    queries.view(name, tables.get(name, ()), TABLES[name])
                for name in ("playlists", "playlist_items"):
                    _rank_imports(queries, name, tables.get(name, ()))
                find_aliases(queries, settings)
                for number, (name, sql) in enumerate(_MERGED.items()):
                    rows[name] = queries.write(sql, TABLES[name], directory / f"{name}.parquet")
                    progress(number + 1, len(_MERGED), "tables")
                for name in ("artist_aliases", "track_aliases"):
                    sql = f"SELECT from_id, to_id FROM {name} ORDER BY from_id"  # noqa: S608  # one of two names
                    rows[name] = queries.write(sql, ALIASES, directory / f"{name}.parquet")
        finally:
            shutil.rmtree(spill, ignore_errors=True)
    return rows


def _rank_imports(queries: Queries, table: str, paths: Sequence[Path]) -> None:
    """A table ``<table>_ranks`` (filename, rank): files of one import, which lie in one directory, rank equal."""
    ranks = {parent: rank for rank, parent in enumerate(dict.fromkeys(path.parent for path in paths))}
    queries.run(f"CREATE TEMP TABLE {table}_ranks (filename VARCHAR, rank INTEGER)")
    for path in paths:
        queries.run(
            f"INSERT INTO {table}_ranks VALUES ($filename, $rank)",  # noqa: S608  # one of two names
            filename=str(path),
            rank=ranks[path.parent],
        )


# Of several values for one id, the one that its own source gives wins; then the one given most often; then
# the first in order.
_ARTISTS = """
    SELECT artist_id, arg_min(name, row(borrowed, -given, name)) AS name
    FROM (
        SELECT coalesce(to_id, artist_id) AS artist_id, name, to_id IS NOT NULL AS borrowed, count(*) AS given
        FROM artists LEFT JOIN artist_aliases ON from_id = artist_id
        WHERE trim(name) <> ''
        GROUP BY ALL
    )
    GROUP BY artist_id ORDER BY artist_id
"""

_TRACKS = """
    SELECT track_id,
           arg_min(title, row(borrowed, -given, title)) AS title,
           arg_min(artist_id, row(borrowed, -given, artist_id)) FILTER (WHERE artist_id IS NOT NULL) AS artist_id,
           arg_min(album, row(borrowed, -given, album)) FILTER (WHERE album IS NOT NULL) AS album,
           arg_min(track_ms, row(borrowed, -given, track_ms)) FILTER (WHERE track_ms IS NOT NULL) AS track_ms,
           arg_min(isrc, row(borrowed, -given, isrc)) FILTER (WHERE isrc IS NOT NULL) AS isrc
    FROM (
        SELECT coalesce(own.to_id, track_id) AS track_id, own.to_id IS NOT NULL AS borrowed, count(*) AS given,
               title, coalesce(artist.to_id, artist_id) AS artist_id, album, track_ms, isrc
        FROM tracks
        LEFT JOIN track_aliases AS own ON own.from_id = track_id
        LEFT JOIN artist_aliases AS artist ON artist.from_id = artist_id
        WHERE trim(title) <> ''
        GROUP BY ALL
    )
    GROUP BY track_id ORDER BY track_id
"""

_TAGS = """
    SELECT coalesce(to_id, artist_id) AS artist_id, normalised(tag) AS tag,
           CAST(least(sum(count), 9223372036854775807) AS BIGINT) AS count
    FROM tags LEFT JOIN artist_aliases ON from_id = artist_id
    WHERE count >= 1 AND trim(tag) <> ''
    GROUP BY ALL ORDER BY ALL
"""

_TEXTS = """
    SELECT DISTINCT coalesce(to_id, artist_id) AS artist_id, text
    FROM texts LEFT JOIN artist_aliases ON from_id = artist_id
    WHERE trim(text) <> '' ORDER BY ALL
"""

_FRIENDS = "SELECT DISTINCT user_id, friend_id FROM friends WHERE user_id <> friend_id ORDER BY ALL"

# A playlist that several imports bring is as the last of them has it: mixing would double or tear it.
_PLAYLISTS = """
    SELECT playlist_id, min(title) AS title, min(owner) AS owner, max(followers) AS followers
    FROM (
        SELECT *, max(rank) OVER (PARTITION BY playlist_id) AS latest
        FROM playlists JOIN playlists_ranks USING (filename)
    )
    WHERE rank = latest GROUP BY playlist_id ORDER BY playlist_id
"""

_PLAYLIST_ITEMS = """
    WITH latest AS (
        SELECT playlist_id, max(rank) AS rank FROM playlist_items JOIN playlist_items_ranks USING (filename)
        GROUP BY playlist_id
    )
    SELECT playlist_id, position, min(coalesce(own.to_id, track_id)) AS track_id,
           arg_min(coalesce(artist.to_id, artist_id), row(coalesce(own.to_id, track_id), artist_id)) AS artist_id
    FROM playlist_items
    JOIN playlist_items_ranks USING (filename)
    JOIN latest USING (playlist_id, rank)
    LEFT JOIN track_aliases AS own ON own.from_id = track_id
    LEFT JOIN artist_aliases AS artist ON artist.from_id = artist_id
    GROUP BY playlist_id, position ORDER BY playlist_id, position
"""

# The last word counts, and one that was taken back is none.
_FEEDBACK = """
    SELECT user_id, track_id, score, given_at
    FROM (
        SELECT user_id, coalesce(to_id, track_id) AS track_id, score, given_at,
               row_number() OVER (
                   PARTITION BY user_id, coalesce(to_id, track_id) ORDER BY given_at DESC NULLS LAST, score
               ) AS age
        FROM feedback LEFT JOIN track_aliases ON from_id = track_id
    )
    WHERE age = 1 AND score <> 0 ORDER BY user_id, track_id
"""

_MERGED = {
    "artists": _ARTISTS,
    "tracks": _TRACKS,
    "tags": _TAGS,
    "texts": _TEXTS,
    "friends": _FRIENDS,
    "playlists": _PLAYLISTS,
    "playlist_items": _PLAYLIST_ITEMS,
    "feedback": _FEEDBACK,
}
