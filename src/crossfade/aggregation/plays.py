"""The plays that count for items of one kind, as views of a connection, of all users or of some buckets of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from crossfade.core.buckets import bucket_of, may_have
from crossfade.core.errors import NotReadyError
from crossfade.core.kinds import KINDS
from crossfade.core.queries import Queries, rows_about

LEAN_BACK = ("radio", "autoplay")
"""The sources of listens that nobody chose: they tell half as much about a taste."""


@dataclass(frozen=True, kw_only=True)
class Plays:
    """Where plays lie, and which of them count.

    kind             of the items
    listens, counts  Parquet files of these tables
    playlists        the table of playlist items, each of which is a play without a time; None for listens and counts
    aliases          the table that says which ids stand for another; None: none does
    before           listens from then on don't count, in milliseconds since 1970; None: all count
    """

    kind: str
    listens: tuple[Path, ...] = ()
    counts: tuple[Path, ...] = ()
    playlists: Path | None = None
    aliases: Path | None = None
    before: int | None = None

    @classmethod
    def of(cls, tables: Mapping[str, Sequence[Path]], catalog: Path | None, kind: str, before: int | None) -> "Plays":
        """The listens and counts among ``tables``, by the aliases in the directory ``catalog``."""
        listens, counts = (tuple(tables.get(name, ())) for name in ("listens", "counts"))
        aliases = None if catalog is None else catalog / "aliases.parquet"
        return cls(kind=kind, listens=listens, counts=counts, aliases=aliases, before=before)

    @classmethod
    def of_playlists(cls, catalog: Path, kind: str) -> "Plays":
        """The playlists in the directory ``catalog``, which has settled the ids of items already."""
        return cls(kind=kind, playlists=catalog / "playlist_items.parquet")

    @property
    def paths(self) -> list[Path]:
        """The files of plays."""
        return [*self.listens, *self.counts, *(() if self.playlists is None else (self.playlists,))]

    def define(self, queries: Queries, buckets: tuple[int, int] | None = None) -> None:
        """Make the view ``events`` of the plays, with their ids as ``item``, and the view ``aliases``.

        buckets  the first and the last one of the users whose plays are seen; None: all users

        Raises NotReadyError if nothing has been imported at all.
        """
        from crossfade.core.schemas import ALIASES, COUNTS, LISTENS, PLAYLIST_ITEMS

        queries.view("all_aliases", () if self.aliases is None else (self.aliases,), ALIASES)
        if self.playlists is not None:
            queries.view("playlist_items", (self.playlists,), PLAYLIST_ITEMS)
            queries.run(_PLAYLIST_PLAYS)
        else:
            listens = [path for path in self.listens if buckets is None or may_have(path, *buckets)]
            queries.view("listens", listens, LISTENS)
            queries.view("counts", self.counts, COUNTS)
            if buckets is None and not queries.rows("SELECT 1 FROM listens UNION ALL SELECT 1 FROM counts LIMIT 1"):
                raise NotReadyError("There are no listens yet. Run `crossfade import` with your listening history.")
            until = "" if self.before is None else f" AND epoch_ms(listened_at) < {self.before}"
            queries.run(_PLAYS.format(lean_back=LEAN_BACK, until=until, most=np.iinfo(np.int32).max))
        _view_of_users(queries, "plays", "all_plays", buckets)
        self._define_events(queries)

    def _define_events(self, queries: Queries) -> None:
        once = [name for name, other in KINDS.items() if self.kind in (name, other.parent) and not other.repeats]
        if once:
            queries.run(_COUNTED_PLAYS.format(kinds=", ".join(f"'{name}'" for name in once)))
        about = rows_about(self.kind, "counted_plays" if once else "plays")
        queries.run(f"CREATE TEMP VIEW events AS {about}")
        aliases = f"SELECT from_id, to_id FROM all_aliases WHERE kind = '{self.kind}'"  # noqa: S608  # a name of KINDS
        queries.run(f"CREATE TEMP VIEW aliases AS {aliases}")


def view_listens(queries: Queries, paths: Sequence[Path], buckets: tuple[int, int] | None = None) -> None:
    """Make the view ``listens`` of the Parquet files ``paths``, of users in ``buckets``, the first and the last one."""
    from crossfade.core.schemas import LISTENS

    if buckets is not None:
        paths = [path for path in paths if may_have(path, *buckets)]
    queries.view("all_listens", paths, LISTENS)
    _view_of_users(queries, "listens", "all_listens", buckets)


def _view_of_users(queries: Queries, name: str, rows: str, buckets: tuple[int, int] | None) -> None:
    """Make the view ``name`` of the ``rows`` of users in ``buckets``; None: of all users."""
    if buckets is None:
        queries.run(f"CREATE TEMP VIEW {name} AS SELECT * FROM {rows}")  # noqa: S608  # names of this module
        return
    first, last = buckets
    queries.function("bucket", lambda user: str(bucket_of(user)))
    queries.run(_SOME_USERS.format(rows=rows, first=first, last=last))
    queries.run(f"CREATE TEMP VIEW {name} AS SELECT * FROM {rows} SEMI JOIN some_users USING (user_id)")  # noqa: S608


# seconds: NULL where the time is unknown
_PLAYS = """
    CREATE TEMP VIEW all_plays AS
        SELECT user_id, kind, item_id, parent_id, 1 AS plays, epoch_ms(listened_at) // 1000 AS seconds,
               lower(source) IN {lean_back} AS lean_back
        FROM listens WHERE NOT skipped{until}
        UNION ALL
        SELECT user_id, kind, item_id, parent_id, CAST(least(plays, {most}) AS INTEGER), NULL, false
        FROM counts WHERE plays >= 1
"""

_PLAYLIST_PLAYS = """
    CREATE TEMP VIEW all_plays AS
        SELECT playlist_id AS user_id, kind, item_id, parent_id, 1 AS plays, CAST(NULL AS BIGINT) AS seconds,
               false AS lean_back
        FROM playlist_items
"""

_SOME_USERS = """
    CREATE TEMP TABLE some_users AS
        SELECT user_id FROM (SELECT DISTINCT user_id FROM {rows})
        WHERE CAST(bucket(user_id) AS INTEGER) BETWEEN {first} AND {last}
"""

# All plays but, of kinds that do not repeat, only the latest of each item by each user.
_COUNTED_PLAYS = """
    CREATE TEMP VIEW counted_plays AS
        SELECT * FROM plays WHERE kind NOT IN ({kinds})
        UNION ALL
        SELECT plays.* REPLACE (1 AS plays)
        FROM plays LEFT JOIN all_aliases AS own ON own.kind = plays.kind AND from_id = item_id
        WHERE plays.kind IN ({kinds})
        QUALIFY row_number() OVER (
            PARTITION BY user_id, plays.kind, coalesce(to_id, item_id)
            ORDER BY seconds DESC NULLS LAST, lean_back, parent_id
        ) = 1
"""
