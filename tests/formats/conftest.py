"""What the tests of all formats share: a source in memory, and a sink that remembers."""

import dataclasses
import gzip
import runpy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa
import pytest

from crossfade.core.errors import InputError
from crossfade.core.kinds import KINDS
from crossfade.formats.contract import REASONS, Format, Member, Place
from crossfade.formats.memory import MemoryFiles
from crossfade.formats.registry import load_format

Files = Mapping[str, bytes]


class MemorySource(MemoryFiles):
    """Files that lie nowhere, those called .gz unpacked, and with the footers of Parquet files."""

    def __init__(self, files: Files) -> None:
        plain = {name: gzip.decompress(files[name]) if name.endswith(".gz") else files[name] for name in files}
        super().__init__(plain)
        self.members = [
            dataclasses.replace(
                one, relative=PurePosixPath(one.name.removesuffix(".gz")), footer=_footer(plain[one.name])
            )
            for one in self.members
        ]


def _footer(content: bytes) -> bytes:
    """What stands before the last eight bytes of a Parquet file, as long as the first four of them say."""
    if not content.endswith(b"PAR1"):
        return b""
    return content[-8 - int.from_bytes(content[-8:-4], "little") : -8]


MILLISECONDS = pa.timestamp("ms", tz="UTC")


def _lines(first: int | pa.Array, table: pa.Table) -> list[int]:
    return list(range(first, first + len(table))) if isinstance(first, int) else first.to_pylist()


@dataclass
class Recording:
    """A `Sink` that keeps what it takes; ``line`` in a row is the second half of its place.

    described  {kind: {item: its name, parent and fields}}
    items      (playlist, position, item, parent) of each item of a playlist, and `item_lines` their lines
    """

    default_user: str = "me"
    listened: list[dict[str, Any]] = field(default_factory=list)
    counted: list[dict[str, Any]] = field(default_factory=list)
    dropped: list[tuple[int, str, str]] = field(default_factory=list)
    described: dict[str, dict[str, dict[str, Any]]] = field(default_factory=lambda: {kind: {} for kind in KINDS})
    tags: dict[tuple[str, str, str], int] = field(default_factory=dict)
    friends: list[tuple[str, str]] = field(default_factory=list)
    playlists: dict[str, dict[str, Any]] = field(default_factory=dict)
    items: list[tuple[str, int, str, str | None]] = field(default_factory=list)
    item_lines: list[int] = field(default_factory=list)
    thumbs: list[tuple[str | None, str, int, float | None]] = field(default_factory=list)
    columns: dict[str, str] = field(default_factory=dict)
    unused: list[str] = field(default_factory=list)
    damage: str | None = None

    def listen(self, place: Place, **row: Any) -> None:
        self.listened.append({"line": place[1], **row})

    def listens(self, member: Member, first: int | pa.Array, table: pa.Table, private: pa.Array | None = None) -> None:
        hidden = [False] * len(table) if private is None else private.to_pylist()
        seconds = [
            None if time is None else time / 1000
            for time in table["listened_at"].cast(MILLISECONDS).cast("int64").to_pylist()
        ]
        table = table.set_column(
            table.schema.get_field_index("listened_at"), "listened_at", pa.array(seconds, pa.float64())
        )
        for line, row, is_private in zip(_lines(first, table), table.to_pylist(), hidden, strict=True):
            if is_private:
                self.drop((member, line), "private", "a private session")
                continue
            row["parent"] = row.pop("parent_name")
            self.listened.append({"line": line, **row})

    def counts(self, member: Member, first: int | pa.Array, table: pa.Table) -> None:
        for line, row in zip(_lines(first, table), table.to_pylist(), strict=True):
            self.count((member, line), **row)

    def item_rows(self, kind: str, table: pa.Table) -> None:
        for row in table.to_pylist():
            self.item(kind, **row)

    def count(self, place: Place, *, kind: str, parent_id: str | None = None, **row: Any) -> None:
        assert kind in KINDS
        self.counted.append({"line": place[1], "kind": kind, "parent_id": parent_id, **row})

    def mapped(self, member: Member, columns: Mapping[str, str], unused: Sequence[str]) -> None:
        self.columns, self.unused = dict(columns), list(unused)

    def drop(self, place: Place, reason: str, why: str) -> None:
        assert reason in REASONS
        self.dropped.append((place[1], reason, why))

    def item(self, kind: str, item_id: str, name: str, **described: Any) -> None:
        self.described[kind][item_id] = {"name": name, **described}

    def tag(self, kind: str, item_id: str, tag: str, count: int = 1) -> None:
        self.tags[kind, item_id, tag] = self.tags.get((kind, item_id, tag), 0) + count

    def friend(self, user_id: str, friend_id: str) -> None:
        self.friends.append((user_id, friend_id))

    def feedback(
        self, user_id: str | None, item_id: str, score: int, given_at: float | None = None, *, kind: str = "track"
    ) -> None:
        assert kind in KINDS
        self.thumbs.append((user_id, item_id, score, given_at))

    def playlist(self, playlist_id: str, title: str, **described: Any) -> None:
        self.playlists[playlist_id] = {"title": title, **described}

    def playlist_item(
        self, place: Place, playlist_id: str, position: int, item_id: str, parent_id: str | None = None
    ) -> None:
        self.items.append((playlist_id, position, item_id, parent_id))
        self.item_lines.append(place[1])

    @property
    def artists(self) -> dict[str, str]:
        """The name of each artist."""
        return {artist: described["name"] for artist, described in self.described["artist"].items()}

    @property
    def tracks(self) -> dict[str, dict[str, Any]]:
        """What is known of each track."""
        return self.described["track"]

    @property
    def reasons(self) -> list[tuple[int, str]]:
        """(line, reason) of what was dropped."""
        return [(line, reason) for line, reason, _ in self.dropped]


Read = Callable[..., Recording]


@pytest.fixture
def read() -> Read:
    """``read(format, {file: content})``: what the format, or the one of that name, hands over."""

    def reading(format_: str | Format, files: Files) -> Recording:
        sink = Recording()
        try:
            (load_format(format_) if isinstance(format_, str) else format_).read(MemorySource(files), sink)
        except InputError as error:
            sink.damage = str(error)
        return sink

    return reading


@pytest.fixture
def recognised() -> Callable[[str, bytes], float]:
    """``recognised(format, file, content)``: how sure the format is."""

    def recognising(kind: str, name: str, content: bytes) -> float:
        return load_format(kind).recognise(MemorySource({name: content}).members[0])

    return recognising


@pytest.fixture(scope="session")
def examples() -> Mapping[str, Files]:
    """One small input for every format, as `examples.py` beside this file has them: {format: {file: content}}."""
    return runpy.run_path(str(Path(__file__).with_name("examples.py")))["EXAMPLES"]
