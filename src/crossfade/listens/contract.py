"""What a format is: it recognises a file from its first bytes and turns it into rows.

A format is one file in this room and one line in `crossfade.listens.formats.FORMATS`. It knows nothing of
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
        user_id: str | None = None,
        listened_at: float,
        artist: str,
        title: str | None = None,
        artist_id: str | None = None,
        track_id: str | None = None,
        album: str | None = None,
        ms_played: int | None = None,
        track_ms: int | None = None,
        isrc: str | None = None,
        private: bool = False,
        skipped: bool | None = None,
        source: str | None = None,
        context: str | None = None,
        platform: str | None = None,
    ) -> None:
        """One play event; names are remembered for the catalogue, and ids made from them where not given.

        ``listened_at`` is in seconds since 1970 UTC, when the play began. ``user_id`` None means
        `default_user`. ``title`` None means that only the artist is known. ``skipped`` None means: judge by
        ``ms_played`` and ``track_ms``. A ``private`` row is counted and forgotten at once.
        """

    def listens(self, member: Member, first: int, table: "pa.Table", private: "pa.Array | None" = None) -> None:
        """Many play events at once, for columnar sources.

        ``table`` has `crossfade.core.schemas.LISTENS`'s columns, those that the source lacks left out
        (``skipped`` is judged then), and may have ``artist_name``, ``title``, ``album``, ``isrc`` for the catalogue,
        of which ids are made where ``artist_id`` and ``track_id`` are null or missing.
        Row r of the table is record ``first + r`` of the member; ``private`` marks rows to be forgotten.
        """

    def count(
        self,
        place: tuple[Member, int],
        *,
        user_id: str,
        plays: float,
        artist_id: str | None = None,
        track_id: str | None = None,
    ) -> None:
        """A number of plays that the source counted itself, without times; at least one of the ids."""

    def drop(self, place: tuple[Member, int], reason: str, why: str) -> None:
        """A row that cannot be used. ``reason`` is one of `REASONS`; ``why`` says what is wrong with it,
        in words that name the column and never repeat the row's content.
        """

    def artist(self, artist_id: str, name: str) -> None:
        """A name for an artist id."""

    def track(
        self,
        track_id: str,
        title: str,
        *,
        artist_id: str | None = None,
        album: str | None = None,
        track_ms: int | None = None,
        isrc: str | None = None,
    ) -> None:
        """A title, and what else is known, for a track id."""

    def tag(self, artist_id: str, tag: str, count: int = 1) -> None:
        """``count`` users gave ``tag`` to the artist; equal pairs are summed."""

    def text(self, artist_id: str, text: str) -> None:
        """A free text about the artist."""

    def friend(self, user_id: str, friend_id: str) -> None:
        """``friend_id`` is a friend of ``user_id``."""

    def playlist(self, playlist_id: str, title: str, *, owner: str | None = None, followers: int | None = None) -> None:
        """A playlist; its items follow."""

    def playlist_item(self, playlist_id: str, position: int, track_id: str, artist_id: str | None = None) -> None:
        """The track at ``position`` (from 0) of a playlist; its names go to `artist` and `track`."""

    def feedback(self, user_id: str | None, track_id: str, score: int, given_at: float | None = None) -> None:
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
