"""Whose history an import has.

Files either name their listeners, as data sets do, or nobody, as most exports of one person do: their rows are of the
user that ``--user`` names, or of "me". Two people's files must not become one listener unnoticed. One person cannot
have two histories of one service that cover the same time and have next to no listen in common, so such a file is
refused until ``--user`` says whose it is; so is one whose listens are mostly those of somebody else.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from crossfade.core.buckets import bucket_of
from crossfade.core.errors import InputError
from crossfade.core.home import Home
from crossfade.core.queries import open_queries
from crossfade.core.schemas import COUNTS, LISTENS
from crossfade.importing.ledger import DEFAULT_USER
from crossfade.importing.library import Import, imports, listens_of_buckets

FEWEST = 2
"""Listens of either history in the time that both cover; with fewer, nothing is concluded."""

COMMON = 0.1
"""The share of listens in common from which on two histories of one service are one person's."""

SAME = 0.5
"""The share of listens in common from which on a file is somebody's history again."""


class Listeners:
    """The users of an import's rows, counted as its tables are written.

    A table's users come in groups, without a user in two of them.
    """

    def __init__(self, default_user: str) -> None:
        self._default_user = default_user
        self._has_default = False
        self._counted: Counter[str] = Counter()
        self._names: set[str] = set()

    def take(self, table: str, users: pa.ChunkedArray) -> None:
        """Take the users of a group of rows of ``table``."""
        distinct = users.unique()
        self._counted[table] += len(distinct)
        self._has_default |= pc.index(distinct, self._default_user).as_py() >= 0
        if len(self._names) < 2:
            self._names.update(distinct[:2].to_pylist())

    @property
    def number(self) -> int:
        """How many there are; at least, for an import with both listens and counts of many users."""
        return max(len(self._names), *self._counted.values(), 0)

    @property
    def own(self) -> str | None:
        """The user of the rows that name nobody, or the only user that rows name; None for a data set."""
        if self._has_default:
            return self._default_user
        return next(iter(self._names)) if self.number == 1 else None


def own_listeners(home: Home) -> list[str]:
    """Return the users of the home's personal histories, in order; those of data sets and invented ones are none."""
    ledgers = [one.ledger for one in imports(home) if not one.invented]
    return sorted({ledger.listener for ledger in ledgers if ledger.listener is not None})


@dataclass(frozen=True)
class Listener:
    """One user of a home.

    listens      plays, skipped ones not included, and the numbers of plays that sources counted
    first, last  the times of the first and the last of them that has one, as ISO 8601
    imports      the names of the imports that have them
    own          whether an import is this user's own history
    """

    user: str
    listens: int
    first: str | None
    last: str | None
    imports: list[str]
    own: bool


def listeners(home: Home, users: Collection[str] | None) -> list[Listener]:
    """Return ``users``, or all for None, in their order, from the imports of the home that can be read."""
    own = set(own_listeners(home))
    readable = [one for one in imports(home) if one.readable]
    names = {str(path): one.name for one in readable for table in ("listens", "counts") for path in one.files(table)}
    with open_queries(home.path / "spill") as queries:
        for table, schema in (("listens", LISTENS), ("counts", COUNTS)):
            queries.view(table, [path for one in readable for path in one.files(table)], schema)
        found = queries.rows(_LISTENERS, users=None if users is None else list(users))
    return [
        Listener(user, plays, first, last, sorted({names[path] for path in paths}), user in own)
        for user, plays, first, last, paths in found
    ]


_LISTENERS = """
    SELECT user_id, CAST(sum(plays) AS BIGINT), strftime(min(listened_at), '%Y-%m-%dT%H:%M:%SZ'),
           strftime(max(listened_at), '%Y-%m-%dT%H:%M:%SZ'), list(DISTINCT filename)
    FROM (
        SELECT user_id, CAST(NOT skipped AS BIGINT) AS plays, CAST(listened_at AS TIMESTAMP) AS listened_at, filename
        FROM listens
        UNION ALL
        SELECT user_id, plays, NULL, filename FROM counts
    )
    WHERE $users IS NULL OR list_contains(CAST($users AS VARCHAR[]), user_id)
    GROUP BY user_id ORDER BY user_id
"""


