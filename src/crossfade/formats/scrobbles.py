"""What the formats of single plays share: a row needs a time that can be read, an artist and a track."""

from typing import Any

from crossfade.formats.contract import Place, Sink


def put_scrobble(
    sink: Sink,
    place: Place,
    *,
    time: object,
    listened_at: float | None,
    artist: str | None,
    track: str | None,
    **more: Any,
) -> None:
    """Hand the play of a track to ``sink``; drop it without a time, an artist or a track.

    time         the value in the file
    listened_at  the seconds since 1970 that it means; None if it cannot be read
    more         as for `Sink.listen`
    """
    if listened_at is None:
        sink.drop(place, *unusable_time(time))
    elif not artist or not track:
        sink.drop(place, "incomplete", f"the {'track' if artist else 'artist'} is missing")
    else:
        sink.listen(place, listened_at=listened_at, name=track, parent=artist, **more)


def unusable_time(time: object) -> tuple[str, str]:
    """Return the reason to drop a row whose ``time`` cannot be read, and what is wrong with it."""
    if time is None or time == "":
        return "incomplete", "the time is missing"
    return "malformed", "the time cannot be read"
