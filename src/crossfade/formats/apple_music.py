"""Apple Music's history in the privacy export ("Apple Media Services information"), in its zips as they are downloaded.

``Apple Music Play Activity.csv`` has some 140 columns and a row for every event. A play is written each time playback
stops: its pieces between pauses are one listen, as long as the rows of one track follow each other. Times are UTC.

Newer exports have no column of artists there. Two other files of the export do: ``Apple Music - Play History Daily
Tracks.csv``, whose "Track Description" is "artist - title", and ``Apple Music Library Tracks.json``. An artist is taken
from the same day, else from the title if only one artist has it, else from the album or artist that was being played.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache

from crossfade.core.errors import InputError
from crossfade.formats import values
from crossfade.formats.contract import Member, Place, Sink, Source
from crossfade.formats.delimited import has_columns, named_rows
from crossfade.formats.json_records import json_records
from crossfade.formats.scrobbles import put_scrobble
from crossfade.formats.shapes import head_text

_ACTIVITY = ("song name", "event end timestamp", "play duration milliseconds")
_MORE = (
    *("artist name", "album name", "container artist name", "container type", "event start timestamp", "event type"),
    *("end reason type", "item type", "media type", "media duration in milliseconds"),
)
_DAILY = ("date played", "track description")
_LIBRARY = re.compile(r'\s*\[\s*\{[^{}]{0,4096}"Track Identifier"\s*:')

_PAUSES = frozenset(
    {"PLAYBACK_MANUALLY_PAUSED", "PLAYBACK_SUSPENDED", "EXITED_APPLICATION", "SCRUB_BEGIN", "SCRUB_END"}
)
_LONGEST_PAUSE = 1800.0  # seconds; after a longer one, the same track is heard anew
_MOST_TITLES = 1_000_000  # kept in memory to find artists by; a long life has some 50,000
_CREDITED = frozenset({"ALBUM", "ARTIST"})  # what is played from and belongs to its artist, unlike a playlist


class AppleMusic:
    """Every play is one listen of the default user."""

    name = "apple-music"
    title = "Apple Music play activity (privacy export)"

    def recognise(self, member: Member) -> float:
        """1 by the columns of the play activity; 0.9 by those of the files that name artists."""
        if has_columns(member, _ACTIVITY):
            return 1.0
        return 0.9 if _is_daily(member) or _is_library(member) else 0.0

    def read(self, source: Source, sink: Sink) -> None:
        """Learn the artists, then one listen a play; further pieces of a play are dropped."""
        activity = [member for member in source.members if not (_is_daily(member) or _is_library(member))]
        if not activity:
            raise InputError(
                "these files only name artists. Import them together with Apple Music Play Activity.csv",
                path=source.members[0].name,
            )
        artists = _Artists()
        for member in source.members:
            if _is_daily(member):
                for _, row in named_rows(source, member, sink, _DAILY):
                    artists.learn_description(row["track description"], row["date played"])
            elif _is_library(member):
                with source.open(member) as file:
                    for _, track in json_records(file, (), member.name):
                        if isinstance(track, dict):
                            artists.learn(values.text(track.get("Title")), values.text(track.get("Artist")))
        for member in activity:
            for play in _plays(source, member, sink):
                title, start = play.title, play.start
                put_scrobble(
                    sink,
                    play.place,
                    time=start,
                    listened_at=start,
                    artist=play.artist or artists.artist(title, start) or play.container,
                    track=title,
                    ms_played=play.heard,
                    duration_ms=play.length,
                    album=play.album,
                )


@dataclass
class _Play:
    """A play as far as it has been read; times in seconds since 1970, lengths in milliseconds."""

    place: Place
    title: str
    album: str | None
    artist: str | None
    container: str | None
    start: float
    end: float
    heard: int | None
    length: int | None
    reason: str

    def goes_on(self, piece: "_Play") -> bool:
        """Tell whether ``piece``, the next row, belongs to this play."""
        return (
            self.reason in _PAUSES
            and (self.title, self.album) == (piece.title, piece.album)
            and abs(piece.start - self.end) < _LONGEST_PAUSE
        )


def _plays(source: Source, member: Member, sink: Sink) -> Iterator[_Play]:
    """Yield each play, put together from its rows, and drop the other rows."""
    play: _Play | None = None
    for place, row in named_rows(source, member, sink, _ACTIVITY, _MORE):
        piece = _piece(sink, place, row)
        if piece is None:
            continue
        if play is not None and play.goes_on(piece):
            sink.drop(place, "not-a-play", "a further piece of a play, counted with its beginning")
            play.heard = (play.heard or 0) + (piece.heard or 0)
            play.end, play.reason = max(play.end, piece.end), piece.reason
            continue
        if play is not None:
            yield play
        play = piece
    if play is not None:
        yield play


def _piece(sink: Sink, place: Place, row: dict[str, str]) -> _Play | None:
    """Return the play in a row; None, and drop it, if it has none."""
    kind, reason = row.get("event type", "").strip(), row.get("end reason type", "").strip()
    if kind not in ("", "PLAY_END") or reason == "FAILED_TO_LOAD":
        sink.drop(place, "not-a-play", "an event that is no play, or a track that failed to load")
        return None
    if row.get("media type", "").strip() == "VIDEO" or row.get("item type", "").strip() == "ORIGINAL_CONTENT_SHOWS":
        sink.drop(place, "unsupported", "a video")
        return None
    heard = values.played(row["play duration milliseconds"])
    length = values.milliseconds(row.get("media duration in milliseconds"))
    if heard is not None and length is not None:
        heard = min(heard, length)
    end = values.time(row["event end timestamp"].strip())
    start = values.time(row.get("event start timestamp", "").strip())
    if start is None and end is not None:
        start = end - (heard or 0) / 1000
    title = values.text(row["song name"])
    if start is None or title is None:
        put_scrobble(sink, place, time=row["event end timestamp"].strip(), listened_at=start, artist="", track=title)
        return None
    return _Play(
        place=place,
        title=title,
        album=values.text(row.get("album name")),
        artist=values.text(row.get("artist name")),
        container=values.text(row.get("container artist name")) if row.get("container type") in _CREDITED else None,
        start=start,
        end=start if end is None else end,
        # Of a move within the track, the "duration" is the distance.
        heard=0 if reason == "SCRUB_END" else heard,
        length=length,
        reason=reason,
    )


class _Artists:
    """Artists by the titles of their tracks; None for a title of several artists."""

    def __init__(self) -> None:
        self._by_title: dict[str, str | None] = {}
        self._by_day: dict[tuple[str, str], str | None] = {}

    def learn_description(self, description: str, day: str) -> None:
        """Take a "Track Description" of a day, "20240301": artist and title may themselves contain " - "."""
        parts = description.split(" - ")
        for place in range(1, min(len(parts), 8)):
            self.learn(" - ".join(parts[place:]), " - ".join(parts[:place]), day.strip())

    def learn(self, title: str | None, artist: str | None, day: str = "") -> None:
        """Take the artist of a title, on one day if it is named."""
        if not title or not artist or len(self._by_title) >= _MOST_TITLES or len(self._by_day) >= _MOST_TITLES:
            return
        key, artist = _key(title), artist.strip()
        if self._by_title.setdefault(key, artist) != artist:
            self._by_title[key] = None
        if day and self._by_day.setdefault((day, key), artist) != artist:
            self._by_day[day, key] = None

    def artist(self, title: str, time: float) -> str | None:
        """Return the artist of ``title``, played at ``time``; None if it is not known which."""
        key = _key(title)
        # The day in the file is that of the place where it was played.
        found = (self._by_day[day, key] for day in _days_around(time // 86_400) if (day, key) in self._by_day)
        return next(found, None) or self._by_title.get(key)


@lru_cache
def _days_around(day: float) -> tuple[str, ...]:
    """Return a day since 1970, that before it and that after it, as "20240301"; none beyond the calendar."""
    try:
        return tuple(f"{date(1970, 1, 1) + timedelta(days=day + offset):%Y%m%d}" for offset in (0, -1, 1))
    except OverflowError:
        return ()


def _key(title: str) -> str:
    return title.strip().casefold()


def _is_daily(member: Member) -> bool:
    return has_columns(member, _DAILY) and not has_columns(member, _ACTIVITY)


def _is_library(member: Member) -> bool:
    head = head_text(member)
    return _LIBRARY.match(head) is not None and '"Title"' in head and '"Artist"' in head
