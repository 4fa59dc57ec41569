"""What the formats of single plays share: a row needs a time that can be read, an artist and a track."""


def incomplete_scrobble(time: object, listened_at: float | None, artist: str | None) -> tuple[str, str]:
    """Return the reason to drop a row without time, artist or track, and what is wrong with it.

    ``time`` is the value in the file, ``listened_at`` the seconds since 1970 that it means, None if it cannot be read.
    """
    if listened_at is None:
        return unusable_time(time)
    return "incomplete", f"the {'track' if artist else 'artist'} is missing"


def unusable_time(time: object) -> tuple[str, str]:
    """Return the reason to drop a row whose ``time`` cannot be read, and what is wrong with it."""
    if time is None or time == "":
        return "incomplete", "the time is missing"
    return "malformed", "the time cannot be read"
