"""ListenBrainz's rows as types, and as columns.

Names and times have one type. What players send in ``additional_info`` has none that all of them keep to, so a row
that the strict types refuse is read once more with those fields open, and what is of the wrong type there is
taken as not said.
"""

from collections.abc import Sequence
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


class Mapping(msgspec.Struct, gc=False):
    """What ListenBrainz found in MusicBrainz for a listen."""

    recording_mbid: str | None = None
    artist_mbids: list[str] | None = None
    artists: list[Credit] | None = None


class Info(msgspec.Struct, gc=False):
    """What a player sent, as far as it is used; lengths are in seconds but for ``duration_ms``."""

    recording_mbid: str | None = None
    recording_msid: str | None = None
    artist_mbids: list[str] | None = None
    isrc: str | None = None
    duration_ms: int | float | None = None
    duration: int | float | None = None
    duration_played: int | float | None = None
    media_player: str | None = None


_NO_INFO = Info()
_NO_MAPPING = Mapping()


class Metadata(msgspec.Struct, gc=False):
    """``track_metadata``."""

    artist_name: str | None = None
    track_name: str | None = None
    release_name: str | None = None
    recording_msid: str | None = None
    additional_info: Info | None = None
    mbid_mapping: Mapping | None = None

    @property
    def info(self) -> Info:
        """What the player sent, if anything."""
        return self.additional_info or _NO_INFO

    @property
    def found(self) -> Mapping:
        """What ListenBrainz found, if anything."""
        return self.mbid_mapping or _NO_MAPPING

    @property
    def recording(self) -> str | None:
        """The recording's MBID: ListenBrainz's before the player's."""
        return self.found.recording_mbid or self.info.recording_mbid

    @property
    def artist(self) -> str | None:
        """The first artist's own name if it is known; else what joins the names of all."""
        credited = self.found.artists
        if credited and credited[0].artist_mbid and credited[0].artist_credit_name:
            return credited[0].artist_credit_name
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


class _OpenMetadata(msgspec.Struct, gc=False):
    """`Metadata` with the parts open that players fill."""

    artist_name: str | None = None
    track_name: str | None = None
    release_name: str | None = None
    recording_msid: str | None = None
    additional_info: Any = None
    mbid_mapping: Any = None


class _OpenListen(msgspec.Struct, gc=False):
    """`Listen` with open metadata."""

    track_metadata: _OpenMetadata | None = None
    listened_at: int | float | None = None
    timestamp: int | float | None = None
    user_name: str | None = None
    user_id: int | str | None = None
    recording_msid: str | None = None


class Rows:
    """Decodes rows."""

    def __init__(self) -> None:
        self._decoder = msgspec.json.Decoder(Listen)

    def block(self, lines: bytes) -> list[Listen] | None:
        """The row of every line, None if there is a line that is not one sound row."""
        try:
            listens = self._decoder.decode_lines(lines)
        except DECODING_ERRORS:
            return None
        # Blank lines give no row, and a line may hold two; either way the numbers of lines would not fit.
        return listens if len(listens) == lines.count(b"\n") + (not lines.endswith(b"\n")) else None

    def one(self, row: Any) -> Listen | None:
        """The row that was decoded without types as ``row``, None if it is none."""
        try:
            return msgspec.convert(row, Listen)
        except msgspec.ValidationError:
            pass
        try:
            opened = msgspec.convert(row, _OpenListen)
        except msgspec.ValidationError:
            return None
        said = opened.track_metadata
        metadata = None
        if said is not None:
            metadata = Metadata(
                artist_name=said.artist_name,
                track_name=said.track_name,
                release_name=said.release_name,
                recording_msid=said.recording_msid,
                additional_info=_fitting(said.additional_info, Info),
                mbid_mapping=_fitting(said.mbid_mapping, Mapping),
            )
        return Listen(
            track_metadata=metadata,
            listened_at=opened.listened_at,
            timestamp=opened.timestamp,
            user_name=opened.user_name,
            user_id=opened.user_id,
            recording_msid=opened.recording_msid,
        )


