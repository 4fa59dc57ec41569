"""The contract of a file format: recognise a file by its first bytes, and hand its rows to a sink.

A format is one file in this room and one line in `crossfade.formats.registry.FORMATS`. It knows nothing of cleaning
rules, settings, batches or Parquet: the `Sink` counts, checks and stores what the format reads. For every row of a file
a format calls exactly one of ``sink.listen``, ``sink.listens``, ``sink.count``, ``sink.counts``, ``sink.playlist_item``
and ``sink.drop``, so that rows read = accepted + dropped holds by construction. The other methods take what is no row
of its own, such as names and tags; the ledger counts those by table.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import IO, TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import pyarrow as pa

HEAD_BYTES = 64 << 10
"""The first bytes of a file by which it is recognised: enough for its first rows."""

DEFAULT_KIND = "track"
"""The kind of item that is listened to where a format names none."""


@dataclass(frozen=True)
class Member:
    """One readable file of an input: a plain file, or one inside a folder, a zip or a tar, decompressed.

    name      for messages: "endsong_0.json", "dump.tar.zst:listens/2024/1.listens"
    relative  its path below the imported folder or archive (the file's own name for a single file), without the
              compression suffixes (.gz, .zst, .bz2, .xz)
    head      its first bytes after decompression, at most `HEAD_BYTES`
    footer    the beginning of a Parquet file's footer, which names its columns, as long; else empty
    """

    name: str
    relative: PurePosixPath
    head: bytes
    footer: bytes = b""


Place = tuple[Member, int]
"""Where a row stands: its file, and its line or record number from 1."""


class Source(Protocol):
    """The members of one input that belong to one format."""

    @property
    def name(self) -> str:
        """The file, folder or archive, as the user typed it."""

    @property
    def members(self) -> Sequence[Member]:
        """All members in a fixed order: by path, those of a tar in archive order."""

    def open(self, member: Member) -> IO[bytes]:
        """Return the member's decompressed bytes, buffered. Reading past damage raises InputError."""

    def lines(self, member: Member) -> Iterator[tuple[int, bytes]]:
        """Yield (line number from 1, line without its end).

        A line over the limit is cut to the limit, so that its format drops it as malformed. At damage the lines end,
        and the ledger records the damage.
        """

    def blocks(self, member: Member) -> Iterator[tuple[int, bytes]]:
        """Yield (number of the first line, many whole lines), for formats that decode many lines at once."""

    def text_lines(self, member: Member) -> Iterator[tuple[int, str]]:
        """Yield `lines` as text: UTF-8, UTF-16 by its byte order mark, else Latin-1 for the whole file."""


class Sink(Protocol):
    """Takes the rows of a format. Names and fields of items go to the catalogue."""

    default_user: str
    """The user of formats that name none: the value of ``--user``, or "me"."""

    def listen(
        self,
        place: Place,
        *,
        listened_at: float,
        name: str | None = None,
        parent: str | None = None,
        kind: str = DEFAULT_KIND,
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
        """Take one play event; a missing id is made from the names.

        listened_at  seconds since 1970 UTC, when the play began
        name         of the item played, which is of ``kind`` (`crossfade.core.kinds`)
        parent       name of what the item belongs to: a track's artist, an episode's show. With neither ``name`` nor
                     ``item_id`` the row is a listen of the parent: an artist of whom no track is known
        user_id      None for `default_user`
        private      count and drop the row at once
        skipped      None to decide by ``ms_played`` and ``duration_ms``
        fields       the kind's own, such as a track's album
        """

    def listens(
        self, member: Member, first: "int | pa.Array", table: "pa.Table", private: "pa.Array | None" = None
    ) -> None:
        """Take many play events at once.

        first    the number of the first record, the others following it; or int64 (rows,), the number of each
        table    any of the columns of `crossfade.core.schemas.LISTENS`, ``name``, ``parent_name`` and the fields of the
                 kinds, with the meaning and the defaults that they have in `listen`
        private  marks the rows to drop
        """

    def count(
        self,
        place: Place,
        *,
        user_id: str,
        plays: float,
        kind: str,
        item_id: str,
        parent_id: str | None = None,
    ) -> None:
        """Take a number of plays that the source counted itself, without times."""

    def counts(self, member: Member, first: "int | pa.Array", table: "pa.Table") -> None:
        """Take many numbers of plays at once: ``user_id``, ``plays``, ``kind``, ``item_id`` and ``parent_id``.

        ``first`` is as in `listens`.
        """

    def playlist_item(
        self,
        place: Place,
        playlist_id: str,
        position: int,
        item_id: str,
        parent_id: str | None = None,
        *,
        kind: str = DEFAULT_KIND,
    ) -> None:
        """Take the item at ``position`` (from 0) of a playlist; its name goes to `item`."""

    def mapped(self, member: Member, columns: Mapping[str, str], unused: Sequence[str]) -> None:
        """Record which of the file's columns were used as which of ours, and which were not used, for the user."""

    def drop(self, place: Place, reason: str, why: str) -> None:
        """Count a row that cannot be used.

        reason  one of `REASONS`
        why     what is wrong with the row, naming the column and never repeating the row's content
        """

    def item(
        self, kind: str, item_id: str, name: str, *, parent_id: str | None = None, **fields: str | int | None
    ) -> None:
        """Take an item's name, its parent, and the fields of its kind."""

    def item_rows(self, kind: str, table: "pa.Table") -> None:
        """Take many items of ``kind`` at once: ``item_id``, ``name``, ``parent_id`` and the fields of the kind."""

    def tag(self, kind: str, item_id: str, tag: str, count: int = 1) -> None:
        """Take a tag that ``count`` users gave to the item; equal pairs are summed."""

    def text(self, kind: str, item_id: str, text: str) -> None:
        """Take a free text about the item."""

    def friend(self, user_id: str, friend_id: str) -> None:
        """Take ``friend_id`` as a friend of ``user_id``."""

    def playlist(self, playlist_id: str, title: str, *, owner: str | None = None, followers: int | None = None) -> None:
        """Take a playlist; its items go to `playlist_item`."""

    def feedback(
        self,
        user_id: str | None,
        item_id: str,
        score: int,
        given_at: float | None = None,
        *,
        kind: str = DEFAULT_KIND,
    ) -> None:
        """Take a thumb: 1 up, -1 down, 0 taken back; ``given_at`` in seconds since 1970 UTC."""


class Format(Protocol):
    """One format of files."""

    @property
    def name(self) -> str:
        """As users type it: "lastfm-csv"."""

    @property
    def title(self) -> str:
        """As users read it: "Last.fm CSV export"."""

    def recognise(self, member: Member) -> float:
        """Return the confidence, 0 to 1, that ``member`` is of this format: by its content first, then its name.

        1 only for content that can be nothing else. A format of several files (a data set) answers for each.
        """

    def read(self, source: Source, sink: Sink) -> None:
        """Hand every row of ``source`` to ``sink``.

        A bad row goes to ``sink.drop``. Damage to a whole file raises InputError, which costs the rest of that file.
        """


REASONS = {
    "malformed": "unreadable: wrong number of columns, invalid JSON, not a number, or too long",
    "incomplete": "a required value is missing: the user, time, item or count",
    "private": "a private or incognito session; never stored",
    "unsupported": "a video, an audiobook or another kind of item that Crossfade does not know",
    "not-a-play": "an event that is not a play of its own: a search, a lyric shown, a further piece of a paused play",
    "duplicate": "already imported: the same user, time and item, or the same place in a playlist",
    "future": "dated in the future",
    "too-early": "dated before the earliest year allowed (1970 where no time was recorded)",
    "loop": "repeated without a break for hours; extra plays dropped",
    "bad-count": "a number of plays that is zero, negative, not finite or implausibly large",
    "ignored": "an item that the setting `ignored` leaves out",
}
"""Why rows are dropped. The ledger counts by these."""

PASSING = frozenset({"future"})
"""The reasons of `REASONS` that can pass: the same file is read again for these rows."""
