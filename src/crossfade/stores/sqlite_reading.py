"""Reading ``release.sqlite``: lists by key, items by id, and search by name."""

import json
import sqlite3
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from crossfade.core.errors import ArtifactError, NotReadyError, UnknownIdError
from crossfade.core.ids import MISSING
from crossfade.core.names import folded
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
from crossfade.stores.sqlite_schema import APPLICATION_ID, BLOB_TYPES, LAYOUT, blob_values, list_table
from crossfade.stores.sqlite_writing import translated_errors

MOST_NAMES = 50_000  # of a kind that are remembered, some 25 MB; lists name the same items again and again
_ROWS_A_QUERY = 500  # below SQLite's limit of variables in every version


class SQLiteTables:
    """The `crossfade.stores.contract.Tables` in one file. One connection, one question at a time."""

    def __init__(self, path: Path, version: Version, content: str) -> None:
        self._version = version
        self._path = path
        self._lock = threading.Lock()
        self._names: dict[str, dict[int, tuple[Named, Named | None]]] = {}
        with translated_errors(path):
            # Immutable: no locks, no journal, no look for changes; the file never changes under this name.
            address = f"{path.resolve().as_uri()}?mode=ro&immutable=1"
            self._database = sqlite3.connect(address, uri=True, check_same_thread=False)
        try:
            described = self._meta(content)
        except BaseException:
            self._database.close()
            raise
        self.tables: Mapping[str, TableInfo] = {
            table["name"]: TableInfo(**{**table, "columns": tuple(table["columns"])}) for table in described["tables"]
        }
        self.kinds: tuple[str, ...] = tuple(described["kinds"])
        self._described: Mapping[str, Mapping[str, Any]] = described["kinds"]

    def entries(self, table: str, key: str, *, limit: int | None = None, offset: int = 0) -> list[Entry]:
        info = self._table(table)
        span = slice(offset, None if limit is None else offset + limit)
        blobs = self._list(table, key, ", ".join(("items", *info.columns)))
        columns = {
            name: blob_values(name, blob, span) for name, blob in zip(("items", *info.columns), blobs, strict=True)
        }
        names = self._named(info.kind, columns["items"])
        nothing = [None] * len(names)
        reasons = self._reasons(info.reason_kind, columns.get("reason", nothing), columns.get("reason_plays", nothing))
        scores = columns.get("score", nothing)
        return [
            Entry(id=item.id, name=item.name, parent=parent, score=score, reason=reason)
            for (item, parent), score, reason in zip(names, scores, reasons, strict=True)
        ]

    def count(self, table: str, key: str) -> int:
        self._table(table)
        (bytes_,) = self._list(table, key, "length(items)")
        return int(bytes_) // np.dtype(BLOB_TYPES["items"]).itemsize

    def item(self, kind: str, text: str) -> Item:
        found = self.find(kind, text)
        if found is None:
            similar = self._suggestions(text, [kind] if kind in self.kinds else [])
            raise UnknownIdError(f"There is no {kind} {text[:LONGEST_QUESTION]!r}.", suggestions=similar)
        return found

    def find(self, kind: str, text: str) -> Item | None:
        if kind not in self.kinds:
            return None
        by_id = f"SELECT row FROM {kind}_items WHERE id = ?"  # noqa: S608
        by_name = f"SELECT row FROM {kind}_names JOIN {kind}_ranks USING (rank) WHERE digest = ? ORDER BY rank LIMIT 1"  # noqa: S608
        digest = name_digest(folded(text[:LONGEST_QUESTION]))
        found = self._ask(by_id, (text,)) or self._ask(by_name, (digest,))
        return self._items(kind, found[0])[0] if found else None

    def user(self, text: str) -> str:
        if self._ask("SELECT id FROM users WHERE id = ?", (text,)):
            return text
        found = self._ask("SELECT id FROM bare_users WHERE bare = ? ORDER BY id LIMIT ?", (text, SUGGESTIONS))
        if len(found) == 1:
            return str(found[0][0])
        message = "More than one user is called" if found else "There is no user"
        raise UnknownIdError(f"{message} {text[:LONGEST_QUESTION]!r}.", suggestions=tuple(id_ for (id_,) in found))

    def users(self, *, limit: int, offset: int = 0) -> list[str]:
        return [id_ for (id_,) in self._ask("SELECT id FROM users ORDER BY id LIMIT ? OFFSET ?", (limit, offset))]

    def search(self, text: str, *, limit: int, kinds: Sequence[str] | None = None) -> Found:
        searched = [kind for kind in self.kinds if kinds is None or kind in kinds]
        items = {kind: tuple(self._items(kind, self._hits(kind, text, limit))) for kind in searched}
        return Found(items=items, suggestions=() if any(items.values()) else self._suggestions(text, searched))

    def close(self) -> None:
        with self._lock:
            self._database.close()

    def _meta(self, content: str) -> dict[str, Any]:
        """Return the table meta, if the file is of this layout and has the release's ``content``."""
        for pragma, wanted in (("application_id", APPLICATION_ID), ("user_version", LAYOUT)):
            if self._ask(f"PRAGMA {pragma}") != [(wanted,)]:
                raise ArtifactError(
                    f"{self._path} is not a release that this version of Crossfade reads. Run `crossfade run`."
                )
        described = {key: json.loads(value) for key, value in self._ask("SELECT key, value FROM meta")}
        if described.get("content") != content:
            raise ArtifactError(f"{self._path} does not belong to release {self._version}. Run `crossfade verify`.")
        return described

    def _table(self, name: str) -> TableInfo:
        if name not in self.tables:
            raise NotReadyError(f"Release {self._version} has no table {name!r}. It has: {', '.join(self.tables)}.")
        return self.tables[name]

    def _list(self, table: str, key: str, columns: str) -> Any:
        found = self._ask(f"SELECT {columns} FROM {list_table(table)} WHERE key = ?", (key,))  # noqa: S608
        if not found:
            raise UnknownIdError(f"No {table} for the {self.tables[table].key} {key[:LONGEST_QUESTION]!r}.")
        return found[0]

    def _ask(self, question: str, values: Sequence[object] = ()) -> list[Any]:
        # A text that no file can contain (half of a surrogate pair) is equal to none.
        if any(isinstance(value, str) and value.encode(errors="ignore").decode() != value for value in values):
            return []
        with self._lock, translated_errors(self._path):
            return self._database.execute(question, values).fetchall()

    def _select(self, kind: str, key: str, values: Sequence[int], columns: str) -> dict[int, list[Any]]:
        """Return ``columns`` of items (i) of ``kind`` and their parents (p) by ``key``: "i.row" or "r.rank"."""
        items = f"{kind}_items i" if key == "i.row" else f"{kind}_ranks r JOIN {kind}_items i ON i.row = r.row"
        # Without parents parent_row is NULL, so that any table will do.
        parents = f"LEFT JOIN {self._described[kind]['parent'] or kind}_items p ON p.row = i.parent_row"
        question = f"SELECT {key}, {columns} FROM {items} {parents} WHERE {key} IN"  # noqa: S608
        answers: dict[int, list[Any]] = {}
        for start in range(0, len(values), _ROWS_A_QUERY):
            asked = values[start : start + _ROWS_A_QUERY]
            rows = self._ask(f"{question} ({', '.join('?' * len(asked))})", asked)
            answers.update({found: columns for found, *columns in rows})
        return answers

    def _named(self, kind: str, rows: Sequence[int]) -> list[tuple[Named, Named | None]]:
        """Return the items of ``kind`` at ``rows``, in their order, each with its parent."""
        names = self._names.setdefault(kind, {})
        if unread := sorted({row for row in rows if row not in names}):
            if len(names) + len(unread) > MOST_NAMES:
                names = self._names[kind] = {row: names[row] for row in {*rows}.difference(unread)}
            for row, (id_, name, *parent) in self._select(kind, "i.row", unread, "i.id, i.name, p.id, p.name").items():
                names[row] = (Named(kind=kind, id=id_, name=name), self._parent(kind, *parent))
        return [names[row] for row in rows]

    def _parent(self, kind: str, id_: str | None, name: str) -> Named | None:
        return None if id_ is None else Named(kind=self._described[kind]["parent"], id=id_, name=name)

    def _reasons(self, kind: str | None, rows: Sequence[int], plays: Sequence[int | None]) -> list[Reason | None]:
        if kind is None:
            return [None] * len(rows)
        given = [row for row in rows if row != MISSING]
        named = dict(zip(given, self._named(kind, given), strict=True))
        return [
            None if row == MISSING else Reason.of(named[row][0], played)
            for row, played in zip(rows, plays, strict=True)
        ]

    def _items(self, kind: str, rows: Sequence[int]) -> list[Item]:
        fields = self._described[kind]["fields"]
        columns = ", ".join(
            ("i.id", "i.name", "p.id", "p.name", "i.listeners", "i.plays", *(f"i.{name}" for name in fields))
        )
        found = self._select(kind, "i.row", rows, columns)
        return [
            Item(
                kind=kind,
                id=id_,
                name=name,
                parent=self._parent(kind, parent_id, parent_name),
                fields={field: value for field, value in zip(fields, values, strict=True) if value is not None},
                listeners=listeners,
                plays=plays,
            )
            for id_, name, parent_id, parent_name, listeners, plays, *values in map(found.__getitem__, rows)
        ]

    def _hits(self, kind: str, text: str, limit: int) -> list[int]:
        """Return up to ``limit`` rows of items whose names match ``text``, best first."""
        question = folded(text[:LONGEST_QUESTION])
        if not question or limit < 1:
            return []
        whole = self._ask(
            f"SELECT rank FROM {kind}_names WHERE digest = ? ORDER BY rank LIMIT ?",  # noqa: S608
            (name_digest(question), limit),
        )
        posted = self._posted(kind, grams(question, closed=False))
        ranks = {rank for (rank,) in whole} | set(in_all(posted)[:CANDIDATES].tolist())
        if len(ranks) < limit:
            # A name that shares only some grams can still have the question inside a word.
            ranks |= set(in_most(posted).tolist())
        judged = []
        for rank, (row, name, parent) in self._select(
            kind, "r.rank", sorted(ranks), "i.row, i.folded, p.folded"
        ).items():
            if (quality := how_well(question, *spoken(name, parent))) != NOTHING:
                # The same name written in another way is as good as the name itself.
                judged.append((-min(quality, SQUEEZED), rank, row))
        return [row for _, _, row in sorted(judged)[:limit]]

    def _suggestions(self, text: str, kinds: Sequence[str]) -> tuple[str, ...]:
        question = folded(text[:LONGEST_QUESTION])
        names = []
        for kind in kinds:
            similar = in_most(self._posted(kind, grams(question))).tolist()
            found = self._select(kind, "r.rank", similar, "i.folded, i.name")
            names += [(name_folded, name) for _, (name_folded, name) in sorted(found.items())]
        return nearest_names(question, names, limit=SUGGESTIONS)

    def _posted(self, kind: str, pieces: Sequence[str]) -> list[npt.NDArray[np.int32]]:
        """Return for each gram the ranks of the names that have it; none for a gram that no name has."""
        found: dict[str, bytes] = {}
        for start in range(0, len(pieces), _ROWS_A_QUERY):
            asked = pieces[start : start + _ROWS_A_QUERY]
            marks = ", ".join("?" * len(asked))
            found.update(self._ask(f"SELECT gram, ranks FROM {kind}_grams WHERE gram IN ({marks})", asked))  # noqa: S608
        return [np.frombuffer(found.get(piece, b""), dtype=BLOB_TYPES["items"]) for piece in pieces]
