"""Spotify's streaming history, extended and basic, as users download it.

Extended (``Streaming_History_Audio_*.json``, ``endsong_*.json``): a list of objects, ``ts`` is the UTC time at which
the play stopped, so the listen began ``ms_played`` before it. Basic (``StreamingHistory*.json``): ``endTime`` to the
minute, artist, track, ``msPlayed``. Both have podcasts too: a listen of an episode, which belongs to a show. An export
is one person's and names an account only, so its rows are the default user's. Incognito rows are private. Of the other
columns (addresses, devices, countries), only the platform is kept.
"""

import datetime
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, TypeVar

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crossfade.formats.contract import DEFAULT_KIND, Member, Sink, Source
from crossfade.formats.json_records import json_records
from crossfade.formats.scrobbles import unusable_time
from crossfade.formats.value_columns import DATE, MINUTE, calendar_times

_ROWS_AT_ONCE = 20_000
_UTC = pa.timestamp("ms", tz="UTC")
# How the two histories write times: for the rare ones, and for those that are read at once.
_EXTENDED = ("%Y-%m-%dT%H:%M:%SZ", f"^{DATE}T{MINUTE}:[0-5][0-9]Z$")
_BASIC = ("%Y-%m-%d %H:%M", f"^{DATE} {MINUTE}$")

# Why a play began, as far as it tells whether the listener chose the item.
_STARTS = {
    "clickrow": "chosen",
    "clickside": "chosen",
    "playbtn": "chosen",
    "uriopen": "chosen",
    "remote": "chosen",
    "trackdone": "continued",
    "fwdbtn": "continued",
    "nextbtn": "continued",
    "autoplay": "autoplay",
}


class _Extended(msgspec.Struct, gc=False):
    """The columns of an extended row that are used; old rows have null in most of them."""

    ts: str | None = None
    ms_played: int | None = None
    platform: str | None = None
    master_metadata_track_name: str | None = None
    master_metadata_album_artist_name: str | None = None
    master_metadata_album_album_name: str | None = None
    spotify_track_uri: str | None = None
    episode_name: str | None = None
    episode_show_name: str | None = None
    spotify_episode_uri: str | None = None
    audiobook_title: str | None = None
    reason_start: str | None = None
    incognito_mode: bool | None = None


class _Basic(msgspec.Struct, gc=False, rename="camel"):
    """A basic row."""

    end_time: str | None = None
    artist_name: str | None = None
    track_name: str | None = None
    ms_played: int | None = None
    podcast_name: str | None = None
    episode_name: str | None = None


class SpotifyExtended:
    """The extended streaming history."""

    name = "spotify-extended"
    title = "Spotify extended streaming history"

    def recognise(self, member: Member) -> float:
        """1 by its column names."""
        return _confidence(member, (b'"ts"', b'"ms_played"', b'"master_metadata_track_name"'))

    def read(self, source: Source, sink: Sink) -> None:
        """One listen a row."""
        _read(source, sink, _Extended, _put_extended)


class SpotifyBasic:
    """The streaming history of the basic account data."""

    name = "spotify"
    title = "Spotify streaming history (account data)"

    def recognise(self, member: Member) -> float:
        """1 by its column names."""
        return _confidence(member, (b'"endTime"', b'"msPlayed"'))

    def read(self, source: Source, sink: Sink) -> None:
        """One listen a row."""
        _read(source, sink, _Basic, _put_basic)


Row = TypeVar("Row", bound=msgspec.Struct)
Fault = tuple[int, str, str]
"""The number of a row, the reason to drop it, and what is wrong with it."""
Put = Callable[[Sink, Member, list[int], list[Row]], list[Fault]]
"""Hands rows to a sink and returns the faults of those that cannot be used."""


def _read(source: Source, sink: Sink, columns: type[Row], put: Put[Row]) -> None:
    """Hand many rows that have ``columns`` at once to ``put``, with their numbers; drop the others, and its faults."""
    for member in source.members:
        with source.open(member) as file:
            _read_records(json_records(file, (), member.name, columns), member, sink, columns, put)


def _read_records(
    records: Iterator[tuple[int, Any]], member: Member, sink: Sink, columns: type[Row], put: Put[Row]
) -> None:
    rows: list[Row] = []
    numbers: list[int] = []
    faults: list[Fault] = []

    def hand_over() -> None:
        for number, reason, why in sorted([*faults, *(put(sink, member, numbers, rows) if rows else ())]):
            sink.drop((member, number), reason, why)
        for done in (rows, numbers, faults):
            done.clear()

    try:
        for number, record in records:
            try:
                rows.append(record if type(record) is columns else msgspec.convert(record, columns))
                numbers.append(number)
            except msgspec.ValidationError:
                faults.append((number, "malformed", "not a JSON object with Spotify's columns"))
            if len(rows) == _ROWS_AT_ONCE:
                hand_over()
    finally:
        hand_over()  # the rows before damage are good