class ListenColumns:
    """Listens as the columns that `contract.Sink.listens` takes; ``user`` is theirs if rows do not say."""

    def __init__(self, user: str | None) -> None:
        self._user = user
        self._columns: dict[str, list[Any]] = {name: [] for name in _COLUMNS}

    def extend(self, listens: Sequence[Listen]) -> None:
        """Append ``listens``."""
        add = [self._columns[name].append for name in _COLUMNS]
        users, times, artists, titles, albums, artist_ids, track_ids, played, lengths, isrcs, players = add
        nobody = Metadata()
        for listen in listens:
            said = listen.track_metadata or nobody
            info = said.additional_info or _NO_INFO
            found = said.mbid_mapping or _NO_MAPPING
            users(listen.user_name or (None if listen.user_id is None else str(listen.user_id)))
            times(listen.timestamp if listen.listened_at is None else listen.listened_at)
            credited = found.artists[0] if found.artists else None
            if credited is not None and credited.artist_mbid and credited.artist_credit_name:
                # As `Metadata.artist`, in line, since this loop is most of an import.
                artists(credited.artist_credit_name)
                artist_ids(credited.artist_mbid)
            else:
                mbids = found.artist_mbids or info.artist_mbids
                artists(said.artist_name)
                artist_ids(mbids[0] if mbids else None)
            titles(said.track_name)
            albums(said.release_name)
            track_ids(found.recording_mbid or info.recording_mbid)
            played(None if info.duration_played is None else info.duration_played * 1000)
            lengths(info.duration_ms or (None if info.duration is None else info.duration * 1000))
            isrcs(info.isrc)
            players(info.media_player)

    def table(self) -> pa.Table:
        """The columns; identifiers that are not MusicBrainz's are left out, so that names take their place."""
        said = self._columns
        users = said["user_id"]
        arrays = {
            "listened_at": times(_numbers(said["listened_at"])),
            "artist_name": pa.array(said["artist_name"], pa.string()),
            "title": pa.array(said["title"], pa.string()),
            "album": pa.array(said["album"], pa.string()),
            "artist_id": mbids(pa.array(said["artist_id"], pa.string())),
            "track_id": mbids(pa.array(said["track_id"], pa.string())),
            "ms_played": _lengths(said["ms_played"]),
            "track_ms": _lengths(said["track_ms"]),
            "isrc": pa.array(said["isrc"], pa.string()),
            "platform": pa.array(said["platform"], pa.string()),
        }
        if self._user is not None:
            arrays["user_id"] = pa.array([user or self._user for user in users], pa.string())
        elif any(user is not None for user in users):
            arrays["user_id"] = pa.array(users, pa.string())
        return pa.table(arrays)


_COLUMNS = (
    "user_id",
    "listened_at",
    "artist_name",
    "title",
    "album",
    "artist_id",
    "track_id",
    "ms_played",
    "track_ms",
    "isrc",
    "platform",
)


def mbids(column: pa.Array) -> pa.Array:
    """The column with everything null that is not an MBID, in lower case."""
    column = pc.ascii_lower(column)
    return pc.if_else(pc.match_substring_regex(column, f"^{MBID.pattern}$"), column, None)


def times(seconds: pa.Array) -> pa.Array:
    """Times from seconds since 1970. What no calendar can say becomes absurd, and is dropped as such."""
    latest = pc.min_element_wise(seconds, _LATEST, skip_nulls=False)
    bounded = pc.max_element_wise(latest, _EARLIEST, skip_nulls=False)
    return pc.round(pc.multiply(bounded, 1000.0)).cast(pa.int64()).cast(pa.timestamp("ms", tz="UTC"))


def _lengths(milliseconds: list[Any]) -> pa.Array:
    """Milliseconds above zero; null for what no track lasts."""
    known = _numbers(milliseconds)
    inside = pc.and_(pc.greater(known, 0.0), pc.less(known, 1e9))
    return pc.if_else(inside, known, None).cast(pa.int32(), safe=False)


def _numbers(values: list[Any]) -> pa.Array:
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


def _fitting(said: Any, kind: type[msgspec.Struct]) -> Any:
    """``said`` as ``kind``, every field of another type left out; numbers may be written as text."""
    if not isinstance(said, dict):
        return None
    fields: dict[str, Any] = {}
    for field in msgspec.structs.fields(kind):
        if field.name in said:
            try:
                fields[field.name] = msgspec.convert(said[field.name], field.type, strict=False)
            except msgspec.ValidationError:
                continue
    return kind(**fields)
