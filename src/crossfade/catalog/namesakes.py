"""Namesakes: two sources' items of one name that are not the same item, told apart by the taste of their listeners.

Who plays an item in one source plays much the same besides as who plays it in another. Let p(z) be how many listeners
of the item in the one source play z, q(z) how many in the other source, and b(z) how many of all listeners there. If
both are one item, then

    observed = Σ p(z) q(z)    is well above    expected = Σ p(z) b(z) · Σ q(z) / Σ b(z)

which is what listeners of anything would give. Two items are kept apart if ``expected`` is large enough to tell and
less than half of it is observed; otherwise the name decides. Chosen by measurement: docs/decisions/0018.

Of each import a sample of listeners is read, of each item a sample of them, and of each listener a sample of items, so
the cost is bounded by the number of names that two sources share. Samples follow from the ids alone.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from crossfade.core.kinds import Kind
from crossfade.core.queries import Queries, rows_about
from crossfade.core.schemas import COUNTS, LISTENS

LEAST_EXPECTED = 4.0
"""Plays in common to expect by chance; with fewer, their absence says nothing."""

LEAST_LISTENERS = 3
"""Listeners of the item in the source where it has more of them."""

LEAST_LIFT = 0.5
"""Of the expectation; with less observed, items are kept apart."""

SAMPLED_USERS = 20_000  # of an import
SAMPLED_LISTENERS = 20  # of an item
SAMPLED_ITEMS = 500  # of a listener


def read_listeners(queries: Queries, tables: Mapping[str, Sequence[Path]]) -> None:
    """Make the view ``heard`` (place, user_id, kind, item_id, parent_id) of all plays; ``place`` numbers imports."""
    queries.view("listens", tables.get("listens", ()), LISTENS)
    queries.view("counts", tables.get("counts", ()), COUNTS)
    paths = [*tables.get("listens", ()), *tables.get("counts", ())]
    parents = [path.parent.parent if path.parent.name == "listens" else path.parent for path in paths]
    places = {parent: place for place, parent in enumerate(dict.fromkeys(parents))}
    queries.run("CREATE TEMP TABLE places (filename VARCHAR, place INTEGER)")
    for path, parent in zip(paths, parents, strict=True):
        queries.run("INSERT INTO places VALUES ($filename, $place)", filename=str(path), place=places[parent])
    queries.run(_HEARD)


def tell_apart(queries: Queries, kind: Kind, always: Sequence[str]) -> None:
    """Move the ``aliases`` of ``kind``, a root, that taste speaks against to the table ``namesakes``.

    Names in ``always``, normalised, stay joined.
    """
    if not queries.rows("SELECT 1 FROM aliases WHERE kind = $kind LIMIT 1", kind=kind.name):
        return
    queries.run(_LISTENERS.format(rows_about(kind.name, "heard")), kind=kind.name, users=SAMPLED_USERS)
    queries.run(_PAIRS, kind=kind.name, always=list(always), least=LEAST_LISTENERS)
    queries.run(_TASTES, listeners=SAMPLED_LISTENERS, items=SAMPLED_ITEMS)
    queries.run(_NAMESAKES, kind=kind.name, least=LEAST_EXPECTED, lift=LEAST_LIFT)
    queries.run("DELETE FROM aliases WHERE (kind, from_id) IN (SELECT kind, from_id FROM namesakes)")


_HEARD = """
    CREATE TEMP VIEW heard AS
        SELECT place, user_id, kind, item_id, parent_id
        FROM (
            SELECT user_id, kind, item_id, parent_id, filename FROM listens WHERE NOT skipped
            UNION ALL
            SELECT user_id, kind, item_id, parent_id, filename FROM counts
        ) JOIN places USING (filename)
"""

# Each sampled listener of each import with each item, by its own id and by the id that it stands for.
_LISTENERS = """
    CREATE OR REPLACE TEMP TABLE listeners AS
        WITH about AS ({0}), sampled AS (
            SELECT place, user_id, md5(user_id) AS draw FROM (SELECT DISTINCT place, user_id FROM about)
            QUALIFY row_number() OVER (PARTITION BY place ORDER BY md5(user_id), user_id) <= $users
        )
        SELECT DISTINCT place, user_id, draw, item AS id, coalesce(to_id, item) AS joined_id
        FROM about JOIN sampled USING (place, user_id) LEFT JOIN aliases ON aliases.kind = $kind AND from_id = item