def refuse_doubt(rows: pa.Table, earlier: Sequence[Import], path: Path) -> None:
    """Raise InputError where it is doubtful that ``rows``, listens that name nobody, are the default user's.

    ``earlier`` are the imports of the same format; ``rows`` has the columns of listens, without duplicates.
    """
    for user in sorted({one.ledger.listener for one in earlier if one.ledger.listener is not None}):
        for compared in _compared(rows, user, earlier):
            if user == DEFAULT_USER and compared.common < COMMON:
                raise InputError(
                    f"names nobody, and is not from the person who is {user!r} here so far: {compared}. Say whose "
                    f"history it is: --user NAME, or --user {user} if it is the same person's.",
                    path=path,
                )
            if user != DEFAULT_USER and compared.common >= SAME:
                raise InputError(
                    f"names nobody, and looks like the history of {user!r}: {compared}. Say whose history it is: "
                    f"--user {user}, or --user NAME",
                    path=path,
                )


@dataclass(frozen=True)
class _Compared:
    """The listens of two histories in the time that both cover."""

    new: int
    known: int
    same: int
    since: int
    until: int

    @property
    def common(self) -> float:
        return self.same / min(self.new, self.known)

    def __str__(self) -> str:
        since, until = (np.datetime64(time, "ms").astype("datetime64[D]") for time in (self.since, self.until))
        return (
            f"from {since} to {until} it has {self.new:,} listens and that history {self.known:,}, "
            f"{self.same:,} of them in common"
        )


def _compared(rows: pa.Table, user: str, earlier: Sequence[Import]) -> Iterator[_Compared]:
    """Compare ``rows`` with the history of ``user`` in ``earlier``, one kind of item at a time: exports split them."""
    bucket, times = bucket_of(user), _times(rows)
    span = int(times.min()), int(times.max())
    plain = pa.schema([field for field in LISTENS if field.name in ("listened_at", "kind", "item_id")])
    tables = [plain.empty_table()]
    for one in earlier:
        if one.ledger.listener == user:
            found = listens_of_buckets(one.path, bucket, bucket, pa.array([user]), span)
            tables += [table.select(plain.names).cast(plain) for table in found]
    known = pa.concat_tables(tables)
    for kind in pc.unique(rows["kind"]).to_pylist():
        ours, theirs = (table.filter(pc.equal(table["kind"], kind)) for table in (rows, known))
        times, before = _times(ours), _times(theirs)
        if not len(before):
            continue
        since, until = max(times.min(), before.min()), min(times.max(), before.max())
        ours, theirs = (t.filter((at >= since) & (at <= until)) for t, at in ((ours, times), (theirs, before)))
        if min(len(ours), len(theirs)) >= FEWEST:
            ids = pc.unique(ours["item_id"])
            pairs = [_pairs(table, ids) for table in (ours, theirs)]
            same = int(np.isin(pairs[0], pairs[1]).sum())
            yield _Compared(len(ours), len(theirs), same, int(since), int(until))


def _times(rows: pa.Table) -> npt.NDArray[np.int64]:
    times: npt.NDArray[np.int64] = rows["listened_at"].cast(pa.int64()).to_numpy()
    return times


def _pairs(rows: pa.Table, ids: pa.Array) -> npt.NDArray[np.void]:
    """Return (n,) the time and the place of the item among ``ids`` of each row; -1 for one that is not there."""
    items = pc.fill_null(pc.index_in(rows["item_id"], value_set=ids), -1).to_numpy().astype(np.int64)
    columns = np.ascontiguousarray(np.column_stack([_times(rows), items]))
    return columns.view([("time", np.int64), ("item", np.int64)])[:, 0]
