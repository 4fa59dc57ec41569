"""Spotify's streaming history, extended and basic, as people download it.

Extended (``Streaming_History_Audio_*.json``, ``endsong_*.json``): a list of objects, ``ts`` is the UTC time at which
the play stopped, so the listen began ``ms_played`` before it. Basic (``StreamingHistory*.json``): ``endTime`` to the
minute, artist, track, ``msPlayed``. An export is one person's and says so by an account name only, so its rows
are the default user's. Incognito rows are private. Of what else the rows hold (addresses, devices, countries),
only the platform is kept.
"""

import datetime
from collections.abc import Iterator
from typing import Any, TypeVar

import msgspec

from crossfade.formats.contract import Member, Sink, Source
from crossfade.formats.json_records import json_records

# Why a play began, as far as it tells whether the listener chose this very track.
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
        """Sure when rows have its column names."""
        return _recognised(member, (b'"ts"', b'"ms_played"', b'"master_metadata_track_name"'))

    def read(self, source: Source, sink: Sink) -> None:
        """See `contract.Format`."""
        for place, row in _rows(source, sink, _Extended):
            _extended(sink, place, row, video="video" in place[0].relative.name.lower())


class SpotifyBasic:
    """The streaming history of the basic account data."""

    name = "spotify"
    title = "Spotify streaming history (account data)"

    def recognise(self, member: Member) -> float:
        """Sure when rows have its column names."""
        return _recognised(member, (b'"endTime"', b'"msPlayed"'))

    def read(self, source: Source, sink: Sink) -> None:
        """See `contract.Format`."""
        for place, row in _rows(source, sink, _Basic):
            _basic(sink, place, row)


Row = TypeVar("Row", bound=msgspec.Struct)


def _rows(source: Source, sink: Sink, kind: type[Row]) -> Iterator[tuple[tuple[Member, int], Row]]:
    """(place, row) of every row; one of other columns is dropped."""
    for member in source.members:
        with source.open(member) as file:
            for number, said in json_records(file, (), member.name):
                try:
                    row = msgspec.convert(said, kind)
                except msgspec.ValidationError:
                    sink.drop((member, number), "malformed", "not a JSON object with Spotify's columns")
                else:
                    yield (member, number), row


def _extended(sink: Sink, place: tuple[Member, int], row: _Extended, *, video: bool) -> None:
    stopped = _seconds(row.ts, "%Y-%m-%dT%H:%M:%SZ")
    if row.incognito_mode:
        # First of all: of a private row not even the kind is told.
        sink.drop(place, "private", "an incognito row")
    elif video or row.episode_name or row.episode_show_name or row.spotify_episode_uri or row.audiobook_title:
        sink.drop(place, "not-music", "an episode, a video or a book")
    elif stopped is None:
        sink.drop(place, *_without_time(row.ts, "ts"))
    elif not row.master_metadata_album_artist_name:
        sink.drop(place, "incomplete", "there is no artist: the track is not in Spotify's catalogue any more")
    else:
        sink.listen(
            place,
            listened_at=stopped - max(row.ms_played or 0, 0) / 1000,
            artist=row.master_metadata_album_artist_name,
            title=row.master_metadata_track_name,
            track_id=row.spotify_track_uri or None,
            album=row.master_metadata_album_album_name,
            ms_played=row.ms_played,
            source=_STARTS.get(row.reason_start or ""),
            platform=row.platform,
        )


def _basic(sink: Sink, place: tuple[Member, int], row: _Basic) -> None:
    stopped = _seconds(row.end_time, "%Y-%m-%d %H:%M")
    if row.podcast_name or row.episode_name:
        sink.drop(place, "not-music", "an episode")
    elif stopped is None:
        sink.drop(place, *_without_time(row.end_time, "endTime"))
    elif not row.artist_name:
        sink.drop(place, "incomplete", "there is no artist")
    else:
        sink.listen(
            place,
            listened_at=stopped - max(row.ms_played or 0, 0) / 1000,
            artist=row.artist_name,
            title=row.track_name,
            ms_played=row.ms_played,
        )


def _recognised(member: Member, keys: tuple[bytes, ...]) -> float:
    head = member.head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if not head.startswith(b"["):
        return 0.0
    found = sum(key in head for key in keys)
    return 1.0 if found == len(keys) else 0.3 * found / len(keys)


def _without_time(said: Any, column: str) -> tuple[str, str]:
    return ("malformed", f"{column} is not a time") if said else ("incomplete", f"there is no {column}")


def _seconds(text: str | None, layout: str) -> float | None:
    """Seconds since 1970 of a UTC time, None if it is not one."""
    try:
        return datetime.datetime.strptime(f"{text}+0000", f"{layout}%z").timestamp()
    except (ValueError, OverflowError):
        return None
