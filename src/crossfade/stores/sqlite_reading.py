"""Reading ``release.sqlite``: lists by key, names by id, and search by name."""

import contextlib
import json
import sqlite3
import threading
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from crossfade.core.artifacts import Manifest, read_manifest
from crossfade.core.errors import ArtifactError, NotReadyError, UnknownIdError
from crossfade.core.ids import MISSING, ItemKind
from crossfade.core.names import folded
from crossfade.core.spaces import VectorSpace
from crossfade.stores.contract import (
    Artist,
    Entry,
    Found,
    RankedRows,
    Reason,
    Surface,
    Track,
    Version,
    shortest,
)
from crossfade.stores.matching import NOTHING, SQUEEZED, grams, how_well, name_digest, nearest_names
from crossfade.stores.releases import Releases
from crossfade.stores.sqlite_schema import APPLICATION_ID, BLOB_TYPES, FILE, LAYOUT, surface_table
from crossfade.stores.sqlite_writing import translated_errors

LONGEST_QUESTION = 200  # letters of a name; the rest of what was typed is not looked at
SUGGESTIONS = 5
_CANDIDATES = 256  # names that a search looks at one by one: the most listened to of those that share its grams
_ROWS_A_QUERY = 500  # below SQLite's limit of variables in every version
_TRACKS = """
SELECT tracks.row, tracks.id, tracks.name, artists.id, artists.name, album, track_ms, tracks.listeners, tracks.plays
FROM tracks LEFT JOIN artists ON artists.row = artist_row
"""
_NAMED = {
    "artist": "SELECT row, id, name, NULL, NULL FROM artists WHERE row IN",
    "track": "SELECT tracks.row, tracks.id, tracks.name, artists.id, artists.name FROM tracks "
    "LEFT JOIN artists ON artists.row = artist_row WHERE tracks.row IN",
}
_TEXTS = {
    "artist": "SELECT rank, name, folded, NULL FROM artist_ranks JOIN artists USING (row) WHERE rank IN",
    "track": "SELECT rank, tracks.name, tracks.folded, artists.folded FROM track_ranks JOIN tracks USING (row) "
    "LEFT JOIN artists ON artists.row = artist_row WHERE rank IN",
}


