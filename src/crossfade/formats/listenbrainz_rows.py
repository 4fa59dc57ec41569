"""ListenBrainz's rows as types, and as columns.

Names and times have one type. The fields of ``additional_info`` come from players and may have any type, so a row that
fails the strict types is converted again without the values of the wrong type there.
"""

from collections.abc import Callable, Sequence
from typing import Annotated, Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from crossfade.formats.values import MBID

DECODING_ERRORS = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

# The years 68 and 5138, in seconds since 1970.
_EARLIEST, _LATEST = -6e10, 1e11


class Credit(msgspec.Struct, gc=False):
    """One of a recording's artists."""

    artist_mbid: str | None = None
    artist_credit_name: str | None = None


class MbidMapping(msgspec.Struct, gc=False):
    """The MusicBrainz identifiers that ListenBrainz matched to a listen."""

    recording_mbid: str | None = None
    artist_mbids: list[str] | None = None
    artists: list[Credit] | None = None


class Info(msgspec.Struct, gc=False):
    """The fields that a player sent, as far as they are used; lengths are in seconds but for ``duration_ms``."""

    recording_mbid: str | None = None
    recording_msid: str | None = None
    artist_mbids: list[str] | None = None
    isrc: str | None = None
    duration_ms: int | float | None = None
    duration: int | float | None = None
    duration_played: int | float | None = None
    media_player: str | None = None


_NO_INFO = Info()
_NO_MAPPING = MbidMapping()
# The metadata whose fields may have any type.
_OPEN: dict[str, type[msgspec.Struct]] = {"additional_info": Info, "mbid_mapping": MbidMapping}


class Metadata(msgspec.Struct, gc=False):
    """``track_metadata``."""

    artist_name: str | None = None
    track_name: str | None = None
    release_name: str | None = None
    recording_msid: str | None = None
    additional_info: Info | None = None
    mbid_mapping: MbidMapping | None = None

    @property
    def info(self) -> Info:
        """What the player sent; empty if nothing."""
        return self.additional_info or _NO_INFO

    @property
    def recording(self) -> str | None:
        """The recording's MBID: ListenBrainz's, else the player's."""
        return (self.mbid_mapping or _NO_MAPPING).recording_mbid or self.info.recording_mbid

    @property
    def artist(self) -> str | None:
        """The name of the first artist alone if ListenBrainz gives it; else the joined names of all artists."""
        artists = (self.mbid_mapping or _NO_MAPPING).artists
        if artists and artists[0].artist_mbid and artists[0].artist_credit_name:
            return artists[0].artist_credit_name
        return self.artist_name


class Listen(msgspec.Struct, gc=False):
    """One row of a dump, an export or the API."""

    track_metadata: Metadata | None = None
    listened_at: int | float | None = None
    timestamp: int | float | None = None
    user_name: str | None = None
    user_id: int | str | None = None
    recording_msid: str | None = None


class Feedback(msgspec.Struct, gc=False):
    """One row of ``feedback.jsonl``: 1 love, -1 hate, 0 taken back."""

    score: Annotated[int, msgspec.Meta(ge=-1, le=1)]
    recording_mbid: str | None = None
    recording_msid: str | None = None
    created: int | float | None = None


class Rows:
    """Decodes rows."""

    def __init__(self) -> None:
        self._decoder = msgspec.json.Decoder(Listen)

    def block(self, lines: bytes) -> list[Listen] | None:
        """Decode one row a line; None if any line is not exactly one valid row."""
        try:
            listens = self._decoder.decode_lines(lines)
        except DECODING_ERRORS:
            return None
        # A blank line gives no row and a line may contain two, so that rows would not fit the numbers of lines.
        return listens if len(listens) == lines.count(b"\n") + (not lines.endswith(b"\n")) else None

    def one(self, row: Any) -> Listen | None:
        """Convert ``row``, which was decoded without types; None if it is not a listen."""
        try:
            return msgspec.convert(row, Listen)
        except msgspec.ValidationError:
            pass
        metadata = row.get("track_metadata") if isinstance(row, dict) else None
        if not isinstance(metadata, dict):
            return None
        try:
            listen = msgspec.convert({**row, "track_metadata": None}, Listen)
            strict = msgspec.convert({key: metadata[key] for key in metadata if key not in _OPEN}, Metadata)
        except msgspec.ValidationError:
            return None
        parts = {name: _without_misfits(metadata.get(name), struct) for name, struct in _OPEN.items()}
        listen.track_metadata = msgspec.structs.replace(strict, **parts)
        return listen


