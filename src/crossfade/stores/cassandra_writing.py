"""What a release consists of in Cassandra, row by row; and its digests, by which it is verified."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import msgspec
import numpy as np

from crossfade.core.catalogue import Catalogue, Items
from crossfade.core.ids import MISSING, Ids, Rows
from crossfade.core.kinds import KINDS
from crossfade.core.names import folded
from crossfade.core.tables import EVERYONE, USER, SurfaceTable
from crossfade.stores.cassandra_schema import (
    BARE_USERS,
    ITEMS_A_BLOCK,
    LAYOUT,
    PAIR,
    RANKS_A_BLOCK,
    USER_IDS,
    USERS,
    USERS_A_BLOCK,
    block_of,
    text_digest,
)
from crossfade.stores.matching import name_digest, postings, spoken
from crossfade.stores.sqlite_schema import BLOB_TYPES

Values = tuple[Any, ...]


class Sum(NamedTuple):
    """The number of some rows, and a digest of all that does not depend on their order."""

    rows: int = 0
    digest: int = 0

    def plus(self, values: Iterable[Any]) -> "Sum":
        """Return the sum with one more row of texts, numbers, bytes and None."""
        row = hashlib.blake2b(digest_size=16)
        for value in values:
            content = value if isinstance(value, bytes) else str(value).encode()
            row.update(b"%d:%b" % (len(content), content))
        return Sum(self.rows + 1, (self.digest + int.from_bytes(row.digest(), "big")) % (1 << 128))

    def __str__(self) -> str:
        return f"{self.rows} {self.digest:032x}"

    @classmethod
    def parsed(cls, text: str) -> "Sum":
        """Return the sum that ``text`` shows."""
        rows, digest = text.split()
        return cls(int(rows), int(digest, 16))


NOTHING = Sum()
"""The sum of no rows."""


class Contents:
    """The rows of a release. The numbers of pairs, which `meta` says, are known after `blocks` was read to its end."""

    def __init__(self, tables: Sequence[SurfaceTable], catalogue: Catalogue) -> None:
        self.tables = sorted(tables, key=lambda table: table.name)
        self.users = Ids.of(user for table in tables if table.key == USER for user in table.keys if user != EVERYONE)
        self._catalogue = catalogue
        self._pairs: dict[str, int] = {}
        # By rank: the rows of the catalogue; and by row: the ranks.
        self._order = {
            kind: np.lexsort((np.arange(len(items)), -items.plays, -items.listeners))
            for kind, items in catalogue.items()
        }
        self._ranks: dict[str, Rows] = {}
        for kind, order in self._order.items():
            self._ranks[kind] = np.empty(len(order), dtype=np.int32)
            self._ranks[kind][order] = np.arange(len(order), dtype=np.int32)

    def rows(self) -> dict[str, int]:
        """Return the number of rows of each table, as a release's manifest has it."""
        return {
            **{KINDS[kind].plural: len(items) for kind, items in self._catalogue.items()},
            "users": len(self.users),
            **{table.name: len(table.items) for table in self.tables},
        }

    def lists(self, table: SurfaceTable) -> Iterator[Values]:
        """Yield the rows of a surface table: its name, a key, items, and each of its columns, sorted by name."""
        columns = {"items": self._ranks[table.kind][table.items]}
        columns |= {name: np.asarray(table.columns[name]) for name in sorted(table.columns)}
        if table.reason_kind is not None and "reason" in columns:
            reasons = columns["reason"]
            columns["reason"] = np.where(reasons == MISSING, MISSING, self._ranks[table.reason_kind][reasons])
        blobs = [_pieces(np.asarray(column, BLOB_TYPES[name]), table.indptr) for name, column in columns.items()]
        return ((table.name, *row) for row in zip(table.keys, *blobs, strict=True))

    def blocks(self) -> Iterator[Values]:
        """Yield the rows of all blocks but the meta block: name, place, content."""
        for kind, items in self._catalogue.items():
            yield from self._item_blocks(kind, items)
        for place, start in enumerate(range(0, len(self.users), USERS_A_BLOCK)):
            yield USERS, place, msgspec.msgpack.encode(self.users[start : start + USERS_A_BLOCK])
        places = range(len(self.users))
        yield from self._digest_blocks(USER_IDS, zip(map(text_digest, self.users), places, strict=True))
        bare = (text_digest(user.partition(":")[2] or user) for user in self.users)
        yield from self._digest_blocks(BARE_USERS, zip(bare, places, strict=True))

    def meta(self, sums: Mapping[str, Sum]) -> bytes:
        """Return the meta block; ``sums`` are of the rows by table."""
        described = {
            "layout": LAYOUT,
            "sums": {name: str(one) for name, one in sums.items()},
            "pairs": self._pairs,
            "users": len(self.users),
            "kinds": {
                kind: {
                    "parent": parent if (parent := KINDS[kind].parent) in self._catalogue else None,
                    "fields": [*items.fields],
                }
                for kind, items in self._catalogue.items()
            },
            "tables": [
                {name: getattr(table, name) for name in ("name", "surface", "key", "kind", "reason_kind")}
                | {"columns": sorted(table.columns), "keys": len(table.keys)}
                for table in self.tables
            ],
        }
        return json.dumps(described).encode()

    def _item_blocks(self, kind: str, items: Items) -> Iterator[Values]:
        order = self._order[kind].tolist()
        ids, names = items.ids[:], list(items.names)
        parent_kind, parents = KINDS[kind].parent or "", [MISSING] * len(items)
        above: Items | None = None
        if items.parents is not None and parent_kind in self._catalogue:
            above, parents = self._catalogue[parent_kind], items.parents.tolist()
        fields = [_plain(values) for values in items.fields.values()]
        folded_names = list(map(folded, names))
        folded_above = [] if above is None else list(map(folded, above.names))
        listeners, plays = items.listeners.tolist(), items.plays.tolist()
        for place, start in enumerate(range(0, len(order), ITEMS_A_BLOCK)):
            block = [
                (
                    ids[row],
                    names[row],
                    folded_names[row],
                    *(
                        (None, None, None)
                        if above is None or parents[row] == MISSING
                        else (above.ids[parents[row]], above.names[parents[row]], folded_above[parents[row]])
                    ),
                    listeners[row],
                    plays[row],
                    *(values[row] or None for values in fields),
                )
                for row in order[start : start + ITEMS_A_BLOCK]
            ]
            yield f"{kind}_items", place, msgspec.msgpack.encode(block)
        by_id = ((text_digest(ids[row]), rank) for rank, row in enumerate(order))
        yield from self._digest_blocks(f"{kind}_ids", by_id)
        known = [
            spoken(folded_names[row], None if parents[row] == MISSING else folded_above[parents[row]]) for row in order
        ]
        by_name = ((digest, rank) for rank, one in enumerate(known) for digest in {*map(name_digest, one)})
        yield from self._digest_blocks(f"{kind}_names", by_name)
        for gram, ranks in postings([one[-1] for one in known]):
            for place, start in enumerate(range(0, len(ranks), RANKS_A_BLOCK)):
                content = ranks[start : start + RANKS_A_BLOCK].astype(BLOB_TYPES["items"]).tobytes()
                yield f"{kind}_grams {gram}", place, content

    def _digest_blocks(self, name: str, pairs: Iterable[tuple[int, int]]) -> Iterator[Values]:
        """Yield blocks of pairs of a digest and a place, each block sorted."""
        listed = np.fromiter(pairs, dtype=PAIR)
        self._pairs[name] = len(listed)
        if not len(listed):
            return
        block = block_of(listed["digest"], len(listed))
        listed = listed[np.lexsort((listed["place"], listed["digest"], block))]
        ends = np.cumsum(np.bincount(block))
        for place, (start, end) in enumerate(pairwise([0, *ends.tolist()])):
            if start < end:
                yield name, place, listed[start:end].tobytes()


def _pieces(column: np.ndarray, offsets: np.ndarray) -> Iterator[bytes]:
    """Yield the bytes of each list of ``column``, which begin at ``offsets``."""
    content, ends = column.tobytes(), (offsets * column.itemsize).tolist()
    return (content[start:end] for start, end in pairwise(ends))


def _plain(values: Sequence[str] | np.ndarray) -> list[Any]:
    return values.tolist() if isinstance(values, np.ndarray) else list(values)
