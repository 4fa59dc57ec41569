"""What a format is: it recognises a file from its first bytes and turns it into rows.

A format is one file in this room and one line in `crossfade.formats.registry.FORMATS`. It knows nothing of
cleaning rules, settings, batches or Parquet: it hands every row it reads to a `Sink`, which counts it,
judges it, and writes it. Exactly one of ``sink.listen``, ``sink.listens``, ``sink.count`` or ``sink.drop``
is called for every row of listening history, so that rows read = accepted + dropped holds by construction.
What else a format finds (names, tags, playlists) goes to the other methods, which the ledger counts apart.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import IO, TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class Member:
    """One readable file of an input: a plain file, or one inside a folder, a zip or a tar, decompressed.

    name      as people know it ("endsong_0.json", "dump.tar.zst:listens/2024/1.listens")
    relative  its path inside what was given to import (just the file's name for a single file), with the
              compression suffixes (.gz, .zst, .bz2, .xz) taken off
    head      its first bytes after decompression, at most 64 KiB
    footer    the beginning of a Parquet file's footer, which names its columns, at most 64 KiB; else empty
    """

    name: str
    relative: PurePosixPath
    head: bytes
    footer: bytes = b""


class Source(Protocol):
    """All members that belong to one format in one thing a person asked to import."""

    @property
    def name(self) -> str:
        """The file, folder or archive as the person named it."""

    @property
    def members(self) -> Sequence[Member]:
        """In a fixed order: by path; those of a tar as they stand in it."""

    def open(self, member: Member) -> IO[bytes]:
        """The member's decompressed bytes, buffered. Reading past damage raises InputError."""

    def lines(self, member: Member) -> Iterator[tuple[int, bytes]]:
        """(line number from 1, line without its end) of the member.

        A line longer than the limit is not held in memory: it is yielded cut to that limit, so that its
        format drops it as malformed. Damage ends the lines, after the good ones, and stands in the ledger.
        """

    def blocks(self, member: Member) -> Iterator[tuple[int, bytes]]:
        """`lines` by the thousand, for formats that decode many at once: (number of the first line, the lines)."""

    def text_lines(self, member: Member) -> Iterator[tuple[int, str]]:
        """`lines` as text: UTF-8 (with or without a mark), UTF-16 by its mark, else Latin-1 for the whole file."""


class Sink(Protocol):
    """Where a format puts what it reads. ``place`` is (member, line or record number from 1)."""

    default_user: str
    """The user of formats that do not name one: what the person said with --user, or "me"."""

    def listen(
        self,
        place: tuple[Member, int],
        *,
        listened_at: float,
        name: str,
        parent: str | None = None,
        kind: str = "track",
        item_id: str | None = None,
        parent_id: str | None = None,
        user_id: str | None = None,
        ms_played: int | None = None,
        duration_ms: int | None = None,
        private: bool = False,
        skipped: bool | None = None,
        source: str | None = None,
        context: str | None = None,
        platform: str | None = None,
        **fields: str | int | None,
    ) -> None:
        """One play event; names are remembered for the catalogue, and ids made from them where not given.

        ``kind`` (`crossfade.core.kinds`) is that of the most specific item that the source names, called ``name``;
        ``parent`` is the name of what it belongs to: a track and its artist, an artist alone, an episode and its show.
        ``fields`` are the kind's own, such as a track's album. ``listened_at`` is in seconds since 1970 UTC, when the
        play began. ``user_id`` None means `default_user`. ``skipped`` None means: judge by ``ms_played`` and
        ``duration_ms``. A ``private`` row is counted and dropped at once.
        """

    def listens(self, member: Member, first: int, table: "pa.Table", private: "pa.Array | None" = None) -> None:
        """Many play events at once, for columnar sources.

        ``table`` has `crossfade.core.schemas.LISTENS`'s columns, those that the source lacks left out (``kind`` is
        "track" then, and ``skipped`` is judged), and may have ``name``, ``parent_name`` and the kind's fields for the
        catalogue; ids are made of the names where ``item_id`` and ``parent_id`` are null or missing.
        Row r of the table is record ``first + r`` of the member; ``private`` marks rows to be dropped.
        """

    def count(
        self,
        place: tuple[Member, int],
        *,
        user_id: str,
        plays: float,
        kind: str,
        item_id: str,
        parent_id: str | None = None,
    ) -> None:
        """A number of plays that the source counted itself, without times."""

    def drop(self, place: tuple[Member, int], reason: str, why: str) -> None:
        """A row that cannot be used. ``reason`` is one of `REASONS`; ``why`` says what is wrong with it,
        in words that name the column and never repeat the row's content.
        """

    def item(
        self, kind: str, item_id: str, name: str, *, parent_id: str | None = None, **fields: str | int | None
    ) -> None:
        """A name for the id of an item, and what else is known of it: its parent and the kind's own fields."""

    def tag(self, kind: str, item_id: str, tag: str, count: int = 1) -> None:
        """``count`` users gave ``tag`` to the item; equal pairs are summed."""

    def text(self, kind: str, item_id: str, text: str) -> None:
        """A free text about the item."""

    def friend(self, user_id: str, friend_id: str) -> None:
        """``friend_id`` is a friend of ``user_id``."""

    def playlist(self, playlist_id: str, title: str, *, owner: str | None = None, followers: int | None = None) -> None:
        """A playlist; its items follow."""

    def playlist_item(
        self, playlist_id: str, position: int, item_id: str, parent_id: str | None = None, *, kind: str = "track"
    ) -> None:
        """The item at ``position`` (from 0) of a playlist; its names go to `item`."""

    def feedback(
        self, user_id: str | None, item_id: str, score: int, given_at: float | None = None, *, kind: str = "track"
    ) -> None:
        """A thumb: 1 up, -1 down, 0 taken back; the time in seconds since 1970."""


class Format(Protocol):
    """One kind of file that people bring."""

    @property
    def name(self) -> str:
        """As people type it: "lastfm-csv"."""

    @property
    def title(self) -> str:
        """As people read it: "Last.fm CSV export"."""

    def recognise(self, member: Member) -> float:
        """How sure it is, from 0 to 1, that ``member`` is of this format, by its content first, then its name.

        1 only for content that can be nothing else. A format of several files (a data set) answers for each.
        """

    def read(self, source: Source, sink: Sink) -> None:
        """Hand every row of ``source`` to ``sink``. A bad row goes to ``sink.drop``; only damage to a whole
        file raises InputError, which costs the rest of that file.
        """


REASONS = {
    "malformed": "the row cannot be read: wrong number of columns, not JSON, not a number, too long",
    "incomplete": "a needed value is missing: user, time, artist or count",
    "private": "a private or incognito session; never stored",
    "not-music": "an episode, a video or another thing that is not music",
    "duplicate": "the same user, time and track was there already",
    "future": "the time lies ahead of now",
    "too-early": "the time lies before anything could have been recorded (1970 where no time was kept)",
    "loop": "the same track again and again for hours",
    "bad-count": "a count that is zero, negative, not finite or absurdly large",
    "ignored": "an artist or track that the settings say to leave out",
}
"""Why a row is dropped: the ledger counts by these."""
