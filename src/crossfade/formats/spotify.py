"""Spotify's streaming history, extended and basic, as users download it.

Extended (``Streaming_History_Audio_*.json``, ``endsong_*.json``): a list of objects, ``ts`` is the UTC time at which
the play stopped, so the listen began ``ms_played`` before it. Basic (``StreamingHistory*.json``): ``endTime`` to the
minute, artist, track, ``msPlayed``. Both have podcasts too: a listen of an episode, which belongs to a show. An export
is one person's and names an account only, so its rows are the default user's. Incognito rows are private. Of the other
columns (addresses, devices, countries), only the platform is kept.
"""

import datetime
from collections.abc import Iterator
from typing import Any, TypeVar

import msgspec

from crossfade.formats.contract import DEFAULT_KIND, Member, Place, Sink, Source
from crossfade.formats.json_records import json_rows
from crossfade.formats.scrobbles import unusable_time

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
        for place, row in _rows(source, sink, _Extended):
            _put_extended(sink, place, row)


class SpotifyBasic:
    """The streaming history of the basic account data."""

    name = "spotify"
    title = "Spotify streaming history (account data)"

    def recognise(self, member: Member) -> float:
        """1 by its column names."""
        return _confidence(member, (b'"endTime"', b'"msPlayed"'))

    def read(self, source: Source, sink: Sink) -> None:
        """One listen a row."""
        for place, row in _rows(source, sink, _Basic):
            item = (DEFAULT_KIND, row.track_name, row.artist_name)
            if row.podcast_name or row.episode_name:
                item = ("episode", row.episode_name, row.podcast_name)
            _put(sink, place, row.end_time, "%Y-%m-%d %H:%M", row.ms_played, item)


Row = TypeVar("Row", bound=msgspec.Struct)


def _rows(source: Source, sink: Sink, columns: type[Row]) -> Iterator[tuple[Place, Row]]:
    """Yield (place, row) of every row that has ``columns``, and drop the others."""
    for place, record in json_rows(source, ()):
        try:
            row = msgspec.convert(record, columns)
        except msgspec.ValidationError:
            sink.drop(place, "malformed", "not a JSON object with Spotify's columns")
        else:
            yield place, row


def _put_extended(sink: Sink, place: Place, row: _Extended) -> None:
    # First of all: of a private row not even the kind is recorded.
    if row.incognito_mode:
        sink.drop(place, "private", "an incognito row")
        return
    if row.audiobook_title or "video" in place[0].relative.name.lower():
        sink.drop(place, "unsupported", "a video or an audiobook")
        return
    item = (DEFAULT_KIND, row.master_metadata_track_name, row.master_metadata_album_artist_name)
    more = {"item_id": row.spotify_track_uri, "album": row.master_metadata_album_album_name}
    if row.episode_name or row.episode_show_name or row.spotify_episode_uri:
        item = ("episode", row.episode_name, row.episode_show_name)
        more = {"item_id": row.spotify_episode_uri}
    source = _STARTS.get(row.reason_start or "")
    _put(sink, place, row.ts, "%Y-%m-%dT%H:%M:%SZ", row.ms_played, item, source=source, platform=row.platform, **more)


def _put(
    sink: Sink,
    place: Place,
    time: str | None,
    layout: str,
    ms_played: int | None,
    item: tuple[str, str | None, str | None],
    **more: Any,
) -> None:
    """Hand a play of ``item`` (kind, name, name of its parent) that stopped at ``time`` to ``sink``, or drop it."""
    kind, name, parent = item
    stopped = _seconds(time, layout)
    if stopped is None:
        sink.drop(place, *unusable_time(time))
    elif not parent:
        sink.drop(place, "incomplete", "neither artist nor show is named: Spotify no longer lists the item")
    else:
        sink.listen(
            place,
            listened_at=stopped - max(ms_played or 0, 0) / 1000,
            kind=kind,
            name=name,
            parent=parent,
            ms_played=ms_played,
            **more,
        )


def _confidence(member: Member, keys: tuple[bytes, ...]) -> float:
    head = member.head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if not head.startswith(b"["):
        return 0.0
    present = sum(key in head for key in keys)
    return 1.0 if present == len(keys) else 0.3 * present / len(keys)


def _seconds(text: str | None, layout: str) -> float | None:
    """Return the seconds since 1970 of a UTC time; None if it is not one."""
    try:
        return datetime.datetime.strptime(f"{text}+0000", f"{layout}%z").timestamp()
    except (ValueError, OverflowError):
        return None
