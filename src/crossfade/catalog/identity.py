"""Which ids of several sources are one artist, or one track.

A source knows its own catalogue: ids of one source are never merged with each other, MusicBrainz
identifiers included. Between sources, names decide, and only where they leave no doubt:

1. The id ``s`` of a source joins the MusicBrainz identifier ``m`` if they share a normalised name that no
   other id of that source and no other MusicBrainz identifier has, if no other name of ``s`` points elsewhere,
   and if no other id of that source would join ``m`` as well.
2. An id that was made from a name joins the only artist of that name after step 1, or the only one among
   several that has a MusicBrainz identifier.

A track's name is its title together with its artist, once the artists are settled. Linear in the names, but
for sorting.
"""

from dataclasses import dataclass

from crossfade.core.errors import SettingsError
from crossfade.core.queries import Queries


@dataclass(frozen=True, kw_only=True)
class CatalogSettings:
    """How far names are trusted to say that two sources mean the same."""

    join_sources: bool = True  # ids of other sources join the MusicBrainz identifier of their name
    join_names: bool = True  # ids made from names join the only artist or track of that name

    def __post_init__(self) -> None:
        for name in ("join_sources", "join_names"):
            if not isinstance(getattr(self, name), bool):
                raise SettingsError(f"{name} must be true or false, not {getattr(self, name)!r}")


def find_aliases(queries: Queries, settings: CatalogSettings) -> None:
    """Make tables ``artist_aliases`` and ``track_aliases`` (from_id, to_id) of the views ``artists`` and ``tracks``.

    No to_id is itself a from_id.
    """
    from crossfade.core.schemas import normalised

    queries.function("normalised", normalised)
    queries.run(
        "CREATE TEMP TABLE artist_known AS SELECT DISTINCT artist_id AS id, normalised(name) AS key FROM artists"
    )
    _join(queries, "artist", settings)
    queries.run(
        """
        CREATE TEMP TABLE track_known AS
            SELECT DISTINCT track_id AS id,
                   coalesce(aliases.to_id, tracks.artist_id) || chr(31) || nullif(normalised(title), '') AS key
            FROM tracks LEFT JOIN artist_aliases AS aliases ON aliases.from_id = tracks.artist_id
        """
    )
    _join(queries, "track", settings)


def _join(queries: Queries, kind: str, settings: CatalogSettings) -> None:
    """Make ``<kind>_aliases`` from ``<kind>_known`` (id, key)."""
    from crossfade.core.schemas import NAMED

    queries.run(_KNOWN.format(kind=kind), named=NAMED)
    queries.run(_SOURCES.format(kind=kind), wanted=settings.join_sources)
    queries.run(_NAMES.format(kind=kind), wanted=settings.join_names)
    queries.run(
        f"""
        CREATE TEMP TABLE {kind}_aliases AS
            SELECT * FROM {kind}_of_source UNION ALL SELECT * FROM {kind}_of_name
        """  # noqa: S608  # "artist" or "track"
    )


# source: which catalogue an id is from. MusicBrainz identifiers stand without the name of a source.
_KNOWN = """
    CREATE TEMP TABLE {kind}_named AS
        SELECT id, key,
               CASE WHEN starts_with(id, $named) THEN 'name'
                    WHEN regexp_full_match(id, '[0-9a-fA-F]{{8}}(-[0-9a-fA-F]{{4}}){{3}}-[0-9a-fA-F]{{12}}') THEN 'mbid'
                    WHEN contains(id, ':') THEN 'source ' || split_part(id, ':', 1)
                    ELSE 'source' END AS source
        FROM {kind}_known WHERE key <> ''
"""

_SOURCES = """
    CREATE TEMP TABLE {kind}_of_source AS
        WITH alone AS (
            SELECT key, source, min(id) AS id FROM {kind}_named WHERE source <> 'name'
            GROUP BY key, source HAVING count(*) = 1
        ), decided AS (
            SELECT other.id AS from_id, other.source, min(mbid.id) AS to_id
            FROM alone AS other JOIN alone AS mbid USING (key)
            WHERE other.source <> 'mbid' AND mbid.source = 'mbid' AND $wanted
            GROUP BY other.id, other.source HAVING count(DISTINCT mbid.id) = 1
        )
        SELECT min(from_id) AS from_id, to_id FROM decided GROUP BY to_id, source HAVING count(*) = 1
"""

_NAMES = """
    CREATE TEMP TABLE {kind}_of_name AS
        WITH others AS (
            SELECT DISTINCT key, coalesce(to_id, id) AS id, source = 'mbid' OR to_id IS NOT NULL AS is_mbid
            FROM {kind}_named LEFT JOIN {kind}_of_source ON from_id = id
            WHERE source <> 'name'
        ), targets AS (
            SELECT key, CASE WHEN count(*) = 1 THEN min(id) ELSE min(id) FILTER (WHERE is_mbid) END AS to_id
            FROM others GROUP BY key HAVING count(*) = 1 OR count(*) FILTER (WHERE is_mbid) = 1
        )
        SELECT id AS from_id, min(to_id) AS to_id
        FROM {kind}_named JOIN targets USING (key)
        WHERE source = 'name' AND $wanted
        GROUP BY id HAVING count(DISTINCT to_id) = 1
"""
