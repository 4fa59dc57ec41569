"""Reading a release in Cassandra: every question is a bounded number of reads by key."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np

from crossfade.core.errors import ArtifactError, NotReadyError, UnknownIdError
from crossfade.core.ids import MISSING, Rows
from crossfade.core.names import folded
from crossfade.stores.cassandra_schema import (
    BARE_USERS,
    GRAM_BLOCKS,
    ITEMS_A_BLOCK,
    PAIR,
    RANKS_A_BLOCK,
    USER_IDS,
    USERS,
    USERS_A_BLOCK,
    block_of,
    table_of,
    text_digest,
)
from crossfade.stores.cassandra_session import CassandraSession
from crossfade.stores.contract import Entry, Found, Item, Named, Reason, TableInfo, Version
from crossfade.stores.matching import (
    CANDIDATES,
    LONGEST_QUESTION,
    NOTHING,
    SQUEEZED,
    SUGGESTIONS,
    grams,
    how_well,
    in_all,
    in_most,
    name_digest,
    nearest_names,
    spoken,
)
from crossfade.stores.sqlite_schema import BLOB_TYPES, blob_values

MOST_ITEMS = 100_000  # of a kind that are remembered, some 80 MB; lists name the same items again and again
LONGEST_KEY = 60_000  # bytes; Cassandra has no longer ones


class _Record(NamedTuple):
    """An item as its block has it."""

    item: Named
    parent: Named | None
    names: tuple[str, ...]  # folded: what people call it
    listeners: int
    plays: int
    fields: tuple[Any, ...]


class CassandraTables:
    """The `crossfade.stores.contract.Tables` of one release, which ``described`` is the meta block of."""

    def __init__(self, session: CassandraSession, version: Version, described: Mapping[str, Any]) -> None:
        self._session = session
        self._version = version
        self._lists, self._blocks = table_of(version, "lists"), table_of(version, "blocks")
        self._described: Mapping[str, Mapping[str, Any]] = described["kinds"]
        self._pairs: Mapping[str, int] = described["pairs"]
        self._number_of_users: int = described["users"]
        self._records: dict[str, dict[int, _Record]] = {}
        self.tables: Mapping[str, TableInfo] = {
            table["name"]: TableInfo(**{**table, "columns": tuple(table["columns"])}) for table in described["tables"]
        }
        self.kinds: tuple[str, ...] = tuple(self._described)

    def entries(self, table: str, key: str, *, limit: int | None = None, offset: int = 0) -> list[Entry]:
        info = self._table(table)
        span = slice(offset, None if limit is None else offset + limit)
        wanted = ("items", *info.columns)
        blobs = self._list(info, key, wanted)
        columns = {name: blob_values(name, blob, span) for name, blob in zip(wanted, blobs, strict=True)}
        items = self._items(info.kind, columns["items"])
        nothing = [None] * len(items)
        reasons = self._reasons(info.reason_kind, columns.get("reason", nothing), columns.get("reason_plays", nothing))
        scores = columns.get("score", nothing)
        return [
            Entry(id=one.item.id, name=one.item.name, parent=one.parent, score=score, reason=reason)
            for one, score, reason in zip(items, scores, reasons, strict=True)
        ]

    def count(self, table: str, key: str) -> int:
        (items,) = self._list(self._table(table), key, ("items",))
        return len(items) // np.dtype(BLOB_TYPES["items"]).itemsize

    def item(self, kind: str, text: str) -> Item:
        found = self.find(kind, text)
        if found is None:
            similar = self._suggestions(text, [kind] if kind in self.kinds else [])
            raise UnknownIdError(f"There is no {kind} {text[:LONGEST_QUESTION]!r}.", suggestions=similar)
        return found

    def find(self, kind: str, text: str) -> Item | None:
        if kind not in self.kinds:
            return None
        if _storable(text):
            for one in self._items(kind, self._places(f"{kind}_ids", text_digest(text))):
                if one.item.id == text:
                    return self._item(kind, one)
        named = self._places(f"{kind}_names", name_digest(folded(text[:LONGEST_QUESTION])))
        return self._item(kind, self._items(kind, named[:1])[0]) if named else None

    def user(self, text: str) -> str:
        if _storable(text) and text in self._users(self._places(USER_IDS, text_digest(text))):
            return text
        bare = self._users(self._places(BARE_USERS, text_digest(text))) if _storable(text) else []
        found = [user for user in bare if (user.partition(":")[2] or user) == text][:SUGGESTIONS]
        if len(found) == 1:
            return found[0]
        message = "More than one user is called" if found else "There is no user"
        raise UnknownIdError(f"{message} {text[:LONGEST_QUESTION]!r}.", suggestions=tuple(found))

    def users(self, *, limit: int, offset: int = 0) -> list[str]:
        return self._users(range(offset, min(offset + limit, self._number_of_users)))

    def search(self, text: str, *, limit: int, kinds: Sequence[str] | None = None) -> Found:
        searched = [kind for kind in self.kinds if kinds is None or kind in kinds]
        items = {kind: tuple(self._hits(kind, text, limit)) for kind in searched}
        return Found(items=items, suggestions=() if any(items.values()) else self._suggestions(text, searched))

    def close(self) -> None:
        self._records = {}

    def _table(self, name: str) -> TableInfo:
        if name not in self.tables:
            raise NotReadyError(f"Release {self._version} has no table {name!r}. It has: {', '.join(self.tables)}.")
        return self.tables[name]

    def _list(self, info: TableInfo, key: str, columns: Sequence[str]) -> Sequence[bytes]:
        asked = f"SELECT {', '.join(columns)} FROM {self._lists} WHERE name = ? AND key = ?"  # noqa: S608
        found = self._session.rows(asked, (info.name, key)) if _storable(key) else []
        if not found:
            raise UnknownIdError(f"No {info.name} for the {info.key} {key[:LONGEST_QUESTION]!r}.")
        blobs: Sequence[bytes] = found[0]
        return blobs

    def _read(self, keys: Sequence[tuple[str, int]]) -> list[bytes | None]:
        """Return the content of blocks by name and place; None for one that is not there."""
        asked = f"SELECT content FROM {self._blocks} WHERE name = ? AND place = ?"  # noqa: S608
        if len(keys) == 1:
            answers: Iterable[Sequence[Any]] = [self._session.rows(asked, keys[0])]
        else:
            answers = self._session.every((asked, key) for key in keys)
        return [rows[0][0] if rows else None for rows in answers]

    def _places(self, name: str, digest: int) -> list[int]:
        """Return what ``digest`` stands for, ascending."""
        block = int(block_of(digest, self._pairs[name]))
        pairs = np.frombuffer(self._read([(name, block)])[0] or b"", dtype=PAIR)
        first, end = (int(np.searchsorted(pairs["digest"], digest, side=side)) for side in ("left", "right"))
        places: list[int] = pairs["place"][first:end].tolist()
        return places

    def _listed(self, name: str, places: Iterable[int], size: int, keep: Callable[[int, Any], object]) -> None:
        """Read the blocks, of ``size``, that have ``places``, and ``keep`` what each lists."""
        blocks = sorted({place // size for place in places})
        for block, content in zip(blocks, self._read([(name, block) for block in blocks]), strict=True):
            if content is None:
                raise ArtifactError(
                    f"Release {self._version} is damaged: it lacks block {block} of {name}. Run `crossfade verify`."
                )
            keep(block, msgspec.msgpack.decode(content))

    def _users(self, places: Sequence[int]) -> list[str]:
        found: dict[int, str] = {}
        self._listed(
            USERS,
            places,
            USERS_A_BLOCK,
            lambda block, users: found.update(enumerate(users, block * USERS_A_BLOCK)),
        )
        return [found[place] for place in places]

    def _items(self, kind: str, ranks: Sequence[int]) -> list[_Record]:
        """Return the items of ``kind`` by rank, in the order of ``ranks``."""
        known = self._records.setdefault(kind, {})
        if unread := {rank for rank in ranks if rank not in known}:
            if len(known) > MOST_ITEMS:
                known = self._records[kind] = {rank: known[rank] for rank in {*ranks}.difference(unread)}
            parent_kind = self._described[kind]["parent"]

            def keep(block: int, items: Sequence[Sequence[Any]]) -> None:
                for rank, item in enumerate(items, block * ITEMS_A_BLOCK):
                    known[rank] = _record(kind, parent_kind, *item)

            self._listed(f"{kind}_items", unread, ITEMS_A_BLOCK, keep)
        return [known[rank] for rank in ranks]

    def _item(self, kind: str, record: _Record) -> Item:
        fields = zip(self._described[kind]["fields"], record.fields, strict=True)
        return Item(
            kind=kind,
            id=record.item.id,
            name=record.item.name,
            parent=record.parent,
            fields={field: value for field, value in fields if value is not None},
            listeners=record.listeners,
            plays=record.plays,
        )

    def _reasons(self, kind: str | None, ranks: Sequence[int], plays: Sequence[int | None]) -> list[Reason | None]:
        if kind is None:
            return [None] * len(ranks)
        given = [rank for rank in ranks if rank != MISSING]
        named = dict(zip(given, self._items(kind, given), strict=True))
        return [
            None if rank == MISSING else Reason.of(named[rank].item, played)
            for rank, played in zip(ranks, plays, strict=True)
        ]

    def _hits(self, kind: str, text: str, limit: int) -> list[Item]:
        """Return up to ``limit`` items whose names match ``text``, best first."""
        question = folded(text[:LONGEST_QUESTION])
        if not question or limit < 1:
            return []
        posted = self._posted(kind, grams(question, closed=False))
        ranks = {*self._places(f"{kind}_names", name_digest(question))[:limit]}
        ranks |= {*in_all(posted, GRAM_BLOCKS * RANKS_A_BLOCK)[:CANDIDATES].tolist()}
        if len(ranks) < limit:
            # A name that shares only some grams can still have the question inside a word.
            ranks |= {*in_most(posted).tolist()}
        candidates = sorted(ranks)
        judged = []
        for rank, record in zip(candidates, self._items(kind, candidates), strict=True):
            if (quality := how_well(question, *record.names)) != NOTHING:
                # The same name written in another way is as good as the name itself.
                judged.append((-min(quality, SQUEEZED), rank, record))
        return [self._item(kind, record) for *_, record in sorted(judged, key=lambda one: one[:2])[:limit]]

    def _suggestions(self, text: str, kinds: Sequence[str]) -> tuple[str, ...]:
        question = folded(text[:LONGEST_QUESTION])
        names = []
        for kind in kinds:
            similar = sorted(in_most(self._posted(kind, grams(question))).tolist())
            names += [(record.names[0], record.item.name) for record in self._items(kind, similar)]
        return nearest_names(question, names, limit=SUGGESTIONS)

    def _posted(self, kind: str, pieces: Sequence[str]) -> list[Rows]:
        """Return for each gram the ranks of the names that have it; none for a gram that no name has."""
        found: dict[str, list[bytes]] = {piece: [] for piece in pieces}
        longer = list(filter(_storable, pieces))
        for block in range(GRAM_BLOCKS):
            contents = self._read([(f"{kind}_grams {piece}", block) for piece in longer])
            for piece, content in zip(longer, contents, strict=True):
                found[piece].append(content or b"")
            longer = [piece for piece in longer if len(found[piece][block]) == RANKS_A_BLOCK * 4]
        return [np.frombuffer(b"".join(found[piece]), dtype=BLOB_TYPES["items"]) for piece in pieces]


def _record(
    kind: str,
    parent_kind: str,
    id_: str,
    name: str,
    plain: str,
    parent_id: str | None,
    parent_name: str,
    plain_parent: str | None,
    listeners: int,
    plays: int,
    *fields: Any,
) -> _Record:
    """Return an item from what its block lists of it."""
    parent = None if parent_id is None else Named(kind=parent_kind, id=parent_id, name=parent_name)
    item = Named(kind=kind, id=id_, name=name)
    return _Record(item, parent, spoken(plain, plain_parent), listeners, plays, fields)


def _storable(text: str) -> bool:
    """Return whether a database can have ``text`` as a key; what it cannot have is equal to none."""
    return len(encoded := text.encode(errors="ignore")) <= LONGEST_KEY and encoded.decode() == text
