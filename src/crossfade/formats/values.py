"""Numbers, texts, times and identifiers as files write them.

Each function converts a value of a file, and returns None for one that is missing or cannot be used.
"""

import math
import re
from datetime import UTC, datetime

MBID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
"""The shape of a MusicBrainz identifier, in lower case."""

_RECORDING = re.compile(r"https?://(?:beta\.)?musicbrainz\.org/(?:recording|track)/([0-9a-fA-F-]{36})(?:\.html)?/?")
_ARTIST = re.compile(r"https?://(?:beta\.)?musicbrainz\.org/artist/([0-9a-fA-F-]{36})(?:\.html)?/?")

_MONTHS = {
    month: number
    for number, month in enumerate(
        ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), start=1
    )
}
_DAY_MONTH_YEAR = re.compile(r"(\d{1,2}) ([A-Za-z]{3}) (\d{4}),? (\d{2}):(\d{2})(?::(\d{2}))?")

# Seconds since 1970 pass 1e11 in the year 5138, so a larger number is in a smaller unit.
UNITS = ((1e11, 1.0), (1e14, 1e3), (1e17, 1e6), (1e20, 1e9))


def text(value: object) -> str | None:
    """Return a string without the blanks around it; None for an empty one and for any other type."""
    return value.strip() or None if isinstance(value, str) else None


def number(value: object) -> float | None:
    """Return a finite number, from a number or the text of one."""
    if isinstance(value, str):
        # float() would accept "1_000" and the digits of every script.
        if "_" in value or not value.isascii():
            return None
        try:
            value = float(value)
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:
        return None


def milliseconds(value: object, *, per_unit: float = 1.0) -> int | None:
    """Return a length of time above zero, in milliseconds; one unit of ``value`` has ``per_unit`` of them."""
    length = number(value)
    # The largest int32 is 24 days, longer than any track.
    return round(length * per_unit) if length is not None and 0 < length * per_unit < 2**31 - 1 else None


def played(value: object, *, per_unit: float = 1.0) -> int | None:
    """As `milliseconds`, for a time heard, which may be 0."""
    return 0 if number(value) == 0 else milliseconds(value, per_unit=per_unit)


def mbid(value: object) -> str | None:
    """Return a MusicBrainz identifier in lower case."""
    if not value or not isinstance(value, str):
        return None
    lowered = value.strip().lower()
    return lowered if MBID.fullmatch(lowered) else None


def recording_in(address: object) -> str | None:
    """Return the recording's MBID in an address of musicbrainz.org."""
    return _mbid_in(_RECORDING, address)


def artist_in(address: object) -> str | None:
    """Return the artist's MBID in an address of musicbrainz.org."""
    return _mbid_in(_ARTIST, address)


def day_month_year(value: str) -> float | None:
    """Return the seconds since 1970 of "19 Aug 2026, 20:48", in UTC; the comma may be missing."""
    parts = _DAY_MONTH_YEAR.fullmatch(value.strip())
    if parts is None:
        return None
    day, month, year, hour, minute, second = parts.groups()
    try:
        when = datetime(
            int(year), _MONTHS[month.lower()], int(day), int(hour), int(minute), int(second or 0), tzinfo=UTC
        )
    except (KeyError, ValueError):
        return None
    return when.timestamp()


def iso_time(value: str) -> float | None:
    """Return the seconds since 1970 of an ISO 8601 time; UTC where it names no zone."""
    cleaned = value.strip().removesuffix(" UTC")
    try:
        when = datetime.fromisoformat(cleaned)
    except ValueError:
        return None
    try:
        return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()
    except OverflowError:
        return None


def time(value: object) -> float | None:
    """Return the seconds since 1970 of a time in any of the notations that files use.

    Seconds, milliseconds, microseconds or nanoseconds since 1970 (distinguished by their size), ISO 8601, or
    "19 Aug 2026, 20:48".
    """
    if (since := number(value)) is not None:
        for below, per_second in UNITS:
            if abs(since) < below:
                return since / per_second
        return None
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
    if isinstance(value, str):
        return iso_time(value) if value[:4].isdigit() else day_month_year(value)
    return None


def truth(value: object) -> bool | None:
    """Return a boolean, from a boolean, 0 and 1, or a word."""
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return bool(value)
    if isinstance(value, str):
        return _WORDS.get(value.strip().lower())
    return None


def _mbid_in(pattern: re.Pattern[str], address: object) -> str | None:
    match = pattern.fullmatch(address) if isinstance(address, str) else None
    return mbid(match.group(1)) if match else None


_WORDS = {"true": True, "t": True, "yes": True, "y": True, "1": True}
_WORDS |= {"false": False, "f": False, "no": False, "n": False, "0": False}