"""

# Both sides of each alias in the import where most play it: x where fewer do, y where more do.
_PAIRS = """
    CREATE OR REPLACE TEMP TABLE pairs AS
        WITH counted AS (
            SELECT id, place, count(*) AS listeners FROM listeners
            WHERE id IN (SELECT unnest([from_id, to_id]) FROM aliases WHERE kind = $kind)
            GROUP BY id, place
            QUALIFY row_number() OVER (PARTITION BY id ORDER BY count(*) DESC, place) = 1
        ), sided AS (
            SELECT aliases.*, ours, theirs, (ours.listeners, ours.id) < (theirs.listeners, theirs.id) AS in_order
            FROM aliases JOIN counted AS ours ON ours.id = from_id JOIN counted AS theirs ON theirs.id = to_id
            WHERE aliases.kind = $kind AND ours.place <> theirs.place
              AND from_id NOT IN (SELECT id FROM keys WHERE list_contains(CAST($always AS VARCHAR[]), key))
        ), ordered AS (
            SELECT from_id, to_id, if(in_order, ours, theirs) AS few, if(in_order, theirs, ours) AS many FROM sided
        )
        SELECT from_id, to_id, few.id AS x, few.place AS x_place, many.id AS y, many.place AS y_place
        FROM ordered WHERE many.listeners >= $least
"""

# For each side of each pair, what a sample of its listeners plays besides, and how many of them do.
_TASTES = """
    CREATE OR REPLACE TEMP TABLE tastes AS
        WITH sides AS (
            SELECT from_id, to_id, 'x' AS side, x AS id, x_place AS place FROM pairs
            UNION ALL
            SELECT from_id, to_id, 'y', y, y_place FROM pairs
        ), drawn AS (
            SELECT from_id, to_id, side, place, user_id FROM sides JOIN listeners USING (id, place)
            QUALIFY row_number() OVER (PARTITION BY from_id, side ORDER BY draw, user_id) <= $listeners
        ), theirs AS (
            SELECT DISTINCT place, user_id, joined_id FROM listeners
            WHERE (place, user_id) IN (SELECT (place, user_id) FROM drawn)
            QUALIFY row_number() OVER (
                PARTITION BY place, user_id ORDER BY md5(user_id || joined_id), joined_id
            ) <= $items
        )
        SELECT from_id, side, joined_id, count(*) AS n FROM drawn JOIN theirs USING (place, user_id)
        WHERE joined_id <> to_id GROUP BY ALL
"""

_NAMESAKES = """
    INSERT INTO namesakes
        WITH background AS (
            SELECT place, joined_id, count(DISTINCT user_id) AS n FROM listeners GROUP BY ALL
        ), totals AS (
            SELECT place, sum(n) AS n FROM background GROUP BY place
        ), active AS (
            SELECT from_id, sum(n) AS n FROM tastes WHERE side = 'y' GROUP BY from_id
        ), compared AS (
            SELECT pairs.from_id, pairs.to_id, sum(x.n * coalesce(y.n, 0)) AS observed,
                   sum(x.n * background.n) * any_value(active.n) / any_value(totals.n) AS expected
            FROM pairs
            JOIN tastes AS x ON x.from_id = pairs.from_id AND x.side = 'x'
            JOIN background ON background.place = y_place AND background.joined_id = x.joined_id
            JOIN active ON active.from_id = pairs.from_id
            JOIN totals ON totals.place = y_place
            LEFT JOIN tastes AS y ON y.from_id = pairs.from_id AND y.side = 'y' AND y.joined_id = x.joined_id
            GROUP BY pairs.from_id, pairs.to_id
        )
        SELECT $kind, from_id, to_id, CAST(observed AS BIGINT), CAST(round(expected) AS BIGINT)
        FROM compared WHERE expected >= $least AND observed < $lift * expected
"""