class SQLiteReader:
    """A `crossfade.stores.contract.ReleaseReader` of one directory. One connection, one question at a time."""

    def __init__(self, releases: Releases, version: Version) -> None:
        self.version = version
        self._lock = threading.Lock()
        with contextlib.ExitStack() as held:
            self._place = held.enter_context(releases.held(version))
            self._path = self._place / FILE
            self.manifest: Manifest = read_manifest(self._place)
            with translated_errors(self._path):
                # Immutable: no locks, no journal, no look for changes; the file never changes under this name.
                address = f"{self._path.resolve().as_uri()}?mode=ro&immutable=1"
                self._database = sqlite3.connect(address, uri=True, check_same_thread=False)
            held.callback(self._database.close)
            said = self._meta()
            self._held = held.pop_all()
        self.surfaces: Mapping[str, Surface] = {
            name: Surface(name=name, **{**surface, "columns": tuple(surface["columns"])})
            for name, surface in json.loads(said["surfaces"]).items()
        }
        self.spaces: tuple[str, ...] = tuple(json.loads(said["spaces"]))
        self._kinds: tuple[ItemKind, ...] = tuple(json.loads(said["kinds"]))
        self._reason_kind: ItemKind = said["reason_kind"]

    def entries(self, surface: str, key: str, *, limit: int | None = None, offset: int = 0) -> list[Entry]:
        ranked = self.ranked(surface, key).part(slice(offset, None if limit is None else offset + limit))
        return self.named(self.surfaces[surface].kind, ranked)

    def named(self, kind: ItemKind, ranked: RankedRows) -> list[Entry]:
        names = self._names(kind, ranked.items.tolist())
        columns = ranked.columns
        scores = [shortest(score) for score in columns["score"]] if "score" in columns else [None] * len(names)
        reasons = self._reasons(columns, len(names))
        return [
            Entry(id=id_, name=name, artist_id=artist_id, artist_name=artist_name, score=score, reason=reason)
            for (id_, name, artist_id, artist_name), score, reason in zip(names, scores, reasons, strict=True)
        ]

    def ranked(self, surface: str, key: str) -> RankedRows:
        if surface not in self.surfaces:
            known = ", ".join(self.surfaces)
            raise NotReadyError(f"Release {self.version} has no surface {surface!r}. It has: {known}.")
        columns = self.surfaces[surface].columns
        named = ", ".join(("items", *columns))
        found = self._ask(f"SELECT {named} FROM {surface_table(surface)} WHERE key = ?", (key,))  # noqa: S608
        if not found:
            raise UnknownIdError(
                f"There is no {self.surfaces[surface].key} {key[:LONGEST_QUESTION]!r} with a list of {surface}."
            )
        items, *blobs = found[0]
        return RankedRows(
            items=_array(items, "items"),
            columns={name: _array(blob, name) for name, blob in zip(columns, blobs, strict=True)},
        )

    def artist(self, text: str) -> Artist:
        found = self._ask("SELECT row FROM artists WHERE id = ?", (text,)) or self._by_whole_name("artist", text)
        if not found:
            raise self._unknown("artist", text)
        return self._artists([found[0][0]])[0]

    def track(self, text: str) -> Track:
        found = []
        if "track" in self._kinds:
            found = self._ask("SELECT row FROM tracks WHERE id = ?", (text,)) or self._by_whole_name("track", text)
        if not found:
            raise self._unknown("track", text)
        return self._tracks([found[0][0]])[0]

    def user(self, text: str) -> str:
        if self._ask("SELECT id FROM users WHERE id = ?", (text,)):
            return text
        found = self._ask("SELECT id FROM bare_users WHERE bare = ? ORDER BY id LIMIT ?", (text, SUGGESTIONS))
        if len(found) == 1:
            return str(found[0][0])
        if found:
            raise UnknownIdError(
                f"More than one user is called {text[:LONGEST_QUESTION]!r}.", suggestions=tuple(id_ for (id_,) in found)
            )
        raise UnknownIdError(f"There is no user {text[:LONGEST_QUESTION]!r}.")

    def users(self, *, limit: int, offset: int = 0) -> list[str]:
        return [id_ for (id_,) in self._ask("SELECT id FROM users ORDER BY id LIMIT ? OFFSET ?", (limit, offset))]

    def search(self, text: str, *, limit: int) -> Found:
        hits: dict[ItemKind, list[int]] = {kind: self._hits(kind, text, limit) for kind in self._kinds}
        if any(hits.values()):
            return Found(
                artists=tuple(self._artists(hits["artist"])),
                tracks=tuple(self._tracks(hits["track"])) if "track" in hits else (),
            )
        return Found(suggestions=self._suggestions(text, self._kinds))

    def space(self, name: str) -> VectorSpace:
        if name not in self.spaces:
            known = ", ".join(self.spaces) or "none"
            raise NotReadyError(f"Release {self.version} holds no vector space {name!r}. It holds: {known}.")
        return VectorSpace.load(self._place / "spaces" / name)

    def close(self) -> None:
        with self._lock:
            self._held.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _meta(self) -> dict[str, Any]:
        """The table meta, once it is clear that the file is of this layout and belongs to its manifest."""
        for pragma, wanted in (("application_id", APPLICATION_ID), ("user_version", LAYOUT)):
            ((found,),) = self._ask(f"PRAGMA {pragma}")
            if found != wanted:
                raise ArtifactError(
                    f"{self._path} is not a release that this version of Crossfade reads. Run `crossfade run`."
                )
        said = dict(self._ask("SELECT key, value FROM meta"))
        if said.get("fingerprint") != self.manifest.fingerprint:
            raise ArtifactError(f"{self._path} does not belong to its manifest. Run `crossfade verify`.")
        return said

    def _ask(self, question: str, values: Sequence[object] = ()) -> list[Any]:
        # A text that no file can hold (half of a surrogate pair) is equal to none.
        if any(isinstance(value, str) and not _is_unicode(value) for value in values):
            return []
        with self._lock, translated_errors(self._path):
            return self._database.execute(question, values).fetchall()

    def _ask_in(self, question: str, values: Sequence[int]) -> list[Any]:
        """The rows of ``question``, which ends in IN, for all ``values``."""
        answers = []
        for start in range(0, len(values), _ROWS_A_QUERY):
            asked = values[start : start + _ROWS_A_QUERY]
            answers += self._ask(f"{question} ({', '.join('?' * len(asked))})", asked)
        return answers

    def _reasons(self, columns: Mapping[str, npt.NDArray[Any]], count: int) -> list[Reason | None]:
        if "reason" not in columns:
            return [None] * count
        rows = columns["reason"].tolist()
        plays = columns["reason_plays"].tolist() if "reason_plays" in columns else [None] * count
        given = [row for row in rows if row != MISSING]
        named = dict(zip(given, self._names(self._reason_kind, given), strict=True))
        return [
            None
            if row == MISSING
            else Reason(kind=self._reason_kind, id=named[row][0], name=named[row][1], plays=played)
            for row, played in zip(rows, plays, strict=True)
        ]

    def _names(self, kind: ItemKind, rows: Sequence[int]) -> list[tuple[str, str, str | None, str | None]]:
        """(id, name, artist's id, artist's name) of each of ``rows``, in their order."""
        known = {row: (*names,) for row, *names in self._ask_in(_NAMED[kind], sorted(set(rows)))}
        return [known[row] for row in rows]

    def _artists(self, rows: Sequence[int]) -> list[Artist]:
        question = "SELECT row, id, name, listeners, plays FROM artists WHERE row IN"
        known = {
            row: Artist(id=id_, name=name, listeners=listeners, plays=plays)
            for row, id_, name, listeners, plays in self._ask_in(question, rows)
        }
        return [known[row] for row in rows]

    def _tracks(self, rows: Sequence[int]) -> list[Track]:
        known = {
            row: Track(
                id=id_,
                title=title,
                artist_id=artist_id,
                artist_name=artist_name,
                album=album,
                track_ms=track_ms,
                listeners=listeners,
                plays=plays,
            )
            for row, id_, title, artist_id, artist_name, album, track_ms, listeners, plays in self._ask_in(
                f"{_TRACKS} WHERE tracks.row IN", rows
            )
        }
        return [known[row] for row in rows]

    def _by_whole_name(self, kind: ItemKind, text: str) -> list[Any]:
        """The row of the most listened to item of that name, however it is written, as ((row,),) or ()."""
        return self._ask(
            f"SELECT row FROM {kind}_names JOIN {kind}_ranks USING (rank) "  # noqa: S608
            "WHERE digest = ? ORDER BY rank LIMIT 1",
            (name_digest(folded(text[:LONGEST_QUESTION])),),
        )

    def _unknown(self, kind: ItemKind, text: str) -> UnknownIdError:
        kinds = tuple(known for known in self._kinds if known == kind)
        return UnknownIdError(
            f"There is no {kind} {text[:LONGEST_QUESTION]!r}.", suggestions=self._suggestions(text, kinds)
        )

    def _hits(self, kind: ItemKind, text: str, limit: int) -> list[int]:
        """Up to ``limit`` rows of items whose names meet ``text``, best first."""
        question = folded(text[:LONGEST_QUESTION])
        if not question or limit < 1:
            return []
        whole = self._ask(
            f"SELECT rank FROM {kind}_names WHERE digest = ? ORDER BY rank LIMIT ?",  # noqa: S608
            (name_digest(question), limit),
        )
        posted = self._posted(kind, grams(question, closed=False))
        ranks = {rank for (rank,) in whole} | set(_in_all(posted)[:_CANDIDATES].tolist())
        if len(ranks) < limit:
            # What shares only some grams can still have the question inside a word.
            ranks |= set(_in_most(posted).tolist())
        judged = []
        for rank, _, name, by in self._ask_in(_TEXTS[kind], sorted(ranks)):
            spoken = (name,) if by is None else (name, f"{name} {by}", f"{by} {name}")
            if (quality := how_well(question, *spoken)) != NOTHING:
                # The same name written in another way is as good as the name itself.
                judged.append((-min(quality, SQUEEZED), rank))
        best = [rank for _, rank in sorted(judged)[:limit]]
        rows = dict(self._ask_in(f"SELECT rank, row FROM {kind}_ranks WHERE rank IN", best))  # noqa: S608
        return [rows[rank] for rank in best]

    def _suggestions(self, text: str, kinds: Sequence[ItemKind]) -> tuple[str, ...]:
        question = folded(text[:LONGEST_QUESTION])
        names = []
        for kind in kinds:
            alike = _in_most(self._posted(kind, grams(question))).tolist()
            names += [(name_folded, name) for _, name, name_folded, _ in sorted(self._ask_in(_TEXTS[kind], alike))]
        return nearest_names(question, names, limit=SUGGESTIONS)

    def _posted(self, kind: ItemKind, pieces: Sequence[str]) -> list[npt.NDArray[np.int32]]:
        """For each gram the ranks of the names that have it; none for a gram that no name has."""
        found: dict[str, bytes] = {}
        for start in range(0, len(pieces), _ROWS_A_QUERY):
            asked = pieces[start : start + _ROWS_A_QUERY]
            marks = ", ".join("?" * len(asked))
            found.update(self._ask(f"SELECT gram, ranks FROM {kind}_grams WHERE gram IN ({marks})", asked))  # noqa: S608
        return [_array(found[piece], "items") if piece in found else np.zeros(0, np.int32) for piece in pieces]


def _array(blob: bytes, column: str) -> npt.NDArray[Any]:
    return np.frombuffer(blob, dtype=BLOB_TYPES[column])


def _in_all(posted: Sequence[npt.NDArray[np.int32]]) -> npt.NDArray[np.int32]:
    """The ranks that stand in every one of the ascending lists, ascending."""
    common, *rest = sorted(posted, key=len) or [np.zeros(0, np.int32)]
    for ranks in rest:
        places = np.minimum(np.searchsorted(ranks, common), len(ranks) - 1)
        common = common[ranks[places] == common]
    return common


def _in_most(posted: Sequence[npt.NDArray[np.int32]]) -> npt.NDArray[np.intp]:
    """The `_CANDIDATES` ranks that stand in most of the lists: in more of them first, then ascending."""
    counts = np.bincount(np.concatenate([np.zeros(0, np.int32), *posted]))
    # A stable sort of small numbers is one pass; a question has a few hundred grams at most.
    best = np.argsort(-counts.astype(np.int16), kind="stable")[:_CANDIDATES]
    return best[counts[best] > 0]


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
