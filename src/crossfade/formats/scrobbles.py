"""What the formats of single plays share: a row needs a time that can be read, an artist and a track."""

from typing import Any

from crossfade.formats.contract import Place, Sink


def put_scrobble(
    sink: Sink,
    place: Place,
    time: object,
    *,
    listened_at: float | None,
    name: str | None,
    parent: str | None,
    **described: Any,
) -> None:
    """Hand a play of the track ``name`` by ``parent`` to ``sink.listen``, or drop it; ``time`` is as in the file."""
    if listened_at is None:
        sink.drop(place, *unusable_time(time))
    elif not parent or not name:
        sink.drop(place, "incomplete", f"the {'track' if parent else 'artist'} is missing")
    else:
        sink.listen(place, listened_at=listened_at, name=name, parent=parent, **described)


def unusable_time(time: object) -> tuple[str, str]:
    """Return the reason to drop a row whose ``time`` gave no number of seconds, and what is wrong with it."""
    if time is None or time == "":
        return "incomplete", "the time is missing"
    return "malformed", "the time cannot be read"
