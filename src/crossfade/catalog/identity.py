"""Which ids of several sources are one item, for every kind of item.

A source knows its own catalogue: ids of one source are never merged with each other, MusicBrainz
identifiers included. Between sources, names decide, and only where they are unambiguous:

1. The id ``s`` of a source joins the MusicBrainz identifier ``m`` if they share a normalised name that no
   other id of that source and no other MusicBrainz identifier has, if no other name of ``s`` points elsewhere,
   and if no other id of that source would join ``m`` as well.
2. An id that was made from a name joins the only item of that name after step 1, or the only one among
   several that has a MusicBrainz identifier.

What a name joins in steps 1 and 2, the taste of the listeners may part again (`crossfade.catalog.namesakes`).

A child is compared by its name together with its parent's id, once the parents are settled. Linear in the names,
but for sorting.
"""

from dataclasses import dataclass

from crossfade.catalog.namesakes import tell_apart
from crossfade.core.kinds import KINDS, Kind
from crossfade.core.names import NAMED, normalised
from crossfade.core.queries import Queries
from crossfade.core.settings import Checked


@dataclass(frozen=True, kw_only=True)
class CatalogSettings(Checked):
    """How far names are trusted to say that two sources mean the same."""

    join_sources: bool = True  # ids of other sources join the MusicBrainz identifier of their name
    join_names: bool = True  # ids made from names join the only item of that name
    compare_taste: bool = True  # namesakes stay apart if their listeners in two sources have too little in common
    same: tuple[str, ...] = ()  # names of artists and shows that are joined whatever their listeners have in common


def parents_first() -> list[Kind]:
    """Every kind of item, roots before their children."""
    return sorted(KINDS.values(), key=lambda kind: kind.parent is not None)


def find_aliases(queries: Queries, settings: CatalogSettings) -> None:
    """Make a table ``aliases`` (kind, from_id, to_id) of the views of all items, which are called by their plural.

    No to_id is itself a from_id. What is kept apart by taste, from the view ``heard`` of `namesakes.read_listeners`, is
    in a table ``namesakes`` with the columns of `schemas.NAMESAKES`.
    """
    queries.function("normalised", normalised)
    queries.run("CREATE TEMP TABLE aliases (kind VARCHAR, from_id VARCHAR, to_id VARCHAR)")
    queries.run("CREATE TEMP TABLE namesakes AS SELECT *, 0::BIGINT AS observed, 0::BIGINT AS expected FROM aliases")
    for kind in parents_first():
        queries.run(_ROOT_KEYS.format(kind) if kind.parent is None else _CHILD_KEYS.format(kind))
        queries.run(_SOURCES, named=NAMED)
        queries.run(_JOIN_SOURCES, kind=kind.name, wanted=settings.join_sources)
        queries.run(_JOIN_NAMES, kind=kind.name, wanted=settings.join_names)
        if settings.compare_taste and kind.parent is None:
            tell_apart(queries, kind, [normalised(name) for name in settings.same])


_ROOT_KEYS = """
    CREATE OR REPLACE TEMP TABLE keys AS SELECT DISTINCT item_id AS id, normalised(name) AS key FROM {0.plural}
"""

_CHILD_KEYS = """
    CREATE OR REPLACE TEMP TABLE keys AS
        SELECT DISTINCT item_id AS id, coalesce(to_id, parent_id) || chr(31) || nullif(normalised(name), '') AS key
        FROM {0.plural} LEFT JOIN aliases ON kind = '{0.parent}' AND from_id = parent_id
"""

# source: which catalogue an id is from. MusicBrainz identifiers have no prefix.
_SOURCES = """
    CREATE OR REPLACE TEMP TABLE named AS
        SELECT id, key,
               CASE WHEN starts_with(id, $named) THEN 'name'
                    WHEN regexp_full_match(id, '[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}') THEN 'mbid'
                    WHEN contains(id, ':') THEN 'source ' || split_part(id, ':', 1)
                    ELSE 'source' END AS source
        FROM keys WHERE key <> ''
"""

_JOIN_SOURCES = """
    INSERT INTO aliases
        WITH alone AS (
            SELECT key, source, min(id) AS id FROM named WHERE source <> 'name'
            GROUP BY key, source HAVING count(*) = 1
        ), decided AS (
            SELECT other.id AS from_id, other.source, min(mbid.id) AS to_id
            FROM alone AS other JOIN alone AS mbid USING (key)
            WHERE other.source <> 'mbid' AND mbid.source = 'mbid' AND $wanted
            GROUP BY other.id, other.source HAVING count(DISTINCT mbid.id) = 1
        )
        SELECT $kind, min(from_id), to_id FROM decided GROUP BY to_id, source HAVING count(*) = 1
"""

_JOIN_NAMES = """
    INSERT INTO aliases
        WITH others AS (
            SELECT DISTINCT key, coalesce(to_id, id) AS id, source = 'mbid' OR to_id IS NOT NULL AS is_mbid
            FROM named LEFT JOIN aliases ON kind = $kind AND from_id = id
            WHERE source <> 'name'
        ), targets AS (
            SELECT key, CASE WHEN count(*) = 1 THEN min(id) ELSE min(id) FILTER (WHERE is_mbid) END AS to_id
            FROM others GROUP BY key HAVING count(*) = 1 OR count(*) FILTER (WHERE is_mbid) = 1
        )
        SELECT $kind, id, min(to_id)
        FROM named JOIN targets USING (key)
        WHERE source = 'name' AND $wanted
        GROUP BY id HAVING count(DISTINCT to_id) = 1
"""