def _put_extended(sink: Sink, member: Member, numbers: list[int], rows: list[_Extended]) -> list[Fault]:
    is_video = "video" in member.relative.name.lower()
    odd = [
        # First of all: of a private row not even the kind is recorded.
        ("private", "an incognito row")
        if row.incognito_mode
        else ("unsupported", "a video or an audiobook")
        if is_video or row.audiobook_title
        else None
        for row in rows
    ]
    episodes = [bool(row.episode_name or row.episode_show_name or row.spotify_episode_uri) for row in rows]
    kinds = pa.array(episodes)

    def either(of_episodes: list[str | None], of_tracks: list[str | None]) -> pa.Array:
        return pc.if_else(kinds, pa.array(of_episodes, pa.string()), pa.array(of_tracks, pa.string()))

    columns = {
        "kind": pc.if_else(kinds, "episode", DEFAULT_KIND),
        "name": either([row.episode_name for row in rows], [row.master_metadata_track_name for row in rows]),
        "parent_name": either(
            [row.episode_show_name for row in rows], [row.master_metadata_album_artist_name for row in rows]
        ),
        "item_id": either([row.spotify_episode_uri for row in rows], [row.spotify_track_uri for row in rows]),
        "album": either([None] * len(rows), [row.master_metadata_album_album_name for row in rows]),
        "source": pa.array([_STARTS.get(row.reason_start or "") for row in rows], pa.string()),
        "platform": pa.array([row.platform for row in rows], pa.string()),
    }
    return _put(
        sink, member, numbers, [row.ts for row in rows], _EXTENDED, [row.ms_played for row in rows], columns, odd
    )


def _put_basic(sink: Sink, member: Member, numbers: list[int], rows: list[_Basic]) -> list[Fault]:
    episodes = pa.array([bool(row.podcast_name or row.episode_name) for row in rows])

    def either(of_episodes: list[str | None], of_tracks: list[str | None]) -> pa.Array:
        return pc.if_else(episodes, pa.array(of_episodes, pa.string()), pa.array(of_tracks, pa.string()))

    columns = {
        "kind": pc.if_else(episodes, "episode", DEFAULT_KIND),
        "name": either([row.episode_name for row in rows], [row.track_name for row in rows]),
        "parent_name": either([row.podcast_name for row in rows], [row.artist_name for row in rows]),
        "item_id": pa.nulls(len(rows), pa.string()),
    }
    times, played = [row.end_time for row in rows], [row.ms_played for row in rows]
    return _put(sink, member, numbers, times, _BASIC, played, columns, [None] * len(rows))


def _put(
    sink: Sink,
    member: Member,
    numbers: list[int],
    times: list[str | None],
    layout: tuple[str, str],
    played: list[int | None],
    columns: dict[str, pa.Array],
    odd: Sequence[tuple[str, str] | None],
) -> list[Fault]:
    """Hand plays that stopped at ``times`` to ``sink``, and return the faults of the others.

    layout  of a time, as `datetime.strptime` and as a regular expression
    odd     (rows,) the reason to drop a row, and what is wrong with it; None for a listen
    """
    stopped = calendar_times(pa.array(times, pa.string()), layout[1], partial(_seconds, layout=layout[0]))
    unnamed = pc.equal(pc.coalesce(columns["parent_name"], pa.scalar("")), "")
    kept = pc.and_(pc.and_(stopped.is_valid(), pc.invert(unnamed)), pa.array([why is None for why in odd]))
    faults: list[Fault] = []
    for at in np.flatnonzero(~kept.to_numpy(zero_copy_only=False)).tolist():
        why = odd[at]
        if why is None:
            nobody = "neither artist nor show is named: Spotify no longer lists the item"
            why = unusable_time(times[at]) if not stopped[at].is_valid else ("incomplete", nobody)
        faults.append((numbers[at], *why))
    lengths = pa.array([None if ms is None else min(max(ms, -1), 2**53) for ms in played], pa.int64())
    begun = pc.subtract(pc.multiply(stopped, 1000.0), pc.max_element_wise(lengths.fill_null(0), 0))
    begun = pc.max_element_wise(begun, -1e15, skip_nulls=False)  # a time beyond every calendar, which is dropped later
    columns["listened_at"] = pc.round(begun, round_mode="half_to_even").cast(pa.int64()).cast(_UTC)
    columns["ms_played"] = lengths
    sink.listens(member, pa.array(numbers, pa.int64()).filter(kept), pa.table(columns).filter(kept))
    return faults


def _confidence(member: Member, keys: tuple[bytes, ...]) -> float:
    head = member.head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if not head.startswith(b"["):
        return 0.0
    present = sum(key in head for key in keys)
    return 1.0 if present == len(keys) else 0.3 * present / len(keys)


def _seconds(text: str, layout: str) -> float | None:
    """Return the seconds since 1970 of a UTC time; None if it is not one."""
    try:
        return datetime.datetime.strptime(f"{text}+0000", f"{layout}%z").timestamp()
    except (ValueError, OverflowError):
        return None