def listen_table(listens: Sequence[Listen], user: str | None) -> pa.Table:
    """Return ``listens`` as the columns that `contract.Sink.listens` takes.

    ``user`` is the user of rows that name none. Identifiers that are not MusicBrainz's are left out, so that ids are
    made from the names.
    """
    columns: dict[str, list[Any]] = {name: [] for name in _COLUMNS}
    users, seconds, item_ids, names, parent_ids, parents, albums, played, lengths, isrcs, players = (
        column.append for column in columns.values()
    )
    nothing = Metadata()
    # This loop takes most of an import's time, so `Metadata.artist` and `Metadata.recording` are written out.
    for listen in listens:
        metadata = listen.track_metadata or nothing
        info = metadata.additional_info or _NO_INFO
        mapping = metadata.mbid_mapping or _NO_MAPPING
        users(listen.user_name or (user if listen.user_id is None else str(listen.user_id)))
        seconds(listen.timestamp if listen.listened_at is None else listen.listened_at)
        item_ids(mapping.recording_mbid or info.recording_mbid)
        names(metadata.track_name)
        credit = mapping.artists[0] if mapping.artists else None
        if credit is not None and credit.artist_mbid and credit.artist_credit_name:
            parent_ids(credit.artist_mbid)
            parents(credit.artist_credit_name)
        else:
            artists = mapping.artist_mbids or info.artist_mbids
            parent_ids(artists[0] if artists else None)
            parents(metadata.artist_name)
        albums(metadata.release_name)
        played(None if info.duration_played is None else info.duration_played * 1000)
        lengths(info.duration_ms or (None if info.duration is None else info.duration * 1000))
        isrcs(info.isrc)
        players(info.media_player)
    if not any(columns["user_id"]):
        del columns["user_id"]
    return pa.table({name: _COLUMNS[name](column) for name, column in columns.items()})


def mbids(column: pa.Array) -> pa.Array:
    """Return the column in lower case, null where it is not an MBID."""
    column = pc.ascii_lower(column)
    return pc.if_else(pc.match_substring_regex(column, f"^{MBID.pattern}$"), column, None)


def times(seconds: pa.Array) -> pa.Array:
    """Convert seconds since 1970; a time beyond every calendar becomes an extreme one, and is dropped later."""
    latest = pc.min_element_wise(seconds, _LATEST, skip_nulls=False)
    bounded = pc.max_element_wise(latest, _EARLIEST, skip_nulls=False)
    return pc.round(pc.multiply(bounded, 1000.0)).cast(pa.int64()).cast(pa.timestamp("ms", tz="UTC"))


def _lengths(milliseconds: Sequence[Any]) -> pa.Array:
    """Milliseconds above zero; null for lengths that no track has."""
    lengths = _numbers(milliseconds)
    inside = pc.and_(pc.greater(lengths, 0.0), pc.less(lengths, 1e9))
    return pc.if_else(inside, lengths, None).cast(pa.int32(), safe=False)


def _numbers(values: Sequence[Any]) -> pa.Array:
    try:
        return pa.array(values, pa.float64())
    except (OverflowError, pa.ArrowInvalid):
        # JSON has integers of any length.
        return pa.array([None if value is None else _real(value) for value in values], pa.float64())


def _real(value: int | float) -> float:
    try:
        return float(value)
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")


def _without_misfits(value: Any, struct: type[msgspec.Struct]) -> Any:
    """Convert an object to ``struct``, leaving out fields of another type; numbers may be written as text."""
    if not isinstance(value, dict):
        return None
    fields: dict[str, Any] = {}
    for field in msgspec.structs.fields(struct):
        if field.name in value:
            try:
                fields[field.name] = msgspec.convert(value[field.name], field.type, strict=False)
            except msgspec.ValidationError:
                continue
    return struct(**fields)


def _texts(values: Sequence[Any]) -> pa.Array:
    return pa.array(values, pa.string())


def _mbids(values: Sequence[Any]) -> pa.Array:
    return mbids(_texts(values))


def _times(values: Sequence[Any]) -> pa.Array:
    return times(_numbers(values))


_COLUMNS: dict[str, Callable[[Sequence[Any]], pa.Array]] = {
    "user_id": _texts,
    "listened_at": _times,
    "item_id": _mbids,
    "name": _texts,
    "parent_id": _mbids,
    "parent_name": _texts,
    "album": _texts,
    "ms_played": _lengths,
    "duration_ms": _lengths,
    "isrc": _texts,
    "platform": _texts,
}
"""The columns of `listen_table`, and how each is made from the values of rows."""
