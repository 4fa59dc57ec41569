"""Dates as services write them for people, in the language and the time zone of the reader.

The shapes and the abbreviations of months are the medium ones of the Unicode CLDR.
"""

import re
from datetime import UTC, datetime, timedelta

# English, German, French, Spanish, Italian, Portuguese, Dutch, Polish, Swedish, Danish, Norwegian, Romanian, Turkish
# and Russian, in lower case without the dot. No abbreviation means different months in two of them.
_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "jan janv ene gen sty ian oca янв",
            "feb févr fev lut şub февр",
            "mar märz mars mrt мар",
            "apr avr abr kwi nis апр",
            "may mai mag mei maj мая",
            "jun juni juin giu cze iun haz июн",
            "jul juli juil lug lip iul tem июл",
            "aug août ago sie ağu авг",
            "sep sept set wrz eyl сент",
            "oct okt ott out paź eki окт",
            "nov lis kas нояб",
            "dec dez déc dic gru des ara дек",
        ),
        start=1,
    )
    for name in names.split()
}
_ZONES = {
    name: hours
    for hours, names in {
        -10.0: "HST",
        -9.0: "AKST",
        -8.0: "PST AKDT",
        -7.0: "PDT MST",
        -6.0: "MDT CST",
        -5.0: "CDT EST",
        -4.0: "EDT AST",
        -3.0: "ADT BRT ART",
        0.0: "UTC GMT WET Z",
        1.0: "BST WEST CET MEZ",
        2.0: "CEST MESZ EET SAST",
        3.0: "EEST MSK IDT",
        5.0: "PKT",
        5.5: "IST",
        7.0: "WIB",
        8.0: "SGT HKT",
        9.0: "JST KST",
        10.0: "AEST",
        11.0: "AEDT",
        12.0: "NZST",
        13.0: "NZDT",
    }.items()
    for name in names.split()
}
"""Hours east of Greenwich of common abbreviations; another zone is read as UTC."""

_TIME = re.compile(r"(?<!\d)(\d{1,2})([:.])(\d{2})\2(\d{2})(?!\d)")
_AFTERNOON = re.compile(r"\bp\.? ?m\b|오후", re.IGNORECASE)
_MORNING = re.compile(r"\ba\.? ?m\b|오전", re.IGNORECASE)
_OFFSET = re.compile(r"(?:GMT|UTC)([+-])(\d{1,2})(?::?(\d{2}))?")
_LONGEST = 80  # characters; a longer text is no date


def local_time(text: str) -> float | None:
    """Return the seconds since 1970 of a date and a time of day with seconds; None if it is none.

    As in "Jan 15, 2021, 6:54:12 PM GMT", "15 janv. 2021, 18:54:12 CET", "15.01.2021, 18:54:12 MEZ" or
    "2021/01/15 18:54:12 JST". Of numbers alone, the day comes before the month, or the year first.
    """
    text = " ".join(text.split())
    clock = _TIME.search(text) if len(text) <= _LONGEST else None
    if clock is None:
        return None
    before, after = text[: clock.start()], text[clock.end() :]
    hour = int(clock.group(1))
    if _AFTERNOON.search(text):
        hour = hour % 12 + 12
    elif _MORNING.search(text):
        hour %= 12
    day = _day(before)
    if day is None or hour > 23:
        return None
    try:
        when = datetime(*day, hour, int(clock.group(3)), int(clock.group(4)), tzinfo=UTC) - _offset(after)
        return when.timestamp()
    except (OverflowError, ValueError):
        return None


def _day(text: str) -> tuple[int, int, int] | None:
    """Return year, month and day."""
    numbers = re.findall(r"\d+", text)
    months = [_MONTHS[word] for word in re.findall(r"[^\W\d_]+", text.lower()) if word in _MONTHS]
    if len(numbers) == 3 and not months:
        year, month, day = numbers if len(numbers[0]) == 4 else reversed(numbers)
        return (int(year), int(month), int(day)) if len(year) == 4 else None
    if len(numbers) == 2 and len(months) == 1:
        day, year = sorted(numbers, key=len)
        return (int(year), months[0], int(day)) if len(year) == 4 else None
    return None


def _offset(text: str) -> timedelta:
    """Return how far the zone that ``text`` names is east of Greenwich."""
    if named := _OFFSET.search(text):
        sign, hours, minutes = named.groups()
        return (1 if sign == "+" else -1) * timedelta(hours=int(hours), minutes=int(minutes or 0))
    return timedelta(hours=next((_ZONES[word] for word in re.findall(r"\w+", text) if word in _ZONES), 0.0))
